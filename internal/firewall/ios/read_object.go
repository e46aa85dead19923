package ios

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cisco"
	"reconshield/internal/firewall/cloud"
)

const (
	maxNesting = 32   // how deep groups may hold groups
	maxSpans   = 4096 // into how many ranges a wildcard mask with gaps may fall
)

// group is a group of objects: addresses or services, as its lines say.
type group struct {
	members []statement
	busy    bool // being resolved: a group must not hold itself
	done    bool
	addrs   addrSet
	terms   [][]firewall.Match
}

// addrSet holds the addresses of one side of an entry, and why there may be more.
type addrSet struct {
	isAny bool
	set   firewall.Addrs
	doubt string
}

// match is the condition that an address is among them.
func (a addrSet) match(field firewall.Field) firewall.Match {
	m := cloud.Addrs(field, a.set)
	if a.doubt == "" {
		return m
	}
	return firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{{m}, {cloud.Undecidable(a.doubt)}}}
}

// addresses reads one side and gives the words that are left.
func (c *configuration) addresses(w []string) (addrSet, []string, error) {
	switch {
	case w[0] == "any":
		return addrSet{isAny: true}, w[1:], nil
	case w[0] == "host" && len(w) >= 2:
		a, err := parseAddr(w[1])
		return addrSet{set: firewall.NewSet(firewall.Span[netip.Addr]{First: a, Last: a})}, w[2:], err
	case (w[0] == "object-group" || w[0] == "addrgroup") && len(w) >= 2:
		g, err := c.group(w[1], 0)
		if err != nil {
			return addrSet{doubt: err.Error()}, w[2:], nil //nolint:nilerr // a group that is not known leaves only its addresses open
		}
		return g.addrs, w[2:], nil
	case strings.Contains(w[0], "/"):
		p, err := netip.ParsePrefix(w[0])
		if err != nil || p.Addr().Is4In6() {
			return addrSet{}, w, fmt.Errorf("%q: expected a prefix", cloud.OneLine(w[0], 60))
		}
		return addrSet{set: firewall.AddrsOf(p.Masked())}, w[1:], nil
	case len(w) >= 2:
		set, err := wildcard(w[0], w[1])
		return addrSet{set: set}, w[2:], err
	}
	return addrSet{}, w, errors.New("expected any, host, an object-group or an address with a wildcard")
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return a, fmt.Errorf("%q: expected an address", cloud.OneLine(text, 60))
	}
	return a, nil
}

func address4(text string) (uint32, error) {
	a, err := parseAddr(text)
	if err != nil || !a.Is4() {
		return 0, fmt.Errorf("%q: expected an address of IPv4", cloud.OneLine(text, 60))
	}
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), nil
}

