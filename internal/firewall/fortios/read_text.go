package fortios

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// What a configuration may have at most.
const (
	maxDepth   = 16        // blocks within each other
	maxEntries = 1_500_000 // entries of the tables that are read
	maxKeys    = 1000      // settings of an entry
	maxSkipped = 1000      // pieces that are reported as not read
	maxValue   = 1 << 20   // bytes of a line, also of one that goes on over several
)

// entry is what stands between edit and next: its settings and the tables
// within it. A block without edit is an entry of itself. Methods take nil,
// which has no settings.
type entry struct {
	name string
	line int
	sets map[string][]string
	keys []string // of sets, in order
	subs map[string]*table
}

// table is what stands between config and end.
type table struct {
	line    int
	own     entry // settings outside of any edit
	entries []*entry
	index   map[string]*entry
}

// one is a setting's only value, or the default.
func (e *entry) one(key, otherwise string) string {
	if e == nil || len(e.sets[key]) == 0 {
		return otherwise
	}
	return strings.Join(e.sets[key], " ")
}

func (e *entry) sub(name string) *table {
	if e == nil {
		return nil
	}
	return e.subs[name]
}

// list are the entries; nil for nil.
func (t *table) list() []*entry {
	if t == nil {
		return nil
	}
	return t.entries
}

func (t *table) get(name string) *entry {
	if t == nil {
		return nil
	}
	return t.index[name]
}

// document is a configuration as tables, by the name of their block.
type document struct {
	file     string
	tables   map[string]*table
	domains  []string // VDOMs that have blocks
	unparsed []firewall.Unparsed
	count    int
	hasBlock bool
}

// frame is an open block.
type frame struct {
	name  string
	table *table // nil: its text is passed over
	entry *entry // that is open; that of the table itself otherwise
	inner bool   // entry is one of an edit
}

// reader goes through the lines.
type reader struct {
	*document
	open   []frame
	domain string // the VDOM whose blocks are open
	chosen string // the VDOM that is read
	words  words
}

// words keeps one string of each short word that comes again and again.
type words map[string]string

func (w words) of(text []byte) string {
	const most, short = 1 << 16, 32
	if known, ok := w[string(text)]; ok {
		return known
	}
	s := string(text)
	if len(w) < most && len(s) <= short {
		w[s] = s
	}
	return s
}

// skip reports what is not read. Of very many the last one stands for the rest.
func (d *document) skip(line int, text, why string) {
	switch {
	case len(d.unparsed) > maxSkipped:
		return
	case len(d.unparsed) == maxSkipped:
		why = "this and all that follows of what is not read is too much to be listed"
	}
	d.unparsed = append(d.unparsed, firewall.Unparsed{
		Pos: firewall.Position{File: d.file, Line: line}, Text: cloud.OneLine(text, 200), Why: cloud.OneLine(why, 300),
	})
}

// load reads the text.
func load(file string, text []byte) (*document, error) {
	r := &reader{document: &document{file: file, tables: map[string]*table{}}, words: words{}}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	line := 1
	for len(text) > 0 {
		words, size, lines, ok := split(text, r.words)
		at := line
		line += lines
		raw := text[:size]
		text = text[size:]
		if !ok {
			r.skip(at, string(raw[:min(len(raw), 200)]), "expected words; a quotation does not end or a line is longer than 1 MiB")
			continue
		}
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := r.command(words, at, raw); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, at, err)
		}
	}
	if len(r.open) > 0 {
		return nil, fmt.Errorf("%s:%d: the text ends within config %s; expected end", file, line, cloud.OneLine(r.open[len(r.open)-1].name, 80))
	}
	return r.document, nil
}

// split cuts the next line into words. Quoted ones may go on over lines. Size
// and lines are those of what was taken.
func split(text []byte, known words) (words []string, size, lines int, ok bool) {
	var current []byte
	started, quote := false, byte(0)
	for size < len(text) {
		c := text[size]
		size++
		if c == '\n' {
			lines++
		}
		switch {
		case size > maxValue:
			next := bytes.IndexByte(text[size:], '\n')
			if next < 0 {
				return nil, len(text), lines, false
			}
			return nil, size + next + 1, lines + 1, false
		case quote == 0 && c == '#' && !started && len(words) == 0:
			words = append(words, "#")
			next := bytes.IndexByte(text[size:], '\n')
			if next < 0 {
				return words, len(text), lines, true
			}
			return words, size + next + 1, lines + 1, true
		case c == '\\' && quote != '\'' && size < len(text) && text[size] != '\n':
			current, started = append(current, text[size]), true
			size++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			current = append(current, c)
		case c == '"' || c == '\'':
			quote, started = c, true
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			if started {
				words, current, started = append(words, known.of(current)), current[:0], false
			}
			if c == '\n' {
				return nonEmpty(words), size, lines, true
			}
		default:
			current, started = append(current, c), true
		}
	}
	if started {
		words = append(words, string(current))
	}
	return nonEmpty(words), size, lines, quote == 0
}

// nonEmpty gives nil for a line whose first word is empty, which is none.
func nonEmpty(words []string) []string {
	if len(words) > 0 && words[0] == "" {
		return append([]string{"?"}, words[1:]...)
	}
	return words
}

