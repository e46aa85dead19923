// Package dialogue is the conversation with one DNS server: it asks through an
// Exchanger it is given, remembers every answer so that no question is sent
// twice, spaces retries, paces CHAOS questions and refuses to send what must
// never be sent. It opens no socket itself and judges nothing.
package dialogue

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// DNSPort is the port of DNS over UDP and TCP (RFC 1035 section 4.2).
const DNSPort = 53

// Exchanger carries one request to a server. It never fails: what went wrong
// is in the reply's Reason and Detail. It must be safe for concurrent use.
type Exchanger interface {
	Exchange(ctx context.Context, r exchange.Request) exchange.Reply
}

// Options tune a Dialogue; the zero value is usable.
type Options struct {
	Port    uint16        // 53 when 0
	Timeout time.Duration // patience for one question, retries included; 2 s when 0
	// Wait is called before every question with its number of packets; it
	// blocks as the pacing of the whole run demands. nil means no pacing.
	Wait func(ctx context.Context) error
	// ChaosInterval is the least time between two CHAOS packets; 1 s when 0.
	ChaosInterval time.Duration
	// ChaosBudget is how many CHAOS packets may be sent at all; 3 when 0.
	ChaosBudget int
	// ServerName is used for TLS; the address when empty.
	ServerName string
	// InFlight bounds concurrent questions; 16 when 0.
	InFlight int
}

// Dialogue is safe for concurrent use.
type Dialogue struct {
	x     Exchanger
	addr  netip.Addr
	opts  Options
	slots chan struct{}
	chaos pacer

	mu    sync.Mutex
	asked map[key]*memory
}

type key struct {
	via   exposure.Transport
	port  uint16
	query string
}

type memory struct {
	done   chan struct{}
	answer Answer
}

// New starts a conversation with the server at addr. Nothing is sent yet.
func New(x Exchanger, addr netip.Addr, opts Options) *Dialogue {
	if opts.Port == 0 {
		opts.Port = DNSPort
	}
	if opts.Timeout == 0 {
		opts.Timeout = 2 * time.Second
	}
	if opts.ChaosInterval == 0 {
		opts.ChaosInterval = time.Second
	}
	if opts.ChaosBudget == 0 {
		opts.ChaosBudget = 3
	}
	if opts.InFlight == 0 {
		opts.InFlight = 16
	}
	return &Dialogue{
		x: x, addr: addr, opts: opts,
		slots: make(chan struct{}, opts.InFlight),
		chaos: pacer{interval: opts.ChaosInterval, left: opts.ChaosBudget},
		asked: map[key]*memory{},
	}
}

// Addr is the server's address.
func (d *Dialogue) Addr() netip.Addr { return d.addr }

// Port is the port that Ask uses.
func (d *Dialogue) Port() uint16 { return d.opts.Port }

// Timeout is the patience for one question.
func (d *Dialogue) Timeout() time.Duration { return d.opts.Timeout }

// Exchanger is the carrier, for the few checks that need other requests than
// questions to this server's DNS port.
func (d *Dialogue) Exchanger() Exchanger { return d.x }

// Ask sends the question over the transport to the server's DNS port, or gives
// the remembered answer. Concurrent calls with the same question share one exchange.
func (d *Dialogue) Ask(ctx context.Context, via exposure.Transport, q dnswire.Query) Answer {
	return d.AskPort(ctx, via, d.opts.Port, q)
}

// AskPort is Ask to another port, as for DNS over TLS.
func (d *Dialogue) AskPort(ctx context.Context, via exposure.Transport, port uint16, q dnswire.Query) Answer {
	k := key{via, port, q.String()}
	d.mu.Lock()
	m, known := d.asked[k]
	if !known {
		m = &memory{done: make(chan struct{})}
		d.asked[k] = m
	}
	d.mu.Unlock()
	if known {
		select {
		case <-m.done:
			return m.answer
		case <-ctx.Done():
			return Answer{Query: q, Via: via, Port: port, Err: ctx.Err()}
		}
	}
	m.answer = d.Fresh(ctx, via, port, q, nil)
	if m.answer.Err != nil { // a cancelled or paced-out question may be asked again
		d.mu.Lock()
		delete(d.asked, k)
		d.mu.Unlock()
	}
	close(m.done)
	return m.answer
}

// Fresh asks without memory. adjust, when not nil, may change the request
// before it is sent (linger, pipeline, hop limit); it must leave the payload.
func (d *Dialogue) Fresh(ctx context.Context, via exposure.Transport, port uint16, q dnswire.Query, adjust func(*exchange.Request)) Answer {
	a := Answer{Query: q, Via: via, Port: port}
	if a.Err = Lawful(q); a.Err != nil {
		return a
	}
	wire, err := q.Pack(newID())
	if err != nil {
		a.Err = err
		return a
	}
	timeouts := Schedule(d.opts.Timeout)
	if q.Class == dnswire.ClassCH {
		// Each CHAOS packet is paced on its own: a retry is a new turn.
		timeouts = []time.Duration{min(d.opts.Timeout, d.opts.ChaosInterval)}
		if a.Err = d.chaos.wait(ctx); a.Err != nil {
			return a
		}
	}
	if a.Err = d.admit(ctx); a.Err != nil {
		return a
	}
	defer func() { <-d.slots }()
	r := exchange.Request{
		Server: netip.AddrPortFrom(d.addr, port), Transport: via, Payload: wire, Timeouts: timeouts,
		Accept: func(b []byte) bool { return dnswire.Answers(b, wire) }, ServerName: d.opts.ServerName,
	}
	if adjust != nil {
		adjust(&r)
	}
	a.Reply = d.x.Exchange(ctx, r)
	if a.Reply.Answered() {
		a.Msg, err = dnswire.Parse(a.Reply.Payload)
		if err != nil {
			a.Reply.Detail = err.Error()
		}
	}
	if a.Msg == nil && ctx.Err() != nil {
		a.Err = ctx.Err()
	}
	return a
}

// Pace waits for a turn in the pacing of the whole run, for packets that are
// not questions: connections to other ports, HTTP requests.
func (d *Dialogue) Pace(ctx context.Context) error {
	if d.opts.Wait == nil {
		return ctx.Err()
	}
	return d.opts.Wait(ctx)
}

func (d *Dialogue) admit(ctx context.Context) error {
	if err := ctx.Err(); err != nil { // select would choose at random
		return err
	}
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if d.opts.Wait == nil {
		return nil
	}
	if err := d.opts.Wait(ctx); err != nil {
		<-d.slots
		return err
	}
	return nil
}

// Schedule spreads the patience over three attempts with growing waits.
func Schedule(total time.Duration) []time.Duration {
	return []time.Duration{total / 5, total * 3 / 10, total / 2}
}

func newID() uint16 {
	var b [2]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint16(b[:])
}
