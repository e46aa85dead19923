package junos

import (
	"errors"
	"fmt"
	"net/netip"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// maxNesting is how deep sets may hold sets.
const maxNesting = 32

// addresses are those of a name, and why it may be more or fewer.
type addresses struct {
	set   firewall.Addrs
	doubt string
	isAny bool // of both families
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

// readBooks learns which address books there are and for which zones.
func (c *configuration) readBooks(books *node) {
	for b := range books.each() {
		if b.word == "global" {
			c.books[""] = append(c.books[""], b)
		}
		for z := range b.find("attach", "zone").each() {
			c.books[z.word] = append(c.books[z.word], b)
		}
	}
	for _, z := range c.order {
		if b := z.node.find("address-book"); b != nil {
			c.books[z.name] = append(c.books[z.name], b)
		}
	}
}

// address resolves a name in a policy: in the books of its zone, then in the
// global one.
func (c *configuration) address(zone, name string) addresses {
	switch name {
	case "any":
		return addresses{isAny: true}
	case "any-ipv4":
		return addresses{set: firewall.AllOf(firewall.IPv4)}
	case "any-ipv6":
		return addresses{set: firewall.AllOf(firewall.IPv6)}
	}
	books := c.books[""]
	if zone != "" {
		books = append(append([]*node(nil), c.books[zone]...), books...)
	}
	for _, b := range books {
		if b.find("address", name) != nil || b.find("address-set", name) != nil {
			return c.entry(b, name, 0)
		}
	}
	return addresses{doubt: fmt.Sprintf("address %s is in no address book of this file", cloud.OneLine(name, 80))}
}

// entry resolves a name within one book.
func (c *configuration) entry(book *node, name string, depth int) addresses {
	n := book.find("address", name)
	isSet := n == nil
	if isSet {
		n = book.find("address-set", name)
	}
	if n == nil {
		return addresses{doubt: fmt.Sprintf("address %s is not in the address book %s", cloud.OneLine(name, 80), cloud.OneLine(book.word, 80))}
	}
	if known, ok := c.addrs[n]; ok {
		return known
	}
	if c.busy[n] || depth > maxNesting {
		return addresses{doubt: fmt.Sprintf("address-set %s holds itself or is nested too deep", cloud.OneLine(name, 80))}
	}
	c.busy[n] = true
	defer delete(c.busy, n)
	var out addresses
	if isSet {
		out = c.addressSet(book, n, depth)
	} else {
		out = single(n)
	}
	c.addrs[n] = out
	return out
}

func (c *configuration) addressSet(book, set *node, depth int) addresses {
	var parts []addresses
	for part := range set.each() {
		switch part.word {
		case "description":
		case "address", "address-set":
			for m := range part.each() {
				parts = append(parts, c.entry(book, m.word, depth+1))
			}
		default:
			return addresses{doubt: fmt.Sprintf("address-set %s has %s, which is not known", cloud.OneLine(set.word, 80), cloud.OneLine(part.word, 80))}
		}
	}
	if len(parts) == 0 {
		return addresses{doubt: fmt.Sprintf("address-set %s is empty", cloud.OneLine(set.word, 80))}
	}
	return c.join(parts)
}

// join puts addresses together, as far as the budget goes.
func (c *configuration) join(parts []addresses) addresses {
	if len(parts) == 1 {
		return parts[0]
	}
	var out addresses
	var spans []firewall.Span[netip.Addr]
	for _, p := range parts {
		out.isAny = out.isAny || p.isAny
		if p.doubt != "" {
			out.doubt = p.doubt
		}
		if c.budget -= 1 + len(p.set.Spans()); c.budget < 0 {
			out.doubt = "the address sets are too large to be put together"
			break
		}
		spans = append(spans, p.set.Spans()...)
	}
	out.set = firewall.NewSet(spans...)
	return out
}

// single reads an entry that is no set: a prefix, a range, or what cannot be
// known.
func single(n *node) addresses {
	var parts []addresses
	for k := range n.each() {
		switch k.word {
		case "description":
		case "dns-name":
			parts = append(parts, addresses{doubt: "what the name of address " + cloud.OneLine(n.word, 80) + " resolves to is not in this file"})
		case "range-address":
			parts = append(parts, ranged(k))
		case "wildcard-address":
			parts = append(parts, addresses{doubt: "wildcard address " + cloud.OneLine(n.word, 80) + " is not read"})
		default:
			p, err := prefix(k.word)
			if err != nil {
				parts = append(parts, addresses{doubt: fmt.Sprintf("address %s: %v", cloud.OneLine(n.word, 80), err)})
				continue
			}
			parts = append(parts, addresses{set: firewall.AddrsOf(p)})
		}
	}
	if len(parts) != 1 {
		return addresses{doubt: fmt.Sprintf("address %s: expected one prefix, range or name", cloud.OneLine(n.word, 80))}
	}
	return parts[0]
}

// ranged reads "range-address A to B".
func ranged(n *node) addresses {
	first, ok1 := n.one()
	last, ok2 := n.find(first, "to").one()
	a, err1 := netip.ParseAddr(first)
	b, err2 := netip.ParseAddr(last)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || a.Is4() != b.Is4() || b.Less(a) || a.Is4In6() || b.Is4In6() || a.Zone()+b.Zone() != "" {
		return addresses{doubt: "expected range-address with a lower and a higher address"}
	}
	return addresses{set: firewall.NewSet(firewall.Span[netip.Addr]{First: a, Last: b})}
}

// prefix reads a prefix or an address.
func prefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil && !p.Addr().Is4In6() {
		return p.Masked(), nil
	}
	if a, err := netip.ParseAddr(text); err == nil && !a.Is4In6() && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.Prefix{}, errors.New("expected a prefix such as 192.0.2.0/24, not " + cloud.OneLine(text, 60))
}
