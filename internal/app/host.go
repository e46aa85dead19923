package app

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// host gathers the observations of one address and lets others wait for those
// that are not there yet.
type host struct {
	addr  netip.Addr
	names []string
	asked netset.PortSet

	mu       sync.Mutex
	seen     map[netset.Port]exposure.Observation
	missing  int // ports asked and not yet observed
	changed  chan struct{}
	assessed bool // its assessment was started
	entry    int  // where its entry stands among the assets, once it is there
	labels   []exposure.Label
}

func newHost(addr netip.Addr, names []string, ports netset.PortSet) *host {
	return &host{
		addr: addr, names: names, asked: ports, missing: ports.Len(),
		seen: make(map[netset.Port]exposure.Observation, ports.Len()), changed: make(chan struct{}),
	}
}

// add records an observation, a later one of the same port in place of the
// earlier, and reports whether every port has one now.
func (h *host) add(o exposure.Observation) (complete bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := netset.Port{Transport: o.Transport, Number: o.Port}
	if _, again := h.seen[k]; !again {
		h.missing--
	}
	h.seen[k] = o
	h.wake()
	return h.missing == 0
}

// complete reports whether every port asked has an observation.
func (h *host) complete() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.missing == 0
}

// close tells whoever waits that no more observations will come.
func (h *host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.missing = 0
	h.wake()
}

func (h *host) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// observe waits for the observation of a port. For a port that was not asked,
// or was not reached before the end, it is Unmeasured.
func (h *host) observe(ctx context.Context, via exposure.Transport, port uint16) exposure.Observation {
	k := netset.Port{Transport: via.Base(), Number: port}
	for {
		h.mu.Lock()
		o, ok := h.seen[k]
		over, changed := h.missing == 0, h.changed
		h.mu.Unlock()
		if ok {
			return o
		}
		none := exposure.Observation{
			Target: exposure.Target{Addr: h.addr, Transport: via.Base(), Port: port},
			State:  exposure.Unmeasured, Reason: exposure.ReasonNotAsked,
		}
		if h.asked.Contains(via.Base(), port) {
			none.Reason, none.Detail = exposure.ReasonCancelled, "the run ended before it was measured"
		}
		if over {
			return none
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return none
		}
	}
}

// setService records what listens on a port. Proof opens a port that had been
// silent; without proof a silent port stays as it is and an open one is labelled.
func (h *host) setService(via exposure.Transport, port uint16, s *exposure.Service) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := netset.Port{Transport: via.Base(), Number: port}
	o, ok := h.seen[k]
	if !ok {
		return
	}
	if o.State == exposure.OpenFiltered {
		if !proven(s) {
			return
		}
		o.State, o.Reason = exposure.Open, exposure.ReasonUDPResponse
	}
	if !proven(s) {
		o.Labels = append(slices.Clip(o.Labels), exposure.LabelUnproven)
	}
	o.Service = s
	h.seen[k] = o
}

// has reports whether any observation has the state.
func (h *host) has(state exposure.State) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.seen {
		if o.State == state {
			return true
		}
	}
	return false
}

// alive reports whether anything at all came back from the host.
func (h *host) alive() bool { return h.has(exposure.Open) || h.has(exposure.Closed) }
