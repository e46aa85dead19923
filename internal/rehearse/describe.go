package rehearse

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"reconshield/internal/policy"
)

// Describe gives the scene of an asset and the zones of its policy: its
// addresses and the zones on the interfaces that the policy names, a zone
// without one on that of wan. Each zone has a source for each of its networks,
// and one for each narrower range that a grant to the asset is limited to. The
// approved resolvers are behind the host, of a gateway the other assets, too.
// A zone on several interfaces appears for each further one as "lan/eth2".
//
// The notes, one line each, tell what the scene leaves out.
func Describe(p *policy.Policy, asset *policy.Asset, at time.Time) (Scene, []string) {
	d := &description{policy: p, asset: asset, uplink: uplink(p), taken: map[netip.Addr]bool{}}
	for i := range p.Assets {
		for _, a := range p.Assets[i].Addresses {
			d.taken[a] = true
		}
	}
	for _, a := range p.Resolvers {
		d.taken[a] = true
	}
	d.host()
	grants := p.Grants(at)
	for i := range p.Zones {
		d.zone(&p.Zones[i], grants)
	}
	d.behind("resolver", p.Resolvers)
	if asset.Gateway {
		for i := range p.Assets {
			if p.Assets[i].Name != asset.Name {
				d.behind(p.Assets[i].Name, p.Assets[i].Addresses)
			}
		}
	}
	return d.scene, d.notes
}

// description is a scene in the making.
type description struct {
	policy *policy.Policy
	asset  *policy.Asset
	uplink string
	taken  map[netip.Addr]bool
	scene  Scene
	notes  []string
}

// uplink is the interface of whoever has no interface of his own.
func uplink(p *policy.Policy) string {
	name := ""
	for _, z := range p.Zones {
		switch {
		case len(z.Interfaces) == 0 || len(z.Networks) > 0 && z.Name != policy.WAN:
		case z.Name == policy.WAN || name == "":
			name = z.Interfaces[0]
		}
	}
	if name == "" {
		return "eth0"
	}
	return name
}

// on is the interface of an address.
func (d *description) on(a netip.Addr) string {
	if z := d.policy.ZoneOf(a); z != nil && len(z.Interfaces) > 0 {
		return z.Interfaces[0]
	}
	return d.uplink
}

func (s *Scene) iface(name string) *Interface {
	i := slices.IndexFunc(s.Interfaces, func(i Interface) bool { return i.Name == name })
	if i < 0 {
		i = len(s.Interfaces)
		s.Interfaces = append(s.Interfaces, Interface{Name: name})
	}
	return &s.Interfaces[i]
}

// host gives the asset its addresses and, where a zone's network is on an
// interface without any, one of that network.
func (d *description) host() {
	for _, a := range d.asset.Addresses {
		in := d.scene.iface(d.on(a))
		in.Addresses = append(in.Addresses, netip.PrefixFrom(a, d.length(a)))
	}
	for _, z := range d.policy.Zones {
		for _, name := range z.Interfaces {
			in := d.scene.iface(name)
			for _, network := range z.Networks {
				has := func(p netip.Prefix) bool { return p.Addr().Is4() == network.Addr().Is4() }
				if slices.ContainsFunc(in.Addresses, has) {
					continue
				}
				if a, ok := d.pick(network, 1, func(netip.Addr) bool { return true }); ok {
					in.Addresses = append(in.Addresses, netip.PrefixFrom(a, network.Bits()))
				}
			}
		}
	}
	d.scene.iface(d.uplink)
}

// length is that of the longest network of a zone around an address.
func (d *description) length(a netip.Addr) int {
	best := -1
	for _, z := range d.policy.Zones {
		for _, n := range z.Networks {
			if n.Contains(a) {
				best = max(best, n.Bits())
			}
		}
	}
	if best < 0 {
		return a.BitLen()
	}
	return best
}

// pick takes a free address out of a network, from the n-th on. Networks of
// documentation, private or not, are as good as any other here.
func (d *description) pick(network netip.Prefix, n int, fits func(netip.Addr) bool) (netip.Addr, bool) {
	const tries = 512
	a := network.Masked().Addr()
	if room := a.BitLen() - network.Bits(); room < 5 {
		n = min(n, room)
	}
	for range n {
		a = a.Next()
	}
	for range tries {
		if !a.IsValid() || !network.Contains(a) {
			break
		}
		last := a.Is4() && network.Bits() < 31 && !network.Contains(a.Next())
		if usable(a) == nil && !last && !d.taken[a] && fits(a) {
			d.taken[a] = true
			return a, true
		}
		a = a.Next()
	}
	return netip.Addr{}, false
}

