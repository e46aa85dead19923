package iptables

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// ornate reports a module whose match needs what ordinary packets do not have:
// extension headers of IPv6, options of IPv4. A "!" before its options still
// needs the header itself, save for ipv4options.
func (m *activeModule) ornate() bool {
	switch m.name {
	case "rt", "hbh", "dst", "frag", "srh", "mh":
		return true
	case "ipv4options":
		return !strings.Contains(string(m.words), "not ")
	}
	return false
}

// ornament notes that the match added last is of what ordinary packets do not
// have.
func (p *ruleParser) ornament() { p.ornaments = append(p.ornaments, len(p.extra)-1) }

// plain decides matches that only packets fulfil which their sender made so: a
// rule that drops those keeps nobody out who sends ordinary ones. Where a rule
// does anything else with them, it stays undecided.
func (p *ruleParser) plain() {
	if p.action.Kind != firewall.Drop && p.action.Kind != firewall.Reject {
		return
	}
	for i := range p.extra {
		if slices.Contains(p.ornaments, i) {
			p.extra[i] = never()
		}
	}
}
