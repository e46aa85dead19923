package aws

import (
	"fmt"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// Permission is one rule of a security group: a protocol with its ports or its
// ICMP type, and one source.
type Permission struct {
	Protocol string // as the API has it: "tcp", "6", "-1" for all
	// From and To are ports, or for ICMP a type and a code, each -1 for any;
	// nil when not given.
	From, To *int64
	Source   Source
	Doubts   []string // what is not known about it; each makes it undecided
	Label    string   // what the file calls the rule; may be empty
	Pos      firewall.Position
}

// Source is where packets come from.
type Source struct {
	Kind SourceKind
	Name string // the prefix, or an identifier
}

// SourceKind is the type of a source.
type SourceKind uint8

// Kinds of sources. Nowhere is that of a rule whose source was not understood.
const (
	Nowhere SourceKind = iota
	Addresses
	PrefixList
	Members // of a security group
)

// Rule translates the permission. What cannot be known becomes an undecidable
// match beside what can.
func (p Permission) Rule() firewall.Rule {
	layer4, text, doubts := protocolMatches(p.Protocol, p.From, p.To)
	source, doubt := p.Source.matches()
	if doubt != "" {
		doubts = append(doubts, doubt)
	}
	label := ""
	if p.Label != "" {
		label = p.Label + ": "
	}
	return firewall.Rule{
		Matches: cloud.Join(layer4, source, cloud.Undecidables(append(doubts, p.Doubts...))),
		Action:  firewall.Action{Kind: firewall.Accept},
		Pos:     p.Pos,
		Text:    cloud.OneLine(fmt.Sprintf("%singress %s from %s", label, text, p.Source), 300),
	}
}

// String is the source for people.
func (s Source) String() string {
	switch s.Kind {
	case PrefixList:
		return "prefix list " + s.Name
	case Members:
		return "members of " + s.Name
	case Addresses:
		return s.Name
	case Nowhere:
	}
	return "an unknown source"
}

func (s Source) matches() (m []firewall.Match, doubt string) {
	switch s.Kind {
	case Addresses:
		span, err := cloud.Range(s.Name)
		if err != nil {
			return nil, "source " + err.Error()
		}
		return []firewall.Match{cloud.Addrs(firewall.Src, firewall.NewSet(span))}, ""
	case PrefixList:
		return nil, fmt.Sprintf("which prefixes are in prefix list %s is not in this file", s.Name)
	case Members:
		return nil, fmt.Sprintf("which addresses the members of security group %s have is not in this file", s.Name)
	case Nowhere:
	}
	return nil, "the source of the rule is not known"
}

// protocolMatches gives the matches of a protocol with its ports or ICMP type,
// the text for people, and what is not known.
func protocolMatches(name string, from, to *int64) (m []firewall.Match, text string, doubts []string) {
	if name == "-1" || strings.EqualFold(name, "all") {
		return nil, "all", nil
	}
	n, ok := cloud.ProtocolNumber(name)
	if !ok {
		return nil, name, []string{fmt.Sprintf("protocol %q: expected a name such as tcp, a number or -1", cloud.OneLine(name, 40))}
	}
	m, text = []firewall.Match{cloud.Protocol(n)}, strings.ToLower(name)
	var more []firewall.Match
	var err error
	switch n {
	case cloud.TCP, cloud.UDP:
		more, err = portMatches(from, to)
	case cloud.ICMP, cloud.ICMPv6:
		more, err = icmpMatches(n, from, to)
	default:
		// The cloud allows every port of other protocols whatever range is
		// given (API reference, IpPermission).
		return m, text, nil
	}
	if err != nil {
		return m, text, []string{text + ": " + err.Error()}
	}
	return append(m, more...), text + rangeText(from, to), nil
}

func portMatches(from, to *int64) ([]firewall.Match, error) {
	if from == nil || to == nil {
		return nil, fmt.Errorf("expected a first and a last port")
	}
	m, err := cloud.Ports(firewall.DstPort, *from, *to)
	return []firewall.Match{m}, err
}

// icmpMatches takes ICMPv6 without type and code as all of it; of ICMP both are
// required (API reference, IpPermission).
func icmpMatches(n firewall.Number, from, to *int64) ([]firewall.Match, error) {
	if from == nil && to == nil && n == cloud.ICMPv6 {
		return nil, nil
	}
	if from == nil || to == nil {
		return nil, fmt.Errorf("expected a type and a code")
	}
	return cloud.ICMPTypeCode(*from, *to)
}

func rangeText(from, to *int64) string {
	switch {
	case from == nil || to == nil:
		return ""
	case *from == *to:
		return fmt.Sprintf(" %d", *from)
	}
	return fmt.Sprintf(" %d-%d", *from, *to)
}
