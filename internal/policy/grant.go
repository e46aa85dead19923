package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// maxGrants bounds what a policy resolves to.
const maxGrants = 500_000

// Grants are everything that the policy allows at a time: by asset, then what
// the role brings, then expose rules, exceptions and tunnels, each by zone in
// the file's order. An exception or waiver holds until the end of its last
// day, UTC. A nil Policy is Default. The grants' slices and pointers belong to
// the policy.
func (p *Policy) Grants(at time.Time) []Grant {
	all := p.resolved().grants
	out := make([]Grant, 0, len(all))
	for i := range all {
		if all[i].holds(at) {
			out = append(out, all[i])
		}
	}
	return out
}

// holds reports whether a grant has not ended.
func (g *Grant) holds(at time.Time) bool { return inDate(g.Until, at) }

// inDate reports whether at is not after the last day; a zero day never ends.
func inDate(lastDay, at time.Time) bool {
	return lastDay.IsZero() || at.Before(lastDay.AddDate(0, 0, 1))
}

// resolver works out the grants of a policy.
type resolver struct {
	policy     *Policy
	zones      map[string]int
	exceptions map[string][]*Exception // by asset
	tunnels    []*Zone
	grants     []Grant
	work       int
}

var errTooLarge = errors.New("the policy resolves to too many rules")

// resolve gives all grants, ended ones too, in the order of Grants.
func resolve(p *Policy, zones map[string]int) ([]Grant, error) {
	r := &resolver{policy: p, zones: zones, exceptions: map[string][]*Exception{}}
	for i := range p.Exceptions {
		e := &p.Exceptions[i]
		r.exceptions[e.Asset] = append(r.exceptions[e.Asset], e)
	}
	for i := range p.Zones {
		if p.Zones[i].Tunnel != NoTunnel {
			r.tunnels = append(r.tunnels, &p.Zones[i])
		}
	}
	for i := range p.Assets {
		a := &p.Assets[i]
		r.role(a)
		for j := range a.Expose {
			e := &a.Expose[j]
			r.expose(a, e, time.Time{}, Rule{FromExpose, "expose", e.At})
		}
		for _, e := range r.exceptions[a.Name] {
			text := fmt.Sprintf("exception until %s for %s", e.Until.Format(time.DateOnly), e.Why)
			r.expose(a, &e.Expose, e.Until, Rule{FromException, text, e.At})
		}
		if a.isGateway(p) {
			r.tunnel(a)
		}
		if len(r.grants) > maxGrants || r.work > maxWork {
			return nil, errTooLarge
		}
	}
	return r.grants, nil
}

// isGateway is true for the assets whose tunnel ports wan may reach: those
// marked, or the only asset there is.
func (a *Asset) isGateway(p *Policy) bool { return a.Gateway || len(p.Assets) == 1 }

// grant adds one grant unless from leaves nobody in the zone.
func (r *resolver) grant(a *Asset, z *Zone, ports Ports, from []netip.Prefix, until time.Time, rule Rule) {
	if len(r.grants) > maxGrants || r.work > maxWork {
		return
	}
	r.work += len(from) * len(z.Networks)
	if sources, some := z.within(from); some {
		r.grants = append(r.grants, Grant{a, z, ports, sources, rule, until})
	}
}

func (r *resolver) role(a *Asset) {
	for _, rule := range a.Role.Rules() {
		for i := range r.policy.Zones {
			z := &r.policy.Zones[i]
			word := Rule{FromRole, fmt.Sprintf("role %s: %s from %s", a.Role, rule.Ports, z.Name), a.At}
			switch rule.Reach {
			case Everywhere:
				r.grant(a, z, rule.Ports, nil, a.publicUntil(z), word)
			case Inside:
				if !z.open() {
					r.grant(a, z, rule.Ports, nil, time.Time{}, word)
				}
			case FromSecondaries:
				if from := r.secondaries(a, z); len(from) > 0 {
					word.Text = fmt.Sprintf("role %s: %s from its secondaries in %s", a.Role, rule.Ports, z.Name)
					r.grant(a, z, rule.Ports, from, time.Time{}, word)
				}
			case Outside:
			}
		}
	}
}

// publicUntil is when strangers' access ends with a public resolver's waiver.
func (a *Asset) publicUntil(z *Zone) time.Time {
	switch {
	case a.Role != PublicResolver || !z.open():
		return time.Time{}
	case a.Waiver == nil: // only in a Policy that Parse did not make
		return time.Unix(0, 0).UTC()
	}
	return a.Waiver.Until
}

// secondaries are those that may stand in a zone. Where anybody may stand, one
// whose address is of another zone's networks is forged.
func (r *resolver) secondaries(a *Asset, z *Zone) []netip.Prefix {
	if !z.open() {
		return a.Secondaries
	}
	return slices.DeleteFunc(slices.Clone(a.Secondaries), func(s netip.Prefix) bool {
		for i := range r.policy.Zones {
			other := &r.policy.Zones[i]
			r.work += len(other.Networks)
			if r.work > maxWork {
				return true
			}
			if !other.open() && slices.ContainsFunc(other.Networks, func(n netip.Prefix) bool { return n.Overlaps(s) && n.Bits() <= s.Bits() }) {
				return true
			}
		}
		return false
	})
}

func (r *resolver) expose(a *Asset, e *Expose, until time.Time, rule Rule) {
	head := rule.Text
	for _, name := range e.To {
		i, known := r.zones[name]
		if !known { // only in a Policy that Parse did not make
			continue
		}
		for _, ports := range e.Ports {
			rule.Text = fmt.Sprintf("%s: %s to %s", head, ports, name)
			r.grant(a, &r.policy.Zones[i], ports, e.From, until, rule)
		}
	}
}

// tunnel lets wan reach what the tunnels need.
func (r *resolver) tunnel(a *Asset) {
	wan, known := r.zones[WAN]
	if !known {
		return
	}
	var done []Ports
	for _, z := range r.tunnels {
		for _, ports := range z.Tunnel.Entry() {
			if slices.Contains(done, ports) {
				continue
			}
			done = append(done, ports)
			rule := Rule{FromTunnel, fmt.Sprintf("tunnel %s of zone %s: %s from %s", z.Tunnel, z.Name, ports, WAN), z.At}
			r.grant(a, &r.policy.Zones[wan], ports, nil, time.Time{}, rule)
		}
	}
}
