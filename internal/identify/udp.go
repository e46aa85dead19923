package identify

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// mdnsPort is the port of multicast DNS (RFC 6762 section 3).
const mdnsPort = 5353

// UDP finds what listens on a UDP port: it asks DNS first and, when no answer
// came soon, offers OpenVPN and QUIC as well. WireGuard stays silent to
// everybody but its own peers and so cannot be proven; the Unknown result says
// so.
func (i *Identifier) UDP(ctx context.Context, t exposure.Target) exposure.Service {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		service exposure.Service
		proven  bool
	}
	results := make(chan result, 3)
	start := func(probe func(context.Context, exposure.Target) (exposure.Service, bool)) {
		go func() {
			s, ok := probe(ctx, t)
			results <- result{s, ok}
		}()
	}
	start(i.datagramDNS)
	headStart := time.NewTimer(i.opts.Answer * 2 / 5)
	defer headStart.Stop()
	for waiting, others := 1, false; waiting > 0; {
		select {
		case r := <-results:
			if r.proven {
				return r.service
			}
			waiting--
		case <-headStart.C:
		}
		if !others {
			others = true
			start(i.openVPN)
			start(i.quic)
			waiting += 2
		}
	}
	return unproven("no probe was answered",
		"DNS, OpenVPN and QUIC were offered; OpenVPN with tls-auth or tls-crypt answers nobody without its key",
		"WireGuard answers only its own peers and cannot be proven from outside")
}

// send makes one exchange in which two attempts share the patience.
func (i *Identifier) send(ctx context.Context, t exposure.Target, payload []byte, accept func([]byte) bool) exchange.Reply {
	if i.pace(ctx) != nil {
		return exchange.Reply{Reason: exposure.ReasonCancelled}
	}
	return i.x.Exchange(ctx, exchange.Request{
		Server: t.AddrPort(), Transport: exposure.UDP, Payload: payload, Accept: accept,
		Timeouts: []time.Duration{i.opts.Answer * 2 / 5, i.opts.Answer * 3 / 5},
	})
}

func (i *Identifier) datagramDNS(ctx context.Context, t exposure.Target) (exposure.Service, bool) {
	query, err := plainQuestion()
	if t.Port == mdnsPort {
		query, err = dnswire.Query{Name: "_services._dns-sd._udp.local.", Type: dnswire.TypePTR}.Pack(0)
	}
	if err != nil {
		return exposure.Service{}, false
	}
	id := random(2)
	copy(query, id)
	r := i.send(ctx, t, query, func(b []byte) bool { return dnswire.Answers(b, query) })
	if !r.Answered() {
		return exposure.Service{}, false
	}
	s := exposure.Service{Protocol: DNS, Confidence: exposure.High, How: "a DNS answer"}
	if t.Port == mdnsPort {
		s.Protocol, s.How = "mdns", "a unicast multicast-DNS answer"
	}
	if r.From.IsValid() && r.From.Addr().Unmap() != t.Addr.Unmap() {
		s.Details = append(s.Details, "the answer came from "+r.From.String())
	}
	return s, true
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// The opcodes of OpenVPN's control channel, in the upper five bits of the
// first byte; the key id below them is 0 in a first packet.
const (
	vpnClientReset = 7 << 3 // P_CONTROL_HARD_RESET_CLIENT_V2
	vpnServerReset = 8 << 3 // P_CONTROL_HARD_RESET_SERVER_V2
	vpnSession     = 8      // bytes of a session id
)

// openVPN sends the packet that opens a session: reset, own session, no
// acknowledgements, packet 0.
func (i *Identifier) openVPN(ctx context.Context, t exposure.Target) (exposure.Service, bool) {
	session := random(vpnSession)
	packet := append([]byte{vpnClientReset}, session...)
	packet = append(packet, 0, 0, 0, 0, 0)
	r := i.send(ctx, t, packet, func(b []byte) bool { return vpnAnswers(b, session) })
	if !r.Answered() {
		return exposure.Service{}, false
	}
	return exposure.Service{Protocol: OpenVPN, Name: "OpenVPN", Confidence: exposure.High, How: "server hard reset that acknowledges our session"}, true
}

// vpnAnswers reports whether b is a server's reset that acknowledges our
// packet 0 and names our session.
func vpnAnswers(b, session []byte) bool {
	const acksAt, least = 1 + vpnSession, 1 + vpnSession + 1
	if len(b) < least || b[0]&^7 != vpnServerReset {
		return false
	}
	acks := int(b[acksAt])
	remote := acksAt + 1 + 4*acks
	return acks > 0 && len(b) >= remote+vpnSession && bytes.Equal(b[remote:remote+vpnSession], session)
}

// QUIC (RFC 9000). A version of the pattern 0x?a?a?a?a is reserved to make
// servers negotiate (section 15); an Initial is at least 1200 bytes (section
// 14.1), which also keeps the answer smaller than the question.
const (
	quicReserved = 0x1a2a3a4a
	quicInitial  = 1200
	quicID       = 8
)

func (i *Identifier) quic(ctx context.Context, t exposure.Target) (exposure.Service, bool) {
	to, from := random(quicID), random(quicID)
	packet := make([]byte, 0, quicInitial)
	packet = append(packet, 0xc0)
	packet = binary.BigEndian.AppendUint32(packet, quicReserved)
	packet = append(append(packet, quicID), to...)
	packet = append(append(packet, quicID), from...)
	packet = packet[:quicInitial]
	r := i.send(ctx, t, packet, func(b []byte) bool { _, ok := quicVersions(b, to, from); return ok })
	if !r.Answered() {
		return exposure.Service{}, false
	}
	versions, _ := quicVersions(r.Payload, to, from)
	s := exposure.Service{Protocol: QUIC, Confidence: exposure.High, How: "QUIC version negotiation"}
	for _, v := range versions {
		s.Details = append(s.Details, "offers QUIC version "+versionName(v))
	}
	return s, true
}

// quicVersions reads a version negotiation packet (RFC 9000 section 17.2.1):
// version 0, our connection ids exchanged, then the versions offered.
func quicVersions(b, to, from []byte) ([]uint32, bool) {
	const header = 5
	if len(b) < header || b[0]&0x80 == 0 || binary.BigEndian.Uint32(b[1:]) != 0 {
		return nil, false
	}
	rest, ok := connectionID(b[header:], from)
	if !ok {
		return nil, false
	}
	rest, ok = connectionID(rest, to)
	if !ok || len(rest) == 0 || len(rest)%4 != 0 {
		return nil, false
	}
	const most = 16
	var versions []uint32
	for ; len(rest) > 0 && len(versions) < most; rest = rest[4:] {
		versions = append(versions, binary.BigEndian.Uint32(rest))
	}
	return versions, true
}

func connectionID(b, want []byte) (rest []byte, ok bool) {
	if len(b) < 1+len(want) || int(b[0]) != len(want) || !bytes.Equal(b[1:1+len(want)], want) {
		return nil, false
	}
	return b[1+len(want):], true
}

func versionName(v uint32) string {
	const version1, version2 = 1, 0x6b3343cf // RFC 9000, RFC 9369
	switch v {
	case version1:
		return "1"
	case version2:
		return "2"
	}
	return fmt.Sprintf("0x%08x", v)
}
