package nft

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
)

func errKey(n int) error { return fmt.Errorf("expected a key of %d parts joined by dots", n) }

func undecidable(why string) []firewall.Match {
	return []firewall.Match{{Field: firewall.Undecidable, Why: clip(why, maxText)}}
}

// subjects gives what the key of a match, set or map looks at, and the matches
// that come before. A part that is not a plain selector is an Undecidable.
func (b *builder) subjectsOf(key *expr) (out []subject, implied []firewall.Match) {
	if key.kind == exSelector {
		s := b.subject(key.text)
		return []subject{*s}, s.implied
	}
	parts := []expr{*key}
	if key.kind == exConcat {
		parts = key.args
	}
	for i := range parts {
		s := subject{why: "the value of " + clip(parts[i].String(), 80) + " cannot be known"}
		if parts[i].kind == exSelector {
			s = *b.subject(parts[i].text)
		} else if inner := baseSelector(&parts[i], 0); inner != "" {
			of := b.subject(inner)
			s.implied = of.implied
			if of.why != "" {
				s.why = of.why
			}
		}
		if s.role == anyPorts && len(parts) > 1 {
			s.role = plain
		}
		out, implied = append(out, s), append(implied, s.implied...)
	}
	return out, implied
}

// baseSelector is the selector inside masks and shifts.
func baseSelector(e *expr, depth int) string {
	if e.kind == exSelector {
		return e.text
	}
	if e.kind == exBits && len(e.args) > 0 && depth < maxDepth {
		return baseSelector(&e.args[0], depth+1)
	}
	return ""
}

// match lowers one relation.
func (l *lowering) match(st *stmt) []firewall.Match {
	subs, implied := l.b.subjectsOf(&st.left)
	s := &subs[0]
	not := st.op == "!="
	switch {
	case len(subs) == 1 && st.left.kind == exBits:
		return append(implied, l.masked(st)...)
	case st.right.kind == exSet || st.right.kind == exSetRef:
		if st.op != "" && st.op != "==" && st.op != "in" && !not {
			return append(implied, undecidable("operator "+st.op+" with a set")...)
		}
		return append(implied, l.inSet(subs, &st.right, not)...)
	case len(subs) > 1:
		return append(implied, l.inSet(subs, &expr{kind: exSet, args: []expr{st.right}}, not)...)
	case s.why != "":
		return append(implied, undecidable(s.why)...)
	}
	m, err := s.relation(st.op, &st.right)
	if err != nil {
		return append(implied, undecidable(err.Error())...)
	}
	l.note(s, not)
	return append(implied, l.b.bounded(l.ports(s, m)))
}

// relation lowers a comparison with something that is not a set.
func (s *subject) relation(op string, right *expr) (firewall.Match, error) {
	if s.dt.bits && (op == "" || op == "in" || op == "!") {
		return s.flags(op == "!", right)
	}
	p, err := s.dt.part(right)
	if err != nil {
		return firewall.Match{}, err
	}
	var v values
	switch op {
	case "", "==", "in", "!=":
		v.add(p)
		return v.match(s, op == "!="), nil
	case "<", ">", "<=", ">=":
		if p, err = p.ordered(op, s.dt.kind); err != nil {
			return firewall.Match{}, err
		}
		if p.kind != opaque {
			v.add(p)
		}
		return v.match(s, false), nil
	}
	return firewall.Match{}, fmt.Errorf("operator %q is not understood", clip(op, 10))
}

// ordered is the span of all values below or above p; of kind opaque: none.
func (p part) ordered(op string, kind dkind) (part, error) {
	first, last := netip.IPv4Unspecified(), netip.AddrFrom4([4]byte{255, 255, 255, 255})
	switch kind {
	case number:
		switch op {
		case "<":
			if p.num.First == 0 {
				return part{}, nil
			}
			p.num = firewall.Span[firewall.Number]{First: 0, Last: p.num.First - 1}
		case "<=":
			p.num.First = 0
		case ">":
			p.num = firewall.Span[firewall.Number]{First: p.num.Last + 1, Last: max(p.num.Last, 0xffff)}
		case ">=":
			p.num.Last = max(p.num.First, 0xffff)
		}
		return p, nil
	case addr6:
		first, last = netip.IPv6Unspecified(), firewall.PrefixSpan(netip.PrefixFrom(netip.IPv6Unspecified(), 0)).Last
		fallthrough
	case addr4:
		switch op {
		case "<", "<=":
			if op == "<" {
				p.addr.Last = p.addr.First.Prev()
			}
			p.addr.First = first
		default:
			if op == ">" {
				p.addr.First = p.addr.Last.Next()
			}
			p.addr.Last = last
		}
		if !p.addr.First.IsValid() || !p.addr.Last.IsValid() {
			return part{}, nil
		}
		return p, nil
	case opaque, ifname:
	}
	return p, fmt.Errorf("operator %s on something without an order", op)
}

