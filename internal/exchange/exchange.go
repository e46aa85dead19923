// Package exchange describes one exchange with a port as values: what to send,
// how long to wait, what came back. It sends nothing; adapters do.
package exchange

import (
	"crypto/x509"
	"net/netip"
	"time"

	"reconshield/internal/exposure"
)

// Bounds on what is kept of a peer's answer.
const (
	MaxDatagram = 65535
	MaxStream   = 64 << 10
)

// Request is one message to one server.
type Request struct {
	Server    netip.AddrPort
	Transport exposure.Transport
	// Payload is the UDP payload, or the DNS message without the length prefix
	// for TCP, TLS, QUIC and HTTPS.
	Payload []byte
	// Timeouts gives the wait after each attempt and thereby the number of
	// attempts; only UDP sends more than once. TCP-based transports use the sum
	// for connection and answer together. Empty: one attempt of two seconds.
	Timeouts []time.Duration
	// Accept reports whether a UDP datagram answers Payload; nil accepts any.
	// It must not keep b. Datagrams from other addresses than Server are offered too.
	Accept func(b []byte) bool
	// Linger keeps a UDP socket listening after the first accepted reply, to
	// see duplicates and second senders.
	Linger time.Duration
	// HopLimit sets the IP TTL or hop limit; 0 leaves the system's.
	HopLimit int
	// SourcePort 0 lets the system choose a random one.
	SourcePort uint16
	// ServerName is for TLS certificates and the HTTPS URL; empty uses the address.
	ServerName string
	// Path is the HTTPS path, "/dns-query" when empty.
	Path string
	// Messages is how many DNS messages to read from a stream; 0 means 1.
	Messages int
	// Pipeline holds further messages sent on the same stream without waiting.
	Pipeline [][]byte
}

// Reply is what came back. A request that met only silence is a Reply with
// Reason timeout, not an error: silence is a measurement.
type Reply struct {
	Payload  []byte          // first accepted answer; nil when none
	More     []Datagram      // further UDP replies (Linger), or further stream messages
	From     netip.AddrPort  // who answered; differs from Server for a transparent forwarder
	Reason   exposure.Reason // why the exchange ended as it did
	Offender netip.Addr      // who sent the ICMP error, when Reason is one
	RTT      time.Duration   // of the attempt that was answered
	Attempts int
	BytesOut int    // payload bytes of one attempt
	TLS      *TLS   // for TLS, QUIC and HTTPS
	HTTP     *HTTP  // for HTTPS
	Detail   string // the operation error as text, when there was one
}

// Answered reports whether a payload came back.
func (r Reply) Answered() bool { return len(r.Payload) > 0 }

// Datagram is one further answer.
type Datagram struct {
	Payload []byte
	From    netip.AddrPort
	After   time.Duration // since the first attempt
}

// TLS is what the handshake showed. Certificates are never trusted for the
// connection to go on: a scanner wants to see bad ones too.
type TLS struct {
	Version string // "TLS 1.3"
	ALPN    string
	Chain   []*x509.Certificate // leaf first, as sent
	Invalid string              // why verification against the system's roots and ServerName failed; "" when it verified
}

// HTTP is what a DoH exchange showed beside the message.
type HTTP struct {
	Status      int
	ContentType string
	Server      string
	Body        []byte // bounded to MaxStream
}
