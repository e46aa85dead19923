package devicetest

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// ProveRandom proves plans made at random, the same ones every time. render
// gives what tells whether the rendered text lets a packet through.
func ProveRandom(t *testing.T, place firewall.Place, plans int, render func(*testing.T, firewall.Plan) func(Packet) bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, uint64(place)))
	proven := 0
	for i := range plans {
		p := random(r, place)
		accepts := render(t, p)
		wrong := 0
		Grid(p, func(k Packet) {
			got, want := accepts(k), Want(p, k)
			if want {
				proven++
			}
			if got != want && wrong < 4 {
				wrong++
				t.Errorf("plan %d: %s: accepted %t, the plan says %t", i, k, got, want)
			}
		})
		if wrong > 0 {
			t.Fatalf("the plan is %+v", p)
		}
	}
	if proven == 0 {
		t.Error("no plan lets anything through")
	}
}

// random makes a plan over the zones of Zones.
func random(r *rand.Rand, place firewall.Place) firewall.Plan {
	p := firewall.Plan{Asset: "random", Role: policy.Host, Place: place, Zones: Zones()}
	if r.IntN(4) == 0 {
		p.Zones[2].Interfaces = nil
	}
	if r.IntN(4) == 0 {
		p.Zones[0].Networks = prefixes("0.0.0.0/0", "::/0")
	}
	p.Addresses = some(r, addrs("192.0.2.53", "2001:db8::53", "10.0.0.54"))
	for range 1 + r.IntN(6) {
		z := p.Zones[r.IntN(len(p.Zones))]
		a := firewall.Allow{Zone: z.Name, Interfaces: z.Interfaces, Sources: z.Networks, Transport: exposure.UDP, Why: "random"}
		if r.IntN(2) == 0 {
			a.Transport = exposure.TCP
		}
		if r.IntN(3) == 0 {
			a.Sources = some(r, prefixes("10.0.3.0/24", "10.8.0.0/25", "198.51.100.0/24", "2001:db8:ffff::/64", "2001:db8:1::/64", "0.0.0.0/0"))
		}
		if r.IntN(8) == 0 {
			a.Transport = policy.ESP
		} else {
			a.Ports = ranges(r)
		}
		p.Allows = append(p.Allows, a)
	}
	if p.DNS.Control = r.IntN(4) > 0; p.DNS.Control {
		p.DNS.Self = r.IntN(3) == 0
		if !p.DNS.Self && r.IntN(2) == 0 {
			p.DNS.Peers = some(r, prefixes("198.51.100.0/24", "172.16.0.1/32", "2001:db8:ffff::7/128"))
		}
		p.DNS.Resolvers = some(r, addrs("10.0.0.53", "2001:db8:1::53", "203.0.113.9"))
	}
	return p
}

// some gives at least one element, in order.
func some[T netip.Addr | netip.Prefix](r *rand.Rand, all []T) []T {
	for {
		out := slices.DeleteFunc(slices.Clone(all), func(T) bool { return r.IntN(2) == 0 })
		if len(out) > 0 {
			return out
		}
	}
}

// ranges gives sorted, disjoint ports.
func ranges(r *rand.Rand) []firewall.PortRange {
	all := ports(22, 22, 53, 53, 80, 443, 853, 853, 953, 953, 8000, 8080, 9153, 9153)
	for {
		out := slices.DeleteFunc(slices.Clone(all), func(firewall.PortRange) bool { return r.IntN(2) == 0 })
		if len(out) > 0 {
			return out
		}
	}
}
