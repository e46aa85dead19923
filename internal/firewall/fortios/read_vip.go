package fortios

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// maxVIPs is how many virtual IPs are followed.
const maxVIPs = 10_000

// vip is a virtual IP that translates destinations.
type vip struct {
	name, family string
	outside      []firewall.Match // what a packet to it looks like before
	inside       firewall.NATRange
	from         firewall.Span[netip.Addr] // addresses that packets are sent to
	protocol     firewall.Number           // 0 for all
	outer        firewall.Numbers
	rule         int // of the chain
}

// readVIPs makes the chain of virtual IPs. One that no policy names may do
// nothing, unless NAT is central.
func (c *configuration) readVIPs() {
	chain := &firewall.Chain{
		Table: "nat", Name: "virtual IPs", Family: firewall.Inet, Pos: firewall.Position{File: c.file},
		Base: &firewall.Base{Hook: firewall.Prerouting, Kind: firewall.NAT, Priority: firewall.DNATPriority, Pos: firewall.Position{File: c.file}},
	}
	named := c.named()
	for _, family := range []string{"", "6"} {
		for _, e := range c.tables["firewall vip"+family].list() {
			if e.one("status", "enable") == "disable" {
				continue
			}
			v, m, err := readVIP(family, e)
			if len(c.vips) == maxVIPs {
				err = errors.New("more than 10000 virtual IPs; this one is not read")
			}
			if err != nil {
				c.skip(e.line, "config firewall vip"+family+" edit "+e.name, err.Error())
				continue
			}
			if in := e.one("extintf", "any"); in != "any" {
				names := c.zones[in]
				if names == nil {
					names = []string{in}
					if !c.isInterface(in) {
						m = append(m, cloud.Undecidable("which interfaces "+cloud.OneLine(in, 60)+" stands for is not in this file"))
					}
				}
				m = append(m, firewall.Match{Field: firewall.InInterface, Names: names})
			}
			if !c.isCentral && !named[family+" "+e.name] {
				m = append(m, cloud.Undecidable("whether a virtual IP that no policy names translates is not known"))
			}
			v.rule = len(chain.Rules)
			c.vips = append(c.vips, v)
			chain.Rules = append(chain.Rules, firewall.Rule{
				Matches: m, Action: firewall.Action{Kind: firewall.DNAT, To: v.inside}, Pos: c.at(e),
				Text: cloud.OneLine("virtual IP "+e.name+" extip "+e.one("extip", "")+" mappedip "+e.one("mappedip", ""), 300),
			})
		}
	}
	if len(chain.Rules) > 0 {
		c.contested(chain)
		c.chains = append(c.chains, chain)
	}
}

// contested leaves open which of several virtual IPs translates a packet that
// is meant by more than one: each but the last may be passed over.
func (c *configuration) contested(chain *firewall.Chain) {
	doubted := map[int]bool{}
	doubt := func(i int) {
		if r := &chain.Rules[i]; !doubted[i] {
			r.Matches = append(r.Matches, cloud.Undecidable("which of several virtual IPs for the same packets comes first is not known"))
		}
		doubted[i] = true
	}
	sorted := slices.Clone(c.vips)
	slices.SortFunc(sorted, func(a, b vip) int { return a.from.First.Compare(b.from.First) })
	for i, a := range sorted {
		for _, b := range sorted[i+1:] {
			if a.from.Last.Less(b.from.First) {
				break
			}
			if c.budget--; c.budget < 0 {
				doubt(a.rule)
				break
			}
			if a.protocol == 0 || b.protocol == 0 || a.protocol == b.protocol && !a.outer.Intersect(b.outer).Empty() {
				doubt(min(a.rule, b.rule))
			}
		}
	}
}

