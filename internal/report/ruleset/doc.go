// Package ruleset turns the audit of a firewall's ruleset into something to
// read or to process: a matrix of zones and ports with findings for a terminal,
// JSON, a page of HTML, SARIF with the lines of the rules, and JUnit. It asks
// no ruleset anything and changes no value it is given. Texts of rules are made
// harmless before they are shown.
package ruleset

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"reconshield/internal/firewall/analyze"
	"reconshield/internal/report"
)

// Document is what is reported: an audit, and what changed since another
// ruleset when there is one to compare with.
type Document struct {
	*analyze.Audit
	Changes []analyze.Change `json:"changes,omitzero"` // nil: there was nothing to compare with
	// Assets names all that was asked about: of one that nothing reaches and for
	// which the policy allows nothing, there is no answer.
	Assets []string `json:"-"`
}

// silent are the assets without an answer: closed, unless something was not
// understood.
func (d *Document) silent() []string {
	told := map[string]bool{}
	for i := range d.Answers {
		told[d.Answers[i].Asset] = true
	}
	return slices.DeleteFunc(slices.Clone(d.Assets), func(name string) bool { return told[name] })
}

// Format names a form of the report.
type Format string

// Formats.
const (
	Text  Format = "text"
	JSON  Format = "json"
	HTML  Format = "html"
	SARIF Format = "sarif"
	JUnit Format = "junit"
)

// Formats lists every format, the default first.
func Formats() []Format { return []Format{Text, JSON, HTML, SARIF, JUnit} }

// ParseFormat reads a format's name, in any case. The error lists the names.
func ParseFormat(s string) (Format, error) {
	f := Format(strings.ToLower(strings.TrimSpace(s)))
	if slices.Contains(Formats(), f) {
		return f, nil
	}
	names := make([]string, 0, len(Formats()))
	for _, known := range Formats() {
		names = append(names, string(known))
	}
	return "", fmt.Errorf("unknown format %q: use one of %s", s, strings.Join(names, ", "))
}

// Options say how a report is shown.
type Options struct {
	report.Options
	Answers bool   // tell of every answer why, as somebody who asked wants to know
	Tool    string // "reconshield 1.2.3"; empty: not said
}

// Write writes the document in the format given; doc and its audit may not be
// nil. Errors are those of w, or an unknown format.
func Write(w io.Writer, format Format, doc *Document, opts Options) error {
	const buffer = 64 << 10
	out := bufio.NewWriterSize(w, buffer)
	var err error
	switch format {
	case Text:
		err = writeText(out, doc, opts)
	case JSON:
		err = writeJSON(out, doc)
	case HTML:
		err = writeHTML(out, doc, opts)
	case SARIF:
		err = writeSARIF(out, doc, opts)
	case JUnit:
		err = writeJUnit(out, doc, opts)
	default:
		_, err = ParseFormat(string(format))
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("write %s report: %w", format, err)
	}
	return nil
}
