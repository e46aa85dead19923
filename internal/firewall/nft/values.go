package nft

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
)

// values collects the elements of a set with keys of one component.
type values struct {
	addrs []firewall.Span[netip.Addr]
	nums  []firewall.Span[firewall.Number]
	names []string
	set   *firewall.Addrs // addrs as a set, once it was asked for
}

func (v *values) add(p part) {
	switch p.kind {
	case addr4, addr6:
		v.addrs, v.set = append(v.addrs, p.addr), nil
	case number:
		v.nums = append(v.nums, p.num)
	case ifname:
		v.names = append(v.names, p.name)
	case opaque:
	}
}

func (v *values) empty() bool { return len(v.addrs) == 0 && len(v.nums) == 0 && len(v.names) == 0 }

// addrSet is the union of the addresses. A set of a million addresses is named
// by many rules and sorted once.
func (v *values) addrSet() firewall.Addrs {
	if v.set == nil {
		s := firewall.NewSet(v.addrs...)
		v.set, v.addrs = &s, s.Spans()
	}
	return *v.set
}

func (v *values) numSet() firewall.Numbers { return firewall.NewSet(v.nums...) }

// match says that the subject is, or is not, one of the values.
func (v *values) match(s *subject, not bool) firewall.Match {
	m := firewall.Match{Field: s.field, Not: not}
	switch s.dt.kind {
	case addr4, addr6:
		m.Addrs = v.addrSet()
	case number:
		return s.numbers(v.numSet(), not)
	case ifname:
		m.Names = v.names
	case opaque:
		return firewall.Match{Field: firewall.Undecidable, Not: not, Why: s.why}
	}
	return m
}

// numbers makes the match of a subject with values of nft.
func (s *subject) numbers(in firewall.Numbers, not bool) firewall.Match {
	switch s.role {
	case ctDir:
		return s.direction(in, not)
	case ctStatusBit:
		// All bits are compared, and others than these two are set as well.
		return firewall.Match{Field: firewall.Undecidable, Not: not, Why: "ct status compares bits that depend on the conversation"}
	case fibLocal:
		return addrType(in, not)
	case reversePath:
		return firewall.Match{Field: firewall.Presumed, Not: in.Contains(0) != not, Why: firewall.PresumeReversePath}
	case packetType:
		return firewall.Match{Field: firewall.Presumed, Not: in.Contains(0) == not, Why: firewall.PresumeUnicast}
	case plain, anyPorts, firstHeader:
	}
	if len(s.dt.domain) > 0 && s.project != nil {
		// Few values: the complement is taken among those that nft knows, since
		// the model may have more.
		var kept []firewall.Number
		for _, n := range s.dt.domain {
			if in.Contains(n) != not {
				kept = append(kept, n)
			}
		}
		return firewall.Match{Field: s.field, Numbers: s.project(firewall.NumbersOf(kept...))}
	}
	if s.project != nil {
		in = s.project(in)
	}
	return firewall.Match{Field: s.field, Not: not, Numbers: in}
}

// direction matches on ct direction: a packet that begins a conversation is of
// the original direction, and one of the reply is never new.
func (s *subject) direction(in firewall.Numbers, not bool) firewall.Match {
	original, reply := in.Contains(0) != not, in.Contains(1) != not
	old := firewall.Match{Field: firewall.State, Numbers: firewall.NumbersOf(firewall.StateEstablished, firewall.StateRelated)}
	unknown := firewall.Match{Field: firewall.Undecidable, Why: "ct direction of a packet that is not the first"}
	switch {
	case original && reply:
		return tracked()
	case original:
		begin := firewall.Match{Field: firewall.State, Numbers: firewall.NumbersOf(firewall.StateNew)}
		return firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{{begin}, {old, unknown}}}
	case reply:
		return firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{{old, unknown}}}
	}
	return firewall.Match{Field: firewall.State}
}

