// Package firewalld writes plans for firewalld: zones, policies and rich rules
// as the XML files of firewalld.zone(5) and firewalld.policy(5). It reads no
// configuration and runs nothing. Wants firewalld 0.9 or newer (policies).
package firewalld

import (
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/netfilter"
)

// Format is the name of the format in plans' configurations.
const Format = "firewalld"

// Names of what is written; firewalld takes 17 characters.
const (
	closedZone = "rs-closed" // the default zone: for interfaces that nothing names
	inPolicy   = "rs-in"     // what holds for every interface
	dnsPolicy  = "rs-dns"    // whom the host may ask
)

// Render writes the plan as zones, one for interfaces that let in the same,
// and policies. Rate limits a source, redirection of the host's own queries,
// published ports of containers, which firewalld accepts by itself, and
// gateways are *firewall.UnsupportedErrors.
func Render(p firewall.Plan) (firewall.Config, error) {
	p, err := netfilter.Prepare(p)
	if err != nil {
		return firewall.Config{}, err
	}
	if err := unsupported(p); err != nil {
		return firewall.Config{}, err
	}
	zones := zonesOf(p)
	var files []firewall.File
	for _, z := range zones {
		files = append(files, firewall.File{Name: z.name + ".zone.xml", Text: z.text(p)})
	}
	files = append(files,
		firewall.File{Name: closedZone + ".zone.xml", Text: (&zone{name: closedZone}).text(p)},
		firewall.File{Name: inPolicy + ".policy.xml", Text: inText(p)},
	)
	if controlsOwn(p) {
		files = append(files, firewall.File{Name: dnsPolicy + ".policy.xml", Text: dnsText(p)})
	}
	return firewall.Config{
		Format: Format, Files: files,
		Check: checkSteps(), Apply: applySteps(zones, files), Rollback: rollbackSteps(),
		Verify: append([]firewall.Step{{
			Text: "See that every interface is in the zone meant for it.", Command: "firewall-cmd --get-default-zone\nfirewall-cmd --get-active-zones\nfirewall-cmd --get-active-policies",
		}}, device.Verify(p)...),
		Notes: notes(p),
	}, nil
}

func unsupported(p firewall.Plan) error {
	fail := func(feature firewall.Feature, where, hint string) error {
		return &firewall.UnsupportedError{Format: Format, Feature: feature, Where: where, Hint: hint}
	}
	switch {
	case p.Place == firewall.OnGateway:
		return fail(firewall.FeatureGateway, "the plan for "+netfilter.Line(p.Asset, 80), "take nftables on the gateway, or firewalld on the asset itself")
	case p.Docker:
		return fail(firewall.FeatureDocker, "firewalld lets pass all that destination NAT was done to", "take nftables beside firewalld, or iptables with DOCKER-USER")
	case p.Limit != nil && netfilter.ServesDNS(p):
		return fail(firewall.FeatureRateLimit, "rich rules limit all sources together", "leave the limit out and limit in the DNS server, or take nftables")
	case netfilter.Redirects(p, firewall.IPv4) || netfilter.Redirects(p, firewall.IPv6):
		return fail(firewall.FeatureRedirect, "queries of the host itself", "leave the redirection out: other queries are rejected all the same")
	}
	return nil
}

// controlsOwn reports whether the asset's own queries are held back.
func controlsOwn(p firewall.Plan) bool { return p.DNS.Control && !p.DNS.Self }

// folder is where a file belongs below /etc/firewalld, and its name there.
func folder(f firewall.File) string {
	if name, ok := strings.CutSuffix(f.Name, ".zone.xml"); ok {
		return "zones/" + name + ".xml"
	}
	return "policies/" + strings.TrimSuffix(f.Name, ".policy.xml") + ".xml"
}

func install(files []firewall.File, root string) string {
	var b strings.Builder
	for _, f := range files {
		b.WriteString("install -D -m 0640 " + f.Name + " " + root + "/" + folder(f) + "\n")
	}
	return b.String()
}

func checkSteps() []firewall.Step {
	return []firewall.Step{{
		Text:    "Have firewalld read the files in a folder of their own, before they count.",
		Command: "mkdir -p try/zones try/policies && cp /etc/firewalld/firewalld.conf try/\nfor f in *.zone.xml; do cp \"$f\" \"try/zones/${f%.zone.xml}.xml\"; done\nfor f in *.policy.xml; do cp \"$f\" \"try/policies/${f%.policy.xml}.xml\"; done\nfirewall-offline-cmd --system-config try --check-config",
	}}
}

// putBack restores what the first step saved, in the folder that it stands in.
const putBack = "rm -rf /etc/firewalld && cp -a firewalld.before /etc/firewalld\n" +
	"if grep -qx active firewalld.was; then firewall-cmd --reload; else systemctl stop firewalld; fi"

func applySteps(zones []*zone, files []firewall.File) []firewall.Step {
	var bind strings.Builder
	for _, z := range zones {
		for _, name := range z.interfaces {
			bind.WriteString("firewall-cmd --permanent --zone=" + z.name + " --change-interface=" + pattern(name) + "\n")
		}
	}
	return []firewall.Step{
		{Text: "Save what is there now, and whether firewalld runs.", Command: "cp -a /etc/firewalld firewalld.before\nsystemctl is-active firewalld > firewalld.was || :"},
		{
			Text:    "Have it taken back by itself in five minutes, in case the session dies.",
			Command: "systemd-run --on-active=5m --unit=firewalld-rollback sh -c 'cd \"$0\" || exit\n" + putBack + "' \"$PWD\"",
		},
		{
			Text: "Put the files in place of older ones, and load them.",
			Command: "rm -f /etc/firewalld/zones/rs-*.xml /etc/firewalld/policies/rs-*.xml\n" + install(files, "/etc/firewalld") +
				"firewall-offline-cmd --check-config && systemctl start firewalld && firewall-cmd --reload && firewall-cmd --set-default-zone=" + closedZone,
		},
		{
			Text:    "Have NetworkManager know the zones as well, where it runs; it would put its interfaces into the default zone.",
			Command: bind.String() + "firewall-cmd --reload",
		},
		{
			Text:    "Open a new session, verify, and only then keep it.",
			Command: "systemctl stop firewalld-rollback.timer && systemctl enable firewalld",
		},
	}
}

func rollbackSteps() []firewall.Step {
	return []firewall.Step{{
		Text:    "Put back what was there and load it.",
		Command: putBack,
	}}
}

func notes(p firewall.Plan) []string {
	return append([]string{
		"Zones that bind sources, or interfaces that are not named here (libvirt, docker), keep their own rules and come before: see firewall-cmd --get-active-zones. Direct rules come before everything.",
		"firewalld knows no types for multicast listeners, nor hop limits: ICMPv6 from link-local sources is accepted as a whole, neighbour discovery also from others (the kernel itself refuses it unless the hop limit is 255).",
		"Packets that belong to conversations of the old rules keep passing after a reload until they end.",
	}, netfilter.Notes(p)...)
}
