package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// decoder turns the YAML tree into a Policy and gathers every fault on the way.
type decoder struct {
	problems
	file   string
	policy *Policy
	zones  map[string]int // index in policy.Zones
	assets map[string]int // index in policy.Assets
	work   int            // comparisons made, see maxWork
}

// field is a key of a map with its value.
type field struct {
	key   string
	at    Position // of the key
	value ast.Node
}

// item is a scalar of a list with its place.
type item struct {
	text string
	at   Position
}

// at is where a node begins: of a map its first key or bracket.
func (d *decoder) at(n ast.Node) Position {
	switch v := n.(type) {
	case nil:
		return Position{File: d.file}
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return place(d.file, v.Values[0].Key.GetToken())
		}
	case *ast.MappingValueNode:
		return place(d.file, v.Key.GetToken())
	}
	return place(d.file, n.GetToken())
}

// pairs are the entries of a map in the file's order; a key that is not text
// or stands twice is a fault. ok is false for what is no map; an empty value
// counts as an empty map.
func (d *decoder) pairs(n ast.Node, what, hint string) (out []field, ok bool) {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case nil, *ast.NullNode:
		return nil, true
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		d.add(d.at(n), hint, "%s must be a map, not %s", what, kind(n))
		return nil, false
	}
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		key, isText := v.Key.(*ast.StringNode)
		switch {
		case !isText:
			d.add(d.at(v.Key), "quote it", "key %s must be text", quoted(v.Key.GetToken().Value))
		case seen[key.Value]:
			d.add(d.at(v.Key), "keep one of them", "key %s stands twice in %s", quoted(key.Value), what)
		default:
			seen[key.Value] = true
			out = append(out, field{key.Value, d.at(v.Key), v.Value})
		}
	}
	return out, true
}

// fields are the entries of a map by key; a key that is not known is a fault.
func (d *decoder) fields(n ast.Node, what, hint string, known ...string) (map[string]field, bool) {
	all, ok := d.pairs(n, what, hint)
	out := make(map[string]field, len(all))
	for _, f := range all {
		if slices.Contains(known, f.key) {
			out[f.key] = f
			continue
		}
		suggestion := ""
		if !d.full() {
			suggestion = didYouMean(f.key, slices.Values(known))
		}
		d.add(f.at, suggestion, "%s has no key %s", what, quoted(f.key))
	}
	return out, ok
}

// list are the entries of a list; an empty value counts as an empty list.
func (d *decoder) list(f field, hint string) []ast.Node {
	switch s := f.value.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		return s.Values
	}
	d.add(d.at(f.value), hint, "%s must be a list, not %s", f.key, kind(f.value))
	return nil
}

// items are the texts of a list. Only ports may be written as numbers.
func (d *decoder) items(f field, hint string) []item {
	var out []item
	for _, n := range d.list(f, hint) {
		text, isText := n.(*ast.StringNode)
		_, isNumber := n.(*ast.IntegerNode)
		switch {
		case isText:
			out = append(out, item{text.Value, d.at(n)})
		case isNumber && f.key == "ports":
			out = append(out, item{n.GetToken().Value, d.at(n)})
		default:
			d.add(d.at(n), hint, "an entry of %s must be text, not %s", f.key, kind(n))
		}
	}
	return out
}

// maxText bounds a text for people, in bytes.
const maxText = 500

// text is one line of text; "" when there is none.
func (d *decoder) text(f field) string {
	var text string
	switch v := f.value.(type) {
	case nil:
		return ""
	case *ast.StringNode:
		text = v.Value
	case *ast.LiteralNode:
		if v.Value != nil {
			text = strings.TrimSuffix(v.Value.Value, "\n")
		}
	default:
		d.add(d.valueAt(f), "quote it if it is meant as text", "%s must be text, not %s", f.key, kind(f.value))
		return ""
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		d.add(d.valueAt(f), "write it or remove the key", "%s is empty", f.key)
	case len(text) > maxText:
		d.add(d.valueAt(f), fmt.Sprintf("at most %d", maxText), "%s has %d bytes", f.key, len(text))
	case strings.ContainsFunc(text, unprintable):
		d.add(d.valueAt(f), "keep it on one line, without control characters", "%s holds a character that is not shown", f.key)
	default:
		return text
	}
	return ""
}

// unprintable is true for line ends, control characters and what reorders or
// hides text: policies end up in configurations and on terminals.
func unprintable(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// name is a text that rules and commands carry unquoted.
func (d *decoder) name(f field) string {
	text := d.text(f)
	if text != "" && !isName(text) {
		d.add(d.valueAt(f), "use letters, digits, hyphen, underscore and dot, at most 63, beginning with a letter or digit", "%s %s cannot be used", f.key, quoted(text))
		return ""
	}
	return text
}

func isName(text string) bool {
	for i, r := range []byte(text) {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || r != '-' && r != '_' && r != '.') {
			return false
		}
	}
	return text != "" && len(text) <= 63
}

func (d *decoder) truth(f field) bool {
	if b, ok := f.value.(*ast.BoolNode); ok {
		return b.Value
	}
	if f.value != nil {
		d.add(d.valueAt(f), "write true or false", "%s must be true or false, not %s", f.key, kind(f.value))
	}
	return false
}

// date is the last day of something, at 00:00 UTC; zero when there is none.
func (d *decoder) date(f field) time.Time {
	text := d.text(f)
	if text == "" {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		d.add(d.valueAt(f), "write the last day as year-month-day, such as 2027-03-31", "%s %s is not a date", f.key, quoted(text))
		return time.Time{}
	}
	return day
}

// valueAt is where a value stands, or its key when it is empty.
func (d *decoder) valueAt(f field) Position {
	if _, null := f.value.(*ast.NullNode); null || f.value == nil {
		return f.at
	}
	return d.at(f.value)
}

// kind names what stands there for people.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode:
		return "nothing"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	}
	return "something else"
}
