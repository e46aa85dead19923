package app

import (
	"net/netip"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/netset"
)

// servers are the listeners of the stage: on every port asked of the assets'
// addresses, and where destination NAT leads.
func (r *rehearsed) servers() []exposure.Target {
	var out []exposure.Target
	seen := map[exposure.Target]bool{}
	add := func(addr netip.Addr, port netset.Port) {
		t := exposure.Target{Addr: addr, Transport: port.Transport, Port: port.Number}
		if !seen[t] && len(out) < mostServers {
			seen[t] = true
			out = append(out, t)
		}
	}
	for _, t := range r.targets() { // what is allowed comes first
		for _, g := range r.policy.Grants(r.opts.At) {
			for _, p := range policyPorts(&g) {
				if g.Asset.Name == t.asset.Name {
					add(t.addr, p)
				}
			}
		}
	}
	translated := r.translated()
	var neighbours []netip.Addr
	for _, h := range r.scene.Behind {
		neighbours = append(neighbours, h.Addresses...)
	}
	if len(translated) > 0 {
		for _, i := range r.scene.Interfaces {
			for _, p := range i.Addresses {
				neighbours = append(neighbours, p.Addr())
			}
		}
		for _, a := range neighbours {
			for _, p := range translated {
				add(a, p)
			}
		}
	}
	for _, t := range r.targets() {
		for p := range r.ports.All() {
			add(t.addr, p)
		}
	}
	if len(out) == mostServers {
		r.note("servers listened on %d ports only; others were asked by single packets", mostServers)
	}
	return out
}

// translated are the ports to which the rules redirect, over both transports.
// Where they keep the port, it is one that the rules name.
func (r *rehearsed) translated() []netset.Port {
	if r.rules == nil {
		return nil
	}
	const most = 16 // of one rule
	var out []netset.Port
	redirects := false
	for _, c := range r.rules.Chains {
		for i := range c.Rules {
			a := c.Rules[i].Action
			if a.Kind != firewall.DNAT && a.Kind != firewall.Redirect {
				continue
			}
			redirects = true
			for n := int(a.To.FirstPort); n > 0 && n <= max(int(a.To.LastPort), int(a.To.FirstPort)) && n < int(a.To.FirstPort)+most; n++ {
				number := uint16(n) //nolint:gosec // a port
				out = append(out, netset.Port{Transport: exposure.TCP, Number: number}, netset.Port{Transport: exposure.UDP, Number: number})
			}
		}
	}
	if redirects {
		out = append(out, r.rulePorts()...)
	}
	return out
}
