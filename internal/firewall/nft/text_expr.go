package nft

import (
	"errors"
	"strings"
)

// lhs reads what a match looks at: selectors, joined by dots, under masks.
func (p *textParser) lhs() (expr, error) { return p.joined(p.term) }

// joined reads parts that dots join.
func (p *textParser) joined(part func() (expr, error)) (expr, error) {
	first, err := part()
	if err != nil || !p.is(".") {
		return first, err
	}
	parts := []expr{first}
	for p.accept(".") {
		next, err := part()
		if err != nil {
			return next, err
		}
		if len(parts) == maxDepth {
			return next, errors.New("expected a shorter concatenation")
		}
		parts = append(parts, next)
	}
	return expr{kind: exConcat, args: parts}, nil
}

// term is a selector under bit operations.
func (p *textParser) term() (expr, error) {
	e, err := p.selector()
	for n := 0; err == nil; n++ {
		op, ok := p.bitOperator()
		if !ok {
			return e, nil
		}
		if n == maxDepth {
			return e, errors.New("expected fewer bit operations")
		}
		var right expr
		if right, err = p.operand(); err == nil {
			e = expr{kind: exBits, text: op, args: []expr{e, right}}
		}
	}
	return e, err
}

// bitOperator takes an operator on bits.
func (p *textParser) bitOperator() (string, bool) {
	if p.tok.kind != tkWord && p.tok.kind != tkSign {
		return "", false
	}
	switch p.tok.text {
	case "&", "|", "^", "<<", ">>":
		return p.take().text, true
	case "and":
		p.take()
		return "&", true
	case "or":
		p.take()
		return "|", true
	case "xor":
		p.take()
		return "^", true
	case "lshift":
		p.take()
		return "<<", true
	case "rshift":
		p.take()
		return ">>", true
	}
	return "", false
}

// operand is a constant, in parentheses perhaps, or a selector.
func (p *textParser) operand() (expr, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return expr{}, errors.New("nested too deeply")
	}
	if p.accept("(") {
		e, err := p.bitsOr()
		if err != nil {
			return e, err
		}
		return e, p.expect(")")
	}
	if p.accept("[") {
		name, err := p.nameToken("an address")
		if err != nil {
			return expr{}, err
		}
		return value(name), p.expect("]")
	}
	if p.accept("@") {
		return expr{}, p.errSyntax("a name after @")
	}
	if p.tok.kind == tkWord && strings.HasPrefix(p.tok.text, "@") {
		return expr{kind: exSetRef, text: p.take().text[1:]}, nil
	}
	name, err := p.nameToken("a value")
	return value(name), err
}

// bitsOr reads operands joined by operators on bits.
func (p *textParser) bitsOr() (expr, error) {
	e, err := p.operand()
	for n := 0; err == nil; n++ {
		op, ok := p.bitOperator()
		if !ok {
			return e, nil
		}
		if n == maxDepth {
			return e, errors.New("expected fewer bit operations")
		}
		var right expr
		if right, err = p.operand(); err == nil {
			e = expr{kind: exBits, text: op, args: []expr{e, right}}
		}
	}
	return e, err
}

// span is an operand or a range of two.
func (p *textParser) span() (expr, error) {
	e, err := p.bitsOr()
	if err != nil || !p.accept("-") {
		return e, err
	}
	last, err := p.operand()
	return expr{kind: exRange, args: []expr{e, last}}, err
}

// rhs is what is compared with: a span, a concatenation or a set.
func (p *textParser) rhs() (expr, error) {
	if p.is("{") {
		return p.anonymousSet()
	}
	return p.joined(p.span)
}

// list is values joined by commas, as flags are.
func (p *textParser) list() (expr, error) {
	first, err := p.rhs()
	if err != nil || !p.is(",") {
		return first, err
	}
	items := []expr{first}
	for p.accept(",") {
		next, err := p.rhs()
		if err != nil {
			return next, err
		}
		items = append(items, next)
	}
	return expr{kind: exList, args: items}, nil
}

// anonymousSet reads "{ a, b : c }".
func (p *textParser) anonymousSet() (expr, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return expr{}, errors.New("nested too deeply")
	}
	set := expr{kind: exSet}
	if err := p.expect("{"); err != nil {
		return set, err
	}
	for {
		p.newlines()
		if p.accept("}") {
			return set, nil
		}
		e, err := p.element(nil)
		if err != nil {
			return set, err
		}
		if e.kind == exSet { // a variable that holds a set, in a set
			set.args = append(set.args, e.args...)
		} else {
			set.args = append(set.args, e)
		}
		p.newlines()
		if p.accept("}") {
			return set, nil
		}
		if err := p.expect(","); err != nil {
			return set, err
		}
	}
}

// dataOf reads the set of "vmap" and "map".
func (p *textParser) dataOf() (expr, error) {
	if p.is("{") {
		return p.anonymousSet()
	}
	e, err := p.operand()
	if err == nil && e.kind != exSetRef {
		err = errors.New("expected { or @ and the name of a map")
	}
	return e, err
}

// expression reads what is set or translated to: a value, a selector, a map.
func (p *textParser) expression() (expr, error) {
	var e expr
	var err error
	if p.tok.kind == tkWord && p.startsSelector() {
		e, err = p.lhs()
	} else {
		e, err = p.list()
	}
	if err != nil || !p.accept("map") {
		return e, err
	}
	data, err := p.dataOf()
	return expr{kind: exMap, args: []expr{e, data}}, err
}
