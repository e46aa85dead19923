package asa

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// Render writes a plan as configuration commands for ASA 9.0 and later, whose
// access lists are of both families. Each interface of the policy gets a list
// of its own, and all others share the global one, which ASA consults where no
// interface list decides; every list here ends with a deny, so that one never
// falls through to the other. What one list lets in, ASA lets back by state.
//
// The lists' names end in a hash of their text: loading a changed plan makes
// new lists and binds them in the place of the old ones, which never leaves an
// interface without a list. ASA applies these lists to what passes through it,
// not to what is for itself.
//
// The error is a *firewall.UnsupportedError or says that the plan has no
// addresses.
func Render(p firewall.Plan) (firewall.Config, error) {
	can := device.Abilities{
		Format: "Cisco ASA", Gateway: true, InterfaceWas: "a nameif of letters, digits and . _ : / - of at most 48 bytes",
		Interface: func(name string) bool { return device.Word(name, 48) },
	}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	w := &writer{p: p, name: "rs-" + device.Tag(p.Asset, 20), known: map[string]string{}}
	rows := device.Forward(p)
	var bind strings.Builder
	var names []string
	for i, iface := range device.Interfaces(rows) {
		list := fmt.Sprintf("%s-%d-%s", w.name, i+1, device.Label(iface, 20)) + version
		w.list(list, device.For(rows, iface))
		fmt.Fprintf(&bind, "access-group %s in interface %s\n", list, iface)
		names = append(names, list)
	}
	global := w.name + "-global" + version
	w.list(global, device.For(rows, ""))
	fmt.Fprintf(&bind, "access-group %s global\n", global)
	text := device.Commented("! ", device.Header(p)...) + w.groups.String() + w.lists.String() +
		"!\n! Packets out of tunnels that end here obey the lists as well.\nno sysopt connection permit-vpn\n!\n! Binding replaces the list that was bound before.\n" + bind.String()
	sum := sha256.Sum256([]byte(text))
	hash := fmt.Sprintf("-%x", sum[:3])
	var undo strings.Builder
	for line := range strings.Lines(bind.String()) {
		undo.WriteString("no " + line)
	}
	for _, n := range append(names, global) {
		undo.WriteString("clear configure access-list " + n + "\n")
	}
	undo.WriteString(w.undo.String() + "sysopt connection permit-vpn")
	hashed := func(s string) string { return strings.ReplaceAll(s, version, hash) }
	return config(p, hashed(text), hashed(global), hashed(undo.String())), nil
}

// version stands for the hash until the text is known; no name has it.
const version = "\x00"

type writer struct {
	p             firewall.Plan
	name          string
	groups, lists strings.Builder
	undo          strings.Builder   // removes the groups
	known         map[string]string // members to the group's name
}

func (w *writer) list(name string, rows []device.Row) {
	w.lists.WriteString("!\n")
	entry := func(format string, args ...any) {
		fmt.Fprintf(&w.lists, "access-list "+name+" "+format+"\n", args...)
	}
	entry("remark Errors and path MTU discovery (RFC 1122, RFC 1191, RFC 4890)")
	for _, t := range []string{"echo", "unreachable", "time-exceeded", "parameter-problem"} {
		entry("extended permit icmp any4 any4 %s", t)
	}
	for _, t := range []string{"unreachable", "packet-too-big", "time-exceeded", "parameter-problem", "echo", "echo-reply"} {
		entry("extended permit icmp6 any6 any6 %s", t)
	}
	entry("remark Your own entries for other hosts: here")
	last := ""
	for _, r := range rows {
		if why := device.Remark(r, 100); why != last && why != "" {
			entry("remark %s", why)
			last = why
		}
		for _, m := range w.entries(r) {
			entry("extended %s", m)
		}
	}
	entry("remark Everything else is dropped")
	entry("extended deny ip any any")
}

func (w *writer) entries(r device.Row) []string {
	action := "permit"
	if r.Deny {
		action = "deny"
	}
	from, to := w.addresses(r.Family, r.Sources), w.addresses(r.Family, r.Targets)
	if len(r.Transports) == 0 {
		return []string{action + " ip " + from + " " + to}
	}
	var out []string
	for _, t := range r.Transports {
		line := action + " " + string(t) + " " + from + " " + to
		if t != policy.ESP {
			line += " " + w.ports(t, r.Ports)
		}
		out = append(out, line)
	}
	return out
}

