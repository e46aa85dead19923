package scan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/payload"
)

// Verdict is the outcome of a control.
type Verdict string

// Verdicts. NotTested is said whenever the control could not decide.
const (
	None      Verdict = "none"
	Detected  Verdict = "detected"
	NotTested Verdict = "not-tested"
)

// Control is what a control found.
type Control struct {
	Verdict  Verdict
	Text     string // one line, why
	Evidence []exposure.Evidence
}

// Controls are tests of the measurement itself. It is safe for concurrent use.
type Controls struct {
	Prober Prober
	// InScope guards every address but the explicit control address; nil
	// allows nothing beyond the target itself.
	InScope func(netip.Addr) bool
	// OnLink reports that no router stands before the address; nil: unknown.
	OnLink  func(netip.Addr) bool
	Limiter Limiter       // nil: not paced
	Timeout time.Duration // patience for one answer; 1 s when 0
}

// AcceptsEverything tests whether the host completes the handshake on ports
// that nobody uses: then an open TCP port says nothing. It asks three random
// high ports of the target itself.
func (c Controls) AcceptsEverything(ctx context.Context, addr netip.Addr) Control {
	const samples = 3
	var found Control
	for _, port := range highPorts(samples) {
		t := exposure.Target{Addr: addr, Transport: exposure.TCP, Port: port}
		if err := c.wait(ctx); err != nil {
			return Control{Verdict: NotTested, Text: "cancelled before it was finished"}
		}
		o := c.Prober.Connect(ctx, t, c.timeout())
		found.Evidence = append(found.Evidence, exposure.Evidence{
			Transport: exposure.TCP, Query: fmt.Sprintf("connect to port %d", port), Response: string(o.Reason),
			RTTms: float64(o.RTT) / float64(time.Millisecond), Note: o.Detail,
		})
		switch o.State {
		case exposure.Open:
		case exposure.Unmeasured:
			found.Verdict, found.Text = NotTested, "a connection could not be tried: "+string(o.Reason)
			return found
		case exposure.Closed, exposure.Filtered, exposure.OpenFiltered:
			found.Verdict = None
			found.Text = fmt.Sprintf("a port that nobody uses (tcp/%d) is %s, as it should be", port, o.State)
			return found
		}
	}
	found.Verdict = Detected
	found.Text = fmt.Sprintf("the host accepts connections on %d of %d random high ports: an open TCP port proves nothing here", samples, samples)
	return found
}

// highPorts picks distinct ports that no service is registered for.
func highPorts(n int) []uint16 {
	const from, to = 20000, 65000
	seen := map[uint16]bool{}
	var ports []uint16
	for len(ports) < n {
		p := uint16(from + rand.IntN(to-from))
		if !seen[p] {
			seen[p] = true
			ports = append(ports, p)
		}
	}
	return ports
}

func (c Controls) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return time.Second
}

func (c Controls) wait(ctx context.Context) error {
	if c.Limiter == nil {
		return ctx.Err()
	}
	return c.Limiter.Wait(ctx)
}

// dnsReply is an answer to a DNS question, as far as a control compares it.
type dnsReply struct {
	answered bool
	payload  []byte
	reason   exposure.Reason
	offender netip.Addr
	evidence exposure.Evidence
}

// like reports whether two answers look as if one server gave them: the same
// response code and the same word on recursion.
func (d dnsReply) like(o dnsReply) bool {
	const ra, rcode = 0x80, 0x0f // in byte 3 of the header
	return d.answered && o.answered && d.payload[3]&(ra|rcode) == o.payload[3]&(ra|rcode)
}

// askDNS asks an address on UDP port 53, twice when the first meets silence.
// hopLimit 0 leaves the system's.
func (c Controls) askDNS(ctx context.Context, addr netip.Addr, hopLimit int) dnsReply {
	const port = 53
	q := ask(port)
	if err := c.wait(ctx); err != nil {
		return dnsReply{reason: exposure.ReasonCancelled}
	}
	reply := c.Prober.Exchange(ctx, exchange.Request{
		Server: netip.AddrPortFrom(addr, port), Transport: exposure.UDP, Payload: q.bytes,
		Timeouts: []time.Duration{c.timeout() / 2, c.timeout()}, Accept: q.answers, HopLimit: hopLimit,
	})
	asked := fmt.Sprintf(". SOA IN rd=0 to %s", addr)
	if hopLimit > 0 {
		asked += fmt.Sprintf(" with hop limit %d", hopLimit)
	}
	d := dnsReply{answered: reply.Answered(), payload: reply.Payload, reason: reply.Reason, offender: reply.Offender}
	d.evidence = exposure.Evidence{
		Transport: exposure.UDP, Query: asked, Response: string(reply.Reason), BytesOut: len(q.bytes), BytesIn: len(reply.Payload),
		RTTms: float64(reply.RTT) / float64(time.Millisecond),
	}
	if reply.From.IsValid() && !sameHost(reply.From.Addr(), addr) {
		d.evidence.From = reply.From.String()
	}
	if reply.Offender.IsValid() {
		d.evidence.From = reply.Offender.String()
	}
	return d
}

// question is one datagram and how to tell its answer.
type question struct {
	bytes   []byte
	answers func(b []byte) bool
}

// ask gives what a UDP port is asked, with fresh identifiers.
func ask(port uint16) question {
	load, cookie := payload.New().For(port), rand.Uint64()
	return question{load.Append(nil, cookie), func(b []byte) bool { return load.Answers(b, cookie) }}
}

// list writes addresses for people.
func list(addrs []netip.Addr) string {
	names := make([]string, len(addrs))
	for i, a := range addrs {
		names[i] = a.String()
	}
	return strings.Join(names, ", ")
}
