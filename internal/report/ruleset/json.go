package ruleset

import (
	"bytes"
	"encoding/json"
	"io"

	"reconshield/internal/report"
)

// jsonWriter writes one object member by member, indented by two spaces, so
// that a large audit is never held as text. The first error ends all writing.
type jsonWriter struct {
	w   io.Writer
	buf bytes.Buffer
	any bool // whether a member was written
	err error
}

// writeJSON writes one object. Texts are kept verbatim; characters that a
// terminal could act on are written as \u escapes.
func writeJSON(w io.Writer, doc *Document) error {
	j := &jsonWriter{w: w}
	j.text("{")
	j.member("schema", doc.Schema)
	j.member("files", doc.Files)
	if doc.Policy != "" {
		j.member("policy", doc.Policy)
	}
	list(j, "answers", doc.Answers)
	list(j, "findings", doc.Findings)
	list(j, "unparsed", doc.Unparsed)
	list(j, "assumed", doc.Assumed)
	if doc.Changes != nil {
		list(j, "changes", doc.Changes)
	}
	j.text("\n}\n")
	return j.err
}

func (j *jsonWriter) text(s string) {
	if j.err == nil {
		_, j.err = io.WriteString(j.w, s)
	}
}

// name begins a member.
func (j *jsonWriter) name(key string) {
	if j.any {
		j.text(",")
	}
	j.any = true
	j.text("\n  \"" + key + "\": ")
}

func (j *jsonWriter) member(key string, v any) {
	j.name(key)
	j.value(v, "  ")
}

func (j *jsonWriter) value(v any, prefix string) {
	if j.err != nil {
		return
	}
	raw, err := report.EncodeJSON(v)
	if err == nil {
		j.buf.Reset()
		err = json.Indent(&j.buf, raw, prefix, "  ")
	}
	if err == nil {
		_, err = j.w.Write(j.buf.Bytes())
	}
	j.err = err
}

// list writes an array, its elements one by one.
func list[T any](j *jsonWriter, key string, elements []T) {
	j.name(key)
	if len(elements) == 0 {
		j.text("[]")
		return
	}
	begin := "[\n    "
	for i := range elements {
		j.text(begin)
		j.value(&elements[i], "    ")
		begin = ",\n    "
	}
	j.text("\n  ]")
}
