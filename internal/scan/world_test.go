package scan_test

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"time"

	"reconshield/internal/probe"
)

// world is a network in virtual time behind a Wire: hosts with truth, delay,
// loss and limits.
type world struct {
	rtt     func(a netip.Addr) time.Duration
	truth   func(p probe.Probe) probe.Answer // Nothing: silence
	loss    float64                          // of each direction together
	limits  map[string]*bucket               // by host and answer
	limit   func(p probe.Probe, a probe.Answer) (key string, perSecond, burst float64)
	down    func(elapsed time.Duration) bool // nothing passes
	cost    time.Duration                    // of sending one packet
	forge   func(p probe.Probe) []probe.Reply
	busy    float64 // share of the sends that are refused in part
	partial float64 // and of those that find no room for all

	rand    *rand.Rand
	start   time.Time
	queue   replies
	path    *bucket
	sent    map[probe.Probe]int // without attempt
	asked   int
	refused int
	most    int // packets in the busiest millisecond
	window  time.Time
	inside  int
	stop    func(asked int)
}

func newWorld(seed uint64) *world {
	return &world{
		rand: rand.New(rand.NewPCG(seed, 1)), start: time.Now(), cost: 700 * time.Nanosecond,
		rtt: func(netip.Addr) time.Duration { return 100 * time.Microsecond }, limits: map[string]*bucket{},
	}
}

type bucket struct {
	tokens, perSecond, burst float64
	at                       time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()*b.perSecond)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

type arrival struct {
	at    time.Time
	reply probe.Reply
}

type replies []arrival

func (r replies) Len() int           { return len(r) }
func (r replies) Less(i, j int) bool { return r[i].at.Before(r[j].at) }
func (r replies) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *replies) Push(x any)        { *r = append(*r, x.(arrival)) }
func (r *replies) Pop() any {
	old := *r
	last := old[len(old)-1]
	*r = old[:len(old)-1]
	return last
}

func (w *world) Send(probes []probe.Probe) (int, error) {
	n, err := len(probes), error(nil)
	if w.partial > 0 && w.rand.Float64() < w.partial { // no room for all
		n = w.rand.IntN(n + 1)
	}
	if w.busy > 0 && w.rand.Float64() < w.busy {
		n, err = w.rand.IntN(n+1), probe.ErrBusy
	}
	for _, p := range probes[:n] {
		time.Sleep(w.cost)
		w.pass(p, time.Now())
	}
	return n, err
}

func (w *world) pass(p probe.Probe, now time.Time) {
	w.asked++
	if w.stop != nil {
		w.stop(w.asked)
	}
	if w.sent != nil && p.Attempt < probe.Attempts-1 {
		w.sent[probe.Probe{Addr: p.Addr, Port: p.Port, Kind: p.Kind}]++
	}
	if now.Sub(w.window) > time.Millisecond {
		w.window, w.inside = now, 0
	}
	w.inside++
	w.most = max(w.most, w.inside)
	if w.forge != nil {
		for _, r := range w.forge(p) {
			heap.Push(&w.queue, arrival{now.Add(time.Microsecond), r})
		}
	}
	answer := w.truth(p)
	switch {
	case answer == probe.Nothing, w.down != nil && w.down(now.Sub(w.start)), w.rand.Float64() < w.loss:
		return
	case w.path != nil && !w.path.take(now):
		w.refused++
		return
	}
	if w.limit != nil {
		if key, perSecond, burst := w.limit(p, answer); key != "" {
			b := w.limits[key]
			if b == nil {
				b = &bucket{tokens: burst, perSecond: perSecond, burst: burst, at: now}
				w.limits[key] = b
			}
			if !b.take(now) {
				w.refused++
				return
			}
		}
	}
	p.Patience = 0
	r := probe.Reply{Probe: p, Answer: answer, From: p.Addr}
	if answer == probe.Datagram {
		r.Protocol = "dns"
	}
	heap.Push(&w.queue, arrival{now.Add(w.rtt(p.Addr)), r})
}

func (w *world) Receive(into []probe.Reply, wait time.Duration) (int, error) {
	now := time.Now()
	if len(w.queue) == 0 || w.queue[0].at.After(now) {
		if len(w.queue) > 0 {
			wait = min(wait, w.queue[0].at.Sub(now))
		}
		time.Sleep(wait)
		now = time.Now()
	}
	n := 0
	for n < len(into) && len(w.queue) > 0 && !w.queue[0].at.After(now) {
		a := heap.Pop(&w.queue).(arrival)
		a.reply.At = a.at
		into[n] = a.reply
		n++
	}
	return n, nil
}

func (w *world) Account() probe.Account { return probe.Account{} }
func (w *world) Close() error           { return nil }

// some is a set of addresses.
type some []netip.Addr

func block(prefix string) some {
	var all some
	p := netip.MustParsePrefix(prefix)
	for a := p.Addr(); p.Contains(a); a = a.Next() {
		all = append(all, a)
	}
	return all
}

func (s some) Len() uint64            { return uint64(len(s)) }
func (s some) At(i uint64) netip.Addr { return s[i] }
func (s some) Index(a netip.Addr) (uint64, bool) {
	for i, b := range s {
		if a == b {
			return uint64(i), true
		}
	}
	return 0, false
}