// anywhere are networks to take sources from that stand for everybody:
// addresses in use, since rules often drop those of documentation when they
// come from outside. No packet to them leaves the stage.
func anywhere() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("5.6.7.0/24"), netip.MustParsePrefix("2a00:5678::/64")}
}

// nth is which address of a network a source has, if it is free.
const nth = 9

func (d *description) zone(z *policy.Zone, grants []policy.Grant) {
	var narrow []netip.Prefix
	for _, g := range grants {
		if g.Zone.Name == z.Name && (g.Asset.Name == d.asset.Name || d.asset.Gateway) {
			narrow = append(narrow, narrower(g.Sources, z.Networks)...)
		}
	}
	networks := z.Networks
	if len(networks) == 0 {
		networks = anywhere()
	}
	// Of several zones without networks, each may be where anybody stands.
	own := func(a netip.Addr) bool {
		other := d.policy.ZoneOf(a)
		return other != nil && (other.Name == z.Name || len(z.Networks) == 0 && len(other.Networks) == 0)
	}
	ordinary := func(a netip.Addr) bool {
		return own(a) && !slices.ContainsFunc(narrow, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	var sources []netip.Addr
	for _, network := range networks {
		a, ok := d.pick(network, nth, ordinary)
		if !ok {
			a, ok = d.pick(network, nth, own)
		}
		if ok {
			sources = append(sources, a)
		} else {
			d.note("zone %s: no address of %s is free to send from", z.Name, network)
		}
	}
	sources = append(sources, d.narrow(z, narrow, sources, own)...)
	d.place(z, sources)
}

// narrower gives the prefixes that are not a zone's whole network.
func narrower(sources, networks []netip.Prefix) []netip.Prefix {
	var all []netip.Prefix
	for _, p := range sources {
		if !slices.ContainsFunc(networks, func(n netip.Prefix) bool { return p.Bits() <= n.Bits() && p.Overlaps(n) }) {
			all = append(all, p)
		}
	}
	return all
}

// narrow picks a source for each range that a grant is limited to.
func (d *description) narrow(z *policy.Zone, ranges []netip.Prefix, have []netip.Addr, own func(netip.Addr) bool) []netip.Addr {
	const most = 64
	slices.SortFunc(ranges, netip.Prefix.Compare)
	ranges = slices.Compact(ranges)
	if len(ranges) > most {
		d.note("zone %s: %d ranges of sources have rules of their own, packets come from the first %d only", z.Name, len(ranges), most)
		ranges = ranges[:most]
	}
	var all []netip.Addr
	for _, p := range ranges {
		if slices.ContainsFunc(have, p.Contains) {
			continue
		}
		if a, ok := d.pick(p, 1, own); ok {
			all = append(all, a)
		} else {
			d.note("zone %s: no address of %s is free to send from", z.Name, p)
		}
	}
	return all
}

// place puts a zone behind its interfaces.
func (d *description) place(z *policy.Zone, sources []netip.Addr) {
	routes := z.Networks
	if len(routes) == 0 {
		routes = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	}
	names := z.Interfaces
	if len(names) == 0 {
		names = []string{d.uplink}
	}
	if len(sources) == 0 {
		d.note("zone %s is left out: it has no address to send from", z.Name)
		return
	}
	d.scene.Zones = append(d.scene.Zones, Zone{Name: z.Name, Interface: names[0], Sources: sources, Routes: routes})
	for _, name := range names[1:] {
		further := Zone{Name: z.Name + "/" + name, Interface: name}
		for _, a := range sources {
			// The address that stands for the zone is on the first interface.
			if b, ok := d.pick(netip.PrefixFrom(a, d.length(a)).Masked(), nth, func(b netip.Addr) bool {
				return d.policy.ZoneOf(b) == d.policy.ZoneOf(a)
			}); ok {
				further.Sources = append(further.Sources, b)
			}
		}
		if len(further.Sources) == 0 {
			d.note("zone %s: no address is free to send from on %s", z.Name, name)
			continue
		}
		d.scene.Zones = append(d.scene.Zones, further)
	}
}

// behind puts a neighbour behind the interfaces of its addresses.
func (d *description) behind(name string, addrs []netip.Addr) {
	for _, a := range addrs {
		if slices.Contains(d.asset.Addresses, a) || d.scene.Place(a) != "" {
			continue
		}
		d.scene.Behind = append(d.scene.Behind, Host{Name: name, Interface: d.on(a), Addresses: []netip.Addr{a}})
	}
}

func (d *description) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}
