package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"reconshield/internal/firewall"
)

// dtype is a data type of nft as far as its values bear on the model.
type dtype struct {
	kind    dkind
	bits    bool // a bitmask: without an operator any of the bits matches
	domain  []firewall.Number
	symbols func(string) (firewall.Number, bool)
	what    string // for errors
}

type dkind uint8

const (
	opaque dkind = iota // values that are not looked at
	addr4
	addr6
	number
	ifname
)

// part is one converted value: the span of one component of a key.
type part struct {
	kind dkind
	addr firewall.Span[netip.Addr]
	num  firewall.Span[firewall.Number]
	name string
}

// part converts a literal, a range or an expression of constants.
func (d dtype) part(e *expr) (part, error) {
	switch d.kind {
	case addr4, addr6:
		return d.addrPart(e)
	case ifname:
		return d.namePart(e)
	case number:
		if e.kind == exRange && len(e.args) == 2 {
			first, err := d.number(&e.args[0], 0)
			if err != nil {
				return part{}, err
			}
			last, err := d.number(&e.args[1], 0)
			return part{kind: number, num: firewall.Span[firewall.Number]{First: first, Last: last}}, err
		}
		n, err := d.number(e, 0)
		return part{kind: number, num: firewall.Span[firewall.Number]{First: n, Last: n}}, err
	case opaque:
	}
	return part{kind: opaque}, nil
}

func (d dtype) namePart(e *expr) (part, error) {
	if e.kind != exValue || e.text == "" {
		return part{}, errors.New("expected the name of an interface")
	}
	if strings.Contains(strings.TrimSuffix(e.text, "*"), "*") || strings.Contains(e.text, `\`) {
		return part{}, fmt.Errorf("%s: a star inside the name of an interface", clip(e.text, 40))
	}
	if _, err := strconv.Atoi(e.text); err == nil {
		return part{}, fmt.Errorf("interface %s is an index that names no interface", e.text)
	}
	return part{kind: ifname, name: e.text}, nil
}

func (d dtype) addrPart(e *expr) (part, error) {
	if e.kind == exRange && len(e.args) == 2 {
		first, err1 := d.addr(e.args[0].text)
		last, err2 := d.addr(e.args[1].text)
		return part{kind: d.kind, addr: firewall.Span[netip.Addr]{First: first, Last: last}}, errors.Join(err1, err2)
	}
	if e.kind != exValue {
		return part{}, errors.New("expected an address, a prefix or a range")
	}
	if !strings.Contains(e.text, "/") {
		a, err := d.addr(e.text)
		return part{kind: d.kind, addr: firewall.Span[netip.Addr]{First: a, Last: a}}, err
	}
	p, err := netip.ParsePrefix(e.text)
	if err != nil || p.Addr().Is4() != (d.kind == addr4) {
		return part{}, fmt.Errorf("expected a prefix, found %q", clip(e.text, 40))
	}
	return part{kind: d.kind, addr: firewall.PrefixSpan(p.Masked())}, nil
}

func (d dtype) addr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is4() != (d.kind == addr4) || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("expected an address, found %q", clip(text, 40))
	}
	return a, nil
}

// number gives the value of an expression of constants.
func (d dtype) number(e *expr, depth int) (firewall.Number, error) {
	if depth > maxDepth {
		return 0, errors.New("nested too deeply")
	}
	switch {
	case e.kind == exValue:
		return d.literal(e.text)
	case e.kind == exBits && len(e.args) == 2:
		a, err := d.number(&e.args[0], depth+1)
		if err != nil {
			return 0, err
		}
		b, err := d.number(&e.args[1], depth+1)
		return bitOp(e.text, a, b), err
	case e.kind == exList && d.bits:
		var all firewall.Number
		for i := range e.args {
			n, err := d.number(&e.args[i], depth+1)
			if err != nil {
				return 0, err
			}
			all |= n
		}
		return all, nil
	}
	return 0, fmt.Errorf("expected %s", d.what)
}

func (d dtype) literal(text string) (firewall.Number, error) {
	if text != "" && text[0] >= '0' && text[0] <= '9' {
		n, err := strconv.ParseUint(text, 0, 32)
		if err == nil {
			return firewall.Number(n), nil
		}
	}
	if d.symbols != nil {
		if n, ok := d.symbols(text); ok {
			return n, nil
		}
	}
	return 0, fmt.Errorf("expected %s, found %q", d.what, clip(text, 40))
}

func bitOp(op string, a, b firewall.Number) firewall.Number {
	switch op {
	case "&":
		return a & b
	case "|":
		return a | b
	case "^":
		return a ^ b
	case "<<":
		return a << min(b, 32)
	case ">>":
		return a >> min(b, 32)
	}
	return 0
}

// typeOf is the data type by nft's name for it, as in "type ipv4_addr".
func typeOf(name string) dtype {
	switch name {
	case "ipv4_addr":
		return dtype{kind: addr4}
	case "ipv6_addr":
		return dtype{kind: addr6}
	case "ifname", "iface_index":
		return dtype{kind: ifname}
	case "inet_service":
		return dtype{kind: number, symbols: portNumber, what: "a port"}
	case "inet_proto":
		return dtype{kind: number, symbols: protocolNumber, what: "a protocol"}
	case "icmp_type":
		return dtype{kind: number, symbols: icmpType, what: "an ICMP type"}
	case "icmpv6_type":
		return dtype{kind: number, symbols: icmp6Type, what: "an ICMPv6 type"}
	case "icmp_code":
		return dtype{kind: number, symbols: icmpCode, what: "an ICMP code"}
	case "icmpv6_code":
		return dtype{kind: number, symbols: icmp6Code, what: "an ICMPv6 code"}
	case "ct_state":
		return dtype{kind: number, bits: true, domain: []firewall.Number{1, 2, 4, 8, 64}, symbols: ctState, what: "a state"}
	case "ct_status":
		return dtype{kind: number, bits: true, symbols: ctStatus, what: "a status"}
	case "ct_dir":
		return dtype{kind: number, domain: []firewall.Number{0, 1}, symbols: ctDirection, what: "a direction"}
	case "tcp_flag":
		return dtype{kind: number, bits: true, domain: numbersTo(256), symbols: tcpFlag, what: "TCP flags"}
	case "fib_addrtype":
		return dtype{kind: number, symbols: addrTypeNumber, what: "a type of address"}
	case "boolean":
		return dtype{kind: number, domain: []firewall.Number{0, 1}, symbols: presence, what: "missing or exists"}
	case "pkt_type":
		return dtype{kind: number, symbols: packetTypeNumber, what: "a type of packet"}
	case "nf_proto":
		return dtype{kind: number, domain: []firewall.Number{2, 10}, symbols: nfProto, what: "ipv4 or ipv6"}
	case "ether_type":
		return dtype{kind: number, domain: []firewall.Number{0x0800, 0x86dd}, symbols: etherType, what: "an Ethernet type"}
	}
	return dtype{kind: opaque}
}

// numbersTo is 0 to n-1.
func numbersTo(n firewall.Number) []firewall.Number {
	out := make([]firewall.Number, n)
	for i := range out {
		out[i] = firewall.Number(i) //nolint:gosec // n is small
	}
	return out
}

// clip shortens text from a file for a message of one line: at most n bytes and
// an ellipsis.
func clip(s string, n int) string {
	whole := len(s)
	if whole > n {
		s = s[:n]
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, s)
	}
	if whole > n {
		s += "…"
	}
	return s
}
