package nft

import (
	"cmp"
	"slices"

	"reconshield/internal/firewall"
)

// builder gathers what a file declares and lowers it into the model.
type builder struct {
	file     string
	rs       *firewall.Ruleset
	tables   map[string]*table
	order    []*table
	subjects map[string]*subject
	numbers  map[string]firewall.Numbers // sets of many spans, kept once
	spans    int                         // in numbers
	rules    int                         // made so far, by maps too
	xt       bool                        // said already that iptables-save is wanted
	full     bool                        // said already that there are too many rules
}

type table struct {
	family, name string
	dormant      bool
	chains       map[string]*chain
	order        []*chain // as declared
	named        []*chain // all, as first named
	sets         map[string]*namedSet
}

// chain is a chain being built. Rules that name sets wait in later for the end
// of the file, since elements may be added and rules may change sets.
type chain struct {
	fw       *firewall.Chain
	declared bool
	device   bool // hooked where a device is needed and none was told
	foreign  string
	rules    []firewall.Rule
	later    []waiting
	front    []ruleAST // inserted at the head, the last of them first
}

type waiting struct {
	at   int // before rules[at]
	rule ruleAST
}

// namedSet is a set or map of a table.
type namedSet struct {
	name     string
	types    []dtype
	dynamic  string // why its elements cannot be known; empty: they can
	elems    elements
	fleeting elements // those with a timeout, of a set without data
	timed    bool     // its elements may have timeouts
	timeout  bool     // those that tell none have one
	pending  []expr   // elements read before the type
	declared bool
}

func newBuilder(file string) *builder {
	return &builder{file: file, rs: &firewall.Ruleset{Files: []string{file}}, tables: map[string]*table{}, subjects: map[string]*subject{}, numbers: map[string]firewall.Numbers{}}
}

func (b *builder) unparsed(line int, text, why string) {
	b.rs.Unparsed = append(b.rs.Unparsed, firewall.Unparsed{
		Pos: firewall.Position{File: b.file, Line: line}, Text: clip(text, 190), Why: clip(why, maxText),
	})
}

func (b *builder) table(family, name string) *table {
	key := family + " " + name
	t := b.tables[key]
	if t == nil {
		t = &table{family: family, name: name, chains: map[string]*chain{}, sets: map[string]*namedSet{}}
		b.tables[key] = t
		b.order = append(b.order, t)
	}
	return t
}

// dropTable forgets a table, as "delete table" does.
func (b *builder) dropTable(family, name string) {
	t := b.tables[family+" "+name]
	if t == nil {
		return
	}
	delete(b.tables, family+" "+name)
	b.order = slices.DeleteFunc(b.order, func(o *table) bool { return o == t })
}

// chain gives the chain of that name; one that is named before it is declared
// is the same one afterwards.
func (t *table) chain(name string) *chain {
	c := t.chains[name]
	if c == nil {
		c = &chain{fw: &firewall.Chain{Table: t.family + " " + t.name, Name: name, Family: familyOf(t.family)}}
		t.chains[name] = c
		t.named = append(t.named, c)
	}
	return c
}

// declareChain says that a chain exists. Base chains of one priority run in
// the order of their declaration.
func (t *table) declareChain(c *chain, pos firewall.Position) {
	if !c.declared {
		c.declared, c.fw.Pos = true, pos
		t.order = append(t.order, c)
	}
}

func (t *table) set(name string) *namedSet {
	s := t.sets[name]
	if s == nil {
		s = &namedSet{name: name}
		t.sets[name] = s
	}
	return s
}

// flush forgets the rules of a chain.
func (c *chain) flush() { c.rules, c.later, c.front = nil, nil, nil }

func familyOf(family string) firewall.Family {
	switch family {
	case "ip":
		return firewall.IPv4
	case "ip6":
		return firewall.IPv6
	}
	return firewall.Inet
}

// addElement takes one element: for a map an exMapping.
func (s *namedSet) addElement(e expr) {
	if s.types == nil {
		s.pending = append(s.pending, e)
		return
	}
	key, data := &e, (*expr)(nil)
	if e.kind == exMapping && len(e.args) == 2 {
		key, data = &e.args[0], &e.args[1]
	}
	if key.fleeting && data == nil {
		s.fleeting.put(s.types, key, nil)
		return
	}
	s.elems.put(s.types, key, data)
}

// typed sets the data types and converts the elements that came before.
func (s *namedSet) typed(types []dtype) {
	s.types, s.declared = types, true
	pending := s.pending
	s.pending = nil
	for _, e := range pending {
		s.addElement(e)
	}
}

// typesOfKey gives the data types of "typeof ip saddr . tcp dport".
func typesOfKey(e *expr) []dtype {
	parts := []expr{*e}
	if e.kind == exConcat {
		parts = e.args
	}
	out := make([]dtype, len(parts))
	for i := range parts {
		if parts[i].kind == exSelector {
			out[i] = subjectOf(parts[i].text).dt
		}
	}
	return out
}

