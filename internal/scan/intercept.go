package scan

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"reconshield/internal/exposure"
)

// Suspect is an address that answers DNS on UDP port 53, and what there is to
// test whether it is really that address which answers.
type Suspect struct {
	Addr netip.Addr
	// Quiet are addresses of the same network that answer on no other port and
	// of which nobody said that they are servers, see Witnesses. Those out of
	// scope are left alone.
	Quiet []netip.Addr
	// Control is an address that the user names because no server is there; it
	// alone may lie outside the scope. The zero Addr: none.
	Control netip.Addr
	// Reference is a target at the same address that answers and is not DNS,
	// open or closed, to learn the distance from; the zero Target: a random
	// high UDP port is tried.
	Reference exposure.Target
}

// Intercept tests whether something on the path answers port 53 in the stead
// of the address. It asks, as far as there is something to ask:
//
//   - the user's control address, where no DNS server is;
//   - quiet addresses of the same network: when every one answers DNS in the
//     same manner, a middlebox does;
//   - the target itself with small hop limits: an answer from nearer than the
//     target was not given by the target.
//
// A redirect to a server at the target's distance or beyond stays unseen by
// the last; Text says so where it matters.
func (c Controls) Intercept(ctx context.Context, s Suspect) Control {
	s.Addr = s.Addr.Unmap()
	if s.Addr.IsLoopback() {
		return Control{Verdict: None, Text: "the target is this machine"}
	}
	var found Control
	for _, test := range []func(context.Context, Suspect) Control{c.byControl, c.byQuiet, c.byDistance} {
		if ctx.Err() != nil {
			return Control{Verdict: NotTested, Text: "cancelled before it was finished", Evidence: found.Evidence}
		}
		next := test(ctx, s)
		next.Evidence = append(found.Evidence, next.Evidence...)
		if found.Text != "" && next.Verdict == NotTested {
			next.Text = found.Text + "; " + next.Text
		}
		found = next
		if found.Verdict != NotTested {
			break
		}
	}
	return found
}

// byControl asks the address that the user named.
func (c Controls) byControl(ctx context.Context, s Suspect) Control {
	if !s.Control.IsValid() {
		return Control{Verdict: NotTested, Text: "no control address was given (--control)"}
	}
	if s.Control.Is4() != s.Addr.Is4() {
		return Control{Verdict: NotTested, Text: fmt.Sprintf("the control address %s is of the other family", s.Control)}
	}
	d := c.askDNS(ctx, s.Control, 0)
	evidence := []exposure.Evidence{d.evidence}
	switch {
	case d.answered:
		return Control{Detected, fmt.Sprintf("the control address %s, where no DNS server is, answers DNS", s.Control), evidence}
	case settled(d.reason):
		return Control{None, fmt.Sprintf("the control address %s does not answer DNS", s.Control), evidence}
	}
	return Control{NotTested, fmt.Sprintf("the control address %s could not be asked: %s", s.Control, d.reason), evidence}
}

// settled reports a reason by which an address was really asked.
func settled(r exposure.Reason) bool {
	return r == exposure.ReasonTimeout || r == exposure.ReasonPortUnreachable || r == exposure.ReasonHostUnreachable ||
		r == exposure.ReasonNetUnreachable || r == exposure.ReasonAdminProhibited || r == exposure.ReasonProtoUnreach
}

// fewestQuiet is how many quiet addresses must all answer alike before a
// middlebox is concluded from them, the network's base address counting for all.
const fewestQuiet = 4

// byQuiet asks quiet addresses of the same network.
func (c Controls) byQuiet(ctx context.Context, s Suspect) Control {
	var quiet []netip.Addr
	for _, a := range s.Quiet {
		if a != s.Addr && c.InScope != nil && c.InScope(a) && len(quiet) < fewestQuiet+1 {
			quiet = append(quiet, a)
		}
	}
	if len(quiet) == 0 {
		return Control{Verdict: NotTested, Text: "the scope holds no quiet address of the same network to compare with"}
	}
	own := c.askDNS(ctx, s.Addr, 0)
	if !own.answered {
		return Control{NotTested, "the target did not answer again", []exposure.Evidence{own.evidence}}
	}
	evidence := []exposure.Evidence{own.evidence}
	alike, base := 0, false
	for _, a := range quiet {
		d := c.askDNS(ctx, a, 0)
		evidence = append(evidence, d.evidence)
		switch {
		case !d.answered && settled(d.reason):
			return Control{None, fmt.Sprintf("%s of the same network does not answer DNS", a), evidence}
		case d.like(own):
			alike++
			base = base || a == networkOf(a).Addr()
		}
	}
	if alike == len(quiet) && (base || alike >= fewestQuiet) {
		return Control{Detected, fmt.Sprintf("addresses that answer nothing else (%s) all answer DNS as the target does", list(quiet)), evidence}
	}
	return Control{NotTested, fmt.Sprintf("%d quiet addresses of the same network answer DNS, too few to conclude from", alike), evidence}
}

// networkOf gives the network that an address is taken to share with its
// neighbours: /24 for IPv4, /64 for IPv6.
func networkOf(a netip.Addr) netip.Prefix {
	const bits4, bits6 = 24, 64
	bits := bits6
	if a.Is4() {
		bits = bits4
	}
	return netip.PrefixFrom(a.WithZone(""), bits).Masked()
}

// Witnesses gathers, from the observations of a scan, which addresses are
// quiet: those that gave no sign of life on any port but 53. It holds a few
// dozen bytes an address and is not safe for concurrent use; the zero value is
// empty.
type Witnesses struct {
	hosts map[netip.Addr]sign
}

type sign struct{ quiet, noisy bool }

// Add takes one observation.
func (w *Witnesses) Add(o exposure.Observation) {
	const port = 53
	if o.State == exposure.Unmeasured {
		return
	}
	if w.hosts == nil {
		w.hosts = map[netip.Addr]sign{}
	}
	s := w.hosts[o.Addr]
	switch {
	case o.Port == port:
		s.quiet = true
	case o.State == exposure.Open, o.State == exposure.Closed:
		s.noisy = true
	}
	w.hosts[o.Addr] = s
}

// Quiet gives up to n quiet addresses of addr's network, the network's base
// address first, the others spread over the network. usable may exclude some,
// such as those that the user named one by one; nil allows all.
func (w *Witnesses) Quiet(addr netip.Addr, n int, usable func(netip.Addr) bool) []netip.Addr {
	network := networkOf(addr)
	var all []netip.Addr
	for a, s := range w.hosts {
		if s.quiet && !s.noisy && a != addr && network.Contains(a) && (usable == nil || usable(a)) {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	if len(all) <= n {
		return all
	}
	picked := make([]netip.Addr, 0, n)
	for i := range n {
		picked = append(picked, all[i*len(all)/n])
	}
	return picked
}
