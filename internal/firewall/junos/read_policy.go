package junos

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// host is the zone that stands for the device itself.
const host = "junos-host"

// through makes the chain of what passes through the device: the policies of
// pairs of zones, the global ones, the default.
func (c *configuration) through(security *node) {
	policies := security.find("policies")
	last := firewall.DropVerdict
	pos := firewall.Position{File: c.file}
	if d := policies.find("default-policy"); d != nil {
		pos = c.at(d)
		switch word, ok := d.one(); {
		case ok && word == "permit-all":
			last = firewall.AcceptVerdict
		case !ok || word != "deny-all":
			c.skip(d, "default-policy", "expected deny-all or permit-all")
		}
	}
	known := []string{"from-zone", "global", "default-policy", "policy-rematch", "policy-stats", "traceoptions", "pre-id-default-policy", "lookup-rules", "unified-policy"}
	for p := range policies.each() {
		if !slices.Contains(known, p.word) {
			c.skip(p, "policies "+p.word, "expected from-zone, global or default-policy")
		}
	}
	if policies == nil && len(c.order) == 0 {
		return // filters alone, of a device without zones
	}
	base := c.base("policies", firewall.Forward, firewall.Inet, last, pos)
	base.Base.Pos = pos
	c.zoneless(base)
	c.pairs(policies, func(from, to string, pair *node) {
		if to == host || from == host {
			return
		}
		chain := c.policies("from-zone "+from+" to-zone "+to, pair, from, to)
		m := slices.Concat(c.link(firewall.InInterface, []string{from}), c.link(firewall.OutInterface, []string{to}))
		base.Rules = append(base.Rules, c.jump(pair, "from-zone "+from+" to-zone "+to, chain, m))
	})
	if g := policies.find("global"); g != nil {
		chain := c.policies("global", g, "", "")
		base.Rules = append(base.Rules, c.jump(g, "global policies", chain, nil))
	}
}

// pairs calls f for every pair of zones with policies.
func (c *configuration) pairs(policies *node, f func(from, to string, pair *node)) {
	for from := range policies.find("from-zone").each() {
		for to := range from.find("to-zone").each() {
			f(from.word, to.word, to)
		}
	}
}

func (c *configuration) jump(n *node, text string, to *firewall.Chain, m []firewall.Match) firewall.Rule {
	return firewall.Rule{Matches: m, Action: firewall.Action{Kind: firewall.Jump, Target: to}, Pos: c.at(n), Text: cloud.OneLine(text, 300)}
}

// policies makes a chain of policies, in order.
func (c *configuration) policies(name string, list *node, from, to string) *firewall.Chain {
	chain := &firewall.Chain{Table: "policies", Name: cloud.OneLine(name, 200), Family: firewall.Inet, Pos: c.at(list)}
	c.chains = append(c.chains, chain)
	for k := range list.each() {
		if k.word != "policy" {
			c.skip(k, name+" "+k.word, "expected policies")
			continue
		}
		for p := range k.each() {
			chain.Rules = append(chain.Rules, c.policy(p, from, to))
		}
	}
	return chain
}

// policy translates one policy. What cannot be read of it may match any packet.
func (c *configuration) policy(p *node, from, to string) firewall.Rule {
	r := firewall.Rule{Pos: c.at(p), Text: "policy " + p.word}
	unknown := ""
	for k := range p.each() {
		switch k.word {
		case "description", "match", "then":
		case "scheduler-name":
			r.Matches = append(r.Matches, cloud.Undecidable("a scheduler depends on the time"))
		default:
			unknown = "the policy has " + k.word + ", which is not known"
		}
	}
	match := p.find("match")
	r.Matches = append(r.Matches, c.sides(match, from, to)...)
	for k := range match.each() {
		r.Text += " " + k.word + " " + summary(k)
		switch k.word {
		case "source-address", "destination-address", "application", "from-zone", "to-zone", "source-address-excluded", "destination-address-excluded":
		case "source-identity", "dynamic-application", "url-category", "source-end-user-profile":
			if v, ok := k.one(); !ok || v != "any" && v != "none" {
				r.Matches = append(r.Matches, cloud.Undecidable(k.word+" cannot be known from the configuration"))
			}
		default:
			r.Matches = append(r.Matches, cloud.Undecidable("the policy matches "+k.word+", which is not known"))
		}
	}
	if r.Action = verdict(p.find("then")); unknown != "" {
		r.Action = firewall.Action{Kind: firewall.Unknown, Why: cloud.OneLine(unknown, 300)}
	}
	r.Text = cloud.OneLine(r.Text+" then "+summary(p.find("then")), 300)
	return r
}

