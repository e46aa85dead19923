package report

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/exposure"
)

// writeTerminal writes the report for people at a terminal: what limits the
// run first, then a glance when there are several assets, one section an
// asset, what was not measured, and the totals.
func writeTerminal(w io.Writer, a *exposure.Assessment, opts Options) error {
	p := newPage(w, opts)
	p.masthead(a)
	p.cautions(a)
	assets := ranked(a.Assets)
	shown, dull := 0, []string{}
	for _, asset := range assets {
		if interesting(asset, p.verbose) {
			shown++
		} else {
			dull = append(dull, asset.Address.String())
		}
	}
	if shown > 1 {
		p.glance(assets)
	}
	for _, asset := range assets {
		if interesting(asset, p.verbose) {
			p.asset(asset)
		}
	}
	p.quiet(a, dull)
	p.notMeasured(a)
	p.result(a, opts)
	return p.err
}

// masthead is one line: the tool, the scope, and how it was looked at.
func (p *page) masthead(a *exposure.Assessment) {
	name := cmp.Or(Sanitize(a.Tool), "reconshield")
	p.line(p.Title(strings.TrimSpace(name + " " + Sanitize(a.Version))))
	scope := make([]string, 0, len(a.Scope))
	for _, s := range a.Scope {
		scope = append(scope, Sanitize(s))
	}
	var facts []string
	if len(scope) > 0 {
		facts = append(facts, "scope "+strings.Join(few(scope, 6, p.verbose), " "))
	}
	if a.Profile != "" {
		facts = append(facts, "profile "+Sanitize(a.Profile))
	}
	if a.Vantage != "" {
		facts = append(facts, "from "+Sanitize(a.Vantage))
	}
	if !a.Started.IsZero() {
		facts = append(facts, a.Started.Format("2006-01-02 15:04 MST"))
	}
	if d := elapsed(a); d != "" {
		facts = append(facts, d)
	}
	if len(facts) > 0 {
		p.para(0, p.Faint, strings.Join(facts, " "+p.Dot+" "))
	}
}

// cautions are what a reader must know before the first verdict.
func (p *page) cautions(a *exposure.Assessment) {
	if a.Partial {
		p.blank()
		p.caution("PARTIAL", "The run was stopped before its end. What follows was measured; what is missing was not, and proves nothing.")
	}
	if a.Interceptor == "detected" {
		p.blank()
		p.caution("INTERCEPTED", "Something between here and the targets answers DNS for addresses where nothing lives. "+
			"No open port below is proven to be on the host named; measure again from another network.")
	}
	if len(a.Warnings) > 0 {
		p.blank()
	}
	for _, w := range a.Warnings {
		p.hanging(0, p.Warn(p.Alert+" warning ")+" ", len("  warning  "), plain, Sanitize(w))
	}
}

func (p *page) caution(word, text string) {
	badge := " " + p.Alert + " " + word + " "
	p.hanging(0, p.Loud(badge)+" ", ansi.StringWidth(badge)+1, plain, text)
}

func plain(s string) string { return s }

// glance is one line an asset: the address, its names, what is open, what was found.
func (p *page) glance(assets []exposure.Asset) {
	p.blank()
	p.line(p.Title("At a glance"))
	addrs, ports := 0, 0
	for _, a := range assets {
		addrs = max(addrs, len(a.Address.String()))
		ports = max(ports, ansi.StringWidth(openText(a)))
	}
	for _, a := range assets {
		if !interesting(a, p.verbose) {
			continue
		}
		p.flow(2, p.Strong(pad(a.Address.String(), addrs))+"  "+pad(openText(a), ports)+"  ", p.inShort(a))
	}
}

// inShort is an asset in a few words; without checks nothing is called good.
func (p *page) inShort(a exposure.Asset) []string {
	var parts []string
	for _, l := range a.Labels {
		parts = append(parts, p.Warn(p.Alert+" "+labelWords(l)))
	}
	switch {
	case len(a.Findings) > 0:
		parts = append(parts, p.tally(countSeverities(a.Findings))...)
	case allClosed(a):
		parts = append(parts, p.Good(p.Tick+" nothing open"))
	case notTested(a) > len(passed(a)) && len(passed(a)) > 0: // such as a port 53 that stays silent
		parts = append(parts, p.Warn(fmt.Sprintf("%s nothing found, but %d checks not tested", p.Ask, notTested(a))))
	case len(passed(a)) > 0:
		parts = append(parts, p.Good(p.Tick+" nothing found"))
	case openPorts(a) > 0:
		parts = append(parts, p.Warn(p.Ask+" not checked"))
	}
	return parts
}

func openText(a exposure.Asset) string { return strconv.Itoa(openPorts(a)) + " open" }

// tally is "1 critical", "2 high", each with its sign and colour.
func (p *page) tally(counts []int) []string {
	var parts []string
	for i, s := range severities() {
		if counts[i] == 0 {
			continue
		}
		icon, color := p.severity(s)
		parts = append(parts, color(fmt.Sprintf("%s %d %s", icon, counts[i], s)))
	}
	return parts
}

// asset writes one section.
func (p *page) asset(a exposure.Asset) {
	p.blank()
	p.heading(a.Address.String(), a.Names)
	known := proofs(a)
	for _, x := range known {
		how := strings.Join(proofFacts(x, len(known)), " "+p.Dot+" ")
		p.hanging(2, p.Strong(x.Software)+"  ", ansi.StringWidth(x.Software)+2, p.Faint, how)
	}
	if len(a.Zones) > 0 {
		zones := make([]string, len(a.Zones))
		for i, z := range a.Zones {
			zones[i] = Sanitize(z)
		}
		p.para(2, p.Faint, "zones tested: "+strings.Join(few(zones, 8, p.verbose), " "))
	}
	for _, l := range a.Labels {
		p.labelLine(1, l)
	}
	if len(known)+len(a.Zones)+len(a.Labels) > 0 {
		p.blank()
	}
	p.ports(a)
	shown, rest := p.versionsFirst(a.Findings)
	for _, f := range shown {
		p.finding(f)
	}
	p.moreVersions(rest)
	p.closeIt(a)
	p.verdicts(a)
}

func (p *page) heading(title string, names []string) {
	parts := []string{p.Title(title)}
	used := ansi.StringWidth(title)
	for _, n := range few(names, 3, p.verbose) {
		n = Sanitize(n)
		if used+2+ansi.StringWidth(n) > p.width-8 {
			break
		}
		parts = append(parts, n)
		used += 2 + ansi.StringWidth(n)
	}
	rule := max(min(p.width, maxProse)-used-4, 2)
	p.line(p.Faint(strings.Repeat(p.Rule, 2)), " ", strings.Join(parts, "  "), " ", p.Faint(strings.Repeat(p.Rule, rule)))
}

func (p *page) labelLine(indent int, l exposure.Label) {
	badge := " " + p.Alert + " " + labelWords(l) + " "
	p.hanging(indent, p.Loud(badge)+" ", ansi.StringWidth(badge)+1, plain, labelMeaning(l))
}

// few is at most n items, the rest counted, unless all are wanted.
func few(items []string, n int, all bool) []string {
	if all || len(items) <= n+1 {
		return items
	}
	return append(append([]string{}, items[:n]...), fmt.Sprintf("+%d more", len(items)-n))
}
