package nft

import (
	"errors"
	"slices"
	"strings"
)

// startsSelector reports whether the word begins a selector.
func (p *textParser) startsSelector() bool {
	switch p.tok.text {
	case "meta", "ct", "fib", "socket", "osf", "numgen", "jhash", "symhash", "ipsec", "rt", "exthdr", "tunnel", "@th", "@nh", "@ll", "@ih":
		return true
	}
	return isHeader(p.tok.text) || isMeta(p.tok.text)
}

// isHeader reports whether a word names a header whose fields can be matched
// (nft(8), PAYLOAD EXPRESSIONS and EXTENSION HEADER EXPRESSIONS).
func isHeader(s string) bool {
	switch s {
	case "ip", "ip6", "tcp", "udp", "udplite", "sctp", "dccp", "th", "icmp", "icmpv6", "igmp", "ether", "vlan", "arp",
		"ah", "esp", "comp", "gre", "gretap", "vxlan", "geneve", "hbh", "frag", "dst", "mh", "srh":
		return true
	}
	return false
}

// isMeta reports whether a word is a meta key that may stand alone.
func isMeta(s string) bool {
	switch s {
	case "mark", "iif", "iifname", "iiftype", "iifgroup", "iifkind", "oif", "oifname", "oiftype", "oifgroup", "oifkind",
		"skuid", "skgid", "nftrace", "rtclassid", "ibriport", "ibridgename", "ibrname", "obriport", "obridgename", "obrname",
		"pkttype", "cpu", "cgroup", "sdif", "sdifname":
		return true
	}
	return false
}

// selector reads one selector into the words of nft.
func (p *textParser) selector() (expr, error) {
	if p.tok.kind != tkWord {
		return expr{}, p.errSyntax("a match or a statement")
	}
	if !p.startsSelector() {
		return expr{}, p.errSyntax("a match or a statement that is known")
	}
	first := p.take().text
	switch {
	case isMeta(first):
		return selector(p.x.keep([]byte("meta " + first))), nil
	case first[0] == '@':
		return p.rawPayload(first)
	}
	words := []string{first}
	err := p.selectorWords(first, &words)
	return selector(p.x.keep([]byte(strings.Join(words, " ")))), err
}

// selectorWords takes the words that follow the first.
func (p *textParser) selectorWords(first string, words *[]string) error {
	switch first {
	case "ct":
		p.takeIf(words, "original", "reply")
		p.takeIf(words, "ip", "ip6")
		return p.takeWord(words)
	case "fib":
		return p.fib(words)
	case "exthdr":
		return p.takeWord(words)
	case "rt":
		p.takeIf(words, "ip", "ip6")
		return p.takeWord(words)
	case "osf":
		if p.takeIf(words, "ttl") {
			_ = p.takeWord(words)
		}
		return p.takeWord(words)
	case "socket":
		if err := p.takeWord(words); err != nil || !p.takeIf(words, "level") {
			return err
		}
		return p.takeWord(words)
	case "ipsec":
		return p.ipsec(words)
	case "numgen":
		if err := p.takeWord(words); err != nil {
			return err
		}
		return p.hashTail(words)
	case "symhash":
		return p.hashTail(words)
	case "jhash":
		key, err := p.lhs()
		if err != nil {
			return err
		}
		*words = append(*words, key.String())
		return p.hashTail(words)
	case "tcp", "ip", "sctp", "dccp":
		if p.takeIf(words, "option", "chunk") {
			if err := p.takeWord(words); err != nil {
				return err
			}
			p.optionField(words)
			return nil
		}
	case "vxlan", "geneve", "gretap", "gre":
		if err := p.takeWord(words); err != nil {
			return err
		}
		if isHeader((*words)[1]) {
			return p.takeWord(words) // a header inside the tunnel
		}
		return nil
	}
	return p.takeWord(words)
}

// optionField takes the field of a TCP or IP option, if one is named.
func (p *textParser) optionField(words *[]string) {
	p.takeIf(words, "kind", "length", "size", "count", "left", "right", "tsval", "tsecr", "type", "ptr", "addr", "value", "sack-perm",
		"tsn", "flags", "stream", "ssn", "ppid", "init-tag", "a-rwnd", "num-outbound-streams", "num-inbound-streams", "initial-tsn")
}

func (p *textParser) takeIf(words *[]string, which ...string) bool {
	if !slices.ContainsFunc(which, p.is) {
		return false
	}
	*words = append(*words, p.take().text)
	return true
}

func (p *textParser) takeWord(words *[]string) error {
	if p.tok.kind != tkWord {
		return p.errSyntax("a field")
	}
	*words = append(*words, p.take().text)
	return nil
}

// fib reads "saddr . iif oif" after fib.
func (p *textParser) fib(words *[]string) error {
	for {
		if err := p.takeWord(words); err != nil {
			return err
		}
		if !p.accept(".") {
			break
		}
		*words = append(*words, ".")
		if len(*words) > maxDepth {
			return errors.New("expected fewer flags of fib")
		}
	}
	return p.takeWord(words)
}

// ipsec reads "in spnum 0 ip saddr" after ipsec.
func (p *textParser) ipsec(words *[]string) error {
	if err := p.takeWord(words); err != nil {
		return err
	}
	if p.takeIf(words, "spnum") {
		if err := p.takeWord(words); err != nil {
			return err
		}
	}
	p.takeIf(words, "ip", "ip6")
	return p.takeWord(words)
}

// hashTail reads "mod 2 seed 0x1 offset 0".
func (p *textParser) hashTail(words *[]string) error {
	for p.takeIf(words, "mod", "seed", "offset") {
		if err := p.takeWord(words); err != nil {
			return err
		}
	}
	return nil
}

// rawPayload reads "@th,16,16"; what has a name gets it.
func (p *textParser) rawPayload(base string) (expr, error) {
	var numbers [2]string
	for i := range numbers {
		if err := p.expect(","); err != nil {
			return expr{}, err
		}
		n, err := p.nameToken("a number")
		if err != nil {
			return expr{}, err
		}
		numbers[i] = n
	}
	return selector(rawName(base[1:], numbers[0], numbers[1])), nil
}

// rawName is the name of bits of a packet: th,0,16 is the source port.
func rawName(base, offset, length string) string {
	if base == "th" && length == "16" {
		switch offset {
		case "0":
			return "th sport"
		case "16":
			return "th dport"
		}
	}
	return "@" + base + "," + offset + "," + length
}
