package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"reconshield/internal/firewall/dialect"
	"reconshield/internal/guard"
	"reconshield/internal/rehearse"
)

// loadedNow is what errors and notes call the rules that the machine has.
const loadedNow = "(the rules loaded now)"

// standing are all rules that the machine has loaded, whoever made them.
type standing struct {
	native  []nftTable         // of nft
	foreign []nftTable         // of iptables, in nf_tables
	saves   []rehearse.Ruleset // the foreign ones, as iptables-nft-save tells them
	legacy  []rehearse.Ruleset // of iptables, beside nf_tables
}

// nftTable is a table with its text as nft lists it.
type nftTable struct {
	name string // "inet fw"
	text []byte
}

// readStanding reads the rules that are loaded. Where nft is missing there are none of
// its own.
func readStanding(ctx context.Context) (*standing, error) {
	var s standing
	if path, err := findTool("nft", "nftables"); err == nil {
		listing, err := guard.Run(ctx, guard.Step{Path: path, Args: []string{"list", "ruleset"}})
		if err != nil {
			return nil, unsaved(err)
		}
		for _, t := range splitTables(listing) {
			if foreign(t.text) != "" {
				s.foreign = append(s.foreign, t)
			} else {
				s.native = append(s.native, t)
			}
		}
	}
	for _, f := range []struct {
		family, prefix string
		dialect        rehearse.Dialect
	}{{"iptables", "ip ", rehearse.IPTables}, {"ip6tables", "ip6 ", rehearse.IP6Tables}} {
		if slices.ContainsFunc(s.foreign, func(t nftTable) bool { return strings.HasPrefix(t.name, f.prefix) }) {
			text, err := saveOf(ctx, f.family+"-nft-save")
			if err != nil {
				return nil, err
			}
			s.saves = append(s.saves, rehearse.Ruleset{Dialect: f.dialect, File: loadedNow, Text: text})
		}
		if names, err := os.ReadFile("/proc/net/" + strings.TrimSuffix(f.family, "tables") + "_tables_names"); err == nil && len(bytes.TrimSpace(names)) > 0 {
			text, err := saveOf(ctx, f.family+"-legacy-save")
			if err != nil {
				return nil, err
			}
			s.legacy = append(s.legacy, rehearse.Ruleset{Dialect: f.dialect, File: loadedNow, Text: text})
		}
	}
	return s.sorted(), nil
}

// sorted takes back for nft what only looks like iptables': tables with its
// names that iptables does not know as its own.
func (s *standing) sorted() *standing {
	own := func(t nftTable) bool {
		family, name, _ := strings.Cut(t.name, " ")
		d := rehearse.IPTables
		if family == "ip6" {
			d = rehearse.IP6Tables
		}
		return slices.ContainsFunc(s.saves, func(r rehearse.Ruleset) bool {
			return r.Dialect == d && (family == "ip" || family == "ip6") && slices.Contains(tablesOf(r.Text), name)
		})
	}
	var theirs []nftTable
	for _, t := range s.foreign {
		if own(t) || hasWord(t.text, "xt") {
			theirs = append(theirs, t)
		} else {
			s.native = append(s.native, t)
		}
	}
	s.foreign = theirs
	return s
}

func unsaved(err error) error {
	return &FailureError{Err: fmt.Errorf("the rules that are loaded now cannot be saved, so nothing was changed: %w", err)}
}

func saveOf(ctx context.Context, name string) ([]byte, error) {
	path, err := findTool(name, "iptables")
	if err != nil {
		return nil, err
	}
	text, err := guard.Run(ctx, guard.Step{Path: path, Args: []string{"-c"}})
	if err != nil {
		return nil, unsaved(err)
	}
	return text, nil
}

