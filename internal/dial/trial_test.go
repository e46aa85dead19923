package dial_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
)

// dribble writes the pieces again and again until the other side is gone.
func dribble(every time.Duration, pieces ...string) func(net.Conn) {
	return func(c net.Conn) {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(1) // as endlessh does
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 0; ; i++ {
			if _, err := c.Write([]byte(pieces[i%len(pieces)])); err != nil {
				return
			}
			<-tick.C
		}
	}
}

func TestTry(t *testing.T) {
	say := []byte(strings.Repeat("x", 250))
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		holds bool // until the trial is over
		want  dial.Outcome
		words string
	}{
		{"never reads", func(net.Conn) {}, true, dial.Silent, "says nothing"},
		{"hangs up", func(net.Conn) {}, false, dial.Ended, "without a word"},
		{"greets and waits", func(c net.Conn) { _, _ = c.Write([]byte("hello, who?\r\n")) }, true, dial.Spoke, "no protocol"},
		{"greets and hangs up", func(c net.Conn) { _, _ = c.Write([]byte("bye\r\n")) }, false, dial.Spoke, "no protocol"},
		{"pours", func(c net.Conn) { _, _ = c.Write(make([]byte, 1<<20)) }, false, dial.Spoke, "no protocol"},
		{"dribbles bytes", dribble(150*time.Millisecond, "S", "S", "H", "-", "2"), false, dial.Tarpit, "comes to no end"},
		{"dribbles fast", dribble(20*time.Millisecond, "a"), false, dial.Tarpit, "comes to no end"},
		{"dribbles lines", dribble(700*time.Millisecond, "q8#\r\n", "x/Wv)b\r\n"), false, dial.Tarpit, "comes to no end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, host := range loopbacks() {
				over := make(chan struct{})
				server := serveTCP(t, host, func(conn net.Conn) {
					c.serve(conn)
					if c.holds {
						<-over
					}
				})
				start := time.Now()
				got := dial.New(dial.Options{}).Try(t.Context(), server, say, false)
				close(over)
				if got.Outcome != c.want || !strings.Contains(got.Detail, c.words) {
					t.Errorf("%s: %+v", host, got)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("%s: took %s", host, took)
				}
			}
		})
	}
}

// A port on which nothing listens is no tarpit, and a cancelled trial tells
// nothing.
func TestTryWithoutConnection(t *testing.T) {
	nobody := freePort(t, "127.0.0.1", exposure.TCP)
	d := dial.New(dial.Options{})
	if got := d.Try(t.Context(), nobody, []byte("x"), false); got.Outcome != dial.Unshaken || !strings.Contains(got.Detail, "refused") {
		t.Errorf("%+v", got)
	}
	ctx, cancel := cancelled(t)
	server := serveTCP(t, "127.0.0.1", func(net.Conn) { cancel(); <-t.Context().Done() })
	if got := d.Try(ctx, server, []byte("x"), true); got != (dial.Trial{}) {
		t.Errorf("cancelled: %+v", got)
	}
}
