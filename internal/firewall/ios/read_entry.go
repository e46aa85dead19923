package ios

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cisco"
	"reconshield/internal/firewall/cloud"
)

// entry is an access list entry being read.
type entry struct {
	*configuration
	family   firewall.Family
	w        []string
	services [][]firewall.Match
	protocol firewall.Number // of an entry with one; 0 otherwise
	matches  []firewall.Match
	isVoid   bool // no first packet of a conversation matches it
}

// rule translates a line of a list; ok is false for lines that are not rules.
// One that cannot be read may match any packet.
func (c *configuration) rule(l *list, s statement) (r firewall.Rule, ok bool) {
	r = firewall.Rule{Pos: s.pos, Text: cloud.OneLine(s.text, 300)}
	w := s.words
	if w[0] == "sequence" && len(w) > 2 {
		w = w[1:]
	}
	if _, err := strconv.ParseUint(w[0], 10, 32); err == nil && len(w) > 1 {
		w = w[1:]
	}
	switch w[0] {
	case "remark":
		return r, false
	case "permit":
		r.Action.Kind = firewall.Accept
	case "deny":
		r.Action.Kind = firewall.Drop
	case "evaluate":
		return r, true // of answers alone; the zero action continues
	default:
		r.Action = firewall.Action{Kind: firewall.Unknown, Why: "expected permit, deny, evaluate or remark"}
		return r, true
	}
	e := &entry{configuration: c, family: l.family, w: w[1:]}
	read := e.extended
	if l.standard {
		read = e.standard
	}
	if err := read(); err != nil {
		r.Matches = []firewall.Match{cloud.Undecidable(fmt.Sprintf("the entry cannot be read: %v", err))}
		return r, true
	}
	r.Matches = e.matches
	if e.isVoid {
		r.Action, r.Matches = firewall.Action{Kind: firewall.Continue}, nil
	}
	return r, true
}

// next takes the next word.
func (e *entry) next() string {
	if len(e.w) == 0 {
		return ""
	}
	word := e.w[0]
	e.w = e.w[1:]
	return word
}

// standard reads a source alone; an address without a wildcard is a host.
func (e *entry) standard() error {
	if len(e.w) == 1 || len(e.w) == 2 && e.w[1] == "log" {
		if e.w[0] != "any" {
			e.w = append([]string{"host"}, e.w...)
		}
	}
	if err := e.side(firewall.Src, 0); err != nil {
		return err
	}
	if word := e.next(); word != "" && word != "log" {
		return fmt.Errorf("%q: expected log or nothing", cloud.OneLine(word, 40))
	}
	return nil
}

func (e *entry) extended() error {
	if err := e.service(); err != nil {
		return err
	}
	if err := e.side(firewall.Src, firewall.SrcPort); err != nil {
		return err
	}
	if err := e.side(firewall.Dst, firewall.DstPort); err != nil {
		return err
	}
	if err := e.options(); err != nil {
		return err
	}
	if len(e.services) == 1 {
		e.matches = append(slices.Clone(e.services[0]), e.matches...)
	} else {
		e.matches = append([]firewall.Match{{Field: firewall.Tuple, Tuples: e.services}}, e.matches...)
	}
	return nil
}

// service reads the protocol, or the group that stands for it.
func (e *entry) service() error {
	word := e.next()
	if word == "object-group" {
		g, err := e.group(e.next(), 0)
		if err != nil {
			return err
		}
		if len(g.terms) == 0 {
			return errors.New("the group of services is empty")
		}
		e.services = g.terms
		return nil
	}
	if word == "ip" && e.family == firewall.IPv4 || word == "ipv6" && e.family == firewall.IPv6 {
		e.services = [][]firewall.Match{nil}
		return nil
	}
	n, err := protocol(word, e.family)
	if err != nil {
		return err
	}
	e.protocol, e.services = n, [][]firewall.Match{{cloud.Protocol(n)}}
	return nil
}

// protocol is the number of a protocol; icmp in lists of IPv6 is ICMPv6.
func protocol(word string, family firewall.Family) (firewall.Number, error) {
	switch {
	case word == "icmp" && family == firewall.IPv6:
		return cloud.ICMPv6, nil
	case word == "ahp":
		return cloud.AH, nil
	}
	n, ok := cisco.ProtocolNumber(word)
	if !ok {
		return 0, fmt.Errorf("protocol %q: expected a known name, a number or a group", cloud.OneLine(word, 40))
	}
	return n, nil
}

