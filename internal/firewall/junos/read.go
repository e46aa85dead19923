package junos

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// maxText is how many bytes of configuration are read.
const maxText = 128 << 20

// Sniff reports whether a file that begins with head looks like the
// configuration of a Junos device, in braces or as set commands.
func Sniff(head []byte) bool {
	for _, start := range []string{
		"set security policies ", "set security zones ", "set security address-book ", "set firewall family inet", "set firewall filter ",
		"set applications application", "set groups ", "set version ", "security {", "firewall {\n    family inet", "firewall {\n    filter ",
	} {
		if bytes.HasPrefix(head, []byte(start)) || bytes.Contains(head, []byte("\n"+start)) {
			return true
		}
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.HasPrefix(head, []byte("## Last c")) || bytes.HasPrefix(first, []byte("version ")) && bytes.HasSuffix(bytes.TrimSpace(first), []byte(";")) ||
		bytes.Contains(head, []byte("\nsystem {\n    host-name "))
}

// Parse reads the output of "show configuration" of an SRX, in braces or piped
// to "display set". What passes through the device meets the filters of the
// interface it comes in on, static and destination NAT, the policies of its pair
// of zones, the global ones, the default, and the filters of the interface it
// leaves by. What is for the device itself meets host-inbound-traffic of the
// zone, the policies to the zone junos-host and the filters of lo0; for an
// address of another zone than it comes from, it is undecided.
//
// Through which interface an address is reached is told by the addresses of the
// interfaces and by static routes, the latter only where the device runs no
// routing protocol. Where it is not known, policies that name the zone a packet
// goes to are undecided.
//
// A group of one device of a cluster is read as that of both.
//
// Limits: screens, intrusion detection, content filters and policers, which
// only drop more, are not looked at, nor is source NAT, which acts after the
// policies. Logical systems, tenants, wildcards in groups and groups applied
// below the top make the file not fully read. The error is for text that is no
// configuration of this dialect, and for more than it is safe to read.
func Parse(file string, text []byte) (*firewall.Ruleset, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%s: more than 128 MiB; give one device at a time", file)
	}
	t, err := grow(file, text)
	if err != nil {
		return nil, err
	}
	c := &configuration{
		file: file, unparsed: t.unparsed, zones: map[string]*zone{}, books: map[string][]*node{}, addrs: map[*node]addresses{},
		busy: map[*node]bool{}, apps: map[string]application{}, filters: map[string]*firewall.Chain{}, budget: maxWork,
	}
	c.root = c.inherit(t.root)
	if c.root.find("security") == nil && c.root.find("firewall") == nil && c.root.find("applications") == nil {
		return nil, fmt.Errorf("%s: expected the output of show configuration of an SRX, with security or firewall", file)
	}
	return c.ruleset(), nil
}

// maxWork bounds the spans of addresses and the terms of applications that are
// put together from those of others.
const maxWork = 5_000_000

// configuration is a tree being translated.
type configuration struct {
	file     string
	root     *node
	zones    map[string]*zone
	order    []*zone
	books    map[string][]*node // address books by zone, the global one under ""
	addrs    map[*node]addresses
	busy     map[*node]bool
	apps     map[string]application
	filters  map[string]*firewall.Chain
	chains   []*firewall.Chain
	unparsed []firewall.Unparsed
	assumed  []string
	budget   int
}

// zone is a security zone with its interfaces.
type zone struct {
	name       string
	node       *node
	interfaces []string
	management bool // packets are for the device itself alone
}

func (c *configuration) at(n *node) firewall.Position {
	return firewall.Position{File: c.file, Line: n.line}
}

// skip reports what is not read. Of very many the last one stands for the rest.
func (c *configuration) skip(n *node, text, why string) {
	switch {
	case len(c.unparsed) > maxSkipped:
		return
	case len(c.unparsed) == maxSkipped:
		why = "this and all that follows of what is not read is too much to be listed"
	}
	c.unparsed = append(c.unparsed, firewall.Unparsed{Pos: c.at(n), Text: cloud.OneLine(text, 200), Why: cloud.OneLine(why, 300)})
}

func (c *configuration) assume(format string, args ...any) {
	c.assumed = append(c.assumed, cloud.OneLine(fmt.Sprintf(format, args...), 300))
}

