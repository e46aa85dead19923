package fortios

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// through makes the chain of what passes through the device.
func (c *configuration) through() {
	base := c.base("policies", firewall.Forward, firewall.Filter, firewall.FilterPriority, firewall.DropVerdict)
	for _, z := range c.tables["system zone"].list() {
		if z.one("intrazone", "deny") != "allow" {
			continue
		}
		base.Rules = append(base.Rules, firewall.Rule{
			Matches: []firewall.Match{{Field: firewall.InInterface, Names: z.sets["interface"]}, {Field: firewall.OutInterface, Names: z.sets["interface"]}},
			Action:  firewall.Action{Kind: firewall.Accept}, Pos: c.at(z), Text: cloud.OneLine("zone "+z.name+" intrazone allow", 300),
		})
	}
	for _, p := range c.tables["firewall policy"].list() {
		base.Rules = append(base.Rules, c.policy(p, "", "6"))
	}
	for _, p := range c.tables["firewall policy6"].list() {
		base.Rules = append(base.Rules, c.policy(p, "6 in policy6"))
	}
}

// ignored are settings of policies that let nothing more in. What profiles and
// inspection find is dropped besides.
func ignored(key string) bool {
	return cosmetic(key) || strings.HasSuffix(key, "-profile") || strings.HasSuffix(key, "-sensor") || slices.Contains([]string{
		"srcintf", "dstintf", "intf", "srcaddr", "dstaddr", "srcaddr6", "dstaddr6", "srcaddr-negate", "dstaddr-negate", "srcaddr6-negate", "dstaddr6-negate",
		"service-negate", "action", "status", "schedule", "service", "match-vip", "logtraffic", "logtraffic-start", "log-http-transaction", "capture-packet",
		"nat", "nat46", "nat64", "ippool", "poolname", "poolname6", "fixedport", "natip", "outbound", "inbound", "natinbound", "natoutbound", "port-preserve",
		"permit-any-host", "permit-stun-host", "utm-status", "inspection-mode", "profile-type", "profile-group", "application-list", "http-policy-redirect",
		"ssh-policy-redirect", "webproxy-forward-server", "wanopt", "webcache", "traffic-shaper", "traffic-shaper-reverse", "per-ip-shaper", "auto-asic-offload",
		"np-acceleration", "anti-replay", "session-ttl", "tcp-mss-sender", "tcp-mss-receiver", "tcp-session-without-syn", "send-deny-packet",
		"timeout-send-rst", "schedule-timeout", "delay-tcp-npu-session", "diffserv-forward", "diffserv-reverse", "diffservcode-forward", "diffservcode-rev",
		"vlan-cos-fwd", "vlan-cos-rev", "policy-expiry", "replacemsg-override-group", "block-notification", "radius-mac-auth-bypass", "dsri",
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
	r.Action = c.action(p, &r)
	r.Matches = append(r.Matches, c.link(firewall.InInterface, p, "srcintf")...)
	r.Matches = append(r.Matches, c.link(firewall.OutInterface, p, "dstintf")...)
	r.Matches = append(r.Matches, c.common(p)...)
	var sides [][]firewall.Match
	for _, f := range families {
		if m := c.sides(p, f); m != nil {
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

func describe(p *entry) string {
	out := "policy " + p.name
	for _, key := range []string{"name", "srcintf", "dstintf", "intf", "srcaddr", "dstaddr", "srcaddr6", "dstaddr6", "service", "action", "status"} {
		if v := p.one(key, ""); v != "" {
			out += " " + key + " " + cloud.OneLine(v, 60)
		}
	}
	return cloud.OneLine(out, 300)
}

// common are the conditions that a policy has for every family.
func (c *configuration) common(p *entry) []firewall.Match {
	var out []firewall.Match
	switch s := p.one("schedule", ""); s {
	case "always":
	default:
		out = append(out, cloud.Undecidable("schedule \""+s+"\" depends on the time"))
	}
	for _, key := range p.keys {
		off := p.one(key, "") == "disable"
		isOptional := strings.HasPrefix(key, "internet-service") || slices.Contains([]string{"ztna-status", "geoip-anycast", "match-vip-only", "disclaimer", "ntlm", "fsso", "wsso", "rsso", "email-collect", "dynamic-shaping", "passive-wan-health-measurement", "reputation-minimum6", "policy-offload", "rtp-nat"}, key)
		if !ignored(key) && !(off && isOptional) {
			out = append(out, cloud.Undecidable("what "+cloud.OneLine(key, 60)+" does in a policy is not read"))
		}
	}
	for name := range p.subs {
		out = append(out, cloud.Undecidable("what "+cloud.OneLine(name, 60)+" does in a policy is not read"))
	}
	return append(out, c.anyOf(p.sets["service"], p.one("service-negate", "disable") == "enable")...)
}

// action is what a policy does; one without an action denies.
func (c *configuration) action(p *entry, r *firewall.Rule) firewall.Action {
	switch a := p.one("action", "deny"); a {
	case "accept":
		return firewall.Action{Kind: firewall.Accept}
	case "deny":
		return firewall.Action{Kind: firewall.Drop}
	case "ipsec", "ssl-vpn":
		r.Matches = append(r.Matches, cloud.Undecidable("action "+a+" depends on tunnels"))
		return firewall.Action{Kind: firewall.Accept}
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
// names none of it. In policy6 the settings have the names of IPv4.
func (c *configuration) sides(p *entry, family string) []firewall.Match {
	suffix := family
	if family != "" && family != "6" {
		family, suffix = "6", ""
	}
	from, to := p.sets["srcaddr"+suffix], p.sets["dstaddr"+suffix]
	if len(from)+len(to) == 0 {
		return nil
	}
	version := firewall.Number(4)
	if family == "6" {
		version = 6
	}
	out := []firewall.Match{{Field: firewall.NFProto, Numbers: firewall.NumbersOf(version)}}
	if len(from) == 0 || len(to) == 0 {
		return append(out, cloud.Undecidable("the policy names addresses of one side alone"))
	}
	source := c.join(family, from, 0).match(firewall.Src)
	source.Not = negated(p, "srcaddr", suffix)
	return append(out, source, c.destination(p, family, to, negated(p, "dstaddr", suffix)))
}

func negated(p *entry, key, suffix string) bool {
	return p.one(key+suffix+"-negate", p.one(key+"-negate", "disable")) == "enable"
}
