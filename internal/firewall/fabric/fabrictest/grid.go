package fabrictest

import (
	"net/netip"
	"slices"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// Packet begins a conversation; for outgoing ones Peer is the destination.
type Packet struct {
	Peer      netip.Addr
	Transport exposure.Transport
	Port      uint16
}

// Inbound tries a rendered configuration on every packet of the grid that can
// reach the asset, and reports each where it departs from the plan.
func Inbound(t *testing.T, p firewall.Plan, accept func(Packet) bool) {
	t.Helper()
	Try(t, p, func(k Packet) bool { return Accepts(p, k) }, accept)
}

// Outbound does the same with what the asset starts.
func Outbound(t *testing.T, p firewall.Plan, accept func(Packet) bool) {
	t.Helper()
	Try(t, p, func(k Packet) bool { return Starts(p, k) }, accept)
}

// Try compares two judges over the grid. It fails as well when the first finds
// all packets alike although there is something to tell apart.
func Try(t *testing.T, p firewall.Plan, want, got func(Packet) bool) {
	t.Helper()
	wrong, n := 0, 0
	for _, k := range grid(p) {
		n++
		if w, g := want(k), got(k); w != g && wrong < 10 {
			wrong++
			t.Errorf("%s %s/%d: plan %v, rendered %v", k.Peer, k.Transport, k.Port, w, g)
		}
	}
	if n == 0 {
		t.Fatal("no packet was tried")
	}
}

// Accepts is the meaning of a plan: the zone of a packet is that of its source,
// and it comes in on the zone's interfaces.
func Accepts(p firewall.Plan, k Packet) bool {
	zone := zoneOf(p, k.Peer)
	return slices.ContainsFunc(p.Allows, func(a firewall.Allow) bool {
		if len(a.Interfaces) > 0 && !slices.ContainsFunc(a.Interfaces, func(i string) bool { return slices.Contains(zone.Interfaces, i) }) {
			return false
		}
		if len(a.Sources) > 0 && !slices.ContainsFunc(a.Sources, func(s netip.Prefix) bool { return s.Contains(k.Peer) }) {
			return false
		}
		return a.Transport == k.Transport && slices.ContainsFunc(a.Ports, func(r firewall.PortRange) bool {
			return r.First <= k.Port && k.Port <= r.Last
		})
	})
}

// Starts says whether the asset may begin a conversation.
func Starts(p firewall.Plan, k Packet) bool {
	return !p.DNS.Control || p.DNS.Self || k.Port != 53 && k.Port != 853 || slices.Contains(p.DNS.Resolvers, k.Peer) ||
		slices.ContainsFunc(p.DNS.Peers, func(n netip.Prefix) bool { return n.Contains(k.Peer) })
}

func zoneOf(p firewall.Plan, a netip.Addr) policy.Zone {
	best, bits := policy.Zone{}, -1
	for _, z := range p.Zones {
		if z.Name == policy.WAN && bits < 0 {
			best = z
		}
		for _, n := range z.Networks {
			if n.Contains(a) && n.Bits() > bits {
				best, bits = z, n.Bits()
			}
		}
	}
	return best
}

// grid holds the ends of every prefix and their neighbours, and the ends of
// every range of ports and their neighbours, but no port 0.
func grid(p firewall.Plan) []Packet {
	peers := addrs("198.51.100.9", "203.0.113.200", "127.0.0.2", "2001:db8:ffff::9", "fe80::1", "::1", "0.0.0.1", "255.255.255.254")
	var all []netip.Prefix
	for _, z := range p.Zones {
		all = append(all, z.Networks...)
	}
	for _, a := range p.Allows {
		all = append(all, a.Sources...)
	}
	all = append(all, p.DNS.Peers...)
	for _, n := range all {
		span := firewall.PrefixSpan(n)
		peers = append(peers, span.First, span.First.Prev(), span.Last, span.Last.Next())
	}
	for _, r := range p.DNS.Resolvers {
		peers = append(peers, r, r.Next())
	}
	ports := []uint16{1, 22, 52, 53, 54, 443, 852, 853, 854, 953, 1023, 1024, 5353, 65535}
	for _, a := range p.Allows {
		for _, r := range a.Ports {
			ports = append(ports, r.First-1, r.First, r.Last, r.Last+1)
		}
	}
	slices.Sort(ports)
	var out []Packet
	for _, peer := range peers {
		if !slices.ContainsFunc(p.Addresses, func(a netip.Addr) bool { return a.Is4() == peer.Is4() }) {
			continue
		}
		for _, port := range slices.Compact(ports) {
			for _, t := range []exposure.Transport{exposure.TCP, exposure.UDP} {
				if port != 0 {
					out = append(out, Packet{peer, t, port})
				}
			}
		}
	}
	return out
}
