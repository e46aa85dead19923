package report

import (
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"reconshield/internal/exposure"
)

// assets of the page; the style is put inside it, so that one file is enough.
//
//go:embed page.html page.css
var pageFiles embed.FS

// document is what the page's template reads.
type document struct {
	*exposure.Assessment
	Assets  []exposure.Asset // ranked
	Gaps    []gap
	Quiet   []quietGroup
	Sum     int
	Exit    string
	Elapsed string
	Style   template.CSS
}

// writeHTML writes one page without scripts and without anything to load. Text
// is sanitised and then escaped by html/template for the place it stands in.
func writeHTML(w io.Writer, a *exposure.Assessment, opts Options) error {
	style, err := pageFiles.ReadFile("page.css")
	if err != nil {
		return err
	}
	tmpl, err := template.New("page.html").Funcs(pageFuncs()).ParseFS(pageFiles, "page.html")
	if err != nil {
		return err
	}
	doc := document{
		Assessment: a, Assets: ranked(a.Assets), Gaps: gaps(a), Quiet: quietGroups(a.Quiet),
		Elapsed: elapsed(a), Style: template.CSS(style), //nolint:gosec // our own embedded file
	}
	for _, n := range a.Totals.Findings {
		doc.Sum += n
	}
	if opts.FailOn != "" {
		doc.Exit = fmt.Sprintf("Exit code %d: %s.", opts.ExitCode, exitMeaning(opts.ExitCode, opts.FailOn))
	}
	return tmpl.Execute(w, doc)
}

// rowsAndRest is the table of ports of an asset.
type rowsAndRest struct {
	Rows []exposure.PortState
	Rest []portGroup
}

func pageFuncs() template.FuncMap {
	return template.FuncMap{
		"safe":         func(v any) string { return Sanitize(fmt.Sprint(v)) },
		"severities":   severities,
		"tally":        func(f []exposure.Finding) []int { return countSeverities(f) },
		"open":         openPorts,
		"proofs":       proofs,
		"facts":        func(p proof, n int) string { return strings.Join(proofFacts(p, n), " · ") },
		"ports":        func(a exposure.Asset) rowsAndRest { rows, rest := splitPorts(a, false); return rowsAndRest{rows, rest} },
		"label":        labelWords,
		"labelMeaning": labelMeaning,
		"meaning":      meaningText,
		"software":     software,
		"rtt":          rtt,
		"where":        func(f exposure.Finding) string { return where(f, "·") },
		"evidence":     func(e exposure.Evidence, a netip.Addr) [2]string { q, r := evidenceParts(e, a); return [2]string{q, r} },
		"dump":         dump,
		"config":       func(s string) string { return strings.Join(configLines(s), "\n") },
		"onlyServer":   func(f []exposure.Fix) []exposure.Fix { return withoutFirewall(f) },
		"closers":      closers,
		"passed":       passed,
		"plural":       plural,
		"join":         func(s []string) string { return strings.Join(s, " · ") },
		"spaced":       func(s []string) string { return Sanitize(strings.Join(s, " ")) },
		"stamp":        stamp,
		"anchor": func(a exposure.Asset) string {
			return "asset-" + strings.NewReplacer(":", "-", ".", "-", "%", "-").Replace(a.Address.String())
		},
		"moot":        moot,
		"interesting": func(a exposure.Asset) bool { return interesting(a, false) },
		"dull":        dullAddresses,
		"web":         func(url string) bool { return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") },
		"icon":        func(s exposure.Severity) string { i, _ := (theme{}).severity(s); return i },
		"stateIcon":   func(s exposure.State) string { i, _ := (theme{}).state(s); return i },
		"stateClass":  func(s exposure.State) string { return strings.ReplaceAll(string(s), "|", "-") },
		"number":      func(p exposure.PortState) string { return strconv.Itoa(int(p.Port)) + "/" + string(p.Transport) },
	}
}

func dullAddresses(assets []exposure.Asset) []string {
	var out []string
	for _, a := range assets {
		if !interesting(a, false) {
			out = append(out, a.Address.String())
		}
	}
	return out
}

func withoutFirewall(list []exposure.Fix) []exposure.Fix {
	return slices.DeleteFunc(slices.Clone(list), func(x exposure.Fix) bool { return x.Kind == "firewall" })
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

// dump is the first bytes of a raw reply as a hex dump.
func dump(raw []byte) string {
	const shown = 512
	text := strings.TrimRight(hex.Dump(raw[:min(len(raw), shown)]), "\n")
	if len(raw) > shown {
		text += fmt.Sprintf("\n… %d bytes in all", len(raw))
	}
	return text
}
