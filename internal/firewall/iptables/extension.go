package iptables

import (
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
)

type addr = netip.Addr

// load notes "-m name".
func (p *ruleParser) load(name string) {
	mod, ok := modules[name]
	if !ok {
		mod = module{why: "is a match that is not known"}
	}
	if len(p.mods) < cap(p.mods) {
		p.mods = p.mods[:len(p.mods)+1]
	} else {
		p.mods = append(p.mods, activeModule{})
	}
	m := &p.mods[len(p.mods)-1]
	*m = activeModule{name: name, mod: mod, unknown: !ok, words: m.words[:0]}
}

// extension reads an option of a module or of the target. The tool lets it be
// abbreviated, and loads the module of the protocol by itself.
func (p *ruleParser) extension(name string) {
	if p.try(name, false) || p.try(name, true) {
		return
	}
	if p.hasProto {
		if auto := implied(uint8(p.proto)); auto != "" && !p.loaded(auto) {
			if full, n, ok := findOption(modules[auto].options, name, true); ok {
				p.load(auto)
				p.moduleOption(&p.mods[len(p.mods)-1], full, n)
				return
			}
		}
	}
	switch last := len(p.mods) - 1; {
	case p.jump != "" && p.pending:
		p.foreign = true
		p.swallow(nil)
	case p.jump != "" && (p.action.Kind == firewall.Continue || p.action.Kind == firewall.Unknown):
		p.swallow(nil)
	case last >= 0 && p.mods[last].mod.kind == undecided:
		m := &p.mods[last]
		m.words = appendWord(m.words, name)
		p.swallow(m)
	case name == "proto":
		if s, ok := p.arg(); ok {
			p.protocol(s)
		}
	default:
		p.problem("unknown option " + quote("--"+name))
	}
}

func (p *ruleParser) loaded(name string) bool {
	for i := range p.mods {
		if p.mods[i].name == name {
			return true
		}
	}
	return false
}

// try looks an option up in the target, then in the modules, the last first.
func (p *ruleParser) try(name string, abbreviated bool) bool {
	if p.jump != "" {
		if full, n, ok := findOption(p.target.options, name, abbreviated); ok {
			if args, ok := p.args(n); ok {
				p.targetOption(full, args)
			}
			return true
		}
	}
	for i := len(p.mods) - 1; i >= 0; i-- {
		if full, n, ok := findOption(p.mods[i].mod.options, name, abbreviated); ok {
			p.moduleOption(&p.mods[i], full, n)
			return true
		}
	}
	return false
}

// args takes n words.
func (p *ruleParser) args(n int) ([]token, bool) {
	if n > 0 && p.at < len(p.toks) && p.toks[p.at].text == "!" && !p.toks[p.at].quoted {
		p.not = !p.not
		p.at++
	}
	if p.at+n > len(p.toks) {
		p.problem("expected an argument at the end")
		p.at = len(p.toks)
		return nil, false
	}
	p.at += n
	return p.toks[p.at-n : p.at], true
}

// swallow passes over the arguments of an option whose number is not known.
func (p *ruleParser) swallow(m *activeModule) {
	for ; p.at < len(p.toks); p.at++ {
		tok := p.toks[p.at]
		if !tok.quoted && (strings.HasPrefix(tok.text, "-") || tok.text == "!") {
			return
		}
		if m != nil {
			m.words = appendWord(m.words, tok.text)
		}
	}
}

// appendWord collects what an undecided module asks, within bounds.
func appendWord(words []byte, w string) []byte {
	const most = 100
	if len(words) > most {
		return words
	}
	if len(words) > 0 {
		words = append(words, ' ')
	}
	return append(words, clip(w, most)...)
}

// moduleOption reads the arguments of a module's option and decides it.
func (p *ruleParser) moduleOption(m *activeModule, name string, n int) {
	args, ok := p.args(n)
	if !ok {
		return
	}
	switch m.mod.kind {
	case nothing:
	case transport:
		p.transportOption(name, args)
	case icmpKind:
		p.icmpOption(m, args[0].text)
	case multiport:
		p.multiportOption(name, args[0].text)
	case conntrack:
		p.conntrackOption(&m.ct, name, args[0].text)
	case iprange:
		p.rangeOption(name == "src-range", args[0].text)
	case setKind:
		p.setOption(m, name, args)
	case recent:
		m.always = name == "set" && !p.not || m.always
		m.never = name == "set" && p.not || m.never
		p.note(m, name, args)
	case addrtype, undecided:
		m.limited = m.limited || strings.HasPrefix(name, "limit-iface")
		p.note(m, name, args)
	}
}

// note collects the words of an option that is not decided on its own.
func (p *ruleParser) note(m *activeModule, name string, args []token) {
	if p.not {
		m.words = appendWord(m.words, "not")
	}
	m.words = appendWord(m.words, name)
	for _, a := range args {
		m.words = appendWord(m.words, a.text)
	}
}

