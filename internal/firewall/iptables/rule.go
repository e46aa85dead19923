package iptables

import (
	"strings"

	"reconshield/internal/firewall"
)

// ruleParser reads the options of one rule. It is used again for the next.
type ruleParser struct {
	r     *reader
	t     *table
	chain *chainState
	whole string
	toks  []token
	at    int
	not   bool // a "!" stands before the option

	srcs, dsts     []addressSet
	srcNot, dstNot bool
	in, out        string
	inNot, outNot  bool
	proto          firewall.Number
	hasProto       bool // -p with one protocol
	protoNot       bool
	skip           bool // a rule of the other family
	bad            bool

	mods  []activeModule
	extra []firewall.Match // of modules and of what is not understood
	uses  []setRef
	// ornaments are the indices in extra of matches on what ordinary packets do
	// not have.
	ornaments []int

	jump    string
	goTo    bool
	pending bool // jump is no chain and no target known here
	foreign bool // the pending target has options: it is no chain
	natSeen bool
	target  target
	action  firewall.Action
}

// setRef says that extra[index] looks into a set.
type setRef struct {
	index int
	set   string
}

// activeModule is a "-m" of the rule.
type activeModule struct {
	name    string
	mod     module
	unknown bool // not in our table
	words   []byte
	ct      ctOptions
	// always is of recent: "--set" alone matches every packet.
	always, never bool
	limited       bool // of addrtype: bound to one interface
	flagged       bool // of set: options that ask more than membership
}

func (p *ruleParser) reset(c *chainState, whole string) {
	*p = ruleParser{
		r: p.r, t: p.r.table, chain: c, whole: whole, toks: p.toks, at: p.at,
		srcs: p.srcs[:0], dsts: p.dsts[:0], mods: p.mods[:0], extra: p.extra[:0], uses: p.uses[:0], ornaments: p.ornaments[:0],
	}
}

// problem notes something in the rule that is not understood: the rule may then
// match or not.
func (p *ruleParser) problem(why string) {
	p.extra = append(p.extra, firewall.Match{Field: firewall.Undecidable, Why: p.r.words.get("not understood: " + clip(why, 160))})
	if !p.bad {
		p.r.unparsed(p.whole, why)
	}
	p.bad = true
}

// doubt adds a match that is understood and cannot be decided.
func (p *ruleParser) doubt(why string) {
	p.extra = append(p.extra, firewall.Match{Field: firewall.Undecidable, Not: p.not, Why: p.r.words.get(clip(why, 200))})
}

func (p *ruleParser) add(m firewall.Match) { p.extra = append(p.extra, m) }

func (p *ruleParser) options() {
	for p.at < len(p.toks) {
		tok := p.toks[p.at]
		p.at++
		switch {
		case tok.text == "!" && !tok.quoted:
			p.not = !p.not
			continue
		case tok.quoted || len(tok.text) < 2 || tok.text[0] != '-':
			p.problem("expected an option, found " + quote(tok.text))
		case p.generic(tok.text):
		case !strings.HasPrefix(tok.text, "--"):
			p.problem("unknown option " + quote(tok.text))
		default:
			p.extension(tok.text[2:])
		}
		p.not = false
	}
}

func quote(s string) string { return "\"" + clip(s, 64) + "\"" }

// arg takes the next word. A "!" between an option and its argument is the old
// way to negate.
func (p *ruleParser) arg() (string, bool) {
	if p.at < len(p.toks) && p.toks[p.at].text == "!" && !p.toks[p.at].quoted {
		p.not = !p.not
		p.at++
	}
	if p.at >= len(p.toks) {
		p.problem("expected an argument after " + quote(p.toks[len(p.toks)-1].text))
		return "", false
	}
	p.at++
	return p.toks[p.at-1].text, true
}

