package dial

import (
	"context"
	"net/netip"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// handshake is how one attempt to connect by TCP ended.
type handshake struct {
	reason   exposure.Reason
	offender netip.Addr // of an ICMP error; invalid when none was read
	rtt      time.Duration
	attempts int // SYNs sent, as far as the system tells
	detail   string
}

// Connect tries one TCP connection and closes it at once, by a reset so that
// neither side keeps state. The SYNs within the timeout are the system's.
// Failures on this side give the state unmeasured, never closed; ICMP errors
// give filtered, also those that the system reports as a refusal (Linux only;
// elsewhere a refusal by ICMP reads as conn-refused). Vantage and Service stay
// empty. A timeout of 0 means DefaultTimeout.
func (d *Dialer) Connect(ctx context.Context, t exposure.Target, timeout time.Duration) exposure.Observation {
	o := exposure.Observation{Target: t, At: time.Now()}
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	server := netip.AddrPortFrom(t.Addr.Unmap(), t.Port)
	if err := d.check(server.Addr()); err != nil {
		o.State, o.Reason, o.Detail = exposure.Unmeasured, exposure.ReasonLocalError, err.Error()
		return o
	}
	h := d.connect(ctx, server, timeout, 0)
	o.State, o.Reason, o.RTT, o.Attempts, o.Detail = stateOf(h.reason), h.reason, h.rtt, h.attempts, h.detail
	if h.offender.IsValid() && !sameHost(h.offender, server.Addr()) {
		o.Detail = "ICMP error from " + h.offender.String()
	}
	return o
}

// connectOnly is an exchange without a payload.
func (d *Dialer) connectOnly(ctx context.Context, r exchange.Request) exchange.Reply {
	h := d.connect(ctx, r.Server, total(r.Timeouts), r.HopLimit)
	return exchange.Reply{Reason: h.reason, Offender: h.offender, RTT: h.rtt, Attempts: h.attempts, Detail: h.detail}
}

// connect makes handshakes until one is not with ourselves: a connection to a
// local port that nobody listens on, from the very same port, succeeds (a
// simultaneous open, RFC 9293 section 3.5) and proves nothing.
func (d *Dialer) connect(ctx context.Context, server netip.AddrPort, timeout time.Duration, hopLimit int) handshake {
	deadline := time.Now().Add(timeout)
	const tries = 4
	for range tries {
		h, self := d.handshake(ctx, server, deadline, hopLimit)
		if !self {
			return h
		}
	}
	return handshake{reason: exposure.ReasonLocalError, detail: "connected only to itself"}
}
