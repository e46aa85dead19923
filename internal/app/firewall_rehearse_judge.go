package app

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/policy"
	"reconshield/internal/rehearse"
	"reconshield/internal/report/rehearsal"
)

// judge compares what came of the plan with the policy.
func (r *rehearsed) judge(p *stagePlan, played *stagePlayed) *rehearsal.Document {
	doc := &rehearsal.Document{
		Schema: rehearsal.SchemaVersion, Kind: rehearsal.Rehearsal, Policy: r.policy.File, Host: r.host.Name,
		Results: make([]rehearsal.Result, len(p.Asked)), Packets: len(p.First) + len(p.Odd) + len(p.Talk),
	}
	for _, t := range r.texts {
		doc.Files = append(doc.Files, t.File)
	}
	talks := make(map[int]rehearse.Outcome, len(p.Talks))
	for i, q := range p.Talks {
		talks[q] = played.Talk[i]
	}
	odds := map[int]int{}
	for i, q := range p.Odds {
		if played.Odd[i].Delivered {
			odds[q] = i
		}
	}
	seen := scanned(p, played)
	listening := make(map[exposure.Target]bool, len(p.Listen))
	for _, t := range p.Listen {
		listening[t] = true
	}
	odd := &oddities{}
	for i, q := range p.Asked {
		x := r.result(q, played.First[i])
		if talk, ok := talks[i]; ok {
			conversed(&x, talk)
		}
		if at, ok := odds[i]; ok && x.State == rehearsal.Closed {
			from := p.Odd[at].SourcePort
			x.State, x.Found = rehearsal.Exposed, arrival(q, played.Odd[at])+fmt.Sprintf(" when it came from source port %d", from)
			x.Remark = fmt.Sprintf("a rule accepts by source port %d, which every sender chooses", from)
		}
		if s, ok := seen[heard{q.Stand, q.Source, exposure.Target{Addr: q.Target, Transport: q.Transport, Port: q.Port}}]; ok {
			x.Engine = s.State
			here := listening[exposure.Target{Addr: q.Target, Transport: q.Transport, Port: q.Port}]
			odd.compare(&x, s, played.First[i], here)
		}
		r.weigh(&x)
		doc.Results[i] = x
	}
	for _, z := range r.policy.Zones {
		stands := func(s rehearse.Zone) bool {
			name, _, _ := strings.Cut(s.Name, "/")
			return s.Name == z.Name || name == z.Name
		}
		if !slices.ContainsFunc(r.scene.Zones, stands) {
			doc.Untried = append(doc.Untried, z.Name)
		}
	}
	r.explain(doc)
	sortResults(doc.Results, r.policy)
	slices.Sort(played.Notes)
	doc.Notes = slices.Concat(r.notes, played.Notes, odd.notes())
	return doc
}

// heard is the key of what the engine found.
type heard struct {
	stand  string
	source netip.Addr
	target exposure.Target
}

func scanned(p *stagePlan, played *stagePlayed) map[heard]seenPort {
	out := map[heard]seenPort{}
	for i, s := range p.Scans {
		for _, x := range played.Scanned[i] {
			out[heard{s.Stand, s.Source, exposure.Target{Addr: x.Target.Addr, Transport: x.Target.Transport, Port: x.Target.Port}}] = x
		}
	}
	return out
}

// result says what became of a question's first packet.
func (r *rehearsed) result(q question, o rehearse.Outcome) rehearsal.Result {
	d := r.decide(q)
	x := rehearsal.Result{
		Asset: q.Asset, Address: q.Target, Zone: q.Zone, Source: q.Source, Transport: q.Transport, Port: q.Port,
		Policy: d.Verdict, Rule: rulePlace(d.Rule),
	}
	switch {
	case !o.Delivered:
		x.Found, x.State = "the packet was dropped or refused", rehearsal.Closed
		if d.Verdict == policy.Allow {
			x.State = rehearsal.Starved
		}
	default:
		x.Found, x.State = arrival(q, o), rehearsal.Exposed
		if d.Verdict == policy.Allow {
			x.State = rehearsal.Open
		}
	}
	return x
}

// arrival says where a packet came out.
func arrival(q question, o rehearse.Outcome) string {
	text := "the packet reached the host itself"
	if o.Place != rehearse.Loopback {
		text = "the packet was forwarded through " + o.Place
	}
	if o.To.IsValid() && (o.To.Addr() != q.Target || o.To.Port() != q.Port && q.Transport != policy.ESP) {
		text += fmt.Sprintf(", redirected to %s", o.To)
	}
	return text
}

// conversed adds what became of a conversation that the policy allows.
func conversed(x *rehearsal.Result, o rehearse.Outcome) {
	switch {
	case o.Answered && x.State == rehearsal.Starved:
		x.State, x.Remark = rehearsal.Open, "a single packet did not arrive, a conversation did: rules that count or limit decide by chance"
	case o.Answered:
		x.Found += ", and the answer came back"
	case x.State == rehearsal.Open && o.Refused:
		x.State = rehearsal.OneWay
		x.Found += ", but the conversation was refused"
	case x.State == rehearsal.Open:
		x.State = rehearsal.OneWay
		x.Found += ", but no answer came back"
	}
}

// weigh gives differences a severity: what administers must not be seen from
// where anybody may stand.
func (r *rehearsed) weigh(x *rehearsal.Result) {
	x.Severity = severityOf(r.policy, x)
}

