package fortios

import (
	"fmt"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
)

// config adds what to do with the text.
func config(w *writer, text string) firewall.Config {
	p := w.p
	return firewall.Config{
		Format: "fortios",
		Files:  []firewall.File{{Name: device.Label(p.Asset, 40) + ".fortios", Text: text}},
		Check: []firewall.Step{
			{Text: "See which policies exist, and that the interfaces are those of the policy file.", Command: "show firewall policy\nshow system interface"},
		},
		Apply: []firewall.Step{
			{Text: "Let the device go back by itself, by a restart, when your session is idle for five minutes before you save.", Command: "config system global\n    set cfg-save revert\n    set cfg-revert-timeout 300\nend"},
			{Text: "Paste the commands."},
			{Text: "Move the policies to the front, in their order; put the number of the policy that is first now in the place of FIRST.", Command: w.moves()},
			{Text: "Log in anew from where you administer. When that works, save, and turn saving by itself on again.", Command: "execute cfg save\nconfig system global\n    set cfg-save automatic\nend"},
		},
		Rollback: []firewall.Step{
			{Text: "Delete the policies and objects; do so as well before loading a changed plan.", Command: w.undo()},
		},
		Verify: append(device.Verify(p), firewall.Step{
			Text:    "Ask the device what it does with a packet that comes in on an interface.",
			Command: "diagnose firewall iprope lookup 198.51.100.1 40000 " + p.Addresses[0].String() + " 53 udp INTERFACE",
		}),
		Notes: append([]string{
			"Until the policies are moved to the front, older ones decide first.",
			fmt.Sprintf("The policies have the numbers %d to %d: see that no others have.", w.first, w.first+w.count-1),
			"An interface that belongs to a zone of the device cannot stand in a policy: then give the zone's name as the interface in the policy file.",
			"What these policies say nothing of is ruled by those after them; without one it is dropped.",
			"Policies from private addresses to the outside translate them (nat enable), as those did that they come before. With central NAT leave these lines out; where a pool or no translation is wanted, change them.",
			"What is for the device itself is ruled by allowaccess of its interfaces and by local-in-policy; nothing here touches it.",
			"A virtual IP for the asset needs a policy that names it: these name the asset's own addresses.",
		}, device.Cautions(p)...),
	}
}

func (w *writer) moves() string {
	var b strings.Builder
	b.WriteString("config firewall policy\n")
	for i := range w.count {
		fmt.Fprintf(&b, "    move %d before FIRST\n", w.first+i)
	}
	b.WriteString("end")
	return b.String()
}

func (w *writer) undo() string {
	var b strings.Builder
	b.WriteString("config firewall policy\n")
	for i := range w.count {
		fmt.Fprintf(&b, "    delete %d\n", w.first+i)
	}
	b.WriteString("end\n")
	for _, part := range []struct {
		block string
		names []string
	}{{"firewall address", w.fours}, {"firewall address6", w.sixes}, {"firewall service custom", w.names}} {
		var lines strings.Builder
		for _, n := range part.names {
			fmt.Fprintf(&lines, "    delete \"%s\"\n", n)
		}
		b.WriteString(block(part.block, lines.String()))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
