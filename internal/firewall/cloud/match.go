package cloud

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"go4.org/netipx"

	"reconshield/internal/firewall"
)

// Numbers of protocols (IANA, Assigned Internet Protocol Numbers).
const (
	ICMP   firewall.Number = 1
	IPIP   firewall.Number = 4
	TCP    firewall.Number = 6
	UDP    firewall.Number = 17
	ESP    firewall.Number = 50
	AH     firewall.Number = 51
	ICMPv6 firewall.Number = 58
	SCTP   firewall.Number = 132
)

// ProtocolNumber is the number of a protocol given by name or as a decimal
// number; case does not matter.
func ProtocolNumber(name string) (n firewall.Number, ok bool) {
	switch strings.ToLower(name) {
	case "icmp":
		return ICMP, true
	case "ipip":
		return IPIP, true
	case "tcp":
		return TCP, true
	case "udp":
		return UDP, true
	case "esp":
		return ESP, true
	case "ah":
		return AH, true
	case "icmpv6":
		return ICMPv6, true
	case "sctp":
		return SCTP, true
	}
	v, err := strconv.ParseUint(name, 10, 8)
	return firewall.Number(v), err == nil
}

// HasPorts reports whether the protocol has ports that clouds look at.
func HasPorts(n firewall.Number) bool { return n == TCP || n == UDP || n == SCTP }

// Undecidable is a match that cannot be known from the file, with the reason.
func Undecidable(why string) firewall.Match {
	return firewall.Match{Field: firewall.Undecidable, Why: OneLine(why, 300)}
}

// Merged makes one match of several alternatives none of which can be known, so
// that a rule with many stays one rule. It is nil for none.
func Merged(whys []string) []firewall.Match {
	switch len(whys) {
	case 0:
		return nil
	case 1:
		return []firewall.Match{Undecidable(whys[0])}
	}
	return []firewall.Match{Undecidable(fmt.Sprintf("%s, and %d more of that kind", OneLine(whys[0], 250), len(whys)-1))}
}

// Undecidables makes a match of each reason.
func Undecidables(whys []string) []firewall.Match {
	out := make([]firewall.Match, len(whys))
	for i, why := range whys {
		out[i] = Undecidable(why)
	}
	return out
}

// Protocol matches the protocol with a number.
func Protocol(n firewall.Number) firewall.Match {
	return firewall.Match{Field: firewall.Protocol, Numbers: firewall.NumbersOf(n)}
}

// Ports matches source or destination ports from first to last.
func Ports(f firewall.Field, first, last int64) (firewall.Match, error) {
	if first < 0 || last > 65535 || first > last {
		return firewall.Match{}, fmt.Errorf("ports %d-%d: expected a range within 0-65535", first, last)
	}
	return firewall.Match{Field: f, Numbers: firewall.NumberRange(firewall.Number(first), firewall.Number(last))}, nil
}

// PortList matches ports given as texts such as "53" and "8000-8080".
func PortList(f firewall.Field, texts []string) (firewall.Match, error) {
	spans := make([]firewall.Span[firewall.Number], 0, len(texts))
	for _, text := range texts {
		a, b, isRange := strings.Cut(text, "-")
		if !isRange {
			b = a
		}
		first, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
		last, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
		if err1 != nil || err2 != nil || first > last {
			return firewall.Match{}, fmt.Errorf("port %q: expected a number or a range within 0-65535", OneLine(text, 40))
		}
		spans = append(spans, firewall.Span[firewall.Number]{
			First: firewall.Number(first), Last: firewall.Number(last),
		})
	}
	return firewall.Match{Field: f, Numbers: firewall.NewSet(spans...)}, nil
}

// ICMPTypeCode matches a type and code of ICMP or ICMPv6; -1 stands for any.
// Without matches every message fulfils it.
func ICMPTypeCode(kind, code int64) ([]firewall.Match, error) {
	switch {
	case kind == -1 && code == -1:
		return nil, nil
	case kind >= 0 && kind <= 255 && code == -1:
		first := firewall.Number(kind) << 8
		return []firewall.Match{{Field: firewall.ICMPType, Numbers: firewall.NumberRange(first, first|255)}}, nil
	case kind >= 0 && kind <= 255 && code >= 0 && code <= 255:
		n := firewall.Number(kind)<<8 | firewall.Number(code)
		return []firewall.Match{{Field: firewall.ICMPType, Numbers: firewall.NumbersOf(n)}}, nil
	}
	return nil, fmt.Errorf("ICMP type %d code %d: expected -1 or 0-255, and no code without a type", kind, code)
}

// Range reads an address, a prefix or, as Azure takes them, two addresses with
// a hyphen between them. A prefix with host bits means its network.
func Range(text string) (firewall.Span[netip.Addr], error) {
	text = strings.TrimSpace(text)
	if p, err := netip.ParsePrefix(text); err == nil && !p.Addr().Is4In6() {
		return firewall.PrefixSpan(p.Masked()), nil
	}
	if a, err := netip.ParseAddr(text); err == nil && !a.Is4In6() && a.Zone() == "" {
		return firewall.Span[netip.Addr]{First: a, Last: a}, nil
	}
	if r, err := netipx.ParseIPRange(text); err == nil && !r.From().Is4In6() && r.From().Zone() == "" && r.To().Zone() == "" {
		return firewall.Span[netip.Addr]{First: r.From(), Last: r.To()}, nil
	}
	return firewall.Span[netip.Addr]{}, fmt.Errorf("%q: expected an address or a prefix such as 192.0.2.0/24", OneLine(text, 60))
}

// Addrs matches source or destination addresses.
func Addrs(f firewall.Field, set firewall.Addrs) firewall.Match {
	return firewall.Match{Field: f, Addrs: set}
}

// NotPublic is the address space that is not routed in the public Internet:
// private, shared, link-local, loopback, multicast and reserved (RFC 1918,
// RFC 4193, RFC 6598, RFC 6890). The prefixes for documentation count as
// public.
func NotPublic() firewall.Addrs {
	texts := []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3",
		"::/8", "100::/64", "fc00::/7", "fe80::/10", "ff00::/8",
	}
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return firewall.AddrsOf(prefixes...)
}

// Public is every other address.
func Public() firewall.Addrs { return firewall.AllOf(firewall.Inet).Subtract(NotPublic()) }

// Join puts conjunctions together without touching them.
func Join(parts ...[]firewall.Match) []firewall.Match {
	var out []firewall.Match
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
