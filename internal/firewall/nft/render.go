package nft

import (
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/netfilter"
	"reconshield/internal/policy"
)

// Format is the name of the format in plans' configurations.
const Format = "nftables"

// Render writes the plan as one file for "nft -f": a table of its own that
// replaces itself in one step and leaves other tables alone. Every table that
// hooks in has to accept a packet, so what is loaded besides can close more and
// open nothing. Wants nftables 0.9.7 and Linux 5.2 or newer.
func Render(p firewall.Plan) (firewall.Config, error) {
	p, err := netfilter.Prepare(p)
	if err != nil {
		return firewall.Config{}, err
	}
	file := netfilter.FileName(p.Asset, ".nft")
	return firewall.Config{
		Format:   Format,
		Files:    []firewall.File{{Name: file, Text: renderTable(p)}},
		Check:    []firewall.Step{{Text: "Have nft read the file without loading it.", Command: "nft -c -f " + file}, netfilter.Rehearse(p, file)},
		Apply:    renderApply(p, file),
		Rollback: renderRollback(),
		Verify: append([]firewall.Step{{
			Text: "See that the table is there and counts.", Command: "nft list table inet reconshield",
		}}, device.Verify(p)...),
		Notes: append([]string{"Tables that are loaded besides this one stay, and can only close more: a port that stays closed is closed there."}, netfilter.Notes(p)...),
	}, nil
}

func renderApply(p firewall.Plan, file string) []firewall.Step {
	return []firewall.Step{
		{
			Text:    "Save the table when an earlier one is loaded. Others are not touched; what iptables made of them could not be read back anyway.",
			Command: "nft -s list table inet reconshield > before.nft 2> /dev/null || : > before.nft",
		},
		netfilter.Apply(p, file),
		{
			Text: "Load it at every start (as Debian has it).",
			Command: "install -D -m 0644 " + file + " /etc/nftables.d/reconshield.nft\n" +
				"grep -qs '^include \"/etc/nftables.d/' /etc/nftables.conf || echo 'include \"/etc/nftables.d/*.nft\"' >> /etc/nftables.conf\n" +
				"systemctl enable nftables",
		},
	}
}

func renderRollback() []firewall.Step {
	return []firewall.Step{
		{
			Text:    "Put the saved table back, or take it away when there was none; nothing else was changed.",
			Command: "{ echo 'table inet reconshield'; echo 'delete table inet reconshield'; cat before.nft; } | nft -f -",
		},
		{Text: "Do not load it at the next start.", Command: "rm -f /etc/nftables.d/reconshield.nft"},
	}
}

// rendering is the text in the making.
type rendering struct {
	strings.Builder
	plan   firewall.Plan
	v4, v6 []netip.Addr // the asset's
	depth  int
}

func renderTable(p firewall.Plan) string {
	t := &rendering{plan: p, v4: netfilter.Addresses(p, firewall.IPv4), v6: netfilter.Addresses(p, firewall.IPv6)}
	t.put("#!/usr/sbin/nft -f")
	t.note(netfilter.Head(p)...)
	t.note("Loading this file again replaces its table in one step.")
	t.put("")
	t.put("table inet reconshield")
	t.put("delete table inet reconshield")
	t.open("table inet reconshield")
	t.limitSets()
	if p.Place == firewall.OnAsset {
		t.input()
	}
	t.forward()
	t.output()
	t.asset()
	t.dns()
	t.redirect()
	t.shut()
	return t.String()
}

func (t *rendering) put(format string, args ...any) {
	if format != "" {
		t.WriteString(strings.Repeat("\t", t.depth))
	}
	t.WriteString(fmt.Sprintf(format, args...) + "\n")
}

func (t *rendering) note(lines ...string) {
	for _, line := range lines {
		t.put("# %s", line)
	}
}

func (t *rendering) open(what string) {
	t.put("%s {", what)
	t.depth++
}

func (t *rendering) shut() {
	t.depth--
	t.put("}")
}

func (t *rendering) limited() bool { return t.plan.Limit != nil && netfilter.ServesDNS(t.plan) }

