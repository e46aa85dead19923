package identify

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"reconshield/internal/exposure"
)

// maxConnections is how many connections to one port are open at once.
const maxConnections = 3

// maxRead bounds what is read of one connection, in bytes.
const maxRead = 16 << 10

// probe is one way to make a TCP server show what it is. It returns a proven
// service, or a note why there is none.
type probe struct {
	name  string
	after time.Duration // a start held back so that gentler probes can finish
	run   func(ctx context.Context, t exposure.Target) (exposure.Service, string)
}

// TCP finds what listens on an open TCP port: it waits for the server to speak
// first and asks a DNS question at the same time; when neither proves anything
// it offers TLS and HTTP. The first proof ends it. At most three connections
// are open at once and at most four are made (one more when TLS is spoken, to
// look inside it, and one more on port 53 when the DNS question met silence). The result is never empty; Unknown, with what was tried in
// Details, means that the port took connections and proved nothing. A
// cancelled ctx gives Unknown too.
func (i *Identifier) TCP(ctx context.Context, t exposure.Target) exposure.Service {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	probes := i.tcpProbes(t.Port)
	type result struct {
		service exposure.Service
		proven  bool
		note    string
	}
	results := make(chan result, len(probes))
	slots := make(chan struct{}, maxConnections)
	quiet := newBarrier(2) // released when both gentle probes came to nothing
	for n, p := range probes {
		go func() {
			gentle := n < 2
			if !gentle && !quiet.wait(ctx, p.after) {
				results <- result{note: p.name + ": not tried"}
				return
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			s, note := p.run(ctx, t)
			if note == "" {
				results <- result{service: s, proven: true}
				return
			}
			if gentle {
				quiet.done()
			}
			results <- result{service: s, note: p.name + ": " + note}
		}()
	}
	var notes []string
	var hint exposure.Service // text that names nothing, kept as the banner
	for range probes {
		r := <-results
		if r.proven {
			return r.service
		}
		if r.service.Banner != "" {
			hint = r.service
		}
		notes = append(notes, r.note)
	}
	out := unproven("no probe proved a protocol", notes...)
	out.Banner = hint.Banner
	return out
}

// tcpProbes are the probes in the order of their gentleness for the port.
func (i *Identifier) tcpProbes(port uint16) []probe {
	listen := probe{"server first", 0, i.listen}
	question := probe{"DNS question", 0, i.askStream}
	secure := probe{"TLS hello", i.opts.Banner, i.hello}
	plain := probe{"HTTP request", i.opts.Banner, i.page}
	switch port {
	case 443, 853, 8443, 8952, 8953: // TLS by assignment or custom
		question.after = i.opts.Banner
		return []probe{secure, listen, plain, question}
	case 80, 3000, 5380, 8053, 8080, 8081, 8082, 8083, 9153: // web by custom
		question.after = i.opts.Banner
		return []probe{plain, listen, secure, question}
	}
	return []probe{listen, question, secure, plain}
}

// barrier opens when n callers are done, or when a waiter's own time is up.
type barrier struct {
	mu   sync.Mutex
	left int
	open chan struct{}
}

func newBarrier(n int) *barrier { return &barrier{left: n, open: make(chan struct{})} }

func (b *barrier) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left--; b.left == 0 {
		close(b.open)
	}
}

// wait reports false when ctx ended first.
func (b *barrier) wait(ctx context.Context, longest time.Duration) bool {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-b.open:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// connect opens a connection that lives no longer than patience and ctx.
func (i *Identifier) connect(ctx context.Context, t exposure.Target, patience time.Duration) (net.Conn, func(), error) {
	return i.connectWithin(ctx, t, i.opts.Answer, patience)
}

// connectWithin is connect with a patience of its own for the handshake.
func (i *Identifier) connectWithin(ctx context.Context, t exposure.Target, handshake, patience time.Duration) (net.Conn, func(), error) {
	if err := i.pace(ctx); err != nil {
		return nil, nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	c, err := i.dial.DialContext(dialing, "tcp", t.AddrPort().String())
	if err != nil {
		return nil, nil, err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return c, func() { stop(); _ = c.Close() }, nil
}

// listen waits for the server to speak first.
func (i *Identifier) listen(ctx context.Context, t exposure.Target) (exposure.Service, string) {
	c, closing, err := i.connect(ctx, t, i.opts.Banner)
	if err != nil {
		return exposure.Service{}, err.Error()
	}
	defer closing()
	b, err := first(c)
	if len(b) == 0 {
		return exposure.Service{}, silence(err)
	}
	if s, ok := i.banner(b); ok {
		return s, ""
	}
	return exposure.Service{Banner: clip(b)}, "it spoke first, but not in a known protocol"
}

// first reads what comes first, waiting for the end of a line where the
// beginning is text.
func first(c net.Conn) ([]byte, error) {
	b := make([]byte, 0, 1024)
	for len(b) < cap(b) {
		n, err := c.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			return b, err
		}
		if complete(b) {
			break
		}
	}
	return b, nil
}

// quietly is the note for a server that took the connection and said nothing.
const quietly = "silence"

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func silence(err error) string {
	switch {
	case timedOut(err):
		return quietly
	case errors.Is(err, io.EOF):
		return "the connection was closed without a word"
	case err == nil:
		return "nothing"
	}
	return err.Error()
}
