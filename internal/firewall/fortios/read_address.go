package fortios

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// maxNesting is how deep groups may hold groups.
const maxNesting = 32

// addresses are those of a name, and why it may be more or fewer.
type addresses struct {
	set   firewall.Addrs
	doubt string
}

// match is the condition that an address is among those.
func (a addresses) match(field firewall.Field) firewall.Match {
	m := cloud.Addrs(field, a.set)
	switch {
	case a.doubt == "":
		return m
	case a.set.Empty():
		return cloud.Undecidable(a.doubt)
	}
	return firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{{m}, {cloud.Undecidable(a.doubt)}}}
}

// cosmetic are settings of objects that mean nothing for packets.
func cosmetic(key string) bool {
	return slices.Contains([]string{
		"uuid", "comment", "comments", "color", "visibility", "fabric-object", "associated-interface", "allow-routing", "category", "tags", "name",
		"global-label", "label", "type", "list", "tagging",
	}, key)
}

// address resolves a name of one family: "" for IPv4, "6" for IPv6.
func (c *configuration) address(family, name string, depth int) addresses {
	e := c.tables["firewall address"+family].get(name)
	isGroup := e == nil
	if isGroup {
		e = c.tables["firewall addrgrp"+family].get(name)
	}
	switch {
	case e == nil && name == "all":
		return addresses{set: everything(family)}
	case e == nil && name == "none":
		return addresses{}
	case e == nil:
		return addresses{doubt: fmt.Sprintf("address %s is not in this file", cloud.OneLine(name, 80))}
	}
	if known, ok := c.addrs[e]; ok {
		return known
	}
	if c.busy[e] || depth > maxNesting {
		return addresses{doubt: fmt.Sprintf("group %s holds itself or is nested too deep", cloud.OneLine(name, 80))}
	}
	c.busy[e] = true
	defer delete(c.busy, e)
	var out addresses
	if isGroup {
		out = c.group(family, e, depth)
	} else {
		out = single(family, e)
	}
	c.addrs[e] = out
	return out
}

func everything(family string) firewall.Addrs {
	if family == "6" {
		return firewall.AllOf(firewall.IPv6)
	}
	return firewall.AllOf(firewall.IPv4)
}

func (c *configuration) group(family string, e *entry, depth int) addresses {
	if len(e.sets["member"]) == 0 {
		return addresses{doubt: fmt.Sprintf("group %s has no members", cloud.OneLine(e.name, 80))}
	}
	out := c.join(family, e.sets["member"], depth+1)
	for _, key := range e.keys {
		switch {
		case key == "member" || key == "exclude" || key == "exclude-member" || cosmetic(key):
		default:
			return addresses{doubt: fmt.Sprintf("group %s has %s, which is not known", cloud.OneLine(e.name, 80), cloud.OneLine(key, 80))}
		}
	}
	if e.one("exclude", "disable") == "enable" {
		less := c.join(family, e.sets["exclude-member"], depth+1)
		if less.doubt != "" {
			return addresses{doubt: less.doubt}
		}
		out.set = out.set.Subtract(less.set)
	}
	return out
}

// join puts the addresses of names together, as far as the budget goes.
func (c *configuration) join(family string, names []string, depth int) addresses {
	switch len(names) {
	case 0:
		return addresses{doubt: "expected names of addresses"}
	case 1:
		return c.address(family, names[0], depth)
	}
	var out addresses
	var spans []firewall.Span[netip.Addr]
	for _, name := range names {
		a := c.address(family, name, depth)
		if a.doubt != "" {
			out.doubt = a.doubt
		}
		if c.budget -= 1 + len(a.set.Spans()); c.budget < 0 {
			out.doubt = "the groups of addresses are too large to be put together"
			break
		}
		spans = append(spans, a.set.Spans()...)
	}
	out.set = firewall.NewSet(spans...)
	return out
}

// single reads an object: a subnet, a range, or what cannot be known.
func single(family string, e *entry) addresses {
	name := cloud.OneLine(e.name, 80)
	kind := e.one("type", "ipmask")
	for _, key := range e.keys {
		if !cosmetic(key) && !slices.Contains([]string{"subnet", "ip6", "start-ip", "end-ip"}, key) && (kind == "ipmask" || kind == "ipprefix" || kind == "iprange") {
			return addresses{doubt: fmt.Sprintf("address %s has %s, which is not known", name, cloud.OneLine(key, 80))}
		}
	}
	switch kind {
	case "ipmask", "ipprefix":
		p, err := subnet(family, e)
		if err != nil {
			return addresses{doubt: fmt.Sprintf("address %s: %v", name, err)}
		}
		return addresses{set: firewall.AddrsOf(p)}
	case "iprange":
		a, b, err := ends(e.one("start-ip", "") + "-" + e.one("end-ip", ""))
		if err != nil || a.Is4() != (family == "") {
			return addresses{doubt: fmt.Sprintf("address %s: expected start-ip and end-ip of a range", name)}
		}
		return addresses{set: firewall.NewSet(firewall.Span[netip.Addr]{First: a, Last: b})}
	case "fqdn", "wildcard-fqdn":
		return addresses{doubt: "what the name of address " + name + " resolves to is not in this file"}
	}
	return addresses{doubt: fmt.Sprintf("address %s is of type %s, which cannot be known from this file", name, cloud.OneLine(kind, 60))}
}

// subnet reads "set subnet 192.0.2.0 255.255.255.0" or "set ip6 2001:db8::/32";
// without it an object means every address.
func subnet(family string, e *entry) (netip.Prefix, error) {
	if family == "6" {
		p, err := netip.ParsePrefix(e.one("ip6", "::/0"))
		if err != nil || !p.Addr().Is6() || p.Addr().Is4In6() {
			return p, errors.New("expected set ip6 with a prefix of IPv6")
		}
		return p.Masked(), nil
	}
	w := e.sets["subnet"]
	if len(w) == 0 {
		w = []string{"0.0.0.0", "0.0.0.0"}
	}
	p, err := masked(w)
	return p.Masked(), err
}

// masked reads an address with a mask or a length, host bits kept.
func masked(w []string) (netip.Prefix, error) {
	if len(w) == 1 {
		if p, err := netip.ParsePrefix(w[0]); err == nil && p.Addr().Is4() {
			return p, nil
		}
	}
	if len(w) != 2 {
		return netip.Prefix{}, errors.New("expected an address of IPv4 and a mask")
	}
	a, err1 := netip.ParseAddr(w[0])
	m, err2 := netip.ParseAddr(w[1])
	if err1 != nil || err2 != nil || !a.Is4() || !m.Is4() {
		return netip.Prefix{}, errors.New("expected an address of IPv4 and a mask")
	}
	b := m.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	length := bits.LeadingZeros32(^v)
	if v<<length != 0 {
		return netip.Prefix{}, errors.New("expected a mask without gaps")
	}
	return netip.PrefixFrom(a, length), nil
}
