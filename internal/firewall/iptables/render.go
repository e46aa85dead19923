package iptables

import (
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/netfilter"
)

// Format is the name of the format in plans' configurations.
const Format = "iptables"

// Chains of a rendered plan.
const (
	renderAssetChain     = "RECONSHIELD"           // what may reach the asset
	renderOutChain       = "RECONSHIELD-OUT"       // what forwarded conversations may leave
	renderInsideChain    = "RECONSHIELD-INSIDE"    // what the zones inside of a gateway open
	renderDNSChain       = "RECONSHIELD-DNS"       // whom may be asked
	renderRedirectChain  = "RECONSHIELD-REDIRECT"  // of nat: whose queries go to the resolver
	renderPublishedChain = "RECONSHIELD-PUBLISHED" // published ports of containers
	renderDockerChain    = "DOCKER-USER"           // Docker asks it first about all it forwards
)

// Render writes the plan as two files, for iptables-restore and for
// ip6tables-restore. Each holds the whole filter table, except with Docker
// and on a gateway: then they are loaded with --noflush, so that Docker's chains
// and what the gateway lets in for itself stay.
func Render(p firewall.Plan) (firewall.Config, error) {
	p, err := netfilter.Prepare(p)
	if err != nil {
		return firewall.Config{}, err
	}
	four, six := netfilter.FileName(p.Asset, ".rules.v4"), netfilter.FileName(p.Asset, ".rules.v6")
	return firewall.Config{
		Format: Format,
		Files: []firewall.File{
			{Name: four, Text: renderFile(p, firewall.IPv4)},
			{Name: six, Text: renderFile(p, firewall.IPv6)},
		},
		Check:    renderCheck(p, four, six),
		Apply:    renderApply(p, four, six),
		Rollback: renderRollback(p),
		Verify: append([]firewall.Step{{
			Text: "See that both families are loaded and count.", Command: "iptables -nvL\nip6tables -nvL",
		}}, device.Verify(p)...),
		Notes: renderNotes(p),
	}, nil
}

// renderFlag is the flag that leaves the chains of others alone: Docker's, and
// what a gateway lets in for itself.
func renderFlag(p firewall.Plan) string {
	if p.Docker || p.Place == firewall.OnGateway {
		return "--noflush "
	}
	return ""
}

func renderCheck(p firewall.Plan, four, six string) []firewall.Step {
	return []firewall.Step{
		{
			Text:    "Have the tools read the files without loading them.",
			Command: fmt.Sprintf("iptables-restore --test %s%s\nip6tables-restore --test %s%s", renderFlag(p), four, renderFlag(p), six),
		},
		netfilter.Rehearse(p, four+" "+six),
	}
}

func renderApply(p firewall.Plan, four, six string) []firewall.Step {
	text, keep := "Load them at every start (Debian: package iptables-persistent).", "netfilter-persistent save\nsystemctl enable netfilter-persistent"
	if p.Docker {
		text = "Load them at every start, before Docker (Debian: package iptables-persistent); Docker then adds its own chains behind DOCKER-USER."
		keep = fmt.Sprintf("install -D -m 0644 %s /etc/iptables/rules.v4\ninstall -D -m 0644 %s /etc/iptables/rules.v6\n"+
			"printf '%%s\\n' IPTABLES_RESTORE_NOFLUSH=yes IP6TABLES_RESTORE_NOFLUSH=yes >> /etc/default/netfilter-persistent\n"+
			"systemctl enable netfilter-persistent", four, six)
	}
	out := []firewall.Step{{Text: "Save what is loaded now, and that a table was empty where it was.", Command: renderSave(p)}}
	hand := firewall.Step{
		Text: "Or load them by hand, IPv6 first, so that no family is forgotten.",
		Command: fmt.Sprintf("ip6tables-restore --wait=10 %s%s && iptables-restore --wait=10 %s%s",
			renderFlag(p), six, renderFlag(p), four),
	}
	if renderFlag(p) == "" {
		out = append(out, netfilter.Apply(p, four+" "+six), hand)
	} else { // apply replaces whole tables, and these files leave others' chains in theirs
		hand.Text = "Load them, IPv6 first, so that no family is forgotten."
		out = append(out, firewall.Step{
			Text:    "Have it taken back by itself in five minutes, in case the session dies.",
			Command: "systemd-run --on-active=5m --unit=iptables-rollback sh -c 'cd \"$0\" || exit\n" + renderBack + "' \"$PWD\"",
		}, hand, firewall.Step{
			Text: "Open a new session, verify, and only then keep it.", Command: "systemctl stop iptables-rollback.timer",
		})
	}
	return append(out, firewall.Step{Text: text, Command: keep})
}

