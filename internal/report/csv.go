package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
)

// csvHeader names the columns; a reader may rely on names and order.
func csvHeader() []string {
	return []string{
		"type", "address", "names", "port", "transport", "state", "reason", "rtt_ms", "labels",
		"protocol", "product", "version", "cpe",
		"id", "fingerprint", "severity", "confidence", "title", "subject", "summary", "evidence", "fix", "references",
	}
}

// writeCSV writes a header and one row a port and a finding. Cells are
// sanitised and formula-safe; removing one leading apostrophe from a cell
// gives back its text.
func writeCSV(w io.Writer, a *exposure.Assessment) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHeader()); err != nil {
		return err
	}
	for _, asset := range a.Assets {
		for _, p := range asset.Ports {
			if err := out.Write(csvPort(asset, p)); err != nil {
				return err
			}
		}
		for _, f := range asset.Findings {
			if err := out.Write(csvFinding(asset, f)); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func csvPort(asset exposure.Asset, p exposure.PortState) []string {
	labels := make([]string, len(p.Labels))
	for i, l := range p.Labels {
		labels[i] = string(l)
	}
	var s exposure.Service
	if p.Service != nil {
		s = *p.Service
	}
	rtt := ""
	if p.RTT > 0 {
		rtt = strconv.FormatFloat(float64(p.RTT.Microseconds())/1000, 'f', 3, 64)
	}
	return cells(
		"port", asset.Address.String(), strings.Join(asset.Names, " "), strconv.Itoa(int(p.Port)), string(p.Transport),
		string(p.State), string(p.Reason), rtt, strings.Join(labels, " "),
		s.Protocol, softwareName(s), s.Version, s.CPE,
		"", "", "", string(s.Confidence), "", "", "", Sanitize(s.Banner), "", "",
	)
}

func csvFinding(asset exposure.Asset, f exposure.Finding) []string {
	transports := make([]string, len(f.Transports))
	for i, t := range f.Transports {
		transports[i] = string(t)
	}
	var evidence, fixes, refs []string
	for _, e := range f.Evidence {
		evidence = append(evidence, evidenceText(e, f.Address, "->"))
	}
	for _, x := range f.Fix {
		part := Sanitize(x.For) + ": " + Sanitize(x.Text)
		if lines := configLines(x.Lines); len(lines) > 0 {
			part += "\n" + strings.Join(lines, "\n")
		}
		fixes = append(fixes, part)
	}
	for _, r := range f.References {
		refs = append(refs, strings.TrimSpace(Sanitize(r.Title)+" "+Sanitize(r.URL)))
	}
	row := cells(
		"finding", asset.Address.String(), strings.Join(asset.Names, " "), strconv.Itoa(int(f.Port)),
		strings.Join(transports, " "), "", "", "", "", "", "", "", "",
		f.ID, f.Fingerprint, string(f.Severity), string(f.Confidence), f.Title, f.Subject, f.Summary,
	)
	// These three hold several lines, each sanitised above.
	return append(row, cell(strings.Join(evidence, "\n")), cell(strings.Join(fixes, "\n")), cell(strings.Join(refs, "\n")))
}

func cells(values ...string) []string {
	for i, v := range values {
		values[i] = cell(Sanitize(v))
	}
	return values
}

// cell keeps spreadsheets from taking text for a formula: what begins with one
// of their signs, also in full width, gets a leading apostrophe. So does what
// begins with an apostrophe, or reading back would not be exact.
func cell(s string) string {
	if strings.HasPrefix(s, "'") || strings.IndexAny(s, "=+-@\t\r\n＝＋－＠") == 0 {
		return "'" + s
	}
	return s
}
