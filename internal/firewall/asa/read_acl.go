package asa

import (
	"errors"
	"fmt"
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cisco"
	"reconshield/internal/firewall/cloud"
)

// ace is an access list entry being read.
type ace struct {
	*configuration
	w        []string
	services alternatives
	protocol firewall.Number // of an entry with one; 0 otherwise
	hasPorts bool            // ports may follow the addresses
	matches  []firewall.Match
	inactive bool
}

// rule translates a line of an access list. One that cannot be read may match
// any packet.
func (c *configuration) rule(s statement) firewall.Rule {
	r := firewall.Rule{Pos: s.pos, Text: cloud.OneLine(s.text, 300)}
	if s.words[2] != "extended" || len(s.words) < 5 {
		r.Action = firewall.Action{Kind: firewall.Unknown, Why: "expected an extended access list; other kinds are not read"}
		return r
	}
	switch s.words[3] {
	case "permit":
		r.Action.Kind = firewall.Accept
	case "deny":
		r.Action.Kind = firewall.Drop
	default:
		r.Action = firewall.Action{Kind: firewall.Unknown, Why: "expected permit or deny"}
		return r
	}
	a := &ace{configuration: c, w: s.words[4:]}
	if err := a.read(); err != nil {
		r.Matches = []firewall.Match{cloud.Undecidable(fmt.Sprintf("the entry cannot be read: %v", err))}
		return r
	}
	r.Matches = a.matches
	if a.inactive {
		r.Action, r.Matches = firewall.Action{Kind: firewall.Continue}, nil
	}
	return r
}

func (a *ace) read() error {
	if err := a.service(); err != nil {
		return err
	}
	if err := a.side(firewall.Src, firewall.SrcPort); err != nil {
		return err
	}
	if err := a.side(firewall.Dst, firewall.DstPort); err != nil {
		return err
	}
	if a.protocol == cloud.ICMP || a.protocol == cloud.ICMPv6 {
		if err := a.icmp(); err != nil {
			return err
		}
	}
	if err := a.options(); err != nil {
		return err
	}
	switch {
	case len(a.services) == 1:
		a.matches = append(slices.Clone(a.services[0]), a.matches...)
	default:
		a.matches = append([]firewall.Match{{Field: firewall.Tuple, Tuples: a.services}}, a.matches...)
	}
	return nil
}

// next takes the next word.
func (a *ace) next() string {
	if len(a.w) == 0 {
		return ""
	}
	word := a.w[0]
	a.w = a.w[1:]
	return word
}

// service reads the protocol, or the object that stands for it.
func (a *ace) service() error {
	word := a.next()
	switch word {
	case "object", "object-group":
		g, err := a.configuration.service(a.next(), 0)
		if err != nil {
			return err
		}
		a.services, a.hasPorts = g.terms, g.kind == "protocol"
		if len(g.terms) == 0 {
			return errors.New("the group of services is empty")
		}
		return nil
	case "ip":
		a.services = alternatives{nil}
		return nil
	}
	n, ok := cisco.ProtocolNumber(word)
	if !ok {
		return fmt.Errorf("protocol %q: expected a known name, a number or a group", cloud.OneLine(word, 40))
	}
	a.protocol, a.hasPorts = n, n == cloud.TCP || n == cloud.UDP || n == cloud.SCTP
	a.services = alternatives{{cloud.Protocol(n)}}
	return nil
}

// side reads the addresses and the ports of one side.
func (a *ace) side(field, ports firewall.Field) error {
	addrs, isAny, err := a.addresses()
	if err != nil {
		return err
	}
	if !isAny {
		a.matches = append(a.matches, addrs.match(field))
	}
	if !a.hasPorts || len(a.w) == 0 {
		return nil
	}
	if a.w[0] == "object-group" && len(a.w) >= 2 && a.networks[a.w[1]] == nil && a.services[0] != nil {
		return a.portGroup(ports)
	}
	if !cisco.IsOperator(a.w[0]) {
		return nil
	}
	set, rest, err := cisco.Operator(a.w)
	a.w = rest
	a.matches = append(a.matches, firewall.Match{Field: ports, Numbers: set})
	return err
}

