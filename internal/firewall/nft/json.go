package nft

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
)

// ParseJSON reads the output of "nft -j list ruleset" (libnftables-json(5)).
// One object of the list is held at a time. What is not understood is in
// Unparsed or in an action of kind Unknown. The error tells that r cannot be
// read or is not this format; a file that is cut off is read up to there and
// has an Unparsed.
//
// The JSON of nft 1.0.6 leaves out that a table is dormant, which cannot be
// noticed: such a table is taken for an active one. It also leaves out the
// device of an ingress chain in an inet table, which makes the chain undecided.
// The text has both.
func ParseJSON(file string, r io.Reader) (*firewall.Ruleset, error) {
	lines := &lineReader{r: r}
	dec := json.NewDecoder(lines)
	p := &jsonParser{b: newBuilder(file), words: map[string]string{}}
	if err := openList(dec); err != nil {
		return nil, fmt.Errorf("%s:%d: expected {\"nftables\": [ as nft -j list ruleset writes it: %w", file, lines.at(dec.InputOffset()), err)
	}
	for dec.More() {
		var obj json.RawMessage
		if err := dec.Decode(&obj); err != nil {
			p.b.unparsed(lines.at(dec.InputOffset()), "", "the file breaks off or is not JSON: "+clip(err.Error(), 100))
			return p.b.finish(), readError(file, err)
		}
		p.line = lines.at(dec.InputOffset() - int64(len(obj)))
		p.command(raw(obj))
	}
	if err := closeList(dec); err != nil {
		p.b.unparsed(lines.at(dec.InputOffset()), "", "the file breaks off: expected ]}")
		return p.b.finish(), readError(file, err)
	}
	return p.b.finish(), nil
}

// readError tells failures of the reader from those of the text.
func readError(file string, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("%s: %w", file, err)
}

// openList reads up to the list under "nftables".
func openList(dec *json.Decoder) error {
	for _, want := range []json.Token{json.Delim('{'), "nftables", json.Delim('[')} {
		got, err := dec.Token()
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("found %.40q", fmt.Sprint(got))
		}
	}
	return nil
}

func closeList(dec *json.Decoder) error {
	for range 2 {
		if _, err := dec.Token(); err != nil {
			return err
		}
	}
	return nil
}

type jsonParser struct {
	b     *builder
	line  int
	words map[string]string // selectors, kept once
}

// failed records an object that was not understood.
func (p *jsonParser) failed(obj raw, why string) {
	p.b.unparsed(p.line, string(obj[:min(len(obj), 300)]), why)
}

// command reads one object: what list prints, or an add of it.
func (p *jsonParser) command(obj raw) {
	name, body := obj.only()
	switch name {
	case "add", "create":
		name, body = body.only()
	case "insert":
		if name, body = body.only(); name == "rule" {
			p.rule(body, true)
			return
		}
	case "flush":
		if what, _ := body.only(); what == "ruleset" {
			p.b.tables, p.b.order = map[string]*table{}, nil
			return
		}
		p.failed(obj, "expected a ruleset, not changes to one that is elsewhere")
		return
	}
	switch name {
	case "metainfo", "counter", "quota", "limit", "ct helper", "ct timeout", "ct expectation", "flowtable", "secmark", "synproxy":
		// Objects that judge nothing by themselves.
	case "table":
		p.table(body)
	case "chain":
		p.chain(body)
	case "rule":
		p.rule(body, false)
	case "set", "map":
		p.set(body)
	case "element":
		p.elements(p.tableOf(body).set(body.get("name").str()), body.get("elem"))
	case "meter":
		p.tableOf(body).set(body.get("name").str()).dynamic = "rules change its elements"
	default:
		p.failed(obj, fmt.Sprintf("expected a table, chain, rule, set or map, found %q", clip(name, 40)))
	}
}

func (p *jsonParser) tableOf(body raw) *table {
	return p.b.table(body.get("family").str(), body.get("table").str())
}

func (p *jsonParser) table(body raw) {
	t := p.b.table(body.get("family").str(), body.get("name").str())
	for f := range body.get("flags").elements() {
		t.dormant = t.dormant || f.str() == "dormant"
	}
}

