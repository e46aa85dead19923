package scan

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// Hosts limit how often they say that a UDP port is closed: Linux says it six
// times to one address and then once a second (RFC 4443 section 2.4 asks for
// such a limit). A port whose turn comes when the allowance is used up, be it
// by an earlier scan, looks as if it were filtered.
const (
	// unreachableEvery is after how long without a packet to a closed port the
	// host may be trusted to answer for the next.
	unreachableEvery = 1100 * time.Millisecond
	// patientFor is how long after the first packet to a host a port of less
	// importance than DNS may still be asked by itself; where DNS answers on
	// UDP the other ports matter less than the time.
	patientFor    = 4 * time.Second
	patientForDNS = 2100 * time.Millisecond
	// fruitless is the number of ports that were asked by themselves in vain
	// after which a host that has sent no ICMP error is taken to send none.
	fruitless = 2
)

// Details of a UDP port that stayed silent.
const (
	limitedDetail = "the host may limit its ICMP errors and there was not enough time to ask slowly: this port may be closed as well"
	aloneDetail   = "silent also when asked by itself, so that a limit on the host's ICMP errors does not explain it"
)

// limits is what is known of the limit on a host's ICMP errors; the host's
// mutex guards it, but for dnsKnown.
type limits struct {
	errors   int       // ICMP errors the host itself sent
	resets   int       // TCP ports it closed
	inVain   int       // ports asked by themselves that stayed silent
	began    time.Time // the first probe
	lastUDP  time.Time // the last packet that may have used up an allowance
	alone    bool      // DNS is being asked by itself, or has been
	dnsOpen  bool
	dnsKnown chan struct{} // closed when UDP port 53 has its verdict, or its second attempt can wait
	closing  sync.Once
}

func isDNS(p netset.Port) bool {
	return p.Number == 53 && p.Transport.Base() == exposure.UDP
}

func (h *host) isUDP(a asked) bool { return h.Ports[a.index].Transport.Base() == exposure.UDP }

func silentUDP(a asked) bool { return a.last != nil && a.last.State == exposure.OpenFiltered }

// separate takes UDP port 53 out of those that the first pass left, when its
// silence may come from a limit, and with it the other UDP ports that matter.
// It begins to ask them one by one.
func (h *host) separate(ctx context.Context, working *sync.WaitGroup, pending []asked, timeouts []time.Duration) []asked {
	i := slices.IndexFunc(pending, func(a asked) bool { return isDNS(h.Ports[a.index]) })
	if i < 0 || !silentUDP(pending[i]) || !h.mayLimit() {
		if i >= 0 {
			h.releaseUDP()
		}
		return h.tcpFirst(pending)
	}
	var important, others []asked
	for _, a := range pending {
		if h.isUDP(a) && silentUDP(a) && h.rank(a.index) < unranked {
			important = append(important, a)
		} else {
			others = append(others, a)
		}
	}
	h.mu.Lock()
	h.limits.alone = true
	h.mu.Unlock()
	working.Go(func() {
		defer h.releaseUDP()
		for _, a := range h.byRank(important) {
			timeout := timeouts[min(1, len(timeouts)-1)]
			if !h.askAlone(ctx, a, timeout) {
				h.askPlainly(ctx, a, timeout)
			}
		}
	})
	return h.tcpFirst(others)
}

func (h *host) byRank(targets []asked) []asked {
	slices.SortStableFunc(targets, func(a, b asked) int { return cmp.Compare(h.rank(a.index), h.rank(b.index)) })
	return targets
}

// tcpFirst orders a repetition so that no TCP port waits for a UDP port.
func (h *host) tcpFirst(pending []asked) []asked {
	slices.SortStableFunc(pending, func(a, b asked) int {
		switch udp := h.isUDP(a); {
		case udp == h.isUDP(b):
			return 0
		case udp:
			return 1
		}
		return -1
	})
	return pending
}