// command takes in one line.
func (r *reader) command(w []string, line int, raw []byte) error {
	if len(r.open) == 0 && w[0] != "config" {
		if w[0] == "end" || w[0] == "next" || w[0] == "set" || w[0] == "edit" {
			return fmt.Errorf("%s outside of a block; expected config", w[0])
		}
		r.skip(line, string(raw[:min(len(raw), 200)]), "expected config and the name of a block")
		return nil
	}
	if w[0] == "config" {
		return r.config(w[1:], line)
	}
	top := &r.open[len(r.open)-1]
	switch w[0] {
	case "edit":
		return r.edit(top, w[1:], line)
	case "next":
		if top.table != nil {
			top.entry = &top.table.own
		}
		top.inner = false
		if top.name == "vdom" {
			r.domain = ""
		}
	case "end":
		if top.name == "vdom" {
			r.domain = ""
		}
		r.open = r.open[:len(r.open)-1]
	default:
		if top.table != nil {
			r.setting(top, w, line, raw)
		}
	}
	return nil
}

func (r *reader) config(w []string, line int) error {
	name := strings.Join(w, " ")
	if len(w) == 0 || len(r.open) == maxDepth {
		return fmt.Errorf("expected config with a name, at most %d within each other", maxDepth)
	}
	r.hasBlock = true
	isTop := len(r.open) == 0 || len(r.open) == 1 && (r.open[0].name == "vdom" && r.domain != "" || r.open[0].name == "global")
	if len(r.open) == 0 && (name == "vdom" || name == "global") {
		r.open = append(r.open, frame{name: name})
		return nil
	}
	f := frame{name: name}
	switch {
	case isTop && r.wanted(name, line):
		if r.tables[name] == nil {
			r.tables[name] = newTable(line)
		}
		f.table = r.tables[name]
	case !isTop && r.open[len(r.open)-1].table != nil:
		parent := r.open[len(r.open)-1].entry
		if parent.subs == nil {
			parent.subs = map[string]*table{}
		}
		if parent.subs[name] == nil {
			parent.subs[name] = newTable(line)
		}
		f.table = parent.subs[name]
	}
	if f.table != nil {
		f.entry = &f.table.own
	}
	r.open = append(r.open, f)
	return nil
}

func newTable(line int) *table {
	return &table{line: line, own: entry{line: line}, index: map[string]*entry{}}
}

// wanted reports whether a block is read: of several VDOMs those of the first
// one with blocks alone.
func (r *reader) wanted(name string, line int) bool {
	if r.domain != "" {
		if r.chosen == "" {
			r.chosen = r.domain
		}
		if !slices.Contains(r.domains, r.domain) {
			r.domains = append(r.domains, r.domain)
			if r.domain != r.chosen {
				r.skip(line, "config vdom edit "+r.domain, "several VDOMs; "+r.chosen+" alone is read: give the configuration of each by itself")
			}
		}
	}
	if r.domain != "" && r.chosen != "" && r.domain != r.chosen {
		return false
	}
	known := isRead(name)
	if !known && !isHarmless(name) {
		r.skip(line, "config "+name, "the block is not read; what it does to packets is not known")
	}
	return known
}

func (r *reader) edit(top *frame, w []string, line int) error {
	if len(w) != 1 {
		return fmt.Errorf("expected edit with one name")
	}
	if top.name == "vdom" && top.table == nil && len(r.open) == 1 {
		r.domain = w[0]
		return nil
	}
	if top.table == nil {
		return nil
	}
	if w[0] == "0" && strings.HasPrefix(top.name, "firewall ") {
		r.skip(line, "config "+top.name+" edit 0", "expected the number that the device gave it, not 0, which makes a new one each time")
	}
	if r.count++; r.count > maxEntries {
		return fmt.Errorf("more than %d entries; give the tables that filter", maxEntries)
	}
	e := top.table.index[w[0]]
	if e == nil {
		e = &entry{name: w[0], line: line}
		top.table.index[w[0]] = e
		top.table.entries = append(top.table.entries, e)
	}
	top.entry, top.inner = e, true
	return nil
}

// setting takes in set, unset and append.
func (r *reader) setting(top *frame, w []string, line int, raw []byte) {
	e := top.entry
	if e.sets == nil {
		e.sets = map[string][]string{}
	}
	if len(w) < 2 {
		r.skip(line, string(raw[:min(len(raw), 200)]), "expected set, unset or append with a name")
		return
	}
	key := w[1]
	_, known := e.sets[key]
	switch w[0] {
	case "set", "append":
		if !known && len(e.keys) == maxKeys {
			r.skip(line, string(raw[:min(len(raw), 200)]), "expected at most 1000 settings of one entry")
			return
		}
		if !known {
			e.keys = append(e.keys, key)
		}
		if w[0] == "set" {
			e.sets[key] = w[2:]
		} else {
			e.sets[key] = append(e.sets[key], w[2:]...)
		}
	case "unset":
		if known {
			delete(e.sets, key)
			e.keys = slices.DeleteFunc(e.keys, func(k string) bool { return k == key })
		}
	default:
		r.skip(line, string(raw[:min(len(raw), 200)]), "expected set, unset, append, edit, next or end")
	}
}
