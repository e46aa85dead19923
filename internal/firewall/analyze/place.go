package analyze

import (
	"fmt"
	"net/netip"
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// inspector holds what all questions of an audit share.
type inspector struct {
	opt    Options
	rules  *firewall.Ruleset
	eval   *firewall.Evaluator
	places map[string]firewall.Tri // of assets by name: whether they are the host itself
	// borrowed says that the zones' interfaces are not the host's.
	borrowed bool
	// elsewhere are the assets that the host is no gateway of.
	elsewhere map[string]bool
	assumed   []string
	effort    effort
	entered   map[*firewall.Chain]bool // see inbound
	// real are the sources of each family that the kernel does not refuse as
	// impossible (martians): this network, loopback, multicast, the host's own.
	real  map[firewall.Family]firewall.Addrs
	inner firewall.Addrs // see meant
	// openings are the kinds of first packets over TCP, see there.
	openings []firewall.Number
}

func newInspector(r *firewall.Ruleset, opt Options) (*inspector, error) {
	in := &inspector{opt: opt, places: map[string]firewall.Tri{}, elsewhere: map[string]bool{}, inner: inner(opt.Policy)}
	if _, ok := opt.Policy.Asset(opt.Host); opt.Host != "" && !ok {
		return nil, fmt.Errorf("no asset %q in the policy; --host takes the asset that the ruleset was saved on", opt.Host)
	}
	in.rules = in.enrich(r)
	in.eval = firewall.NewEvaluator(in.rules)
	in.openings = openings(in.rules)
	if opt.Limit > 0 {
		in.eval.SetLimit(opt.Limit)
	}
	in.real = map[firewall.Family]firewall.Addrs{}
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		in.real[f] = firewall.AllOf(f).Subtract(martians()).Subtract(in.rules.Host.Local)
	}
	return in, nil
}

func (in *inspector) assume(format string, args ...any) {
	in.assumed = append(in.assumed, fmt.Sprintf(format, args...))
}

// enrich adds to a ruleset what the policy tells of the host: its addresses and
// what is reached through which interface. The given ruleset stays as it is.
func (in *inspector) enrich(given *firewall.Ruleset) *firewall.Ruleset {
	r := *given
	r.Host.Routes = slices.Clone(given.Host.Routes)
	for i := range in.opt.Policy.Assets {
		a := &in.opt.Policy.Assets[i]
		in.places[a.Name] = in.place(&r, a)
	}
	in.borrowed = in.interfacesElsewhere()
	if r.Host.Local.Empty() {
		for i := range in.opt.Policy.Assets {
			if a := &in.opt.Policy.Assets[i]; in.places[a.Name] == firewall.Yes {
				r.Host.Local = r.Host.Local.Union(addresses(a))
			}
		}
		r.Host.Partial = true
	}
	for _, z := range in.opt.Policy.Zones {
		if len(z.Interfaces) != 1 || in.borrowed {
			continue
		}
		for _, n := range z.Networks {
			r.Host.Routes = append(r.Host.Routes, firewall.Route{Prefix: n, Interface: z.Interfaces[0]})
		}
	}
	in.translated(&r)
	if r.Host.Partial {
		r.Host.Remote = in.remote(&r)
	}
	return &r
}

// interfacesElsewhere reports whether the zones' interfaces are those of another
// machine: the policy's gateway, behind which the host stands.
func (in *inspector) interfacesElsewhere() bool {
	host, gateway := "", ""
	for i := range in.opt.Policy.Assets {
		a := &in.opt.Policy.Assets[i]
		switch {
		case a.Gateway && in.places[a.Name] == firewall.Yes:
			return false
		case a.Gateway:
			gateway = a.Name
		case in.places[a.Name] == firewall.Yes:
			host = a.Name
		}
	}
	if host == "" || gateway == "" {
		return false
	}
	in.assume("zones are told by their networks on %s: the interfaces of the policy are those of %s, which has to drop forged sources", host, gateway)
	return true
}

func addresses(a *policy.Asset) firewall.Addrs {
	var out []netip.Prefix
	for _, x := range a.Addresses {
		out = append(out, netip.PrefixFrom(x, x.BitLen()))
	}
	return firewall.AddrsOf(out...)
}

// place finds out whether an asset is the host that the rules stand on.
func (in *inspector) place(r *firewall.Ruleset, a *policy.Asset) firewall.Tri {
	switch {
	case in.opt.Host == a.Name:
		return firewall.Yes
	case in.opt.Host != "":
		if host, _ := in.opt.Policy.Asset(in.opt.Host); !host.Gateway && !mentions(r, firewall.Forward, addresses(a)) {
			in.elsewhere[a.Name] = true
		}
		return firewall.No
	case a.Gateway:
		return firewall.Yes
	case !onHost(r):
		return firewall.No
	case !r.Host.Local.Empty():
		return yes(!r.Host.Local.Intersect(addresses(a)).Empty())
	case len(in.opt.Policy.Assets) == 1:
		in.assume("%s is taken as the host that the ruleset was saved on, being the policy's only asset; gateway: true on another asset says otherwise", a.Name)
		return firewall.Yes
	}
	for i := range in.opt.Policy.Assets {
		if in.opt.Policy.Assets[i].Gateway {
			return firewall.No
		}
	}
	return in.named(r, a)
}

