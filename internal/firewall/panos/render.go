package panos

import (
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// Render writes a plan as set commands. Security rules are read from the top
// and the first that matches decides; what none matches is dropped between
// zones, but let through within one, which is why the plan's own denies stand
// in the list. New rules go to the bottom, so the commands move them to the
// top. Rules match the zone that a packet comes from and leave the one it goes
// to open: the asset's address says that better.
//
// Rules match ports, not applications, but for ESP, which has none: the plan
// speaks of ports. "any" is any address of both families.
//
// The error is a *firewall.UnsupportedError or says that the plan has no
// addresses.
func Render(p firewall.Plan) (firewall.Config, error) {
	can := device.Abilities{Format: "PAN-OS", Gateway: true, InterfaceWas: "an interface's name as ethernet1/1", Interface: func(n string) bool { return device.Word(n, 60) }}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	if err := device.ByZone(p, can.Format, "letters, digits and . _ - of at most 31 bytes", zoneName); err != nil {
		return firewall.Config{}, err
	}
	w := &writer{p: p, name: "rs-" + device.Tag(p.Asset, 20), known: map[string]string{}, seen: map[string]bool{}}
	w.rule(device.Row{Why: "echo must pass (RFC 1122, RFC 4890)"}, "[ ping ping6 ]", "any")
	for _, r := range device.Forward(p) {
		w.row(r)
	}
	text := device.Commented("# ", device.Header(p)...) + w.objects.String() + w.rules.String() + w.moves()
	return config(p, w, text), nil
}

func zoneName(name string) bool {
	return device.Word(name, 31) && !strings.ContainsAny(name, "/:") && name != "any"
}

type writer struct {
	p              firewall.Plan
	name           string
	objects, rules strings.Builder
	known          map[string]string // what an object holds to its name
	addresses      []string          // the names of objects, in order
	services       []string
	names          []string        // of rules, in order
	seen           map[string]bool // rules that hold for both families are written once
}

func (w *writer) row(r device.Row) {
	var services []string
	for _, t := range r.Transports {
		if t == policy.ESP {
			w.rule(r, "ipsec-esp", "any")
			return
		}
		services = append(services, w.service(t, r.Ports))
	}
	if len(services) == 0 {
		services = []string{"any"}
	}
	w.rule(r, "any", list(services))
}

func (w *writer) rule(r device.Row, application, service string) {
	from, action := "any", "allow"
	if r.Zone != "" && len(r.Interfaces) > 0 {
		from = list([]string{r.Zone})
	}
	if r.Deny {
		action = "drop"
	}
	body := fmt.Sprintf("from %s to any source %s destination %s application %s service %s action %s",
		from, w.prefixes(r.Sources), w.prefixes(r.Targets), application, service, action)
	if w.seen[body] {
		return
	}
	w.seen[body] = true
	name := fmt.Sprintf("%s-%03d", w.name, len(w.names)+1)
	w.names = append(w.names, name)
	fmt.Fprintf(&w.rules, "set rulebase security rules %s %s\n", name, body)
	if why := device.Remark(r, 200); why != "" {
		fmt.Fprintf(&w.rules, "set rulebase security rules %s description \"%s\"\n", name, why)
	}
}

// moves brings the rules to the top in their order.
func (w *writer) moves() string {
	var b strings.Builder
	for i, n := range w.names {
		if i == 0 {
			fmt.Fprintf(&b, "move rulebase security rules %s top\n", n)
			continue
		}
		fmt.Fprintf(&b, "move rulebase security rules %s after %s\n", n, w.names[i-1])
	}
	return b.String()
}

func (w *writer) prefixes(prefixes []netip.Prefix) string {
	if len(prefixes) == 0 {
		return "any"
	}
	names := make([]string, len(prefixes))
	for i, p := range prefixes {
		key := p.String()
		if w.known[key] == "" {
			w.known[key] = fmt.Sprintf("%s-net-%d", w.name, len(w.addresses)+1)
			w.addresses = append(w.addresses, w.known[key])
			fmt.Fprintf(&w.objects, "set address %s ip-netmask %s\n", w.known[key], p)
		}
		names[i] = w.known[key]
	}
	return list(names)
}

func (w *writer) service(t exposure.Transport, ranges []firewall.PortRange) string {
	words := make([]string, len(ranges))
	for i, r := range ranges {
		words[i] = r.String()
	}
	ports := strings.Join(words, ",")
	key := string(t) + " " + ports
	if w.known[key] == "" {
		w.known[key] = fmt.Sprintf("%s-%s-%d", w.name, t, len(w.services)+1)
		w.services = append(w.services, w.known[key])
		fmt.Fprintf(&w.objects, "set service %s protocol %s port %s\n", w.known[key], t, ports)
	}
	return w.known[key]
}

func list(words []string) string {
	if len(words) == 1 && words[0] == "any" {
		return "any"
	}
	return "[ " + strings.Join(words, " ") + " ]"
}

func config(p firewall.Plan, w *writer, text string) firewall.Config {
	file := device.Label(p.Asset, 40) + ".panos.set"
	var undo strings.Builder
	undo.WriteString("configure\n")
	for _, n := range w.names {
		undo.WriteString("delete rulebase security rules " + n + "\n")
	}
	for _, n := range w.addresses {
		undo.WriteString("delete address " + n + "\n")
	}
	for _, n := range w.services {
		undo.WriteString("delete service " + n + "\n")
	}
	undo.WriteString("commit")
	return firewall.Config{
		Format: "panos",
		Files:  []firewall.File{{Name: file, Text: text}},
		Check: []firewall.Step{
			{Text: "Save the configuration in force under a name.", Command: "configure\nsave config to before-" + w.name + ".xml"},
			{Text: "Paste the commands in configure mode (set cli scripting-mode on, for long pastes), see what changes, and let the device check it.", Command: "show | match " + w.name + "\nvalidate full"},
		},
		Apply: []firewall.Step{
			{Text: "Keep a session on the management port open, which these rules do not judge, and commit.", Command: "commit description " + w.name},
			{Text: "Log in anew from where you administer; go back by the next step when that fails. PAN-OS does not go back by itself."},
		},
		Rollback: []firewall.Step{
			{Text: "Load what was saved.", Command: "configure\nload config from before-" + w.name + ".xml\ncommit"},
			{Text: "Or, when other changes were made since, delete the rules and objects; do so as well before loading a changed plan.", Command: undo.String()},
		},
		Verify: append(device.Verify(p), firewall.Step{
			Text:    "Ask the device what it does with a packet.",
			Command: "test security-policy-match source 198.51.100.1 destination " + p.Addresses[0].String() + " protocol 17 destination-port 53",
		}),
		Notes: append([]string{
			"Zones of the policy file must be zones of the device with the same interfaces: " + zones(p) + ".",
			"Leave the lines that begin with # out when you paste: the command line takes no comments.",
			"Where Panorama manages the device, its pre-rules come first: load the commands there, with \"device-group NAME pre-rulebase\" in the place of \"rulebase\".",
			"What these rules say nothing of is ruled by those below; without one it is dropped between zones, and within a zone the default lets it through (intrazone-default). Services on the device's own addresses inside (DNS proxy, VPN portals) need rules above these.",
			"IPv6 is filtered only when it is on: Device, Setup, Session, IPv6 Firewalling.",
			"Errors by ICMP pass when they belong to a session: PAN-OS does not match them with rules.",
			"What is for the device itself is ruled by interface management profiles; nothing here touches it.",
		}, device.Cautions(p)...),
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