// summary is the words below a node, a few of them.
func summary(n *node) string {
	const most = 6
	var out []string
	for k := range n.each() {
		if len(out) == most {
			return strings.Join(append(out, "…"), " ")
		}
		out = append(out, k.word)
	}
	return strings.Join(out, " ")
}

// sides are the conditions on zones, addresses and applications.
func (c *configuration) sides(match *node, from, to string) []firewall.Match {
	out := slices.Concat(
		c.link(firewall.InInterface, match.find("from-zone").words()),
		c.link(firewall.OutInterface, match.find("to-zone").words()),
	)
	out = append(out, c.side(match, "source-address", firewall.Src, from)...)
	out = append(out, c.side(match, "destination-address", firewall.Dst, to)...)
	names := match.find("application").words()
	if len(names) == 0 {
		return append(out, cloud.Undecidable("the policy has no application"))
	}
	return append(out, c.applications(names)...)
}

func (c *configuration) side(match *node, key string, field firewall.Field, zone string) []firewall.Match {
	names := match.find(key).words()
	if len(names) == 0 {
		return []firewall.Match{cloud.Undecidable("the policy has no " + key)}
	}
	parts := make([]addresses, len(names))
	for i, name := range names {
		parts[i] = c.address(zone, name)
	}
	all := c.join(parts)
	isExcluded := match.find(key+"-excluded") != nil
	if all.isAny && !isExcluded {
		return nil
	}
	if all.isAny {
		return []firewall.Match{cloud.Undecidable("every address is excluded")}
	}
	m := all.match(field)
	if isExcluded {
		return []firewall.Match{excluding(m, all)}
	}
	return []firewall.Match{m}
}

// excluding negates addresses. Whether addresses of one family exclude the
// other family, too, is left open.
func excluding(m firewall.Match, all addresses) firewall.Match {
	m.Not = true
	for f, version := range map[firewall.Family]firewall.Number{firewall.IPv4: 4, firewall.IPv6: 6} {
		if !all.set.Empty() && all.doubt == "" && all.set.Intersect(firewall.AllOf(f)).Empty() {
			family := firewall.Match{Field: firewall.NFProto, Numbers: firewall.NumbersOf(version)}
			other := family
			other.Not = true
			return firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{
				{other, m}, {family, cloud.Undecidable("whether excluded addresses of one family mean the other is not known")},
			}}
		}
	}
	return m
}

// applications is the condition that any of the named applies; nil for any.
func (c *configuration) applications(names []string) []firewall.Match {
	var all application
	for _, name := range names {
		a := c.application(name, 0)
		if slices.ContainsFunc(a, func(m []firewall.Match) bool { return len(m) == 0 }) {
			return nil
		}
		if c.budget -= len(a); c.budget < 0 {
			all = append(all, doubtful("the applications are too many to be put together")...)
			break
		}
		all = append(all, a...)
	}
	if len(names) > 1 {
		all = firewall.UnitePorts(all)
	}
	if len(all) == 1 {
		return all[0]
	}
	return []firewall.Match{{Field: firewall.Tuple, Tuples: all}}
}

// verdict is what a policy does.
func verdict(then *node) firewall.Action {
	var actions []firewall.ActionKind
	for k := range then.each() {
		switch k.word {
		case "permit":
			if odd := conditional(k); odd != "" {
				return firewall.Action{Kind: firewall.Unknown, Why: cloud.OneLine("what permit does with "+odd+" is not read", 300)}
			}
			actions = append(actions, firewall.Accept)
		case "deny":
			actions = append(actions, firewall.Drop)
		case "reject":
			actions = append(actions, firewall.Reject)
		case "count", "log":
		default:
			return firewall.Action{Kind: firewall.Unknown, Why: cloud.OneLine("the policy does "+k.word+", which is not known", 300)}
		}
	}
	if len(actions) != 1 {
		return firewall.Action{Kind: firewall.Unknown, Why: "expected one of permit, deny and reject"}
	}
	return firewall.Action{Kind: actions[0]}
}

// conditional names what stands below permit and may drop what it does not
// mean: tunnels, logins, conditions on translation. What services for content
// find is dropped besides.
func conditional(permit *node) string {
	for k := range permit.each() {
		if !slices.Contains([]string{"tcp-options", "services-offload", "no-services-offload", "application-services"}, k.word) {
			return k.word
		}
	}
	return ""
}