func (w *writer) addresses(f firewall.Family, prefixes []netip.Prefix) string {
	switch len(prefixes) {
	case 0:
		if f == firewall.IPv4 {
			return "any4"
		}
		return "any6"
	case 1:
		return address(prefixes[0])
	}
	members := make([]string, len(prefixes))
	for i, p := range prefixes {
		members[i] = " network-object " + address(p)
	}
	return "object-group " + w.group("net", "network", "", members)
}

func (w *writer) ports(t exposure.Transport, ranges []firewall.PortRange) string {
	members := make([]string, len(ranges))
	for i, r := range ranges {
		members[i] = fmt.Sprintf("eq %d", r.First)
		if r.First != r.Last {
			members[i] = fmt.Sprintf("range %d %d", r.First, r.Last)
		}
	}
	if len(members) == 1 {
		return members[0]
	}
	for i := range members {
		members[i] = " port-object " + members[i]
	}
	return "object-group " + w.group(string(t), "service", " "+string(t), members)
}

func (w *writer) group(hint, kind, suffix string, members []string) string {
	key := kind + suffix + strings.Join(members, "\n")
	if w.known[key] == "" {
		w.known[key] = fmt.Sprintf("%s-%s-%d", w.name, hint, len(w.known)+1) + version
		fmt.Fprintf(&w.undo, "no object-group %s %s\n", kind, w.known[key])
		fmt.Fprintf(&w.groups, "!\nobject-group %s %s%s\n%s\n", kind, w.known[key], suffix, strings.Join(members, "\n"))
	}
	return w.known[key]
}

func address(p netip.Prefix) string {
	switch {
	case p.IsSingleIP():
		return "host " + p.Addr().String()
	case p.Addr().Is4():
		return p.Addr().String() + " " + mask(p.Bits())
	}
	return p.String()
}

func mask(bits int) string {
	m := ^uint32(0) << (32 - bits)
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

func config(p firewall.Plan, text, list, undo string) firewall.Config {
	file := device.Label(p.Asset, 40) + ".asa"
	return firewall.Config{
		Format: "asa",
		Files:  []firewall.File{{Name: file, Text: text}},
		Check: []firewall.Step{
			{Text: "See what is bound now, and write it down: it is the way back.", Command: "show running-config access-group\nshow running-config all sysopt"},
			{Text: "See that the names of the interfaces are those of the policy.", Command: "show nameif"},
		},
		Apply: []firewall.Step{
			{Text: "Save the configuration in force, and let the device restart with it in five minutes, in case you shut yourself out.", Command: "write memory\nreload in 5 noconfirm"},
			{Text: "Load the commands; ASA takes each as it comes and binds the lists at the end.", Command: "copy tftp://192.0.2.10/" + file + " running-config"},
			{Text: "Log in anew from where you administer. When that works, cancel the restart and save.", Command: "reload cancel\nwrite memory"},
		},
		Rollback: []firewall.Step{{Text: "Unbind and remove the lists, then bind those that you wrote down; or wait for the restart.", Command: undo}},
		Verify: append(device.Verify(p), firewall.Step{
			Text: "See the counters of the entries, and ask the device what it does with a packet.", Command: "show access-list " + list + "\npacket-tracer input INTERFACE udp 198.51.100.1 40000 " + p.Addresses[0].String() + " 53",
		}),
		Notes: append([]string{
			"Each interface and the device as a whole have one list for incoming packets: the lists take the place of those bound before. Put your own entries for other hosts where the remark says so, before you load the file.",
			"Tunnels that end here obeyed no list before (sysopt connection permit-vpn); with this they do, all of them.",
			"Where packets of a tunnel come in on the interface that the tunnel ends at, name that interface in the policy for the zone.",
			"What is for the device itself (ssh, http, ICMP, IKE) is ruled by its own commands or a list bound with \"control-plane\"; nothing here touches it.",
			"Answers to echo requests from inside come back over IPv4 only where ICMP is inspected: \"inspect icmp\" in the policy map, which \"fixup protocol icmp\" adds.",
			"Addresses in the lists are those of the host itself, before any translation (ASA 8.3 and later).",
		}, device.Cautions(p)...),
	}
}
