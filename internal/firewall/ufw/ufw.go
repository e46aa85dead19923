// Package ufw writes plans for the Uncomplicated Firewall: a script of its
// commands, and the two files that it loads before the rules those make. It
// reads no rules and runs nothing. Wants ufw 0.35 or newer (comments).
package ufw

import (
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/netfilter"
	"reconshield/internal/policy"
)

// Format is the name of the format in plans' configurations.
const Format = "ufw"

// Render writes the plan as a script and the files before.rules and
// before6.rules. The files replace those of the package because they accept by
// source port (DHCP), which a plan never does. ufw is a host's firewall: a plan
// for a gateway is a *firewall.UnsupportedError.
func Render(p firewall.Plan) (firewall.Config, error) {
	p, err := netfilter.Prepare(p)
	if err != nil {
		return firewall.Config{}, err
	}
	if p.Place == firewall.OnGateway {
		return firewall.Config{}, &firewall.UnsupportedError{
			Format: Format, Feature: firewall.FeatureGateway, Where: "the plan for " + netfilter.Line(p.Asset, 80),
			Hint: "take nftables or iptables on the gateway, or ufw on the asset itself",
		}
	}
	script := netfilter.FileName(p.Asset, "-ufw.sh")
	return firewall.Config{
		Format: Format,
		Files: []firewall.File{
			{Name: script, Text: renderScript(p, script)},
			{Name: "before.rules", Text: beforeRules(p, firewall.IPv4)},
			{Name: "before6.rules", Text: beforeRules(p, firewall.IPv6)},
		},
		Check: []firewall.Step{
			{Text: "Have ufw read the commands without carrying them out.", Command: "UFW='ufw --dry-run' sh " + script},
			{
				Text:    "Have the tools read the files without loading them.",
				Command: "iptables-restore --test --noflush before.rules\nip6tables-restore --test --noflush before6.rules",
			},
		},
		Apply:    applySteps(script),
		Rollback: rollbackSteps(),
		Verify: append([]firewall.Step{{
			Text: "See that both families are active.", Command: "ufw status verbose",
		}}, device.Verify(p)...),
		Notes: notes(p),
	}, nil
}

// putBack restores what was saved, in the folder where it is. ufw stops only
// what its files say is enabled, so that comes first.
const putBack = "grep -q ^ENABLED=yes ufw.before/ufw.conf || ufw disable\n" +
	"cp -a ufw.before/. /etc/ufw/\ncp -a ufw.default.before /etc/default/ufw\nufw reload"

