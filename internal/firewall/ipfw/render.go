package ipfw

import (
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// The sets of rules: ours, the one it is built in, and the one that ordinary
// rules are in.
const (
	ours     = 21
	building = 22
	ordinary = 0
)

// Render writes a plan as a script. The error is a *firewall.UnsupportedError
// or says that the plan has no addresses.
func Render(p firewall.Plan) (firewall.Config, error) {
	can := device.Abilities{Format: "ipfw", Host: true, Gateway: true}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	w := &writer{number: 1000, seen: map[string]bool{}}
	w.always(p.Place)
	if p.Place == firewall.OnAsset {
		w.comment("What may reach the asset.")
		w.write(device.Inbound(p), "in")
		w.write(device.Outbound(p), "out")
		w.comment("Everything else may leave.")
		w.add("allow ip from any to any out keep-state")
	} else {
		w.comment(fmt.Sprintf("Your own rules for this gateway and for other hosts: here, numbers from %d to %d.", w.number, w.number+990))
		w.number += 1000
		w.comment("Decided where a packet comes in.")
		rows, opened := device.Forward(p), device.Opened(p)
		w.write(rows[:len(rows)-len(opened)], "in")
		if len(opened) > 0 {
			w.comment("The zones inside open nothing on this gateway itself.")
			w.add("deny ip from any to me in")
			w.add("deny ip6 from any to me6 in")
		}
		w.write(opened, "in")
		w.comment("The gateway's own conversations, and what was let in goes on.")
		w.add("allow ip from me to any out keep-state")
		w.add("allow ip from any to any out")
	}
	w.number = 64000
	w.comment("Whatever is left is dropped, also where the kernel's last rule accepts.")
	w.add("deny ip from any to any")
	text := "#!/bin/sh\n" + device.Commented("# ", device.Header(p)...) + start() + w.text.String() + finish()
	return config(p, device.Label(p.Asset, 40)+".ipfw.sh", text), nil
}

func start() string {
	return fmt.Sprintf("set -eu\nfw=\"/sbin/ipfw -q\"\n\n# The rules are built while their set is off.\n$fw set disable %d\n$fw delete set %d 2>/dev/null || true\n", building, building)
}

func finish() string {
	return fmt.Sprintf("\n# Atomic steps: in the place of an earlier version, then on, and the ordinary rules off.\n"+
		"$fw set swap %d %d\n$fw set disable %d enable %d\n$fw delete set %d 2>/dev/null || true\n", building, ours, ordinary, ours, building)
}

func config(p firewall.Plan, file, text string) firewall.Config {
	back := fmt.Sprintf("/sbin/ipfw -q set enable %d disable %d", ordinary, ours)
	c := firewall.Config{
		Format: "ipfw",
		Files:  []firewall.File{{Name: file, Text: text}},
		Check: []firewall.Step{
			{Text: "Check the shell's syntax, then each rule's without loading it.", Command: "sh -n " + file + " && sed -n 's/^$fw add/add/p' " + file + " >/tmp/rules.ipfw && ipfw -n /tmp/rules.ipfw"},
		},
		Apply: []firewall.Step{
			{Text: "Let a guard turn the old rules on again in two minutes, in case you shut yourself out.", Command: "nohup sh -c 'sleep 120; " + back + "' >/dev/null 2>&1 & echo $! >/tmp/ipfw.guard"},
			{Text: "Load the rules.", Command: "sh " + file},
			{Text: "Log in anew from where you administer. When that works, stop the guard and make the rules permanent.", Command: "kill \"$(cat /tmp/ipfw.guard)\" && install -m 700 " + file + " /etc/ipfw.rules && sysrc firewall_enable=YES firewall_script=/etc/ipfw.rules"},
		},
		Rollback: []firewall.Step{{Text: "Turn the old rules on and these off.", Command: back}},
		Verify:   append(device.Verify(p), firewall.Step{Text: "Look at the rules and their counters.", Command: fmt.Sprintf("ipfw -a set %d list", ours)}),
		Notes: []string{
			fmt.Sprintf("Rules of sets other than %d and %d stay in force and may accept more: look at \"ipfw -S list\".", ordinary, ours),
			"net.inet.ip.fw.one_pass and rules of NAT or dummynet in set 0 are off with that set: move those you need to another set.",
		},
	}
	if p.Place == firewall.OnGateway {
		c.Notes = append(c.Notes, "What is for the gateway itself is dropped: add your own rules where the script says so, at least for your administration.")
	}
	c.Notes = append(c.Notes, device.Locked(p, 22)...)
	if p.Place == firewall.OnAsset {
		c.Notes = append(c.Notes, "The rules are for a host: it forwards nothing. "+device.Leases())
	}
	c.Notes = append(c.Notes, device.Cautions(p)...)
	return c
}

type writer struct {
	text   strings.Builder
	number int
	seen   map[string]bool
}

func (w *writer) comment(s string) { w.text.WriteString("\n# " + s + "\n") }

func (w *writer) add(rule string) {
	fmt.Fprintf(&w.text, "$fw add %d set %d %s\n", w.number, building, rule)
	w.number += 10
}

// always writes what passes whatever the plan says. Echo replies are accepted
// because the asset's own questions by ICMP make no state everywhere.
func (w *writer) always(place firewall.Place) {
	w.comment("Programs on this host reach each other.")
	w.add("allow ip from any to any via lo0")
	w.comment("Replies of conversations that a rule below accepted.")
	w.add("check-state")
	w.comment("Later parts of a fragmented packet name no port: they mean nothing without the first, which the rules below judge.")
	w.add("allow ip from any to any frag")
	w.comment("Path MTU discovery, errors and neighbour discovery (RFC 1191, RFC 4890).")
	w.add("allow icmp from any to any icmptypes 3,8,11,12")
	types := "1,2,3,4,128,129,130,131,132,133,134,135,136,143"
	if place == firewall.OnAsset {
		types = "1,2,3,4,128,129,130,131,132,133,134,135,136,141,142,143,148,149,151,152,153"
	}
	w.add("allow ipv6-icmp from any to any icmp6types " + types)
}

func (w *writer) write(rows []device.Row, direction string) {
	last := ""
	for _, r := range rows {
		if why := device.Remark(r, 200); why != last {
			w.text.WriteString("# " + why + "\n")
			last = why
		}
		protocols := []string{plainIP(r.Family)}
		if len(r.Transports) > 0 {
			protocols = transports(r.Transports)
		}
		for _, proto := range protocols {
			// ipfw's "any" is of both families: the second rule would be the first again.
			if one := rule(r, proto, direction); !w.seen[one] {
				w.seen[one] = true
				w.add(one)
			}
		}
	}
}

func rule(r device.Row, proto, direction string) string {
	words := []string{"allow", proto, "from", addresses(r.Sources), "to", addresses(r.Targets)}
	if r.Deny {
		words[0] = "deny"
	}
	if len(r.Ports) > 0 {
		words = append(words, ports(r.Ports))
	}
	words = append(words, direction)
	if len(r.Interfaces) > 0 {
		words = append(words, received(r.Interfaces))
	}
	switch {
	case r.Deny:
	case proto == string(exposure.TCP):
		words = append(words, "setup", "keep-state")
	case proto == string(policy.ESP): // goes back as freely as everything that leaves
	default:
		words = append(words, "keep-state")
	}
	return strings.Join(words, " ")
}

func received(interfaces []string) string {
	if len(interfaces) == 1 {
		return "recv " + interfaces[0]
	}
	return "{ recv " + strings.Join(interfaces, " or recv ") + " }"
}

func addresses(prefixes []netip.Prefix) string {
	if len(prefixes) == 0 {
		return "any"
	}
	words := make([]string, len(prefixes))
	for i, p := range prefixes {
		words[i] = p.String()
		if p.IsSingleIP() {
			words[i] = p.Addr().String()
		}
	}
	return strings.Join(words, ",")
}

func plainIP(f firewall.Family) string {
	if f == firewall.IPv6 {
		return "ip6"
	}
	return "ip4"
}

func transports(t []exposure.Transport) []string {
	out := make([]string, len(t))
	for i, one := range t {
		out[i] = string(one)
	}
	return out
}

func ports(ranges []firewall.PortRange) string {
	words := make([]string, len(ranges))
	for i, r := range ranges {
		words[i] = r.String()
	}
	return strings.Join(words, ",")
}
