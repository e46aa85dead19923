package rawsock

import (
	"errors"
	"net"
	"time"

	"reconshield/internal/probe"
)

// Send builds the probes' packets and hands them to the kernel, in order, and
// reports how many it took. Those that the kernel has no room for yet count as
// taken and leave with the next call of Send or Receive; probe.ErrBusy and
// probe.ErrDown tell of them. Fewer than all with a nil error means that too
// many of this machine's own answers wait for Receive. It does not keep the
// slice and allocates nothing.
func (w *Wire) Send(probes []probe.Probe) (int, error) {
	if w.closed {
		return 0, net.ErrClosed
	}
	if w.backlog() > 0 {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	for i := range probes {
		if len(w.local) >= mostLocal {
			return i, w.flush()
		}
		full, err := w.begin(&probes[i])
		if err != nil {
			return i, err
		}
		if full {
			return i, probe.ErrBusy
		}
	}
	return len(probes), w.flush()
}

// begin queues one probe's packet. It reports true, and has not queued it, when
// the outlet is full.
func (w *Wire) begin(p *probe.Probe) (full bool, err error) {
	way := w.way(p)
	if way == nil {
		return false, nil
	}
	frame := way.outlet.next()
	if frame == nil {
		if err := way.outlet.flush(); err != nil {
			return false, err
		}
		if frame = way.outlet.next(); frame == nil {
			return true, nil
		}
	}
	n := w.encode(frame, way, p)
	if n == 0 {
		w.answer(p, probe.LocalError, "the packet does not fit the path")
		return false, nil
	}
	if way.resolve {
		mac, known := w.neighbours.find(way.hop(p.Addr))
		if !known {
			w.answer(p, probe.NoNeighbour, "")
			return false, nil
		}
		way.templates[p.Kind].SetDestination(frame, mac)
	}
	way.outlet.push(n, p)
	if way.outlet.queued()%flushAt == 0 {
		return false, way.flush()
	}
	return false, nil
}

// flush hands over a part of a batch. What passes is told by the batch's last
// flush, since the probe was taken.
func (r *route) flush() error {
	err := r.outlet.flush()
	if errors.Is(err, probe.ErrBusy) || errors.Is(err, probe.ErrDown) {
		return nil
	}
	return err
}

// way gives the probe's route; nil when it was answered here.
func (w *Wire) way(p *probe.Probe) *route {
	if int(p.Kind) >= len(route{}.templates) || p.Attempt >= probe.Attempts {
		w.answer(p, probe.LocalError, "no such kind of probe")
		return nil
	}
	r := w.last
	if r == nil || p.Addr.Compare(r.From) < 0 || p.Addr.Compare(r.To) > 0 {
		if r = w.routes.find(p.Addr); r == nil {
			w.answer(p, probe.NoRoute, "no path leads to the address")
			return nil
		}
		w.last = r
	}
	if r.Unreachable != "" {
		w.answer(p, probe.NoRoute, r.Unreachable)
		return nil
	}
	return r
}

func (w *Wire) encode(frame []byte, way *route, p *probe.Probe) int {
	cookie := w.cfg.Key.Cookie(p)
	t := way.templates[p.Kind]
	switch p.Kind {
	case probe.TCP:
		return t.SYN(frame, p, cookie, uint32(cookie>>32)) //nolint:gosec // the upper half
	case probe.UDP:
		w.content = w.cfg.Payloads.For(p.Port).Append(w.content[:0], uint64(cookie))
		if t.Size()+len(w.content) > len(frame) {
			return 0
		}
		return t.UDP(frame, p, cookie, w.content)
	case probe.Echo:
		return t.Echo(frame, p, cookie)
	}
	return 0
}

// answer replies in the network's stead.
func (w *Wire) answer(p *probe.Probe, a probe.Answer, detail string) {
	r := probe.Reply{Probe: *p, Answer: a, At: time.Now(), Detail: detail}
	r.Patience = 0
	w.local = append(w.local, r)
}

// refuse answers a probe that the kernel would not send.
func (w *Wire) refuse(p *probe.Probe, err error) {
	w.answer(p, probe.LocalError, err.Error())
}

// backlog is the number of packets that were taken and have not left.
func (w *Wire) backlog() int {
	n := 0
	for _, out := range w.outlets {
		n += out.queued()
	}
	return n
}

// flush empties every outlet as far as the kernel lets it.
func (w *Wire) flush() error {
	var first error
	for _, out := range w.outlets {
		if out.queued() == 0 {
			continue
		}
		if err := out.flush(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
