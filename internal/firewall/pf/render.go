package pf

import (
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
)

// ICMP types that must pass: IPv4 unreachable (with fragmentation needed, RFC
// 1191), echo request, time exceeded and parameter problem; ICMPv6 by RFC 4890 sections 4.3
// and, on a host, 4.4.
const (
	icmp4     = "3, 8, 11, 12"
	icmp6     = "1, 2, 3, 4, 128, 129"
	neighbour = "130, 131, 132, 133, 134, 135, 136, 141, 142, 143, 148, 149, 151, 152, 153"
)

// Render writes a plan as a complete pf.conf. The error is a
// *firewall.UnsupportedError or says that the plan has no addresses.
func Render(p firewall.Plan) (firewall.Config, error) {
	can := device.Abilities{Format: "pf", Host: true, Gateway: true, Redirect: true}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	if err := device.Placed(device.Redirections(p), can.Format); err != nil {
		return firewall.Config{}, err
	}
	name := device.Label(p.Asset, 40)
	systems := []string{""}
	if p.DNS.Control && p.DNS.Redirect {
		systems = []string{"openbsd", "freebsd"}
	}
	c := firewall.Config{Format: "pf", Verify: device.Verify(p), Notes: notes(p)}
	for _, system := range systems {
		file := name + ".pf.conf"
		if system != "" {
			file = name + "." + system + ".pf.conf"
		}
		c.Files = append(c.Files, firewall.File{Name: file, Text: (&writer{p: p, system: system}).text()})
	}
	file := c.Files[0].Name
	if len(c.Files) > 1 {
		c.Notes = append(c.Notes, "There is one file for OpenBSD and one for FreeBSD, which write redirection differently: use yours in the commands.")
	}
	c.Check = []firewall.Step{{Text: "Parse the file without loading it.", Command: "pfctl -nvf " + file}}
	c.Apply = []firewall.Step{
		{Text: "Keep the rules in force; where there are none, what passes everything.", Command: "cp /etc/pf.conf /etc/pf.conf.before 2>/dev/null || echo 'pass all' >/etc/pf.conf.before"},
		{Text: "Let a guard restore them in two minutes, in case you shut yourself out.", Command: "nohup sh -c 'sleep 120; pfctl -f /etc/pf.conf.before' >/dev/null 2>&1 & echo $! >/tmp/pf.guard"},
		{Text: "Load the new rules; pfctl replaces all of them at once.", Command: "pfctl -f " + file + " && { pfctl -e 2>/dev/null || true; }"},
		{Text: "Log in anew from where you administer. When that works, stop the guard and make the rules permanent.", Command: "kill \"$(cat /tmp/pf.guard)\" && cp " + file + " /etc/pf.conf"},
	}
	c.Rollback = []firewall.Step{{Text: "Load the kept rules.", Command: "cp /etc/pf.conf.before /etc/pf.conf && pfctl -f /etc/pf.conf"}}
	c.Verify = append(c.Verify, firewall.Step{Text: "Look at the loaded rules and their counters.", Command: "pfctl -vsr"})
	return c, nil
}

func notes(p firewall.Plan) []string {
	out := []string{
		"The file replaces the whole ruleset, translation (nat, rdr) and anchors of other programs (blacklistd, relayd, ftp-proxy) included: add yours where the file says so before loading.",
		"FreeBSD 13 and older know no \"set reassemble\": write \"scrub in all fragment reassemble\" in the place of that line. On FreeBSD also run: sysrc pf_enable=YES.",
	}
	if p.Place == firewall.OnGateway {
		out = append(out, "Without your translation, hosts with private addresses lose the Internet.",
			"What is for the gateway itself is dropped: add your own rules where the file says so, at least for your administration.")
	}
	if p.Place == firewall.OnAsset {
		out = append(append(out, device.Locked(p, 22)...), "The rules are for a host: it forwards nothing. "+device.Leases())
	}
	return append(out, device.Cautions(p)...)
}

// writer gathers the tables that the rules use before the rules.
type writer struct {
	p      firewall.Plan
	system string // "openbsd", "freebsd" or "" for both
	tables []string
	known  map[string]string // addresses to table name
	rules  strings.Builder
}

func (w *writer) text() string {
	w.known = map[string]string{}
	w.icmp()
	if w.p.Place == firewall.OnAsset {
		w.asset()
	} else {
		w.gateway()
	}
	translation := ""
	if w.system == "freebsd" {
		translation = w.redirect()
	}
	var b strings.Builder
	b.WriteString(device.Commented("# ", device.Header(w.p)...))
	b.WriteString("\nset block-policy drop\n# Programs on this host reach each other.\nset skip on lo\n# Fragments are judged with the packet that they belong to.\nset reassemble yes\n")
	if len(w.tables) > 0 {
		b.WriteString("\n" + strings.Join(w.tables, ""))
	}
	b.WriteString(translation)
	b.WriteString("\n# Your own translation (nat, rdr, match) and anchors: here.\n")
	b.WriteString("\n# What no rule below passes is dropped, in and out.\nblock drop all\n")
	b.WriteString(w.rules.String())
	return b.String()
}

func (w *writer) icmp() {
	b := &w.rules
	six := icmp6
	if w.p.Place == firewall.OnAsset {
		six += ", " + neighbour
	} else {
		// The gateway finds its own neighbours by them too.
		six += ", 130, 131, 132, 133, 134, 135, 136, 143"
	}
	b.WriteString("\n# Path MTU discovery, errors and neighbour discovery (RFC 1191, RFC 4890).\n")
	fmt.Fprintf(b, "pass in quick inet proto icmp icmp-type { %s }\n", icmp4)
	fmt.Fprintf(b, "pass in quick inet6 proto icmp6 icmp6-type { %s }\n", six)
}

