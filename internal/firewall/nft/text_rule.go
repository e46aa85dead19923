package nft

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// rule reads the statements of a rule to its end. What is not understood ends
// it with a statement that may do anything.
func (p *textParser) rule() ruleAST {
	r := ruleAST{pos: firewall.Position{File: p.b.file, Line: p.tok.line}}
	for !p.atEnd() {
		if p.is("comment") {
			p.take()
			p.take()
			continue
		}
		s, err := p.statement()
		if err != nil {
			why := "a rule that is not understood: " + err.Error()
			r.stmts = append(r.stmts, stmt{kind: stUnknown, op: why})
			p.skip()
			p.b.unparsed(r.pos.Line, p.endText(), err.Error())
			break
		}
		r.stmts = append(r.stmts, s)
		if len(r.stmts) > maxStatements {
			r.stmts = append(r.stmts[:maxStatements], stmt{kind: stUnknown, op: "a rule with too many statements"})
			p.skip()
			p.b.unparsed(r.pos.Line, p.endText(), "expected fewer statements in a rule")
			break
		}
	}
	r.text = p.endText()
	return r
}

// maxStatements of one rule: the kernel takes 128 expressions.
const maxStatements = 256

func isVerdict(word string) bool {
	switch word {
	case "accept", "drop", "return", "continue", "jump", "goto", "queue":
		return true
	}
	return false
}

func (p *textParser) verdict() (expr, error) {
	e := expr{kind: exVerdict, text: p.take().text}
	if e.text == "jump" || e.text == "goto" {
		if p.is("{") {
			name, err := p.innerChain()
			e.args = []expr{value(name)}
			return e, err
		}
		name, err := p.nameToken("the name of a chain")
		if err != nil {
			return e, err
		}
		e.args = []expr{value(name)}
	}
	return e, nil
}

// innerChain reads a chain that stands in the rule that jumps to it. The rule's
// own text ends before it.
func (p *textParser) innerChain() (string, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth || p.t == nil {
		return "", errors.New("nested too deeply")
	}
	line := p.tok.line
	own, base := slices.Clone(p.text), p.base
	name := fmt.Sprintf("__chain%d", len(p.t.named))
	c := p.t.chain(name)
	p.t.declareChain(c, firewall.Position{File: p.b.file, Line: line})
	p.take()
	for p.newlines(); !p.accept("}"); p.newlines() {
		if p.tok.kind == tkEnd {
			return name, errors.New("expected }: is the file cut off?")
		}
		p.startText()
		p.b.addRule(p.t, c, p.rule(), false)
	}
	p.text, p.taking, p.base = append(own, " { … }"...), true, base
	return name, nil
}

func (p *textParser) statement() (stmt, error) {
	if p.tok.kind != tkWord {
		return stmt{}, p.errSyntax("a match or a statement")
	}
	word := p.tok.text
	switch word {
	case "queue":
		p.toEnd()
		return stmt{kind: stVerdict, left: expr{kind: exVerdict, text: "queue"}}, nil
	case "accept", "drop", "return", "continue", "jump", "goto":
		v, err := p.verdict()
		return stmt{kind: stVerdict, left: v}, err
	case "reject":
		return p.reject()
	case "counter", "log", "notrack", "last":
		p.take()
		return p.simple(word), nil
	case "limit", "quota":
		return p.conditional(word)
	case "masquerade", "redirect", "dnat", "snat":
		return p.nat()
	case "tproxy":
		p.toEndOf("accept", "drop", "counter", "meta", "log")
		return stmt{kind: stUnknown, op: "tproxy hands packets to a program of the host", text: "tproxy"}, nil
	case "synproxy":
		p.toEnd()
		return stmt{kind: stUnknown, op: "synproxy answers in place of the server", text: "synproxy"}, nil
	case "dup":
		p.toEnd()
		return stmt{kind: stNop, text: "dup"}, nil
	case "fwd":
		p.toEnd()
		return stmt{kind: stUnknown, op: "fwd sends packets out of another device", text: "fwd"}, nil
	case "flow":
		p.take() // add, offload
		p.take()
		_, err := p.operand()
		return stmt{kind: stNop, text: "flow add"}, err
	case "add", "update", "delete", "set":
		return p.update()
	case "meter":
		return p.meter()
	case "xt":
		return p.xt()
	}
	return p.relation()
}

// toEnd passes over the operands of a statement that ends its rule, up to a
// comment.
func (p *textParser) toEnd() { p.toEndOf() }

func (p *textParser) toEndOf(words ...string) {
	p.take()
	for depth := 0; p.tok.kind != tkEnd; p.take() {
		switch {
		case p.is("{"):
			depth++
		case p.is("}") && depth > 0:
			depth--
			continue
		}
		if depth > 0 {
			continue
		}
		if p.atEnd() || p.is("comment") {
			return
		}
		if slices.ContainsFunc(words, p.is) {
			return
		}
	}
}

func (p *textParser) reject() (stmt, error) {
	s := stmt{kind: stReject}
	p.take()
	if !p.accept("with") {
		return s, nil
	}
	family, err := p.nameToken("tcp reset, icmp, icmpv6 or icmpx")
	if err != nil {
		return s, err
	}
	s.op = family
	switch family {
	case "tcp":
		s.op = "tcp reset"
		return s, p.expect("reset")
	case "icmp", "icmpv6", "icmpx":
		p.accept("type")
		_, err = p.nameToken("a type")
		return s, err
	}
	return s, errors.New("expected tcp reset, icmp, icmpv6 or icmpx")
}