// flags lowers "tcp flags syn,ack": any of the bits, or with none: none of them.
func (s *subject) flags(none bool, right *expr) (firewall.Match, error) {
	mask, err := s.dt.number(right, 0)
	if err != nil {
		return firewall.Match{}, err
	}
	if s.role == ctStatusBit {
		return statusBits(mask, none), nil
	}
	return s.where(func(v firewall.Number) bool { return (v&mask != 0) != none }), nil
}

// statusBits matches if any of the bits is set, or none.
func statusBits(mask firewall.Number, none bool) firewall.Match {
	dnat := firewall.Match{Field: firewall.Status, Numbers: firewall.NumbersOf(firewall.StatusDNAT)}
	rest := firewall.Match{Field: firewall.Undecidable, Why: "ct status depends on the conversation"}
	switch {
	case mask == dnatBit:
		dnat.Not = none
		return dnat
	case mask&dnatBit == 0:
		rest.Not = none
		return rest
	}
	return firewall.Match{Field: firewall.Tuple, Not: none, Tuples: [][]firewall.Match{{dnat}, {rest}}}
}

// where is the match of all values for which ok holds.
func (s *subject) where(ok func(firewall.Number) bool) firewall.Match {
	domain := s.dt.domain
	if len(domain) == 0 {
		domain = numbersTo(256) // ports are not asked for here
	}
	var spans []firewall.Span[firewall.Number]
	for _, v := range domain {
		if ok(v) {
			spans = append(spans, firewall.Span[firewall.Number]{First: v, Last: v})
		}
	}
	return s.numbers(firewall.NewSet(spans...), false)
}

// masked lowers a comparison of a selector after bit operations.
func (l *lowering) masked(st *stmt) []firewall.Match {
	sel := baseSelector(&st.left, 0)
	s := *l.b.subject(sel)
	why := "a comparison under a mask that is not understood: " + clip(st.left.String(), 80)
	if s.why != "" {
		return append(s.implied, undecidable(s.why)...)
	}
	op := st.op
	if op == "" {
		op = "=="
	}
	switch s.dt.kind {
	case addr4, addr6:
		m, ok := s.maskedAddr(op, st)
		if !ok {
			return undecidable(why)
		}
		return append(s.implied, m)
	case number:
	case opaque, ifname:
		return undecidable(why)
	}
	right, err := s.dt.number(&st.right, 0)
	if err != nil {
		return undecidable(err.Error())
	}
	if s.field == firewall.SrcPort || s.field == firewall.DstPort || s.field == firewall.OrigDstPort {
		return undecidable(why) // thousands of spans, and nobody writes it
	}
	if _, ok := s.dt.bitsOf(&st.left, 0, 0); !ok || st.op == "" && s.dt.bits {
		return undecidable(why)
	}
	compare, ok := comparison(op)
	if !ok {
		return undecidable(why)
	}
	if s.role == ctStatusBit || s.role == ctDir {
		return l.maskedStatus(&s, st, op, right)
	}
	l.note(&s, op == "!=")
	m := s.where(func(v firewall.Number) bool {
		left, _ := s.dt.bitsOf(&st.left, v, 0)
		return compare(left, right)
	})
	return append(s.implied, l.b.bounded(l.ports(&s, m)))
}

// bounded keeps one copy of sets of many spans, as flags and codes make them,
// and ends their growth.
func (b *builder) bounded(m firewall.Match) firewall.Match {
	spans := m.Numbers.Spans()
	if len(spans) <= 16 {
		return m
	}
	var key []byte
	for _, s := range spans {
		key = binary.AppendUvarint(binary.AppendUvarint(key, uint64(s.First)), uint64(s.Last))
	}
	if kept, ok := b.numbers[string(key)]; ok {
		m.Numbers = kept
		return m
	}
	if b.spans += len(spans); b.spans > maxSpans {
		return firewall.Match{Field: firewall.Undecidable, Why: "too many different sets of flags and codes"}
	}
	b.numbers[string(key)] = m.Numbers
	return m
}

