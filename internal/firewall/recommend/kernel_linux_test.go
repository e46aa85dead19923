package recommend_test

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
)

// ports that servers listen on and probes try: those of the policies and others.
func ports() []uint16 {
	return []uint16{22, 53, 80, 443, 853, 953, 5353, 8000, 8080, 9153, 51820}
}

// TestKernel loads what is rendered into a host's namespace and opens
// conversations from every zone. TestUFW does so for ufw.
func TestKernel(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"authoritative", "redirecting", "limited", "v4only", "v6only", "resolver", "behind", "gateway", "docker"} {
		for _, format := range []string{"nftables", "iptables", "firewalld"} {
			if format == "firewalld" && !slices.Contains([]string{"authoritative", "v6only", "resolver", "behind"}, name) {
				continue // TestUnsupported has the reasons
			}
			t.Run(name+"/"+format, func(t *testing.T) {
				again := format != "firewalld"
				if again {
					t.Parallel()
				}
				prove(t, format, plans(t)[name], again)
			})
		}
	}
}

// prove loads a plan, a second time where it has to replace itself, and tries
// every conversation.
func prove(t *testing.T, format string, plan firewall.Plan, again bool) {
	t.Helper()
	plan.Allows = append(slices.Clip(plan.Allows), firewall.Allow{
		Zone: "vpn", Interfaces: []string{"wg0"}, Sources: prefixes([]string{"10.8.0.0/24"}),
		Transport: exposure.UDP, Ports: []firewall.PortRange{{First: 161, Last: 161}}, Why: "to tell forged sources",
	})
	r := newRig(t, plan.Place)
	if plan.Docker {
		publish(t, r, format)
	}
	serveAll(t, r, plan)
	load(t, r, format, render(t, format, plan))
	if again {
		load(t, r, format, render(t, format, plan))
	}
	readBack(t, r, format, plan)
	r.attempt(t, slices.Concat(inbound(plan), outbound(plan)))
	forged(t, r, plan)
}

func serveAll(t *testing.T, r *rig, p firewall.Plan) {
	t.Helper()
	all := append(ports(), 161)
	if p.Place == firewall.OnGateway {
		r.serve(t, "inner", "asset", []string{asset4, asset6}, all)
	} else {
		r.serve(t, "host", "asset", []string{asset4, asset6}, all)
	}
	if p.Docker {
		r.serve(t, "inner", "container", []string{container4, container6}, all)
	}
	r.serve(t, "wan", "wan", []string{"198.51.100.2", "2001:db8:51::2"}, []uint16{53, 853, 9999})
	r.serve(t, "lan", "lan", []string{"10.0.0.53", "fd00:10::53"}, []uint16{53, 853, 9999})
}

// published are the ports that containers are behind; 80 leads to another.
func published() map[uint16]uint16 {
	return map[uint16]uint16{80: 8000, 443: 443, 8080: 8080, 9153: 9153}
}

// publish does what Docker does for published ports. Docker's own rules stay
// when a plan is loaded.
func publish(t *testing.T, r *rig, format string) {
	t.Helper()
	if format == "nftables" {
		r.run(t, "host", "table inet docker { map ports { type inet_service : inet_service; elements = { 80 : 8000, 443 : 443, 8080 : 8080, 9153 : 9153 }; }\n"+
			"chain prerouting { type nat hook prerouting priority dstnat;\n"+
			"ip daddr "+asset4+" meta l4proto { tcp, udp } th dport @ports dnat ip to "+container4+":th dport map @ports\n"+
			"ip6 daddr "+asset6+" meta l4proto { tcp, udp } th dport @ports dnat ip6 to ["+container6+"]:th dport map @ports\n}\n}\n", "nft", "-f", "-")
		return
	}
	for _, f := range []struct{ restore, asset, container string }{
		{"iptables-restore", asset4, container4}, {"ip6tables-restore", asset6, "[" + container6 + "]"},
	} {
		text := "*nat\n"
		for _, port := range slices.Sorted(maps.Keys(published())) {
			for _, transport := range []string{"tcp", "udp"} {
				text += "-A PREROUTING -d " + f.asset + " -p " + transport + " --dport " + itoa(port) + " -j DNAT --to-destination " + f.container + ":" + itoa(published()[port]) + "\n"
			}
		}
		text += "COMMIT\n*filter\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n" +
			"-A FORWARD -i docker0 -j ACCEPT\n-A FORWARD -o docker0 -j ACCEPT\nCOMMIT\n"
		r.run(t, "host", text, f.restore)
	}
}

