package nft

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
)

// groupAbove is the number of elements from which the elements of a map with
// the same verdict become one rule: a rule each would make a file with many
// long maps grow beyond all bounds.
const groupAbove = 256

// lookup gives the elements of a set or map as the rule sees them. Of an
// anonymous one the types come from the key. The text tells why the elements
// cannot be known; empty: they can.
func (l *lowering) lookup(subs []subject, data *expr) (e *elements, why string) {
	if data.kind == exSetRef {
		s, ok := l.t.sets[data.text]
		if !ok || !s.declared {
			l.b.unparsed(l.r.pos.Line, l.r.text, "set "+clip(data.text, 40)+" is not in the file: give the whole ruleset")
			return nil, "set " + clip(data.text, 40) + " is not in the file"
		}
		if s.dynamic != "" {
			return nil, "set " + clip(s.name, 80) + ": " + s.dynamic
		}
		if s.timed && len(s.elems.maps) > 0 {
			return nil, "set " + clip(s.name, 80) + ": its elements expire"
		}
		if !fits(s.types, subs) {
			return nil, "set " + clip(s.name, 80) + " has keys of another type"
		}
		return &s.elems, s.elems.whyBad()
	}
	types := make([]dtype, len(subs))
	for i := range subs {
		types[i] = subs[i].dt
	}
	e = &elements{}
	for i := range data.args {
		if m := &data.args[i]; m.kind == exMapping && len(m.args) == 2 {
			e.put(types, &m.args[0], &m.args[1])
		} else {
			e.put(types, m, nil)
		}
	}
	return e, e.whyBad()
}

// fits reports whether the keys of a set are what a rule looks up.
func fits(types []dtype, subs []subject) bool {
	if len(types) != len(subs) {
		return false
	}
	for i := range subs {
		if k := subs[i].dt.kind; k != opaque && k != types[i].kind {
			return false
		}
	}
	return true
}

// inSet lowers "key { … }" and "key @set".
func (l *lowering) inSet(subs []subject, set *expr, not bool) []firewall.Match {
	e, why := l.lookup(subs, set)
	if e == nil {
		return []firewall.Match{{Field: firewall.Undecidable, Not: not, Why: why}}
	}
	if e.any {
		if not {
			return []firewall.Match{{Field: firewall.Protocol}} // in no set of numbers
		}
		return nil
	}
	if len(subs) == 1 {
		s := &subs[0]
		if s.why != "" {
			return []firewall.Match{{Field: firewall.Undecidable, Not: not, Why: s.why}}
		}
		l.note(s, not)
		if l.expires(set) {
			return l.inFleeting(subs, set, not, e, why)
		}
		if why == "" {
			return []firewall.Match{l.b.bounded(l.ports(s, e.one.match(s, not)))}
		}
		known := l.b.bounded(e.one.match(s, false))
		unknown := firewall.Match{Field: firewall.Undecidable, Why: why}
		return []firewall.Match{{Field: firewall.Tuple, Not: not, Tuples: [][]firewall.Match{{known}, {unknown}}}}
	}
	if l.expires(set) {
		for i := range subs {
			l.note(&subs[i], not)
		}
		return l.inFleeting(subs, set, not, e, why)
	}
	conj := e.many.conjunctions(subs)
	if why != "" {
		conj = append(conj, undecidable(why))
	}
	for i := range subs {
		l.note(&subs[i], not)
	}
	return []firewall.Match{{Field: firewall.Tuple, Not: not, Tuples: conj}}
}

// keyMatches gives the matches of one element of a map.
func (b *builder) keyMatches(subs []subject, m *mapping) []firewall.Match {
	if m.bad != "" {
		return undecidable(m.bad)
	}
	out := make([]firewall.Match, 0, len(subs))
	for i := range subs {
		if i < len(m.key) {
			out = append(out, b.bounded(oneOf(&subs[i], m.key[i])))
		}
	}
	return out
}