// maskedStatus lowers "ct status & dnat == dnat" and "!= 0".
func (l *lowering) maskedStatus(s *subject, st *stmt, op string, right firewall.Number) []firewall.Match {
	zero, _ := s.dt.bitsOf(&st.left, 0, 0)
	all, _ := s.dt.bitsOf(&st.left, ^firewall.Number(0), 0)
	if zero != 0 || all != dnatBit || right != 0 && right != dnatBit || op != "==" && op != "!=" || s.role != ctStatusBit {
		return undecidable("ct status depends on the conversation")
	}
	return append(s.implied, statusBits(dnatBit, (right == 0) == (op == "==")))
}

// bitsOf computes bit operations on the value v of the selector.
func (d dtype) bitsOf(e *expr, v firewall.Number, depth int) (firewall.Number, bool) {
	if e.kind == exSelector {
		return v, true
	}
	if e.kind != exBits || len(e.args) != 2 || depth > maxDepth {
		return 0, false
	}
	left, ok := d.bitsOf(&e.args[0], v, depth+1)
	right, err := d.number(&e.args[1], depth+1)
	return bitOp(e.text, left, right), ok && err == nil
}

func comparison(op string) (func(a, b firewall.Number) bool, bool) {
	switch op {
	case "==", "in":
		return func(a, b firewall.Number) bool { return a == b }, true
	case "!=":
		return func(a, b firewall.Number) bool { return a != b }, true
	case "<":
		return func(a, b firewall.Number) bool { return a < b }, true
	case ">":
		return func(a, b firewall.Number) bool { return a > b }, true
	case "<=":
		return func(a, b firewall.Number) bool { return a <= b }, true
	case ">=":
		return func(a, b firewall.Number) bool { return a >= b }, true
	}
	return nil, false
}

// maskedAddr lowers "ip saddr & 255.255.255.0 == 192.0.2.0".
func (s *subject) maskedAddr(op string, st *stmt) (firewall.Match, bool) {
	e := &st.left
	if op != "==" && op != "!=" || e.text != "&" || len(e.args) != 2 || e.args[0].kind != exSelector || e.args[1].kind != exValue {
		return firewall.Match{}, false
	}
	mask, err1 := netip.ParseAddr(e.args[1].text)
	want, err2 := netip.ParseAddr(st.right.text)
	if err1 != nil || err2 != nil || st.right.kind != exValue || strings.Contains(st.right.text, "%") ||
		mask.Is4() != (s.dt.kind == addr4) || want.Is4() != mask.Is4() || want.Is4In6() {
		return firewall.Match{}, false
	}
	ones, ended := 0, false
	for _, b := range mask.AsSlice() {
		for bit := 7; bit >= 0; bit-- {
			switch set := b>>bit&1 == 1; {
			case set && ended:
				return firewall.Match{}, false
			case set:
				ones++
			default:
				ended = true
			}
		}
	}
	m := firewall.Match{Field: s.field, Not: op == "!="}
	if p := netip.PrefixFrom(want, ones); p.Masked().Addr() == want {
		m.Addrs = firewall.AddrsOf(p)
	}
	return m, true
}

// ports adds to a match on "th dport" what else it may see: the bytes of a
// protocol without ports.
func (l *lowering) ports(s *subject, m firewall.Match) firewall.Match {
	if s.role != anyPorts || l.hasPorts() {
		return m
	}
	others := firewall.Match{Field: firewall.Protocol, Not: true, Numbers: transports()}
	bytes := firewall.Match{Field: firewall.Undecidable, Why: "th reads the bytes of protocols without ports, too"}
	return firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{{m}, {others, bytes}}}
}

// hasPorts reports whether the rule has made sure of a protocol with ports.
func (l *lowering) hasPorts() bool {
	for _, m := range l.matches {
		if m.Field == firewall.Protocol && !m.Not && m.Numbers.Subtract(transports()).Empty() {
			return true
		}
	}
	return false
}
