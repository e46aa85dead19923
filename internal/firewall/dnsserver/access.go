package dnsserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

// Features that only DNS servers may lack.
const (
	FeatureRole      firewall.Feature = "the role of the asset"
	FeatureSources   firewall.Feature = "a list of the sources that may ask"
	FeatureTransfers firewall.Feature = "zone transfers to a prefix of many addresses"
)

// server is what a DNS server can do.
type server struct {
	name   string // the format
	roles  []policy.Role
	limits bool // it can limit what a source asks
}

// access is what a plan says to a DNS server.
type access struct {
	plan        fabric.Plan
	server      string
	recursive   bool
	forward     []netip.Addr // the approved resolvers, of a forwarder
	everybody   bool         // may ask
	clients     []netip.Prefix
	secondaries []netip.Prefix
	limit       *firewall.RateLimit
	notes       []string
}

// access takes from the plan what concerns DNS, or gives an UnsupportedError.
func (s server) access(p firewall.Plan) (access, error) {
	if !slices.Contains(s.roles, p.Role) {
		hint := "use a DNS server that can, such as bind"
		if p.Role == policy.Host {
			hint = "a host serves no DNS: stop and remove the server"
		}
		return access{}, &firewall.UnsupportedError{
			Format: s.name, Feature: FeatureRole, Where: fabric.Line(string(p.Role), 40), Hint: hint,
		}
	}
	if p.Limit != nil && !s.limits {
		return access{}, &firewall.UnsupportedError{
			Format: s.name, Feature: firewall.FeatureRateLimit, Where: "DNS queries",
			Hint: "recommend without rate limits, or put dnsdist in front",
		}
	}
	a := access{server: s.name, limit: p.Limit, recursive: recursive(p.Role)}
	dns := p
	// These are the firewall's matter, which the server's configuration cannot
	// break.
	dns.Limit, dns.DNS, dns.Docker, dns.Place = nil, firewall.DNSEgress{}, false, firewall.OnAsset
	dns.Allows = onlyDNS(p)
	f, err := fabric.New(fabric.Format{Name: s.name}, dns)
	if err != nil {
		return access{}, err
	}
	a.plan = f
	var clients firewall.Addrs
	for _, r := range f.Rules {
		clients = clients.Union(r.Sources)
	}
	a.everybody = clients.Equal(firewall.AllOf(f.Families))
	a.clients = firewall.Prefixes(clients)
	a.transfers(p)
	if p.Role == policy.Forwarder {
		if err := a.forwarders(p); err != nil {
			return access{}, err
		}
	}
	a.notes = a.caution(p)
	return a, nil
}

func recursive(r policy.Role) bool {
	return r == policy.RecursiveDNS || r == policy.Forwarder || r == policy.PublicResolver
}

// onlyDNS gives of the Allows the ports that DNS is served on.
func onlyDNS(p firewall.Plan) []firewall.Allow {
	var out []firewall.Allow
	for _, a := range p.Allows {
		if a.Ports = dnsPorts(p.Role, a); len(a.Ports) > 0 {
			out = append(out, a)
		}
	}
	return out
}

// dnsPorts are the ports of an Allow that DNS is served on.
func dnsPorts(role policy.Role, a firewall.Allow) []firewall.PortRange {
	ports := []uint16{53, 443, 853}
	if !recursive(role) {
		ports = []uint16{53, 853}
	}
	var out []firewall.PortRange
	for _, p := range ports {
		if slices.ContainsFunc(a.Ports, func(r firewall.PortRange) bool { return r.First <= p && p <= r.Last }) {
			out = append(out, firewall.PortRange{First: p, Last: p})
		}
	}
	return out
}

// transfers fills in who may transfer zones; who may ask a hidden primary are
// its secondaries.
func (a *access) transfers(p firewall.Plan) {
	if a.recursive {
		return
	}
	a.secondaries = firewall.Prefixes(firewall.AddrsOf(p.Secondaries...))
	if len(a.secondaries) == 0 && p.Role == policy.HiddenPrimary && !a.everybody {
		a.secondaries = a.clients
	}
}

func (a *access) forwarders(p firewall.Plan) error {
	for _, r := range p.DNS.Resolvers {
		if !slices.Contains(p.Addresses, r) {
			a.forward = append(a.forward, r.Unmap().WithZone(""))
		}
	}
	if len(a.forward) == 0 {
		return &firewall.UnsupportedError{
			Format: a.server, Feature: FeatureRole, Where: "a forwarder needs a resolver to ask",
			Hint: "name the resolvers in the policy",
		}
	}
	return nil
}

