package iptables

import (
	"strings"
	"unicode/utf8"
)

// maxText is how much of a line a rule keeps.
const maxText = 300

// token is one word of a line. A quoted word is never an option.
type token struct {
	text   string
	quoted bool
	end    int // where the line goes on
}

// tokenize splits a line as iptables-restore does (add_param_to_argv in
// iptables/xshared.c): words end at blanks, double quotes keep blanks together,
// a backslash protects the next byte inside quotes alone, a closing quote ends
// the word. Words share memory with the line where they can. open is true when
// a quote is not closed.
func tokenize(line string, into []token) (words []token, open bool) {
	words = into[:0]
	for i := 0; i < len(line); {
		if blank(line[i]) {
			i++
			continue
		}
		start := i
		for i < len(line) && !blank(line[i]) && line[i] != '"' {
			i++
		}
		if i == len(line) || line[i] != '"' {
			words = append(words, token{text: line[start:i], end: i})
			continue
		}
		rest, used, closed := quotedPart(line[i+1:])
		text := line[start:i] + rest
		i += 1 + used
		words = append(words, token{text: text, quoted: true, end: i})
		if !closed {
			return words, true
		}
	}
	return words, false
}

// quotedPart reads up to the closing quote; used counts the bytes with it.
func quotedPart(s string) (text string, used int, closed bool) {
	plain := strings.IndexAny(s, `"\`)
	if plain < 0 {
		return s, len(s), false
	}
	if s[plain] == '"' {
		return s[:plain], plain + 1, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), i + 1, true
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), len(s), false
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// arena keeps many short strings in few allocations. The zero value is ready.
type arena struct{ b strings.Builder }

func (a *arena) keep(line []byte) string {
	const chunk = 64 << 10
	if a.b.Cap()-a.b.Len() < len(line) {
		a.b = strings.Builder{}
		a.b.Grow(max(chunk, len(line)))
	}
	start := a.b.Len()
	a.b.Write(line)
	return a.b.String()[start:]
}

// clip shortens to at most n bytes without cutting a character.
func clip[T string | []byte](s T, n int) T {
	if len(s) <= n {
		return s
	}
	// A character has at most four bytes; what is none may be cut anywhere.
	for back := range min(n, utf8.UTFMax) {
		if utf8.RuneStart(s[n-back]) {
			return s[:n-back]
		}
	}
	return s[:n]
}

// interner gives equal strings the same memory, which is not that of the line
// they came from. Beyond its bound it copies.
type interner map[string]string

func (t interner) get(s string) string {
	if kept, ok := t[s]; ok {
		return kept
	}
	kept := strings.Clone(s)
	if len(t) < internBound {
		t[kept] = kept
	}
	return kept
}

// internBound keeps the tables that only save memory from taking it.
const internBound = 1 << 14
