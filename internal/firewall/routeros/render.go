package routeros

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// Render writes a plan as an import script. The error is a
// *firewall.UnsupportedError or says that the plan has no addresses.
func Render(p firewall.Plan) (firewall.Config, error) {
	can := device.Abilities{Format: "RouterOS", Host: true, Gateway: true, RateLimit: true, Redirect: true}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	name := "rs-" + device.Tag(p.Asset, 20)
	w := &writer{p: p, name: name, known: map[string]string{}}
	w.body()
	text := device.Commented("# ", device.Header(p)...) + "\n# An earlier version goes first.\n" + removal(name) + w.text.String()
	return config(p, name, text), nil
}

func config(p firewall.Plan, name, text string) firewall.Config {
	file := device.Label(p.Asset, 40) + ".rsc"
	c := firewall.Config{
		Format: "routeros",
		Files:  []firewall.File{{Name: file, Text: text}},
		Check: []firewall.Step{
			{Text: "Let the device parse the script without running it, where its version knows dry-run.", Command: "/import file-name=" + file + " verbose=yes dry-run"},
		},
		Apply: []firewall.Step{
			{Text: "Keep the configuration in force.", Command: "/export file=before-" + name},
			{Text: "Let the device remove the rules in five minutes, in case you shut yourself out. Safe mode is no such guard: it ends by itself, and keeps everything, when it has to remember more than a hundred changes.", Command: guard(name)},
			{Text: "Import the script.", Command: "/import file-name=" + file},
			{Text: "Log in anew from where you administer. When that works, remove the guard.", Command: "/system scheduler remove [find where name=\"" + name + "-guard\"]"},
		},
		Rollback: []firewall.Step{{Text: "Remove the rules; the older ones below them are in force again.", Command: strings.TrimSpace(removal(name))}},
		Verify: append(device.Verify(p), firewall.Step{
			Text: "Look at the rules and their counters.", Command: "/ip firewall filter print stats where comment~\"^" + name + ":\"\n/ipv6 firewall filter print stats where comment~\"^" + name + ":\"",
		}),
		Notes: []string{
			"FastTrack and rules in raw act before these: \"/ip firewall raw print\" shows what is dropped or left untracked earlier.",
			"The script needs connection tracking on (/ip firewall connection tracking, /ipv6 firewall connection tracking).",
		},
	}
	if p.Place == firewall.OnGateway {
		c.Notes = append(c.Notes, "Only forwarding is ruled here: put your own rules for other hosts above the jump to the chain. Rules of input, for the router itself, stay as they are.")
	}
	c.Notes = append(c.Notes, device.Locked(p, 22, 8291)...)
	if p.Place == firewall.OnAsset {
		c.Notes = append(c.Notes, "The rules take the router for a host: it forwards nothing, and only its addresses in the policy are reached. "+device.Leases())
	}
	if p.Limit != nil {
		c.Notes = append(c.Notes, "The limit counts a source; who sends with a forged source can use it to shut that source out.")
	}
	c.Notes = append(c.Notes, device.Cautions(p)...)
	return c
}

// removal removes all that carries the comment. The jump goes first, so that
// nobody is left with half a chain.
func removal(name string) string {
	var b strings.Builder
	for _, menu := range []string{"/ip firewall", "/ipv6 firewall"} {
		fmt.Fprintf(&b, "%s filter remove [find where comment~\"^%s:\" action=jump]\n", menu, name)
		fmt.Fprintf(&b, "%s filter remove [find where comment~\"^%s:\"]\n", menu, name)
		fmt.Fprintf(&b, "%s nat remove [find where comment~\"^%s:\"]\n", menu, name)
		fmt.Fprintf(&b, "%s address-list remove [find where comment~\"^%s:\"]\n", menu, name)
	}
	fmt.Fprintf(&b, "/interface list member remove [find where list~\"^%s-if-\"]\n/interface list remove [find where name~\"^%s-if-\"]\n", name, name)
	return b.String()
}

// guard is a job that removes the rules once, and itself.
func guard(name string) string {
	job := strings.ReplaceAll(strings.TrimSpace(removal(name)), "\n", "; ") + "; /system scheduler remove [find where name=\"" + name + "-guard\"]"
	return "/system scheduler add name=" + name + "-guard interval=5m on-event=\"" + strings.ReplaceAll(job, "\"", "\\\"") + "\""
}

type writer struct {
	p     firewall.Plan
	name  string
	text  strings.Builder
	known map[string]string // addresses to the list's name
}

func (w *writer) body() {
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		if w.p.Place == firewall.OnAsset {
			w.host(f)
		} else {
			w.gateway(f)
		}
	}
}