// top are the parts of a configuration that are read or cannot let more in.
func top() []string {
	return []string{
		"security", "applications", "firewall", "interfaces", "groups", "apply-groups", "policy-options", "routing-options", "schedulers",
		"access", "access-profile", "accounting-options", "chassis", "class-of-service", "event-options", "forwarding-options", "poe",
		"protocols", "routing-instances", "rcsid", "ethernet-switching-options", "multicast-snooping-options", "vmhost", "services", "snmp", "switch-options", "system", "version", "virtual-chassis", "vlans", "wlan", "bridge-domains",
	}
}

// guarded are the parts of security that are read or only drop more.
func guarded() []string {
	return []string{
		"policies", "zones", "address-book", "nat", "forwarding-options", "alg", "authentication-key-chains", "certificates", "dynamic-address",
		"firewall-authentication", "flow", "idp", "ike", "ipsec", "log", "pki", "policy-statistics", "screen", "ssh-known-hosts", "traceoptions",
		"user-identification", "utm", "alarms", "application-firewall", "application-tracking", "datapath-debug", "key-protection", "macsec",
		"remote-access", "tcp-encap",
	}
}

// ruleset puts everything together.
func (c *configuration) ruleset() *firewall.Ruleset {
	for n := range c.root.each() {
		if !slices.Contains(top(), n.word) {
			c.skip(n, n.word, "expected a part of the configuration that is known; this one is not read")
		}
	}
	security := c.root.find("security")
	for n := range security.each() {
		if !slices.Contains(guarded(), n.word) {
			c.skip(n, "security "+n.word, "expected a part of security that is known; this one is not read")
		}
	}
	c.readZones(security.find("zones"))
	c.readBooks(security.find("address-book"))
	local, routes := c.place()
	c.modes(security.find("forwarding-options", "family"))
	c.elements()
	c.interfaceFilters()
	c.translations(security.find("nat"))
	c.through(security)
	c.toDevice(security)
	return &firewall.Ruleset{
		Files: []string{c.file}, Chains: c.chains, Unparsed: c.unparsed, Assumed: c.assumed,
		Host: firewall.HostFacts{Local: local, Routes: routes},
	}
}

// base adds a base chain.
func (c *configuration) base(name string, hook firewall.Hook, f firewall.Family, last firewall.Verdict, pos firewall.Position) *firewall.Chain {
	chain := &firewall.Chain{
		Table: "device", Name: cloud.OneLine(name, 200), Family: f, Pos: pos,
		Base: &firewall.Base{Hook: hook, Default: last, Pos: pos},
	}
	c.chains = append(c.chains, chain)
	return chain
}

// elements looks for parts besides security that bear on packets.
func (c *configuration) elements() {
	for k := range c.root.find("services").each() {
		if slices.Contains([]string{"nat", "stateful-firewall", "service-set", "captive-portal-content-delivery"}, k.word) {
			c.skip(k, "services "+k.word, "services of interfaces that filter or translate are not read")
		}
	}
	if n := c.root.find("protocols", "l2-learning", "global-mode", "transparent-bridge"); n != nil {
		c.skip(n, "protocols l2-learning global-mode transparent-bridge", "the transparent mode is not read")
	}
	if n := c.root.find("bridge-domains"); n != nil {
		c.skip(n, "bridge-domains", "packets that are bridged are not read")
	}
}

// modes looks at how families are forwarded: by flow, which policies judge, by
// packet, which they do not, or not at all.
func (c *configuration) modes(families *node) {
	if families.find("inet6", "mode") == nil {
		c.assume("IPv6 is taken as forwarded by flow: the mode of family inet6 is not in this file, and some devices drop all of it by default")
	}
	for f := range families.each() {
		for m := range f.find("mode").each() {
			switch {
			case m.word == "flow-based":
			case f.word == "inet6" && m.word == "drop":
				c.base("IPv6 is dropped", firewall.Prerouting, firewall.IPv6, firewall.DropVerdict, c.at(m))
			default:
				c.skip(m, "forwarding-options family "+f.word+" mode "+m.word, "packets of this family pass by the policies; expected flow-based")
			}
		}
	}
}

func span(a netip.Addr) firewall.Span[netip.Addr] {
	return firewall.Span[netip.Addr]{First: a, Last: a}
}
