package nft

import (
	"errors"
	"fmt"
	"strings"

	"reconshield/internal/firewall"
)

// tableBlock reads the inside of a table, the closing brace too.
func (p *textParser) tableBlock(t *table) error {
	for {
		p.newlines()
		if p.tok.kind == tkEnd {
			return errors.New("expected } at the end of table " + clip(t.name, 40) + ": is the file cut off?")
		}
		if p.accept("}") {
			return nil
		}
		p.startText()
		line := p.tok.line
		if err := p.tableItem(t, line); err != nil {
			p.failed(line, err)
		}
		p.taking = false
	}
}

func (p *textParser) tableItem(t *table, line int) error {
	if p.tok.kind != tkWord {
		return p.errSyntax("a chain, set or map")
	}
	switch word := p.take().text; word {
	case "flags":
		for !p.atEnd() {
			t.dormant = p.take().text == "dormant" || t.dormant
		}
		return nil
	case "comment":
		p.take()
		return nil
	case "include":
		return p.include()
	case "define", "redefine", "undefine":
		return p.define(word)
	case "ct":
		p.take() // helper, timeout, expectation
		return p.inTable(t, word, false, line)
	default:
		return p.inTable(t, word, false, line)
	}
}

// chain reads the inside of a chain.
func (p *textParser) chain(t *table, c *chain, line int) error {
	t.declareChain(c, firewall.Position{File: p.b.file, Line: line})
	p.taking = false
	if !p.accept("{") {
		return nil
	}
	for {
		p.newlines()
		if p.tok.kind == tkEnd {
			return errors.New("expected } at the end of chain " + clip(c.fw.Name, 40) + ": is the file cut off?")
		}
		if p.accept("}") {
			return nil
		}
		p.startText()
		line := p.tok.line
		if err := p.chainItem(t, c, line); err != nil {
			p.failed(line, err)
		}
		p.taking = false
	}
}

func (p *textParser) chainItem(t *table, c *chain, line int) error {
	switch {
	case p.is("type"):
		p.take()
		return p.hook(t, c, line)
	case p.is("policy"):
		p.take()
		return p.policy(c, line)
	case p.is("comment"):
		p.take()
		p.take()
		return nil
	case p.is("flags"):
		p.skip() // offload: the same verdicts in hardware
		return nil
	}
	p.t = t
	p.b.addRule(t, c, p.rule(), false)
	return nil
}

func (p *textParser) policy(c *chain, line int) error {
	word, err := p.nameToken("accept or drop")
	if err != nil {
		return err
	}
	if c.fw.Base == nil || word != "accept" && word != "drop" {
		return errors.New("expected policy accept or drop after the hook of a chain")
	}
	c.fw.Base.Pos.Line = line
	c.fw.Base.Default = firewall.AcceptVerdict
	if word == "drop" {
		c.fw.Base.Default = firewall.DropVerdict
	}
	return nil
}

// hook reads "filter hook input device eth0 priority filter - 5" after "type".
func (p *textParser) hook(t *table, c *chain, line int) error {
	kind, err := p.nameToken("filter, nat or route")
	if err != nil {
		return err
	}
	if err := p.expect("hook"); err != nil {
		return err
	}
	hook, err := p.nameToken("a hook")
	if err != nil {
		return err
	}
	var devices []string
	for p.is("device") || p.is("devices") {
		p.take()
		p.accept("=")
		if devices, err = p.devices(devices); err != nil {
			return err
		}
	}
	if err := p.expect("priority"); err != nil {
		return err
	}
	priority, err := p.priority(t.family)
	p.b.declare(t, c, kind, hook, priority, false, devices)
	c.fw.Base.Pos.Line = line
	return err
}

func (p *textParser) devices(list []string) ([]string, error) {
	many := p.accept("{")
	for {
		p.newlinesIf(many)
		name, err := p.nameToken("a device")
		if err != nil {
			return list, err
		}
		list = append(list, name)
		p.newlinesIf(many)
		if !many {
			return list, nil
		}
		more := p.accept(",")
		p.newlinesIf(many)
		if p.accept("}") {
			return list, nil
		}
		if !more {
			return list, p.errSyntax("a comma or }")
		}
	}
}

func (p *textParser) newlinesIf(yes bool) {
	if yes {
		p.newlines()
	}
}

// priority reads a number or a name with an offset (nft(8), CHAINS).
func (p *textParser) priority(family string) (int, error) {
	base, sign := 0, 1
	if p.tok.kind == tkWord && !strings.ContainsAny(p.tok.text[:1], "0123456789+") {
		named, known := priorityNamed(p.take().text, family)
		if !known {
			return 0, errors.New("expected a priority: a number, or raw, mangle, dstnat, filter, security or srcnat with an offset")
		}
		base = named
		if p.atEnd() {
			return base, nil
		}
	}
	if p.accept("-") {
		sign = -1
	}
	p.accept("+")
	var n int
	if _, err := fmt.Sscanf(strings.TrimPrefix(p.tok.text, "+"), "%d", &n); err != nil || n < -1<<31 || n > 1<<31-1 {
		return base, p.errSyntax("a number")
	}
	p.take()
	return base + sign*n, nil
}

func priorityNamed(name, family string) (int, bool) {
	if family == "bridge" {
		switch name {
		case "dstnat":
			return -300, true
		case "filter":
			return -200, true
		case "out":
			return 100, true
		case "srcnat":
			return 300, true
		}
		return 0, false
	}
	switch name {
	case "raw":
		return firewall.RawPriority, true
	case "mangle":
		return firewall.ManglePriority, true
	case "dstnat":
		return firewall.DNATPriority, true
	case "filter":
		return firewall.FilterPriority, true
	case "security":
		return firewall.SecurityPriority, true
	case "srcnat":
		return firewall.SNATPriority, true
	}
	return 0, false
}