// releaseUDP lets the UDP ports be asked that gave way to DNS.
func (h *host) releaseUDP() { h.limits.closing.Do(func() { close(h.limits.dnsKnown) }) }

// giveWay holds a UDP port back while DNS is asked by itself, and repetitions
// until it is known whether that is needed.
func (h *host) giveWay(ctx context.Context, a asked) {
	if !h.isUDP(a) || isDNS(h.Ports[a.index]) {
		return
	}
	h.mu.Lock()
	hold := h.limits.alone || a.last != nil
	h.mu.Unlock()
	if !hold {
		return
	}
	select {
	case <-h.limits.dnsKnown:
	case <-ctx.Done():
	}
}

// unhurried gives their verdicts to the UDP ports that stayed silent on a host
// that may limit its ICMP errors: the most important are asked once more, each
// by itself, as many as the time allows.
func (h *host) unhurried(ctx context.Context, doubtful []asked) {
	for _, a := range h.byRank(doubtful) {
		if !h.askAlone(ctx, a, h.shorten(h.Timeouts[0])) {
			h.settle(a)
		}
	}
}

// askAlone asks a UDP port when the host surely may answer for a closed one,
// and gives its verdict. It does neither when there is no sense or time.
func (h *host) askAlone(ctx context.Context, a asked, timeout time.Duration) (done bool) {
	for {
		at, sensible := h.nextAlone(isDNS(h.Ports[a.index]))
		wait := time.Until(at)
		if sensible && wait <= 0 {
			break
		}
		if !sensible || !pause(ctx, wait) {
			return false
		}
	}
	// An allowance is used up within a round trip, however long the answer of
	// a server may take.
	release := time.AfterFunc(h.shorten(timeout), h.releaseUDP)
	defer release.Stop()
	for _, silent := range h.pass(ctx, []asked{a}, timeout) {
		if !silentUDP(silent) || ctx.Err() != nil {
			h.settle(silent)
			continue
		}
		o := *silent.last
		h.mu.Lock()
		h.limits.inVain++
		if o.Detail == "" && h.limits.errors > 0 {
			o.Detail = aloneDetail
		}
		h.mu.Unlock()
		h.conclude(silent, o)
	}
	return true
}

// askPlainly gives a port its verdict, after the second attempt that every
// silent port is owed.
func (h *host) askPlainly(ctx context.Context, a asked, timeout time.Duration) {
	for _, silent := range h.pass(ctx, []asked{a}, timeout) {
		h.settle(silent)
	}
}

// pause waits, and reports whether the scan goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// nextAlone tells when a port may be asked by itself, and whether that makes
// sense; for DNS it is never too late.
func (h *host) nextAlone(dns bool) (at time.Time, sensible bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &h.limits
	at = l.lastUDP.Add(unreachableEvery)
	if now := time.Now(); now.After(at) {
		at = now
	}
	patience := patientFor
	if l.dnsOpen {
		patience = patientForDNS
	}
	return at, l.suspected() && (dns || at.Sub(l.began) <= patience)
}

// mayLimit reports whether the silence of a UDP port may come from a limit on
// ICMP errors: the host closes ports, and has not proven to send no such error.
func (h *host) mayLimit() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.limits.suspected()
}

func (l *limits) suspected() bool {
	return l.errors > 0 || l.resets > 0 && l.inVain < fruitless
}

// doubts reports that a port's verdict should wait for what the others show.
func (h *host) doubts(a asked) bool {
	if !h.isUDP(a) || !silentUDP(a) {
		return false
	}
	return !h.lives() || h.mayLimit()
}

// sending takes note that a probe begins.
func (h *host) sending(udp bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.limits.began.IsZero() {
		h.limits.began = now
	}
	if udp {
		h.limits.lastUDP = now
	}
}

// limited takes note of an ICMP error of the host itself.
func (h *host) limited() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limits.errors++
}
