package iptables

import (
	"slices"

	"reconshield/internal/firewall"
)

// table is one table while it is read.
type table struct {
	name    string
	family  firewall.Family
	nft     bool
	line    int
	chains  map[string]*chainState
	order   []*chainState
	pending bool // jumps to chains that were not known at that place
}

// chainState is a chain while it is read.
type chainState struct {
	c        *firewall.Chain
	declared bool
	policy   bool // its policy is known
	// front are rules inserted at the head, the last of them first to run.
	front []firewall.Rule
}

// base is a built-in chain of a table.
type base struct {
	name     string
	hook     firewall.Hook
	kind     firewall.Kind
	priority int
}

// baseChains gives the built-in chains of a table (iptables(8), TABLES, and
// uapi/linux/netfilter_ipv4.h for the priorities), nil for an unknown one.
func baseChains(table string) []base {
	switch table {
	case "filter":
		return []base{
			{"INPUT", firewall.Input, firewall.Filter, firewall.FilterPriority},
			{"FORWARD", firewall.Forward, firewall.Filter, firewall.FilterPriority},
			{"OUTPUT", firewall.Output, firewall.Filter, firewall.FilterPriority},
		}
	case "nat":
		return []base{
			{"PREROUTING", firewall.Prerouting, firewall.NAT, firewall.DNATPriority},
			{"INPUT", firewall.Input, firewall.NAT, firewall.SNATPriority},
			{"OUTPUT", firewall.Output, firewall.NAT, firewall.DNATPriority},
			{"POSTROUTING", firewall.Postrouting, firewall.NAT, firewall.SNATPriority},
		}
	case "mangle":
		return []base{
			{"PREROUTING", firewall.Prerouting, firewall.Filter, firewall.ManglePriority},
			{"INPUT", firewall.Input, firewall.Filter, firewall.ManglePriority},
			{"FORWARD", firewall.Forward, firewall.Filter, firewall.ManglePriority},
			{"OUTPUT", firewall.Output, firewall.RouteKind, firewall.ManglePriority},
			{"POSTROUTING", firewall.Postrouting, firewall.Filter, firewall.ManglePriority},
		}
	case "raw":
		return []base{
			{"PREROUTING", firewall.Prerouting, firewall.Filter, firewall.RawPriority},
			{"OUTPUT", firewall.Output, firewall.Filter, firewall.RawPriority},
		}
	case "security":
		return []base{
			{"INPUT", firewall.Input, firewall.Filter, firewall.SecurityPriority},
			{"FORWARD", firewall.Forward, firewall.Filter, firewall.SecurityPriority},
			{"OUTPUT", firewall.Output, firewall.Filter, firewall.SecurityPriority},
		}
	}
	return nil
}

// chain gives a chain of the current table, which it makes if need be.
func (r *reader) chain(name string) (*chainState, error) {
	t := r.table
	if c, ok := t.chains[name]; ok {
		return c, nil
	}
	if len(t.order) >= maxChains {
		return nil, errTooManyChains
	}
	name = r.words.get(name)
	c := &chainState{c: &firewall.Chain{Table: t.name, Name: name, Family: t.family, Pos: r.pos()}}
	for _, b := range baseChains(t.name) {
		if b.name == name {
			c.c.Base = &firewall.Base{Hook: b.hook, Kind: b.kind, Priority: b.priority, Pos: firewall.Position{File: r.file}}
			c.declared = true
		}
	}
	t.chains[name] = c
	t.order = append(t.order, c)
	return c, nil
}

// insert puts rules at a position that counts from 1; 0 appends. It reports
// whether the position exists.
func (r *reader) insert(c *chainState, at int, rules []firewall.Rule) bool {
	switch at {
	case 0:
		c.c.Rules = append(c.c.Rules, rules...)
	case 1:
		for _, rule := range slices.Backward(rules) {
			c.front = append(c.front, rule)
		}
	default:
		r.settle(c)
		if at > len(c.c.Rules)+1 {
			return false
		}
		r.moved += len(c.c.Rules) - at
		c.c.Rules = slices.Insert(c.c.Rules, at-1, rules...)
	}
	return true
}

// settle brings the rules of a chain into one list.
func (r *reader) settle(c *chainState) {
	if len(c.front) == 0 {
		return
	}
	r.moved += len(c.c.Rules)
	slices.Reverse(c.front)
	c.c.Rules, c.front = append(c.front, c.c.Rules...), nil
}

// finishTable puts the table's chains into the ruleset.
func (r *reader) finishTable(t *table) {
	for _, c := range t.order {
		r.settle(c)
		if cap(c.c.Rules) > len(c.c.Rules)+len(c.c.Rules)/8 {
			c.c.Rules = slices.Clone(c.c.Rules)
		}
	}
	if t.pending {
		r.resolvePending(t)
	}
	r.assumePolicies(t)
	for _, c := range t.order {
		if c.declared || len(c.c.Rules) > 0 {
			r.out.Chains = append(r.out.Chains, c.c)
		}
	}
}

// assumePolicies sees to the built-in chains whose policy the file does not
// give. Tables other than filter hardly ever have one; of the filter table it
// is what stood there before the file was loaded. nf_tables has no chain where
// the save shows none.
func (r *reader) assumePolicies(t *table) {
	if t.name != "filter" || t.nft {
		return
	}
	r.table, r.line = t, t.line
	for _, b := range baseChains(t.name) {
		c, err := r.chain(b.name)
		if err != nil || c.policy {
			continue
		}
		c.c.Rules = append(c.c.Rules, firewall.Rule{
			Action: firewall.Action{
				Kind: firewall.Unknown,
				Why:  r.words.get("the file does not give the policy of " + b.name + ": give the whole output of iptables-save"),
			},
			Pos: r.pos(),
		})
	}
}

// resolvePending decides the jumps whose target was not known at their place.
func (r *reader) resolvePending(t *table) {
	for _, c := range t.order {
		for i := range c.c.Rules {
			rule := &c.c.Rules[i]
			if rule.Action.Target == nil || rule.Action.Kind != firewall.Jump && rule.Action.Kind != firewall.Goto {
				continue
			}
			name := rule.Action.Target.Name
			if t.chains[name].declared {
				continue
			}
			r.line = rule.Pos.Line
			why := "no chain and no known target is called " + clip(name, 64)
			r.unparsed(rule.Text, why)
			rule.Action = firewall.Action{Kind: firewall.Unknown, Why: r.words.get(why)}
		}
	}
}