// limitSets hold who asked lately. A full set counts nobody new: the limit then
// lets pass, it never shuts out.
func (t *rendering) limitSets() {
	if !t.limited() {
		return
	}
	t.note("Who opened DNS conversations in the last minute; IPv6 sources by their /64.")
	for _, s := range []struct {
		name, kind string
		needed     bool
	}{{"asking4", "ipv4_addr", len(t.v4) > 0}, {"asking6", "ipv6_addr", len(t.v6) > 0}} {
		if s.needed {
			t.put("set %s { type %s; size 65535; flags dynamic, timeout; timeout 1m; }", s.name, s.kind)
		}
	}
	t.put("")
}

// input is the chain of what comes for the host itself.
func (t *rendering) input() {
	t.open("chain input")
	t.put("type filter hook input priority filter; policy drop;")
	t.put("iifname \"lo\" accept")
	t.put("ct state established,related accept comment \"replies, and what belongs to a conversation\"")
	t.note("Errors of path MTU discovery (RFC 1191) and their like; echo for whoever looks for a fault.")
	t.put("icmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept")
	t.note("RFC 4890, section 4.4: errors and echo; neighbour discovery, only from this link; multicast listeners.")
	t.put("icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, echo-reply } accept")
	t.put("icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, " +
		"ind-neighbor-solicit, ind-neighbor-advert, 148, 149 } ip6 hoplimit 255 accept")
	t.put("icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, " +
		"151, 152, 153 } ip6 saddr fe80::/10 accept")
	t.put("ct state invalid drop")
	t.about("", "daddr", "goto asset")
	t.shut()
}

// about is a rule a family for packets with an address of the asset.
func (t *rendering) about(before, field, verdict string) {
	if len(t.v4) > 0 {
		t.put("%sip %s %s %s", before, field, renderSet(t.v4), verdict)
	}
	if len(t.v6) > 0 {
		t.put("%sip6 %s %s %s", before, field, renderSet(t.v6), verdict)
	}
}

// forward is the chain of what goes through.
func (t *rendering) forward() {
	if t.plan.Place == firewall.OnAsset {
		t.put("")
	}
	t.open("chain forward")
	t.put("type filter hook forward priority filter; policy drop;")
	if !netfilter.Forwards(t.plan) {
		t.note("Nothing goes through this host.")
		t.shut()
		return
	}
	t.put("ct state established,related accept comment \"replies, and what belongs to a conversation\"")
	t.note("Errors of path MTU discovery (RFC 1191, RFC 4890 section 4.3), and echo.")
	t.put("icmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept")
	t.put("icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, echo-reply } accept")
	t.put("ct state invalid drop")
	if t.plan.Docker {
		t.note("Published ports of containers, by the address and port that the client asked for.")
		t.about("ct status dnat ct original ", "daddr", "goto published")
		for _, name := range netfilter.ContainerBridges() {
			t.put("iifname %q goto outgoing", name)
		}
	}
	if t.plan.Place == firewall.OnGateway {
		t.through()
	}
	t.shut()
	t.put("")
	t.open("chain outgoing")
	if t.plan.DNS.Control {
		t.put("meta l4proto { tcp, udp } th dport { 53, 853 } jump dns")
	}
	t.put("accept")
	t.shut()
	t.inside()
}

// through is what a gateway does with new conversations of the asset and of
// the zones inside.
func (t *rendering) through() {
	t.about("", "daddr", "goto asset")
	for _, match := range renderIncoming(netfilter.OutsideInterfaces(t.plan)) {
		if match != "" {
			t.about(match, "saddr", "drop comment \"nobody outside is the asset\"")
		}
	}
	t.about("", "saddr", "goto outgoing")
	for _, zone := range netfilter.Inside(t.plan) {
		for _, match := range renderFrom(zone, firewall.Inet) {
			t.put("%sgoto inside comment %q", match, netfilter.Why(zone, renderCommentBytes))
		}
	}
}

// inside is the chain of what the zones inside open: what goes to the outside,
// and queries to the approved resolvers, which the chain dns accepts.
func (t *rendering) inside() {
	if t.plan.Place != firewall.OnGateway || len(netfilter.Inside(t.plan)) == 0 {
		return
	}
	t.put("")
	t.open("chain inside")
	if t.plan.DNS.Control {
		t.put("meta l4proto { tcp, udp } th dport { 53, 853 } jump dns")
	}
	t.note("The zones inside do not reach each other.")
	if v4 := netfilter.InsideNetworks(t.plan, firewall.IPv4); len(v4) > 0 {
		t.put("ip daddr %s drop", renderSet(v4))
	}
	if v6 := netfilter.InsideNetworks(t.plan, firewall.IPv6); len(v6) > 0 {
		t.put("ip6 daddr %s drop", renderSet(v6))
	}
	t.put("accept")
	t.shut()
}