// finishModule adds what a module asks as a whole.
func (p *ruleParser) finishModule(m *activeModule) {
	p.not = false
	if proto := firewall.Number(m.mod.proto); proto != 0 && (!p.hasProto || p.proto != proto) {
		p.add(firewall.Match{Field: firewall.Protocol, Numbers: p.r.protocolSet(proto)})
	}
	switch m.mod.kind {
	case nothing, transport, icmpKind, iprange:
	case multiport:
		if !p.hasProto || !hasPorts(p.proto) {
			p.add(firewall.Match{Field: firewall.Protocol, Numbers: withPorts()})
		}
	case conntrack:
		p.finishConntrack(&m.ct)
	case setKind:
		if m.flagged {
			p.doubt(m.why())
		}
	case recent:
		switch {
		case m.never:
			p.add(never())
		case !m.always:
			p.doubt(m.why())
		}
	case addrtype:
		p.finishAddrtype(m)
	case undecided:
		if m.name == "helper" {
			p.helped(m)
			return
		}
		if p.presume(m) {
			return
		}
		// esp, ah and their like ask for the protocol alone without options.
		if m.mod.proto == 0 || len(m.words) > 0 {
			p.doubt(m.why())
			if m.ornate() {
				p.ornament()
			}
		}
	}
}

// why says what an undecided module asks and why that is not known: "limit
// 3/min depends on traffic".
func (m *activeModule) why() string {
	words := string(m.words)
	if !strings.HasPrefix(words, m.name) {
		words = strings.TrimSpace(m.name + " " + words)
	}
	return words + " " + m.mod.why
}

// localDst is the match of "addrtype --dst-type LOCAL": the destination is an
// address of the host itself.
func localDst(not bool) firewall.Match {
	return firewall.Match{Field: firewall.DstLocal, Not: not}
}

// helped adds the match of "-m helper", which only looks at conversations that
// another one announced: those are not new (xt_helper.c, helper_mt).
func (p *ruleParser) helped(m *activeModule) {
	expected := inState(firewall.StateEstablished, firewall.StateRelated)
	unsure := firewall.Match{Field: firewall.Undecidable, Why: p.r.words.get(m.why())}
	not := strings.HasPrefix(string(m.words), "not ")
	p.add(firewall.Match{Field: firewall.Tuple, Not: not, Tuples: [][]firewall.Match{{expected, unsure}}})
}

// presume adds what is taken to hold of the packets that questions are about:
// that they pass reverse-path filters, and are for one host.
func (p *ruleParser) presume(m *activeModule) bool {
	words, not := strings.CutPrefix(string(m.words), "not ")
	switch {
	case m.name == "rpfilter":
		p.add(firewall.Match{Field: firewall.Presumed, Not: strings.Contains(words, "invert"), Why: firewall.PresumeReversePath})
	case m.name == "pkttype" && words == "pkt-type unicast":
		p.add(firewall.Match{Field: firewall.Presumed, Not: not, Why: firewall.PresumeUnicast})
	case m.name == "pkttype" && (words == "pkt-type broadcast" || words == "pkt-type multicast"):
		p.add(firewall.Match{Field: firewall.Presumed, Not: !not, Why: firewall.PresumeUnicast})
	default:
		return false
	}
	return true
}

func (p *ruleParser) finishAddrtype(m *activeModule) {
	words, not := strings.CutPrefix(string(m.words), "not ")
	switch words {
	case "src-type UNICAST":
		p.add(firewall.Match{Field: firewall.Presumed, Not: not, Why: firewall.PresumeHostSource})
	case "src-type BROADCAST", "src-type ANYCAST", "src-type MULTICAST", "src-type LOCAL":
		p.add(firewall.Match{Field: firewall.Presumed, Not: !not, Why: firewall.PresumeHostSource})
	case "dst-type BROADCAST", "dst-type ANYCAST", "dst-type UNICAST":
		// An IPv4 address has one type: what is the host's own is none of these.
		if p.t.family == firewall.IPv4 {
			unsure := firewall.Match{Field: firewall.Undecidable, Why: p.r.words.get(m.why())}
			p.add(firewall.Match{Field: firewall.Tuple, Not: not, Tuples: [][]firewall.Match{{localDst(true), unsure}}})
			return
		}
		p.doubt(m.why())
	case "dst-type LOCAL":
		p.add(localDst(not))
	case "dst-type MULTICAST":
		p.add(firewall.Match{Field: firewall.Dst, Not: not, Addrs: multicast(p.t.family)})
	default:
		p.doubt(m.why())
	}
}

// multicast is 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291, section 2.7).
func multicast(f firewall.Family) firewall.Addrs {
	if f == firewall.IPv6 {
		return firewall.AddrsOf(netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff}), 8))
	}
	return firewall.AddrsOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{224}), 4))
}

// setOption reads the options of "-m set".
func (p *ruleParser) setOption(m *activeModule, name string, args []token) {
	if name != "match-set" && name != "set" {
		if name == "return-nomatch" || strings.HasPrefix(name, "packets-") || strings.HasPrefix(name, "bytes-") {
			m.flagged = true
			m.words = m.words[:0]
			p.note(m, name, args)
		}
		return
	}
	set, dirs := args[0].text, args[1].text
	found := p.r.setMatch(set, dirs, p.t.family)
	p.uses = append(p.uses, setRef{index: len(p.extra), set: p.r.words.get(set)})
	found.Not = found.Not != p.not
	p.add(found)
}
