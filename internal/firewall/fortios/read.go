package fortios

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// maxText is how many bytes of configuration are read, maxWork how many spans
// of addresses and services are put together of those of others.
const (
	maxText = 128 << 20
	maxWork = 5_000_000
)

// Sniff reports whether a file that begins with head looks like the
// configuration of a FortiGate.
func Sniff(head []byte) bool {
	return bytes.HasPrefix(head, []byte("#config-version=")) ||
		slices.ContainsFunc([]string{"config firewall ", "config system ", "config vdom", "config global"}, func(start string) bool {
			return bytes.HasPrefix(head, []byte(start)) || bytes.Contains(head, []byte("\n"+start))
		})
}

// Parse reads the configuration of a FortiGate as "show" prints it. What passes
// through the device is translated by the virtual IPs and then meets the
// policies in the order of the list; what none matches is dropped. What is for
// the device itself meets the local-in policies and allowaccess of the
// interface; for the address of another interface than it comes in through, and
// for services that allowaccess does not name, it is undecided.
//
// Through which interface an address is reached is told by the addresses of the
// interfaces and by static routes, the latter only where nothing else makes
// routes; those that tunnels add are not known. Where it is not known, policies
// that name an outgoing interface are undecided.
//
// Limits: security profiles and DoS policies, which only drop more, and source
// NAT, which acts after the policies, are not looked at.
// Of several VDOMs one is read and the others make the file not fully read, as
// does the policy-based mode. The error is for text that is no configuration of
// this dialect, and for more than it is safe to read.
func Parse(file string, text []byte) (*firewall.Ruleset, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%s: more than 128 MiB; give one device at a time", file)
	}
	d, err := load(file, text)
	if err != nil {
		return nil, err
	}
	if !d.hasBlock {
		return nil, fmt.Errorf("%s: expected the configuration of a FortiGate, with config and the name of a block", file)
	}
	c := &configuration{
		document: d, addrs: map[*entry]addresses{}, busy: map[*entry]bool{}, services: map[string]service{}, zones: map[string][]string{}, budget: maxWork,
	}
	return c.ruleset(), nil
}

// configuration is a document being translated.
type configuration struct {
	*document
	addrs      map[*entry]addresses
	busy       map[*entry]bool
	services   map[string]service
	zones      map[string][]string // interfaces by zone, of SD-WAN too
	places     map[string]int      // of vips by family and name
	vips       []vip
	isCentral  bool // central NAT: virtual IPs act without being named by a policy
	hasTrusted bool // an administrator is bound to hosts
	chains     []*firewall.Chain
	assumed    []string
	budget     int
}

func isRead(name string) bool {
	return slices.Contains([]string{
		"firewall address", "firewall address6", "firewall addrgrp", "firewall addrgrp6", "firewall service custom", "firewall service group",
		"firewall policy", "firewall policy6", "firewall local-in-policy", "firewall local-in-policy6", "firewall vip", "firewall vip6",
		"firewall vipgrp", "firewall vipgrp6", "system zone", "system interface", "system sdwan", "system virtual-wan-link", "system settings",
		"system admin", "system global", "router static", "router static6", "router policy", "router policy6", "router bgp", "router ospf",
		"router ospf6", "router rip", "router ripng", "router isis", "firewall schedule recurring", "firewall schedule onetime", "firewall schedule group",
		"firewall acl", "firewall acl6", "system virtual-wire-pair",
	}, name)
}

