package junos

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// translations makes the chain of static and destination NAT: static first, and
// of each the rule sets of interfaces before those of zones. Source NAT acts
// after the policies and changes nothing for them.
func (c *configuration) translations(nat *node) {
	for k := range nat.each() {
		if !slices.Contains([]string{"static", "destination", "source", "proxy-arp", "proxy-ndp", "traceoptions", "allow-overlapping-pools", "natv6v4"}, k.word) {
			c.skip(k, "security nat "+k.word, "expected static, destination or source")
		}
	}
	for set := range nat.find("source", "rule-set").each() {
		for r := range set.find("rule").each() {
			if wide(r.find("then", "source-nat")) {
				c.assume("line %d: persistent NAT lets any host outside answer to what hosts inside have opened; that is not looked at", r.line)
			}
		}
	}
	chain := &firewall.Chain{Table: "nat", Name: "destination", Family: firewall.Inet, Pos: firewall.Position{File: c.file}}
	for _, kind := range []string{"static", "destination"} {
		for _, from := range []string{"interface", "zone"} {
			for set := range nat.find(kind, "rule-set").each() {
				c.ruleSet(chain, nat, kind, from, set)
			}
		}
	}
	if len(chain.Rules) == 0 {
		return
	}
	chain.Base = &firewall.Base{Hook: firewall.Prerouting, Kind: firewall.NAT, Priority: firewall.DNATPriority, Pos: chain.Pos}
	c.chains = append(c.chains, chain)
}

// wide reports whether a rule of source NAT lets others than those asked answer.
func wide(then *node) bool {
	for k := range then.each() {
		for p := range k.each() {
			if p.word == "persistent-nat" || p.find("persistent-nat") != nil {
				return true
			}
		}
	}
	return false
}

func (c *configuration) ruleSet(chain *firewall.Chain, nat *node, kind, by string, set *node) {
	from := set.find("from")
	names := from.find(by).words()
	if by == "interface" && (len(from.kidsOf()) != 1 || from.find("interface") == nil && from.find("zone") == nil) {
		c.skip(set, "nat "+kind+" rule-set "+set.word, "expected from with either a zone or an interface")
	}
	if len(names) == 0 || len(from.kidsOf()) != 1 {
		return
	}
	for i, name := range names {
		if by == "interface" && !strings.Contains(name, ".") {
			names[i] += ".0"
		}
	}
	in := []firewall.Match{{Field: firewall.InInterface, Names: names}}
	if by == "zone" {
		in = c.link(firewall.InInterface, names)
	}
	for k := range set.each() {
		if k.word != "rule" && k.word != "from" && k.word != "description" {
			c.skip(k, "nat "+kind+" rule-set "+set.word+" "+k.word, "expected from and rules")
		}
	}
	for r := range set.find("rule").each() {
		c.translation(chain, nat, kind, r, in)
	}
}

// translation adds a rule. One whose effect cannot be told is reported.
func (c *configuration) translation(chain *firewall.Chain, nat *node, kind string, r *node, in []firewall.Match) {
	rule := firewall.Rule{Pos: c.at(r), Text: cloud.OneLine("nat "+kind+" rule "+r.word+" then "+summary(r.find("then", kind+"-nat")), 300)}
	rule.Matches = slices.Concat(in, c.translated(r.find("match")))
	to, ok, err := c.target(nat, kind, r)
	if err != nil {
		c.skip(r, rule.Text, err.Error())
		return
	}
	rule.Action.Kind = firewall.Accept
	for _, text := range r.find("match", "destination-address").words() {
		if p, err := prefix(text); ok && err == nil && p.Addr().Is4() != to.First.Is4() {
			c.skip(r, rule.Text, "translation between IPv4 and IPv6 is not read")
			return
		}
	}
	if ok {
		rule.Action = firewall.Action{Kind: firewall.DNAT, To: to}
		family := firewall.Number(6)
		if to.First.Is4() {
			family = 4
		}
		rule.Matches = append([]firewall.Match{{Field: firewall.NFProto, Numbers: firewall.NumbersOf(family)}}, rule.Matches...)
	}
	chain.Rules = append(chain.Rules, rule)
}

