package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"reconshield/internal/exposure"
)

// DraftInput is what a first policy is written from.
type DraftInput struct {
	Assessment *exposure.Assessment // nil: a skeleton to fill in
	Zone       string               // where its vantage stood; empty: wan
	Interfaces []Interface          // of the firewall that the zones belong to; nil when not known
	At         time.Time            // today, for the ends of proposed exceptions; zero: the assessment's end
}

// Interface is one of the firewall's own interfaces.
type Interface struct {
	Name     string
	Networks []netip.Prefix // of its addresses; bits beyond the length are ignored
}

// exceptionTerm is how long a proposed exception lasts.
const exceptionTerm = 90 * 24 * time.Hour

// Draft writes a policy with comments, which Parse accepts. It allows what
// roles need and what is ordinarily public; everything else that was found
// open stands in comments, so that nothing becomes allowed by having been
// found. Texts of the assessment are untrusted and shown as one line.
func Draft(in DraftInput) string {
	d := &draft{zone: cmp.Or(in.Zone, WAN), at: in.At}
	if !isName(d.zone) {
		d.zone = WAN
	}
	if d.at.IsZero() && in.Assessment != nil {
		d.at = in.Assessment.Finished
	}
	if in.Assessment != nil {
		d.assets = draftAssets(in.Assessment)
	}
	d.heading(in.Assessment)
	d.writeZones(in.Interfaces)
	d.writeAssets()
	d.writeExceptions()
	d.writeResolvers()
	d.line("\n# What no rule allows. There is no other choice: everything that may be reached is written above.\ndefault: deny")
	return d.out.String()
}

// draft is a policy being written.
type draft struct {
	out    strings.Builder
	zone   string // of the vantage
	at     time.Time
	vpn    string // a zone with a tunnel; empty when none is known
	assets []draftAsset
	admin  []string // lines of proposed exceptions
}

func (d *draft) line(format string, args ...any) {
	if len(args) == 0 {
		d.out.WriteString(format)
	} else {
		fmt.Fprintf(&d.out, format, args...)
	}
	d.out.WriteByte('\n')
}

func (d *draft) heading(a *exposure.Assessment) {
	d.line("# The exposure policy: which port of which asset may be reached from where.")
	d.line("# Firewall rules are made from it, and rulesets and scans are compared with it.")
	switch {
	case a == nil:
		d.line("# This is a skeleton: replace the examples by your own and remove the # in front.")
	case a.Finished.IsZero():
		d.line("# Written from an assessment. Review every line.")
	default:
		d.line("# Written from the assessment of %s. Review every line.", a.Finished.UTC().Format(time.DateOnly))
	}
	if a != nil && (a.Partial || len(a.Unmeasured) > 0) {
		d.line("# The assessment is not complete: what it did not measure is missing here, too.")
	}
	d.line("# Check it with: reconshield policy check FILE")
}

// draftAsset is one asset of the draft: one or more addresses of one name.
type draftAsset struct {
	name  string
	names []string
	found []*exposure.Asset
	role  Role
	why   string
}

// draftAssets groups addresses by their first usable name.
func draftAssets(a *exposure.Assessment) []draftAsset {
	var out []draftAsset
	taken, byHost, seen := map[string]bool{}, map[string]int{}, map[netip.Addr]bool{}
	for i := range a.Assets {
		found := &a.Assets[i]
		addr := found.Address.WithZone("").Unmap()
		if !addr.IsValid() || seen[addr] || addr.IsMulticast() || addr.IsUnspecified() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || len(out) == maxAssets {
			continue
		}
		seen[addr] = true
		names := dnsNames(found.Names)
		host := ""
		if len(names) > 0 {
			host = names[0]
		}
		if at, known := byHost[host]; known && host != "" && len(out[at].found) < maxOpen {
			out[at].found = append(out[at].found, found)
			continue
		}
		byHost[host] = len(out)
		out = append(out, draftAsset{name: assetName(host, addr, taken), names: names, found: []*exposure.Asset{found}})
	}
	for i := range out {
		out[i].role, out[i].why = proposeRole(out[i].found)
	}
	return out
}

func dnsNames(all []string) []string {
	var out []string
	for _, n := range all {
		n = strings.ToLower(strings.TrimSuffix(n, "."))
		if isDNSName(n) && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// assetName is the host's first label, or its address, made unique.
func assetName(host string, addr netip.Addr, taken map[string]bool) string {
	base, _, _ := strings.Cut(host, ".")
	if !isName(base) || base[0] < 'a' || base[0] > 'z' || len(base) > 40 {
		base = "host-" + strings.Trim(strings.NewReplacer(".", "-", ":", "-").Replace(addr.String()), "-")
	}
	name := base
	for n := 2; taken[name]; n++ {
		name = base + "-" + strconv.Itoa(n)
	}
	taken[name] = true
	return name
}

// proposeRole says what an asset seems to be for, by the checks that answer it.
func proposeRole(found []*exposure.Asset) (role Role, why string) {
	failed := func(id string) bool {
		return slices.ContainsFunc(found, func(a *exposure.Asset) bool {
			return slices.ContainsFunc(a.Checks, func(c exposure.CheckResult) bool { return c.ID == id && c.Status == exposure.Fail })
		})
	}
	var zones []string
	dns := false
	for _, a := range found {
		for _, z := range dnsNames(a.Zones) {
			if !slices.Contains(zones, z) {
				zones = append(zones, z)
			}
		}
		dns = dns || slices.ContainsFunc(a.Ports, func(p exposure.PortState) bool {
			return p.State == exposure.Open && (p.Service != nil && p.Service.Protocol == "dns" || p.Port == 53 && p.Service == nil)
		})
	}
	more := ""
	if len(zones) > 3 {
		zones, more = zones[:3], " and others"
	}
	switch held := strings.Join(zones, ", ") + more; {
	case failed("FWD-1") || failed("FWD-2"):
		return Forwarder, "it passes questions on to another resolver (FWD-1, FWD-2); only zones with networks may ask it"
	case held != "" && failed("REC-1"):
		return AuthoritativeDNS, "it answers with authority for " + held + "; it also resolves for this vantage (REC-1): switch recursion off"
	case held != "":
		return AuthoritativeDNS, "it answers with authority for " + held
	case failed("REC-1"):
		return RecursiveDNS, "it resolves for this vantage (REC-1); only zones with networks may ask it. If everybody shall, that is role public-resolver with a waiver"
	case dns:
		return Host, "TODO: DNS answers here, but nothing shows what for; choose authoritative-dns, hidden-primary, recursive-dns or forwarder"
	}
	return Host, "no DNS was found on it"
}
