package cloud

import (
	"fmt"
	"slices"

	"reconshield/internal/firewall"
)

// Part is a list of rules that stands before an asset only when it is attached
// to it: a group, a list, a network.
type Part struct {
	What string // for people: "security group sg-1 (web)"
	// Names are those by which it can be picked. A name that several parts have
	// leaves open which of them is meant. Empty ones count for nothing.
	Names []string
	// Assets are the names of what it is known to be attached to. Picking one
	// picks all parts that have it.
	Assets []string
	Chain  *firewall.Chain
	// Closed adds to a chain that others jump to what becomes of packets that
	// none of its rules judged: they are dropped.
	Closed bool
}

// Choose gives the parts that stand before the asset. Sure is false when any of
// them may and may not: nothing was picked among several, or by a name that
// several have.
func Choose(parts []Part, pick []string) (chosen []Part, sure bool) {
	wanted := map[string]bool{}
	for _, name := range pick {
		wanted[name] = name != ""
	}
	holders := map[string]int{}
	for _, p := range parts {
		isNamed := false
		for _, n := range p.Names {
			if wanted[n] {
				isNamed = true
				holders[n]++
			}
		}
		if isNamed || slices.ContainsFunc(p.Assets, func(n string) bool { return wanted[n] }) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		return parts, len(parts) <= 1
	}
	for _, n := range holders {
		if n > 1 {
			return chosen, false
		}
	}
	return chosen, true
}

// Names are all names by which parts can be picked, sorted, each once.
func Names(parts []Part) []string {
	var out []string
	for _, p := range parts {
		for _, n := range slices.Concat(p.Names, p.Assets) {
			if n != "" {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Union makes one base chain of which a packet needs to be accepted by one
// chosen part; what none accepts is dropped. Without parts there is no chain.
func Union(table, name string, parts []Part, pick []string) []*firewall.Chain {
	chosen, sure := Choose(parts, pick)
	switch {
	case len(chosen) == 0:
		return nil
	case sure && len(chosen) == 1:
		return []*firewall.Chain{based(chosen[0].Chain, firewall.DropVerdict)}
	}
	base := &firewall.Chain{Table: table, Name: name, Family: firewall.Inet, Pos: chosen[0].Chain.Pos}
	chains := []*firewall.Chain{based(base, firewall.DropVerdict)}
	for _, p := range chosen {
		base.Rules = append(base.Rules, enter(p, sure))
		chains = append(chains, p.Chain)
	}
	return chains
}

// Every makes a base chain of each chosen part: each must accept. When it is
// not sure which are chosen, each may also be absent and then accepts.
func Every(parts []Part, pick []string) []*firewall.Chain {
	chosen, sure := Choose(parts, pick)
	var chains []*firewall.Chain
	for _, p := range chosen {
		if sure {
			chains = append(chains, based(p.Chain, firewall.DropVerdict))
			continue
		}
		base := &firewall.Chain{
			Table: p.Chain.Table, Name: p.Chain.Name + " if attached", Family: firewall.Inet, Pos: p.Chain.Pos,
			Rules: []firewall.Rule{enter(p, false)},
		}
		chains = append(chains, based(base, firewall.AcceptVerdict), p.Chain)
	}
	return chains
}

func based(c *firewall.Chain, v firewall.Verdict) *firewall.Chain {
	c.Base = &firewall.Base{Hook: firewall.Always, Kind: firewall.Filter, Default: v, Pos: c.Pos}
	return c
}

// enter is the rule that goes through a part.
func enter(p Part, sure bool) firewall.Rule {
	if p.Closed {
		p.Chain.Rules = append(p.Chain.Rules, firewall.Rule{
			Action: firewall.Action{Kind: firewall.Drop}, Pos: p.Chain.Pos, Text: OneLine("implied deny of "+p.What, 300),
		})
	}
	r := firewall.Rule{
		Action: firewall.Action{Kind: firewall.Jump, Target: p.Chain}, Pos: p.Chain.Pos, Text: OneLine(p.What, 300),
	}
	if !sure {
		r.Matches = []firewall.Match{Undecidable(fmt.Sprintf(
			"whether %s stands before the asset is not in this file; name it with --group", OneLine(p.What, 150)))}
	}
	return r
}
