package junos

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// interfaceFilters binds the firewall filters to the interfaces. They judge
// every packet by itself; the last one of a list drops what none matched.
func (c *configuration) interfaceFilters() {
	c.families(func(name string, family *node) {
		filters := family.find("filter")
		for k := range filters.each() {
			f := familyOf(family.word)
			switch {
			case f == 0:
				c.skip(k, "family "+family.word+" filter "+k.word, "filters of this family are not read")
			case k.word == "input" || k.word == "input-list":
				c.bind(name, f, k, false)
			case k.word == "output" || k.word == "output-list":
				c.bind(name, f, k, true)
			default:
				c.skip(k, "filter "+k.word, "expected input or output")
			}
		}
	})
	c.families(func(name string, family *node) {
		for _, key := range []string{"simple-filter", "service"} {
			if n := family.find(key); n != nil {
				c.skip(n, "interfaces "+name+" family "+family.word+" "+key, "expected filters of another kind; these are not read")
			}
		}
	})
	for i := range c.root.find("interfaces").each() {
		for u := range i.find("unit").each() {
			if n := u.find("filter"); n != nil {
				c.skip(n, "interfaces "+i.word+" unit "+u.word+" filter", "filters of units are not read, those of families are")
			}
		}
	}
	for f := range c.root.find("forwarding-options", "family").each() {
		if n := f.find("filter"); n != nil {
			c.skip(n, "forwarding-options family "+f.word+" filter", "filters of forwarding tables are not read")
		}
	}
	for i := range c.root.find("routing-instances").each() {
		if n := i.find("forwarding-options"); n != nil {
			c.skip(n, "routing-instances "+i.word+" forwarding-options", "filters of forwarding tables are not read")
		}
	}
	for r := range c.root.find("interfaces", "interface-range").each() {
		if n := r.find("unit"); n != nil {
			c.skip(n, "interfaces interface-range "+r.word+" unit", "units of ranges of interfaces are not read; give the output of show configuration | display inheritance | display set")
		}
	}
}

func familyOf(word string) firewall.Family {
	switch word {
	case "inet":
		return firewall.IPv4
	case "inet6":
		return firewall.IPv6
	}
	return 0
}

func (c *configuration) bind(name string, f firewall.Family, list *node, isOut bool) {
	all := &firewall.Chain{Table: "filters", Name: cloud.OneLine(list.word+" of "+name, 200), Family: f, Pos: c.at(list)}
	c.chains = append(c.chains, all)
	for _, k := range list.kidsOf() {
		chain := c.filter(k.word, f)
		if chain == nil {
			c.skip(k, "filter "+list.word+" "+k.word, "the filter is not in this file")
			continue
		}
		all.Rules = append(all.Rules, c.jump(k, "filter "+k.word, chain, nil))
	}
	all.Rules = append(all.Rules, firewall.Rule{Action: firewall.Action{Kind: firewall.Drop}, Pos: c.at(list), Text: "the end of the filter drops"})
	hook, m := firewall.Prerouting, []firewall.Match(nil)
	switch {
	case isOut && strings.HasPrefix(name, "lo0."):
		return // what the device itself sends
	case strings.HasPrefix(name, "lo0.") && name != "lo0.0":
		c.skip(list, "interfaces "+name+" filter", "which packets for the device the filter of a unit of lo0 other than 0 judges is not read")
		return
	case isOut:
		hook, m = firewall.Postrouting, []firewall.Match{{Field: firewall.OutInterface, Names: []string{name}}}
	case name == "lo0.0":
		hook = firewall.Input
	default:
		m = []firewall.Match{{Field: firewall.InInterface, Names: []string{name}}}
	}
	base := c.base("filter "+list.word+" of "+name, hook, f, firewall.AcceptVerdict, c.at(list))
	base.Base.Priority = firewall.RawPriority
	base.Rules = append(base.Rules, c.jump(list, name+" filter "+list.word+" "+summary(list), all, m))
}

// filter translates a filter without the drop that ends it.
func (c *configuration) filter(name string, f firewall.Family) *firewall.Chain {
	family := "inet"
	if f == firewall.IPv6 {
		family = "inet6"
	}
	key := family + " " + name
	if known := c.filters[key]; known != nil {
		return known
	}
	n := c.root.find("firewall", "family", family, "filter", name)
	if n == nil && f == firewall.IPv4 {
		n = c.root.find("firewall", "filter", name)
	}
	if n == nil {
		return nil
	}
	chain := &firewall.Chain{Table: "filter " + family, Name: cloud.OneLine(name, 200), Family: f, Pos: c.at(n)}
	c.filters[key] = chain
	c.chains = append(c.chains, chain)
	for k := range n.each() {
		switch k.word {
		case "term":
			for t := range k.each() {
				chain.Rules = append(chain.Rules, c.term(t))
			}
		case "interface-specific", "physical-interface-filter", "enhanced-mode", "accounting-profile":
		default:
			c.skip(k, "filter "+name+" "+k.word, "expected terms")
		}
	}
	return chain
}

// term translates a term of a filter. One that says neither accept nor discard
// accepts, unless it goes on with the next.
func (c *configuration) term(t *node) firewall.Rule {
	r := firewall.Rule{Pos: c.at(t), Text: "term " + t.word, Matches: c.from(t.find("from"))}
	for k := range t.find("from").each() {
		r.Text += " " + k.word + " " + summary(k)
	}
	then := t.find("then")
	r.Text = cloud.OneLine(r.Text+" then "+summary(then), 300)
	for k := range t.each() {
		if k.word != "from" && k.word != "then" {
			r.Action = firewall.Action{Kind: firewall.Unknown, Why: cloud.OneLine("the term has "+k.word+", which is not read", 300)}
			return r
		}
	}
	kinds := map[string]firewall.ActionKind{"accept": firewall.Accept, "discard": firewall.Drop, "reject": firewall.Reject, "next": firewall.Continue}
	var actions []firewall.ActionKind
	for k := range then.each() {
		kind, ends := kinds[k.word]
		switch {
		case ends:
			actions = append(actions, kind)
		case k.word == "packet-mode" || k.word == "routing-instance" || k.word == "next-ip" || k.word == "next-ip6" || k.word == "next-interface" || k.word == "topology" || k.word == "logical-system":
			c.skip(k, r.Text, "packets that leave the usual way through the device are not followed")
		case slices.Contains([]string{
			"count", "log", "syslog", "policer", "hierarchical-policer", "three-color-policer", "sample", "port-mirror", "forwarding-class", "loss-priority",
			"dscp", "traffic-class", "prefix-action", "service-accounting",
		}, k.word):
		default:
			r.Action = firewall.Action{Kind: firewall.Unknown, Why: cloud.OneLine("the term does "+k.word+", which is not known", 300)}
			return r
		}
	}
	switch len(actions) {
	case 0:
		r.Action.Kind = firewall.Accept
	case 1:
		r.Action.Kind = actions[0]
	default:
		r.Action = firewall.Action{Kind: firewall.Unknown, Why: "expected one of accept, discard, reject and next term"}
	}
	return r
}