// side reads the addresses and the ports of one side.
func (e *entry) side(field, ports firewall.Field) error {
	if len(e.w) == 0 {
		return errors.New("expected addresses")
	}
	a, rest, err := e.addresses(e.w)
	if err != nil {
		return err
	}
	e.w = rest
	if !a.isAny {
		e.matches = append(e.matches, a.match(field))
	}
	if !cloud.HasPorts(e.protocol) || len(e.w) == 0 || !cisco.IsOperator(e.w[0]) {
		return nil
	}
	return e.ports(ports)
}

// ports reads an operator; eq and neq take several ports.
func (e *entry) ports(field firewall.Field) error {
	kind := e.w[0]
	set, rest, err := cisco.Operator(e.w)
	if err != nil {
		return err
	}
	e.w = rest
	for kind == "eq" || kind == "neq" {
		p, ok := e.port()
		if !ok {
			break
		}
		if kind == "eq" {
			set = set.Union(firewall.NumbersOf(p))
		} else {
			set = set.Subtract(firewall.NumbersOf(p))
		}
	}
	e.matches = append(e.matches, firewall.Match{Field: field, Numbers: set})
	return nil
}

// port takes the next word if it is a port.
func (e *entry) port() (firewall.Number, bool) {
	if len(e.w) == 0 {
		return 0, false
	}
	p, err := cisco.PortNumber(e.w[0])
	if err == nil {
		e.w = e.w[1:]
	}
	return p, err == nil
}

// options reads what may follow the addresses.
func (e *entry) options() error {
	if len(e.w) > 0 && (e.protocol == cloud.ICMP || e.protocol == cloud.ICMPv6) {
		e.icmp()
	}
	for len(e.w) > 0 {
		switch word := e.next(); word {
		case "log", "log-input":
		case "fragments":
			e.isVoid = true // of the later fragments of a packet alone
		case "established":
			e.established()
		case "reflect":
			e.next()
			if len(e.w) > 1 && e.w[0] == "timeout" {
				e.w = e.w[2:]
			}
		case "time-range":
			e.matches = append(e.matches, cloud.Undecidable("time-range "+e.next()+" depends on the time"))
		case "dscp", "precedence", "tos", "option", "ttl", "flow-label":
			return fmt.Errorf("the condition %s is not read", word)
		default:
			return fmt.Errorf("%q: expected log, established, reflect, fragments or time-range", cloud.OneLine(word, 40))
		}
	}
	return nil
}

// established matches segments of TCP with ACK or RST, whoever sends them.
func (e *entry) established() {
	var spans []firewall.Span[firewall.Number]
	for v := range firewall.Number(256) {
		if v&(firewall.ACK|firewall.RST) != 0 {
			spans = append(spans, firewall.Span[firewall.Number]{First: v, Last: v})
		}
	}
	e.matches = append(e.matches, firewall.Match{Field: firewall.TCPFlags, Numbers: firewall.NewSet(spans...)})
}

// icmp reads a type with an optional code, or the name of both.
func (e *entry) icmp() {
	kind, code, ok := icmpName(e.protocol, e.w[0])
	if !ok {
		return
	}
	e.next()
	if code < 0 && len(e.w) > 0 {
		if n, err := strconv.ParseUint(e.w[0], 10, 8); err == nil {
			code = int64(n)
			e.next()
		}
	}
	if m, err := cloud.ICMPTypeCode(kind, code); err == nil {
		e.matches = append(e.matches, m...)
	}
}

// icmpNames are the types and codes that IOS has names for, beside those that it
// shares with ASA; a code of -1 is any.
//
//nolint:gochecknoglobals // read-only table
var icmpNames = map[firewall.Number]map[string][2]int64{
	cloud.ICMP: {
		"net-unreachable": {3, 0}, "host-unreachable": {3, 1}, "protocol-unreachable": {3, 2}, "port-unreachable": {3, 3},
		"packet-too-big": {3, 4}, "administratively-prohibited": {3, 13}, "ttl-exceeded": {11, 0}, "reassembly-timeout": {11, 1},
	},
	cloud.ICMPv6: {
		"destination-unreachable": {1, -1}, "no-route": {1, 0}, "port-unreachable": {1, 4}, "hop-limit": {3, 0},
		"echo-request": {128, -1}, "nd-ns": {135, -1}, "nd-na": {136, -1},
	},
}

// icmpName is the type and code of a name; a code of -1 is any.
func icmpName(protocol firewall.Number, name string) (kind, code int64, ok bool) {
	if p, ok := icmpNames[protocol][name]; ok {
		return p[0], p[1], true
	}
	n, ok := cisco.ICMPType(protocol, name)
	return int64(n), -1, ok
}
