package rehearsal

import (
	"html/template"
	"io"
	"strings"

	"reconshield/internal/report"
)

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>{{.Style}}
table.fw{border-collapse:collapse}table.fw th,table.fw td{padding:.25rem .75rem;text-align:left;border-bottom:1px solid #8884}
.fw-exposed,.fw-bypassed{color:#c22;font-weight:700}.fw-starved,.fw-one-way,.fw-refused,.fw-unmeasured{color:#a60;font-weight:600}.fw-closed{color:#282}</style>
</head>
<body><main>
<h1>{{.Title}}</h1>
<p>{{.Facts}}</p>
{{range .Blocks}}<h2>{{.Asset}} {{range .Addresses}}<small>{{.}}</small> {{end}}</h2>
<table class="fw"><thead><tr><th>port</th>{{range .Zones}}<th>{{.}}</th>{{end}}</tr></thead><tbody>
{{range .Rows}}<tr><th>{{.Port}}</th>{{range .Cells}}<td class="fw-{{.Class}}">{{.Text}}</td>{{end}}</tr>
{{end}}</tbody></table>
{{end}}{{if .Differences}}<h2>Differences</h2>
{{range .Differences}}<h3>{{.Severity}}: {{.Head}}</h3><ul>{{range .Lines}}<li>{{.}}</li>{{end}}</ul>
{{end}}{{else}}<p>What was found is what the policy says.</p>
{{end}}{{if .Notes}}<h2>Notes</h2><ul>{{range .Notes}}<li>{{.}}</li>{{end}}</ul>{{end}}
</main></body>
</html>
`

type pageCell struct{ Class, Text string }

type pageRow struct {
	Port  string
	Cells []pageCell
}

type pageBlock struct {
	Asset            string
	Addresses, Zones []string
	Rows             []pageRow
}

type pageDifference struct {
	Severity, Head string
	Lines          []string
}

// writeHTML writes a page that stands by itself and loads nothing.
func writeHTML(w io.Writer, doc *Document, opts Options) error {
	style, err := report.PageStyle()
	if err != nil {
		return err
	}
	t, err := template.New("page").Parse(page)
	if err != nil {
		return err
	}
	data := struct {
		Title, Facts string
		Style        template.CSS
		Blocks       []pageBlock
		Differences  []pageDifference
		Notes        []string
	}{
		Title: "ReconShield · firewall " + string(doc.Kind), Style: style,
		Facts: report.Sanitize(strings.TrimSpace(opts.Tool + " · rulesets " + strings.Join(doc.Files, " ") + " · policy " + doc.Policy)),
	}
	for _, b := range matrices(doc) {
		data.Blocks = append(data.Blocks, pageOf(b))
	}
	for _, g := range groups(doc) {
		data.Differences = append(data.Differences, pageDifference{
			Severity: string(g.Severity), Lines: strings.Split(details(g.Result), "\n"),
			Head: report.Sanitize(g.title() + ": " + strings.Join(distinct(g, (*Result).PortText), " ") + " of " + g.Asset + " from " + g.Zone),
		})
	}
	for _, n := range doc.Notes {
		data.Notes = append(data.Notes, report.Sanitize(n))
	}
	return t.Execute(w, data)
}

func pageOf(b block) pageBlock {
	out := pageBlock{Asset: report.Sanitize(b.Asset)}
	for _, a := range b.Addresses {
		out.Addresses = append(out.Addresses, a.String())
	}
	for _, z := range b.Zones {
		out.Zones = append(out.Zones, report.Sanitize(z))
	}
	for _, r := range b.Rows {
		line := pageRow{Port: r.text()}
		for _, c := range r.Cells {
			sign, _ := c.State.icon()
			line.Cells = append(line.Cells, pageCell{string(c.State), strings.TrimSpace(sign + " " + c.State.word() + " " + c.Who)})
		}
		out.Rows = append(out.Rows, line)
	}
	return out
}