func from4(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// wildcard gives the addresses that agree with one in the bits that are zero in
// the mask.
func wildcard(text, mask string) (firewall.Addrs, error) {
	base, err := address4(text)
	if err != nil {
		return firewall.Addrs{}, err
	}
	free, err := address4(mask)
	if err != nil {
		return firewall.Addrs{}, err
	}
	run := uint32(1)<<bits.TrailingZeros32(^free) - 1 // the free bits at the end are one range
	gaps := free &^ run
	if 1<<bits.OnesCount32(gaps) > maxSpans {
		return firewall.Addrs{}, fmt.Errorf("wildcard %s falls into more than %d ranges", mask, maxSpans)
	}
	var spans []firewall.Span[netip.Addr]
	for add := uint32(0); ; {
		first := base&^free | add
		spans = append(spans, firewall.Span[netip.Addr]{First: from4(first), Last: from4(first | run)})
		if add = (add - gaps) & gaps; add == 0 {
			return firewall.NewSet(spans...), nil
		}
	}
}

// group resolves a group of objects. What cannot be known of it is in its doubt
// and among its terms.
func (c *configuration) group(name string, depth int) (*group, error) {
	g := c.groups[name]
	switch {
	case g == nil:
		return nil, fmt.Errorf("group %s is not in this file", cloud.OneLine(name, 80))
	case g.done:
		return g, nil
	case g.busy || depth > maxNesting:
		return nil, fmt.Errorf("group %s holds itself or is nested too deep", cloud.OneLine(name, 80))
	}
	g.busy = true
	var spans []firewall.Span[netip.Addr]
	for _, m := range g.members {
		if m.words[0] == "description" {
			continue
		}
		added, err := c.member(g, m, depth)
		spans = append(spans, added...)
		if err != nil {
			g.addrs.doubt = fmt.Sprintf("%s: %v", m.pos, err)
			g.terms = append(g.terms, []firewall.Match{cloud.Undecidable(g.addrs.doubt)})
		}
	}
	g.addrs.set = firewall.NewSet(spans...)
	g.busy, g.done = false, true
	return g, nil
}

// member reads one line of a group: addresses, which it returns, or a service,
// which it adds to the terms.
func (c *configuration) member(g *group, s statement, depth int) ([]firewall.Span[netip.Addr], error) {
	w := s.words
	switch {
	case w[0] == "group-object" && len(w) == 2:
		inner, err := c.group(w[1], depth+1)
		if err != nil {
			return nil, err
		}
		if len(g.terms)+len(inner.terms) > 10_000 {
			return nil, errors.New("the group holds too many services; expected at most 10000")
		}
		g.terms = append(g.terms, inner.terms...)
		if inner.addrs.doubt != "" {
			g.addrs.doubt = inner.addrs.doubt
		}
		return inner.addrs.set.Spans(), nil
	case w[0] == "any" && len(w) == 1:
		return firewall.AllOf(firewall.IPv4).Spans(), nil
	case w[0] == "host" && len(w) == 2:
		a, err := parseAddr(w[1])
		if err != nil {
			return nil, err
		}
		return []firewall.Span[netip.Addr]{{First: a, Last: a}}, nil
	case w[0] == "range" && len(w) == 3:
		a, err1 := parseAddr(w[1])
		b, err2 := parseAddr(w[2])
		if err1 != nil || err2 != nil || a.Is4() != b.Is4() || b.Less(a) {
			return nil, errors.New("expected a range from a lower to a higher address")
		}
		return []firewall.Span[netip.Addr]{{First: a, Last: b}}, nil
	case w[0][0] >= '0' && w[0][0] <= '9' && len(w) == 2:
		return subnet(w[0], w[1])
	}
	return nil, g.service(w)
}

// subnet reads "192.0.2.0 255.255.255.0" or "192.0.2.0 /24": groups take masks,
// not wildcards.
func subnet(text, mask string) ([]firewall.Span[netip.Addr], error) {
	if strings.HasPrefix(mask, "/") {
		p, err := netip.ParsePrefix(text + mask)
		if err != nil {
			return nil, errors.New("expected an address with a mask or a length")
		}
		return []firewall.Span[netip.Addr]{firewall.PrefixSpan(p.Masked())}, nil
	}
	m, err := address4(mask)
	if err != nil {
		return nil, err
	}
	set, err := wildcard(text, from4(^m).String())
	return set.Spans(), err
}

// service reads "tcp eq 80", "udp source eq 53", "tcp-udp range 1 9", "icmp
// echo" or a protocol alone.
func (g *group) service(w []string) error {
	var numbers []firewall.Number
	switch w[0] {
	case "ip":
		g.terms = append(g.terms, nil)
		return nil
	case "tcp-udp":
		numbers = []firewall.Number{cloud.TCP, cloud.UDP}
	default:
		n, err := protocol(w[0], firewall.IPv4)
		if err != nil {
			return err
		}
		numbers = []firewall.Number{n}
	}
	var more []firewall.Match
	rest := w[1:]
	for len(rest) > 0 {
		field := firewall.DstPort
		if rest[0] == "source" {
			field, rest = firewall.SrcPort, rest[1:]
		}
		if len(rest) == 1 && field == firewall.DstPort {
			rest = append([]string{"eq"}, rest...) // "tcp www" is "tcp eq www"
		}
		set, left, err := cisco.Operator(rest)
		if err != nil || !cloud.HasPorts(numbers[0]) {
			return errors.New("expected ports of a protocol that has them")
		}
		more, rest = append(more, firewall.Match{Field: field, Numbers: set}), left
	}
	for _, n := range numbers {
		g.terms = append(g.terms, append([]firewall.Match{cloud.Protocol(n)}, more...))
	}
	return nil
}
