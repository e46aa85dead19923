package nft

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// token is a word, a quoted string or a sign of nft's text.
type token struct {
	kind   tokenKind
	text   string
	line   int
	spaced bool // white space stood before
	macro  bool // from a variable, not from the text itself
}

type tokenKind uint8

const (
	tkEnd     tokenKind = iota
	tkNewline           // a line's end or a semicolon
	tkWord
	tkQuoted
	tkSign // { } ( ) [ ] , = == != < <= > >= ! & | ^ << >> - : . /
	tkVariable
)

// maxToken bounds a word or quoted string: no name of nft is as long.
const maxToken = 512

// lexer cuts text into tokens. It holds no more of it than a buffer.
type lexer struct {
	r      *bufio.Reader
	line   int
	queue  []token // read already, the next last
	intern map[string]string
	err    error // of reading
	buf    []byte
}

func newLexer(r io.Reader) *lexer {
	x := &lexer{r: bufio.NewReaderSize(r, 1<<16), line: 1, intern: map[string]string{}}
	if mark, _ := x.r.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = x.r.Discard(3) // was just seen
	}
	return x
}

// maxIntern bounds the words that are kept once.
const maxIntern = 1 << 14

func (x *lexer) keep(b []byte) string {
	if s, ok := x.intern[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) < 32 && len(x.intern) < maxIntern {
		x.intern[s] = s
	}
	return s
}

func (x *lexer) byte() (byte, bool) {
	c, err := x.r.ReadByte()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			x.err = err
		}
		return 0, false
	}
	if c == '\n' {
		x.line++
	}
	return c, true
}

func (x *lexer) back(c byte) {
	if c == '\n' {
		x.line--
	}
	_ = x.r.UnreadByte() // a byte was just read
}

func (x *lexer) next() token {
	if n := len(x.queue); n > 0 {
		t := x.queue[n-1]
		x.queue = x.queue[:n-1]
		return t
	}
	spaced := false
	for {
		c, ok := x.byte()
		if !ok {
			return token{kind: tkEnd, line: x.line}
		}
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			spaced = true
		case c == '\\':
			spaced = true
			x.continuation()
		case c == '#':
			x.comment()
		case c == '\n' || c == ';':
			line := x.line
			if c == '\n' {
				line--
			}
			return token{kind: tkNewline, text: ";", line: line}
		case c == '"':
			return x.quoted(spaced)
		case c == '$':
			t := token{kind: tkVariable, line: x.line, spaced: spaced}
			t.text = x.run(nameByte)
			return t
		case wordByte(c):
			x.back(c)
			return x.word(spaced)
		case c == '[' && x.remark():
			spaced = true
		default:
			return x.sign(c, spaced)
		}
	}
}

// remark takes what nft 1.0 prints behind a value whose type it has lost
// ("0x35 [invalid type]"); the value itself is right.
func (x *lexer) remark() bool {
	const text = "invalid type]"
	if head, _ := x.r.Peek(len(text)); string(head) != text {
		return false
	}
	_, _ = x.r.Discard(len(text)) // was just seen
	return true
}

// continuation takes the end of line after a backslash.
func (x *lexer) continuation() {
	for {
		c, ok := x.byte()
		switch {
		case !ok || c == '\n':
			return
		case c != ' ' && c != '\t' && c != '\r':
			x.back(c)
			return
		}
	}
}

func (x *lexer) comment() {
	for {
		c, ok := x.byte()
		if !ok {
			return
		}
		if c == '\n' {
			x.back(c)
			return
		}
	}
}

func (x *lexer) quoted(spaced bool) token {
	t := token{kind: tkQuoted, line: x.line, spaced: spaced}
	x.buf = x.buf[:0]
	for {
		c, ok := x.byte()
		if ok && c == '\n' {
			x.back(c) // no string of nft goes on in the next line
			break
		}
		if !ok || c == '"' || len(x.buf) > maxToken {
			break
		}
		x.buf = append(x.buf, c)
	}
	t.text = x.keep(x.buf)
	return t
}

func wordByte(c byte) bool {
	return nameByte(c) || c == ':' || c == '*' || c == '@' || c == '%' || c == '+'
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == '/' || c >= 0x80
}

func (x *lexer) run(ok func(byte) bool) string {
	x.buf = x.buf[:0]
	for {
		c, more := x.byte()
		if !more {
			break
		}
		if !ok(c) || len(x.buf) > maxToken {
			x.back(c)
			break
		}
		x.buf = append(x.buf, c)
	}
	return x.keep(x.buf)
}

// word reads a run of bytes that form words and cuts it as nft would: at the
// dash of a range, at the colon of a mapping.
func (x *lexer) word(spaced bool) token {
	s := x.run(wordByte)
	pieces := cutWord(s)
	for i := len(pieces) - 1; i > 0; i-- {
		x.queue = append(x.queue, token{kind: kindOf(pieces[i]), text: pieces[i], line: x.line})
	}
	return token{kind: kindOf(pieces[0]), text: pieces[0], line: x.line, spaced: spaced}
}

func kindOf(s string) tokenKind {
	switch s {
	case "-", ":", ".", "/":
		return tkSign
	}
	return tkWord
}

// cutWord cuts a run of word bytes. It gives at least one piece.
func cutWord(s string) []string {
	out := make([]string, 0, 1)
	for {
		if len(s) > 1 && (s[0] == '-' || s[0] == ':' && s[1] != ':') {
			out, s = append(out, s[:1]), s[1:]
			continue
		}
		digit := s[0] >= '0' && s[0] <= '9'
		first, last, ok := strings.Cut(s, "-")
		if !ok || first == "" || last == "" || !digit && strings.Count(s, ":") < 2 {
			return cutColon(out, s)
		}
		out, s = append(cutColon(out, first), "-"), last
	}
}

// cutColon appends s, cut at a colon that belongs to no address.
func cutColon(out []string, s string) []string {
	colons := strings.Count(s, ":")
	switch {
	case len(s) == 1:
		return append(out, s)
	case colons == 1:
		first, last, _ := strings.Cut(s, ":")
		if first != "" {
			out = append(out, first)
		}
		out = append(out, ":")
		if last != "" {
			out = append(out, last)
		}
		return out
	case colons > 2 && s[len(s)-1] == ':' && s[len(s)-2] != ':':
		return append(out, s[:len(s)-1], ":")
	}
	return append(out, s)
}

func (x *lexer) sign(c byte, spaced bool) token {
	t := token{kind: tkSign, text: string(rune(c)), line: x.line, spaced: spaced}
	var second string
	switch c {
	case '=', '!':
		second = "="
	case '<':
		second = "=<"
	case '>':
		second = "=>"
	default:
		return t
	}
	if d, ok := x.byte(); ok {
		if strings.IndexByte(second, d) >= 0 {
			t.text += string(rune(d))
		} else {
			x.back(d)
		}
	}
	return t
}
