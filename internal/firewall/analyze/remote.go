package analyze

import (
	"net/netip"
	"slices"

	"reconshield/internal/firewall"
)

// remote gives addresses that are not the host's own: of assets that stand
// elsewhere, and those to which rules translate and which others forward.
func (in *inspector) remote(r *firewall.Ruleset) firewall.Addrs {
	var out firewall.Addrs
	for i := range in.opt.Policy.Assets {
		if a := &in.opt.Policy.Assets[i]; in.places[a.Name] == firewall.No {
			out = out.Union(addresses(a))
		}
	}
	var spans []firewall.Span[netip.Addr]
	for _, c := range r.Chains {
		for i := range c.Rules {
			if to := c.Rules[i].Action.To; to.First.IsValid() {
				spans = append(spans, firewall.Span[netip.Addr]{First: to.First.Unmap(), Last: to.Last.Unmap()})
			}
		}
	}
	named := firewall.NewSet(spans...).Intersect(forwarded(r)).Subtract(out)
	out = out.Union(named)
	for _, route := range r.Host.Routes { // of those in.translated tells
		if route.Prefix.IsSingleIP() {
			named = named.Subtract(firewall.AddrsOf(route.Prefix))
		}
	}
	if !named.Empty() {
		in.assume("%s taken as addresses of other hosts, as rules for forwarded packets name them; give the output of \"ip -j address\" to say otherwise", list(named))
	}
	return out
}

// list writes a few prefixes.
func list(s firewall.Addrs) string {
	const most = 4
	text := ""
	for i, p := range firewall.Prefixes(s) {
		switch {
		case i == most:
			return text + " and more"
		case i > 0:
			text += ", "
		}
		text += p.String()
	}
	return text
}

// forwarded gives the single destinations that rules for forwarded packets name
// one by one.
func forwarded(r *firewall.Ruleset) firewall.Addrs {
	var spans []firewall.Span[netip.Addr]
	seen := map[*firewall.Chain]bool{}
	todo := slices.DeleteFunc(slices.Clone(r.Chains), func(c *firewall.Chain) bool { return c.Base == nil || c.Base.Hook != firewall.Forward })
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[c] {
			continue
		}
		seen[c] = true
		for i := range c.Rules {
			for _, m := range c.Rules[i].Matches {
				if m.Field == firewall.Dst && !m.Not {
					spans = append(spans, alone(m.Addrs)...)
				}
			}
			if t := c.Rules[i].Action.Target; t != nil {
				todo = append(todo, t)
			}
		}
	}
	return firewall.NewSet(spans...)
}

// alone gives the single addresses of a short list.
func alone(s firewall.Addrs) []firewall.Span[netip.Addr] {
	const most = 16
	if len(s.Spans()) > most {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Spans()), func(x firewall.Span[netip.Addr]) bool { return x.First != x.Last })
}