// addRule appends a rule to its chain, or puts it at the head.
func (b *builder) addRule(t *table, c *chain, r ruleAST, head bool) {
	for i := range r.stmts {
		if s := &r.stmts[i]; s.kind == stUpdate {
			t.set(s.left.text).dynamic = "rules change its elements"
		}
	}
	switch {
	case head:
		c.front = append(c.front, r)
	case r.usesSets():
		c.later = append(c.later, waiting{len(c.rules), r})
	default:
		c.rules = append(c.rules, b.lower(t, c, &r)...)
	}
}

// finish lowers what waited and hands the ruleset over.
func (b *builder) finish() *firewall.Ruleset {
	for _, t := range b.order {
		for done := 0; done < len(t.named); { // lowering may name further chains
			b.finishChain(t, t.named[done])
			done++
		}
		for _, c := range t.named {
			t.declareChain(c, c.fw.Pos)
		}
		b.keep(t)
	}
	slices.SortStableFunc(b.rs.Host.Routes, func(x, y firewall.Route) int {
		return cmp.Compare(y.Prefix.Bits(), x.Prefix.Bits())
	})
	return b.rs
}

func (b *builder) finishChain(t *table, c *chain) {
	rules := make([]firewall.Rule, 0, len(c.rules)+len(c.later)+len(c.front))
	for i := range slices.Backward(c.front) {
		rules = append(rules, b.lower(t, c, &c.front[i])...)
	}
	done := 0
	for i := range c.later {
		w := &c.later[i]
		rules = append(rules, c.rules[done:w.at]...)
		done = w.at
		rules = append(rules, b.lower(t, c, &w.rule)...)
	}
	rules = append(rules, c.rules[done:]...)
	c.flush()
	if !c.declared {
		name := "chain " + clip(c.fw.Name, 80)
		b.unparsed(c.fw.Pos.Line, name, name+" is not in the file: give the whole ruleset")
		rules = append(rules, firewall.Rule{Action: firewall.Action{Kind: firewall.Unknown, Why: name + " is not in the file"}, Pos: c.fw.Pos, Text: name})
	}
	if c.device {
		unknown := firewall.Rule{
			Matches: undecidable("the listing does not tell the devices of this chain: give the text of nft list ruleset"),
			Action:  firewall.Action{Kind: firewall.Accept}, Pos: c.fw.Pos, Text: "chain " + clip(c.fw.Name, 80),
		}
		rules = append([]firewall.Rule{unknown}, rules...)
	}
	c.fw.Rules = rules
}

// keep hands over the chains of a table as far as the model has them.
func (b *builder) keep(t *table) {
	switch {
	case t.dormant:
		// The chains of a dormant table are not hooked, and no other table can
		// jump to them: they judge nothing (nft(8), TABLES).
		return
	case t.family == "arp":
		return // judges ARP alone, no packet of IP
	}
	for _, c := range t.order {
		switch {
		case t.family != "bridge" && c.foreign == "":
			b.rs.Chains = append(b.rs.Chains, c.fw)
		case c.fw.Base == nil:
		case b.mayDrop(t, c):
			where := c.foreign
			if where == "" {
				where = "of a bridge"
			}
			b.unparsed(c.fw.Pos.Line, "chain "+c.fw.Name, "a chain "+where+" that may drop packets is outside the model")
		}
	}
}

// mayDrop reports whether a base chain outside the model can drop anything. A
// rule of any chain of its table counts.
func (b *builder) mayDrop(t *table, base *chain) bool {
	if base.fw.Base.Default == firewall.DropVerdict {
		return true
	}
	for _, c := range t.order {
		if c.fw.Base != nil && c != base {
			continue
		}
		for i := range c.fw.Rules {
			if k := c.fw.Rules[i].Action.Kind; k == firewall.Drop || k == firewall.Reject || k == firewall.Unknown {
				return true
			}
		}
	}
	return false
}

// declare fills in a base chain. Devices nil with a hook that needs one means
// that the listing did not tell.
func (b *builder) declare(t *table, c *chain, kind, hook string, priority int, drop bool, devices []string) {
	base := &firewall.Base{Priority: priority, Interfaces: devices, Pos: c.fw.Pos}
	if drop {
		base.Default = firewall.DropVerdict
	}
	switch kind {
	case "filter":
		base.Kind = firewall.Filter
	case "nat":
		base.Kind = firewall.NAT
	case "route":
		base.Kind = firewall.RouteKind
	default:
		b.unparsed(c.fw.Pos.Line, "type "+kind, "expected type filter, nat or route")
	}
	switch hook {
	case "ingress":
		base.Hook = firewall.Ingress
		c.device = len(devices) == 0
	case "prerouting":
		base.Hook = firewall.Prerouting
	case "input":
		base.Hook = firewall.Input
	case "forward":
		base.Hook = firewall.Forward
	case "output":
		base.Hook = firewall.Output
	case "postrouting":
		base.Hook = firewall.Postrouting
	case "egress":
		c.foreign = "at egress"
	default:
		if t.family != "arp" && t.family != "bridge" {
			c.foreign = "at hook " + clip(hook, 20)
		}
	}
	c.fw.Base = base
}