// renderCommentBytes is how long a rule's comment may be (libnftnl, 128 with the
// closing zero).
const renderCommentBytes = 127

// renderFrom gives the matches of an Allow's interfaces and sources in the families,
// one for each rule that is needed, each with a closing blank or empty.
func renderFrom(a firewall.Allow, families firewall.Family) []string {
	var out []string
	for _, in := range renderIncoming(a.Interfaces) {
		if len(a.Sources) == 0 {
			out = append(out, in)
			continue
		}
		if sources, none := netfilter.Sources(a, firewall.IPv4); !none && families&firewall.IPv4 != 0 {
			out = append(out, in+renderSource("ip", "ipv4", sources))
		}
		if sources, none := netfilter.Sources(a, firewall.IPv6); !none && families&firewall.IPv6 != 0 {
			out = append(out, in+renderSource("ip6", "ipv6", sources))
		}
	}
	return out
}

func renderSource(word, protocol string, sources []netip.Prefix) string {
	if len(sources) == 0 {
		return "meta nfproto " + protocol + " "
	}
	return word + " saddr " + renderSet(sources) + " "
}

// families are those of which the asset has addresses.
func (t *rendering) families() firewall.Family {
	var f firewall.Family
	if len(t.v4) > 0 {
		f |= firewall.IPv4
	}
	if len(t.v6) > 0 {
		f |= firewall.IPv6
	}
	return f
}

// renderIncoming matches interfaces; patterns need rules of their own, for sets of
// them came late to nftables.
func renderIncoming(names []string) []string {
	if len(names) == 0 {
		return []string{""}
	}
	var plain, out []string
	for _, name := range names {
		switch {
		case name == "*":
			return []string{""}
		case strings.HasSuffix(name, "*"):
			out = append(out, fmt.Sprintf("iifname %q ", name))
		default:
			plain = append(plain, fmt.Sprintf("%q", name))
		}
	}
	if len(plain) > 0 {
		out = append([]string{"iifname " + renderSet(plain) + " "}, out...)
	}
	return out
}

// asset holds what is allowed, once by the port a packet has and, for
// containers, once by the port it had before destination NAT.
func (t *rendering) asset() {
	t.put("")
	t.open("chain asset")
	t.limits("th dport")
	for _, a := range t.plan.Allows {
		t.allow(a, string(a.Transport)+" dport ")
	}
	t.shut()
	if !t.plan.Docker {
		return
	}
	t.put("")
	t.open("chain published")
	t.limits("ct original proto-dst")
	for _, a := range t.plan.Allows {
		if a.Transport != policy.ESP {
			t.allow(a, "meta l4proto "+string(a.Transport)+" ct original proto-dst ")
		}
	}
	t.shut()
}

func (t *rendering) allow(a firewall.Allow, ports string) {
	if full := netfilter.Why(a, 1000); len(full) > renderCommentBytes {
		t.note(full)
	}
	match := ports + renderSet(a.Ports)
	if a.Transport == policy.ESP {
		match = "meta l4proto esp"
	}
	for _, from := range renderFrom(a, t.families()) {
		t.put("%s%s accept comment %q", from, match, netfilter.Why(a, renderCommentBytes))
	}
}

func (t *rendering) limits(port string) {
	if !t.limited() {
		return
	}
	t.note("A backstop. Sources can be forged, so that whoever is imitated is shut out: keep it far above honest traffic.")
	rate := fmt.Sprintf("limit rate over %d/second burst %d packets", t.plan.Limit.PerSecond, t.plan.Limit.Burst)
	match := "meta l4proto { tcp, udp } " + port + " { 53, 853 } update "
	if len(t.v4) > 0 {
		t.put("%s@asking4 { ip saddr %s } drop", match, rate)
	}
	if len(t.v6) > 0 {
		t.put("%s@asking6 { ip6 saddr & ffff:ffff:ffff:ffff:: %s } drop", match, rate)
	}
}

// renderSet is one value or an anonymous set of several.
func renderSet[T any](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
		if p, ok := any(v).(netip.Prefix); ok && p.IsSingleIP() {
			words[i] = p.Addr().String()
		}
	}
	if len(words) == 1 {
		return words[0]
	}
	return "{ " + strings.Join(words, ", ") + " }"
}