func (p *jsonParser) chain(body raw) {
	t := p.tableOf(body)
	c := t.chain(body.get("name").str())
	t.declareChain(c, firewall.Position{File: p.b.file, Line: p.line})
	if body.get("hook") == nil {
		return
	}
	var devices []string
	for d := range body.get("dev").elements() {
		devices = append(devices, d.str())
	}
	priority := body.get("prio")
	if n, err := strconv.Atoi(string(priority)); err != nil || n < -1<<31 || n > 1<<31-1 {
		p.failed(body, "expected a priority, found "+clip(string(priority), 40))
	}
	policy := body.get("policy").str()
	if policy != "" && policy != "accept" && policy != "drop" {
		p.failed(body, "expected policy accept or drop")
	}
	p.b.declare(t, c, body.get("type").str(), body.get("hook").str(), priority.number(), policy == "drop", devices)
}

// set reads a set or map with its elements.
func (p *jsonParser) set(body raw) {
	s := p.tableOf(body).set(body.get("name").str())
	var elem raw
	for k, v := range body.fields() {
		switch k {
		case "type":
			s.typed(p.setTypes(v))
		case "flags":
			for f := range v.elements() {
				s.flag(f.str())
			}
		case "timeout":
			s.timed, s.timeout = true, true
		case "stmt":
			for st := range v.elements() {
				word, _ := st.only()
				first, _, _ := strings.Cut(word, " ")
				s.conditional(first)
			}
		case "elem":
			elem = v
		}
	}
	p.elements(s, elem)
}

// setTypes reads "ipv4_addr", a list of such or a typeof.
func (p *jsonParser) setTypes(v raw) []dtype {
	if v.kind() == '{' {
		of := v.get("typeof")
		if of == nil {
			of = v
		}
		key := p.expr(of, 0)
		if key.kind == exList {
			key.kind = exConcat
		}
		return typesOfKey(&key)
	}
	var out []dtype
	for t := range v.elements() {
		for name := range strings.SplitSeq(t.str(), " . ") {
			out = append(out, typeOf(name))
		}
	}
	return out
}

func (p *jsonParser) elements(s *namedSet, list raw) {
	for e := range list.elements() {
		s.addElement(p.element(e, s, 0))
	}
}

// element reads an element of a set, or [key, data] of a map.
func (p *jsonParser) element(e raw, s *namedSet, depth int) expr {
	if e.kind() == '[' {
		var parts []expr
		for x := range e.elements() {
			if len(parts) < 3 {
				parts = append(parts, p.elementValue(x, s, depth+1))
			}
		}
		if len(parts) == 2 {
			return expr{kind: exMapping, args: parts}
		}
		return value("[…]")
	}
	return p.elementValue(e, s, depth)
}

// elementValue takes a value out of {"elem": {"val": …}} and minds its options.
func (p *jsonParser) elementValue(e raw, s *namedSet, depth int) expr {
	if depth > maxDepth {
		return value("…")
	}
	inner := e.get("elem")
	if inner == nil {
		if e.kind() == '"' && len(e) == 3 && e[1] == '*' {
			return expr{kind: exAny}
		}
		return p.expr(e, depth)
	}
	out, fleeting := expr{}, false
	for k, v := range inner.fields() {
		first, _, _ := strings.Cut(k, " ")
		switch first {
		case "timeout", "expires":
			fleeting = true
		case "val":
			out = p.elementValue(v, nil, depth+1)
		case "limit", "quota", "ct":
			if s == nil {
				return value(first) // no such value: the element is not decided
			}
			s.conditional(first)
		}
	}
	out.fleeting = fleeting
	return out
}

func (p *jsonParser) rule(body raw, head bool) {
	t := p.tableOf(body)
	c := t.chain(body.get("chain").str())
	r := ruleAST{pos: firewall.Position{File: p.b.file, Line: p.line}}
	for e := range body.get("expr").elements() {
		if len(r.stmts) == maxStatements {
			r.stmts = append(r.stmts, stmt{kind: stUnknown, op: "a rule with too many statements"})
			p.failed(body, "expected fewer statements in a rule")
			break
		}
		s, err := p.statement(t, e)
		if err != nil {
			s = stmt{kind: stUnknown, op: "a statement that is not understood: " + err.Error(), text: "…"}
			p.failed(e, err.Error())
		}
		r.stmts = append(r.stmts, s)
	}
	before := ""
	if h := body.get("handle"); h != nil {
		before = "handle " + clip(string(h), 20) + ": "
	}
	r.text = writeRule(before, r.stmts)
	p.b.addRule(t, c, r, head)
}
