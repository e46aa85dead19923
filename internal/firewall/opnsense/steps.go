package opnsense

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
)

// config adds what to do with the text.
func (w *writer) config(text string) firewall.Config {
	file := device.Label(w.p.Asset, 40) + "." + w.product.name + ".xml"
	c := firewall.Config{
		Format: w.product.name,
		Files:  []firewall.File{{Name: file, Text: text}},
		Check: []firewall.Step{
			{Text: "See that the piece is well-formed XML.", Command: "xmllint --noout " + file},
			{Text: "After the import, let pf parse the whole without loading it, on the device.", Command: "pfctl -nf /tmp/rules.debug"},
		},
		Apply:    w.apply(file),
		Rollback: w.rollback(),
		Verify:   append(device.Verify(w.p), firewall.Step{Text: "Look at the loaded rules, on the device.", Command: "pfctl -vsr"}),
		Notes:    w.notes(),
	}
	return c
}

func (w *writer) apply(file string) []firewall.Step {
	steps := []firewall.Step{
		{Text: "Download the whole configuration (OPNsense: System, Configuration, Backups; pfSense: Diagnostics, Backup & Restore) and keep a copy."},
		{Text: "In a copy of it, put the aliases, the rules and the redirections of " + file + " at the beginning of the elements of the same name, so that they come first."},
		{Text: "On the console or in another SSH session, start a guard that restores the old configuration in five minutes, in case you shut yourself out.", Command: guard(w.product)},
		{Text: "Restore the changed copy on the same page."},
		{Text: "Log in anew from where you administer. When that works, stop the guard.", Command: "kill \"$(cat /tmp/rs.guard)\""},
	}
	return steps
}

func guard(system product) string {
	reload := "configctl filter reload"
	if system.name == "pfsense" {
		reload = "rm -f /tmp/config.cache; /etc/rc.filter_configure_sync"
	}
	return "cp /conf/config.xml /conf/config.before.xml; nohup sh -c 'sleep 300; cp /conf/config.before.xml /conf/config.xml; " + reload + "' >/dev/null 2>&1 & echo $! >/tmp/rs.guard"
}

func (w *writer) rollback() []firewall.Step {
	where := "Diagnostics, Backup & Restore, Config History"
	if w.product.name == "opnsense" {
		where = "System, Configuration, History"
	}
	return []firewall.Step{{Text: "Revert to the configuration before, under " + where + "; or delete the rules and aliases whose names begin with " + w.name + "."}}
}

func (w *writer) notes() []string {
	var pairs []string
	for from, to := range w.ports {
		pairs = append(pairs, from+" is "+to)
	}
	slices.Sort(pairs)
	out := []string{"The rules are floating: other floating rules that are quick and stand above them come first."}
	if len(pairs) > 0 {
		out = append(out, "Interfaces are named as "+w.product.title+" assigns them: "+strings.Join(pairs, ", ")+". Compare with Interfaces, Assignments: a rule of an interface that does not exist may hold for none or for all. A group, such as that of WireGuard, stands for all tunnels of its kind.")
	}
	if w.p.Place == firewall.OnAsset {
		out = append(out, "The anti-lockout rule is turned off, because the plan does not allow what it opens; nothing is forwarded.")
	} else {
		out = append(out, "Rules of the other tabs come after and can let more through for other hosts than the plan does: delete \"Default allow LAN to any rule\" there, and keep what lets the zones inside use the device itself. The anti-lockout rule stays.")
	}
	if len(device.Redirections(w.p)) > 0 {
		out = append(out, "Redirection sets the mode of outbound NAT to hybrid: with \"manual\" keep manual and take the rules alone.")
	}
	return append(out, device.Cautions(w.p)...)
}
