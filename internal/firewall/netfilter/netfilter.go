// Package netfilter holds what the formats for Linux have in common when they
// write a plan: which names and texts their files can hold, who is inside, and
// the steps around a file. It writes no format and reads none.
package netfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// DNSPorts are those of which plans control what leaves: plain (RFC 1035) and
// over TLS and QUIC (RFC 7858, RFC 9250).
func DNSPorts() []firewall.PortRange {
	return []firewall.PortRange{{First: 53, Last: 53}, {First: 853, Last: 853}}
}

// Prepare checks that a format for Linux can hold the plan, and leaves out of
// it what has no meaning where the rules stand: on a gateway, a published port
// is a port of the asset like any other. The error is one line.
func Prepare(p firewall.Plan) (firewall.Plan, error) {
	p.Docker = p.Docker && p.Place == firewall.OnAsset
	return p, check(p)
}

func check(p firewall.Plan) error {
	if len(p.Addresses) == 0 {
		return fmt.Errorf("asset %q has no addresses: nothing can be allowed or closed", p.Asset)
	}
	for _, z := range p.Zones {
		if err := interfaces("zone "+z.Name, z.Interfaces); err != nil {
			return err
		}
	}
	for _, a := range p.Allows {
		if err := interfaces("zone "+a.Zone, a.Interfaces); err != nil {
			return err
		}
		switch {
		case a.Transport == policy.ESP:
		case a.Transport != exposure.TCP && a.Transport != exposure.UDP:
			return fmt.Errorf("a rule for zone %s is of transport %q: expected tcp, udp or esp", a.Zone, a.Transport)
		case len(a.Ports) == 0:
			return fmt.Errorf("a rule for zone %s names no ports", a.Zone)
		}
	}
	return nil
}

// interfaces refuses names that the kernel refuses or that would be read as
// something else in a file: IFNAMSIZ leaves 15 bytes, and a closing "+" is a
// pattern to iptables. A closing "*" is a pattern here.
func interfaces(where string, names []string) error {
	for _, name := range names {
		plain := strings.TrimSuffix(name, "*")
		if name == "" || len(name) > 15 || plain == "." || plain == ".." || strings.HasSuffix(plain, "+") ||
			strings.ContainsFunc(plain, func(r rune) bool {
				return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.+@=", r)
			}) {
			return fmt.Errorf("%s: %q cannot be an interface's name: expected up to 15 letters, digits and -_.@=, or a prefix with *", where, name)
		}
	}
	return nil
}

// Addresses are the asset's of one family, sorted.
func Addresses(p firewall.Plan, f firewall.Family) []netip.Addr { return of(p.Addresses, f) }

// Resolvers are the approved ones of one family, in the policy's order.
func Resolvers(p firewall.Plan, f firewall.Family) []netip.Addr {
	var out []netip.Addr
	for _, a := range p.DNS.Resolvers {
		if a = a.Unmap().WithZone(""); firewall.FamilyOf(a) == f && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func of(addrs []netip.Addr, f firewall.Family) []netip.Addr {
	var out []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap().WithZone(""); firewall.FamilyOf(a) == f {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// Sources are those of an Allow in one family, the fewest prefixes that make
// them up; none is true when the Allow says nothing of the family.
func Sources(a firewall.Allow, f firewall.Family) (sources []netip.Prefix, none bool) {
	prefixes, anybody := a.Of(f)
	if anybody {
		return nil, false
	}
	sources = firewall.Prefixes(firewall.AddrsOf(prefixes...))
	if len(sources) == 1 && sources[0].Bits() == 0 {
		return nil, false
	}
	return sources, len(sources) == 0
}

// Inside are the zones of which a gateway lets new conversations out, as Allows
// without ports.
func Inside(p firewall.Plan) []firewall.Allow {
	var out []firewall.Allow
	for _, z := range p.Inside() {
		out = append(out, firewall.Allow{
			Zone: z.Name, Interfaces: z.Interfaces, Sources: z.Networks,
			Why: "may open conversations to the outside",
		})
	}
	return out
}

// InsideNetworks are those of the zones inside in one family, the fewest
// prefixes that make them up.
func InsideNetworks(p firewall.Plan, f firewall.Family) []netip.Prefix {
	var all []netip.Prefix
	for _, z := range p.Inside() {
		all = append(all, z.Networks...)
	}
	return firewall.Prefixes(firewall.AddrsOf(all...).Intersect(firewall.AllOf(f)))
}

// OutsideInterfaces are those on which nobody who comes in is the asset.
func OutsideInterfaces(p firewall.Plan) []string {
	var out []string
	for _, z := range p.Zones {
		if firewall.Outside(z) {
			out = append(out, z.Interfaces...)
		}
	}
	return out
}

// ContainerBridges are the interfaces behind which Docker puts containers.
func ContainerBridges() []string { return []string{"docker0", "docker_gwbridge", "br-*"} }

// ServesDNS reports whether anything is allowed that a limit of DNS queries
// bears on.
func ServesDNS(p firewall.Plan) bool {
	return slices.ContainsFunc(p.Allows, func(a firewall.Allow) bool {
		return slices.ContainsFunc(a.Ports, func(r firewall.PortRange) bool {
			return r.First <= 53 && r.Last >= 53 || r.First <= 853 && r.Last >= 853
		})
	})
}

// Forwards reports whether conversations from elsewhere go through the host
// on, so that the plan controls their DNS as well.
func Forwards(p firewall.Plan) bool { return p.Place == firewall.OnGateway || p.Docker }

// Redirects reports whether DNS of a family is sent to a resolver.
func Redirects(p firewall.Plan, f firewall.Family) bool {
	return p.DNS.Control && p.DNS.Redirect && len(Resolvers(p, f)) > 0 && (Forwards(p) || !p.DNS.Self)
}

// Why is the reason for an Allow in one line of at most limit bytes, with
// nothing in it that could end a comment or a quoted string.
func Why(a firewall.Allow, limit int) string {
	text := a.Zone + ": " + a.Why
	if !a.Until.IsZero() {
		text = fmt.Sprintf("%s, until %s: %s", a.Zone, a.Until.Format("2006-01-02"), a.Why)
	}
	return Line(text, limit)
}

// Line makes one line of printable characters of a text, of at most limit
// bytes. Quotes, backslashes and what a shell expands are replaced.
func Line(text string, limit int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '`':
			return '\''
		case r == '\\':
			return '/'
		case r == '$' || r == utf8.RuneError || !unicode.IsPrint(r):
			return ' '
		}
		return r
	}, text)
	clean = strings.Join(strings.Fields(clean), " ")
	if len(clean) <= limit {
		return clean
	}
	cut := clean[:limit-3]
	for !utf8.ValidString(cut) {
		cut = cut[:len(cut)-1]
	}
	return strings.TrimSpace(cut) + "..."
}

// FileName makes a name without folders of the asset's name and an ending.
func FileName(asset, ending string) string {
	base := strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r)) {
			return r
		}
		return '_'
	}, asset)
	if base = strings.Trim(base, ".-"); base == "" {
		base = "asset"
	}
	return base[:min(len(base), 64)] + ending
}