// othersThan matches what no element of a map has as its key.
func othersThan(subs []subject, maps []mapping) []firewall.Match {
	var set elements
	unknown := ""
	for i := range maps {
		switch m := &maps[i]; {
		case m.any:
		case m.bad != "":
			unknown = m.bad
		case len(m.key) == 1:
			set.one.add(m.key[0])
		default:
			set.many.add(m.key)
		}
	}
	var out []firewall.Match
	if len(subs) == 1 {
		if !set.one.empty() || subs[0].why != "" {
			out = append(out, set.one.match(&subs[0], true))
		}
	} else if conj := set.many.conjunctions(subs); len(conj) > 0 {
		out = append(out, firewall.Match{Field: firewall.Tuple, Not: true, Tuples: conj})
	}
	if unknown != "" {
		out = append(out, undecidable(unknown)...)
	}
	return out
}

// vmap expands a verdict map into a rule for each element.
func (l *lowering) vmap(s *stmt) {
	subs, implied := l.b.subjectsOf(&s.left)
	l.and(implied...)
	l.needPorts(subs)
	e, why := l.lookup(subs, &s.right)
	l.ended = true
	if e == nil {
		l.emit(firewall.Action{Kind: firewall.Unknown, Why: why})
		return
	}
	for i := range subs {
		l.note(&subs[i], false)
	}
	if len(e.maps) > groupAbove {
		l.grouped(subs, e.maps)
		return
	}
	for i := range e.maps {
		m := &e.maps[i]
		if m.any {
			continue
		}
		l.emit(l.verdict(&m.data), l.b.keyMatches(subs, m)...)
	}
	l.otherwise(subs, e.maps)
}

// otherwise emits the element *, which decides what no other did. It says so
// in its matches: a jump before it may have come back.
func (l *lowering) otherwise(subs []subject, maps []mapping) {
	i := slices.IndexFunc(maps, func(m mapping) bool { return m.any })
	if i >= 0 {
		l.emit(l.verdict(&maps[i].data), othersThan(subs, maps)...)
	}
}

// grouped expands a long verdict map into a rule for each verdict. Keys do not
// overlap, so their order says nothing.
func (l *lowering) grouped(subs []subject, maps []mapping) {
	type group struct {
		data *expr
		set  elements
	}
	index := map[string]int{}
	var groups []*group
	for i := range maps {
		m := &maps[i]
		switch {
		case m.any:
			continue
		case m.bad != "":
			l.emit(l.verdict(&m.data), undecidable(m.bad)...)
			continue
		}
		id := m.data.String()
		at, ok := index[id]
		if !ok {
			at = len(groups)
			index[id], groups = at, append(groups, &group{data: &m.data})
		}
		if len(m.key) == 1 {
			groups[at].set.one.add(m.key[0])
		} else {
			groups[at].set.many.add(m.key)
		}
	}
	for _, g := range groups {
		if len(subs) == 1 {
			l.emit(l.verdict(g.data), g.set.one.match(&subs[0], false))
			continue
		}
		l.emit(l.verdict(g.data), firewall.Match{Field: firewall.Tuple, Tuples: g.set.many.conjunctions(subs)})
	}
	l.otherwise(subs, maps)
}

// needPorts makes a map keyed on "th dport" alone undecided for protocols
// without ports.
func (l *lowering) needPorts(subs []subject) {
	if len(subs) == 1 && subs[0].role == anyPorts && !l.hasPorts() {
		l.and(firewall.Match{Field: firewall.Protocol, Numbers: transports()})
		l.b.unparsed(l.r.pos.Line, l.r.text, "expected meta l4proto before a map of th ports")
	}
}

// nat lowers dnat, snat, masquerade and redirect.
func (l *lowering) nat(s *stmt) {
	kind := firewall.SNAT
	switch s.op {
	case "dnat":
		kind = firewall.DNAT
	case "redirect":
		kind = firewall.Redirect
	}
	switch {
	case s.left.kind == exMap && len(s.left.args) == 2:
		l.natMap(kind, &s.left, func(data *expr) (firewall.NATRange, bool) { return natTarget(data, &s.right) })
	case s.right.kind == exMap && len(s.right.args) == 2:
		l.natMap(kind, &s.right, func(data *expr) (firewall.NATRange, bool) { return natTarget(&s.left, data) })
	default:
		to, ok := natTarget(&s.left, &s.right)
		l.emitNAT(kind, to, ok, s.text)
	}
}