func severityOf(p *policy.Policy, x *rehearsal.Result) exposure.Severity {
	switch x.State {
	case rehearsal.Exposed:
		z, _ := p.Zone(x.Zone)
		a, _ := p.Asset(x.Asset)
		if z == nil || a == nil {
			return exposure.HighSev
		}
		ports := policy.Ports{Transport: x.Transport, First: x.Port, Last: x.Port}
		return a.Role.Exposure(ports, z.Name == policy.WAN || len(z.Networks) == 0)
	case rehearsal.OneWay, rehearsal.Starved:
		return exposure.MediumSev
	case rehearsal.Refused:
		return exposure.LowSev
	case rehearsal.Bypassed:
		return exposure.Critical
	case rehearsal.Closed, rehearsal.Silent, rehearsal.Open, rehearsal.Unmeasured:
	}
	return ""
}

// oddities are where the engine and single packets disagree.
type oddities struct {
	n     int
	first []string
}

func (o *oddities) compare(x *rehearsal.Result, s seenPort, first rehearse.Outcome, listening bool) {
	open := s.State == exposure.Open
	translated := first.To.IsValid() && first.To.Addr() != x.Address
	switch {
	case open && x.State == rehearsal.Closed:
		x.State, x.Remark = rehearsal.Exposed, "the scan found it open although a single packet did not arrive: rules that count or limit decide by chance"
		x.Found = "the scan found it open (" + string(s.Reason) + ")"
	case open && x.State == rehearsal.Starved:
		x.Remark = "the scan found it open although a single packet did not arrive"
	case !open && x.State == rehearsal.Open && x.Transport != policy.ESP:
		x.Remark = "the scan found it " + string(s.State) + " although single packets get through"
	case !open && x.State == rehearsal.Exposed && first.Delivered && listening && !translated && s.State != exposure.Unmeasured:
		x.Remark = "the scan found it " + string(s.State) + ": the packet gets in, but no answer gets out"
	default:
		return
	}
	o.n++
	const few = 4
	if len(o.first) < few {
		o.first = append(o.first, fmt.Sprintf("%s of %s from %s (%s)", x.PortText(), x.Address, x.Zone, x.Source))
	}
}

func (o *oddities) notes() []string {
	if o.n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("scan and single packets disagree on %d questions: %s", o.n, strings.Join(o.first, ", "))}
}

// explain names the rules behind the differences, where the analysis of the
// ruleset agrees with the kernel, and says so where it does not.
func (r *rehearsed) explain(doc *rehearsal.Document) {
	if r.rules == nil {
		return
	}
	type side struct {
		asset, zone string
		source      netip.Addr
	}
	var order []side
	by := map[side][]*rehearsal.Result{}
	for _, x := range doc.Differences() {
		k := side{x.Asset, x.Zone, x.Source}
		if by[k] == nil {
			order = append(order, k)
		}
		by[k] = append(by[k], x)
	}
	const most = 64 // each is an audit of its own
	for i, k := range order {
		if i == most {
			r.note("the rules behind some differences are not named: there are too many; audit tells them")
			return
		}
		q := analyze.Query{Zone: k.zone, Asset: k.asset, Source: netip.PrefixFrom(k.source, k.source.BitLen())}
		for _, x := range by[k] {
			if x.Transport != policy.ESP {
				q.Ports = append(q.Ports, policy.Ports{Transport: x.Transport, First: x.Port, Last: x.Port})
			}
		}
		audit, err := analyze.Run(r.rules, analyze.Options{Policy: r.policy, At: r.opts.At, Host: r.host.Name, Query: q})
		if err != nil {
			r.note("the rules behind the differences cannot be named: %v", err)
			return
		}
		for _, x := range by[k] {
			join(x, audit)
		}
	}
}

// join adds to a result what the audit says of it.
func join(x *rehearsal.Result, audit *analyze.Audit) {
	a := answerFor(audit, x)
	if a == nil {
		return
	}
	x.Audited = a.Verdict
	through := x.State == rehearsal.Exposed || x.State == rehearsal.OneWay
	switch {
	case a.Verdict == analyze.Reachable && len(a.SourcePorts) > 0 && x.State == rehearsal.Starved:
		x.Remark = "packets get through only from source port " + strings.Join(a.SourcePorts, ", ")
	case a.Verdict == analyze.Undecided, (a.Verdict == analyze.Reachable) == through:
		x.Why = a.Why
	default:
		x.Remark = cmp.Or(x.Remark, "the analysis of the ruleset says otherwise; the kernel is right: please report this with the ruleset")
	}
}

func answerFor(audit *analyze.Audit, x *rehearsal.Result) *analyze.Answer {
	for i := range audit.Answers {
		a := &audit.Answers[i]
		if a.Address == x.Address && a.Zone == x.Zone && a.Transport == x.Transport && a.Port <= x.Port && x.Port <= max(a.Port, a.LastPort) {
			return a
		}
	}
	return nil
}

// rulePlace is a rule of the policy with its line.
func rulePlace(rule policy.Rule) string {
	if rule.At.Line == 0 {
		return rule.Text
	}
	return fmt.Sprintf("%s (%s:%d)", rule.Text, rule.At.File, rule.At.Line)
}

// sortResults puts results into the order of the policy, then by port.
func sortResults(all []rehearsal.Result, p *policy.Policy) {
	assets, zones := map[string]int{}, map[string]int{}
	for i := range p.Assets {
		assets[p.Assets[i].Name] = i
	}
	for i := range p.Zones {
		zones[p.Zones[i].Name] = i
	}
	slices.SortStableFunc(all, func(a, b rehearsal.Result) int {
		return cmp.Or(
			cmp.Compare(assets[a.Asset], assets[b.Asset]), a.Address.Compare(b.Address),
			strings.Compare(string(a.Transport), string(b.Transport)), cmp.Compare(a.Port, b.Port),
			cmp.Compare(zones[a.Zone], zones[b.Zone]), a.Source.Compare(b.Source))
	})
}
