package dialogue

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

type carrier func(ctx context.Context, r exchange.Request) exchange.Reply

func (c carrier) Exchange(ctx context.Context, r exchange.Request) exchange.Reply { return c(ctx, r) }

// refuse answers REFUSED in 12 bytes.
func refuse(_ context.Context, r exchange.Request) exchange.Reply {
	b := append([]byte(nil), r.Payload[:12]...)
	b[2] |= 0x80
	b[3] = dnswire.RcodeRefused
	b[5], b[11] = 0, 0
	return exchange.Reply{Payload: b, From: r.Server, Reason: exposure.ReasonDNSResponse, Attempts: 1, BytesOut: len(r.Payload)}
}

func server() netip.Addr { return netip.MustParseAddr("192.0.2.53") }

func TestLawful(t *testing.T) {
	t.Parallel()
	rr := []dnswire.RR{&dnswire.ANY{Hdr: dnswire.RRHeader{Name: "x.", Rrtype: dnswire.TypeANY, Class: dnswire.ClassNONE}}}
	opt := func(codes ...uint16) *dnswire.EDNS {
		e := &dnswire.EDNS{UDPSize: 1232}
		for _, c := range codes {
			e.Options = append(e.Options, &dnswire.LocalOpt{Code: c})
		}
		return e
	}
	for _, tt := range []struct {
		name  string
		query dnswire.Query
		ok    bool
	}{
		{"ordinary", dnswire.Query{Name: "x", Type: dnswire.TypeA}, true},
		{"CHAOS", dnswire.Query{Name: "x", Type: dnswire.TypeTXT, Class: dnswire.ClassCH}, true},
		{"empty update", dnswire.Query{Name: "x", Type: dnswire.TypeSOA, Opcode: dnswire.OpUpdate}, true},
		{"update with a prerequisite", dnswire.Query{Name: "x", Type: dnswire.TypeSOA, Opcode: dnswire.OpUpdate, Answer: rr}, true},
		{"update with content", dnswire.Query{Name: "x", Type: dnswire.TypeSOA, Opcode: dnswire.OpUpdate, Authority: rr}, false},
		{"update of class NONE", dnswire.Query{Name: "x", Class: dnswire.ClassNONE, Opcode: dnswire.OpUpdate}, false},
		{"update of class ANY", dnswire.Query{Name: "x", Class: dnswire.ClassANY, Opcode: dnswire.OpUpdate}, false},
		{"update of class CH", dnswire.Query{Name: "x", Class: dnswire.ClassCH, Opcode: dnswire.OpUpdate}, false},
		{"notify", dnswire.Query{Name: "x", Type: dnswire.TypeSOA, Opcode: dnswire.OpNotify}, true},
		{"notify of class CH", dnswire.Query{Name: "x", Class: dnswire.ClassCH, Opcode: dnswire.OpNotify}, false},
		{"TKEY", dnswire.Query{Name: "x", Type: 249}, false},
		{"TSIG", dnswire.Query{Name: "x", Type: 250}, false},
		{"SIG", dnswire.Query{Name: "x", Type: 24}, false},
		{"two options", dnswire.Query{Name: "x", EDNS: opt(3, 10)}, true},
		{"one option twice", dnswire.Query{Name: "x", EDNS: opt(3, 10, 3)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Lawful(tt.query)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrUnlawful) {
				t.Errorf("Lawful = %v, want allowed %v", err, tt.ok)
			}
		})
	}
}

// TestUnlawfulIsNotSent: the refusal happens before the carrier.
func TestUnlawfulIsNotSent(t *testing.T) {
	t.Parallel()
	d := New(carrier(func(context.Context, exchange.Request) exchange.Reply {
		t.Error("something was sent")
		return exchange.Reply{}
	}), server(), Options{})
	a := d.Ask(t.Context(), exposure.UDP, dnswire.Query{Name: "x", Type: 249})
	if !errors.Is(a.Err, ErrUnlawful) || a.Msg != nil {
		t.Errorf("answer %+v", a)
	}
}

func TestAskRemembers(t *testing.T) {
	t.Parallel()
	var sent atomic.Int32
	d := New(carrier(func(ctx context.Context, r exchange.Request) exchange.Reply {
		sent.Add(1)
		return refuse(ctx, r)
	}), server(), Options{})
	q := dnswire.Query{Name: "example.net", Type: dnswire.TypeSOA}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if a := d.Ask(t.Context(), exposure.UDP, q); !a.Is(dnswire.RcodeRefused) {
				t.Errorf("answer %s", a.Outcome())
			}
		})
	}
	wg.Wait()
	if n := sent.Load(); n != 1 {
		t.Errorf("%d packets for one question", n)
	}
	for _, other := range []func() Answer{
		func() Answer { return d.Ask(t.Context(), exposure.TCP, q) },
		func() Answer { return d.AskPort(t.Context(), exposure.UDP, 5353, q) },
		func() Answer {
			return d.Ask(t.Context(), exposure.UDP, dnswire.Query{Name: "example.net", Type: dnswire.TypeNS})
		},
		func() Answer { return d.Fresh(t.Context(), exposure.UDP, 53, q, nil) },
	} {
		before := sent.Load()
		other()
		if sent.Load() != before+1 {
			t.Error("another question was answered from memory")
		}
	}
}