// translated are the conditions of a rule of NAT.
func (c *configuration) translated(match *node) []firewall.Match {
	var out []firewall.Match
	for k := range match.each() {
		switch k.word {
		case "source-address", "destination-address":
			out = append(out, c.longest(k.kidsOf(), nil).match(side(k.word)))
		case "source-address-name", "destination-address-name":
			parts := make([]addresses, 0, len(k.kids))
			for _, name := range k.words() {
				parts = append(parts, c.address("", name))
			}
			if all := c.join(parts); !all.isAny {
				out = append(out, all.match(side(k.word)))
			}
		case "source-port", "destination-port":
			m, err := natPorts(k)
			if err != nil {
				m = cloud.Undecidable(err.Error())
			}
			out = append(out, m)
		case "protocol":
			m, err := numbers(firewall.Protocol, k, func(v string) (firewall.Numbers, error) {
				n, ok := protocolNumber(v)
				if !ok {
					return firewall.Numbers{}, fmt.Errorf("protocol %q: expected a known name or a number", cloud.OneLine(v, 40))
				}
				return firewall.NumbersOf(n), nil
			})
			if err != nil {
				m = []firewall.Match{cloud.Undecidable(err.Error())}
			}
			out = append(out, m...)
		case "application":
			out = append(out, c.applications(k.words())...)
		default:
			out = append(out, cloud.Undecidable("the rule matches "+k.word+", which is not known"))
		}
	}
	return out
}

func side(word string) firewall.Field {
	if word[0] == 's' {
		return firewall.Src
	}
	return firewall.Dst
}

// natPorts reads "53", or "8000 to 8080", several of them.
func natPorts(k *node) (firewall.Match, error) {
	field := firewall.DstPort
	if k.word == "source-port" {
		field = firewall.SrcPort
	}
	var spans []firewall.Span[firewall.Number]
	for v := range k.each() {
		first, err := ports(v.word)
		last := first
		if up := v.find("to"); up != nil && err == nil {
			word, _ := up.one()
			last, err = ports(word)
		}
		if err != nil {
			return firewall.Match{}, err
		}
		spans = append(spans, firewall.Span[firewall.Number]{First: first.Spans()[0].First, Last: last.Spans()[0].Last})
	}
	return firewall.Match{Field: field, Numbers: firewall.NewSet(spans...)}, nil
}

// target is where a rule sends packets; ok is false when it leaves them alone.
func (c *configuration) target(nat *node, kind string, r *node) (to firewall.NATRange, ok bool, err error) {
	then := r.find("then", kind+"-nat")
	if kind == "static" {
		p := then.find("prefix")
		word, one := p.one()
		to, err = natRange(word)
		if !one || len(then.kidsOf()) != 1 || p.find(word).kidsOf() != nil {
			err = errors.New("expected static-nat with one prefix; mapped ports and names are not read")
		}
		return to, true, err
	}
	if then.find("off") != nil {
		return to, false, nil
	}
	name, one := then.find("pool").one()
	pool := nat.find("destination", "pool", name)
	if !one || pool == nil {
		return to, false, errors.New("expected destination-nat with off or a pool of this file")
	}
	return c.pool(pool)
}

func (c *configuration) pool(pool *node) (to firewall.NATRange, ok bool, err error) {
	for k := range pool.each() {
		if k.word != "address" && k.word != "description" && k.word != "routing-instance" {
			return to, false, fmt.Errorf("pool %s has %s, which is not known", pool.word, k.word)
		}
	}
	address := pool.find("address")
	word, last, port := "", "", ""
	for k := range address.each() {
		switch k.word {
		case "to":
			last, _ = k.one()
		case "port":
			port, _ = k.one()
		default:
			word += k.word
			if n := k.find("to"); n != nil {
				last, _ = n.one()
			}
			if n := k.find("port"); n != nil {
				port, _ = n.one()
			}
		}
	}
	if to, err = natRange(word); err != nil {
		return to, false, err
	}
	if last != "" {
		end, err := natRange(last)
		if err != nil || end.Last.Is4() != to.First.Is4() || end.Last.Less(to.First) {
			return to, false, errors.New("expected a pool from a lower to a higher address")
		}
		to.Last = end.Last
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return to, false, errors.New("expected a port of the pool as a number")
		}
		to.FirstPort, to.LastPort = uint16(n), uint16(n)
	}
	return to, true, nil
}

func natRange(text string) (firewall.NATRange, error) {
	p, err := prefix(text)
	if err != nil {
		return firewall.NATRange{}, err
	}
	s := firewall.PrefixSpan(p)
	return firewall.NATRange{First: s.First, Last: s.Last}, nil
}