func itoa(n uint16) string { return firewall.PortRange{First: n, Last: n}.String() }

// load gives the configuration to the real tool.
func load(t *testing.T, r *rig, format string, c firewall.Config) {
	t.Helper()
	switch format {
	case "nftables":
		r.run(t, "host", c.Files[0].Text, "nft", "-c", "-f", "-")
		r.run(t, "host", c.Files[0].Text, "nft", "-f", "-")
	case "iptables":
		for i, program := range []string{"iptables-restore", "ip6tables-restore"} {
			text := c.Files[i].Text
			var flags []string
			if strings.Contains(text, program+" --noflush") {
				flags = []string{"--noflush"}
			}
			r.run(t, "host", text, program, append(flags, "--test")...)
			r.run(t, "host", text, program, flags...)
		}
	case "ufw":
		loadUFW(t, r, c)
	case "firewalld":
		startFirewalld(t, r, c)
	}
}

// inbound are conversations to the asset from everywhere.
func inbound(p firewall.Plan) []probe {
	var out []probe
	sides := []struct{ zone, in, v4, v6 string }{
		{"wan", "eth0", "198.51.100.2", "2001:db8:51::2"},
		{"lan", "eth1", "10.0.0.2", "fd00:10::2"},
		{"lan", "eth1", strangerInLAN, ""},
		{"vpn", "wg0", "10.8.0.2", "fd00:8::2"},
	}
	for _, side := range sides {
		for _, f := range []struct{ source, target string }{{side.v4, asset4}, {side.v6, asset6}} {
			if f.source == "" {
				continue
			}
			source, target := netip.MustParseAddr(f.source), netip.MustParseAddr(f.target)
			for _, transport := range []exposure.Transport{exposure.UDP, exposure.TCP} {
				for _, port := range append(ports(), 161) {
					q := probe{from: side.zone, source: f.source, to: f.target, port: port, proto: transport}
					if slices.Contains(p.Addresses, target) && allowed(p, side.in, source, transport, port) {
						q.want = "asset"
						if published()[port] != 0 && p.Docker {
							q.want = "container"
						}
					}
					out = append(out, q)
				}
			}
			out = append(out, probe{
				from: side.zone, source: f.source, sport: 53, to: f.target, port: 5353, proto: exposure.UDP, why: "from source port 53",
			})
		}
	}
	return out
}

