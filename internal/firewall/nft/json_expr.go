package nft

import (
	"errors"
	"fmt"
	"strings"
)

// word keeps one copy of strings that come again in every rule.
func (p *jsonParser) word(s string) string {
	if k, ok := p.words[s]; ok {
		return k
	}
	if len(s) < 64 && len(p.words) < maxIntern {
		p.words[s] = s
	}
	return s
}

// expr reads an expression. What is not understood is a selector by its name,
// of which nothing is known.
func (p *jsonParser) expr(v raw, depth int) expr {
	if depth > maxDepth {
		return selector("an expression that is nested too deeply")
	}
	switch v.kind() {
	case '"':
		s := v.str()
		if strings.HasPrefix(s, "@") {
			return expr{kind: exSetRef, text: p.word(s[1:])}
		}
		return value(p.word(s))
	case '[':
		return p.many(exList, "", v, depth)
	case '{':
		name, body := v.only()
		return p.object(name, body, depth)
	case 't':
		return value("exists")
	case 'f':
		return value("missing")
	}
	return value(p.word(string(v)))
}

func (p *jsonParser) many(kind exprKind, text string, list raw, depth int) expr {
	e := expr{kind: kind, text: text}
	for x := range list.elements() {
		e.args = append(e.args, p.expr(x, depth+1))
	}
	return e
}

func (p *jsonParser) object(name string, body raw, depth int) expr {
	switch name {
	case "payload":
		return p.payload(body)
	case "meta":
		return selector(p.word("meta " + body.get("key").str()))
	case "ct":
		return selector(p.word(ctName(body)))
	case "fib":
		return p.fib(body)
	case "prefix":
		return value(p.expr(body.get("addr"), depth+1).text + "/" + clip(string(body.get("len")), 4))
	case "range":
		return p.many(exRange, "", body, depth)
	case "concat":
		return p.many(exConcat, "", body, depth)
	case "set":
		e := expr{kind: exSet}
		for x := range body.elements() {
			e.args = append(e.args, p.element(x, nil, depth+1))
		}
		return e
	case "&", "|", "^", "<<", ">>":
		return p.bits(name, body, depth)
	case "map":
		return expr{kind: exMap, args: []expr{p.expr(body.get("key"), depth+1), p.expr(body.get("data"), depth+1)}}
	case "elem":
		return p.expr(body.get("val"), depth+1)
	case "accept", "drop", "return", "continue", "jump", "goto", "queue":
		return verdictOf(name, body)
	case "numgen", "jhash", "symhash":
		return selector(p.word(p.hash(name, body, depth)))
	case "tcp option", "ip option", "exthdr", "socket", "osf", "rt", "ipsec", "sctp chunk", "dccp option":
		return selector(p.word(otherName(name, body)))
	}
	return selector(p.word(clip(name, 40)))
}

// bits folds a list of operands to the left, as newer versions write three.
func (p *jsonParser) bits(op string, list raw, depth int) expr {
	all := p.many(exBits, op, list, depth)
	if len(all.args) < 2 || len(all.args) > maxDepth {
		return selector("a bit operation that is not understood")
	}
	e := all.args[0]
	for _, right := range all.args[1:] {
		e = expr{kind: exBits, text: op, args: []expr{e, right}}
	}
	return e
}

func (p *jsonParser) payload(body raw) expr {
	if base := body.get("base"); base != nil {
		return selector(p.word(rawName(base.str(), string(body.get("offset")), string(body.get("len")))))
	}
	if body.get("tunnel") != nil {
		return selector(p.word(body.get("tunnel").str() + " " + body.get("protocol").str() + " " + body.get("field").str()))
	}
	return selector(p.word(body.get("protocol").str() + " " + body.get("field").str()))
}

// ctName gives "ct original ip daddr".
func ctName(body raw) string {
	words := []string{"ct"}
	if dir := body.get("dir"); dir != nil {
		words = append(words, dir.str())
	}
	if family := body.get("family"); family != nil {
		words = append(words, family.str())
	}
	return strings.Join(append(words, body.get("key").str()), " ")
}

// fib gives "fib daddr . iif type".
func (p *jsonParser) fib(body raw) expr {
	var flags []string
	for f := range body.get("flags").elements() {
		if len(flags) < maxDepth {
			flags = append(flags, f.str())
		}
	}
	return selector(p.word("fib " + strings.Join(flags, " . ") + " " + body.get("result").str()))
}

func (p *jsonParser) hash(name string, body raw, depth int) string {
	out := name
	if e := body.get("expr"); e != nil {
		key := p.expr(e, depth+1)
		out += " " + key.String()
	}
	if mode := body.get("mode"); mode != nil {
		out += " " + mode.str()
	}
	return out + " mod " + clip(string(body.get("mod")), 20)
}

// otherName names an expression that is not decided.
func otherName(name string, body raw) string {
	for _, k := range []string{"dir", "family", "name", "key", "field"} {
		if v := body.get(k); v != nil {
			name += " " + clip(v.str(), 40)
		}
	}
	return name
}