// isHarmless reports whether a block lets nothing in.
func isHarmless(name string) bool {
	kind, rest, _ := strings.Cut(name, " ")
	if kind != "firewall" {
		return slices.Contains([]string{
			"alertemail", "antivirus", "application", "authentication", "automation", "casb", "certificate", "cifs-profile", "dlp", "dnsfilter", "emailfilter",
			"endpoint-control", "ethernet-oam", "extender-controller", "extension-controller", "file-filter", "gtp", "icap", "ips", "log", "monitoring", "report",
			"router", "sctp-filter", "spamfilter", "ssh-filter", "switch-controller", "system", "user", "videofilter", "virtual-patch", "voip", "vpn", "waf",
			"wanopt", "web-proxy", "webfilter", "wireless-controller", "ztna", "hardware", "dpdk", "nsxt", "diameter-filter", "telemetry-controller",
		}, kind)
	}
	part, _, _ := strings.Cut(rest, " ")
	return slices.Contains([]string{
		"DoS-policy", "DoS-policy6", "auth-portal", "central-snat-map", "city", "country", "decrypted-traffic-mirror", "dnstranslation",
		"global", "identity-based-route", "interface-policy", "interface-policy6", "internet-service-addition", "internet-service-append",
		"internet-service-custom", "internet-service-custom-group", "internet-service-definition", "internet-service-extension", "internet-service-group",
		"internet-service-name", "internet-service-subapp", "internet-service-fallback", "network-service-dynamic", "ttl-policy", "ipmacbinding", "ippool", "ippool6", "ldb-monitor", "multicast-address",
		"multicast-address6", "multicast-policy", "multicast-policy6", "on-demand-sniffer", "profile-group", "profile-protocol-options", "proxy-address",
		"proxy-addrgrp", "region", "schedule", "service", "shaper", "shaping-policy", "shaping-profile", "sniffer", "ssh", "ssl", "ssl-server",
		"ssl-ssh-profile", "traffic-class", "vendor-mac", "wildcard-fqdn",
	}, part)
}

func (c *configuration) at(e *entry) firewall.Position {
	return firewall.Position{File: c.file, Line: e.line}
}

func (c *configuration) assume(format string, args ...any) {
	c.assumed = append(c.assumed, cloud.OneLine(fmt.Sprintf(format, args...), 300))
}

// ruleset puts everything together.
func (c *configuration) ruleset() *firewall.Ruleset {
	c.hasTrusted = c.isTrusting()
	c.readSettings()
	c.readZones()
	if len(c.tables["system interface"].list()) == 0 {
		c.assume("no interface is in this file: what policies name is taken as interfaces unless system zone or sdwan says otherwise")
	}
	local, routes := c.place()
	c.readVIPs()
	c.accessLists()
	c.through()
	c.toDevice()
	return &firewall.Ruleset{
		Files: []string{c.file}, Chains: c.chains, Unparsed: c.unparsed, Assumed: c.assumed,
		Host: firewall.HostFacts{Local: local, Routes: routes},
	}
}

func (c *configuration) readSettings() {
	for _, e := range c.tables["system virtual-wire-pair"].list() {
		c.skip(e.line, "config system virtual-wire-pair edit "+e.name, "packets between the interfaces of a pair are not routed; this is not read")
	}
	t := c.tables["system settings"]
	if t == nil {
		return
	}
	s := &t.own
	c.isCentral = s.one("central-nat", "disable") == "enable"
	if s.one("ngfw-mode", "profile-based") != "profile-based" {
		c.skip(t.line, "config system settings set ngfw-mode", "the policy-based mode is not read")
	}
	if s.one("opmode", "nat") != "nat" {
		c.skip(t.line, "config system settings set opmode", "the transparent mode is not read")
	}
	if s.one("asymroute", "disable") != "disable" || s.one("asymroute6", "disable") != "disable" {
		c.skip(t.line, "config system settings set asymroute", "with asymmetric routing, packets that belong to no conversation pass by the policies")
	}
}

// readZones learns which interfaces zones stand for.
func (c *configuration) readZones() {
	for _, z := range c.tables["system zone"].list() {
		c.zones[z.name] = z.sets["interface"]
	}
	for _, name := range []string{"system sdwan", "system virtual-wan-link"} {
		t := c.tables[name]
		if t == nil {
			continue
		}
		for _, m := range t.own.sub("members").list() {
			zone := m.one("zone", "virtual-wan-link")
			if m.one("status", "enable") == "enable" {
				c.zones[zone] = append(c.zones[zone], m.sets["interface"]...)
			}
		}
	}
}

// base adds a base chain.
func (c *configuration) base(name string, hook firewall.Hook, priority int, last firewall.Verdict) *firewall.Chain {
	pos := firewall.Position{File: c.file}
	chain := &firewall.Chain{
		Table: "device", Name: name, Family: firewall.Inet, Pos: pos,
		Base: &firewall.Base{Hook: hook, Priority: priority, Default: last, Pos: pos},
	}
	c.chains = append(c.chains, chain)
	return chain
}

func span(a netip.Addr) firewall.Span[netip.Addr] {
	return firewall.Span[netip.Addr]{First: a, Last: a}
}