func (w *writer) host(f firewall.Family) {
	in, out := w.name+"-in", w.name+"-out"
	w.text.WriteString("\n")
	w.always(f, in)
	w.rule(f, in, "action=accept dst-address="+loopback(f), "the router reaches itself")
	w.limit(f, in)
	w.rows(f, in, device.Inbound(w.p))
	w.rule(f, in, "action=drop", "nothing else comes in")
	if rows := device.Outbound(w.p); len(rows) > 0 {
		w.rule(f, out, "action=accept connection-state=established,related", "replies")
		w.rule(f, out, "action=accept dst-address="+loopback(f), "the router reaches itself")
		w.rows(f, out, rows)
		w.rule(f, out, "action=return", "everything else may leave")
		w.jump(f, "output", out)
	}
	forward := w.name + "-fwd"
	w.rule(f, forward, "action=accept connection-state=established,related", "replies")
	w.rule(f, forward, "action=drop", "nothing is forwarded")
	w.jump(f, "forward", forward)
	w.jump(f, "input", in)
}

func (w *writer) gateway(f firewall.Family) {
	chain := w.name + "-fwd"
	w.text.WriteString("\n")
	w.always(f, chain)
	w.limit(f, chain)
	w.rows(f, chain, device.Forward(w.p))
	w.rule(f, chain, "action=drop", "nothing else is forwarded")
	w.redirect(f)
	w.jump(f, "forward", chain)
}

func (w *writer) always(f firewall.Family, chain string) {
	w.rule(f, chain, "action=accept connection-state=established,related", "replies")
	types := []string{"3", "8", "11", "12"}
	proto := "icmp"
	if f == firewall.IPv6 {
		proto = "icmpv6"
		types = []string{"1", "2", "3", "4", "128", "129"}
		if w.p.Place == firewall.OnAsset {
			types = append(types, "130", "131", "132", "133", "134", "135", "136", "141", "142", "143", "148", "149", "151", "152", "153")
		}
	}
	for _, t := range types {
		w.rule(f, chain, "action=accept protocol="+proto+" icmp-options="+t+":0-255", "ICMP that must pass, type "+t+" (RFC 1122, RFC 1191, RFC 4890)")
	}
	// After ICMP: connection tracking takes types that it does not know for invalid.
	w.rule(f, chain, "action=drop connection-state=invalid", "packets of no conversation")
}

// limit drops what a source asks above the rate, before anything is accepted.
func (w *writer) limit(f firewall.Family, chain string) {
	own := device.Addresses(w.p, f)
	if w.p.Limit == nil || len(own) == 0 {
		return
	}
	sub := w.name + "-limit"
	for _, t := range []string{"udp", "tcp"} {
		w.rule(f, chain, "action=jump jump-target="+sub+" protocol="+t+" dst-port=53,853"+w.match("dst-address", f, "", own), "DNS queries are counted")
	}
	w.rule(f, sub, fmt.Sprintf("action=return dst-limit=%d,%d,src-address/1m", w.p.Limit.PerSecond, w.p.Limit.Burst), "as many a second and source as honest clients need")
	w.rule(f, sub, "action=drop", "above the limit")
}

// redirect sends queries to other servers to the first resolver. Queries to
// the asset and to approved resolvers, and queries of theirs, stay as they are.
func (w *writer) redirect(f firewall.Family) {
	all := slices.DeleteFunc(device.Redirections(w.p), func(r device.Redirection) bool { return r.Family != f })
	if len(all) == 0 {
		return
	}
	chain := w.name + "-dns"
	nat := func(what, why string) {
		fmt.Fprintf(&w.text, "%s nat add chain=%s %s comment=\"%s: %s\"\n", menu(f), chain, what, w.name, why)
	}
	own := w.match("src-address", f, "dns", all[0].Except)
	nat("action=accept"+own, "DNS of the resolvers and the asset goes where it was sent")
	nat("action=accept"+strings.ReplaceAll(own, "src-", "dst-"), "DNS to them as well")
	for _, r := range all {
		to := netip.PrefixFrom(r.To, r.To.BitLen())
		from := w.match("src-address", f, r.Zone, r.Sources)
		for _, t := range []string{"udp", "tcp"} {
			nat("action=dst-nat protocol="+t+" dst-port=53"+w.interfaces(r.Interfaces)+from+" to-addresses="+address(to)+" to-ports=53",
				"other DNS of clients goes to the approved resolver")
			if r.Hairpin {
				w.top(f, "nat", "srcnat", "action=masquerade protocol="+t+" dst-port=53"+from+" dst-address="+address(to))
			}
		}
	}
	for _, t := range []string{"udp", "tcp"} {
		w.top(f, "nat", "dstnat", "action=jump jump-target="+chain+" protocol="+t+" dst-port=53")
	}
}

