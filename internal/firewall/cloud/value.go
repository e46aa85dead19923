package cloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"reconshield/internal/firewall"
)

// MaxText is how many bytes of JSON are read.
const MaxText = 128 << 20

// Kind is the type of a JSON value.
type Kind uint8

// Kinds. Absent is that of the zero Value.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	Text
	Array
	Object
)

// document is a text known to be valid JSON, with the offsets of its newlines.
type document struct {
	file     string
	text     []byte
	newlines []uint32
}

// Value is a value in a JSON text, which it points into: it costs no memory of
// its own and looks at the text anew each time it is asked. The zero Value is
// absent. Values are safe for concurrent use.
type Value struct {
	doc      *document
	from, to int
}

// Parse checks that text is one JSON document of at most MaxText bytes and
// gives its outermost value. The text must not change afterwards. A byte order
// mark is passed over.
func Parse(file string, text []byte) (Value, error) {
	if len(text) > MaxText {
		return Value{}, fmt.Errorf("%s: more than 128 MiB; give the output of one region or network at a time", file)
	}
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		return Value{}, fmt.Errorf("%s:1: UTF-16 text; save it as UTF-8", file)
	}
	text = trimMark(text)
	if !json.Valid(text) {
		return Value{}, syntaxError(file, text)
	}
	doc := &document{file: file, text: text}
	for i := 0; ; i++ {
		n := bytes.IndexByte(text[i:], '\n')
		if n < 0 {
			break
		}
		i += n
		doc.newlines = append(doc.newlines, uint32(i))
	}
	from := space(text, 0)
	return Value{doc, from, skip(text, from)}, nil
}

// trimMark takes UTF-8's byte order mark away.
func trimMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }

func syntaxError(file string, text []byte) error {
	var ignored json.RawMessage
	err := json.Unmarshal(text, &ignored)
	line := 1
	if at, ok := errors.AsType[*json.SyntaxError](err); ok {
		line += bytes.Count(text[:min(int(at.Offset), len(text))], []byte("\n"))
	}
	return fmt.Errorf("%s:%d: expected one JSON document: %w", file, line, err)
}

// Kind is the type of the value.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return Absent
	}
	switch v.doc.text[v.from] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return Text
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// None reports whether the value is absent or null.
func (v Value) None() bool { return v.Kind() <= Null }

// Pos is where the value begins.
func (v Value) Pos() firewall.Position {
	if v.doc == nil {
		return firewall.Position{}
	}
	low, high := 0, len(v.doc.newlines)
	for low < high {
		mid := (low + high) / 2
		if int(v.doc.newlines[mid]) < v.from {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return firewall.Position{File: v.doc.file, Line: low + 1}
}

// Raw is the value as it stands, on one line of at most limit bytes.
func (v Value) Raw(limit int) string {
	if v.doc == nil {
		return ""
	}
	// Twice the limit leaves room for the white space that goes.
	return OneLine(string(v.doc.text[v.from:min(v.to, v.from+2*limit)]), limit)
}

// Contains reports whether the bytes stand anywhere in the value's text.
func (v Value) Contains(part []byte) bool {
	return v.doc != nil && bytes.Contains(v.doc.text[v.from:v.to], part)
}

// Text is the string; ok is false for other kinds.
func (v Value) Text() (s string, ok bool) {
	if v.Kind() != Text {
		return "", false
	}
	return unquote(v.doc.text[v.from:v.to]), true
}

// Int is the number; ok is false for other kinds and for numbers that are not
// whole or do not fit.
func (v Value) Int() (n int64, ok bool) {
	if v.Kind() != Number {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v.doc.text[v.from:v.to]), 10, 64)
	return n, err == nil
}

// Bool is the truth value; ok is false for other kinds.
func (v Value) Bool() (b, ok bool) {
	if v.Kind() != Bool {
		return false, false
	}
	return v.doc.text[v.from] == 't', true
}

// Items are the elements of an array; of other kinds, none.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		text := v.doc.text
		for i := space(text, v.from+1); text[i] != ']'; {
			end := skip(text, i)
			if !yield(Value{v.doc, i, end}) {
				return
			}
			i = afterComma(text, end)
		}
	}
}

// Fields are the names and values of an object in their order; of other kinds,
// none.
func (v Value) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		text := v.doc.text
		for i := space(text, v.from+1); text[i] != '}'; {
			end := skip(text, i)
			name := unquote(text[i:end])
			i = space(text, space(text, end)+1)
			end = skip(text, i)
			if !yield(name, Value{v.doc, i, end}) {
				return
			}
			i = afterComma(text, end)
		}
	}
}

// Field is the named value of an object: the first of that name, absent when
// there is none.
func (v Value) Field(name string) Value {
	for n, value := range v.Fields() {
		if n == name {
			return value
		}
	}
	return Value{}
}

// space is the offset of the first byte from i on that is not white space.
func space(text []byte, i int) int {
	for i < len(text) && strings.IndexByte(" \t\r\n", text[i]) >= 0 {
		i++
	}
	return i
}

// afterComma is the offset of the next element, or of the closing bracket.
func afterComma(text []byte, i int) int {
	i = space(text, i)
	if text[i] == ',' {
		i = space(text, i+1)
	}
	return i
}

// skip is the offset after the value at i. The text is valid, so brackets need
// only be counted.
func skip(text []byte, i int) int {
	depth := 0
	for i < len(text) {
		switch text[i] {
		case '"':
			i = skipString(text, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\r', '\n':
			i++
			continue
		default:
			for i < len(text) && strings.IndexByte(",]} \t\r\n", text[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

func skipString(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return string(inner)
	}
	return s
}

// OneLine puts a text on one line: runs of white space become one blank, other
// control characters a question mark. It is cut to limit bytes at a character.
func OneLine(s string, limit int) string {
	var b strings.Builder
	for field := range strings.FieldsSeq(strings.ToValidUTF8(s, "?")) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		for _, r := range field {
			if !strconv.IsPrint(r) {
				r = '?'
			}
			// Room for a blank and the ellipsis stays free.
			if b.Len()+utf8.RuneLen(r)+4 > limit {
				b.WriteString("…")
				return b.String()
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}
