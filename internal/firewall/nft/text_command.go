package nft

import (
	"errors"
	"fmt"
)

// command reads one command of the top level.
func (p *textParser) command() {
	p.newlines()
	if p.tok.kind == tkEnd {
		return
	}
	p.startText()
	line := p.tok.line
	if err := p.oneCommand(line); err != nil {
		p.failed(line, err)
	}
	p.taking = false
	if p.is("}") {
		p.b.unparsed(p.tok.line, "}", "a closing brace without an opening one")
		p.take()
	}
}

func (p *textParser) oneCommand(line int) error {
	if p.tok.kind != tkWord {
		return p.errSyntax("a command")
	}
	word := p.take().text
	switch word {
	case "include":
		return p.include()
	case "define", "redefine", "undefine":
		p.known = true
		return p.define(word)
	case "add", "create", "insert":
		return p.object(p.take().text, word == "insert", line)
	case "table", "chain", "rule", "set", "map", "element", "flowtable", "counter", "quota", "limit", "ct", "secmark", "synproxy":
		return p.object(word, false, line)
	case "flush":
		return p.flushCommand()
	case "delete", "destroy":
		return p.deleteCommand()
	case "list", "monitor", "describe":
		p.skip()
		return nil
	case "replace", "reset", "rename":
		return errors.New("expected a ruleset, not changes to one that is elsewhere")
	}
	return fmt.Errorf("expected a command, found %q", clip(word, 40))
}

func (p *textParser) include() error {
	name, err := p.nameToken("a file name")
	if err != nil {
		return err
	}
	p.known = true
	return fmt.Errorf("give the included file %s as well, or the output of nft list ruleset", clip(name, 80))
}

// define keeps the tokens of a variable.
func (p *textParser) define(word string) error {
	name, err := p.nameToken("the name of a variable")
	if err != nil {
		return err
	}
	if word == "undefine" {
		delete(p.vars, name)
		return nil
	}
	if err := p.expect("="); err != nil {
		return err
	}
	var list []token
	for depth := 0; p.tok.kind != tkEnd; {
		switch {
		case p.tok.kind == tkNewline && depth == 0, p.is("}") && depth == 0:
			p.vars[name] = list
			return nil
		case p.is("{"):
			depth++
		case p.is("}"):
			depth--
		}
		list = append(list, p.take())
	}
	p.vars[name] = list
	return nil
}

// family takes the family of a table, ip when none is told.
func (p *textParser) family() string {
	switch p.tok.text {
	case "ip", "ip6", "inet", "arp", "bridge", "netdev":
		if p.tok.kind == tkWord {
			return p.take().text
		}
	}
	return "ip"
}

// tableName takes family and name.
func (p *textParser) tableName() (family, name string, err error) {
	family = p.family()
	name, err = p.nameToken("the name of a table")
	return family, name, err
}

// object reads a declaration at the top level.
func (p *textParser) object(word string, head bool, line int) error {
	family, name, err := p.tableName()
	if word == "ct" && err == nil { // "ct helper inet filter ftp"
		family, name, err = p.tableName()
	}
	if err != nil {
		return err
	}
	p.known = true
	t := p.b.table(family, name)
	if word == "table" {
		p.taking = false
		if !p.accept("{") {
			return nil
		}
		return p.tableBlock(t)
	}
	return p.inTable(t, word, head, line)
}

func (p *textParser) inTable(t *table, word string, head bool, line int) error {
	name, err := p.nameToken("a name")
	if err != nil {
		return err
	}
	switch word {
	case "chain":
		return p.chain(t, t.chain(name), line)
	case "rule":
		return p.ruleCommand(t, t.chain(name), head)
	case "set", "map":
		p.taking = false
		return p.set(t.set(name))
	case "element":
		p.newlines()
		return p.setElements(t.set(name))
	case "flowtable", "counter", "quota", "limit", "ct", "secmark", "synproxy":
		p.skip() // objects that judge nothing by themselves
		return nil
	}
	return fmt.Errorf("expected a table, chain, rule, set, map or element, found %q", clip(word, 40))
}

// ruleCommand reads "add rule".
func (p *textParser) ruleCommand(t *table, c *chain, head bool) error {
	line := p.tok.line
	switch {
	case p.is("handle"), p.is("position"), p.is("index"):
		p.take()
		p.take()
		p.b.unparsed(line, string(p.text), "the place of this rule among the others cannot be known")
	}
	p.t = t
	p.b.addRule(t, c, p.rule(), head)
	return nil
}

func (p *textParser) flushCommand() error {
	switch word := p.take().text; word {
	case "ruleset":
		p.known = true
		only := ""
		if p.tok.kind == tkWord {
			only = p.family()
		}
		for _, t := range append([]*table{}, p.b.order...) {
			if only == "" || t.family == only {
				p.b.dropTable(t.family, t.name)
			}
		}
		return nil
	case "table", "chain", "set", "map":
		family, name, err := p.tableName()
		if err != nil {
			return err
		}
		p.known = true
		t := p.b.table(family, name)
		if word == "table" {
			for _, c := range t.named {
				c.flush()
			}
			return nil
		}
		inner, err := p.nameToken("a name")
		if err != nil {
			return err
		}
		if word == "chain" {
			t.chain(inner).flush()
		} else {
			t.set(inner).elems, t.set(inner).pending = elements{}, nil
		}
		return nil
	}
	return errors.New("expected flush ruleset, table, chain, set or map")
}

// deleteCommand takes out what the file itself declared: "delete table" before
// its declaration is how files are written that can be loaded again.
func (p *textParser) deleteCommand() error {
	if word := p.take().text; word != "table" {
		return fmt.Errorf("expected a ruleset, not the deletion of a %s", clip(word, 40))
	}
	family, name, err := p.tableName()
	if err != nil {
		return err
	}
	p.known = true
	p.b.dropTable(family, name)
	return nil
}