// simple takes the operands of statements that change nothing.
func (p *textParser) simple(word string) stmt {
	switch word {
	case "notrack":
		return stmt{kind: stNotrack}
	case "counter":
		if p.accept("name") {
			return p.counterName()
		}
		for p.accept("packets") || p.accept("bytes") {
			p.take()
		}
	case "last":
		if p.accept("used") {
			p.take()
		}
	case "log":
		for {
			switch {
			case p.accept("prefix"), p.accept("level"), p.accept("group"), p.accept("snaplen"), p.accept("queue-threshold"):
				p.take()
			case p.accept("flags"):
				p.logFlags()
			default:
				return stmt{kind: stNop, text: word}
			}
		}
	}
	return stmt{kind: stNop, text: word}
}

// counterName takes the name of a counter, or a map that gives it.
func (p *textParser) counterName() stmt {
	if p.tok.kind == tkWord && p.startsSelector() {
		if _, err := p.expression(); err == nil {
			return stmt{kind: stUndecidable, op: "a lookup in a map that may have no such element", text: "counter"}
		}
	}
	p.take()
	return stmt{kind: stNop, text: "counter"}
}

// logFlags takes "tcp sequence,options", "ip options", "skuid", "ether", "all".
func (p *textParser) logFlags() {
	if first := p.take().text; first == "tcp" || first == "ip" {
		p.take()
		for p.accept(",") {
			p.take()
		}
	}
}

// conditional reads limit and quota.
func (p *textParser) conditional(word string) (stmt, error) {
	p.take()
	var text strings.Builder
	text.WriteString(word)
	for {
		switch {
		case p.is("rate"), p.is("over"), p.is("until"):
			text.WriteString(" " + p.take().text)
			continue
		case p.is("name"), p.is("used"), p.is("burst"):
			text.WriteString(" " + p.take().text + " " + p.take().text)
			continue
		case p.tok.kind == tkWord && p.tok.text[0] >= '0' && p.tok.text[0] <= '9':
			text.WriteString(" " + p.take().text)
			if p.accept("/") { // "5 / second"
				text.WriteString("/" + p.take().text)
			}
			continue
		case p.is("packets"), p.is("bytes"), p.is("kbytes"), p.is("mbytes"), p.is("gbytes"), p.is("/"):
			text.WriteString(" " + p.take().text)
			continue
		case p.tok.kind == tkWord && strings.Contains(p.tok.text, "bytes/"):
			text.WriteString(" " + p.take().text)
			continue
		case p.tok.kind == tkWord && perUnit(p.tok.text):
			text.WriteString(" " + p.take().text)
			continue
		case p.tok.kind == tkQuoted:
			p.take()
			continue
		}
		break
	}
	return condition(text.String()), nil
}

func perUnit(s string) bool {
	switch strings.TrimPrefix(s, "/") {
	case "second", "minute", "hour", "day", "week":
		return true
	}
	return false
}

// condition is a statement that matches as traffic has it.
func condition(text string) stmt {
	text = clip(text, 80)
	return stmt{kind: stUndecidable, op: text + " depends on traffic", text: text}
}

// relation reads a match, a verdict map or the setting of a field.
func (p *textParser) relation() (stmt, error) {
	if p.is("ct") {
		if s, ok, err := p.ctCount(); ok {
			return s, err
		}
	}
	left, err := p.lhs()
	if err != nil {
		return stmt{}, err
	}
	s := stmt{kind: stMatch, left: left}
	switch {
	case p.accept("vmap"):
		s.kind = stVmap
		s.right, err = p.dataOf()
		return s, err
	case p.accept("set"):
		s.kind = stMangle
		s.right, err = p.expression()
		p.class(&left)
		return s, err
	}
	s.op = p.operator()
	defer p.class(&left)
	if s.right, err = p.list(); err != nil {
		return s, err
	}
	if p.accept("/") {
		mask, err := p.list()
		if err != nil {
			return s, err
		}
		if s.op == "" {
			s.op = "=="
		}
		s.left = expr{kind: exBits, text: "&", args: []expr{left, mask}}
	}
	return s, nil
}

// class takes the second part of a class of traffic: "meta priority 1:5".
func (p *textParser) class(left *expr) {
	if left.text == "meta priority" && p.accept(":") {
		p.take()
	}
}

// ctCount reads "ct count over 10" if it stands here.
func (p *textParser) ctCount() (stmt, bool, error) {
	next := p.x.next()
	p.x.queue = append(p.x.queue, next)
	if next.kind != tkWord || next.text != "count" {
		return stmt{}, false, nil
	}
	p.take()
	p.take()
	text := "ct count"
	if p.accept("over") {
		text += " over"
	}
	n, err := p.nameToken("a number")
	return condition(text + " " + n), true, err
}

// operator takes a comparison; none is the implied one.
func (p *textParser) operator() string {
	if p.tok.kind != tkWord && p.tok.kind != tkSign {
		return ""
	}
	switch p.tok.text {
	case "==", "!=", "<", ">", "<=", ">=", "!":
		return p.take().text
	case "eq":
		p.take()
		return "=="
	case "ne":
		p.take()
		return "!="
	case "lt":
		p.take()
		return "<"
	case "gt":
		p.take()
		return ">"
	case "le":
		p.take()
		return "<="
	case "ge":
		p.take()
		return ">="
	}
	return ""
}