// addrType matches on "fib daddr type": that an address is the host's own is
// in the model, the other types are not.
func addrType(in firewall.Numbers, not bool) firewall.Match {
	unknown := firewall.Match{Field: firewall.Undecidable, Why: "fib daddr type depends on the routes and addresses of the host"}
	local := in.Contains(typeLocal)
	switch {
	case local && in.Equal(firewall.NumbersOf(typeLocal)):
		return localDst(not)
	case local:
		return firewall.Match{Field: firewall.Tuple, Not: not, Tuples: [][]firewall.Match{{localDst(false)}, {unknown}}}
	}
	return firewall.Match{Field: firewall.Tuple, Not: not, Tuples: [][]firewall.Match{{localDst(true), unknown}}}
}

// tuples collects the elements of a set with concatenated keys. Elements that
// differ in the first component alone become one: sets of addresses with few
// ports are usual and long.
type tuples struct {
	index  map[string]int
	firsts []*values
	rests  [][]part
}

func (t *tuples) add(key []part) {
	if t.index == nil {
		t.index = map[string]int{}
	}
	id := restKey(key)
	i, ok := t.index[id]
	if !ok {
		i = len(t.firsts)
		t.index[id] = i
		t.firsts, t.rests = append(t.firsts, &values{}), append(t.rests, key[1:])
	}
	t.firsts[i].add(key[0])
}

// restKey identifies all components but the first.
func restKey(key []part) string {
	var b []byte
	b = append(b, byte(key[0].kind))
	for _, p := range key[1:] {
		b = append(b, byte(p.kind))
		switch p.kind {
		case addr4, addr6:
			b = append(b, p.addr.First.AsSlice()...)
			b = append(b, p.addr.Last.AsSlice()...)
		case number:
			b = binary.BigEndian.AppendUint32(b, uint32(p.num.First))
			b = binary.BigEndian.AppendUint32(b, uint32(p.num.Last))
		case ifname:
			b = append(append(b, p.name...), 0)
		case opaque:
		}
	}
	return string(b)
}

// conjunctions gives the elements as tuples of matches.
func (t *tuples) conjunctions(subjects []subject) [][]firewall.Match {
	out := make([][]firewall.Match, 0, len(t.firsts))
	for i, first := range t.firsts {
		conj := make([]firewall.Match, 0, len(subjects))
		conj = append(conj, first.match(&subjects[0], false))
		for j, p := range t.rests[i] {
			if j+1 < len(subjects) {
				conj = append(conj, oneOf(&subjects[j+1], p))
			}
		}
		out = append(out, conj)
	}
	return out
}

// oneOf matches one value of one subject.
func oneOf(s *subject, p part) firewall.Match {
	var v values
	v.add(p)
	return v.match(s, false)
}

// elements is a set or map of nft, named or not.
type elements struct {
	one  values
	many tuples
	any  bool // has the element * for all others
	bad  []string
	nbad int
	maps []mapping // of a map alone
}

// mapping is one element of a map.
type mapping struct {
	key  []part
	any  bool
	bad  string // the key could not be read
	data expr
}

// put converts one element of a set, or with data one of a map.
func (e *elements) put(types []dtype, key, data *expr) {
	m := mapping{any: key.kind == exAny}
	if !m.any {
		parts, err := keyParts(types, key)
		if err != nil {
			e.nbad++
			if len(e.bad) < maxBad {
				e.bad = append(e.bad, err.Error())
			}
			m.bad = err.Error()
		}
		m.key = parts
	}
	if data != nil {
		m.data = *data
		e.maps = append(e.maps, m)
		return
	}
	switch {
	case m.any:
		e.any = true
	case m.bad != "":
	case len(m.key) == 1:
		e.one.add(m.key[0])
	default:
		e.many.add(m.key)
	}
}

// keyParts converts a key of one component or of several.
func keyParts(types []dtype, key *expr) ([]part, error) {
	if len(types) == 1 {
		p, err := types[0].part(key)
		if err != nil {
			return nil, err
		}
		return []part{p}, nil
	}
	if key.kind != exConcat || len(key.args) != len(types) {
		return nil, errKey(len(types))
	}
	out := make([]part, len(types))
	for i := range types {
		p, err := types[i].part(&key.args[i])
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

// whyBad tells what of the elements was not understood; empty: all was.
func (e *elements) whyBad() string {
	if e.nbad == 0 {
		return ""
	}
	more := ""
	if e.nbad > len(e.bad) {
		more = " …"
	}
	return "elements not understood: " + strings.Join(e.bad, "; ") + more
}
