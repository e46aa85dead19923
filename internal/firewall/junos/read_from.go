package junos

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// from translates the conditions of a filter's term. Values of one condition
// are alternatives; conditions must all hold.
func (c *configuration) from(n *node) []firewall.Match {
	var out, ported, flagged, typed []firewall.Match
	named := firewall.NumberRange(0, 255) // protocols that the term is about
	for k := range n.each() {
		name, not := strings.CutSuffix(k.word, "-except")
		m, err := c.condition(n, k, name)
		if err != nil {
			m = []firewall.Match{cloud.Undecidable(fmt.Sprintf("%s: %v", k.word, err))}
		}
		for i := range m {
			m[i].Not = m[i].Not != not
		}
		switch name {
		case "protocol", "next-header", "payload-protocol":
			if err == nil && !not {
				named = m[0].Numbers
			}
			out = append(out, m...)
		case "port", "source-port", "destination-port":
			ported = append(ported, m...)
		case "tcp-established", "tcp-initial":
			flagged = append(flagged, m...)
		case "icmp-type", "icmp-code":
			typed = append(typed, m...)
		default:
			out = append(out, m...)
		}
	}
	ported = blind(ported, named, cloud.TCP, cloud.UDP, cloud.SCTP)
	flagged = blind(flagged, named, cloud.TCP)
	typed = blind(typed, named, cloud.ICMP, cloud.ICMPv6)
	return slices.Concat(out, ported, flagged, typed, c.direction(n, "source", firewall.Src), c.direction(n, "destination", firewall.Dst), c.direction(n, "", firewall.Src))
}

// blind is for conditions on fields that the device looks for in packets of any
// protocol, where the protocols that the term names do not all have them.
func blind(m []firewall.Match, named firewall.Numbers, has ...firewall.Number) []firewall.Match {
	if len(m) == 0 || named.Subtract(firewall.NumbersOf(has...)).Empty() {
		return m
	}
	others := firewall.Match{Field: firewall.Protocol, Numbers: firewall.NumbersOf(has...), Not: true}
	doubt := cloud.Undecidable("the term looks for ports or types in packets of every protocol")
	return []firewall.Match{{Field: firewall.Tuple, Tuples: [][]firewall.Match{m, {others, doubt}}}}
}

func (c *configuration) condition(from, k *node, name string) ([]firewall.Match, error) {
	switch name {
	case "source-address", "destination-address", "address", "source-prefix-list", "destination-prefix-list", "prefix-list":
		return nil, nil // see direction
	case "protocol", "next-header", "payload-protocol":
		return numbers(firewall.Protocol, k, func(v string) (firewall.Numbers, error) {
			if n, ok := protocolNumber(v); ok {
				return firewall.NumbersOf(n), nil
			}
			first, last, isRange := strings.Cut(v, "-")
			a, err1 := strconv.ParseUint(first, 10, 8)
			b, err2 := strconv.ParseUint(last, 10, 8)
			if !isRange || err1 != nil || err2 != nil {
				return firewall.Numbers{}, errors.New("expected protocols by known names or numbers")
			}
			return firewall.NumberRange(firewall.Number(a), firewall.Number(b)), nil
		})
	case "source-port":
		return numbers(firewall.SrcPort, k, ports)
	case "destination-port":
		return numbers(firewall.DstPort, k, ports)
	case "port":
		source, err1 := numbers(firewall.SrcPort, k, ports)
		target, err2 := numbers(firewall.DstPort, k, ports)
		return []firewall.Match{{Field: firewall.Tuple, Tuples: [][]firewall.Match{source, target}}}, errors.Join(err1, err2)
	case "icmp-type":
		return types(from, k, name)
	case "icmp-code":
		if from.find("icmp-type") != nil || from.find("icmp-type-except") != nil {
			return nil, nil // told by types
		}
		return types(from, k, name)
	case "tcp-established":
		set := firewall.FlagValues(firewall.ACK, firewall.ACK).Union(firewall.FlagValues(firewall.RST, firewall.RST))
		return []firewall.Match{{Field: firewall.TCPFlags, Numbers: set}}, nil
	case "tcp-initial":
		return []firewall.Match{{Field: firewall.TCPFlags, Numbers: firewall.FlagValues(firewall.SYN|firewall.ACK, firewall.SYN)}}, nil
	}
	return nil, errors.New("what it looks for is not read")
}

// numbers is the condition that a field has one of the values below k.
func numbers(field firewall.Field, k *node, read func(string) (firewall.Numbers, error)) ([]firewall.Match, error) {
	var spans []firewall.Span[firewall.Number]
	for v := range k.each() {
		set, err := read(v.word)
		if err != nil {
			return nil, err
		}
		spans = append(spans, set.Spans()...)
	}
	if len(spans) == 0 {
		return nil, errors.New("expected values")
	}
	return []firewall.Match{{Field: field, Numbers: firewall.NewSet(spans...)}}, nil
}

