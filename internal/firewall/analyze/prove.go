package analyze

import (
	"fmt"
	"net/netip"
	"slices"

	"reconshield/internal/firewall"
)

// Prove compares a ruleset with the plan it was rendered from, for every port,
// every source and every interface of the plan's zones. It gives one line for
// each difference, at most 20; none means that both mean the same. Where the
// plan limits rates, what it allows need not be certain; nothing else may be.
func Prove(p firewall.Plan, given *firewall.Ruleset) []string {
	r := *given
	r.Host.Routes = slices.Clone(given.Host.Routes)
	place := firewall.No
	if p.Place == firewall.OnAsset {
		place = firewall.Yes
		r.Host.Local = r.Host.Local.Union(single(p.Addresses))
	}
	for _, z := range p.Zones {
		for _, n := range z.Networks {
			if len(z.Interfaces) == 1 {
				r.Host.Routes = append(r.Host.Routes, firewall.Route{Prefix: n, Interface: z.Interfaces[0]})
			}
		}
	}
	pr := prover{plan: p, eval: firewall.NewEvaluator(&r), place: place, own: r.Host.Local}
	for _, u := range r.Unparsed {
		pr.report("%s: not understood: %s (%s)", u.Pos, u.Text, u.Why)
	}
	for _, addr := range p.Addresses {
		for _, in := range pr.links() {
			for _, t := range transports() {
				pr.port(addr, in, t)
			}
		}
	}
	return pr.found
}

type prover struct {
	plan  firewall.Plan
	eval  *firewall.Evaluator
	place firewall.Tri
	own   firewall.Addrs
	found []string
}

func (p *prover) report(format string, args ...any) {
	const most = 20
	if len(p.found) < most {
		p.found = append(p.found, fmt.Sprintf(format, args...))
	}
}

func single(addrs []netip.Addr) firewall.Addrs {
	out := make([]netip.Prefix, len(addrs))
	for i, a := range addrs {
		out[i] = netip.PrefixFrom(a, a.BitLen())
	}
	return firewall.AddrsOf(out...)
}

// links are the interfaces that the plan tells apart, and one that it does not
// know.
func (p *prover) links() []firewall.Link {
	out := []firewall.Link{{Known: true, Name: "unknown0"}}
	for _, z := range p.plan.Zones {
		for _, name := range z.Interfaces {
			if l := (firewall.Link{Known: true, Name: name}); !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// port compares all ports of an address for one interface.
func (p *prover) port(addr netip.Addr, in firewall.Link, t transport) {
	q := firewall.Question{
		In: in, Target: addr, Local: p.place, Protocol: t.number,
		Ports: firewall.Span[firewall.Number]{First: 0, Last: 65535},
	}
	answers, ok := p.eval.Ask(q)
	if !ok {
		p.report("%s %s from %s: too much work to decide", t.name, addr, in.Name)
		return
	}
	genuine := firewall.AllOf(firewall.FamilyOf(addr)).Subtract(martians()).Subtract(p.own)
	for _, a := range answers {
		for _, span := range p.divide(a.Ports, t) {
			want := p.allowed(addr, in, t, span).Intersect(genuine)
			may, must := a.May.Intersect(genuine), a.Must.Intersect(genuine)
			if p.plan.Limit != nil {
				must = must.Union(may.Intersect(want))
			}
			where := fmt.Sprintf("%s/%s of %s on %s", t.name, portText(span), addr, in.Name)
			if a.SourcePorts != (firewall.Span[firewall.Number]{First: 0, Last: 65535}) {
				where += " from port " + portText(a.SourcePorts)
			}
			if extra := may.Subtract(want); !extra.Empty() {
				p.report("%s: open to %s; the plan says closed", where, sourcesText(extra, genuine))
			}
			if missing := want.Subtract(must); !missing.Empty() {
				p.report("%s: not surely open to %s; the plan says open", where, sourcesText(missing, genuine))
			}
		}
	}
}

// divide splits a range of ports where the plan changes its mind.
func (p *prover) divide(r firewall.Span[firewall.Number], t transport) []firewall.Span[firewall.Number] {
	cuts := []firewall.Number{r.First, r.Last + 1}
	for _, a := range p.plan.Allows {
		if a.Transport.Base() != t.name {
			continue
		}
		for _, x := range a.Ports {
			cuts = append(cuts, firewall.Number(x.First), firewall.Number(x.Last)+1)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []firewall.Span[firewall.Number]
	for i := 0; i+1 < len(cuts); i++ {
		if cuts[i] >= r.First && cuts[i] <= r.Last {
			out = append(out, firewall.Span[firewall.Number]{First: cuts[i], Last: cuts[i+1] - 1})
		}
	}
	return out
}

// allowed are the sources that the plan lets in.
func (p *prover) allowed(addr netip.Addr, in firewall.Link, t transport, span firewall.Span[firewall.Number]) firewall.Addrs {
	var out firewall.Addrs
	for _, a := range p.plan.Allows {
		if a.Transport.Base() != t.name || len(a.Interfaces) > 0 && !slices.Contains(a.Interfaces, in.Name) {
			continue
		}
		if !slices.ContainsFunc(a.Ports, func(r firewall.PortRange) bool {
			return firewall.Number(r.First) <= span.First && span.Last <= firewall.Number(r.Last)
		}) {
			continue
		}
		sources, everyone := a.Of(firewall.FamilyOf(addr))
		if everyone {
			return firewall.AllOf(firewall.FamilyOf(addr))
		}
		out = out.Union(firewall.AddrsOf(sources...))
	}
	return out
}
