package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/exposure"
)

// quiet names the addresses without an open port, and assets without anything
// to tell.
func (p *page) quiet(a *exposure.Assessment, dull []string) {
	groups := quietGroups(a.Quiet)
	if len(groups)+len(dull) == 0 {
		return
	}
	p.blank()
	p.heading("Quiet", nil)
	for _, g := range groups {
		icon, color := p.state(g.State)
		head := fmt.Sprintf("%s %-14s", icon, g.State)
		text := fmt.Sprintf("%s: %s  (%s)", g.Addresses, strings.Join(few(g.Prefixes, 12, p.verbose), " "),
			Sanitize(string(g.Reason)))
		p.hanging(2, color(head), ansi.StringWidth(head), plain, text)
		if g.Ports != "" {
			p.para(2+ansi.StringWidth(head), p.Faint, g.Ports)
		}
	}
	if len(dull) > 0 {
		icon, color := p.state(exposure.Closed)
		head := fmt.Sprintf("%s %-14s", icon, "nothing open")
		text := fmt.Sprintf("%s: %s", plural(len(dull), "host"), strings.Join(few(dull, 12, p.verbose), " "))
		p.hanging(2, color(head), ansi.StringWidth(head), plain, text)
	}
	for _, g := range groups {
		if g.State == exposure.OpenFiltered || g.State == exposure.Filtered {
			p.para(2, p.Faint, "Silence does not prove absence: a firewall, or a server that ignores this client, is silent too.")
			break
		}
	}
}

// notMeasured says plainly what this run does not know, and how to learn it.
func (p *page) notMeasured(a *exposure.Assessment) {
	list := gaps(a)
	if len(list) == 0 {
		return
	}
	p.blank()
	p.heading("Not measured", nil)
	for _, g := range list {
		if !g.Moot || p.verbose {
			p.gap(g, len(a.Assets) > 1)
		}
	}
	if names := moot(list); len(names) > 0 && !p.verbose {
		icon, color := p.state(exposure.Closed)
		head := icon + " does not apply here  "
		p.hanging(2, color(head), ansi.StringWidth(head), p.Faint, strings.Join(names, " "+p.Dot+" "))
	}
}

func (p *page) gap(g gap, several bool) {
	what := strings.Join(g.What, " "+p.Dot+" ")
	switch {
	case len(g.On) == 0:
	case g.All:
		what += " on every asset"
	case several || len(g.What) == 0:
		what += " on " + strings.Join(few(g.On, 4, p.verbose), ", ")
	}
	p.hanging(2, p.Warn(p.Ask)+" ", 2, p.Strong, what)
	p.para(bodyIndent, plain, g.Why)
	if g.Remedy != "" {
		arrow := p.Arrow + " "
		p.hanging(bodyIndent, p.Good(arrow), ansi.StringWidth(arrow), p.Good, g.Remedy)
	}
}

// result is the totals and what the exit code will say.
func (p *page) result(a *exposure.Assessment, opts Options) {
	p.blank()
	p.heading("Result", nil)
	counts := make([]int, 0, len(severities()))
	sum := 0
	for _, s := range severities() {
		counts = append(counts, a.Totals.Findings[s])
		sum += a.Totals.Findings[s]
	}
	p.para(2, plain, strings.Join([]string{
		plural(a.Totals.Addresses, "address"),
		plural(a.Totals.Assets, "asset"), plural(a.Totals.OpenPorts, "open port"), plural(sum, "finding"),
	}, " "+p.Dot+" "))
	if sum > 0 {
		p.flow(2, "", p.tally(counts))
	}
	p.checksTotal(a)
	if a.Partial {
		p.line("  ", p.Warn(p.Alert+" partial: stopped before the end"))
	}
	if opts.FailOn == "" {
		return
	}
	color := p.Good
	switch opts.ExitCode {
	case 0:
	case 1:
		color = p.Bad
	default:
		color = p.Warn
	}
	head := "exit " + strconv.Itoa(opts.ExitCode)
	p.hanging(2, color(head)+"  ", len(head)+2, p.Faint, exitMeaning(opts.ExitCode, opts.FailOn))
}

func (p *page) checksTotal(a *exposure.Assessment) {
	t := a.Totals.Checks
	n := t[exposure.Pass] + t[exposure.Fail] + t[exposure.NotTested] + t[exposure.Errored]
	if n == 0 {
		return
	}
	parts := []string{p.Good(fmt.Sprintf("%s %d pass", p.Tick, t[exposure.Pass]))}
	if t[exposure.Fail] > 0 {
		parts = append(parts, p.Bad(fmt.Sprintf("%s %d fail", p.Cross, t[exposure.Fail])))
	}
	if t[exposure.NotTested] > 0 {
		parts = append(parts, p.Warn(fmt.Sprintf("%s %d not tested", p.Ask, t[exposure.NotTested])))
	}
	if t[exposure.Errored] > 0 {
		parts = append(parts, p.Warn(fmt.Sprintf("%s %d error", p.Ask, t[exposure.Errored])))
	}
	p.flow(2, p.Faint("check results: "), parts)
}