// natMap expands a map of addresses or ports: a rule for each element.
func (l *lowering) natMap(kind firewall.ActionKind, m *expr, target func(*expr) (firewall.NATRange, bool)) {
	subs, implied := l.b.subjectsOf(&m.args[0])
	l.and(implied...)
	l.needPorts(subs)
	e, why := l.lookup(subs, &m.args[1])
	if e == nil {
		l.b.unparsed(l.r.pos.Line, l.r.text, "address translation by a map whose elements cannot be known ("+why+")")
		l.emit(firewall.Action{Kind: firewall.Unknown, Why: why})
		return
	}
	for i := range e.maps {
		el := &e.maps[i]
		if el.any {
			continue
		}
		to, ok := target(&el.data)
		l.emitNAT(kind, to, ok, "", l.b.keyMatches(subs, el)...)
	}
	if i := slices.IndexFunc(e.maps, func(m mapping) bool { return m.any }); i >= 0 {
		to, ok := target(&e.maps[i].data)
		l.emitNAT(kind, to, ok, "", othersThan(subs, e.maps)...)
	}
}

// emitNAT makes the rule. In tables of both families an address is given to
// packets of its own family alone (nft_nat.c), as is "dnat ip".
func (l *lowering) emitNAT(kind firewall.ActionKind, to firewall.NATRange, ok bool, family string, extra ...firewall.Match) {
	if !ok {
		l.b.unparsed(l.r.pos.Line, l.r.text, "expected an address and a port to translate to")
		l.emit(firewall.Action{Kind: firewall.Unknown, Why: "an address translation that is not understood"}, extra...)
		return
	}
	var m firewall.Match
	switch {
	case to.First.Is4(), family == "ip":
		m = familyIs(4)
	case to.First.IsValid(), family == "ip6":
		m = familyIs(6)
	default:
		l.emit(firewall.Action{Kind: kind, To: to}, extra...)
		l.route(kind)
		return
	}
	if !l.needless(&m) {
		extra = append([]firewall.Match{m}, extra...)
	}
	l.emit(firewall.Action{Kind: kind, To: to}, extra...)
}

// natTarget reads where to: addr may be a concatenation of address and port.
func natTarget(addr, port *expr) (to firewall.NATRange, ok bool) {
	if addr.kind == exConcat {
		if len(addr.args) != 2 || port.kind != exNone {
			return to, false
		}
		addr, port = &addr.args[0], &addr.args[1]
	}
	if addr.kind != exNone {
		d := dtype{kind: addr4}
		if strings.Contains(firstText(addr), ":") {
			d.kind = addr6
		}
		p, err := d.addrPart(addr)
		if err != nil || p.addr.First.Compare(p.addr.Last) > 0 {
			return to, false
		}
		to.First, to.Last = p.addr.First, p.addr.Last
	}
	if port.kind != exNone {
		p, err := typeOf("inet_service").part(port)
		if err != nil || p.num.Last > 65535 || p.num.First > p.num.Last || p.num.First == 0 {
			return to, false
		}
		to.FirstPort, to.LastPort = uint16(p.num.First), uint16(p.num.Last)
	}
	return to, true
}

func firstText(e *expr) string {
	if e.kind == exRange && len(e.args) > 0 {
		return e.args[0].text
	}
	return e.text
}

// route learns from "ip saddr NET oifname != IF masquerade", as Docker writes
// it for each of its networks, that NET is behind IF.
func (l *lowering) route(kind firewall.ActionKind) {
	if kind != firewall.SNAT {
		return
	}
	var nets []netip.Prefix
	var name string
	for _, m := range l.matches {
		switch {
		case m.Field == firewall.Src && !m.Not:
			nets = firewall.Prefixes(m.Addrs)
		case m.Field == firewall.OutInterface && m.Not && len(m.Names) == 1:
			name = m.Names[0]
		case m.Field != firewall.NFProto:
			return
		}
	}
	if _, err := strconv.Atoi(name); err == nil || len(nets) != 1 || name == "" || strings.HasSuffix(name, "*") {
		return
	}
	l.b.rs.Host.Routes = append(l.b.rs.Host.Routes, firewall.Route{Prefix: nets[0], Interface: name, Pos: l.r.pos})
}