func verdictOf(name string, body raw) expr {
	e := expr{kind: exVerdict, text: name}
	if name == "jump" || name == "goto" {
		e.args = []expr{value(body.get("target").str())}
	}
	return e
}

// statement reads one statement of a rule.
func (p *jsonParser) statement(t *table, v raw) (stmt, error) {
	if v.kind() == '"' {
		return p.asText(t, v.str())
	}
	name, body := v.only()
	switch name {
	case "match":
		s := stmt{kind: stMatch, op: p.word(body.get("op").str()), left: p.expr(body.get("left"), 0), right: p.expr(body.get("right"), 0)}
		if s.op == "in" {
			s.op = ""
		}
		return s, nil
	case "vmap":
		return stmt{kind: stVmap, left: p.expr(body.get("key"), 0), right: p.expr(body.get("data"), 0)}, nil
	case "accept", "drop", "return", "continue", "jump", "goto", "queue":
		return stmt{kind: stVerdict, left: verdictOf(name, body)}, nil
	case "reject":
		return stmt{kind: stReject, op: body.get("type").str()}, nil
	case "counter":
		if body.get("map") != nil {
			return stmt{kind: stUndecidable, op: "a lookup in a map that may have no such element", text: name}, nil
		}
		return stmt{kind: stNop, text: name}, nil
	case "log", "last", "dup":
		return stmt{kind: stNop, text: name}, nil
	case "ct helper", "ct timeout", "ct expectation", "secmark":
		return stmt{kind: stNop, text: name + " set " + clip(body.str(), 40)}, nil
	case "flow":
		return stmt{kind: stNop, text: "flow add " + clip(body.get("flowtable").str(), 40)}, nil
	case "limit", "quota", "ct count":
		return condition(conditionText(name, body)), nil
	case "notrack":
		return stmt{kind: stNotrack}, nil
	case "dnat", "snat", "masquerade", "redirect":
		return p.nat(name, body), nil
	case "mangle":
		return stmt{kind: stMangle, left: p.expr(body.get("key"), 0), right: p.expr(body.get("value"), 0)}, nil
	case "set", "map":
		return p.update(name, body)
	case "meter":
		return p.meter(body), nil
	case "tproxy":
		return stmt{kind: stUnknown, op: "tproxy hands packets to a program of the host", text: name}, nil
	case "synproxy":
		return stmt{kind: stUnknown, op: "synproxy answers in place of the server", text: name}, nil
	case "fwd":
		return stmt{kind: stUnknown, op: "fwd sends packets out of another device", text: name}, nil
	case "xt":
		kind := body.get("type").str()
		if kind != "match" {
			kind = "target"
		}
		return stmt{kind: stXT, op: kind, text: body.get("name").str()}, nil
	}
	return stmt{}, fmt.Errorf("expected a statement of nft, found %q", clip(name, 40))
}

// asText reads a statement that nft has no JSON for and writes as text: a jump
// to a chain that stands in the rule.
func (p *jsonParser) asText(t *table, text string) (stmt, error) {
	inner := &textParser{x: newLexer(strings.NewReader(text)), b: p.b, t: t, budget: maxExpanded}
	inner.x.line = p.line
	inner.fetch()
	s, err := inner.statement()
	if inner.newlines(); err == nil && inner.tok.kind != tkEnd {
		err = inner.errSyntax("the end of the statement")
	}
	return s, err
}

// conditionText is "limit rate 5/second", "ct count over 10", "quota over 25 mbytes".
func conditionText(name string, body raw) string {
	if body.kind() == '"' {
		return name + " name " + clip(body.str(), 40)
	}
	over := ""
	if string(body.get("inv")) == "true" {
		over = " over"
	}
	if name == "limit" {
		unit := body.get("rate_unit").str()
		if unit != "" {
			unit = " " + unit
		}
		return "limit rate" + over + " " + clip(string(body.get("rate")), 20) + unit + "/" + clip(body.get("per").str(), 20)
	}
	return strings.TrimSpace(name + over + " " + clip(string(body.get("val")), 20) + " " + clip(body.get("val_unit").str(), 20))
}

func (p *jsonParser) nat(name string, body raw) stmt {
	s := stmt{kind: stNAT, op: name, text: body.get("family").str()}
	if a := body.get("addr"); a != nil {
		s.left = p.expr(a, 0)
	}
	if port := body.get("port"); port != nil {
		s.right = p.expr(port, 0)
	}
	return s
}

func (p *jsonParser) meter(body raw) stmt {
	s := condition("meter " + clip(body.get("name").str(), 60))
	s.right = p.expr(body.get("key"), 0)
	return s
}

// update reads {"set": {"op": "add", "elem": …, "set": "@s"}} and the same
// with a map.
func (p *jsonParser) update(name string, body raw) (stmt, error) {
	set := p.expr(body.get(name), 0)
	if set.kind != exSetRef {
		return stmt{}, errors.New("expected the name of a set with @")
	}
	return stmt{kind: stUpdate, op: clip(body.get("op").str(), 20), left: set, right: p.expr(body.get("elem"), 0)}, nil
}