// generic reads the options that need no module; false when opt is none.
func (p *ruleParser) generic(opt string) bool {
	switch opt {
	case "-s", "--source", "--src", "-d", "--destination", "--dst":
		if s, ok := p.arg(); ok {
			p.addresses(s, opt == "-s" || strings.HasPrefix(opt, "--s"))
		}
	case "-p", "--protocol":
		if s, ok := p.arg(); ok {
			p.protocol(s)
		}
	case "-i", "--in-interface":
		if s, ok := p.arg(); ok {
			p.in, p.inNot = s, p.not
		}
	case "-o", "--out-interface":
		if s, ok := p.arg(); ok {
			p.out, p.outNot = s, p.not
		}
	case "-m", "--match":
		if s, ok := p.arg(); ok {
			p.load(s)
		}
	case "-j", "--jump", "-g", "--goto":
		if s, ok := p.arg(); ok {
			p.setTarget(s, opt == "-g" || opt == "--goto")
		}
	case "-f", "--fragment", "--fragments":
		if p.not {
			break // a packet that is no fragment, or the first of them
		}
		p.doubt("fragments: whether packets are put together first depends on the kernel")
		p.ornament()
	case "-c", "--set-counters":
		p.arg()
		if p.at < len(p.toks) && p.toks[p.at].text != "" && p.toks[p.at].text[0] != '-' {
			p.at++
		}
	case "-t", "--table":
		if s, ok := p.arg(); ok && s != p.t.name {
			p.problem("-t " + quote(s) + " inside table " + p.t.name)
		}
	case "-4", "--ipv4":
		p.skip = p.skip || p.t.family == firewall.IPv6
	case "-6", "--ipv6":
		p.skip = p.skip || p.t.family == firewall.IPv4
	case "-v", "--verbose", "-n", "--numeric", "-x", "--exact":
	default:
		return false
	}
	return true
}

// addresses reads "10.0.0.0/8,192.0.2.1".
func (p *ruleParser) addresses(s string, source bool) {
	list := &p.dsts
	if source {
		list = &p.srcs
	}
	if len(*list) > 0 {
		p.problem("addresses are given twice")
		return
	}
	if source {
		p.srcNot = p.not
	} else {
		p.dstNot = p.not
	}
	for part := range strings.SplitSeq(s, ",") {
		a, why := p.r.address(part)
		if why != "" {
			*list = (*list)[:0]
			p.doubt(why)
			return
		}
		*list = append(*list, a)
	}
	// "-s 0/0" says nothing; "! -s 0/0" never matches.
	if len(*list) == 1 && (*list)[0].everything() && !p.not {
		*list = (*list)[:0]
	}
}

// address reads an address or network, with the values of many rules kept.
func (r *reader) address(s string) (addressSet, string) {
	if a, ok := r.caches.addrs[s]; ok {
		return a, ""
	}
	a, why := parseAddress(s, r.family)
	if why == "" {
		keepIn(&r.caches.addrs, s, a)
	}
	return a, why
}

// keepIn puts a value into a bounded cache.
func keepIn[T any](cache *map[string]T, key string, value T) {
	if *cache == nil {
		*cache = map[string]T{}
	}
	if len(*cache) < internBound {
		(*cache)[strings.Clone(key)] = value
	}
}

func (p *ruleParser) protocol(s string) {
	n, all, ok := protocolNumber(s)
	switch {
	case !ok:
		p.problem("unknown protocol " + quote(s) + ": give its number")
	case all && p.not:
		p.add(never())
	case all:
	case p.hasProto || p.protoNot:
		p.problem("protocols are given twice")
	case p.t.family == firewall.IPv6 && extensionHeader(n):
		p.doubt("protocol " + clip(s, 32) + " " + whyHeader)
	default:
		p.proto, p.hasProto, p.protoNot = n, !p.not, p.not
	}
}

// extensionHeader tells the IPv6 headers that the kernel passes over in search
// of the protocol (RFC 8200, section 4).
func extensionHeader(n firewall.Number) bool {
	return n == 0 || n == 43 || n == 44 || n == 51 || n == 59 || n == 60
}