func (a *access) caution(p firewall.Plan) []string {
	out := []string{"This is the second line: it closes no port. Load the firewall rules as well."}
	if !a.recursive && len(a.secondaries) == 0 {
		out = append(out, "Nobody may transfer zones: name the secondaries in the policy if there are any.")
	}
	allows := onlyDNS(p)
	if slices.ContainsFunc(allows, func(w firewall.Allow) bool { return w.Ports[len(w.Ports)-1].Last > 53 }) {
		out = append(out, "The policy opens an encrypted port (853 or 443): it needs a certificate and a listener of its own, which is not written here; who may ask holds for it too, where the server has one list for all.")
	}
	if slices.ContainsFunc(allows, func(w firewall.Allow) bool { return len(w.Interfaces) > 0 }) {
		out = append(out, "A server knows its clients by address, not by the interface they come in on: zones without networks are every address that is in no other zone's, and the firewall has to match the interfaces.")
	}
	out = append(out, device.Amplifies(p)...)
	if a.limit != nil {
		out = append(out, "Limits count sources, and sources of UDP can be forged: a forged flood can shut a client out, so the limit stays far above honest traffic.")
	}
	return out
}

// allowed lists who may ask, with the host itself; not for everybody.
func (a access) allowed() []netip.Prefix {
	return firewall.Prefixes(firewall.AddrsOf(append(slices.Clone(a.clients), loopback()...)...))
}

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// listen lists the addresses of a family to listen on, loopback first.
func (a access) listen(f firewall.Family) []string {
	out := []string{"127.0.0.1"}
	if f == firewall.IPv6 {
		out = []string{"::1"}
	}
	for _, addr := range a.plan.Addresses {
		text := addr.Unmap().WithZone("").String()
		if firewall.FamilyOf(addr) == f && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// own lists the asset's addresses without loopback.
func (a access) own() []string {
	return slices.DeleteFunc(a.listenBoth(), func(s string) bool { return s == "127.0.0.1" || s == "::1" })
}

// listenBoth is listen of both families.
func (a access) listenBoth() []string {
	return append(a.listen(firewall.IPv4), a.listen(firewall.IPv6)...)
}

// hosts are the secondaries as addresses, for servers that know no prefixes
// there.
func (a access) hosts() ([]string, error) {
	var out []string
	for _, p := range a.secondaries {
		if !p.IsSingleIP() {
			return nil, &firewall.UnsupportedError{
				Format: a.server, Feature: FeatureTransfers, Where: p.String(),
				Hint: "name each secondary's address in the policy",
			}
		}
		out = append(out, p.Addr().String())
	}
	return out, nil
}

// text collects the lines of one file.
type text struct{ strings.Builder }

func (t *text) line(format string, args ...any) {
	fmt.Fprintf(&t.Builder, format, args...)
	t.WriteByte('\n')
}

// begin writes the head of a file and, as comments, the rules it comes from.
func (t *text) begin(a access, mark, what string) {
	head := a.plan.Header(what)
	t.WriteString(fabric.Commented(mark, head[:len(head)-1]))
	t.WriteString(fabric.Commented(mark, []string{"Made by reconshield: change the policy, not this file."}))
	for _, r := range a.plan.Rules {
		t.WriteString(fabric.Commented(mark, []string{r.Title() + ": " + r.Reason(200)}))
	}
}

// place says where a file goes and how its server takes it.
type place struct{ file, path, check, reload string }

func (a access) config(p firewall.Plan, at place, content string) firewall.Config {
	return firewall.Config{
		Format: a.server,
		Files:  []firewall.File{{Name: at.file, Text: content}},
		Check:  []firewall.Step{{Text: "Let the server check the text, alone and in its place.", Command: at.check}},
		Apply: []firewall.Step{
			{Text: "Save what is there.", Command: fmt.Sprintf("test ! -e %[1]s || cp -p %[1]s ./%[2]s.before", at.path, at.file)},
			{Text: "Put the file in its place.", Command: fmt.Sprintf("cp %s %s", at.file, at.path)},
			{Text: "Let the server read it.", Command: at.reload},
		},
		Rollback: []firewall.Step{{
			Text:    "Put the old file back and let the server read it.",
			Command: fmt.Sprintf("if test -e ./%[1]s.before; then cp -p ./%[1]s.before %[2]s; else rm %[2]s; fi\n%[3]s", at.file, at.path, at.reload),
		}},
		Verify: []firewall.Step{
			{Text: "Assess the server from every zone.", Command: "reconshield assess " + strings.Join(fabric.Strings(p.Addresses), " ")},
			device.Verify(p)[0],
		},
		Notes: a.notes,
	}
}

// base is the beginning of a file's name.
func base(p firewall.Plan) string { return fabric.Name(p.Asset, '-', 40) }