func (w *writer) rows(f firewall.Family, chain string, rows []device.Row) {
	for _, r := range rows {
		if r.Family != f {
			continue
		}
		action := "action=accept"
		if r.Deny {
			action = "action=drop"
		}
		for _, m := range protocols(r) {
			w.rule(f, chain, action+m+w.interfaces(r.Interfaces)+w.match("src-address", f, r.Zone, r.Sources)+w.match("dst-address", f, "", r.Targets), device.Remark(r, 120))
		}
	}
}

func protocols(r device.Row) []string {
	if len(r.Transports) == 0 {
		return []string{""}
	}
	var out []string
	for _, t := range r.Transports {
		if t == policy.ESP {
			out = append(out, " protocol=ipsec-esp")
			continue
		}
		out = append(out, portMatches(t, r.Ports)...)
	}
	return out
}

// portMatches splits at 15 ports, as many as one rule takes; a range counts two.
func portMatches(t exposure.Transport, ranges []firewall.PortRange) []string {
	var out, words []string
	count := 0
	flush := func() {
		out = append(out, " protocol="+string(t)+" dst-port="+strings.Join(words, ","))
		words, count = nil, 0
	}
	for _, r := range ranges {
		n := 2
		if r.First == r.Last {
			n = 1
		}
		if count+n > 15 {
			flush()
		}
		words, count = append(words, r.String()), count+n
	}
	flush()
	return out
}

// interfaces matches by a list when there are several.
func (w *writer) interfaces(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " in-interface=" + quote(names[0])
	}
	key := "interface " + strings.Join(names, ",")
	if w.known[key] == "" {
		w.known[key] = fmt.Sprintf("%s-if-%d", w.name, len(w.known)+1)
		w.prepend("/interface list add name=%s\n", w.known[key])
		for _, n := range names {
			w.prepend("/interface list member add list=%s interface=%s\n", w.known[key], quote(n))
		}
	}
	return " in-interface-list=" + w.known[key]
}

func (w *writer) prepend(format string, args ...any) { fmt.Fprintf(&w.text, format, args...) }

// match is nothing for any address, the address itself for one, and a list for
// several.
func (w *writer) match(field string, f firewall.Family, zone string, prefixes []netip.Prefix) string {
	switch len(prefixes) {
	case 0:
		return ""
	case 1:
		return " " + field + "=" + address(prefixes[0])
	}
	words := make([]string, len(prefixes))
	for i, p := range prefixes {
		words[i] = address(p)
	}
	key := strings.Join(words, ",")
	if w.known[key] == "" {
		base := device.Label(zone, 20)
		if zone == "" {
			base = "set"
		}
		w.known[key] = fmt.Sprintf("%s-%s-%d", w.name, base, len(w.known)+1)
		for _, a := range words {
			w.prepend("%s address-list add list=%s address=%s comment=\"%s:\"\n", menu(f), w.known[key], a, w.name)
		}
	}
	return " " + field + "-list=" + w.known[key]
}

func (w *writer) rule(f firewall.Family, chain, what, why string) {
	fmt.Fprintf(&w.text, "%s filter add chain=%s %s comment=\"%s: %s\"\n", menu(f), chain, what, w.name, why)
}

func (w *writer) jump(f firewall.Family, from, to string) {
	w.top(f, "filter", from, "action=jump jump-target="+to)
}

// top puts a rule before all others. place-before fails when there are none,
// and cannot go before the dynamic ones that the system keeps.
func (w *writer) top(f firewall.Family, table, chain, what string) {
	add := fmt.Sprintf("%s %s add chain=%s %s comment=\"%s: first of all\"", menu(f), table, chain, what, w.name)
	fmt.Fprintf(&w.text, ":if ([:len [%s %s find where dynamic=no chain=%s]] = 0) do={ %s } else={ %s place-before=[:pick [%s %s find where dynamic=no chain=%s] 0] }\n",
		menu(f), table, chain, add, add, menu(f), table, chain)
}

func menu(f firewall.Family) string {
	if f == firewall.IPv6 {
		return "/ipv6 firewall"
	}
	return "/ip firewall"
}

func loopback(f firewall.Family) string {
	if f == firewall.IPv6 {
		return "::1/128"
	}
	return "127.0.0.1"
}

func address(p netip.Prefix) string {
	if p.IsSingleIP() && p.Addr().Is4() {
		return p.Addr().String()
	}
	return p.String()
}

// quote is for names that Refuse found to be plain words.
func quote(s string) string { return "\"" + s + "\"" }