// splitTables cuts the output of nft list ruleset, where whatever a table holds
// is indented.
func splitTables(listing []byte) []nftTable {
	var out []nftTable
	begin, at := -1, 0
	name := ""
	for line := range bytes.Lines(listing) {
		words := strings.Fields(string(line))
		switch {
		case begin < 0 && len(words) >= 3 && words[0] == "table" && line[0] == 't':
			begin, name = at, words[1]+" "+words[2]
		case begin >= 0 && line[0] == '}':
			out = append(out, nftTable{name, listing[begin : at+len(line)]})
			begin = -1
		}
		at += len(line)
	}
	return out
}

// unrestorable names a table that no program here can bring back.
func (s *standing) unrestorable() error {
	for _, t := range s.foreign {
		family, name, _ := strings.Cut(t.name, " ")
		if !slices.ContainsFunc(s.saves, func(r rehearse.Ruleset) bool {
			return (r.Dialect == rehearse.IP6Tables) == (family == "ip6") && slices.Contains(tablesOf(r.Text), name)
		}) {
			return fmt.Errorf("table %s holds rules that neither nft nor iptables-save can bring back as they were, so nothing was changed; apply a file of the program that made it", t.name)
		}
	}
	return nil
}

// undo is the text that gives nft its tables back in one transaction, whatever
// the next rules make of them; the tables of iptables are left to iptables.
func (s *standing) undo(next []byte) []byte {
	var b bytes.Buffer
	if len(s.foreign) == 0 {
		b.WriteString("flush ruleset\n")
	} else {
		gone := tablesNamed(next)
		for _, t := range s.native {
			gone = append(gone, t.name)
		}
		slices.Sort(gone)
		for _, name := range slices.Compact(gone) {
			fmt.Fprintf(&b, "add table %s\ndelete table %s\n", name, name)
		}
	}
	return append(b.Bytes(), s.nativeText()...)
}

func (s *standing) nativeText() []byte {
	var b bytes.Buffer
	for _, t := range s.native {
		b.Write(t.text)
	}
	return b.Bytes()
}

// tablesNamed lists all that a script of nft calls a table. One too many does no
// harm.
func tablesNamed(script []byte) []string {
	var out []string
	words := regexp.MustCompile(`\btable\s+(?:(ip6?|inet|arp|bridge|netdev)\s+)?([A-Za-z_][\w./-]*)`)
	for _, m := range words.FindAllSubmatch(script, -1) {
		family := string(m[1])
		if family == "" {
			family = "ip" // nft(8), ADDRESS FAMILIES
		}
		out = append(out, family+" "+string(m[2]))
	}
	return out
}

// flushes reports that a script of nft begins from nothing.
func flushes(script []byte) bool {
	return regexp.MustCompile(`(?m)(^|;)\s*flush\s+ruleset\s*(;|$|#)`).Match(script) ||
		regexp.MustCompile(`"flush"\s*:\s*\{\s*"ruleset"\s*:`).Match(script)
}

// includes gives the line of the first file that a script of nft reads.
func includes(script []byte) (line int) {
	n := 0
	for text := range bytes.Lines(script) {
		n++
		if words := strings.Fields(string(text)); len(words) > 1 && words[0] == "include" {
			return n
		}
	}
	return 0
}

// after are the rules that the machine has when the new ones are loaded, the new
// ones last.
func (a *applying) after() []rehearse.Ruleset {
	var out []rehearse.Ruleset
	flushed := false
	replaced := map[rehearse.Dialect][]byte{}
	for _, f := range a.files {
		flushed = flushed || f.tool.isNFT() && flushes(f.Text)
		replaced[f.Dialect] = f.Text
	}
	keep := func(r rehearse.Ruleset) {
		if r.Text = without(r.Text, tablesOf(replaced[r.Dialect])); len(tablesOf(r.Text)) > 0 {
			out = append(out, r)
		}
	}
	if !flushed && len(a.now.native) > 0 {
		out = append(out, rehearse.Ruleset{Dialect: rehearse.NFT, File: loadedNow, Text: a.now.nativeText()})
	}
	for _, r := range a.now.saves {
		if !flushed {
			keep(r)
		}
	}
	for _, r := range a.now.legacy {
		keep(r)
	}
	for _, f := range a.files {
		out = append(out, f.Ruleset)
	}
	return out
}