func applySteps(script string) []firewall.Step {
	return []firewall.Step{
		{Text: "Save what is there now.", Command: "cp -a /etc/ufw ufw.before && cp -a /etc/default/ufw ufw.default.before"},
		{
			Text:    "Have it taken back by itself in five minutes, in case the session dies.",
			Command: "systemd-run --on-active=5m --unit=ufw-rollback sh -c 'cd \"$0\" || exit\n" + putBack + "' \"$PWD\"",
		},
		{
			Text: "Put the files in place and run the script.",
			Command: "install -m 0640 before.rules /etc/ufw/before.rules\ninstall -m 0640 before6.rules /etc/ufw/before6.rules\n" +
				"sh " + script,
		},
		{
			Text:    "Open a new session, verify, and only then keep it.",
			Command: "systemctl stop ufw-rollback.timer && systemctl enable ufw",
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
	out := []string{
		"The package's before.rules accept DHCP answers by source port and multicast for mDNS and UPnP; the files here do not. A client that renews its lease from another server than it has, or by broadcast without a raw socket, needs that rule back.",
		"The script deletes every rule there is before it adds its own, one by one, with incoming traffic denied meanwhile: established conversations go on, new ones wait for a moment.",
	}
	if p.Docker {
		out = append(out, "ufw's own rules never see published ports of containers: Docker sends those past them. The chain DOCKER-USER in the files judges them, by the address and port before destination NAT.")
	}
	if p.Limit != nil && netfilter.ServesDNS(p) {
		out = append(out, "A table of the limit that is full (262144 sources within 10 s) drops whoever is new: a flood from very many forged sources then shuts DNS.")
	}
	return append(out, netfilter.Notes(p)...)
}

// script is the text in the making.
type script struct {
	strings.Builder
	plan firewall.Plan
}

func renderScript(p firewall.Plan, name string) string {
	s := &script{plan: p}
	s.put("#!/bin/sh")
	for _, line := range netfilter.Head(p) {
		s.put("# %s", line)
	}
	s.put("# Read without changes: UFW='ufw --dry-run' sh %s", name)
	s.put("set -eu")
	s.put("ufw=${UFW:-ufw}")
	s.put("")
	s.put("# Rules for IPv6 exist only where ufw is told to make them.")
	s.put("[ \"$ufw\" != ufw ] || sed -i 's/^IPV6=.*/IPV6=yes/' /etc/default/ufw")
	s.put("# Changing a default stops an active firewall for a moment: only what differs is changed.")
	s.put("as_is() { [ \"$ufw\" = ufw ] && grep -qs \"^DEFAULT_$1_POLICY=\\\"$2\\\"\" /etc/default/ufw; }")
	s.put("as_is INPUT DROP || $ufw default deny incoming\nas_is FORWARD DROP || $ufw default deny routed\nas_is OUTPUT ACCEPT || $ufw default allow outgoing")
	s.put("# Older rules go, so that only those below are left.")
	s.put("while [ \"$ufw\" = ufw ] && ufw --force delete 1 > /dev/null 2>&1; do :; done")
	for _, a := range p.Allows {
		s.allow(a)
	}
	s.dns()
	s.put("")
	s.put("# Even a dry run of enable would have ufw start with the host.")
	s.put("if [ \"$ufw\" != ufw ]; then\n\texit\nelif grep -qs ^ENABLED=yes /etc/ufw/ufw.conf; then\n\tufw reload\nelse\n\tufw --force enable\nfi")
	return s.String()
}

func (s *script) put(format string, args ...any) { s.WriteString(fmt.Sprintf(format, args...) + "\n") }

// allow writes the commands of one Allow: ufw takes one interface, one source
// and one target a rule.
func (s *script) allow(a firewall.Allow) {
	s.put("")
	s.put("# %s", netfilter.Why(a, 1000))
	interfaces := []string{""}
	if len(a.Interfaces) > 0 {
		interfaces = nil
	}
	for _, name := range a.Interfaces {
		if name == "*" {
			interfaces = []string{""}
			break
		}
		if prefix, pattern := strings.CutSuffix(name, "*"); pattern {
			name = prefix + "+"
		}
		interfaces = append(interfaces, "in on "+name+" ")
	}
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		sources, none := netfilter.Sources(a, f)
		if none {
			continue
		}
		words := []string{"any"}
		if len(sources) > 0 {
			words = nil
		}
		for _, source := range sources {
			words = append(words, source.String())
		}
		for _, target := range netfilter.Addresses(s.plan, f) {
			for _, in := range interfaces {
				for _, source := range words {
					s.rules(a, in, source, target)
				}
			}
		}
	}
}

func (s *script) rules(a firewall.Allow, in, source string, target netip.Addr) {
	comment := strings.Map(plain, netfilter.Why(a, 200))
	if a.Transport == policy.ESP {
		s.put("$ufw allow %sproto esp from %s to %s comment '%s'", in, source, target, comment)
		return
	}
	for _, group := range netfilter.PortGroups(a.Ports) {
		s.put("$ufw allow %sproto %s from %s to %s port %s comment '%s'", in, a.Transport, source, target, netfilter.Colons(group), comment)
	}
}

// plain leaves out of comments what ufw refuses, quotes, and what it cannot
// read in every locale.
func plain(r rune) rune {
	if r == '\'' || r >= 0x80 {
		return ' '
	}
	return r
}

// dns holds back the asset's own queries. Loopback and replies are accepted in
// before.rules.
func (s *script) dns() {
	if !s.plan.DNS.Control || s.plan.DNS.Self {
		return
	}
	s.put("")
	s.put("# Only approved resolvers ask servers outside; everybody else asks them.")
	for _, transport := range []string{"udp", "tcp"} {
		for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
			for _, r := range netfilter.Resolvers(s.plan, f) {
				s.put("$ufw allow out proto %s to %s port 53,853 comment 'approved resolver'", transport, r)
			}
			for _, n := range s.plan.DNS.PeersOf(f) {
				s.put("$ufw allow out proto %s to %s port 53,853 comment 'notifications and transfers'", transport, n)
			}
		}
		s.put("$ufw reject out proto %s to any port 53,853 comment 'DNS past the approved resolvers'", transport)
	}
}
