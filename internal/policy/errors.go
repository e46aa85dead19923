package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxErrors bounds what one Parse tells: who has more mends the first ones.
const maxErrors = 50

// Error is one fault of a policy file.
type Error struct {
	Position
	Text string // what is wrong, one line
	Hint string // what to do, one line; empty for none
}

// Error is "p.yaml:12:7: zone "vnp" is not declared; did you mean "vpn"?".
func (e Error) Error() string {
	text := e.String() + ": " + e.Text
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Errors are all faults of a policy file, by line and column, at most 50. When
// there are more, the last one says how many and stands on no line.
type Errors []Error

// Error has one line for each fault.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single faults to errors.As.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i := range e {
		out[i] = e[i]
	}
	return out
}

// String is "p.yaml:12:7", or the file alone when there is no line.
func (p Position) String() string {
	file := p.File
	if file == "" {
		file = "policy"
	}
	if p.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d:%d", file, p.Line, p.Column)
}

// before orders positions within one file.
func (p Position) before(o Position) int {
	return cmp.Or(cmp.Compare(p.Line, o.Line), cmp.Compare(p.Column, o.Column))
}

// problems gathers the faults of one file.
type problems struct {
	found Errors
	more  int // beyond the bound
}

// full is true when further faults are only counted; hints need not be made.
func (p *problems) full() bool { return len(p.found) >= maxErrors-1 }

func (p *problems) add(at Position, hint, format string, args ...any) {
	if p.full() {
		p.more++
		return
	}
	p.found = append(p.found, Error{Position: at, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// err is nil when nothing was found.
func (p *problems) err(file string) error {
	if len(p.found) == 0 {
		return nil
	}
	slices.SortStableFunc(p.found, func(a, b Error) int { return a.before(b.Position) })
	if p.more > 0 {
		p.found = append(p.found, Error{Position: Position{File: file}, Text: fmt.Sprintf("%d more errors follow", p.more), Hint: "mend these first"})
	}
	return p.found
}
