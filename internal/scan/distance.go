package scan

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// farthest is the greatest distance looked for, in hops; paths of more than
// half of that are not seen in practice.
const farthest = 64

// again is how often a surprising distance is measured before it is believed,
// since routers may send each packet another way.
const again = 3

// span is the outcome of one packet with a hop limit.
type span int

const (
	lost    span = iota // nothing came back
	died                // a router said that the hop limit was used up
	arrived             // the target itself answered
)

// byDistance compares the distance of the target with that of whoever answers
// DNS. All packets go to the target.
func (c Controls) byDistance(ctx context.Context, s Suspect) Control {
	if c.OnLink != nil && c.OnLink(s.Addr) {
		return Control{Verdict: None, Text: "the target is on this link: nothing stands between"}
	}
	p := &path{Controls: c, addr: s.Addr, reference: s.Reference}
	if !p.choose(ctx) {
		return Control{NotTested, "the target answers on no other port, so its distance is unknown", p.evidence}
	}
	distance, ok := p.distance(ctx)
	switch {
	case !ok:
		return Control{NotTested, "the target's distance could not be measured", p.evidence}
	case distance == 1:
		return Control{None, "the target is one hop away: nothing stands between", p.evidence}
	}
	return p.compare(ctx, distance)
}

// path is a measurement of distances on the way to one address.
type path struct {
	Controls
	addr      netip.Addr
	reference exposure.Target // a port of the target that answers and is not DNS
	evidence  []exposure.Evidence
}

// choose finds a port of the target that answers at all.
func (p *path) choose(ctx context.Context) bool {
	if p.reference.Addr == p.addr && p.reference.Addr.IsValid() && p.send(ctx, farthest) == arrived {
		return true
	}
	for _, port := range highPorts(2) {
		p.reference = exposure.Target{Addr: p.addr, Transport: exposure.UDP, Port: port}
		if p.send(ctx, farthest) == arrived {
			return true
		}
	}
	return false
}

// send sends one packet to the reference port, and once more after silence.
func (p *path) send(ctx context.Context, hopLimit int) span {
	if p.wait(ctx) != nil {
		return lost
	}
	r := exchange.Request{
		Server: p.reference.AddrPort(), Transport: p.reference.Transport, HopLimit: hopLimit,
		Timeouts: []time.Duration{p.timeout() / 2, p.timeout() / 2},
	}
	if r.Transport == exposure.UDP {
		r.Payload = ask(p.reference.Port).bytes
	}
	reply := p.Prober.Exchange(ctx, r)
	e := exposure.Evidence{
		Transport: p.reference.Transport, Query: fmt.Sprintf("probe of %s with hop limit %d", p.reference, hopLimit), Response: string(reply.Reason),
	}
	if reply.Offender.IsValid() {
		e.From = reply.Offender.String()
	}
	p.evidence = append(p.evidence, e)
	switch {
	case reply.Reason == exposure.ReasonTimeExceeded:
		return died
	case reply.Answered() && sameHost(reply.From.Addr(), p.addr),
		reply.Reason == exposure.ReasonPortUnreachable && sameHost(reply.Offender, p.addr),
		reply.Reason == exposure.ReasonSynAck, reply.Reason == exposure.ReasonReset:
		return arrived
	}
	return lost
}

// distance finds the least hop limit at which the reference port answers, with
// few answers of the target, which may limit how often it gives them.
func (p *path) distance(ctx context.Context) (hops int, ok bool) {
	short, reached := 0, 1 // the last that was too short, the first that reached
	for p.send(ctx, reached) != arrived {
		short = reached
		if reached *= 2; reached > farthest || ctx.Err() != nil {
			return 0, false
		}
	}
	for reached-short > 1 {
		middle := (short + reached) / 2
		if p.send(ctx, middle) == arrived {
			reached = middle
		} else {
			short = middle
		}
	}
	return reached, ctx.Err() == nil
}

// compare asks DNS one hop short of the target.
func (p *path) compare(ctx context.Context, distance int) Control {
	for range again {
		d := p.ask(ctx, distance-1)
		if !d.answered {
			return p.notNearer(ctx, distance)
		}
	}
	proofs := 0
	for range again {
		switch p.send(ctx, distance-1) {
		case arrived:
			return Control{NotTested, "the path to the target changes its length", p.evidence}
		case died:
			proofs++
		case lost:
		}
	}
	if proofs == 0 {
		return Control{NotTested, "DNS seems to be answered from nearer than the target, but no router on the path says where packets end", p.evidence}
	}
	nearest := distance - 1
	for nearest > 1 && p.ask(ctx, nearest-1).answered {
		nearest--
	}
	return Control{
		Detected,
		fmt.Sprintf("DNS queries to %s are answered %d hops away, while %s itself is %d hops away", p.addr, nearest, p.addr, distance),
		p.evidence,
	}
}

// notNearer says what no answer from nearer means, by whether DNS answers at
// the target's own distance.
func (p *path) notNearer(ctx context.Context, distance int) Control {
	switch at := p.ask(ctx, distance); {
	case at.answered:
		return Control{
			None,
			fmt.Sprintf("DNS is answered from the target's own distance, %d hops; a redirect to another server just as far could not be told from it", distance),
			p.evidence,
		}
	case at.reason == exposure.ReasonTimeExceeded:
		return Control{
			NotTested,
			fmt.Sprintf("DNS is answered from beyond the target's own distance of %d hops: the target or something before it forwards the queries", distance),
			p.evidence,
		}
	}
	return Control{NotTested, "the target did not answer DNS again", p.evidence}
}

func (p *path) ask(ctx context.Context, hopLimit int) dnsReply {
	d := p.askDNS(ctx, p.addr, hopLimit)
	p.evidence = append(p.evidence, d.evidence)
	return d
}
