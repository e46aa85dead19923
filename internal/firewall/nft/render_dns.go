package nft

import (
	"net/netip"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/netfilter"
)

// output is the chain of what the host itself sends. An approved resolver asks
// whom it likes, so there is nothing to hold back.
func (t *rendering) output() {
	if !t.controlsOwn() {
		return
	}
	t.put("")
	t.open("chain output")
	t.put("type filter hook output priority filter; policy accept;")
	t.put("oifname \"lo\" accept")
	t.put("ct state established,related accept")
	t.put("meta l4proto { tcp, udp } th dport { 53, 853 } jump dns")
	t.shut()
}

// controlsOwn reports whether the asset's own queries are held back by rules on
// the asset itself.
func (t *rendering) controlsOwn() bool {
	return t.plan.Place == firewall.OnAsset && t.plan.DNS.Control && !t.plan.DNS.Self
}

// dns judges outgoing queries: those to an approved resolver are accepted.
func (t *rendering) dns() {
	if !t.plan.DNS.Control || !t.controlsOwn() && !netfilter.Forwards(t.plan) {
		return
	}
	t.put("")
	t.open("chain dns")
	t.note("Only approved resolvers ask servers outside; everybody else asks them.")
	t.addressed("daddr", "accept")
	t.peers("accept comment \"notifications to secondaries and transfers from primaries\"")
	if netfilter.Forwards(t.plan) {
		t.addressed("saddr", "accept")
		if t.plan.DNS.Self && t.plan.Place == firewall.OnGateway {
			t.about("", "saddr", "accept comment \"an approved resolver itself\"")
		}
	}
	t.put("reject with icmpx type admin-prohibited")
	t.shut()
}

// peers judges what the asset sends its peers. On the asset itself whose it is
// need not be asked.
func (t *rendering) peers(verdict string) {
	for _, side := range []struct {
		word string
		to   []netip.Prefix
		own  []netip.Addr
	}{{"ip", t.plan.DNS.PeersOf(firewall.IPv4), t.v4}, {"ip6", t.plan.DNS.PeersOf(firewall.IPv6), t.v6}} {
		from := ""
		if t.plan.Place == firewall.OnGateway && len(side.own) > 0 {
			from = side.word + " saddr " + renderSet(side.own) + " "
		}
		if len(side.to) > 0 && (from != "" || t.plan.Place == firewall.OnAsset) {
			t.put("%s%s daddr %s %s", from, side.word, renderSet(side.to), verdict)
		}
	}
}

// addressed judges what comes from the approved resolvers or goes there.
func (t *rendering) addressed(field, verdict string) {
	if v4 := netfilter.Resolvers(t.plan, firewall.IPv4); len(v4) > 0 {
		t.put("ip %s %s %s", field, renderSet(v4), verdict)
	}
	if v6 := netfilter.Resolvers(t.plan, firewall.IPv6); len(v6) > 0 {
		t.put("ip6 %s %s %s", field, renderSet(v6), verdict)
	}
}

// redirect sends plain DNS of everybody else to the first resolver. DNS over
// TLS is not redirected: no other server could prove the name asked for.
func (t *rendering) redirect() {
	four, six := netfilter.Redirects(t.plan, firewall.IPv4), netfilter.Redirects(t.plan, firewall.IPv6)
	if !four && !six {
		return
	}
	if netfilter.Forwards(t.plan) {
		t.put("")
		t.open("chain redirect_forwarded")
		t.put("type nat hook prerouting priority dstnat; policy accept;")
		for _, match := range t.clients() {
			t.put("%smeta l4proto { tcp, udp } th dport 53 jump to_resolver", match)
		}
		t.shut()
	}
	if t.controlsOwn() {
		t.put("")
		t.open("chain redirect_own")
		t.put("type nat hook output priority -100; policy accept;")
		t.put("oifname != \"lo\" meta l4proto { tcp, udp } th dport 53 jump to_resolver")
		t.shut()
	}
	t.redirectTo(four, six)
}

// clients are the matches of those whose queries are sent elsewhere.
func (t *rendering) clients() []string {
	var out []string
	if t.plan.Docker {
		for _, name := range netfilter.ContainerBridges() {
			out = append(out, renderIncoming([]string{name})...)
		}
	}
	if t.plan.Place == firewall.OnGateway {
		if len(t.v4) > 0 {
			out = append(out, "ip saddr "+renderSet(t.v4)+" ")
		}
		if len(t.v6) > 0 {
			out = append(out, "ip6 saddr "+renderSet(t.v6)+" ")
		}
		for _, zone := range netfilter.Inside(t.plan) {
			out = append(out, renderFrom(zone, firewall.Inet)...)
		}
	}
	return out
}

func (t *rendering) redirectTo(four, six bool) {
	t.put("")
	t.open("chain to_resolver")
	t.note("Queries of and to approved resolvers, and those to the asset, stay as they are.")
	t.addressed("saddr", "return")
	t.addressed("daddr", "return")
	t.about("", "daddr", "return")
	t.peers("return")
	if t.plan.DNS.Self && t.plan.Place == firewall.OnGateway {
		t.about("", "saddr", "return comment \"an approved resolver itself\"")
	}
	first := func(f firewall.Family) netip.Addr { return netfilter.Resolvers(t.plan, f)[0] }
	if four {
		t.put("meta l4proto { tcp, udp } th dport 53 dnat ip to %s", first(firewall.IPv4))
	}
	if six {
		t.put("meta l4proto { tcp, udp } th dport 53 dnat ip6 to %s", first(firewall.IPv6))
	}
	t.shut()
	t.put("")
	t.open("chain redirect_return")
	t.put("type nat hook postrouting priority srcnat; policy accept;")
	t.note("The resolver answers to this host, which knows whom the client had asked.")
	if four {
		t.put("ct status dnat ip daddr %s meta l4proto { tcp, udp } th dport 53 masquerade", first(firewall.IPv4))
	}
	if six {
		t.put("ct status dnat ip6 daddr %s meta l4proto { tcp, udp } th dport 53 masquerade", first(firewall.IPv6))
	}
	t.shut()
}