func yes(b bool) firewall.Tri {
	if b {
		return firewall.Yes
	}
	return firewall.No
}

// onHost reports whether the ruleset has hooks for the host's own packets; a
// cloud's or a router's has not.
func onHost(r *firewall.Ruleset) bool {
	return slices.ContainsFunc(r.Chains, func(c *firewall.Chain) bool {
		return c.Base != nil && c.Base.Hook != firewall.Always
	})
}

// named guesses by where the asset's addresses stand: in rules for forwarded
// packets or in those for the host's own.
func (in *inspector) named(r *firewall.Ruleset, a *policy.Asset) firewall.Tri {
	own := addresses(a)
	input, forward := mentions(r, firewall.Input, own), mentions(r, firewall.Forward, own)
	switch {
	case forward && !input:
		in.assume("%s is taken as standing behind the firewall: forwarding rules name its address; --host says otherwise", a.Name)
		return firewall.No
	case input && !forward:
		in.assume("%s is taken as the host itself: input rules name its address; --host says otherwise", a.Name)
		return firewall.Yes
	}
	in.assume("it is not known whether %s is the host that the ruleset was saved on or stands behind it, so both must agree; say it with --host", a.Name)
	return firewall.Maybe
}

// mentions reports whether a rule that packets of a hook can come to has a
// destination of its own that meets own.
func mentions(r *firewall.Ruleset, hook firewall.Hook, own firewall.Addrs) bool {
	seen := map[*firewall.Chain]bool{}
	var todo []*firewall.Chain
	for _, c := range r.Chains {
		if c.Base != nil && c.Base.Hook == hook {
			todo = append(todo, c)
		}
	}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[c] {
			continue
		}
		seen[c] = true
		for i := range c.Rules {
			if points(c.Rules[i].Matches, own) {
				return true
			}
			if t := c.Rules[i].Action.Target; t != nil {
				todo = append(todo, t)
			}
		}
	}
	return false
}

// points reports whether the matches name few destinations, own among them.
func points(matches []firewall.Match, own firewall.Addrs) bool {
	for i := range matches {
		m := &matches[i]
		if m.Field == firewall.Dst && !m.Not && !m.Addrs.Intersect(own).Empty() {
			return true
		}
		if m.Field == firewall.Tuple && !m.Not && slices.ContainsFunc(m.Tuples, func(t []firewall.Match) bool { return points(t, own) }) {
			return true
		}
	}
	return false
}

// translated learns where the destinations of NAT are: a rule that accepts
// packets to one of them names the interface, as Docker's rules do.
func (in *inspector) translated(r *firewall.Ruleset) {
	wanted := firewall.Addrs{}
	for _, c := range r.Chains {
		for i := range c.Rules {
			if to := c.Rules[i].Action.To; to.First.IsValid() && to.First == to.Last {
				wanted = wanted.Union(firewall.AddrsOf(netip.PrefixFrom(to.First, to.First.BitLen())))
			}
		}
	}
	if wanted.Empty() {
		return
	}
	found := map[netip.Prefix]string{}
	for _, c := range r.Chains {
		for i := range c.Rules {
			prefix, link := behind(c.Rules[i].Matches)
			if link == "" || wanted.Intersect(firewall.AddrsOf(prefix)).Empty() {
				continue
			}
			if known, ok := found[prefix]; ok && known != link {
				link = ""
			}
			found[prefix] = link
			if link != "" {
				r.Host.Routes = append(r.Host.Routes, firewall.Route{Prefix: prefix, Interface: link, Pos: c.Rules[i].Pos})
			}
		}
	}
	r.Host.Routes = slices.DeleteFunc(r.Host.Routes, func(x firewall.Route) bool {
		link, ok := found[x.Prefix]
		return ok && link != x.Interface
	})
	for prefix, link := range found {
		if link != "" {
			in.assume("%s is taken as reached through %s, as a rule that names both has it; give the output of \"ip -j route\" to say otherwise", prefix, link)
		}
	}
	slices.Sort(in.assumed)
}

// behind gives the single address and the single outgoing interface that
// matches name.
func behind(matches []firewall.Match) (prefix netip.Prefix, link string) {
	var one []netip.Prefix
	for i := range matches {
		m := &matches[i]
		switch {
		case m.Not:
		case m.Field == firewall.Dst:
			one = firewall.Prefixes(m.Addrs)
		case m.Field == firewall.OutInterface && len(m.Names) == 1:
			link = m.Names[0]
		}
	}
	if len(one) != 1 || !one[0].IsSingleIP() {
		return netip.Prefix{}, ""
	}
	return one[0], link
}
