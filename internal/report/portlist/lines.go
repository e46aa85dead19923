package portlist

import (
	"bytes"
	"errors"
	"net/netip"

	"reconshield/internal/exposure"
)

// lineFormat is a format in which every record is a line of its own.
type lineFormat interface {
	head() []byte                                // the first line, or nothing
	row(b []byte, o exposure.Observation) []byte // appends one line
	end(b []byte, s Summary) []byte              // appends the last line, or nothing
	pad(page []byte, n int) []byte               // makes the last line longer by n bytes
	isEnd(line []byte) bool                      // what end wrote
	mark() []byte                                // how a file begins
}

// lines writes a lineFormat. A kill leaves whole lines.
type lines struct {
	format lineFormat
	pager  *pager
	buf    []byte
}

func newLines(out *output, format lineFormat) (*lines, error) {
	l := &lines{format: format, pager: newPager(out, format.pad)}
	if out.keep {
		if err := out.holds(format.mark()); err != nil {
			return nil, err
		}
		if err := l.pager.resume(format.isEnd); err != nil {
			return nil, err
		}
		if l.pager.end() > 0 {
			return l, nil
		}
	} else if out.path != "" && out.file != nil {
		if err := out.file.Truncate(0); err != nil {
			return nil, err
		}
	}
	if err := l.pager.add(format.head()); err != nil {
		return nil, err
	}
	return l, l.pager.flush()
}

func (l *lines) rows(batch []exposure.Observation) error {
	for _, o := range batch {
		l.buf = l.format.row(l.buf[:0], o)
		if err := l.pager.add(l.buf); err != nil {
			return err
		}
	}
	return l.pager.flush()
}

func (l *lines) end(s Summary) error {
	if err := l.pager.add(l.format.end(nil, s)); err != nil {
		return err
	}
	return l.pager.flush()
}

func (l *lines) close() error { return errors.Join(l.pager.settle(), l.pager.out.close()) }

// jsonLines writes one object a line.
type jsonLines struct {
	encode encoder
}

func (jsonLines) head() []byte { return nil }

func (f jsonLines) row(b []byte, o exposure.Observation) []byte {
	return append(appendFitting(b, o, f.encode), '\n')
}

func (jsonLines) end(b []byte, s Summary) []byte { return append(appendSummary(b, s), '\n') }

func (jsonLines) pad(page []byte, n int) []byte { return padLine(page, n) }

func (jsonLines) isEnd(line []byte) bool { return bytes.HasPrefix(line, []byte(`{"type":"summary"`)) }

func (jsonLines) mark() []byte { return []byte(`{"type":"`) }

// encoder appends one row.
type encoder func(b []byte, o exposure.Observation) []byte

// encoder encodes rows as JSON with the names of their addresses, of which few
// and short ones are shown: names come from a network as well.
func (o *Options) encoder() encoder {
	names, ports := o.Names, o.Registered
	return func(b []byte, o exposure.Observation) []byte {
		return appendPort(b, o, knownNames(names, o.Addr), registered(ports, o))
	}
}

// knownNames is the first few names, together no longer than 512 bytes.
func knownNames(names func(netip.Addr) []string, a netip.Addr) []string {
	const most, longest = 4, 512
	if names == nil {
		return nil
	}
	var out []string
	used := 0
	for _, n := range names(a) {
		used += len(n)
		if len(out) < most && n != "" && used <= longest {
			out = append(out, n)
		}
	}
	return out
}
