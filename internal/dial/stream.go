package dial

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"syscall"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// maxMessages bounds how many messages one exchange reads from a stream.
const maxMessages = 256

// overTCP is DNS over TCP (RFC 1035 section 4.2.2, RFC 7766).
func (d *Dialer) overTCP(ctx context.Context, r exchange.Request) exchange.Reply {
	if len(r.Payload) == 0 && len(r.Pipeline) == 0 {
		return d.connectOnly(ctx, r)
	}
	ctx, cancel := context.WithTimeout(ctx, total(r.Timeouts))
	defer cancel()
	conn, reply, ok := d.openTCP(ctx, r)
	if !ok {
		return reply
	}
	defer conn.Close() //nolint:errcheck // the answer is already there
	defer interrupt(ctx, conn)()
	converse(ctx, conn, r, &reply)
	return reply
}

// openTCP connects for a stream transport; not ok leaves the reply that says why.
func (d *Dialer) openTCP(ctx context.Context, r exchange.Request) (net.Conn, exchange.Reply, bool) {
	reply := exchange.Reply{Attempts: 1, BytesOut: len(r.Payload)}
	start := time.Now()
	conn, err := d.netDialer("tcp", r.HopLimit).DialContext(ctx, "tcp", r.Server.String())
	if err == nil && connectedToItself(conn) {
		// A simultaneous open with our own port: nobody listens there.
		reply.Reason, reply.Detail = exposure.ReasonReset, "connected only to itself"
		conn.Close() //nolint:errcheck // nothing was written
		return nil, reply, false
	}
	if err == nil {
		reply.RTT = time.Since(start)
		return conn, reply, true
	}
	reply.Reason, reply.Detail = reasonOf(ctx, err), err.Error()
	switch reply.Reason { //nolint:exhaustive // the others were really attempted
	case exposure.ReasonNoRoute, exposure.ReasonLocalError:
		reply.Attempts = 0
	case exposure.ReasonTimeout:
		reply.Detail = ""
	}
	return nil, reply, false
}

func connectedToItself(conn net.Conn) bool {
	return conn.LocalAddr().String() == conn.RemoteAddr().String()
}

// interrupt ends all reads and writes of conn when ctx does. The returned
// function takes that back.
func interrupt(ctx context.Context, conn net.Conn) func() {
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // fails only on a closed connection
	})
	return func() { stop() }
}

// converse writes all messages at once and reads as many as are wanted.
func converse(ctx context.Context, conn io.ReadWriter, r exchange.Request, reply *exchange.Reply) {
	out, err := frame(r)
	if err != nil {
		reply.Reason, reply.Detail = exposure.ReasonLocalError, err.Error()
		return
	}
	start := time.Now()
	if _, err := conn.Write(out); err != nil {
		ended(ctx, reply, "write", err)
		return
	}
	readAll(ctx, conn, r, reply, start)
}

// frame puts the payload and the pipelined messages behind their lengths.
func frame(r exchange.Request) ([]byte, error) {
	var out []byte
	for i := -1; i < len(r.Pipeline); i++ {
		m := r.Payload
		if i >= 0 {
			m = r.Pipeline[i]
		}
		if len(m) == 0 {
			continue
		}
		if len(m) > math.MaxUint16 {
			return nil, errors.New("a message for a stream is at most 65535 bytes")
		}
		out = binary.BigEndian.AppendUint16(out, uint16(len(m)))
		out = append(out, m...)
	}
	return out, nil
}

// readAll reads the wanted number of messages; what fails after the first one
// leaves a word in Detail only.
func readAll(ctx context.Context, conn io.Reader, r exchange.Request, reply *exchange.Reply, start time.Time) {
	want := min(max(r.Messages, 1), maxMessages)
	for i := range want {
		m, err := readMessage(conn)
		if err != nil {
			ended(ctx, reply, "read", err)
			return
		}
		if i == 0 {
			reply.Payload, reply.From, reply.Reason = m, r.Server, exposure.ReasonDNSResponse
			reply.RTT = time.Since(start)
			continue
		}
		reply.More = append(reply.More, exchange.Datagram{Payload: m, From: r.Server, After: time.Since(start)})
	}
}

// readMessage reads one length-prefixed message. A length of 0 is an error:
// no DNS message is empty.
func readMessage(conn io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(length[:])
	if n == 0 {
		return nil, errors.New("empty message")
	}
	// The buffer grows with what really arrives, so that a length alone costs
	// a hostile peer's victim nothing.
	m, err := io.ReadAll(io.LimitReader(conn, int64(n)))
	if err != nil {
		return nil, err
	}
	if len(m) < int(n) {
		return nil, io.ErrUnexpectedEOF
	}
	return m, nil
}

// ended notes why a connected exchange ended early.
func ended(ctx context.Context, reply *exchange.Reply, op string, err error) {
	switch {
	case errors.Is(err, io.EOF):
		reply.Detail = "the server closed the connection"
	case errors.Is(err, io.ErrUnexpectedEOF):
		reply.Detail = "the server closed the connection within a message"
	case errors.Is(err, syscall.ECONNRESET), reasonOf(ctx, err) == exposure.ReasonReset:
		reply.Detail = "the server reset the connection"
	case reasonOf(ctx, err) == exposure.ReasonTimeout:
		reply.Detail = "connected, but no answer in time"
	default:
		reply.Detail = op + ": " + err.Error()
	}
	if reply.Answered() {
		return
	}
	switch r := reasonOf(ctx, err); r {
	case exposure.ReasonTimeout, exposure.ReasonCancelled:
		reply.Reason = r
	default:
		reply.Reason = exposure.ReasonSynAck
	}
}
