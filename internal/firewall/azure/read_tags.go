package azure

import (
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// tagReader translates address prefixes and service tags.
type tagReader struct {
	wide bool // VirtualNetwork and Internet may stand for any address
}

// terms gives the conjunctions of which any may hold for the addresses of a
// rule. Those that cannot be known hold an undecidable match.
func (t tagReader) terms(f firewall.Field, texts, groups []string) [][]firewall.Match {
	var certain firewall.Addrs
	var spans []firewall.Span[netip.Addr]
	var open [][]firewall.Match
	var whys []string
	seen := map[string]bool{}
	for _, text := range texts {
		if text == "*" || strings.EqualFold(text, "Any") {
			return [][]firewall.Match{nil}
		}
		if span, err := cloud.Range(text); err == nil {
			spans = append(spans, span)
			continue
		}
		if seen[strings.ToLower(text)] {
			continue
		}
		seen[strings.ToLower(text)] = true
		addrs, within, why := t.tag(f, text)
		if everything := why == ""; everything {
			return [][]firewall.Match{nil}
		}
		certain = certain.Union(addrs)
		if within.Empty() {
			whys = append(whys, why)
		} else {
			open = append(open, []firewall.Match{cloud.Addrs(f, within), cloud.Undecidable(why)})
		}
	}
	for _, g := range groups {
		whys = append(whys, fmt.Sprintf("which addresses are in application security group %s is not in this file", g))
	}
	if len(texts)+len(groups) == 0 {
		whys = append(whys, "the rule names no addresses; expected a prefix, a tag or *")
	}
	if len(whys) > 0 {
		open = append(open, cloud.Merged(whys))
	}
	certain = certain.Union(firewall.NewSet(spans...))
	if f == firewall.Dst && !certain.Empty() {
		open = append(open, translated(certain))
	}
	var out [][]firewall.Match
	if !certain.Empty() {
		out = append(out, []firewall.Match{cloud.Addrs(f, certain)})
	}
	return append(out, open...)
}

// translated matches public addresses, of which it is not known whether they
// are translated to one of the rule's.
func translated(set firewall.Addrs) []firewall.Match {
	return []firewall.Match{
		cloud.Addrs(firewall.Dst, cloud.Public().Subtract(set)),
		cloud.Undecidable("the rule is about private addresses, and which one this public address is translated to is not in this file"),
	}
}

// tag gives the addresses that a service tag stands for with certainty, and
// those within which the others are, of which it is not known whether they are
// meant; empty for anywhere. Without a reason for doubt it stands for every
// address.
func (t tagReader) tag(f firewall.Field, name string) (certain, within firewall.Addrs, why string) {
	why = fmt.Sprintf("which addresses the service tag %s stands for is not in this file", cloud.OneLine(name, 60))
	host := firewall.AddrsOf(netip.MustParsePrefix(hostAddress))
	isNetwork, isInternet := strings.EqualFold(name, "VirtualNetwork"), strings.EqualFold(name, "Internet")
	switch {
	case isNetwork && f == firewall.Dst:
		// The group stands before an interface of the virtual network.
		return certain, within, ""
	case strings.EqualFold(name, "AzureLoadBalancer") && f == firewall.Src:
		return host, firewall.AddrsOf(netip.MustParsePrefix("fe80::/10")), why
	case isNetwork && !t.wide:
		return certain, cloud.NotPublic().Union(host), why
	case isInternet && !t.wide && f == firewall.Src:
		return cloud.Public().Subtract(host), cloud.NotPublic().Union(host), why
	}
	return certain, within, why
}

// hostAddress is from where the platform probes (Azure documentation, "What is
// IP address 168.63.129.16?").
const hostAddress = "168.63.129.16/32"
