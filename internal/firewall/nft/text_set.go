package nft

import (
	"errors"
	"fmt"
)

// set reads the inside of a set or map.
func (p *textParser) set(s *namedSet) error {
	if !p.accept("{") {
		return nil
	}
	for {
		p.newlines()
		if p.tok.kind == tkEnd {
			return errors.New("expected } at the end of set " + clip(s.name, 40) + ": is the file cut off?")
		}
		if p.accept("}") {
			return nil
		}
		p.startText()
		line := p.tok.line
		if err := p.setItem(s); err != nil {
			s.dynamic = "its declaration was not understood"
			p.failed(line, err)
		}
		p.taking = false
	}
}

func (p *textParser) setItem(s *namedSet) error {
	word, err := p.nameToken("type, flags or elements")
	if err != nil {
		return err
	}
	switch word {
	case "type":
		return p.setType(s)
	case "typeof":
		key, err := p.lhs()
		if err != nil {
			return err
		}
		s.typed(typesOfKey(&key))
		p.skip() // the data of a map: read from its elements
		return nil
	case "flags":
		for !p.atEnd() {
			s.flag(p.take().text)
		}
		return nil
	case "timeout":
		s.timed, s.timeout = true, true
	case "elements":
		if err := p.expect("="); err != nil {
			return err
		}
		return p.setElements(s)
	case "gc-interval", "size", "policy", "auto-merge", "comment", "counter", "last":
	default:
		if !s.conditional(word) {
			return fmt.Errorf("expected type, flags or elements, found %q", clip(word, 40))
		}
	}
	p.skip()
	return nil
}

// flag takes what a flag says of the elements.
func (s *namedSet) flag(name string) {
	switch name {
	case "timeout":
		s.timed = true
	case "dynamic":
		s.dynamic = "rules change its elements"
	}
}

// conditional reports whether a statement of a set or element makes its
// matching depend on traffic.
func (s *namedSet) conditional(word string) bool {
	switch word {
	case "limit", "quota", "ct", "connlimit":
		s.dynamic = "a match depends on a " + word
		return true
	}
	return false
}

// setType reads "ipv4_addr . inet_service : verdict".
func (p *textParser) setType(s *namedSet) error {
	var types []dtype
	for {
		name, err := p.nameToken("a data type")
		if err != nil {
			return err
		}
		types = append(types, typeOf(name))
		if !p.accept(".") {
			break
		}
	}
	s.typed(types)
	p.skip() // the data of a map
	return nil
}

// setElements reads "{ a, b }" into a named set, each at once.
func (p *textParser) setElements(s *namedSet) error {
	if err := p.expect("{"); err != nil {
		return err
	}
	for {
		p.newlines()
		if p.accept("}") {
			return nil
		}
		e, err := p.element(s)
		if err != nil {
			return err
		}
		if e.kind == exSet {
			for i := range e.args {
				s.addElement(e.args[i])
			}
		} else {
			s.addElement(e)
		}
		p.newlines()
		if p.accept("}") {
			return nil
		}
		if !p.accept(",") {
			return p.errSyntax("a comma or }")
		}
	}
}

// element reads one element of a set or map with its options, which go to s
// when it is not nil.
func (p *textParser) element(s *namedSet) (expr, error) {
	key, err := p.elementKey()
	if err != nil {
		return key, err
	}
	p.newlines()
	if err := p.options(s, &key); err != nil {
		return key, err
	}
	if !p.accept(":") {
		return key, nil
	}
	p.newlines()
	data, err := p.elementData()
	if err != nil {
		return key, err
	}
	if p.accept(":") {
		p.take() // a class of traffic, "1:5"
	}
	p.newlines()
	if err := p.options(s, &key); err != nil {
		return key, err
	}
	return expr{kind: exMapping, args: []expr{key, data}}, nil
}

func (p *textParser) elementKey() (expr, error) {
	if p.accept("*") {
		return expr{kind: exAny}, nil
	}
	return p.rhs()
}

// elementData reads a verdict, an address, a port or a concatenation.
func (p *textParser) elementData() (expr, error) {
	if p.tok.kind == tkWord && isVerdict(p.tok.text) {
		return p.verdict()
	}
	return p.rhs()
}

// options passes over comment, timeout and counters of an element.
func (p *textParser) options(s *namedSet, key *expr) error {
	for p.tok.kind == tkWord {
		switch word := p.take().text; word {
		case "timeout", "expires":
			key.fleeting = true
			p.take()
		case "comment", "packets", "bytes", "used":
			p.take()
		case "counter", "last", "never":
		case "limit", "quota", "ct", "connlimit":
			if s != nil {
				s.conditional(word)
			} else {
				*key = expr{kind: exValue, text: word} // no such value: the element is not decided
			}
			for p.tok.kind == tkWord || p.tok.kind == tkSign && p.is("/") {
				if p.is("comment") || p.is("timeout") || p.is("expires") || p.is("counter") {
					break
				}
				p.take()
			}
		default:
			return fmt.Errorf("expected a comma or } after an element, found %q", clip(word, 40))
		}
	}
	return nil
}
