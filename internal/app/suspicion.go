package app

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
	"reconshield/internal/netset"
	"reconshield/internal/scan"
)

// doubtHost tests, where an open TCP port proved nothing, whether the host
// accepts on every port.
func (r *run) doubtHost(ctx context.Context, h *host) {
	if h.unprovenTCP() && !h.labelled(exposure.LabelAcceptsAll) {
		r.acceptsEverything(ctx, h)
	}
}

// triedPorts is how many ports of a host are tried at most, all at once, so
// that a host takes no longer than a trial does.
const triedPorts = 8

// tryPorts holds connections to ports that may be a tarpit's, or another's who
// only shakes hands. Of a host that accepts every port, one is tried.
func (r *run) tryPorts(ctx context.Context, h *host) {
	everywhere := h.labelled(exposure.LabelAcceptsAll)
	ports := h.doubtful()
	if everywhere {
		ports = ports[:min(1, len(ports))]
	}
	var wg sync.WaitGroup
	for _, p := range ports[:min(triedPorts, len(ports))] {
		wg.Go(func() {
			r.opts.Progress.Note(fmt.Sprintf("%s whether tcp/%d is a tarpit", h.addr, p.Port))
			t := trial(ctx, r.dialer, r.limiter, p.AddrPort())
			switch {
			case ctx.Err() != nil:
			case everywhere:
				h.snare(t)
			default:
				h.revise(p.Target, func(o exposure.Observation) exposure.Observation { return weighed(o, t) })
			}
		})
	}
	wg.Wait()
}

// acceptsEverything tests and labels the host.
func (r *run) acceptsEverything(ctx context.Context, h *host) bool {
	c := r.controls().AcceptsEverything(ctx, h.addr)
	if c.Verdict != scan.Detected {
		return false
	}
	h.label(exposure.LabelAcceptsAll, c.Text, func(o exposure.Observation) bool {
		return o.Transport == exposure.TCP && o.State == exposure.Open
	})
	return true
}

// doubtPath tests whether something on the path answers port 53 in the host's stead.
func (r *run) doubtPath(ctx context.Context, h *host) {
	c, compared := r.intercepted(ctx, h)
	r.mu.Lock()
	r.interception = append(r.interception, c.Verdict)
	r.mu.Unlock()
	switch c.Verdict {
	case scan.Detected:
		h.label(exposure.LabelIntercepted, c.Text, func(o exposure.Observation) bool { return o.Port == dnsPort })
		r.warn(fmt.Sprintf("%s: port 53 is answered by something on the path, not by the address itself: %s", h.addr, c.Text))
	case scan.NotTested:
		r.note(exposure.Gap{
			What: "whether port 53 is answered by the address itself", Address: h.addr.String(), Why: c.Text,
			Remedy: "name an unused address of the same network with --control",
		})
	case scan.None:
		if !compared {
			r.note(exposure.Gap{
				What: "interception of port 53 by a device at the target's own distance", Address: h.addr.String(), Why: c.Text,
				Remedy: "name an unused address of the same network with --control, or assess the whole network",
			})
		}
	}
}

// verdict sums up the controls of all hosts for the report.
func (r *run) interceptionVerdict() string {
	switch {
	case slices.Contains(r.interception, scan.Detected):
		return string(scan.Detected)
	case len(r.interception) == 0 || slices.Contains(r.interception, scan.NotTested):
		return string(scan.NotTested)
	}
	return string(scan.None)
}

func (r *run) warn(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warned = append(r.warned, text)
}

func (r *run) note(g exposure.Gap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, g)
}

// unprovenTCP reports whether a TCP port is open behind which nothing was proven.
func (h *host) unprovenTCP() bool {
	return slices.ContainsFunc(h.ports(), func(p exposure.PortState) bool {
		return p.Transport == exposure.TCP && p.State == exposure.Open && !proven(p.Service)
	})
}

// doubtful lists the open TCP ports of which a trial can tell more.
func (h *host) doubtful() []exposure.PortState {
	return slices.DeleteFunc(h.ports(), func(p exposure.PortState) bool {
		return p.Transport != exposure.TCP || p.State != exposure.Open || !doubtful(p.Service)
	})
}

// revise changes what is recorded of a port.
func (h *host) revise(t exposure.Target, change func(exposure.Observation) exposure.Observation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := netset.Port{Transport: t.Transport, Number: t.Port}
	h.seen[k] = change(h.seen[k])
}

// snare marks a host that accepts every port, and those of its ports that are
// doubtful, when the trial of one shows a tarpit.
func (h *host) snare(t dial.Trial) {
	if t.Outcome != dial.Tarpit {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.labels = append(h.labels, exposure.LabelTarpit)
	for k, o := range h.seen {
		if slices.Contains(o.Labels, exposure.LabelAcceptsAll) && doubtful(o.Service) {
			h.seen[k] = snared(o, t)
		}
	}
}

// label marks the host and those of its ports that match.
func (h *host) label(l exposure.Label, detail string, match func(exposure.Observation) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.labels = append(h.labels, l)
	for k, o := range h.seen {
		if match(o) {
			o.Labels = append(slices.Clip(o.Labels), l)
			o.Detail = detail
			h.seen[k] = o
		}
	}
}

func (h *host) labelled(l exposure.Label) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.labels, l)
}
