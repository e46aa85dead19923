package scan

import (
	"context"
	"net/netip"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// probe asks a target once more and joins the outcome to the earlier ones.
func (h *host) probe(ctx context.Context, a asked, timeout time.Duration) exposure.Observation {
	port := h.Ports[a.index]
	t := exposure.Target{Addr: h.addr, Transport: port.Transport.Base(), Port: port.Number}
	var o exposure.Observation
	h.sending(t.Transport == exposure.UDP)
	if t.Transport == exposure.TCP {
		o = h.prober.Connect(ctx, t, h.shorten(timeout))
	} else {
		load := payloadFor(t.Port)
		if !load.slow {
			timeout = h.shorten(timeout)
		}
		o = h.probeUDP(ctx, t, load, timeout)
		if o.Attempts > 1 {
			h.sending(true)
		}
	}
	h.learn(o)
	h.sent(o.Attempts, a.last != nil)
	return join(a.last, o)
}

// join gives the later observation unless it failed on this side and the
// earlier did not: a measurement that was made stays made.
func join(earlier *exposure.Observation, o exposure.Observation) exposure.Observation {
	if earlier == nil {
		return o
	}
	attempts := earlier.Attempts + o.Attempts
	if o.State == exposure.Unmeasured && earlier.State != exposure.Unmeasured {
		o = *earlier
	}
	o.Attempts = attempts
	return o
}

// probeUDP asks a UDP target once. A datagram that does not fit the question
// may come from a service of another kind: then the question is asked again
// and any datagram of the target itself counts.
func (h *host) probeUDP(ctx context.Context, t exposure.Target, load payload, timeout time.Duration) exposure.Observation {
	question := load.build()
	other := 0
	r := exchange.Request{
		Server: t.AddrPort(), Transport: exposure.UDP, Payload: question.bytes, Timeouts: []time.Duration{timeout},
		Accept: func(b []byte) bool {
			if question.answeredBy(b) {
				return true
			}
			other++
			return false
		},
	}
	at := time.Now()
	reply := h.prober.Exchange(ctx, r)
	if sameHost(reply.Offender, t.Addr) {
		h.limited()
	}
	o := judgeUDP(t, reply, load.reason)
	o.At = at
	if reply.Answered() || other == 0 || ctx.Err() != nil {
		return o
	}
	r.Accept = nil
	second := h.prober.Exchange(ctx, r)
	if second.Answered() && !sameHost(second.From.Addr(), t.Addr) {
		o.Attempts += second.Attempts
		o.Detail = "datagrams from " + second.From.String() + " that answer nothing were ignored"
		return o
	}
	first := o.Attempts
	o = judgeUDP(t, second, exposure.ReasonUDPResponse)
	o.Attempts += first
	o.At = at
	return o
}

// judgeUDP turns a reply into a verdict; answered is the reason when a payload
// came back. Only the target's own port-unreachable proves a port closed.
func judgeUDP(t exposure.Target, reply exchange.Reply, answered exposure.Reason) exposure.Observation {
	o := exposure.Observation{
		Target: t, Reason: reply.Reason, RTT: reply.RTT, Attempts: reply.Attempts, Detail: reply.Detail,
	}
	if reply.Answered() {
		o.State, o.Reason = exposure.Open, answered
		if !sameHost(reply.From.Addr(), t.Addr) {
			o.Detail = "the answer came from " + reply.From.String()
		}
		return o
	}
	switch reply.Reason {
	case exposure.ReasonPortUnreachable:
		o.State = exposure.Closed
		if !sameHost(reply.Offender, t.Addr) {
			o.State = exposure.Filtered
			o.Detail = "said by " + reply.Offender.String() + ", not by the target"
		}
	case exposure.ReasonHostUnreachable, exposure.ReasonNetUnreachable, exposure.ReasonProtoUnreach,
		exposure.ReasonAdminProhibited, exposure.ReasonTimeExceeded:
		o.State = exposure.Filtered
	case exposure.ReasonTimeout, exposure.ReasonDNSResponse, exposure.ReasonUDPResponse:
		// The last two without a payload: an empty datagram proves nothing.
		o.State, o.Reason, o.RTT = exposure.OpenFiltered, exposure.ReasonTimeout, 0
	case exposure.ReasonSynAck, exposure.ReasonReset, exposure.ReasonNoRoute,
		exposure.ReasonLocalError, exposure.ReasonCancelled:
		o.State = exposure.Unmeasured
	default:
		o.State = exposure.Unmeasured
	}
	return o
}

// sameHost compares addresses without zones, which may be written in two ways.
func sameHost(a, b netip.Addr) bool {
	return a.IsValid() && a.Unmap().WithZone("") == b.Unmap().WithZone("")
}
