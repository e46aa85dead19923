package recommend

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// allows makes the fewest Allows of an asset's grants: one for a zone, its
// sources, a transport and an end, with ports joined, and none that another
// covers. With strange the zones' interfaces mean nothing where the rules stand.
func allows(p *policy.Policy, a *policy.Asset, at time.Time, strange bool) ([]firewall.Allow, error) {
	parts := map[string]*part{}
	for _, g := range p.Grants(at) {
		if g.Asset.Name != a.Name {
			continue
		}
		if strange && len(g.Sources) == 0 && g.Zone.Name != policy.WAN && len(g.Zone.Interfaces) > 0 {
			return nil, fmt.Errorf("zone %s has no networks, and its interfaces are the gateway's: rules on %s itself cannot tell who is in it; "+
				"add networks to the zone or ask for the gateway's rules", g.Zone.Name, a.Name)
		}
		add(parts, p, g, strange)
	}
	all := make([]*part, 0, len(parts))
	for _, q := range parts {
		all = append(all, q)
	}
	slices.SortFunc(all, compare)
	for i, q := range all {
		for _, other := range all[i+1:] {
			if !q.alike(other) {
				break
			}
			if q.covers(other) {
				other.ports = other.ports.Subtract(q.ports)
			} else if other.covers(q) {
				q.ports = q.ports.Subtract(other.ports)
			}
		}
	}
	for _, q := range all {
		for _, other := range all {
			if len(q.names) == 0 && q != other && q.grant.Ports.Transport == other.grant.Ports.Transport && q.covers(other) {
				other.ports = other.ports.Subtract(q.ports) // whatever interface they come in on
			}
		}
	}
	var out []firewall.Allow
	for _, q := range all {
		if allow, some := q.allow(); some {
			out = append(out, allow)
		}
	}
	slices.SortStableFunc(out, func(x, y firewall.Allow) int {
		return cmp.Or(cmp.Compare(zone(p, x.Zone), zone(p, y.Zone)), cmp.Compare(order(x.Transport), order(y.Transport)), cmp.Compare(first(x), first(y)))
	})
	return out, nil
}

// part is an Allow in the making.
type part struct {
	grant policy.Grant
	order int // of the zone
	addrs firewall.Addrs
	names []string // interfaces
	ports firewall.Numbers
	why   []string
}

func add(parts map[string]*part, p *policy.Policy, g policy.Grant, strange bool) {
	sources := firewall.AddrsOf(g.Sources...)
	key := fmt.Sprint(g.Zone.Name, "|", g.Ports.Transport, "|", g.Until.Unix(), "|", firewall.Prefixes(sources), "|", len(g.Sources) == 0)
	q := parts[key]
	if q == nil {
		q = &part{grant: g, order: zone(p, g.Zone.Name), addrs: sources}
		if len(g.Sources) == 0 {
			q.addrs = firewall.AllOf(firewall.Inet)
		}
		if !strange {
			q.names = slices.Clone(g.Zone.Interfaces)
		}
		parts[key] = q
	}
	q.ports = q.ports.Union(firewall.NumberRange(firewall.Number(g.Ports.First), firewall.Number(g.Ports.Last)))
	if why := reason(g); !slices.Contains(q.why, why) {
		q.why = append(q.why, why)
	}
}

// reason is a grant's rule without the ports, which the Allow has itself.
func reason(g policy.Grant) string {
	text := g.Rule.Text
	if i := strings.LastIndex(text, ": "); i > 0 {
		text = text[:i]
	}
	if g.Rule.Kind != policy.FromRole && g.Rule.At.Line > 0 {
		text += fmt.Sprintf(" (line %d)", g.Rule.At.Line)
	}
	return text
}

// alike reports whether both are of one zone and transport; sorted parts that
// are stand together.
func (q *part) alike(o *part) bool {
	return q.order == o.order && q.grant.Ports.Transport == o.grant.Ports.Transport
}

// covers reports whether whom o lets in q lets in as well, at least as long.
func (q *part) covers(o *part) bool {
	return (q.grant.Until.IsZero() || !o.grant.Until.IsZero() && !q.grant.Until.Before(o.grant.Until)) &&
		o.addrs.Subtract(q.addrs).Empty() && !q.ports.Empty()
}

func (q *part) allow() (firewall.Allow, bool) {
	out := firewall.Allow{
		Zone: q.grant.Zone.Name, Interfaces: q.names, Transport: q.grant.Ports.Transport,
		Why: strings.Join(q.why, "; "), Until: q.grant.Until,
	}
	if len(q.grant.Sources) > 0 {
		out.Sources = firewall.Prefixes(q.addrs)
	}
	if out.Transport == policy.ESP {
		return out, !q.ports.Empty()
	}
	for _, s := range q.ports.Spans() {
		out.Ports = append(out.Ports, firewall.PortRange{First: uint16(s.First), Last: uint16(s.Last)}) //nolint:gosec // ports all along
	}
	return out, len(out.Ports) > 0
}

// compare orders wider and longer parts first, so that what covers goes before
// what is covered, and everything the same way each time.
func compare(x, y *part) int {
	return cmp.Or(
		cmp.Compare(x.order, y.order), cmp.Compare(order(x.grant.Ports.Transport), order(y.grant.Ports.Transport)),
		y.end().Compare(x.end()), slices.CompareFunc(x.grant.Sources, y.grant.Sources, netip.Prefix.Compare),
	)
}

func (q *part) end() time.Time {
	if q.grant.Until.IsZero() {
		return time.Unix(1<<40, 0)
	}
	return q.grant.Until
}

func zone(p *policy.Policy, name string) int {
	return slices.IndexFunc(p.Zones, func(z policy.Zone) bool { return z.Name == name })
}

// order of transports in a plan: DNS begins over UDP.
func order(t exposure.Transport) int {
	return slices.Index([]exposure.Transport{exposure.UDP, exposure.TCP, policy.ESP}, t)
}

func first(a firewall.Allow) uint16 {
	if len(a.Ports) == 0 {
		return 0
	}
	return a.Ports[0].First
}
