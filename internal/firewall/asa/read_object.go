package asa

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

// maxNesting is how deep groups may hold groups.
const maxNesting = 32

// addresses are those of an object, and why it may be more.
type addresses struct {
	set   firewall.Addrs
	doubt string
}

// portSet is what a group of ports holds, and why it may be more.
type portSet struct {
	set   firewall.Numbers
	doubt string
}

// alternatives are conjunctions of which any may hold.
type alternatives [][]firewall.Match

// network resolves an object or a group of addresses.
func (c *configuration) network(name string, depth int) addresses {
	g := c.networks[name]
	switch {
	case g == nil:
		return addresses{doubt: fmt.Sprintf("object %s is not in this file", cloud.OneLine(name, 80))}
	case g.done:
		return g.addrs
	case g.busy || depth > maxNesting:
		return addresses{doubt: fmt.Sprintf("group %s holds itself or is nested too deep", cloud.OneLine(name, 80))}
	}
	g.busy = true
	var spans []firewall.Span[netip.Addr]
	var out addresses
	for _, m := range g.members {
		a := c.member(m, depth)
		spans = append(spans, a.set.Spans()...)
		if a.doubt != "" {
			out.doubt = a.doubt
		}
	}
	out.set = firewall.NewSet(spans...)
	g.addrs, g.busy, g.done = out, false, true
	return out
}

// member reads one line of an object or group of addresses.
func (c *configuration) member(s statement, depth int) addresses {
	w := s.words
	switch {
	case w[0] == "group-object" && len(w) == 2:
		return c.network(w[1], depth+1)
	case w[0] == "network-object" && len(w) == 3 && w[1] == "object":
		return c.network(w[2], depth+1)
	case w[0] == "network-object" && len(w) >= 2:
		w = w[1:]
	case w[0] == "host" || w[0] == "range":
	case w[0] == "subnet":
		w = w[1:]
	case w[0] == "fqdn":
		return addresses{doubt: "what the name " + cloud.OneLine(w[len(w)-1], 80) + " resolves to is not in this file"}
	}
	a, rest, err := c.literal(w)
	if err != nil || len(rest) > 0 {
		return addresses{doubt: fmt.Sprintf("%s: expected a host, a subnet or a range", s.pos)}
	}
	return a
}

// literal reads "host A", "range A B", "A MASK" or a prefix of IPv6.
func (c *configuration) literal(w []string) (addresses, []string, error) {
	if len(w) == 0 {
		return addresses{}, nil, errors.New("expected an address")
	}
	switch {
	case w[0] == "host" && len(w) >= 2:
		a, err := c.addr(w[1])
		return addresses{set: firewall.NewSet(firewall.Span[netip.Addr]{First: a, Last: a})}, w[2:], err
	case w[0] == "range" && len(w) >= 3:
		a, err1 := c.addr(w[1])
		b, err2 := c.addr(w[2])
		if err1 == nil && err2 == nil && (a.Is4() != b.Is4() || b.Less(a)) {
			err1 = errors.New("expected a range from a lower to a higher address")
		}
		return addresses{set: firewall.NewSet(firewall.Span[netip.Addr]{First: a, Last: b})}, w[3:], errors.Join(err1, err2)
	case strings.Contains(w[0], "/"):
		p, err := netip.ParsePrefix(w[0])
		if err == nil && p.Addr().Is4In6() {
			err = errors.New("expected a prefix of IPv6")
		}
		return addresses{set: firewall.AddrsOf(p.Masked())}, w[1:], err
	case len(w) >= 2:
		p, err := c.masked(w[0], w[1])
		return addresses{set: firewall.AddrsOf(p)}, w[2:], err
	}
	return addresses{}, nil, errors.New("expected an address with a mask")
}

// addr reads an address or a name that the command "name" gave one.
func (c *configuration) addr(text string) (netip.Addr, error) {
	if known, ok := c.names[text]; ok {
		text = known
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return a, fmt.Errorf("%q: expected an address", cloud.OneLine(text, 60))
	}
	return a, nil
}

