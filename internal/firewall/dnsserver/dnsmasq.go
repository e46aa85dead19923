package dnsserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

// RenderDnsmasq writes a file for dnsmasq's conf.d. Dnsmasq only forwards, and
// knows no list of sources: it tells clients apart by the interface their
// queries come in on. So each zone that may ask must be known by interfaces and
// be let in as a whole.
func RenderDnsmasq(p firewall.Plan) (firewall.Config, error) {
	a, err := server{name: "dnsmasq", roles: []policy.Role{policy.Forwarder}}.access(p)
	if err != nil {
		return firewall.Config{}, err
	}
	var interfaces []string
	for _, w := range onlyDNS(p) {
		if err := wholeZone(p, w); err != nil {
			return firewall.Config{}, err
		}
		for _, name := range w.Interfaces {
			if !slices.Contains(interfaces, name) {
				interfaces = append(interfaces, name)
			}
		}
	}
	var t text
	t.begin(a, "# ", "dnsmasq access control")
	t.line("# Answer on these interfaces only, even when they come and go.")
	t.line("bind-dynamic")
	t.line("interface=lo")
	for _, name := range interfaces {
		t.line("interface=%s", name)
	}
	t.line("# Ask the approved resolvers only.\nno-resolv")
	for _, r := range a.forward {
		t.line("server=%s", r)
	}
	t.line("domain-needed\nbogus-priv\nstop-dns-rebind\nrebind-localhost-ok")
	a.notes = append(a.notes, "Dnsmasq matches interfaces alone: whoever reaches one of them may ask, whatever his address; the firewall matches the addresses as well.")
	file := base(p) + "-dnsmasq.conf"
	return a.config(p, place{
		file: file, path: "/etc/dnsmasq.d/reconshield.conf",
		check: "dnsmasq --test --conf-file=" + file, reload: "dnsmasq --test && systemctl restart dnsmasq",
	}, t.String()), nil
}

// wholeZone makes sure that interfaces alone say what an Allow says.
func wholeZone(p firewall.Plan, w firewall.Allow) error {
	missing := func(where, hint string) error {
		return &firewall.UnsupportedError{Format: "dnsmasq", Feature: FeatureSources, Where: where, Hint: hint}
	}
	zone := fabric.Line(w.Zone, 60)
	if len(w.Interfaces) == 0 {
		return missing("zone "+zone+" is not known by interfaces", "give the zone its interfaces in the policy")
	}
	for _, name := range w.Interfaces {
		if !interfaceName(name) {
			return missing(fmt.Sprintf("interface %q", fabric.Line(name, 40)), "name a Linux interface, at most 15 characters")
		}
	}
	var networks []netip.Prefix
	for _, z := range p.Zones {
		if z.Name == w.Zone {
			networks = z.Networks
		}
	}
	if len(w.Sources) > 0 && !firewall.AddrsOf(w.Sources...).Equal(firewall.AddrsOf(networks...)) {
		return missing("only some of zone "+zone+" may ask", "let the whole zone ask, or use unbound")
	}
	return nil
}

// interfaceName reports whether a name can stand in dnsmasq's file as itself: a
// closing star would match more.
func interfaceName(s string) bool {
	return s != "" && len(s) <= 15 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-@", r)
	})
}