func (a *ace) portGroup(field firewall.Field) error {
	g, err := a.configuration.service(a.w[1], 0)
	if err != nil {
		return err
	}
	a.w = a.w[2:]
	m := firewall.Match{Field: field, Numbers: g.ports.set}
	if g.ports.doubt != "" {
		m = firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{{m}, {cloud.Undecidable(g.ports.doubt)}}}
	}
	a.matches = append(a.matches, m)
	return nil
}

// match is the condition that an address is among those of an object.
func (a addresses) match(field firewall.Field) firewall.Match {
	m := cloud.Addrs(field, a.set)
	if a.doubt == "" {
		return m
	}
	return firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{{m}, {cloud.Undecidable(a.doubt)}}}
}

func (a *ace) addresses() (addrs addresses, isAny bool, err error) {
	if len(a.w) == 0 {
		return addrs, false, errors.New("expected addresses")
	}
	switch a.w[0] {
	case "any":
		a.w = a.w[1:]
		return addrs, true, nil
	case "any4", "any6":
		family := firewall.IPv4
		if a.next() == "any6" {
			family = firewall.IPv6
		}
		return addresses{set: firewall.AllOf(family)}, false, nil
	case "object", "object-group":
		a.next()
		return a.network(a.next(), 0), false, nil
	case "user", "user-group", "object-group-user", "object-group-security":
		a.matches = append(a.matches, cloud.Undecidable(a.next()+" "+cloud.OneLine(a.next(), 60)+" depends on who is logged in"))
		return a.addresses()
	case "interface":
		a.next()
		return addresses{doubt: "the address of the interface " + cloud.OneLine(a.next(), 60) + " is not read"}, false, nil
	}
	addrs, rest, err := a.literal(a.w)
	a.w = rest
	return addrs, false, err
}

func (a *ace) icmp() error {
	if len(a.w) >= 2 && a.w[0] == "object-group" {
		g, err := a.configuration.service(a.w[1], 0)
		if err != nil {
			return err
		}
		if g.ports.doubt != "" || a.protocol == cloud.ICMPv6 {
			return errors.New("a group of ICMP types that is not understood")
		}
		a.w = a.w[2:]
		var spans []firewall.Span[firewall.Number]
		for _, s := range g.ports.set.Spans() {
			spans = append(spans, firewall.Span[firewall.Number]{First: s.First << 8, Last: s.Last<<8 | 255})
		}
		a.matches = append(a.matches, firewall.Match{Field: firewall.ICMPType, Numbers: firewall.NewSet(spans...)})
		return nil
	}
	m, rest, err := icmpMatch(a.protocol, a.w)
	a.matches, a.w = append(a.matches, m...), rest
	return err
}

// options reads what may follow: logging, a time range, inactivity.
func (a *ace) options() error {
	for len(a.w) > 0 {
		switch word := a.next(); word {
		case "log":
			a.logging()
		case "inactive":
			a.inactive = true
		case "time-range":
			a.matches = append(a.matches, cloud.Undecidable("time-range "+a.next()+" depends on the time"))
		default:
			return fmt.Errorf("%q: expected log, time-range or inactive", cloud.OneLine(word, 40))
		}
	}
	return nil
}

// logging passes over the level and interval of log.
func (a *ace) logging() {
	levels := []string{
		"emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging",
		"default", "disable", "0", "1", "2", "3", "4", "5", "6", "7",
	}
	if len(a.w) > 0 && slices.Contains(levels, a.w[0]) {
		a.next()
	}
	if len(a.w) > 1 && a.w[0] == "interval" {
		a.w = a.w[2:]
	}
}
