package nft

import "errors"

// nat reads dnat, snat, masquerade and redirect.
func (p *textParser) nat() (stmt, error) {
	s := stmt{kind: stNAT, op: p.take().text}
	p.natFamily(&s)
	for p.accept("addr") || p.accept("port") || p.accept("prefix") || p.accept("interval") || p.accept(".") {
		continue // what a map gives is seen in its elements
	}
	hasTo := p.accept("to")
	if !hasTo && (p.atEnd() || s.op == "masquerade" || s.op == "redirect") && !p.is(":") {
		p.natFlags()
		return s, nil
	}
	p.natFamily(&s)
	var err error
	if !p.is(":") {
		if s.left, err = p.expression(); err != nil {
			return s, err
		}
	}
	if p.accept(":") {
		if s.right, err = p.expression(); err != nil {
			return s, err
		}
	}
	if s.op == "redirect" && s.right.kind == exNone {
		s.left, s.right = expr{}, s.left // "redirect to 8080": there is no address
	}
	p.natFlags()
	return s, nil
}

func (p *textParser) natFamily(s *stmt) {
	if (p.is("ip") || p.is("ip6")) && s.text == "" {
		next := p.x.next()
		p.x.queue = append(p.x.queue, next)
		if next.kind == tkWord && (next.text == "to" || next.text == "addr" || next.text == "prefix" || next.text == "interval") {
			s.text = p.take().text
		}
	}
}

func (p *textParser) natFlags() {
	for p.is("random") || p.is("fully-random") || p.is("persistent") {
		p.take()
		p.accept(",")
	}
}

// update reads "add @set { ip saddr timeout 5m limit rate 1/second }" and the
// older "set add ip saddr @set".
func (p *textParser) update() (stmt, error) {
	s := stmt{kind: stUpdate, op: p.take().text}
	if s.op == "set" {
		op, err := p.nameToken("add or update")
		if err != nil {
			return s, err
		}
		s.op = op
		if _, err := p.lhs(); err != nil {
			return s, err
		}
		s.left, err = p.operand()
		return s, err
	}
	set, err := p.operand()
	if err != nil {
		return s, err
	}
	if set.kind != exSetRef {
		return s, errors.New("expected @ and the name of a set")
	}
	s.left = set
	s.right, err = p.block()
	return s, err
}

// block reads { key … }: of its options nothing is needed.
func (p *textParser) block() (key expr, err error) {
	outside := p.open
	if err := p.expect("{"); err != nil {
		return key, err
	}
	if key, err = p.lhs(); err != nil {
		return key, err
	}
	for p.open > outside {
		if p.tok.kind == tkEnd {
			return key, errors.New("expected }: is the file cut off?")
		}
		p.take()
	}
	return key, nil
}

// meter reads "meter NAME size N { key limit … }".
func (p *textParser) meter() (stmt, error) {
	p.take()
	name, err := p.nameToken("the name of a meter")
	if err != nil {
		return stmt{}, err
	}
	if p.accept("size") {
		p.take()
	}
	s := condition("meter " + name)
	s.right, err = p.block()
	return s, err
}

// xt reads what nft shows of extensions of iptables: xt match "recent".
func (p *textParser) xt() (stmt, error) {
	p.take()
	kind, err := p.nameToken("match or target")
	if err != nil {
		return stmt{}, err
	}
	name, err := p.nameToken("the name of an extension")
	if kind == "watcher" {
		kind = "target"
	}
	return stmt{kind: stXT, op: kind, text: name}, err
}
