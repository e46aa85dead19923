package fortios

import (
	"maps"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// through makes the chain of what passes through the device.
func (c *configuration) through() {
	base := c.base("policies", firewall.Forward, firewall.FilterPriority, firewall.DropVerdict)
	base.Rules = slices.Concat(c.stranger(), c.portals())
	for _, z := range c.tables["system zone"].list() {
		if z.one("intrazone", "deny") != "allow" {
			continue
		}
		m := []firewall.Match{{Field: firewall.InInterface, Names: z.sets["interface"]}, {Field: firewall.OutInterface, Names: z.sets["interface"]}}
		if c.denies() {
			m = append(m, cloud.Undecidable("whether policies that deny come before what a zone allows within itself is not known"))
		}
		base.Rules = append(base.Rules, firewall.Rule{
			Matches: m, Action: firewall.Action{Kind: firewall.Accept}, Pos: c.at(z), Text: cloud.OneLine("zone "+z.name+" intrazone allow", 300),
		})
	}
	for _, p := range c.tables["firewall policy"].list() {
		base.Rules = append(base.Rules, c.policy(p, "", "6"))
	}
	for _, p := range c.tables["firewall policy6"].list() {
		base.Rules = append(base.Rules, c.policy(p, "6 in policy6"))
	}
}

// stranger leaves open what comes in on an interface that is not in the file,
// where there are some: it may be one of the device by another name.
func (c *configuration) stranger() []firewall.Rule {
	var names []string
	for _, i := range c.tables["system interface"].list() {
		names = append(names, i.name)
	}
	if len(names) == 0 {
		return nil
	}
	return []firewall.Rule{{
		Matches: []firewall.Match{{Field: firewall.InInterface, Names: names, Not: true}},
		Action:  firewall.Action{Kind: firewall.Unknown, Why: "the interface is not in this file; expected the name of one as the device has it, not of a zone"},
		Pos:     c.at(c.tables["system interface"].list()[0]), Text: "an interface that is not in this file",
	}}
}

// portals leaves open what comes in where people have to log in first.
func (c *configuration) portals() []firewall.Rule {
	var out []firewall.Rule
	for _, i := range c.tables["system interface"].list() {
		if mode := i.one("security-mode", "none"); mode != "none" {
			out = append(out, firewall.Rule{
				Matches: []firewall.Match{{Field: firewall.InInterface, Names: []string{i.name}}},
				Action:  firewall.Action{Kind: firewall.Unknown, Why: cloud.OneLine("security-mode "+mode+" of the interface depends on who has logged in", 300)},
				Pos:     c.at(i), Text: cloud.OneLine("interface "+i.name+" security-mode "+mode, 300),
			})
		}
	}
	return out
}

// denies reports whether a policy that is enabled denies.
func (c *configuration) denies() bool {
	for _, block := range []string{"firewall policy", "firewall policy6"} {
		if slices.ContainsFunc(c.tables[block].list(), func(p *entry) bool {
			return p.one("status", "enable") == "enable" && p.one("action", "deny") == "deny"
		}) {
			return true
		}
	}
	return false
}

// ignored are settings of policies that let nothing more in. What profiles and
// inspection find is dropped besides.
func ignored(key string) bool {
	return cosmetic(key) || strings.HasSuffix(key, "-profile") || strings.HasSuffix(key, "-sensor") || slices.Contains([]string{
		"srcintf", "dstintf", "intf", "srcaddr", "dstaddr", "srcaddr6", "dstaddr6", "srcaddr-negate", "dstaddr-negate", "srcaddr6-negate", "dstaddr6-negate",
		"service-negate", "action", "status", "schedule", "service", "match-vip", "logtraffic", "logtraffic-start", "log-http-transaction", "capture-packet",
		"nat", "ippool", "poolname", "poolname6", "fixedport", "natip", "outbound", "inbound", "natinbound", "natoutbound", "port-preserve",
		"utm-status", "inspection-mode", "profile-type", "profile-group", "application-list", "http-policy-redirect",
		"ssh-policy-redirect", "webproxy-forward-server", "wanopt", "webcache", "traffic-shaper", "traffic-shaper-reverse", "per-ip-shaper", "auto-asic-offload",
		"np-acceleration", "anti-replay", "session-ttl", "tcp-mss-sender", "tcp-mss-receiver", "tcp-session-without-syn", "send-deny-packet",
		"timeout-send-rst", "schedule-timeout", "delay-tcp-npu-session", "diffserv-forward", "diffserv-reverse", "diffservcode-forward", "diffservcode-rev",
		"vlan-cos-fwd", "vlan-cos-rev", "profile-protocol-options", "decrypted-traffic-mirror", "geoip-match", "geoip-anycast", "custom-log-fields",
		"firewall-session-dirty", "policy-behaviour-type", "pcp-poolname", "cgn-log-server-grp", "replacemsg-override-group", "block-notification", "radius-mac-auth-bypass", "dsri",
	}, key)
}

// policy translates one policy for the families whose addresses it names. What
// cannot be read of it may match any packet.
func (c *configuration) policy(p *entry, families ...string) firewall.Rule {
	r := firewall.Rule{Pos: c.at(p), Text: describe(p)}
	if p.one("status", "enable") == "disable" {
		r.Action.Kind = firewall.Continue
		return r
	}
	r.Action = c.action(p)
	r.Matches = append(r.Matches, c.link(firewall.InInterface, p, "srcintf")...)
	r.Matches = append(r.Matches, c.link(firewall.OutInterface, p, "dstintf")...)
	r.Matches = append(r.Matches, c.common(p)...)
	if c.isService(p) {
		families = nil // its addresses are those of the service, of any family
	}
	var sides [][]firewall.Match
	for _, f := range families {
		if m := c.sides(p, f, c.destination); m != nil {
			sides = append(sides, m)
		}
	}
	switch len(sides) {
	case 0:
		r.Matches = append(r.Matches, cloud.Undecidable("the policy has no addresses that are read"))
	case 1:
		r.Matches = append(r.Matches, sides[0]...)
	default:
		r.Matches = append(r.Matches, firewall.Match{Field: firewall.Tuple, Tuples: sides})
	}
	return r
}

// isService reports whether a policy has addresses of a service of the Internet
// in the place of its own.
func (c *configuration) isService(p *entry) bool {
	return slices.ContainsFunc(p.keys, func(key string) bool {
		return (strings.HasPrefix(key, "internet-service") || strings.HasPrefix(key, "network-service")) && !isOff(key, p.one(key, ""))
	})
}

// accessLists makes the chain of the lists that drop packets before anything
// else looks at them.
func (c *configuration) accessLists() {
	var rules []firewall.Rule
	for _, family := range []string{"", "6"} {
		for _, p := range c.tables["firewall acl"+family].list() {
			if p.one("status", "enable") == "disable" {
				continue
			}
			r := firewall.Rule{Pos: c.at(p), Text: cloud.OneLine("access list "+describe(p), 300), Action: firewall.Action{Kind: firewall.Drop}}
			version := firewall.Number(4)
			if family == "6" {
				version = 6
			}
			r.Matches = append(c.link(firewall.InInterface, p, "interface"),
				firewall.Match{Field: firewall.NFProto, Numbers: firewall.NumbersOf(version)},
				c.join(family, p.sets["srcaddr"], 0).match(firewall.Src), c.join(family, p.sets["dstaddr"], 0).match(firewall.Dst))
			r.Matches = append(r.Matches, c.anyOf(p.sets["service"], false)...)
			for _, key := range p.keys {
				if key != "interface" && !ignored(key) {
					r.Matches = append(r.Matches, cloud.Undecidable("what "+cloud.OneLine(key, 60)+" does in an access list is not read"))
				}
			}
			rules = append(rules, r)
		}
	}
	if len(rules) > 0 {
		base := c.base("access lists", firewall.Prerouting, firewall.RawPriority, firewall.AcceptVerdict)
		base.Rules = rules
	}
}

func describe(p *entry) string {
	out := []string{"policy", p.name}
	for _, key := range []string{"name", "srcintf", "dstintf", "intf", "interface", "srcaddr", "dstaddr", "srcaddr6", "dstaddr6", "service", "action", "status"} {
		if v := p.one(key, ""); v != "" {
			out = append(out, key, cloud.OneLine(v, 60))
		}
	}
	return cloud.OneLine(strings.Join(out, " "), 300)
}

// common are the conditions that a policy has for every family.
func (c *configuration) common(p *entry) []firewall.Match {
	var out []firewall.Match
	if s := p.one("schedule", ""); s != "always" || c.tables["firewall schedule group"].get(s) != nil || !c.isAlways() {
		out = append(out, cloud.Undecidable("schedule \""+s+"\" depends on the time"))
	}
	for _, key := range p.keys {
		if !ignored(key) && !isOff(key, p.one(key, "")) {
			out = append(out, cloud.Undecidable("what "+cloud.OneLine(key, 60)+" does in a policy is not read"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.subs)) {
		out = append(out, cloud.Undecidable("what "+cloud.OneLine(name, 60)+" does in a policy is not read"))
	}
	return append(out, c.anyOf(p.sets["service"], p.one("service-negate", "disable") == "enable")...)
}

// isAlways reports whether the schedule of that name is what it says: every
// day of the week, with no beginning and no end.
func (c *configuration) isAlways() bool {
	e := c.tables["firewall schedule recurring"].get("always")
	if c.tables["firewall schedule onetime"].get("always") != nil {
		return false
	}
	if e == nil {
		return true
	}
	start, end := e.one("start", "00:00"), e.one("end", "00:00")
	return len(e.sets["day"]) == 7 && start == end
}

// isOff reports whether a setting that may mean much is turned off, or has the
// value that means nothing.
func isOff(key, value string) bool {
	switch value {
	case "", "disable":
		return strings.HasPrefix(key, "internet-service") || strings.HasPrefix(key, "network-service") || slices.Contains([]string{
			"ztna-status", "match-vip-only", "disclaimer", "ntlm", "ntlm-guest", "ntlm-enabled-browsers", "fsso", "fsso-agent-for-ntlm", "wsso", "rsso",
			"email-collect", "dynamic-shaping", "passive-wan-health-measurement", "policy-offload", "rtp-nat", "rtp-addr", "nat46", "nat64",
			"permit-any-host", "permit-stun-host", "policy-expiry", "tos-negate", "wccp", "fec", "sgt-check", "sgt", "auth-path", "auth-cert",
			"auth-redirect-addr", "captive-portal-exempt", "scan-botnet-connections", "vlan-filter", "groups", "users", "fsso-groups", "identity-based-route",
			"redirect-url", "src-vendor-mac", "reputation-minimum", "reputation-minimum6", "ha-mgmt-intf-only", "virtual-patch",
		}, key)
	case "0", "0x00":
		return slices.Contains([]string{"tos", "tos-mask", "reputation-minimum", "reputation-minimum6"}, key)
	}
	return false
}

// action is what a policy does; one without an action denies.
func (c *configuration) action(p *entry) firewall.Action {
	switch a := p.one("action", "deny"); a {
	case "accept":
		return firewall.Action{Kind: firewall.Accept}
	case "deny":
		return firewall.Action{Kind: firewall.Drop}
	case "ipsec", "ssl-vpn":
		return firewall.Action{Kind: firewall.Unknown, Why: "action " + a + " depends on tunnels"}
	}
	return firewall.Action{Kind: firewall.Unknown, Why: "expected the action accept or deny"}
}

// link is the condition on interfaces and zones; nil for any.
func (c *configuration) link(field firewall.Field, p *entry, key string) []firewall.Match {
	names := p.sets[key]
	if len(names) == 0 {
		return []firewall.Match{cloud.Undecidable("the policy has no " + key)}
	}
	m := firewall.Match{Field: field}
	for _, name := range names {
		switch members, isZone := c.zones[name]; {
		case name == "any":
			return nil
		case isZone:
			m.Names = append(m.Names, members...)
		case !c.isInterface(name):
			return []firewall.Match{cloud.Undecidable("which interfaces " + cloud.OneLine(name, 60) + " stands for is not in this file")}
		default:
			m.Names = append(m.Names, name)
		}
	}
	if slices.ContainsFunc(m.Names, func(n string) bool { return strings.HasSuffix(n, "*") }) {
		return []firewall.Match{cloud.Undecidable("expected the name of an interface, without *")}
	}
	return []firewall.Match{m}
}

// sides are the conditions on the addresses of one family, nil when the policy
// names none of it. In policy6 the settings have the names of IPv4. To gives the
// condition on destinations.
func (c *configuration) sides(p *entry, family string, to func(p *entry, family string, names []string, negate bool) firewall.Match) []firewall.Match {
	suffix := family
	if family != "" && family != "6" {
		family, suffix = "6", ""
	}
	sources, targets := p.sets["srcaddr"+suffix], p.sets["dstaddr"+suffix]
	if len(sources)+len(targets) == 0 {
		return nil
	}
	version := firewall.Number(4)
	if family == "6" {
		version = 6
	}
	out := []firewall.Match{{Field: firewall.NFProto, Numbers: firewall.NumbersOf(version)}}
	if len(sources) == 0 || len(targets) == 0 {
		return append(out, cloud.Undecidable("the policy names addresses of one side alone"))
	}
	source := c.join(family, sources, 0).match(firewall.Src)
	source.Not = p.one("srcaddr"+suffix+"-negate", "disable") == "enable"
	for _, key := range []string{"srcaddr", "dstaddr"} {
		if suffix == "6" && p.one(key+"-negate", "disable") == "enable" && p.sets[key+"6-negate"] == nil {
			out = append(out, cloud.Undecidable("whether "+key+"-negate holds for IPv6 depends on the release"))
		}
	}
	return append(out, source, to(p, family, targets, p.one("dstaddr"+suffix+"-negate", "disable") == "enable"))
}

// isInterface reports whether a name in a policy is an interface, as far as the
// file tells: one without interfaces leaves it open, and says so.
func (c *configuration) isInterface(name string) bool {
	all := c.tables["system interface"]
	return len(all.list()) == 0 || all.get(name) != nil
}
