package rehearse

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"reconshield/internal/firewall"
)

// Furnish gives the scene with what a ruleset takes for granted: the
// interfaces that it names, and neighbours to whom it redirects packets, such
// as containers with published ports, each behind the interface that the rules
// or the routes of the ruleset tell. The given scene is not changed.
//
// The notes, one line each, tell what the scene leaves out.
func (s Scene) Furnish(r *firewall.Ruleset) (Scene, []string) {
	f := &furniture{scene: s.clone(), behind: map[netip.Addr]string{}, networks: map[string][]netip.Prefix{}}
	for _, c := range r.Chains {
		if c.Base != nil {
			f.names(c.Base.Interfaces)
		}
		for i := range c.Rules {
			f.rule(&c.Rules[i])
		}
	}
	for _, route := range r.Host.Routes {
		if single(route.Interface) {
			f.routes = append(f.routes, route)
		}
	}
	f.bridges()
	for _, to := range f.targets {
		f.target(to)
	}
	return f.scene, f.notes
}

func (s Scene) clone() Scene {
	s.Interfaces, s.Zones, s.Behind = slices.Clone(s.Interfaces), slices.Clone(s.Zones), slices.Clone(s.Behind)
	for i := range s.Interfaces {
		s.Interfaces[i].Addresses = slices.Clone(s.Interfaces[i].Addresses)
	}
	return s
}

// furniture is what was learnt of a ruleset.
type furniture struct {
	scene    Scene
	behind   map[netip.Addr]string     // addresses that a rule forwards through an interface
	networks map[string][]netip.Prefix // behind an interface, by rules that hide their addresses
	routes   []firewall.Route
	targets  []target
	left     int // interfaces that there is no room for
	notes    []string
}

// target is where a rule redirects packets.
type target struct {
	addr netip.Addr
	pos  firewall.Position
}

// single reports that a name is of one interface and not a pattern.
func single(name string) bool { return name != Loopback && checkName(name) == nil }

// names makes sure that the interfaces exist.
func (f *furniture) names(names []string) {
	for _, name := range names {
		if !single(name) || slices.ContainsFunc(f.scene.Interfaces, func(i Interface) bool { return i.Name == name }) {
			continue
		}
		if len(f.scene.Interfaces) >= mostInterfaces {
			if f.left++; f.left == 1 {
				f.notes = append(f.notes, fmt.Sprintf("the rules name more interfaces than the %d of a stage, from %s on they are left out", mostInterfaces, name))
			}
			continue
		}
		f.scene.Interfaces = append(f.scene.Interfaces, Interface{Name: name})
	}
}

// rule learns from one rule.
func (f *furniture) rule(r *firewall.Rule) {
	var in, out, notOut []string
	var src, dst []netip.Prefix
	for _, m := range r.Matches {
		f.match(m)
		switch {
		case m.Field == firewall.InInterface && !m.Not:
			in = m.Names
		case m.Field == firewall.OutInterface && m.Not:
			notOut = m.Names
		case m.Field == firewall.OutInterface:
			out = m.Names
		case m.Field == firewall.Src && !m.Not:
			src = few(m.Addrs)
		case m.Field == firewall.Dst && !m.Not:
			dst = few(m.Addrs)
		}
	}
	if len(out) == 1 && single(out[0]) {
		for _, p := range dst {
			if p.IsSingleIP() {
				f.behind[p.Addr()] = out[0]
			}
		}
	}
	switch r.Action.Kind {
	case firewall.SNAT:
		// Docker hides a bridge's network from everywhere but the bridge.
		if len(notOut) == 1 && len(in) == 0 && single(notOut[0]) {
			f.networks[notOut[0]] = append(f.networks[notOut[0]], src...)
		}
	case firewall.DNAT, firewall.Redirect:
		f.redirection(r)
	case firewall.Continue, firewall.Accept, firewall.Drop, firewall.Reject, firewall.Return, firewall.Jump,
		firewall.Goto, firewall.Notrack, firewall.Unknown:
	}
}

// match looks for names of interfaces, also one level down.
func (f *furniture) match(m firewall.Match) {
	named := func(m firewall.Match) {
		if m.Field == firewall.InInterface || m.Field == firewall.OutInterface {
			f.names(m.Names)
		}
	}
	named(m)
	for _, tuple := range m.Tuples {
		for _, part := range tuple {
			named(part)
		}
	}
}

// few gives the prefixes of a small set, nil for others.
func few(a firewall.Addrs) []netip.Prefix {
	const most = 16
	if len(a.Spans()) > most {
		return nil
	}
	return firewall.Prefixes(a)
}

// mostTargets bounds the neighbours that a ruleset can bring.
const mostTargets = 1024

func (f *furniture) redirection(r *firewall.Rule) {
	const most = 16
	to := r.Action.To
	last := to.Last
	if !last.IsValid() {
		last = to.First
	}
	n := 0
	for a := to.First; a.IsValid() && a.Compare(last) <= 0; a = a.Next() {
		if n++; n > most || len(f.targets) == mostTargets {
			f.notes = append(f.notes, fmt.Sprintf("%s: packets may be redirected to %s, but nobody answers from %s on", r.Pos, last, a))
			return
		}
		if usable(a) == nil && !slices.ContainsFunc(f.targets, func(t target) bool { return t.addr == a }) {
			f.targets = append(f.targets, target{a, r.Pos})
		}
	}
}

// bridges gives interfaces without addresses the first one of the network
// behind them.
func (f *furniture) bridges() {
	for i := range f.scene.Interfaces {
		in := &f.scene.Interfaces[i]
		for _, n := range f.networks[in.Name] {
			a := n.Masked().Addr().Next()
			same := func(p netip.Prefix) bool { return p.Addr().Is4() == a.Is4() }
			if n.IsSingleIP() || usable(a) != nil || f.scene.Place(a) != "" || slices.ContainsFunc(in.Addresses, same) {
				continue
			}
			in.Addresses = append(in.Addresses, netip.PrefixFrom(a, n.Bits()))
		}
	}
}

// target puts a neighbour where the ruleset, or else the scene, says.
func (f *furniture) target(t target) {
	if f.scene.Place(t.addr) != "" {
		return
	}
	name, ok := f.behind[t.addr]
	if !ok {
		name, ok = f.longest(t.addr)
	}
	f.names([]string{name})
	known := slices.ContainsFunc(f.scene.Interfaces, func(i Interface) bool { return i.Name == name })
	if !ok || !known {
		f.notes = append(f.notes, fmt.Sprintf("%s: packets are redirected to %s, but nothing says behind which interface that is: nobody answers there", t.pos, t.addr))
		return
	}
	f.scene.Behind = append(f.scene.Behind, Host{Name: t.addr.String(), Interface: name, Addresses: []netip.Addr{t.addr}})
}

// longest finds the interface of the longest network around an address.
func (f *furniture) longest(a netip.Addr) (name string, ok bool) {
	best := -1
	better := func(p netip.Prefix, of string) {
		if p.Contains(a) && p.Bits() > best {
			best, name, ok = p.Bits(), of, true
		}
	}
	for _, of := range slices.Sorted(maps.Keys(f.networks)) {
		for _, p := range f.networks[of] {
			better(p, of)
		}
	}
	for _, r := range f.routes {
		better(r.Prefix, r.Interface)
	}
	for _, i := range f.scene.Interfaces {
		for _, p := range i.Addresses {
			better(p, i.Name)
		}
	}
	for _, z := range f.scene.Zones {
		for _, p := range z.Routes {
			better(p, z.Interface)
		}
	}
	return name, ok && name != Loopback
}
