package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"reconshield/internal/exposure"
)

// Outcome is how a trial ended.
type Outcome uint8

// Outcomes.
const (
	Untried  Outcome = iota // nothing was learnt: cancelled, or it failed on this side
	Unshaken                // no connection came about
	Ended                   // the peer ended it without a word
	Untaken                 // what was sent was never acknowledged
	Silent                  // what was sent was taken, and nothing came back
	Spoke                   // the peer said something and left it at that
	Tarpit                  // the peer only holds the connection
)

// Trial is what an ordinary connection, held for a while, shows of the peer.
type Trial struct {
	Outcome Outcome
	Detail  string // one line, for people; empty when nothing was learnt
}

// Bounds of a trial.
const (
	shakePatience = 2 * time.Second
	glance        = 100 * time.Millisecond
	usualPatience = 3 * time.Second  // for the next byte, and for ours to be taken
	longPatience  = 25 * time.Second // two lines of a tarpit that sends one each ten seconds
	maxHeard      = 16 << 10         // bytes; who says more is no tarpit

	// A receive window below this is chosen: systems begin with far more.
	smallWindow = 2048 // bytes
	tinyWindow  = 48   // of no use to anybody

	dribbleRate   = 256 // bytes a second at most
	dribblePieces = 4
	dribbleSpan   = 2 * time.Second
)

// Try connects, sends say and holds the connection until it is clear whether
// the peer wants it for anything but holding it: a tarpit leaves what is sent
// untaken behind a closed window, or dribbles a few bytes now and then without
// end. It takes five seconds at most, and 27 when the peer's window is
// suspiciously small, when it keeps dribbling, or when patient is set. It reads
// some KiB at most, and ends by a reset, so that the system keeps nothing of a
// connection that the peer would hold. The window is seen on Linux and macOS; on
// other systems a tarpit of the first kind is Untaken at best.
func (d *Dialer) Try(ctx context.Context, server netip.AddrPort, say []byte, patient bool) Trial {
	dialing, cancel := context.WithTimeout(ctx, shakePatience)
	defer cancel()
	opened, err := d.DialContext(dialing, "tcp", server.String())
	if err != nil {
		return unshaken(ctx, err)
	}
	conn, ok := opened.(*net.TCPConn)
	if !ok {
		opened.Close() //nolint:errcheck // nothing was written
		return Trial{}
	}
	defer conn.Close() //nolint:errcheck // all that it told is known
	defer interrupt(ctx, conn)()
	// Neither fails on a connection that works.
	_, _ = conn.SetLinger(0), conn.SetNoDelay(true)
	t := &trial{start: time.Now(), patient: patient}
	taken, err := t.say(conn, say)
	if err != nil {
		return t.ended(ctx, err)
	}
	for {
		err := t.listen(conn)
		if ctx.Err() != nil {
			return Trial{}
		}
		if err != nil {
			return t.ended(ctx, err)
		}
		b := backlogOf(conn)
		b.outstanding, b.known = b.outstanding || !taken, b.known || !taken
		if verdict := t.judge(time.Since(t.start), b); verdict.Outcome != Untried {
			return verdict
		}
	}
}

// backlog is what the system tells of data that the peer has not taken.
type backlog struct {
	known       bool
	outstanding bool // something was not acknowledged
	unsent      bool // because the window does not let it leave
	window      int  // bytes that the peer takes; 0 also when it is not known
	probed      bool // the peer answers those who ask whether the window is open again
}

// trial is one under way. Times count from its start.
type trial struct {
	start         time.Time
	patient       bool
	pieces, bytes int
	first, last   time.Duration // of the pieces
}

// say reports whether the system took the data for the peer. Where sockets are
// not buffered that takes until the peer does.
func (t *trial) say(conn *net.TCPConn, say []byte) (taken bool, err error) {
	unbuffered(conn)
	_ = conn.SetWriteDeadline(t.start.Add(usualPatience))
	_, err = conn.Write(say)
	if timedOut(err) {
		return false, nil
	}
	return true, err
}

