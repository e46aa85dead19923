package nft

import "reconshield/internal/firewall"

// expr is an expression of either syntax. The same expression read from text
// and from JSON is the same tree.
type expr struct {
	kind     exprKind
	text     string // of a value as written, of a selector in nft's words, of an operator, a set's name
	args     []expr
	fleeting bool // an element of a set that has a timeout
}

type exprKind uint8

const (
	exNone     exprKind = iota
	exValue             // a literal: number, symbol, address, prefix, name of an interface
	exSelector          // what is looked at: "ip saddr", "meta l4proto"
	exRange             // args: first, last
	exSet               // args: elements
	exSetRef            // text: the name without @
	exConcat            // args joined by dots
	exList              // args joined by commas
	exBits              // text: & | ^ << >>, args: two
	exMap               // args: key, data
	exMapping           // args: key, data
	exVerdict           // text: accept …; args: the target
	exAny               // * in sets
)

// stmt is one statement of a rule. Which fields count is said with the kinds.
type stmt struct {
	kind  stmtKind
	op    string
	left  expr
	right expr
	text  string // in nft's words, for statements that are not written back from their parts
}

type stmtKind uint8

const (
	stMatch       stmtKind = iota // left op right; op "" is the implied one
	stVmap                        // left: key, right: data
	stVerdict                     // left: exVerdict
	stReject                      // op: "tcp reset", "icmp", "icmpv6", "icmpx" or ""
	stNop                         // no effect on where packets go; text
	stUndecidable                 // a condition on what no ruleset tells; op: why; right: the key, if there is one
	stUnknown                     // op: why
	stNAT                         // op: dnat, snat, masquerade, redirect; left: address, right: port; text: the family
	stMangle                      // left: what is set, right: to what
	stUpdate                      // op: add, update, delete; left: the set; right: the key
	stNotrack
	stXT // an extension of iptables; op: match, target; text: its name
)

// ruleAST is a rule as read, before lowering.
type ruleAST struct {
	stmts []stmt
	pos   firewall.Position
	text  string
}

// usesSets reports whether the meaning of the rule waits for the named sets.
func (r *ruleAST) usesSets() bool {
	for i := range r.stmts {
		if s := &r.stmts[i]; s.kind != stUpdate && (s.left.usesSets() || s.right.usesSets()) {
			return true
		}
	}
	return false
}

func (e *expr) usesSets() bool {
	if e.kind == exSetRef {
		return true
	}
	if e.kind == exSet {
		return false
	}
	for i := range e.args {
		if e.args[i].usesSets() {
			return true
		}
	}
	return false
}

// Bounds against hostile input.
const (
	maxDepth = 32      // nested expressions and blocks
	maxText  = 300     // of Rule.Text
	maxRules = 4 << 20 // after expansion of maps
	maxSpans = 4 << 20 // of sets of flags and codes, together
	maxBad   = 4       // elements named in one Why
)

func value(text string) expr    { return expr{kind: exValue, text: text} }
func selector(text string) expr { return expr{kind: exSelector, text: text} }
