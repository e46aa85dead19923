package nft

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"strconv"
)

// raw is one valid JSON value as it stands in the file, without white space
// around. Walking it makes no tree: a set of a million elements is seen one
// element at a time.
type raw []byte

// kind is the first byte of the value: { [ " t f n - or a digit.
func (r raw) kind() byte {
	if len(r) == 0 {
		return 0
	}
	return r[0]
}

func (r raw) null() bool { return r.kind() == 'n' || len(r) == 0 }

// str is the value as text: strings without quotes, numbers as they stand.
func (r raw) str() string {
	if r.kind() != '"' {
		if r.kind() == '{' || r.kind() == '[' {
			return ""
		}
		return string(r)
	}
	if bytes.IndexByte(r, '\\') >= 0 {
		var s string
		_ = json.Unmarshal(r, &s) // the decoder saw that it is valid
		return s
	}
	return string(r[1 : len(r)-1])
}

// fields walks an object. Of another value there are none.
func (r raw) fields() iter.Seq2[string, raw] {
	return func(yield func(string, raw) bool) {
		if r.kind() != '{' {
			return
		}
		for at := 1; ; {
			at = r.space(at)
			if at >= len(r) || r[at] == '}' {
				return
			}
			end := r.skip(at)
			key := r[at:end].str()
			at = r.space(r.space(end) + 1) // the colon
			end = r.skip(at)
			if !yield(key, r[at:end]) {
				return
			}
			at = r.comma(end)
		}
	}
}

// elements walks an array. Another value is its only element, as libnftables
// writes lists of one.
func (r raw) elements() iter.Seq[raw] {
	return func(yield func(raw) bool) {
		if r.kind() != '[' {
			if !r.null() {
				yield(r)
			}
			return
		}
		for at := 1; ; {
			at = r.space(at)
			if at >= len(r) || r[at] == ']' {
				return
			}
			end := r.skip(at)
			if !yield(r[at:end]) {
				return
			}
			at = r.comma(end)
		}
	}
}

// get is a field of an object; nil when there is none.
func (r raw) get(name string) raw {
	for k, v := range r.fields() {
		if k == name {
			return v
		}
	}
	return nil
}

// only is the name and value of the first field.
func (r raw) only() (string, raw) {
	for k, v := range r.fields() {
		return k, v
	}
	return "", nil
}

func (r raw) number() int {
	n, _ := strconv.Atoi(string(r)) // zero for what is no number
	return n
}

func (r raw) space(at int) int {
	for at < len(r) && (r[at] == ' ' || r[at] == '\n' || r[at] == '\t' || r[at] == '\r') {
		at++
	}
	return at
}

func (r raw) comma(at int) int {
	at = r.space(at)
	if at < len(r) && r[at] == ',' {
		at++
	}
	return at
}

// skip is the end of the value that begins at at.
func (r raw) skip(at int) int {
	depth := 0
	for at < len(r) {
		switch r[at] {
		case '"':
			at = r.skipString(at)
			if depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return at + 1
			}
			if depth < 0 {
				return at
			}
		case ',', ' ', '\n', '\t', '\r', ':':
			if depth == 0 {
				return at
			}
		}
		at++
	}
	return at
}

func (r raw) skipString(at int) int {
	for at++; at < len(r); at++ {
		switch r[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(r)
}

// lineReader counts lines: it remembers where those end that were read ahead.
type lineReader struct {
	r    io.Reader
	read int64
	ends []int64 // those from head on are not counted yet
	head int
	line int
}

func (l *lineReader) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	for i, c := range b[:n] {
		if c == '\n' {
			l.ends = append(l.ends, l.read+int64(i))
		}
	}
	l.read += int64(n)
	return n, err
}

// at is the line of an offset. Offsets must not fall from call to call.
func (l *lineReader) at(offset int64) int {
	for l.head < len(l.ends) && l.ends[l.head] < offset {
		l.head++
		l.line++
	}
	if l.head > len(l.ends)/2 {
		l.ends, l.head = append(l.ends[:0], l.ends[l.head:]...), 0
	}
	return l.line + 1
}
