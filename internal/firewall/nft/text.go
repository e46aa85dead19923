package nft

import (
	"fmt"
	"io"
	"slices"

	"reconshield/internal/firewall"
)

// ParseText reads nft's own language: the output of "nft list ruleset", with
// or without -a and -n, and files written by people. The file is taken for the
// whole ruleset. What is not understood is in Unparsed, and rules that hold it
// have an action of kind Unknown. The error tells that r cannot be read or
// holds no line of nft.
func ParseText(file string, r io.Reader) (*firewall.Ruleset, error) {
	p := &textParser{x: newLexer(r), b: newBuilder(file), vars: map[string][]token{}, budget: maxExpanded}
	p.fetch()
	for p.tok.kind != tkEnd {
		p.command()
	}
	if p.x.err != nil {
		return nil, fmt.Errorf("%s:%d: %w", file, p.x.line, p.x.err)
	}
	if !p.known && len(p.b.rs.Unparsed) > 0 {
		u := p.b.rs.Unparsed[0]
		return nil, fmt.Errorf("%s: expected the output of nft list ruleset, found %q", u.Pos, clip(u.Text, 60))
	}
	return p.b.finish(), nil
}

// maxExpanded bounds the tokens that variables may expand to in a file.
const maxExpanded = 2 << 20

type textParser struct {
	x      *lexer
	b      *builder
	tok    token // the next one
	vars   map[string][]token
	budget int
	known  bool // a command was understood
	text   []byte
	taking bool // text gathers what is read
	depth  int
	t      *table // of the rule being read
	open   int    // braces
	base   int    // open where the statement being read began
}

// errSyntax says what was expected at the token.
func (p *textParser) errSyntax(expected string) error {
	found := p.tok.text
	switch p.tok.kind {
	case tkEnd:
		found = "end of file"
	case tkNewline:
		found = "end of line"
	case tkWord, tkQuoted, tkSign, tkVariable:
	}
	return fmt.Errorf("expected %s, found %q", expected, clip(found, 40))
}

// fetch reads the next token, variables expanded.
func (p *textParser) fetch() {
	for {
		p.tok = p.x.next()
		if p.tok.kind != tkVariable {
			return
		}
		p.gather(token{kind: tkWord, text: "$" + p.tok.text, spaced: p.tok.spaced})
		value, ok := p.vars[p.tok.text]
		p.budget -= len(value)
		if !ok || p.budget < 0 {
			why := "variable is not defined in this file"
			if ok {
				why = "variables expand to too much"
			}
			p.b.unparsed(p.tok.line, "$"+p.tok.text, why)
			p.tok.kind, p.tok.text = tkWord, "$"+p.tok.text
			return
		}
		for _, t := range slices.Backward(value) {
			t.line, t.macro = p.tok.line, true
			p.x.queue = append(p.x.queue, t)
		}
	}
}

// take gives the next token and goes on.
func (p *textParser) take() token {
	t := p.tok
	if !t.macro {
		p.gather(t)
	}
	if t.kind == tkSign && t.text == "{" {
		p.open++
	} else if t.kind == tkSign && t.text == "}" {
		p.open--
	}
	p.fetch()
	return t
}

// gather keeps the text of a statement.
func (p *textParser) gather(t token) {
	if !p.taking || len(p.text) > maxText || t.kind == tkEnd || t.kind == tkNewline {
		return
	}
	if len(p.text) > 0 && t.spaced {
		p.text = append(p.text, ' ')
	}
	if t.kind == tkQuoted {
		p.text = append(append(append(p.text, '"'), t.text...), '"')
		return
	}
	p.text = append(p.text, t.text...)
}

// startText begins a statement.
func (p *textParser) startText() { p.text, p.taking, p.base = p.text[:0], true, p.open }

func (p *textParser) endText() string {
	p.taking = false
	return clip(string(p.text), maxText-3)
}

func (p *textParser) is(text string) bool {
	return (p.tok.kind == tkWord || p.tok.kind == tkSign) && p.tok.text == text
}

// accept takes the token if it is text.
func (p *textParser) accept(text string) bool {
	if p.is(text) {
		p.take()
		return true
	}
	return false
}

func (p *textParser) expect(text string) error {
	if !p.accept(text) {
		return p.errSyntax(text)
	}
	return nil
}

// nameToken takes a word or quoted string.
func (p *textParser) nameToken(what string) (string, error) {
	if p.tok.kind != tkWord && p.tok.kind != tkQuoted {
		return "", p.errSyntax(what)
	}
	return p.take().text, nil
}

func (p *textParser) newlines() {
	for p.tok.kind == tkNewline {
		p.take()
	}
}

// atEnd reports whether a statement is over.
func (p *textParser) atEnd() bool {
	return p.tok.kind == tkEnd || p.tok.kind == tkNewline || p.is("}")
}

// skip passes over the rest of a statement with the blocks in it.
func (p *textParser) skip() {
	for p.tok.kind != tkEnd && (p.open > p.base || !p.atEnd()) {
		p.take()
	}
}

// failed records a statement that was not understood and passes over it.
func (p *textParser) failed(line int, err error) {
	p.skip()
	p.b.unparsed(line, p.endText(), err.Error())
}