// TestAskForgetsCancelled: an interrupted question may be asked again.
func TestAskForgetsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var sent atomic.Int32
	d := New(carrier(func(ctx context.Context, r exchange.Request) exchange.Reply {
		if sent.Add(1) == 1 {
			cancel()
			return exchange.Reply{Reason: exposure.ReasonCancelled}
		}
		return refuse(ctx, r)
	}), server(), Options{})
	q := dnswire.Query{Name: "example.net", Type: dnswire.TypeSOA}
	if a := d.Ask(ctx, exposure.UDP, q); !errors.Is(a.Err, context.Canceled) {
		t.Errorf("cancelled question: %+v", a)
	}
	if a := d.Ask(ctx, exposure.UDP, q); a.Err == nil || sent.Load() != 1 {
		t.Errorf("a question after the end was sent: %+v", a)
	}
	if a := d.Ask(t.Context(), exposure.UDP, q); !a.Is(dnswire.RcodeRefused) {
		t.Errorf("next question: %s", a.Outcome())
	}
}

func TestRequestAsSent(t *testing.T) {
	t.Parallel()
	var got exchange.Request
	d := New(carrier(func(ctx context.Context, r exchange.Request) exchange.Reply {
		got = r
		return refuse(ctx, r)
	}), server(), Options{Timeout: time.Second})
	a := d.Fresh(t.Context(), exposure.UDP, 5300, dnswire.Query{Name: "example.net", Type: dnswire.TypeSOA},
		func(r *exchange.Request) { r.HopLimit = 3 })
	if got.Server != netip.MustParseAddrPort("192.0.2.53:5300") || got.HopLimit != 3 {
		t.Errorf("request %+v", got)
	}
	if diff := cmp.Diff([]time.Duration{200 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond}, got.Timeouts); diff != "" {
		t.Errorf("timeouts (-want +got):\n%s", diff)
	}
	if !got.Accept(a.Reply.Payload) || got.Accept(got.Payload) {
		t.Error("Accept does not tell the answer from the question")
	}
}

// TestChaosIsPaced: three CHAOS questions take two intervals, a fourth is not asked.
func TestChaosIsPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Duration
		start := time.Now()
		d := New(carrier(func(ctx context.Context, r exchange.Request) exchange.Reply {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			if len(r.Timeouts) != 1 {
				t.Errorf("a CHAOS question is sent %d times without a turn", len(r.Timeouts))
			}
			return refuse(ctx, r)
		}), server(), Options{})
		var wg sync.WaitGroup
		var over atomic.Int32
		for _, name := range []string{"a.bind", "b.bind", "c.bind", "d.bind"} {
			wg.Go(func() {
				a := d.Ask(t.Context(), exposure.UDP, dnswire.Query{Name: name, Type: dnswire.TypeTXT, Class: dnswire.ClassCH})
				if errors.Is(a.Err, ErrChaosBudget) {
					over.Add(1)
				}
			})
		}
		wg.Wait()
		if diff := cmp.Diff([]time.Duration{0, time.Second, 2 * time.Second}, at); diff != "" || over.Load() != 1 {
			t.Errorf("sent at (-want +got):\n%s%d over the budget, want 1", diff, over.Load())
		}
	})
}

// TestInFlight: never more questions at once than allowed, whoever asks.
func TestInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		d := New(carrier(func(ctx context.Context, r exchange.Request) exchange.Reply {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second) // virtual
			now.Add(-1)
			return refuse(ctx, r)
		}), server(), Options{InFlight: 4})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { d.Ask(t.Context(), exposure.UDP, dnswire.Query{Name: "x", Type: uint16(i + 1)}) })
		}
		wg.Wait()
		if most.Load() != 4 {
			t.Errorf("%d questions at once, want 4", most.Load())
		}
	})
}

// TestWaitRefused: the pacing of the run can stop a question, and its slot is given back.
func TestWaitRefused(t *testing.T) {
	t.Parallel()
	stop := errors.New("stopped")
	d := New(carrier(refuse), server(), Options{InFlight: 1, Wait: func(context.Context) error { return stop }})
	for range 3 {
		if a := d.Ask(t.Context(), exposure.UDP, dnswire.Query{Name: "x", Type: 1}); !errors.Is(a.Err, stop) {
			t.Fatalf("answer %+v", a)
		}
	}
}
