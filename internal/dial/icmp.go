package dial

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"reconshield/internal/exposure"
)

// icmpError is one ICMP error about a datagram or connection of ours.
type icmpError struct {
	reason   exposure.Reason
	offender netip.Addr     // who sent it; may be one of our own addresses
	dest     netip.AddrPort // where the packet it complains about was going
	quoted   []byte         // what it quotes of our payload; may be empty
}

// Layout of struct sock_extended_err and the socket address behind it, as the
// Linux error queue gives them (linux/errqueue.h).
const (
	extendedErrLen = 16
	originICMP     = 2 // SO_EE_ORIGIN_ICMP
	originICMP6    = 3 // SO_EE_ORIGIN_ICMP6
	familyIPv4     = 2
	familyIPv6     = 10
)

// parseExtendedError reads the content of an IP_RECVERR or IPV6_RECVERR control
// message. It reports false for what is no ICMP error, is cut short, or is an
// ICMP message that says nothing about reachability (such as fragmentation
// needed). dest and quoted stay empty: they are not in b.
func parseExtendedError(b []byte) (icmpError, bool) {
	if len(b) < extendedErrLen {
		return icmpError{}, false
	}
	origin, kind, code := b[4], b[5], b[6]
	var e icmpError
	switch origin {
	case originICMP:
		e.reason = reasonICMPv4(kind, code)
	case originICMP6:
		e.reason = reasonICMPv6(kind, code)
	}
	if e.reason == "" {
		return icmpError{}, false
	}
	e.offender = parseSockaddr(b[extendedErrLen:])
	return e, true
}

// parseSockaddr reads a struct sockaddr_in or sockaddr_in6; the zero Addr when
// it is neither.
func parseSockaddr(b []byte) netip.Addr {
	if len(b) < 2 {
		return netip.Addr{}
	}
	switch family := binary.NativeEndian.Uint16(b); {
	case family == familyIPv4 && len(b) >= 8:
		return netip.AddrFrom4([4]byte(b[4:8]))
	case family == familyIPv6 && len(b) >= 24:
		return netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	}
	return netip.Addr{}
}

// reasonICMPv4 names an ICMP type and code (RFC 792, RFC 1122 section 3.2.2.1,
// RFC 1812 section 5.2.7.1); "" for what does not decide a state.
func reasonICMPv4(kind, code byte) exposure.Reason {
	const destinationUnreachable, timeExceeded = 3, 11
	switch kind {
	case timeExceeded:
		return exposure.ReasonTimeExceeded
	case destinationUnreachable:
		switch code {
		case 0, 5, 6, 11: // network; source route failed; network unknown; network for this service
			return exposure.ReasonNetUnreachable
		case 1, 7, 8, 12: // host; host unknown; host isolated; host for this service
			return exposure.ReasonHostUnreachable
		case 2:
			return exposure.ReasonProtoUnreach
		case 3:
			return exposure.ReasonPortUnreachable
		case 9, 10, 13, 14, 15: // network, host, communication prohibited; precedence
			return exposure.ReasonAdminProhibited
		}
	}
	return ""
}

// reasonICMPv6 names an ICMPv6 type and code (RFC 4443 section 3, RFC 7084 for
// code 5); "" for what does not decide a state.
func reasonICMPv6(kind, code byte) exposure.Reason {
	const destinationUnreachable, timeExceeded, parameterProblem = 1, 3, 4
	switch kind {
	case timeExceeded:
		return exposure.ReasonTimeExceeded
	case parameterProblem:
		if code == 1 { // next header not recognised
			return exposure.ReasonProtoUnreach
		}
	case destinationUnreachable:
		switch code {
		case 0, 2, 7: // no route; beyond scope of source; error in source routing header
			return exposure.ReasonNetUnreachable
		case 1, 5, 6: // prohibited; source failed policy; reject route
			return exposure.ReasonAdminProhibited
		case 3:
			return exposure.ReasonHostUnreachable
		case 4:
			return exposure.ReasonPortUnreachable
		}
	}
	return ""
}

// concerns reports whether e is about the payload sent to server. An ICMP error
// need quote only eight bytes of UDP, its header (RFC 792), and what follows
// may be padding or an extension (RFC 4884), so that only the first bytes of
// the payload can be compared, when they are there.
func (e icmpError) concerns(server netip.AddrPort, payload []byte) bool {
	const compared = 8
	n := min(compared, len(e.quoted), len(payload))
	return samePort(e.dest, server) && bytes.Equal(e.quoted[:n], payload[:n])
}