// named are the virtual IPs, with their family, that enabled policies name.
func (c *configuration) named() map[string]bool {
	out := map[string]bool{}
	for _, block := range []string{"firewall policy", "firewall policy6"} {
		for _, p := range c.tables[block].list() {
			if p.one("status", "enable") == "disable" {
				continue
			}
			four := ""
			if block == "firewall policy6" {
				four = "6"
			}
			for _, name := range p.sets["dstaddr"] {
				c.members(four, name, out, 0)
			}
			for _, name := range p.sets["dstaddr6"] {
				c.members("6", name, out, 0)
			}
		}
	}
	return out
}

// members are the virtual IPs that a name stands for, as far as the budget goes.
func (c *configuration) members(family, name string, into map[string]bool, depth int) {
	key := family + " " + name
	c.budget -= 20 // each becomes several conditions
	if depth > maxNesting || into[key] || c.budget < 0 {
		return
	}
	into[key] = true
	if g := c.tables["firewall vipgrp"+family].get(name); g != nil {
		for _, m := range g.sets["member"] {
			c.members(family, m, into, depth+1)
		}
	}
}

// readVIP reads a virtual IP: what it is, and which packets it translates.
func readVIP(family string, e *entry) (vip, []firewall.Match, error) {
	v := vip{name: e.name, family: family}
	if kind := e.one("type", "static-nat"); kind != "static-nat" {
		return v, nil, fmt.Errorf("a virtual IP of type %s is not read", kind)
	}
	first, last, err1 := ends(e.one("extip", ""))
	to, end, err2 := ends(e.one("mappedip", ""))
	if err1 != nil || err2 != nil || first.Is4() != to.Is4() || first.Is4() != (family == "") {
		return v, nil, errors.New("expected extip and mappedip with an address or a range each, of one family")
	}
	if first.IsUnspecified() {
		return v, nil, errors.New("the virtual IP stands for the address that its interface has, which is not read; expected extip with that address")
	}
	v.inside, v.from = firewall.NATRange{First: to, Last: end}, firewall.Span[netip.Addr]{First: first, Last: last}
	m := []firewall.Match{cloud.Addrs(firewall.Dst, firewall.NewSet(firewall.Span[netip.Addr]{First: first, Last: last}))}
	v.outside = []firewall.Match{cloud.Addrs(firewall.OrigDst, m[0].Addrs)}
	if e.one("portforward", "disable") == "enable" {
		if err := v.ports(e, &m); err != nil {
			return v, nil, err
		}
	}
	known := []string{
		"extip", "mappedip", "extintf", "portforward", "protocol", "extport", "mappedport", "status", "nat-source-vip", "arp-reply", "ndp-reply",
		"gratuitous-arp-interval", "id", "portmapping-type", "nat44", "nat66",
	}
	for _, key := range e.keys {
		if !cosmetic(key) && !slices.Contains(known, key) {
			m = append(m, cloud.Undecidable("what "+cloud.OneLine(key, 60)+" does in a virtual IP is not read"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.subs)) {
		m = append(m, cloud.Undecidable("what "+cloud.OneLine(name, 60)+" does in a virtual IP is not read"))
	}
	return v, m, nil
}

// ports reads which ports are forwarded to which.
func (v *vip) ports(e *entry, m *[]firewall.Match) error {
	n, ok := cloud.ProtocolNumber(e.one("protocol", "tcp"))
	if !ok || !cloud.HasPorts(n) {
		return errors.New("expected the protocol tcp, udp or sctp")
	}
	outer, err := cloud.PortList(firewall.DstPort, []string{e.one("extport", "")})
	if err != nil {
		return err
	}
	inner, err := cloud.PortList(firewall.DstPort, []string{e.one("mappedport", e.one("extport", ""))})
	if err != nil {
		return err
	}
	v.protocol, v.outer = n, outer.Numbers
	*m = append(*m, cloud.Protocol(n), outer)
	v.outside = append(v.outside, cloud.Protocol(n), firewall.Match{Field: firewall.OrigDstPort, Numbers: outer.Numbers})
	if !inner.Numbers.Equal(outer.Numbers) {
		s := inner.Numbers.Spans()[0]
		v.inside.FirstPort, v.inside.LastPort = uint16(s.First), uint16(s.Last)
		if s.First == 0 {
			return errors.New("expected mappedport above 0")
		}
	}
	return nil
}

// ends reads an address or "A-B".
func ends(text string) (first, last netip.Addr, err error) {
	a, b, isRange := strings.Cut(text, "-")
	if !isRange {
		b = a
	}
	first, err1 := netip.ParseAddr(a)
	last, err2 := netip.ParseAddr(b)
	if err1 != nil || err2 != nil || first.Is4() != last.Is4() || last.Less(first) || first.Zone()+last.Zone() != "" || first.Is4In6() || last.Is4In6() {
		return first, last, errors.New("expected an address, or a range from a lower to a higher one")
	}
	return first, last, nil
}

// destination is the condition on where packets go. A policy names virtual IPs
// for what they translate; whether one that names other addresses matches that
// as well is known only where it says match-vip for all of them.
func (c *configuration) destination(p *entry, family string, names []string, negate bool) firewall.Match {
	var plain []string
	wanted := map[string]bool{}
	for _, name := range names {
		if c.tables["firewall vip"+family].get(name) != nil || c.tables["firewall vipgrp"+family].get(name) != nil {
			c.members(family, name, wanted, 0)
		} else {
			plain = append(plain, name)
		}
	}
	if len(wanted) == 0 && (c.isCentral || !c.hasVIP(family)) {
		m := c.join(family, plain, 0).match(firewall.Dst)
		m.Not = negate
		return m
	}
	if c.budget < 0 {
		return cloud.Undecidable("the groups of virtual IPs are too large to be put together")
	}
	if negate {
		return cloud.Undecidable("negated destinations beside virtual IPs are not read")
	}
	var tuples [][]firewall.Match
	if len(plain) > 0 {
		a := c.join(family, plain, 0)
		tuples = append(tuples, []firewall.Match{status(firewall.StatusNone), a.match(firewall.Dst)})
		translated := status(firewall.StatusDNAT)
		doubt := cloud.Undecidable("whether a policy that names no virtual IP matches what one translates depends on the release")
		switch {
		case p.one("match-vip", "disable") == "enable" && a.doubt == "" && a.set.Equal(everything(family)):
			tuples = append(tuples, []firewall.Match{translated})
		case a.doubt != "":
			tuples = append(tuples, []firewall.Match{translated, doubt})
		default:
			tuples = append(tuples,
				[]firewall.Match{translated, cloud.Addrs(firewall.Dst, a.set), doubt}, []firewall.Match{translated, cloud.Addrs(firewall.OrigDst, a.set), doubt})
		}
	}
	for _, i := range c.chosen(family, wanted) {
		v := c.vips[i]
		inside := cloud.Addrs(firewall.Dst, firewall.NewSet(firewall.Span[netip.Addr]{First: v.inside.First, Last: v.inside.Last}))
		tuples = append(tuples, append([]firewall.Match{status(firewall.StatusDNAT), inside}, v.outside...))
	}
	if len(tuples) == 0 {
		return cloud.Undecidable("the virtual IPs that the policy names are not read")
	}
	return firewall.Match{Field: firewall.Tuple, Tuples: tuples}
}

// hasVIP reports whether there are virtual IPs of a family; those of IPv4 come
// first.
func (c *configuration) hasVIP(family string) bool {
	return len(c.vips) > 0 && (c.vips[0].family == family || c.vips[len(c.vips)-1].family == family)
}

// chosen gives the places of the virtual IPs that are wanted, in order.
func (c *configuration) chosen(family string, wanted map[string]bool) []int {
	if c.places == nil {
		c.places = map[string]int{}
		for i, v := range c.vips {
			c.places[v.family+" "+v.name] = i
		}
	}
	var out []int
	for key := range wanted {
		if i, ok := c.places[key]; ok && c.vips[i].family == family {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

func status(n firewall.Number) firewall.Match {
	return firewall.Match{Field: firewall.Status, Numbers: firewall.NumbersOf(n)}
}
