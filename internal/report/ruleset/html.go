package ruleset

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/report"
)

// The page's template, and what its style adds to that of other reports.
//
//go:embed audit.html audit.css
var pageFiles embed.FS

// mostOnPage bounds the answers, findings and changes that a page lists; a browser is no
// place for more.
const mostOnPage = 2000

// document is what the page's template reads.
type document struct {
	*Document
	Tool     string
	Blocks   []block
	Groups   []group
	Detailed []judged
	Changed  []changeGroup
	Left     struct{ Answers, Findings, Changes, Rows int } // what is not on the page
	Silent   []string
	Sum      int // of assets
	States   []stateCount
	Counts   []int // of findings, by report.Severities
	Complete bool
	Exit     string
	Style    template.CSS
}

type stateCount struct {
	State state
	Count int
}

// writeHTML writes one page without scripts and without anything to load. Texts
// are sanitised and then escaped by html/template for the place they stand in.
func writeHTML(w io.Writer, doc *Document, opts Options) error {
	common, err := report.PageStyle()
	if err != nil {
		return err
	}
	own, err := pageFiles.ReadFile("audit.css")
	if err != nil {
		return err
	}
	tmpl, err := template.New("audit.html").Funcs(pageFuncs()).ParseFS(pageFiles, "audit.html")
	if err != nil {
		return err
	}
	answers := judgeAll(doc)
	page := document{
		Document: doc, Tool: opts.Tool, Blocks: matrices(answers), Groups: groups(doc), Changed: changes(doc.Changes), Silent: doc.silent(),
		Counts: counts(doc.Findings, report.Severities()), Complete: !opts.Answers && len(doc.Unparsed) == 0,
		Style: common + template.CSS(own), //nolint:gosec // our own embedded file
	}
	page.count(answers)
	page.bound()
	if opts.FailOn != "" {
		page.Exit = fmt.Sprintf("Exit code %d: %s.", opts.ExitCode, exitMeaning(opts))
	}
	return tmpl.Execute(w, page)
}

// count counts the answers, and takes as many as the page has room for.
func (d *document) count(answers []judged) {
	n, assets := map[state]int{}, map[string]bool{}
	for _, a := range answers {
		n[a.State]++
		assets[a.Asset] = true
	}
	d.Detailed = answers[:min(len(answers), mostOnPage)]
	d.Left.Answers, d.Sum = len(answers)-len(d.Detailed), len(assets)+len(d.Silent)
	all := states()
	slices.Reverse(all)
	for _, x := range all {
		d.States = append(d.States, stateCount{x, n[x]})
	}
}

// bound leaves out what no browser could show.
func (d *document) bound() {
	if n := len(d.Groups) - mostOnPage; n > 0 {
		d.Groups, d.Left.Findings = d.Groups[:mostOnPage], n
	}
	room := mostOnPage
	for i := range d.Blocks {
		b := &d.Blocks[i]
		shown := min(len(b.Rows), room)
		d.Left.Rows += len(b.Rows) - shown
		b.Rows, room = b.Rows[:shown], room-shown
	}
	if n := len(d.Changed) - mostOnPage; n > 0 {
		d.Changed, d.Left.Changes = d.Changed[:mostOnPage], n
	}
}

func pageFuncs() template.FuncMap {
	return template.FuncMap{
		"safe":       func(v any) string { return report.Sanitize(fmt.Sprint(v)) },
		"severities": report.Severities,
		"icon": func(s exposure.Severity) string {
			i, _ := report.NewSigns(report.Options{}).Severity(s)
			return i
		},
		"sign":     func(s state) string { i, _ := s.icon(); return i },
		"word":     func(s state) string { return s.word() },
		"meaning":  func(s state, policy string) string { return s.meaning(policy != "") },
		"address":  addressText,
		"who":      who,
		"row":      func(r row) string { return r.ports() },
		"cell":     func(s state) cell { return cell{State: s} },
		"closed":   func() state { return closed },
		"title":    func(g group) string { return report.Sanitize(g.title()) },
		"places":   func(g group) string { return report.Sanitize(strings.Join(g.where(), "; ")) },
		"several":  func(g group) bool { return len(g.places) > 1 },
		"anchor":   func(i int) string { return "finding-" + strconv.Itoa(i+1) },
		"position": position,
		"witness":  func(w *analyze.Witness) string { return witnessText(w, "→") },
		"label":    ruleLabel,
		"port":     func(a *analyze.Answer) string { return placeOf(a).ports() },
		"side":     sideWho,
		"plural":   counted,
		"files": func(list []string) string {
			return report.Sanitize(strings.Join(list, " "))
		},
		"indent": func(depth int) template.CSS {
			const deepest = 8
			return template.CSS(fmt.Sprintf("padding-left:%dem", 2*min(depth, deepest))) //nolint:gosec // a number
		},
	}
}
