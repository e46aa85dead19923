package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go4.org/netipx"
)

// index finds what decides a flow without going through everything.
type index struct {
	names    map[string]int     // assets
	addrs    map[netip.Addr]int // assets
	zones    map[string]int
	networks map[netip.Prefix]int // zones
	bits     []int                // lengths of networks, longest first
	grants   []Grant
	rules    map[side][]int                  // grants by asset and zone, in order
	large    map[*netip.Prefix]*netipx.IPSet // of grants with many sources, by the first of them
}

// manySources is from how many on a set is faster than a walk.
const manySources = 16

// side is an asset as a zone sees it.
type side struct{ asset, zone int }

func newIndex(p *Policy) (*index, error) {
	x := &index{
		names: make(map[string]int, len(p.Assets)), addrs: make(map[netip.Addr]int, len(p.Assets)),
		zones: map[string]int{}, networks: map[netip.Prefix]int{}, rules: map[side][]int{},
		large: map[*netip.Prefix]*netipx.IPSet{},
	}
	for i := range p.Zones {
		first(x.zones, p.Zones[i].Name, i)
		for _, n := range p.Zones[i].Networks {
			first(x.networks, n, i)
			x.bits = append(x.bits, n.Bits())
		}
	}
	slices.Sort(x.bits)
	x.bits = slices.Compact(x.bits)
	slices.Reverse(x.bits)
	for i := range p.Assets {
		first(x.names, p.Assets[i].Name, i)
		for _, a := range p.Assets[i].Addresses {
			first(x.addrs, a, i)
		}
	}
	var err error
	x.grants, err = resolve(p, x.zones)
	position := make(map[*Asset]int, len(p.Assets))
	for i := range p.Assets {
		position[&p.Assets[i]] = i
	}
	for i := range x.grants {
		g := &x.grants[i]
		at := side{position[g.Asset], x.zones[g.Zone.Name]}
		x.rules[at] = append(x.rules[at], i)
		x.enlarge(g.Sources)
	}
	return x, err
}

// enlarge makes the set of many sources, once for all grants that share them.
func (x *index) enlarge(sources []netip.Prefix) {
	if len(sources) < manySources || x.large[&sources[0]] != nil {
		return
	}
	var b netipx.IPSetBuilder
	for _, s := range sources {
		b.AddPrefix(s)
	}
	if set, err := b.IPSet(); err == nil { // else the walk decides, with the same outcome
		x.large[&sources[0]] = set
	}
}

func first[K comparable](m map[K]int, key K, i int) {
	if _, taken := m[key]; !taken {
		m[key] = i
	}
}

// resolved is the index, made anew for a Policy that was put together by hand.
func (p *Policy) resolved() *index {
	if p == nil {
		p = Default()
	}
	if p.index != nil {
		return p.index
	}
	x, _ := newIndex(p) // what goes beyond the bound is denied
	return x
}

// Decide gives the policy's word on a flow at a time, and the rule that gave
// it: the first of Grants that covers the flow, or the default. The flow's zone
// counts as given, wherever the source's address would belong; the source must
// be of the zone's networks when it has some, and of the target's family. For
// ESP the port does not count. It agrees with Grants, does no I/O, and does
// not allocate when it allows. A nil Policy is Default.
func (p *Policy) Decide(f Flow, at time.Time) Decision {
	if p == nil {
		p = Default()
	}
	x := p.resolved()
	source, target := f.Source.WithZone("").Unmap(), f.Target.WithZone("").Unmap()
	zone, known := x.zones[f.Zone]
	if !known {
		return p.deny("default: deny; the zone is not declared")
	}
	asset, known := x.addrs[target]
	switch {
	case !known:
		return p.deny("default: deny; the address is of no asset")
	case source.BitLen() != target.BitLen():
		return p.deny("default: deny; source and target are of different families")
	}
	transport := f.Transport.Base()
	var ended *Grant
	for _, i := range x.rules[side{asset, zone}] {
		g := &x.grants[i]
		switch {
		case !g.Ports.Contains(transport, f.Port) || !x.contains(g.Sources, source):
		case g.holds(at):
			return Decision{Allow, g.Rule}
		default:
			ended = g
		}
	}
	if ended != nil {
		return p.deny(fmt.Sprintf("default: deny; what allowed it ended on %s (%s)", ended.Until.Format(time.DateOnly), ended.Rule.Text))
	}
	return p.deny("default: deny")
}

func (p *Policy) deny(text string) Decision {
	return Decision{Deny, Rule{FromDefault, text, p.DefaultAt}}
}

// contains reports whether sources hold an address; no sources hold every one.
func (x *index) contains(sources []netip.Prefix, a netip.Addr) bool {
	if len(sources) == 0 {
		return true
	}
	if len(sources) >= manySources {
		if set := x.large[&sources[0]]; set != nil {
			return set.Contains(a)
		}
	}
	for _, s := range sources {
		if s.Contains(a) {
			return true
		}
	}
	return false
}

// Asset gives the asset of a name.
func (p *Policy) Asset(name string) (*Asset, bool) {
	if p == nil {
		return nil, false
	}
	i, known := p.resolved().names[name]
	if !known {
		return nil, false
	}
	return &p.Assets[i], true
}

// AssetOf gives the asset that has an address.
func (p *Policy) AssetOf(addr netip.Addr) (*Asset, bool) {
	if p == nil {
		return nil, false
	}
	i, known := p.resolved().addrs[addr.WithZone("").Unmap()]
	if !known {
		return nil, false
	}
	return &p.Assets[i], true
}

// Zone gives the zone of a name.
func (p *Policy) Zone(name string) (*Zone, bool) {
	if p == nil {
		p = Default()
	}
	i, known := p.resolved().zones[name]
	if !known {
		return nil, false
	}
	return &p.Zones[i], true
}

// ZoneOf gives the zone whose networks hold an address, the longest network
// first; else wan when it has no networks, else the first zone without any. It
// is nil when every zone has networks and none holds the address.
func (p *Policy) ZoneOf(addr netip.Addr) *Zone {
	if p == nil {
		p = Default()
	}
	x := p.resolved()
	addr = addr.WithZone("").Unmap()
	for _, bits := range x.bits {
		if network, err := addr.Prefix(bits); err == nil {
			if i, known := x.networks[network]; known {
				return &p.Zones[i]
			}
		}
	}
	var open *Zone
	for i := range p.Zones {
		z := &p.Zones[i]
		if len(z.Networks) == 0 && (z.Name == WAN || open == nil) {
			open = z
		}
	}
	return open
}