// listen reads what comes before the next look. A timeout is no error.
func (t *trial) listen(conn *net.TCPConn) error {
	var b [2048]byte
	_ = conn.SetReadDeadline(time.Now().Add(glance))
	n, err := conn.Read(b[:])
	if n > 0 {
		t.last = time.Since(t.start)
		if t.pieces == 0 {
			t.first = t.last
		}
		t.pieces++
		t.bytes += n
		if t.bytes > maxHeard {
			return io.ErrShortBuffer
		}
	}
	if timedOut(err) {
		return nil
	}
	return err
}

// judge gives the verdict as soon as there is one.
func (t *trial) judge(now time.Duration, b backlog) Trial {
	small := b.known && b.window > 0 && b.window < smallWindow
	suspicious := t.patient || small
	patience := usualPatience
	if suspicious {
		patience = longPatience
	}
	over := now >= longPatience || now-t.last >= patience
	switch {
	case t.dribbles(dribblePieces), over && suspicious && t.dribbles(2):
		return Trial{Tarpit, fmt.Sprintf("it sends a few bytes now and then and comes to no end, %d bytes in %.0f s: a tarpit, or a slow feed",
			t.bytes, t.last.Seconds())}
	case b.outstanding && now >= usualPatience:
		return stuck(b)
	case !over:
		return Trial{}
	case t.pieces > 0:
		return Trial{Spoke, "what it says proves no protocol"}
	case small && b.window < tinyWindow:
		return stuck(b)
	}
	return Trial{Silent, "it takes what is sent and says nothing"}
}

// stuck is the verdict on a peer that does not take what is sent.
func stuck(b backlog) Trial {
	switch {
	case b.outstanding && !b.unsent:
		return Trial{Untaken, "the handshake succeeds, but nothing that is sent is ever taken, as behind a SYN proxy"}
	case b.window == 0 && !b.probed:
		return Trial{Tarpit, "it keeps the connection with a window of 0 bytes and takes nothing: a tarpit, or a SYN proxy with nothing behind it"}
	}
	return Trial{Tarpit, fmt.Sprintf("it keeps the connection with a window of %d bytes, which lets nothing through: a tarpit", b.window)}
}

// dribbles reports at least so many pieces, over some time, that make up little.
func (t *trial) dribbles(pieces int) bool {
	span := t.last - t.first
	return t.pieces >= pieces && span >= dribbleSpan && float64(t.bytes) <= dribbleRate*span.Seconds()
}

// ended is the verdict on a connection that is no more, or not worth more.
func (t *trial) ended(ctx context.Context, err error) Trial {
	switch {
	case ctx.Err() != nil:
		return Trial{}
	case t.bytes > 0:
		return Trial{Spoke, "what it says proves no protocol"}
	case errors.Is(err, io.EOF):
		return Trial{Ended, "it accepts the connection and closes it without a word"}
	case reasonOf(ctx, err) == exposure.ReasonReset:
		return Trial{Ended, "it accepts the connection and resets it without a word"}
	}
	return Trial{Ended, "the connection breaks off without a word"}
}

// unshaken is the verdict on a handshake that failed.
func unshaken(ctx context.Context, err error) Trial {
	switch reason := reasonOf(ctx, err); stateOf(reason) { //nolint:exhaustive // it was not opened
	case exposure.Closed:
		return Trial{Unshaken, "an ordinary connection is refused, as behind a SYN proxy whose server refuses; or it has closed since"}
	case exposure.Filtered:
		if reason == exposure.ReasonTimeout {
			return Trial{Unshaken, "an ordinary connection is not completed in time, as behind a SYN proxy"}
		}
		return Trial{Unshaken, "an ordinary connection fails, as behind a SYN proxy: " + string(reason)}
	}
	return Trial{}
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
