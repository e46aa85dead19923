package ios

import (
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
)

// renderConfig adds what to do with the text.
func renderConfig(p firewall.Plan, name, text string) firewall.Config {
	file := device.Label(p.Asset, 40) + ".ios"
	return firewall.Config{
		Format: "ios",
		Files:  []firewall.File{{Name: file, Text: text}},
		Check: []firewall.Step{
			{Text: "See what is bound now, and that the interfaces are those of the policy.", Command: "show ip interface brief\nshow running-config | include ^interface|access-group|traffic-filter"},
		},
		Apply: []firewall.Step{
			{Text: "Save the configuration in force, keep a copy, and let the router restart with it in five minutes, in case you shut yourself out.", Command: "copy running-config startup-config\ncopy running-config flash:before-" + name + "\nreload in 5"},
			{Text: "Load the commands.", Command: "copy tftp://192.0.2.10/" + file + " running-config"},
			{Text: "Bind the lists whose names have \"other\" to every interface that the policy does not name, as the end of the file shows."},
			{Text: "Log in anew from where you administer. When that works, cancel the restart and save.", Command: "reload cancel\ncopy running-config startup-config"},
		},
		Rollback: []firewall.Step{{Text: "Put the copy back; or wait for the restart.", Command: "configure replace flash:before-" + name + " force"}},
		Verify:   append(device.Verify(p), firewall.Step{Text: "See the counters of the entries and the conversations written down.", Command: strings.Join([]string{"show ip access-lists", "show ipv6 access-list"}, "\n")}),
		Notes: append([]string{
			"The lists also judge what is for the router itself: routing protocols, ssh, DHCP, IKE. Add permits for what you need where the remark says so, before you load the file.",
			"A list cannot tell the router's own addresses: hosts inside reach those of them that lie in no network of a zone inside. Guard the router's lines by access-class and its services by control-plane policing.",
			"What the router sends itself is not written down: answers to it need permits as well.",
			"Each conversation takes an entry in memory for 60 seconds of silence over UDP, 3600 over TCP; a flood of forged queries can fill it. On a busy name server prefer a firewall that keeps state in hardware, or rules on the server itself.",
			"Conversations that the asset begins in protocols other than TCP, UDP and ICMP leave, but their answers do not return.",
			"Not every platform has reflexive lists; Catalyst switches do not: then the commands with \"reflect\" are refused, and what they should permit is dropped.",
			"An interface without a list accepts everything: bind the lists named \"other\" wherever none is bound.",
		}, device.Cautions(p)...),
	}
}