// outbound are the asset's own conversations, those of containers, and through
// a gateway those of its clients.
func outbound(p firewall.Plan) []probe {
	from := []string{"host"}
	switch {
	case p.Place == firewall.OnGateway:
		from = []string{"inner", "lan"}
	case p.Docker:
		from = []string{"host", "inner"}
	}
	// The resolver's address is lan's as well.
	client := map[firewall.Family]map[string]string{firewall.IPv4: {"lan": "10.0.0.2"}, firewall.IPv6: {"lan": "fd00:10::2"}}
	var out []probe
	for _, space := range from {
		for _, f := range []struct {
			lan, wan string
			family   firewall.Family
		}{{"10.0.0.53", "198.51.100.2", firewall.IPv4}, {"fd00:10::53", "2001:db8:51::2", firewall.IPv6}} {
			approved := slices.Contains(p.DNS.Resolvers, netip.MustParseAddr(f.lan))
			self := p.DNS.Self && space != "lan"
			for _, transport := range []exposure.Transport{exposure.UDP, exposure.TCP} {
				for _, port := range []uint16{53, 853, 9999} {
					outside := probe{from: space, source: client[f.family][space], to: f.wan, port: port, proto: transport, why: "to the outside"}
					switch {
					case port == 9999 || self || space != "lan" && peer(p, f.wan):
						outside.want = "wan"
					case port == 53 && p.DNS.Redirect && approved:
						outside.want = "lan"
					}
					out = append(out, outside)
					if space == "lan" {
						continue
					}
					inside := probe{from: space, to: f.lan, port: port, proto: transport, why: "to the approved resolver"}
					if port == 9999 || self || approved {
						inside.want = "lan"
					}
					out = append(out, inside)
				}
			}
		}
	}
	if p.Docker {
		out = append(out,
			probe{from: "wan", to: container4, port: 8000, proto: exposure.TCP, why: "straight to the container, past what is published"},
			probe{from: "lan", source: "10.0.0.2", to: container4, port: 443, proto: exposure.UDP, why: "straight to the container, past what is published"},
			probe{from: "wan", to: container6, port: 443, proto: exposure.TCP, why: "straight to the container, past what is published"},
		)
	}
	if p.Place == firewall.OnGateway {
		out = append(out,
			probe{from: "lan", source: "10.0.0.53", to: "198.51.100.2", port: 53, proto: exposure.UDP, want: "wan", why: "the approved resolver itself"},
			probe{from: "lan", source: "fd00:10::53", to: "2001:db8:51::2", port: 853, proto: exposure.TCP, want: "wan", why: "the approved resolver itself"},
			probe{from: "vpn", source: "10.8.0.2", to: "198.51.100.2", port: 9999, proto: exposure.TCP, want: "wan", why: "from one zone inside to the outside"},
			probe{from: "vpn", source: "10.8.0.2", to: "10.0.0.53", port: 53, proto: exposure.TCP, want: "lan", why: "from one zone inside to the approved resolver in another"},
			probe{from: "vpn", source: "10.8.0.2", to: "10.0.0.53", port: 9999, proto: exposure.TCP, why: "from one zone inside to another"},
			probe{from: "vpn", source: "fd00:8::2", to: "fd00:10::53", port: 9999, proto: exposure.UDP, why: "from one zone inside to another"},
			probe{from: "lan", source: strangerInLAN, to: "198.51.100.2", port: 9999, proto: exposure.TCP, why: "from the interface of a zone, of none of its networks"},
			probe{from: "wan", to: "10.0.0.53", port: 53, proto: exposure.UDP, why: "from outside to something else inside"},
			probe{from: "wan", to: "fd00:10::53", port: 9999, proto: exposure.TCP, why: "from outside to something else inside"},
		)
	}
	return out
}

func peer(p firewall.Plan, addr string) bool {
	return slices.ContainsFunc(p.DNS.Peers, func(n netip.Prefix) bool { return n.Contains(netip.MustParseAddr(addr)) })
}

// forged sends with a source of the vpn's network from the wrong side: nobody
// could see an answer, so the server says what it got.
func forged(t *testing.T, r *rig, p firewall.Plan) {
	t.Helper()
	if !slices.Contains(p.Addresses, netip.MustParseAddr(asset4)) {
		return // forged is an IPv4 address
	}
	wrong := probe{from: "wan", source: strangerInWAN, to: asset4, port: 161, proto: exposure.UDP, why: "forged"}
	right := probe{from: "vpn", source: "10.8.0.2", to: asset4, port: 161, proto: exposure.UDP, want: "asset", why: "after the forged one"}
	_ = r.spaces["wan"].Do(func() error { wrong.ask(t.Context()); return nil })
	_ = r.spaces["vpn"].Do(func() error { right.ask(t.Context()); return nil })
	if _, got := r.received.Load(right.String()); !got {
		t.Error("the server does not say what it got")
	}
	if _, got := r.received.Load(wrong.String()); got {
		t.Error("a forged source of the vpn came in from wan")
	}
}
