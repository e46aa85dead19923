package exposure

import (
	"cmp"
	"fmt"
	"net/netip"
)

// Transport is what carries an exchange. Ports are measured over UDP and TCP;
// checks may also name the encrypted carriers that run on top of them.
type Transport string

// Transports. TLS is DNS over TLS (RFC 7858), QUIC is DNS over QUIC
// (RFC 9250), HTTPS is DNS over HTTPS (RFC 8484).
const (
	UDP   Transport = "udp"
	TCP   Transport = "tcp"
	TLS   Transport = "tls"
	QUIC  Transport = "quic"
	HTTPS Transport = "https"
)

// Base returns the transport whose port is used: TCP for TLS and HTTPS, UDP
// for QUIC, itself otherwise.
func (t Transport) Base() Transport {
	switch t {
	case TLS, HTTPS:
		return TCP
	case QUIC:
		return UDP
	case UDP, TCP:
		return t
	}
	return t
}

// Target is one address × transport × port to be measured.
type Target struct {
	Addr      netip.Addr
	Transport Transport
	Port      uint16
}

// AddrPort is the target's socket address.
func (t Target) AddrPort() netip.AddrPort { return netip.AddrPortFrom(t.Addr, t.Port) }

// String is "udp/192.0.2.1:53" or "tcp/[2001:db8::1]:53".
func (t Target) String() string { return fmt.Sprintf("%s/%s", t.Transport, t.AddrPort()) }

// Compare orders by address, then port, then transport.
func (t Target) Compare(o Target) int {
	return cmp.Or(t.Addr.Compare(o.Addr), cmp.Compare(t.Port, o.Port), cmp.Compare(t.Transport, o.Transport))
}
