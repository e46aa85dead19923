package cloud

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// maxProblems is how many problems of one record are told one by one.
const maxProblems = 8

// Record reads the fields of one JSON object and keeps account: a field of the
// wrong type, one that stands twice and one that nobody asked for are problems,
// so that nothing in a file goes unseen. A Record is for one goroutine.
type Record struct {
	at       Value
	fields   []field
	problems []firewall.Unparsed
}

type field struct {
	name  string
	value Value
	asked bool
}

// Record starts reading an object. A value of another kind is a problem, and
// then has no fields.
func (v Value) Record() *Record {
	r := &Record{at: v}
	if v.Kind() != Object {
		r.problem(v, "expected an object")
		return r
	}
	for name, value := range v.Fields() {
		r.fields = append(r.fields, field{name: name, value: value})
	}
	r.findDoubled()
	return r
}

func (r *Record) findDoubled() {
	names := make([]string, len(r.fields))
	for i, f := range r.fields {
		names[i] = f.name
	}
	slices.Sort(names)
	doubled := map[string]bool{}
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] && !doubled[names[i]] {
			doubled[names[i]] = true
			r.problem(r.at, fmt.Sprintf("field %q stands more than once; expected it once", OneLine(names[i], 60)))
		}
	}
	if len(doubled) > 0 {
		r.fields = slices.DeleteFunc(r.fields, func(f field) bool { return doubled[f.name] })
	}
}

// Pos is where the object begins.
func (r *Record) Pos() firewall.Position { return r.at.Pos() }

// Value is the object itself.
func (r *Record) Value() Value { return r.at }

// Get is the named value, absent when there is none or when it stands twice.
// Upper and lower case matter. The field counts as asked for.
func (r *Record) Get(name string) Value {
	for i := range r.fields {
		if r.fields[i].name == name {
			r.fields[i].asked = true
			return r.fields[i].value
		}
	}
	return Value{}
}

// Unreadable stands for a string of which the file has something else. It is no
// address, port or name, so that nothing is taken to be limited to it.
const Unreadable = "(not a string)"

// Text is a string field; empty when it is absent or null. One of another kind
// is Unreadable and a problem.
func (r *Record) Text(name string) string {
	v := r.Get(name)
	if v.None() {
		return ""
	}
	s, ok := v.Text()
	if !ok {
		r.problem(v, fmt.Sprintf("field %q: expected a string", name))
		return Unreadable
	}
	return s
}

// Int is a field with a whole number; nil when it is absent, null or something
// else, the last of which is a problem.
func (r *Record) Int(name string) *int64 {
	v := r.Get(name)
	if v.None() {
		return nil
	}
	n, ok := v.Int()
	if !ok {
		r.problem(v, fmt.Sprintf("field %q: expected a whole number", name))
		return nil
	}
	return &n
}

// Bool is a field with a truth value; false when it is absent, null or of
// another kind, the last of which is a problem.
func (r *Record) Bool(name string) bool {
	v := r.Get(name)
	b, ok := v.Bool()
	if !ok && !v.None() {
		r.problem(v, fmt.Sprintf("field %q: expected true or false", name))
	}
	return b
}

// List is a field with an array; empty when it is absent, null or of another
// kind, the last of which is a problem.
func (r *Record) List(name string) Value {
	v := r.Get(name)
	if !v.None() && v.Kind() != Array {
		r.problem(v, fmt.Sprintf("field %q: expected a list", name))
		return Value{}
	}
	return v
}

// Texts is a field with a list of strings. Elements of another kind are
// Unreadable and problems, as is the only element of what is no list.
func (r *Record) Texts(name string) []string {
	list := r.List(name)
	if list.Kind() == Absent && !r.Get(name).None() {
		return []string{Unreadable}
	}
	var out []string
	for v := range list.Items() {
		s, ok := v.Text()
		if !ok {
			r.problem(v, fmt.Sprintf("field %q: expected a list of strings", name))
			s = Unreadable
		}
		out = append(out, s)
	}
	return out
}

// Ignore says of fields that they bear on no packet.
func (r *Record) Ignore(names ...string) {
	for i := range r.fields {
		if slices.Contains(names, r.fields[i].name) {
			r.fields[i].asked = true
		}
	}
}

// IgnoreRest says of all fields not asked for that they bear on no packet.
func (r *Record) IgnoreRest() {
	for i := range r.fields {
		r.fields[i].asked = true
	}
}

// Problems are what was found wrong until now, and the fields that are not
// empty and were not asked for. Call it after all fields were read.
func (r *Record) Problems() []firewall.Unparsed {
	out := slices.Clone(r.problems)
	for _, f := range r.fields {
		if f.asked || f.value.None() || f.value.empty() {
			continue
		}
		out = append(out, unparsed(f.value, fmt.Sprintf("field %q is not known here", OneLine(f.name, 60))))
	}
	if n := len(out) - maxProblems; n > 0 {
		out = append(out[:maxProblems], unparsed(r.at, fmt.Sprintf("and %d more fields that were not understood", n)))
	}
	return out
}

// Doubts are the problems as what cannot be known of a rule.
func (r *Record) Doubts() []string {
	var out []string
	for _, p := range r.Problems() {
		out = append(out, p.Why)
	}
	return out
}

func (r *Record) problem(v Value, why string) {
	if len(r.problems) <= maxProblems {
		r.problems = append(r.problems, unparsed(v, why))
	}
}

func unparsed(v Value, why string) firewall.Unparsed {
	return firewall.Unparsed{Pos: v.Pos(), Text: v.Raw(200), Why: why}
}

// empty reports whether the value is an array or object without elements, or
// an empty string.
func (v Value) empty() bool {
	switch v.Kind() {
	case Array, Object, Text:
		return strings.TrimSpace(string(v.doc.text[v.from+1:min(v.to-1, v.from+64)])) == "" && v.to-v.from <= 64
	case Absent, Null, Bool, Number:
	}
	return false
}
