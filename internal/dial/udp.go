package dial

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

const (
	// maxDatagrams bounds how many datagrams one exchange looks at, so that a
	// flood cannot hold it or fill memory.
	maxDatagrams = 256
	// maxMore bounds the further replies that are kept.
	maxMore = 64
	// contradiction is how long after an ICMP error that the server itself did
	// not send an answer may still prove that error wrong.
	contradiction = 50 * time.Millisecond
)

// udpExchange is the state of one exchange over UDP.
type udpExchange struct {
	r       exchange.Request
	socket  *udpSocket
	first   time.Time // of the first attempt
	sent    time.Time // of the last attempt
	seen    int       // datagrams looked at
	ignored int       // of these, not accepted
	reply   exchange.Reply
}

// overUDP sends from a fresh socket that is not connected, so that a reply from
// another address than was asked is seen, and from a port of the kernel's
// choice, so that it is hard to forge.
func (d *Dialer) overUDP(ctx context.Context, r exchange.Request) exchange.Reply {
	x := &udpExchange{r: r, reply: exchange.Reply{BytesOut: len(r.Payload)}}
	conn, err := d.listenUDP(ctx, r.Server.Addr(), r.SourcePort, r.HopLimit)
	if err != nil {
		return exchange.Reply{Reason: localReason(ctx, err), Detail: err.Error()}
	}
	defer conn.Close() //nolint:errcheck // nothing is lost with a socket that has been read
	x.socket, err = newUDPSocket(conn, &d.buffers)
	if err != nil {
		return exchange.Reply{Reason: exposure.ReasonLocalError, Detail: err.Error()}
	}
	stop := context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // fails only on a closed socket
	})
	defer stop()
	for _, wait := range r.Timeouts {
		if x.attempt(ctx, wait) {
			break
		}
	}
	if x.reply.Reason == exposure.ReasonTimeout && !hasErrorQueue && x.seen <= maxDatagrams {
		d.askConnected(ctx, x)
	}
	if x.ignored > 0 && x.reply.Detail == "" {
		x.reply.Detail = fmt.Sprintf("%d datagrams that do not answer the question were ignored", x.ignored)
	}
	return x.reply
}

func (d *Dialer) listenUDP(ctx context.Context, server netip.Addr, port uint16, hopLimit int) (*net.UDPConn, error) {
	network, local := "udp4", netip.IPv4Unspecified()
	if server.Is6() {
		network, local = "udp6", netip.IPv6Unspecified()
	}
	if d.opts.SourceIP.IsValid() {
		local = d.opts.SourceIP
	}
	lc := net.ListenConfig{Control: d.control(hopLimit)}
	pc, err := lc.ListenPacket(ctx, network, netip.AddrPortFrom(local, port).String())
	if err != nil {
		return nil, err
	}
	conn, ok := pc.(*net.UDPConn)
	if !ok { // cannot be, by the contract of package net
		return nil, errors.Join(errors.New("not a UDP socket"), pc.Close())
	}
	return conn, nil
}

// attempt sends once and waits. It reports whether the exchange is over.
func (x *udpExchange) attempt(ctx context.Context, wait time.Duration) (over bool) {
	x.sent = time.Now()
	if err := x.socket.send(x.r.Payload, x.r.Server); err != nil {
		x.reply.Reason, x.reply.Detail = localReason(ctx, err), localDetail(x.r.Server.Addr(), err)
		return true
	}
	if x.reply.Attempts == 0 {
		x.first = x.sent
	}
	x.reply.Attempts++
	x.reply.Reason = exposure.ReasonTimeout
	return x.listen(ctx, x.sent.Add(wait), func(p packet) (time.Time, bool) { return x.judge(ctx, p) })
}

