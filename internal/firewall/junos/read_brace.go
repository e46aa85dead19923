package junos

import (
	"bytes"
	"fmt"
	"strings"
)

// Kinds of tokens.
type kind uint8

const (
	word kind = iota
	mark      // one of { } ; [ ]
	endOfLine
	endOfText
	unreadable
)

type token struct {
	kind kind
	text string
	line int
}

// lexer cuts a text into words and marks. By line it gives the ends of lines
// and takes only brackets as marks, as words.
type lexer struct {
	text   []byte
	line   int
	byLine bool
}

// next gives the next token.
func (l *lexer) next() token {
	for len(l.text) > 0 {
		c := l.text[0]
		switch {
		case c == '\n':
			l.text = l.text[1:]
			l.line++
			if l.byLine {
				return token{endOfLine, "", l.line - 1}
			}
		case c == ' ' || c == '\t' || c == '\r':
			l.text = l.text[1:]
		case c == '#':
			l.text = l.text[until(l.text, '\n'):]
		case c == '/' && len(l.text) > 1 && l.text[1] == '*':
			l.comment()
		case c == '"':
			return l.quotation()
		case strings.IndexByte("{};[]", c) >= 0:
			l.text = l.text[1:]
			return token{mark, string(c), l.line}
		default:
			return l.word()
		}
	}
	return token{endOfText, "", l.line}
}

func until(text []byte, c byte) int {
	if i := bytes.IndexByte(text, c); i >= 0 {
		return i
	}
	return len(text)
}

func (l *lexer) comment() {
	end := bytes.Index(l.text, []byte("*/"))
	if end < 0 {
		end = len(l.text) - 2
	}
	l.line += bytes.Count(l.text[:end+2], []byte("\n"))
	l.text = l.text[end+2:]
}

func (l *lexer) quotation() token {
	line := l.line
	i := 1
	for i < len(l.text) && l.text[i] != '"' && (!l.byLine || l.text[i] != '\n') {
		if l.text[i] == '\\' && i+1 < len(l.text) && l.text[i+1] != '\n' {
			i++
		}
		i++
	}
	if i >= len(l.text) || l.text[i] != '"' {
		t := token{unreadable, string(l.text[:min(i, len(l.text), 100)]), line}
		l.text = l.text[min(i, len(l.text)):]
		return t
	}
	t := token{word, strings.ReplaceAll(string(l.text[1:i]), `\"`, `"`), line}
	l.line += bytes.Count(l.text[:i], []byte("\n"))
	l.text = l.text[i+1:]
	if len(t.text) > maxWord {
		t.text = t.text[:maxWord] // of descriptions and keys; no name is as long
	}
	return t
}

func (l *lexer) word() token {
	i := bytes.IndexAny(l.text, " \t\r\n{};[]\"")
	if i < 0 {
		i = len(l.text)
	}
	t := token{word, "", l.line}
	if i > maxWord {
		t.kind, t.text = unreadable, string(l.text[:100])
	} else {
		t.text = string(l.text[:i])
	}
	l.text = l.text[i:]
	return t
}

// braces reads the form in braces.
func (t *tree) braces(l *lexer) error {
	open := []*node{t.root} // where the statements of each block go
	var statement []token
	for {
		k := l.next()
		switch {
		case k.kind == endOfText && len(open) == 1 && len(statement) == 0:
			return nil
		case k.kind == endOfText:
			return fmt.Errorf("%s:%d: the text ends within a block; expected } or ;", t.file, k.line)
		case k.kind == unreadable:
			return fmt.Errorf("%s:%d: a quotation does not end or a word is longer than 1024 bytes", t.file, k.line)
		case k.kind == word || k.text == "[" || k.text == "]":
			statement = append(statement, k)
			if len(statement) > maxNodes {
				return fmt.Errorf("%s:%d: expected ; or {", t.file, k.line)
			}
		case k.text == "}" && (len(open) == 1 || len(statement) > 0):
			return fmt.Errorf("%s:%d: expected ; before }, and a { for each", t.file, k.line)
		case k.text == "}":
			open = open[:len(open)-1]
		default:
			n, err := t.statement(open[len(open)-1], statement)
			if err != nil {
				return fmt.Errorf("%s:%d: %w", t.file, k.line, err)
			}
			statement = statement[:0]
			if k.text == "{" {
				open = append(open, n)
			}
		}
		if len(open) > maxDepth || t.count > maxNodes {
			return fmt.Errorf("%s:%d: expected at most %d blocks within each other and %d words", t.file, k.line, maxDepth, maxNodes)
		}
	}
}

// statement adds the words of one statement below n and gives the last.
func (t *tree) statement(n *node, words []token) (*node, error) {
	inactive := false
	for len(words) > 0 && (words[0].text == "inactive:" || words[0].text == "protect:" || words[0].text == "replace:") {
		inactive = inactive || words[0].text == "inactive:"
		words = words[1:]
	}
	for i, w := range words {
		if w.text == "[" && w.kind == mark {
			for _, v := range words[i+1:] {
				if v.kind == word {
					t.add(n, v.text, v.line).inactive = inactive
				}
			}
			return n, nil
		}
		if i >= maxDepth {
			return nil, fmt.Errorf("expected a statement of at most %d words", maxDepth)
		}
		n = t.add(n, w.text, w.line)
	}
	n.inactive = n.inactive || inactive && len(words) > 0
	return n, nil
}
