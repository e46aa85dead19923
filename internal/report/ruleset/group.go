package ruleset

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
)

// group is findings that say the same of several ports, zones or addresses, for
// the same rules.
type group struct {
	*analyze.Finding // the first of them
	places           []place
	Witness          *analyze.Witness // of the first; nil when there is none
}

// groups are the findings, the worst first, each kind once for the rules that
// cause it.
func groups(doc *Document) []group {
	var out []group
	index := map[string]int{}
	unseen := map[place][]int{} // groups that want the witness of the answer there
	var key []byte
	for i := range doc.Findings {
		f := &doc.Findings[i]
		p := placeOfFinding(f)
		if f.Address == nil {
			out = append(out, group{Finding: f})
			continue
		}
		key = appendKey(key[:0], f)
		at, known := index[string(key)]
		if !known {
			at = len(out)
			index[string(key)] = at
			out = append(out, group{Finding: f})
			unseen[p] = append(unseen[p], at)
		}
		out[at].places = append(out[at].places, p)
	}
	for i := range doc.Answers {
		for _, at := range unseen[placeOf(&doc.Answers[i])] {
			out[at].Witness = doc.Answers[i].Witness
		}
	}
	return out
}

// appendKey appends what findings of a group have in common.
func appendKey(b []byte, f *analyze.Finding) []byte {
	text := func(s string) { b = append(append(b, s...), 0) }
	text(string(f.ID))
	text(string(f.Severity))
	text(f.Asset)
	if len(f.Rules) == 0 {
		return f.Address.AppendTo(b)
	}
	for _, r := range f.Rules {
		text(r.File)
		b = strconv.AppendInt(b, int64(r.Line), 10)
		b = append(b, 0)
		text(r.Rule)
		text(r.Undecided)
	}
	return b
}

// kind is what findings of an ID have in common.
func kind(id analyze.FindingID) string {
	switch id {
	case analyze.Exposed:
		return "Reachable against the policy"
	case analyze.MaybeExposed:
		return "May be reachable against the policy"
	case analyze.Starved:
		return "Blocked although the policy allows it"
	case analyze.BySourcePort:
		return "Accepted for its source port"
	case analyze.OnlyIPv6:
		return "Open over IPv6, closed over IPv4"
	case analyze.Contradicted:
		return "A rule that earlier ones overrule"
	case analyze.Redundant:
		return "A rule without effect"
	case analyze.NotRead:
		return "A part of a file that was not understood"
	}
	return string(id)
}

// title is the finding's own where it stands alone, else that of its kind with
// the first ports and all zones: "tcp/22 and 3 more
// reachable against the policy from wan, lan".
func (g group) title() string {
	if len(g.places) < 2 {
		return g.Title
	}
	var ports, zones []string
	for _, p := range g.places {
		if !slices.Contains(ports, p.ports()) {
			ports = append(ports, p.ports())
		}
		if !slices.Contains(zones, p.zone) {
			zones = append(zones, p.zone)
		}
	}
	const few = 2
	text := strings.Join(ports, " ")
	if len(ports) > few {
		text = fmt.Sprintf("%s and %d more", ports[0], len(ports)-1)
	}
	return fmt.Sprintf("%s %s from %s", text, lowered(kind(g.ID)), strings.Join(shortened(zones), ", "))
}

// lowered is a title within a sentence.
func lowered(title string) string { return strings.ToLower(title[:1]) + title[1:] }

// where tells all places of a group in a line: "tcp/22 tcp/80 from wan, lan".
// Ports that differ by zone are told by zone.
func (g group) where() []string {
	type side struct{ zone, ports string }
	var zones []string
	byZone := map[string][]string{}
	for _, p := range g.places {
		if _, known := byZone[p.zone]; !known {
			zones = append(zones, p.zone)
		}
		if !slices.Contains(byZone[p.zone], p.ports()) {
			byZone[p.zone] = append(byZone[p.zone], p.ports())
		}
	}
	var sides []side
	for _, z := range zones {
		ports := strings.Join(shortened(byZone[z]), " ")
		if i := slices.IndexFunc(sides, func(s side) bool { return s.ports == ports }); i >= 0 {
			sides[i].zone += ", " + z
			continue
		}
		sides = append(sides, side{z, ports})
	}
	out := make([]string, len(sides))
	for i, s := range sides {
		out[i] = s.ports + " from " + s.zone
	}
	return out
}

// addresses of a group, in order.
func (g group) addresses() []netip.Addr {
	var out []netip.Addr
	for _, p := range g.places {
		if !slices.Contains(out, p.address) {
			out = append(out, p.address)
		}
	}
	return out
}

func shortened(list []string) []string {
	const most = 12
	if len(list) <= most {
		return list
	}
	return append(list[:most:most], fmt.Sprintf("and %d more", len(list)-most))
}

// counts are the findings by severity, in the order of report.Severities.
func counts(findings []analyze.Finding, severities []exposure.Severity) []int {
	out := make([]int, len(severities))
	for i := range findings {
		if at := slices.Index(severities, findings[i].Severity); at >= 0 {
			out[at]++
		}
	}
	return out
}