// listen hands what arrives until the deadline to judge, which says until when
// to go on; the zero time ends the exchange. It reports whether it has ended.
func (x *udpExchange) listen(ctx context.Context, deadline time.Time, judge func(packet) (time.Time, bool)) bool {
	for {
		x.socket.deadline(ctx, deadline)
		p, err := x.socket.receive()
		switch {
		case ctx.Err() != nil && !x.reply.Answered() && err != nil:
			x.reply.Reason, x.reply.Detail = reasonOf(ctx, ctx.Err()), ctx.Err().Error()
			return true
		case errors.Is(err, os.ErrDeadlineExceeded):
			return x.reply.Reason != exposure.ReasonTimeout
		case err != nil:
			if !x.reply.Answered() {
				x.reply.Reason, x.reply.Detail = exposure.ReasonLocalError, err.Error()
			}
			return true
		}
		if x.seen++; x.seen > maxDatagrams {
			if !x.reply.Answered() {
				x.reply.Detail = fmt.Sprintf("stopped after %d datagrams that do not answer the question", maxDatagrams)
			}
			return true
		}
		until, over := judge(p)
		if over {
			return true
		}
		if !until.IsZero() {
			deadline = until
		}
	}
}

// judge looks at one datagram or ICMP error while an answer is awaited.
func (x *udpExchange) judge(ctx context.Context, p packet) (until time.Time, over bool) {
	if p.icmp != nil {
		return x.judgeError(*p.icmp)
	}
	if x.r.Accept != nil && !x.r.Accept(p.payload) {
		x.ignored++
		return time.Time{}, false
	}
	now := time.Now()
	x.reply.Payload, x.reply.From, x.reply.RTT = p.payload, x.sender(p.from), now.Sub(x.sent)
	x.reply.Reason, x.reply.Offender, x.reply.Detail = exposure.ReasonUDPResponse, netip.Addr{}, ""
	if answersDNS(p.payload, x.r.Payload) {
		x.reply.Reason = exposure.ReasonDNSResponse
	}
	if x.r.Linger > 0 {
		x.listen(ctx, now.Add(x.r.Linger), x.collect)
	}
	return time.Time{}, true
}

// judgeError takes note of an ICMP error. The server's own word on its port is
// final; any other may be contradicted by an answer for a moment.
func (x *udpExchange) judgeError(e icmpError) (until time.Time, over bool) {
	if !e.concerns(x.r.Server, x.r.Payload) {
		x.ignored++
		return time.Time{}, false
	}
	now := time.Now()
	x.reply.Reason, x.reply.Offender, x.reply.RTT = e.reason, e.offender, now.Sub(x.sent)
	if e.reason == exposure.ReasonPortUnreachable && sameHost(e.offender, x.r.Server.Addr()) {
		return time.Time{}, true
	}
	x.reply.Detail = "ICMP error from " + e.offender.String()
	return now.Add(contradiction), false
}

// collect keeps what arrives after the answer.
func (x *udpExchange) collect(p packet) (until time.Time, over bool) {
	if p.icmp != nil {
		return time.Time{}, false
	}
	if x.r.Accept == nil || x.r.Accept(p.payload) {
		x.reply.More = append(x.reply.More, exchange.Datagram{
			Payload: p.payload, From: x.sender(p.from), After: time.Since(x.first),
		})
	}
	return time.Time{}, len(x.reply.More) >= maxMore
}

// sender writes the server's address as the caller wrote it.
func (x *udpExchange) sender(from netip.AddrPort) netip.AddrPort {
	if samePort(from, x.r.Server) {
		return x.r.Server
	}
	return netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// answersDNS reports a DNS message with the ID of the query and the QR bit set
// (RFC 1035 section 4.1.1), be it only a header.
func answersDNS(reply, query []byte) bool {
	const headerLen = 12
	return len(reply) >= headerLen && len(query) >= headerLen && reply[2]&0x80 != 0 &&
		binary.BigEndian.Uint16(reply) == binary.BigEndian.Uint16(query)
}

// localReason names an error met before anything was sent: nothing was learnt
// of the server, whatever the error number says.
func localReason(ctx context.Context, err error) exposure.Reason {
	r := reasonOf(ctx, err)
	if r == exposure.ReasonCancelled || r == exposure.ReasonNoRoute {
		return r
	}
	if r == exposure.ReasonHostUnreachable { // an "unreachable" route of our own
		return exposure.ReasonNoRoute
	}
	return exposure.ReasonLocalError
}

// packet is a datagram or an ICMP error.
type packet struct {
	payload []byte
	from    netip.AddrPort
	icmp    *icmpError
}
