package junos

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

// Render writes a plan as set commands for SRX with Junos 12.1X47 and later.
//
// The policies are global ones, which match the zone that a packet comes from
// and leave the one it goes to open: the asset's address says that better, and
// the plan does not always know its zone. SRX asks the policies of a pair of
// zones first, then the global ones in order, then the default. Everything
// stands in a group of its own, so that loading it again replaces it and the
// way back is to delete the group.
//
// The error is a *firewall.UnsupportedError or says that the plan has no
// addresses.
func Render(p firewall.Plan) (firewall.Config, error) {
	can := device.Abilities{Format: "Junos SRX", Gateway: true, Redirect: true, InterfaceWas: "an interface's name as ge-0/0/0.0", Interface: func(n string) bool { return device.Word(n, 60) }}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	if err := device.ByZone(p, can.Format, "letters, digits, - and _ of at most 63 bytes, not a name of Junos's own", zoneName); err != nil {
		return firewall.Config{}, err
	}
	w := &writer{p: p, name: "rs-" + device.Tag(p.Asset, 12), known: map[string]string{}}
	if err := w.redirect(); err != nil {
		return firewall.Config{}, err
	}
	w.icmp()
	for _, r := range device.Forward(p) {
		w.policy(r, w.applications(r))
	}
	text := device.Commented("# ", device.Header(p)...) +
		"# An earlier version goes first.\ndelete groups " + w.name + "\n" + w.objects.String() + w.policies.String() +
		"set apply-groups " + w.name + "\n# What no policy allows is dropped.\nset security policies default-policy deny-all\n"
	return config(p, w.name, text), nil
}

func zoneName(name string) bool {
	return device.Word(name, 63) && !strings.ContainsAny(name, "./:") && name != "any" && name != "junos-host" && name != "junos-global"
}

type writer struct {
	p                 firewall.Plan
	name              string
	objects, policies strings.Builder
	known             map[string]string // what an object holds to its name
	count             int
}

func (w *writer) set(b *strings.Builder, format string, args ...any) {
	fmt.Fprintf(b, "set groups "+w.name+" "+format+"\n", args...)
}

// icmp lets the messages pass that must. Errors of conversations in
// the table pass anyway.
func (w *writer) icmp() {
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		proto, types := "icmp", []int{3, 8, 11, 12}
		if f == firewall.IPv6 {
			proto, types = "icmp6", []int{1, 2, 3, 4, 128, 129}
		}
		var apps []string
		for _, t := range types {
			name := fmt.Sprintf("%s-%s-%d", w.name, proto, t)
			w.set(&w.objects, "applications application %s protocol %s", name, proto)
			w.set(&w.objects, "applications application %s %s-type %d", name, proto, t)
			apps = append(apps, name)
		}
		w.policy(device.Row{Family: f, Why: "ICMP that must pass (RFC 1122, RFC 1191, RFC 4890)"}, apps)
	}
}

func (w *writer) policy(r device.Row, apps []string) {
	w.count++
	name := fmt.Sprintf("%s-%03d", w.name, w.count)
	line := func(format string, args ...any) {
		w.set(&w.policies, "security policies global policy "+name+" "+format, args...)
	}
	if why := device.Remark(r, 200); why != "" {
		line("description \"%s\"", why)
	}
	if r.Zone != "" && len(r.Interfaces) > 0 {
		line("match from-zone %s", r.Zone)
	}
	for _, a := range w.addresses(r.Family, r.Sources) {
		line("match source-address %s", a)
	}
	for _, a := range w.addresses(r.Family, r.Targets) {
		line("match destination-address %s", a)
	}
	for _, a := range apps {
		line("match application %s", a)
	}
	if r.Deny {
		line("then deny")
	} else {
		line("then permit")
	}
}

func (w *writer) addresses(f firewall.Family, prefixes []netip.Prefix) []string {
	if len(prefixes) == 0 {
		if f == firewall.IPv4 {
			return []string{"any-ipv4"}
		}
		return []string{"any-ipv6"}
	}
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		key := p.String()
		if w.known[key] == "" {
			w.known[key] = fmt.Sprintf("%s-net-%d", w.name, len(w.known)+1)
			w.set(&w.objects, "security address-book global address %s %s", w.known[key], p)
		}
		out[i] = w.known[key]
	}
	return out
}

func (w *writer) applications(r device.Row) []string {
	var out []string
	for _, t := range r.Transports {
		if t == policy.ESP {
			out = append(out, w.application(t, "", ""))
		}
		for _, p := range r.Ports {
			out = append(out, w.application(t, "-"+p.String(), p.String()))
		}
	}
	if len(out) == 0 {
		return []string{"any"}
	}
	return slices.Compact(out)
}

func (w *writer) application(t exposure.Transport, suffix, port string) string {
	name := w.name + "-" + string(t) + suffix
	if w.known[name] == "" {
		w.known[name] = name
		w.set(&w.objects, "applications application %s protocol %s", name, t)
		if port != "" {
			w.set(&w.objects, "applications application %s destination-port %s", name, port)
		}
	}
	return name
}

func config(p firewall.Plan, name, text string) firewall.Config {
	file := device.Label(p.Asset, 40) + ".srx.set"
	return firewall.Config{
		Format: "junos",
		Files:  []firewall.File{{Name: file, Text: text}},
		Check: []firewall.Step{
			{Text: "Load the commands into the candidate configuration, see what changes, and let the device check it.", Command: "configure exclusive\nload set " + file + "\nshow | compare\ncommit check"},
			{Text: "See the policies of pairs of zones, which come first, and whether IPv6 is filtered: its mode must be flow-based.", Command: "run show security policies zone-context\nrun show security flow status"},
		},
		Apply: []firewall.Step{
			{Text: "Commit for five minutes; the device goes back by itself unless you confirm.", Command: "commit confirmed 5"},
			{Text: "Log in anew from where you administer. When that works, confirm.", Command: "commit"},
		},
		Rollback: []firewall.Step{{Text: "Delete the group, after which the default is still to drop; or \"rollback 1\" right after the commit.", Command: "delete groups " + name + "\ndelete apply-groups " + name + "\ncommit"}},
		Verify: append(device.Verify(p), firewall.Step{
			Text:    "Ask the device what it does with a packet.",
			Command: "show security match-policies global source-ip 198.51.100.1 source-port 40000 destination-ip " + p.Addresses[0].String() + " destination-port 53 protocol udp",
		}),
		Notes: append([]string{
			"Policies of a pair of zones come before global ones, and global ones that exist before those of the group: remove those that let more reach the asset.",
			"Zones of the policy file must be zones of the device with the same interfaces: " + zones(p) + ".",
			"The default becomes to drop.",
			"A device whose zones have address books of their own takes no global one: move those books to the global one first.",
			"What is for the device itself is ruled by host-inbound-traffic of its zones; nothing here touches it.",
			"Where \"show security flow status\" does not say flow-based for inet6: set security forwarding-options family inet6 mode flow-based, and restart.",
		}, append(redirectNotes(p), device.Cautions(p)...)...),
	}
}

func zones(p firewall.Plan) string {
	var out []string
	for _, z := range p.Zones {
		if len(z.Interfaces) > 0 {
			out = append(out, device.Plain(z.Name, 60)+" has "+strings.Join(z.Interfaces, " and "))
		}
	}
	if len(out) == 0 {
		return "none is matched"
	}
	return strings.Join(out, ", ")
}
