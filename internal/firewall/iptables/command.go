package iptables

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
)

var errTooManyChains = fmt.Errorf("more than %d chains", maxChains)

var errTooMuchMoving = errors.New("too many rules inserted in the middle of chains: load the file and give iptables-save's output")

// command reads a line of iptables' own options, after counters that may stand
// before it.
func (r *reader) command(line []byte) error {
	text := r.text.keep(clip(line, maxText))
	source := ruleSource{text: text, whole: text}
	if len(line) > len(text) {
		source.whole = string(line)
	}
	whole, rest := source.whole, source.whole
	if rest[0] == '[' {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			r.unparsed(whole, "expected counters, as in [12:345]")
			return nil
		}
		rest = rest[end+1:]
	}
	p := &r.rule
	words, open := tokenize(rest, p.toks)
	p.toks, p.at, source.open = words, 0, open
	if len(words) < 2 {
		if len(words) == 1 && (words[0].text == "-Z" || words[0].text == "--zero") {
			return nil
		}
		r.unparsed(whole, `expected "-A CHAIN …"`)
		return nil
	}
	verb, name := words[0].text, words[1].text
	p.at = 2
	switch verb {
	case "-A", "--append":
		source.tail = rest[words[1].end:]
		return r.ruleLine(name, 0, source)
	case "-I", "--insert":
		at := 1
		if p.at < len(words) {
			if n, err := strconv.ParseUint(words[p.at].text, 10, 31); err == nil {
				at, p.at = int(n), p.at+1
			}
		}
		if at == 0 {
			r.unparsed(whole, "positions count from 1")
			at = 1
		}
		source.tail = rest[words[p.at-1].end:]
		return r.ruleLine(name, at, source)
	}
	return r.chainCommand(verb, name, whole)
}

// chainCommand carries out what people write for iptables-restore beside rules.
func (r *reader) chainCommand(verb, name, whole string) error {
	words, args := r.rule.toks, r.rule.toks[2:]
	switch verb {
	case "-Z", "--zero":
		return nil
	case "-N", "--new-chain", "--new":
		c, err := r.chain(name)
		if err == nil {
			c.declared = true
		}
		return err
	case "-P", "--policy":
		c, err := r.chain(name)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			r.unparsed(whole, `expected a policy, as in "-P INPUT DROP"`)
			return nil
		}
		r.setPolicy(c, args[0].text, whole)
		return nil
	case "-F", "--flush":
		if c, ok := r.table.chains[name]; ok {
			c.c.Rules, c.front = nil, nil
			return nil
		}
	case "-X", "--delete-chain":
		if c, ok := r.table.chains[name]; ok && len(c.c.Rules)+len(c.front) == 0 && c.c.Base == nil {
			c.declared, r.table.pending = false, true
			return nil
		}
	case "-D", "--delete":
		if c, ok := r.table.chains[name]; ok && len(words) == 3 && r.deleteRule(c, args[0].text) {
			return r.checkMoved()
		}
	}
	r.unparsed(whole, "expected -A, -I, -N, -P, -F, -X or -D with a position: load the file and give iptables-save's output")
	return nil
}

func (r *reader) deleteRule(c *chainState, position string) bool {
	r.settle(c)
	n, err := strconv.Atoi(position)
	if err != nil || n < 1 || n > len(c.c.Rules) {
		return false
	}
	r.moved += len(c.c.Rules) - n
	c.c.Rules = slices.Delete(c.c.Rules, n-1, n)
	return true
}

func (r *reader) checkMoved() error {
	if r.moved > maxMoved {
		return errTooMuchMoving
	}
	return nil
}

// ruleSource is the text of a rule: as much as is kept, all of it, and what
// follows the chain's name. open is true when a quote is not closed.
type ruleSource struct {
	text, whole, tail string
	open              bool
}

// ruleLine reads a rule and puts it into its chain.
func (r *reader) ruleLine(chain string, at int, source ruleSource) error {
	c, err := r.chain(chain)
	if err != nil {
		return err
	}
	if !c.declared {
		c.declared = true
		r.unparsed(source.whole, "chain "+clip(chain, 64)+" is not declared before it, expected a line :"+clip(chain, 64)+" -")
	}
	p := &r.rule
	if same, ok := r.caches.rules[source.tail]; ok && at < 2 && !libvirt(c) {
		same.Pos, same.Text = r.pos(), source.text
		r.rules++
		r.insert(c, at, []firewall.Rule{same})
		return r.checkRules()
	}
	p.reset(c, source.whole)
	if source.open {
		p.problem("a quote is not closed")
	}
	p.options()
	if p.skip {
		return nil
	}
	rules := p.finish(source.text)
	r.rules += len(rules)
	if !r.insert(c, at, rules) {
		r.unparsed(source.whole, fmt.Sprintf("the chain has no position %d", at))
		r.insert(c, 0, rules)
	}
	if prefix, iface, ok := p.natRoute(); ok {
		r.addRoute(prefix, iface)
	}
	if p.repeats() && len(rules) == 1 && len(r.caches.rules) < maxRepeated {
		keepIn(&r.caches.rules, source.tail, rules[0])
	}
	return r.checkRules()
}

// maxRepeated bounds the rules kept in case they come again.
const maxRepeated = 4096

// repeats reports whether the same words in another chain of the table would
// give the same rule.
func (p *ruleParser) repeats() bool {
	return !p.bad && !p.pending && len(p.uses) == 0 && p.jump != "NETMAP" && p.jump != "MASQUERADE" && !libvirt(p.chain)
}

func (r *reader) checkRules() error {
	if r.rules > maxRules {
		return fmt.Errorf("more than %d rules", maxRules)
	}
	return r.checkMoved()
}

// caches keep values that many rules have in common.
type caches struct {
	addrs  map[string]addressSet
	ports  map[string]firewall.Numbers
	states map[string]stateList
	names  map[string][]string
	protos [256]firewall.Numbers
	sets   map[string][][]firewall.Match
	rules  map[string]firewall.Rule // of the table, by what follows the chain
}
