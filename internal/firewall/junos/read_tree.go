package junos

import (
	"bytes"
	"fmt"
	"iter"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// What a configuration may have at most: words below each other, and words in
// all.
const (
	maxDepth = 64
	maxNodes = 8_000_000
	maxWord  = 1024
)

// node is a word of the configuration with the words that follow it. Both forms
// give the same tree: "a b { c; d [ e f ]; }" is a, b, and below it c, and d
// with e and f. All methods take nil, which has nothing below it.
type node struct {
	word     string
	line     int
	inactive bool
	kids     []*node
	index    map[string]*node // of kids, when there are many
}

// find gives what stands below a path of words; nil when there is none or it is
// inactive.
func (n *node) find(path ...string) *node {
	for _, word := range path {
		if n = n.kid(word); n == nil || n.inactive {
			return nil
		}
	}
	return n
}

func (n *node) kid(word string) *node {
	if n == nil {
		return nil
	}
	if n.index != nil {
		return n.index[word]
	}
	for _, k := range n.kids {
		if k.word == word {
			return k
		}
	}
	return nil
}

// each gives what is active below, in order.
func (n *node) each() iter.Seq[*node] {
	return func(yield func(*node) bool) {
		if n == nil {
			return
		}
		for _, k := range n.kids {
			if !k.inactive && !yield(k) {
				return
			}
		}
	}
}

// words are those right below, in order.
func (n *node) words() []string {
	var out []string
	for k := range n.each() {
		out = append(out, k.word)
	}
	return out
}

// one is the only word below; ok is false where there is none or more.
func (n *node) one() (string, bool) {
	w := n.words()
	if len(w) != 1 {
		return "", false
	}
	return w[0], true
}

// tree is a configuration being read.
type tree struct {
	file     string
	root     *node
	count    int
	unparsed []firewall.Unparsed
}

// maxSkipped is how many pieces are reported as not read.
const maxSkipped = 1000

// skip reports what is not read. Of very many the last one stands for the rest.
func (t *tree) skip(line int, text, why string) {
	switch {
	case len(t.unparsed) > maxSkipped:
		return
	case len(t.unparsed) == maxSkipped:
		why = "this and all that follows of what is not read is too much to be listed"
	}
	t.unparsed = append(t.unparsed, firewall.Unparsed{
		Pos: firewall.Position{File: t.file, Line: line}, Text: cloud.OneLine(text, 200), Why: why,
	})
}

// add gives the word below n, which is made where it is not there yet.
func (t *tree) add(n *node, word string, line int) *node {
	if k := n.kid(word); k != nil {
		return k
	}
	t.count++
	k := &node{word: word, line: line}
	n.kids = append(n.kids, k)
	const few = 16
	if n.index == nil && len(n.kids) > few {
		n.index = make(map[string]*node, 2*few)
		for _, other := range n.kids {
			n.index[other.word] = other
		}
	}
	if n.index != nil {
		n.index[word] = k
	}
	return k
}

// remove takes a word below n away. What is left in its place is passed over,
// so that many deletions stay cheap.
func (n *node) remove(word string) {
	k := n.kid(word)
	if k == nil {
		return
	}
	delete(n.index, word)
	*k = node{word: "\x00", inactive: true}
}

// grow reads a text in either form.
func grow(file string, text []byte) (*tree, error) {
	t := &tree{file: file, root: &node{}}
	l := &lexer{text: bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), line: 1}
	if isCommands(l.text) {
		l.byLine = true
		return t, t.commands(l)
	}
	return t, t.braces(l)
}

// isCommands reports whether the first line that says something is a command.
func isCommands(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		first, _, _ := bytes.Cut(line, []byte(" "))
		switch string(first) {
		case "set", "delete", "deactivate", "activate", "insert", "edit", "top":
			return !bytes.HasSuffix(line, []byte("{"))
		}
		return false
	}
	return false
}

// commands reads set commands, one a line.
func (t *tree) commands(l *lexer) error {
	var line []string
	for {
		k := l.next()
		switch k.kind {
		case endOfLine, endOfText:
			t.command(line, k.line)
			line = line[:0]
		case unreadable:
			t.skip(k.line, k.text, "expected words; a quotation does not end or a word is longer than 1024 bytes")
			line = line[:0]
		case word, mark:
			line = append(line, k.text)
		}
		if k.kind == endOfText {
			return nil
		}
		if t.count > maxNodes {
			return fmt.Errorf("%s:%d: more than %d words; give the parts that filter", t.file, k.line, maxNodes)
		}
	}
}

func (t *tree) command(words []string, line int) {
	if len(words) == 0 {
		return
	}
	path := words[1:]
	if len(path) > maxDepth || len(path) == 0 {
		t.skip(line, strings.Join(words[:min(len(words), 10)], " "), "expected a command with 1 to 64 words behind it")
		return
	}
	switch words[0] {
	case "set":
		t.set(path, line)
	case "deactivate", "activate":
		n := t.root
		for _, w := range path {
			if n = n.kid(w); n == nil {
				return
			}
		}
		n.inactive = words[0] == "deactivate"
	case "delete":
		n := t.root
		for _, w := range path[:len(path)-1] {
			if n = n.kid(w); n == nil {
				return
			}
		}
		n.remove(path[len(path)-1])
	case "annotate":
	default:
		t.skip(line, strings.Join(words, " "), "expected set, delete, activate or deactivate")
	}
}

// set adds a path; words in brackets stand beside each other at its end.
func (t *tree) set(path []string, line int) {
	n := t.root
	for i, w := range path {
		if w == "[" && path[len(path)-1] == "]" {
			for _, v := range path[i+1 : len(path)-1] {
				t.add(n, v, line)
			}
			return
		}
		n = t.add(n, w, line)
	}
}