// renderBack restores what the first step saved.
const renderBack = "iptables-restore --wait=10 before.v4\nip6tables-restore --wait=10 before.v6"

// renderSave writes down empty tables as well: iptables-save leaves out those
// that nobody has used yet, and restoring would leave the new rules in them.
func renderSave(p firewall.Plan) string {
	empty := map[string]string{
		"filter": `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n`,
		"nat":    `*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n`,
	}
	tables := []string{"filter"}
	if natToo(p) != "" {
		tables = append(tables, "nat")
	}
	var b strings.Builder
	for _, f := range []struct{ program, file string }{{"iptables-save", "before.v4"}, {"ip6tables-save", "before.v6"}} {
		fmt.Fprintf(&b, "%s > %s\n", f.program, f.file)
		for _, table := range tables {
			fmt.Fprintf(&b, "grep -q '^\\*%s' %s || printf '%s' >> %s\n", table, f.file, empty[table], f.file)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func renderRollback(p firewall.Plan) []firewall.Step {
	out := []firewall.Step{{
		Text:    "Load what was there before, table by table in one step each.",
		Command: renderBack,
	}}
	if p.Docker {
		out = append(out, firewall.Step{Text: "Have Docker write its own chains again if containers cannot be reached.", Command: "systemctl restart docker"})
	}
	return out
}

func renderNotes(p firewall.Plan) []string {
	var out []string
	switch {
	case p.Place == firewall.OnGateway:
		out = append(out, "FORWARD is emptied and written anew; INPUT, OUTPUT and the chains of others stay as they are.")
	case p.Docker:
		out = append(out,
			"INPUT and OUTPUT are emptied and written anew; FORWARD keeps Docker's rules, and DOCKER-USER, which Docker asks first, is written anew. Published ports are judged by the address and port before destination NAT, for behind it they look like any port of a container.",
			"DOCKER-USER takes effect once FORWARD jumps there, which Docker sees to when it starts; until then FORWARD drops everything.")
	default:
		out = append(out, "The filter table of both families is replaced as a whole: chains of other programs in it (fail2ban, libvirt) go, until those programs write them again. The nat, mangle and raw tables stay"+natToo(p)+".")
	}
	if p.Limit != nil && netfilter.ServesDNS(p) {
		out = append(out, "A table of the limit that is full (262144 sources within 10 s) drops whoever is new: a flood from very many forged sources then shuts DNS. nftables lets pass instead.")
	}
	return append(out, netfilter.Notes(p)...)
}

func natToo(p firewall.Plan) string {
	if netfilter.Redirects(p, firewall.IPv4) || netfilter.Redirects(p, firewall.IPv6) {
		return ", except that nat is replaced for the redirection"
	}
	return ""
}

// rendering is the text of one family in the making.
type rendering struct {
	strings.Builder
	plan   firewall.Plan
	family firewall.Family
	own    []netip.Addr // the asset's of the family
}

func newRendering(p firewall.Plan, f firewall.Family) *rendering {
	return &rendering{plan: p, family: f, own: netfilter.Addresses(p, f)}
}

func renderFile(p firewall.Plan, f firewall.Family) string {
	t := newRendering(p, f)
	t.note(netfilter.Head(p)...)
	command := "iptables-restore"
	if f == firewall.IPv6 {
		command = "ip6tables-restore"
	}
	t.note("Load it with: " + strings.TrimSpace(command+" "+renderFlag(p)))
	t.filter()
	t.redirect()
	return t.String()
}

func (t *rendering) put(format string, args ...any) {
	t.WriteString(fmt.Sprintf(format, args...) + "\n")
}

func (t *rendering) note(lines ...string) {
	for _, line := range lines {
		t.put("# %s", line)
	}
}

// filter is the whole filter table.
func (t *rendering) filter() {
	t.put("*filter")
	if t.plan.Place == firewall.OnAsset {
		t.put(":INPUT DROP [0:0]")
	}
	t.put(":FORWARD DROP [0:0]")
	if t.plan.Place == firewall.OnAsset {
		t.put(":OUTPUT ACCEPT [0:0]")
	}
	for _, chain := range t.chains() {
		t.put(":%s - [0:0]", chain)
	}
	switch {
	case t.plan.Place == firewall.OnGateway:
		t.put("-F FORWARD")
		t.forward()
	case t.plan.Docker:
		t.put("-F INPUT\n-F OUTPUT")
		t.input()
	default:
		t.input()
	}
	for _, a := range t.plan.Allows {
		t.allow(renderAssetChain, "ACCEPT", false, a)
	}
	if t.plan.Docker {
		t.dockerRules()
	}
	t.outgoing("ACCEPT")
	t.output()
	t.dns()
	t.put("COMMIT")
}

// chains are those to declare, which empties them.
func (t *rendering) chains() []string {
	out := []string{renderAssetChain}
	if t.plan.Docker {
		out = append(out, renderDockerChain, renderPublishedChain)
	}
	if netfilter.Forwards(t.plan) {
		out = append(out, renderOutChain)
	}
	if t.inside() {
		out = append(out, renderInsideChain)
	}
	if t.controlled() {
		out = append(out, renderDNSChain)
	}
	return out
}

// controlled reports whether queries are held back anywhere.
func (t *rendering) controlled() bool {
	return t.plan.DNS.Control && (t.controlsOwn() || netfilter.Forwards(t.plan))
}

// controlsOwn reports whether the asset's own queries are held back by rules on
// the asset itself.
func (t *rendering) controlsOwn() bool {
	return t.plan.Place == firewall.OnAsset && t.plan.DNS.Control && !t.plan.DNS.Self
}

func (t *rendering) input() {
	t.put("-A INPUT -i lo -j ACCEPT")
	t.put("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
	t.WriteString(ICMPRules("INPUT", t.family, false))
	t.put("-A INPUT -m conntrack --ctstate INVALID -j DROP")
	t.toAsset("INPUT")
	t.WriteString(LimitRules(t.plan, t.family, renderAssetChain, false))
}

func (t *rendering) toAsset(chain string) {
	for _, addr := range t.own {
		t.put("-A %s -d %s -j %s", chain, renderAddr(addr), renderAssetChain)
	}
}

func (t *rendering) forward() {
	t.put("-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
	t.WriteString(ICMPRules("FORWARD", t.family, true))
	t.put("-A FORWARD -m conntrack --ctstate INVALID -j DROP")
	for _, addr := range t.own {
		t.put("-A FORWARD -d %s -g %s", renderAddr(addr), renderAssetChain)
	}
	for _, match := range renderFrom(firewall.Allow{Interfaces: netfilter.OutsideInterfaces(t.plan)}, t.family) {
		for _, addr := range t.own {
			if match != "" {
				t.put("-A FORWARD -s %s %s-m comment --comment \"nobody outside is the asset\" -j DROP", renderAddr(addr), match)
			}
		}
	}
	for _, addr := range t.own {
		t.put("-A FORWARD -s %s -g %s", renderAddr(addr), renderOutChain)
	}
	for _, zone := range netfilter.Inside(t.plan) {
		for _, match := range renderFrom(zone, t.family) {
			t.put("-A FORWARD %s%s-g %s", match, renderComment(zone), renderInsideChain)
		}
	}
	t.WriteString(LimitRules(t.plan, t.family, renderAssetChain, false))
}

func (t *rendering) outgoing(verdict string) {
	if !netfilter.Forwards(t.plan) {
		return
	}
	if t.plan.DNS.Control {
		t.toDNS(renderOutChain)
	}
	if t.plan.Docker {
		verdict = "RETURN"
	}
	t.put("-A %s -j %s", renderOutChain, verdict)
	if !t.inside() {
		return
	}
	if t.plan.DNS.Control {
		t.toDNS(renderInsideChain)
	}
	t.note("The zones inside do not reach each other.")
	for _, network := range netfilter.InsideNetworks(t.plan, t.family) {
		t.put("-A %s -d %s -j DROP", renderInsideChain, network)
	}
	t.put("-A %s -j ACCEPT", renderInsideChain)
}

// inside reports whether there are zones whose conversations are let out.
func (t *rendering) inside() bool {
	return t.plan.Place == firewall.OnGateway && len(netfilter.InsideNetworks(t.plan, t.family)) > 0
}

func (t *rendering) toDNS(chain string) {
	for _, transport := range []string{"udp", "tcp"} {
		t.put("-A %s -p %s -m multiport --dports 53,853 -j %s", chain, transport, renderDNSChain)
	}
}

func (t *rendering) output() {
	if !t.controlsOwn() {
		return
	}
	t.put("-A OUTPUT -o lo -j ACCEPT\n-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
	t.toDNS("OUTPUT")
}

// dns judges queries: to approved resolvers they pass, the others are refused.
// On a gateway nothing else is asked of those that pass; elsewhere Docker is.
func (t *rendering) dns() {
	if !t.controlled() {
		return
	}
	pass := "RETURN"
	if t.plan.Place == firewall.OnGateway {
		pass = "ACCEPT"
	}
	t.note("Only approved resolvers ask servers outside; everybody else asks them.")
	for _, r := range netfilter.Resolvers(t.plan, t.family) {
		t.put("-A %s -d %s -j %s", renderDNSChain, renderAddr(r), pass)
	}
	t.peers(renderDNSChain, pass)
	if netfilter.Forwards(t.plan) {
		for _, r := range netfilter.Resolvers(t.plan, t.family) {
			t.put("-A %s -s %s -j %s", renderDNSChain, renderAddr(r), pass)
		}
		t.ownQueries(renderDNSChain, pass)
	}
	t.put("-A %s -j REJECT --reject-with %s", renderDNSChain, renderReject(t.family))
}

// peers lets what the asset sends its secondaries and primaries pass. On the
// asset itself whose it is need not be asked.
func (t *rendering) peers(chain, verdict string) {
	for _, to := range t.plan.DNS.PeersOf(t.family) {
		if t.plan.Place == firewall.OnAsset {
			t.put("-A %s -d %s -m comment --comment \"notifications and transfers\" -j %s", chain, to, verdict)
			continue
		}
		for _, addr := range t.own {
			t.put("-A %s -s %s -d %s -m comment --comment \"notifications and transfers\" -j %s", chain, renderAddr(addr), to, verdict)
		}
	}
}

// ownQueries lets the asset's own pass a gateway when it is an approved
// resolver.
func (t *rendering) ownQueries(chain, verdict string) {
	if t.plan.Place != firewall.OnGateway || !t.plan.DNS.Self {
		return
	}
	for _, addr := range t.own {
		t.put("-A %s -s %s -j %s", chain, renderAddr(addr), verdict)
	}
}

func renderReject(f firewall.Family) string {
	if f == firewall.IPv6 {
		return "icmp6-adm-prohibited"
	}
	return "icmp-admin-prohibited"
}