func (w *writer) asset() {
	w.rules.WriteString("\n# What may reach the asset.\n")
	w.write(device.Inbound(w.p), "in")
	if rows := device.Outbound(w.p); len(rows) > 0 {
		w.rules.WriteString("\n# DNS leaves to the approved resolvers only.\n")
		w.write(rows, "out")
	}
	w.rules.WriteString("\n# Everything else may leave.\npass out quick all keep state\n")
}

func (w *writer) gateway() {
	if w.system == "openbsd" {
		w.rules.WriteString(w.redirect())
	}
	w.rules.WriteString("\n# Your own rules for this gateway and for other hosts: here.\n")
	w.rules.WriteString("\n# Decided where a packet comes in.\n")
	rows, opened := device.Forward(w.p), device.Opened(w.p)
	w.write(rows[:len(rows)-len(opened)], "in")
	if len(opened) > 0 {
		w.rules.WriteString("# the zones inside open nothing on this gateway itself\nblock drop in quick inet from any to (self)\nblock drop in quick inet6 from any to (self)\n")
	}
	w.write(opened, "in")
	w.rules.WriteString("\n# What was let in may go on, and the gateway's own conversations.\npass out quick all keep state\n")
}

func (w *writer) write(rows []device.Row, direction string) {
	last := ""
	for _, r := range rows {
		if why := device.Remark(r, 200); why != last {
			w.rules.WriteString("# " + why + "\n")
			last = why
		}
		w.rules.WriteString(w.rule(r, direction) + "\n")
	}
}

func (w *writer) rule(r device.Row, direction string) string {
	words := []string{"pass", direction, "quick"}
	if r.Deny {
		words[0] = "block drop"
		if direction == "out" {
			words[0] = "block return" // the asset's own programs shall fail at once
		}
	}
	if len(r.Interfaces) > 0 {
		words = append(words, "on", list(r.Interfaces))
	}
	words = append(words, family(r.Family))
	if len(r.Transports) > 0 {
		words = append(words, "proto", transports(r.Transports))
	}
	words = append(words, "from", w.addresses(r, r.Sources), "to", w.addresses(r, r.Targets))
	if len(r.Ports) > 0 {
		words = append(words, "port", ports(r.Ports))
	}
	if !r.Deny {
		words = append(words, "keep state")
	}
	return strings.Join(words, " ")
}

// addresses names a table for several, so that a rule stays one rule.
func (w *writer) addresses(r device.Row, prefixes []netip.Prefix) string {
	switch len(prefixes) {
	case 0:
		return "any"
	case 1:
		return address(prefixes[0])
	}
	base := "set"
	if r.Zone != "" {
		base = strings.ReplaceAll(device.Label(r.Zone, 20), "-", "_")
	}
	return w.table(base, addressTexts(prefixes))
}

// redirect sends queries to other servers to the first resolver. A query to
// the asset or to an approved resolver goes where it was sent, and so does
// every query of theirs.
func (w *writer) redirect() string {
	var in, out strings.Builder
	for _, r := range device.Redirections(w.p) {
		except, clients := addressTexts(r.Except), addressTexts(r.Sources)
		for _, e := range except {
			clients = append(clients, "!"+e)
		}
		match := fmt.Sprintf("on %s %s proto { tcp udp } from %s to ! %s port 53",
			list(r.Interfaces), family(r.Family), w.table("clients", clients), w.table("dns", except))
		if w.system == "freebsd" {
			fmt.Fprintf(&in, "rdr %s -> %s port 53\n", match, r.To)
		} else {
			fmt.Fprintf(&in, "match in %s rdr-to %s port 53\n", match, r.To)
		}
		if !r.Hairpin {
			continue
		}
		for _, i := range r.Interfaces {
			back := fmt.Sprintf("on %s %s proto { tcp udp } from %s to %s port 53", i, family(r.Family), w.table("clients", clients), r.To)
			if w.system == "freebsd" {
				fmt.Fprintf(&out, "nat %s -> (%s:0)\n", back, i)
			} else {
				fmt.Fprintf(&out, "match out %s nat-to (%s:0)\n", back, i)
			}
		}
	}
	if in.Len() == 0 {
		return ""
	}
	hairpin := ""
	if out.Len() > 0 {
		hairpin = "# A resolver among the clients answers by way of this gateway.\n" + out.String()
	}
	return "\n" + hairpin + "# Other clients' queries go to the approved resolver.\n" + in.String()
}

// table names a table with these addresses, a new one when there is none.
func (w *writer) table(base string, addresses []string) string {
	all := strings.Join(addresses, ", ")
	if w.known[all] == "" {
		w.known[all] = fmt.Sprintf("<%s_%d>", base, len(w.known)+1)
		w.tables = append(w.tables, fmt.Sprintf("table %s const { %s }\n", w.known[all], all))
	}
	return w.known[all]
}

func addressTexts(prefixes []netip.Prefix) []string {
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = address(p)
	}
	return out
}

func address(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func family(f firewall.Family) string {
	if f == firewall.IPv4 {
		return "inet"
	}
	return "inet6"
}

func transports(t []exposure.Transport) string {
	words := make([]string, len(t))
	for i, one := range t {
		words[i] = string(one)
	}
	return list(words)
}

func ports(ranges []firewall.PortRange) string {
	words := make([]string, len(ranges))
	for i, r := range ranges {
		words[i] = strings.ReplaceAll(r.String(), "-", ":")
	}
	return list(words)
}

// list is one word, or several in braces.
func list(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "{ " + strings.Join(words, " ") + " }"
}