func (c *configuration) masked(address, mask string) (netip.Prefix, error) {
	a, err := c.addr(address)
	if err != nil {
		return netip.Prefix{}, err
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() || !a.Is4() {
		return netip.Prefix{}, fmt.Errorf("%q: expected a mask such as 255.255.255.0", cloud.OneLine(mask, 60))
	}
	b := m.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	length := bits.LeadingZeros32(^v)
	if v<<length != 0 {
		return netip.Prefix{}, fmt.Errorf("%q: expected a mask without gaps", cloud.OneLine(mask, 60))
	}
	return netip.PrefixFrom(a, length).Masked(), nil
}

// service resolves an object or a group of services, ports, protocols or ICMP
// types. What cannot be known is an alternative of its own.
func (c *configuration) service(name string, depth int) (*group, error) {
	g := c.services[name]
	switch {
	case g == nil:
		return nil, fmt.Errorf("object %s is not in this file", cloud.OneLine(name, 80))
	case g.done:
		return g, nil
	case g.busy || depth > maxNesting:
		return nil, fmt.Errorf("group %s holds itself or is nested too deep", cloud.OneLine(name, 80))
	}
	g.busy = true
	var spans []firewall.Span[firewall.Number]
	for _, m := range g.members {
		err := c.serviceMember(g, m, &spans, depth)
		if err != nil {
			g.ports.doubt = fmt.Sprintf("%s: %v", m.pos, err)
			g.terms = append(g.terms, []firewall.Match{cloud.Undecidable(g.ports.doubt)})
		}
	}
	g.ports.set = firewall.NewSet(spans...)
	g.busy, g.done = false, true
	return g, nil
}

func (c *configuration) serviceMember(g *group, s statement, spans *[]firewall.Span[firewall.Number], depth int) error {
	w := s.words
	switch {
	case w[0] == "group-object" && len(w) == 2, w[0] == "service-object" && len(w) == 3 && w[1] == "object":
		inner, err := c.service(w[len(w)-1], depth+1)
		if err != nil {
			return err
		}
		if len(g.terms)+len(inner.terms) > 10_000 {
			return errors.New("the group holds too many services; expected at most 10000")
		}
		g.terms = append(g.terms, inner.terms...)
		*spans = append(*spans, inner.ports.set.Spans()...)
		if inner.ports.doubt != "" {
			g.ports.doubt = inner.ports.doubt
		}
		return nil
	case w[0] == "port-object" || w[0] == "icmp-object" && len(w) == 2:
		set, rest, err := memberNumbers(w)
		if err == nil && len(rest) > 0 {
			err = errors.New("expected nothing after the ports")
		}
		if err == nil {
			*spans = append(*spans, set.Spans()...)
		}
		return err
	case w[0] == "service-object" || w[0] == "service" || w[0] == "protocol-object":
		terms, err := serviceTerms(w[1:])
		g.terms = append(g.terms, terms...)
		return err
	}
	return errors.New("expected a service, port, protocol or type")
}

func memberNumbers(w []string) (firewall.Numbers, []string, error) {
	if w[0] == "port-object" {
		return cisco.Operator(w[1:])
	}
	n, ok := cisco.ICMPType(1, w[1])
	if !ok {
		return firewall.Numbers{}, nil, errors.New("expected a type of ICMP")
	}
	return firewall.NumbersOf(n), nil, nil
}

// serviceTerms reads "tcp source eq 53 destination range 1 9", "tcp-udp
// destination eq domain", "icmp echo 0" or a protocol alone.
func serviceTerms(w []string) (alternatives, error) {
	if len(w) == 0 {
		return nil, errors.New("expected a protocol")
	}
	if w[0] == "ip" && len(w) == 1 {
		return alternatives{nil}, nil
	}
	numbers := []firewall.Number{6, 17}
	if w[0] != "tcp-udp" {
		n, ok := cisco.ProtocolNumber(w[0])
		if !ok {
			return nil, fmt.Errorf("protocol %q: expected a known name or a number", cloud.OneLine(w[0], 40))
		}
		numbers = []firewall.Number{n}
	}
	var more []firewall.Match
	rest := w[1:]
	if n := numbers[0]; n == 1 || n == 58 {
		m, left, err := icmpMatch(n, rest)
		if err != nil || len(left) > 0 {
			return nil, errors.New("expected a type and code of ICMP")
		}
		more, rest = m, nil
	}
	for len(rest) > 0 {
		field := firewall.DstPort
		switch rest[0] {
		case "source":
			field = firewall.SrcPort
			rest = rest[1:]
		case "destination":
			rest = rest[1:]
		}
		set, left, err := cisco.Operator(rest)
		if err != nil {
			return nil, err
		}
		more, rest = append(more, firewall.Match{Field: field, Numbers: set}), left
	}
	var out alternatives
	for _, n := range numbers {
		out = append(out, append([]firewall.Match{cloud.Protocol(n)}, more...))
	}
	return out, nil
}

// icmpMatch reads an optional type with an optional code.
func icmpMatch(protocol firewall.Number, w []string) ([]firewall.Match, []string, error) {
	if len(w) == 0 {
		return nil, w, nil
	}
	kind, ok := cisco.ICMPType(protocol, w[0])
	if !ok {
		return nil, w, nil
	}
	w = w[1:]
	code := int64(-1)
	if len(w) > 0 {
		if n, err := cisco.PortNumber(w[0]); err == nil && n < 256 && w[0][0] >= '0' && w[0][0] <= '9' {
			code, w = int64(n), w[1:]
		}
	}
	m, err := cloud.ICMPTypeCode(int64(kind), code)
	return m, w, err
}
