package ruleset

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/policy"
	"reconshield/internal/report"
)

// state is an answer as compared with the policy.
type state string

// States, the worst last.
const (
	closed    state = "closed"    // blocked, and the policy denies it
	nobody    state = "nobody"    // allowed by the policy to a zone that has no such address
	expected  state = "open"      // reachable as the policy wants it
	starved   state = "starved"   // blocked although the policy allows it
	undecided state = "undecided" // the ruleset does not tell
	exposed   state = "exposed"   // reachable against the policy
)

func states() []state { return []state{closed, nobody, expected, starved, undecided, exposed} }

func (s state) rank() int { return slices.Index(states(), s) }

// word is what a reader sees.
func (s state) word() string {
	switch s {
	case nobody:
		return "no source"
	case exposed:
		return "EXPOSED"
	case closed, expected, starved, undecided:
	}
	return string(s)
}

// meaning explains the word to somebody who has a policy, or has none.
func (s state) meaning(hasPolicy bool) string {
	if !hasPolicy {
		switch s {
		case closed:
			return "nothing gets through"
		case exposed:
			return "reachable; without a policy everything counts as denied"
		case nobody, expected, starved, undecided:
		}
	}
	switch s {
	case closed:
		return "nothing gets through, as the policy wants it"
	case nobody:
		return "the policy allows it, and the zone has no address of the family"
	case expected:
		return "reachable, as the policy wants it"
	case starved:
		return "somebody whom the policy allows does not get through"
	case undecided:
		return "it depends on what the ruleset does not tell"
	case exposed:
		return "reachable against the policy"
	}
	return ""
}

// icon is the sign of a state, and its likeness in ASCII.
func (s state) icon() (sign, ascii string) {
	switch s {
	case closed:
		return "✓", "+"
	case nobody:
		return "·", "-"
	case expected:
		return "●", "o"
	case starved:
		return "▽", "v"
	case undecided:
		return "?", "?"
	case exposed:
		return "▲", "!"
	}
	return "", ""
}

func (s state) color(t report.Signs) func(string) string {
	switch s {
	case closed:
		return t.Good
	case nobody:
		return t.Faint
	case expected:
		return t.Strong
	case starved, undecided:
		return t.Warn
	case exposed:
		return t.Bad
	}
	return report.Uncoloured
}

// place is where a finding or an answer holds.
type place struct {
	asset, zone string
	address     netip.Addr
	transport   exposure.Transport
	port, last  uint16
}

func placeOf(a *analyze.Answer) place {
	return place{a.Asset, a.Zone, a.Address, a.Transport, a.Port, a.LastPort}
}

// placeOfFinding is zero for findings of rules alone.
func placeOfFinding(f *analyze.Finding) place {
	p := place{asset: f.Asset, zone: f.Zone, transport: f.Transport, port: f.Port, last: f.LastPort}
	if f.Address != nil {
		p.address = *f.Address
	}
	return p
}

func (p place) ports() string { return portText(p.transport, p.port, p.last) }

// portText is "tcp/22" or "tcp/1024-65535".
func portText(t exposure.Transport, port, last uint16) string {
	if last > port {
		return fmt.Sprintf("%s/%d-%d", t, port, last)
	}
	return fmt.Sprintf("%s/%d", t, port)
}

// departure is what the findings say of an answer.
type departure struct{ exposed, perhaps, starved bool }

func (d departure) with(id analyze.FindingID) departure {
	d.exposed = d.exposed || id == analyze.Exposed
	d.perhaps = d.perhaps || id == analyze.MaybeExposed
	d.starved = d.starved || id == analyze.Starved
	return d
}

// judged is an answer with its state.
type judged struct {
	*analyze.Answer
	State state
}

// judgeAll gives every answer its state, in the order of the answers.
func judgeAll(doc *Document) []judged {
	found := make(map[place]departure, len(doc.Findings))
	for i := range doc.Findings {
		if f := &doc.Findings[i]; f.Address != nil {
			p := placeOfFinding(f)
			found[p] = found[p].with(f.ID)
		}
	}
	out := make([]judged, len(doc.Answers))
	for i := range doc.Answers {
		a := &doc.Answers[i]
		out[i] = judged{a, judge(a, found[placeOf(a)])}
	}
	return out
}

// judge gives the state of an answer.
func judge(a *analyze.Answer, found departure) state {
	switch {
	case found.exposed:
		return exposed
	case found.perhaps, a.Verdict == analyze.Undecided:
		return undecided
	case found.starved:
		return starved
	case a.Verdict == analyze.Reachable:
		return expected
	case a.Policy == policy.Allow:
		return nobody
	}
	return closed
}

// who names the sources of an answer in a few words; "" for none.
func who(prefixes []netip.Prefix) string {
	if len(prefixes) == 0 {
		return ""
	}
	if len(prefixes) == 1 && !wide(prefixes) { // as most are
		return prefixes[0].String()
	}
	const few = 2
	var family firewall.Family
	for _, p := range prefixes {
		family |= firewall.FamilyOf(p.Addr())
	}
	set := firewall.AddrsOf(prefixes...)
	but := firewall.AllOf(family).Subtract(set)
	switch {
	case but.Empty():
		return "anyone"
	case len(but.Spans()) <= few && len(but.Spans()) < len(set.Spans())+few && wide(prefixes):
		return "anyone but " + spans(but)
	case len(set.Spans()) <= few:
		return spans(set)
	}
	return fmt.Sprintf("%d networks", len(prefixes))
}

// wide reports sources that make up a good part of the Internet.
func wide(prefixes []netip.Prefix) bool {
	const wideBits = 3
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Bits() <= wideBits })
}

// spans names ranges, as prefixes where they are.
func spans(set firewall.Addrs) string {
	var texts []string
	for _, r := range set.Spans() {
		text := r.First.String() + "-" + r.Last.String()
		if p, ok := netipx.IPRangeFrom(r.First, r.Last).Prefix(); ok {
			text = p.String()
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}