// without leaves tables out of a text of iptables-save.
func without(save []byte, tables []string) []byte {
	var out bytes.Buffer
	skip := false
	for line := range bytes.Lines(save) {
		if name, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("*")); ok {
			skip = slices.Contains(tables, string(name))
		}
		if !skip || bytes.HasPrefix(line, []byte("# Generated by")) {
			out.Write(line)
		}
		if bytes.Equal(bytes.TrimSpace(line), []byte("COMMIT")) {
			skip = false
		}
	}
	return out.Bytes()
}

// audited are the rules for the audit: nft's in one text, since later commands
// change what earlier ones made.
func audited(texts []rehearse.Ruleset) []dialect.Source {
	var out []dialect.Source
	nft := -1
	for _, t := range texts {
		switch {
		case t.Dialect == rehearse.NFT && nft >= 0:
			out[nft] = dialect.Source{Name: t.File, Text: slices.Concat(out[nft].Text, t.Text)}
			continue
		case t.Dialect == rehearse.NFT:
			nft = len(out)
		}
		out = append(out, dialect.Source{Name: t.File, Text: t.Text})
	}
	return out
}

// warn tells what a file does to rules that it does not name.
func (a *applying) warn() {
	for _, f := range a.files {
		if !f.tool.isNFT() {
			continue
		}
		var names []string
		for _, t := range a.now.foreign {
			names = append(names, t.name)
		}
		switch flushed := flushes(f.Text); {
		case flushed && len(names) > 0:
			a.mind("%s flushes the ruleset, and with it the tables of iptables (%s): what Docker and others put there is gone until they put it there again", f.File, strings.Join(names, ", "))
		case !flushed && len(a.now.native) > 0:
			a.mind("%s does not flush the ruleset: its rules come on top of the %s loaded now", f.File, counted(len(a.now.native), "table"))
		}
	}
	if len(a.now.legacy) > 0 && !slices.ContainsFunc(a.files, func(f *applied) bool { return f.tool.isLegacy() }) {
		a.mind("rules of iptables-legacy are loaded too; packets must pass them as well, and they stay as they are")
	}
}

// isLegacy reports whether the system's iptables is the old one.
func (t firewallTool) isLegacy() bool {
	path, err := filepath.EvalSymlinks(t.restart)
	return err == nil && strings.Contains(filepath.Base(path), "legacy")
}

func (a *applying) mind(format string, args ...any) {
	if a.opts.Say != nil {
		a.opts.Say(ApplyStep{Mind: true, Text: fmt.Sprintf(format, args...)})
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// backup are the steps that bring back what a file changes, for the guard.
func (a *applying) backup(f *applied) ([]guard.Step, error) {
	if !f.tool.isNFT() {
		return []guard.Step{f.tool.restore(f.saved)}, nil
	}
	steps := []guard.Step{f.tool.restore(f.saved)}
	touched := flushes(f.Text)
	for _, t := range a.now.foreign {
		touched = touched || slices.Contains(tablesNamed(f.Text), t.name)
	}
	for _, r := range a.now.saves {
		given := slices.ContainsFunc(a.files, func(f *applied) bool { return f.Dialect == r.Dialect })
		if !touched || given {
			continue
		}
		tool, err := theirs(r.Dialect)
		if err != nil {
			return nil, err
		}
		steps = append(steps, tool.restore(r.Text))
	}
	return steps, nil
}

// theirs is what loads the tables of iptables in nf_tables.
func theirs(d rehearse.Dialect) (firewallTool, error) {
	name := "iptables-nft-restore"
	if d == rehearse.IP6Tables {
		name = "ip6tables-nft-restore"
	}
	path, err := findTool(name, "iptables")
	return firewallTool{dialect: d, restart: path}, err
}

func hasWord(text []byte, word string) bool {
	for line := range bytes.Lines(text) {
		if slices.Contains(strings.Fields(string(line)), word) {
			return true
		}
	}
	return false
}