// types is the condition on types and codes of ICMP.
func types(from, k *node, name string) ([]firewall.Match, error) {
	isExcept := from.find("icmp-type-except") != nil || from.find("icmp-code-except") != nil
	if count := slices.DeleteFunc(from.words(), func(w string) bool { return !strings.HasPrefix(w, "icmp-") }); isExcept && len(count) > 1 {
		return nil, errors.New("exceptions beside other types and codes are not read")
	}
	protocol := firewall.Number(0)
	for _, p := range slices.Concat(from.find("protocol").words(), from.find("next-header").words(), from.find("payload-protocol").words()) {
		if n, _ := protocolNumber(p); n == cloud.ICMPv6 || n == cloud.ICMP {
			protocol = n
		}
	}
	read := func(v string) (firewall.Numbers, error) {
		n, ok := icmpType(protocol, v)
		if _, err := strconv.ParseUint(v, 10, 8); protocol == 0 && err != nil {
			return firewall.Numbers{}, fmt.Errorf("%q: expected a number, as the term does not say whether it is of ICMP or ICMPv6", cloud.OneLine(v, 40))
		}
		if !ok {
			return firewall.Numbers{}, fmt.Errorf("%q: expected a number", cloud.OneLine(v, 40))
		}
		return firewall.NumbersOf(n), nil
	}
	kinds, codes := firewall.NumberRange(0, 255), firewall.NumberRange(0, 255)
	m, err := numbers(firewall.ICMPType, k, read)
	if err != nil {
		return nil, err
	}
	if name == "icmp-code" {
		codes = m[0].Numbers
	} else {
		kinds = m[0].Numbers
		if more := from.find("icmp-code"); more != nil {
			if m, err = numbers(firewall.ICMPType, more, read); err != nil {
				return nil, err
			}
			codes = m[0].Numbers
		}
	}
	var spans []firewall.Span[firewall.Number]
	for _, s := range kinds.Spans() {
		for t := s.First; t <= s.Last; t++ {
			for _, x := range codes.Spans() {
				spans = append(spans, firewall.Span[firewall.Number]{First: t<<8 | x.First, Last: t<<8 | x.Last})
			}
		}
	}
	return []firewall.Match{{Field: firewall.ICMPType, Numbers: firewall.NewSet(spans...)}}, nil
}

// direction is the condition on addresses of one side; without a side it may be
// either.
func (c *configuration) direction(from *node, side string, field firewall.Field) []firewall.Match {
	address, list := "address", "prefix-list"
	if side != "" {
		address, list = side+"-address", side+"-prefix-list"
	}
	direct, lists := from.find(address).kidsOf(), from.find(list).kidsOf()
	if len(direct)+len(lists) == 0 {
		return nil
	}
	a := c.longest(direct, lists)
	m := a.match(field)
	if side == "" {
		m = firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{{m}, {a.match(firewall.Dst)}}}
	}
	return []firewall.Match{m}
}

// piece is a prefix of a condition.
type piece struct {
	prefix netip.Prefix
	except bool
}

// longest puts prefixes and lists of them together: the longest prefix that
// holds an address decides whether it is meant or excepted.
func (c *configuration) longest(direct, lists []*node) addresses {
	var pieces []piece
	doubt := ""
	take := func(text string, except bool) {
		p, err := prefix(text)
		if err != nil {
			doubt = err.Error()
			return
		}
		pieces = append(pieces, piece{p, except})
	}
	for _, n := range direct {
		take(n.word, n.find("except") != nil)
	}
	for _, l := range lists {
		n := c.root.find("policy-options", "prefix-list", l.word)
		if len(n.kidsOf()) == 0 {
			doubt = "prefix-list " + cloud.OneLine(l.word, 80) + " is not in this file or is empty"
		}
		for k := range n.each() {
			if c.budget--; c.budget < 0 {
				return addresses{doubt: "the prefix lists are too large to be put together"}
			}
			if k.word == "apply-path" {
				doubt = "prefix-list " + cloud.OneLine(l.word, 80) + " takes its prefixes from elsewhere in the configuration"
				continue
			}
			take(k.word, l.find("except") != nil)
		}
	}
	return folded(pieces, doubt)
}

func folded(pieces []piece, doubt string) addresses {
	if !slices.ContainsFunc(pieces, func(p piece) bool { return p.except }) {
		all := make([]netip.Prefix, len(pieces))
		for i, p := range pieces {
			all[i] = p.prefix
		}
		return addresses{set: firewall.AddrsOf(all...), doubt: doubt}
	}
	const most = 2000 // folding takes quadratic time
	if len(pieces) > most || doubt != "" || !slices.ContainsFunc(pieces, func(p piece) bool { return !p.except }) {
		return addresses{doubt: "prefixes that are excepted are read only beside up to 2000 others that can be read"}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.prefix.Bits(), b.prefix.Bits()) })
	var out firewall.Addrs
	for _, p := range pieces {
		if one := firewall.AddrsOf(p.prefix); p.except {
			out = out.Subtract(one)
		} else {
			out = out.Union(one)
		}
	}
	return addresses{set: out}
}
