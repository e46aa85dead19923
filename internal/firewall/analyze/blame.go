package analyze

import (
	"slices"

	"reconshield/internal/firewall"
)

// blame gives the rules that decide about some of the sources of an answer. An
// answer shows one source; where the policy or the ruleset tells its sources
// apart, a finding must show one of those that it is about.
func (in *inspector) blame(a *Answer, about firewall.Addrs, v Verdict) []Line {
	if a.Verdict == v && (a.Witness == nil || about.Contains(a.Witness.Source)) {
		return a.Why
	}
	z, known := in.opt.Policy.Zone(a.Zone)
	asset, found := in.opt.Policy.Asset(a.Asset)
	if !known || !found || len(in.rules.Unparsed) > 0 {
		return a.Why
	}
	i := slices.IndexFunc(transports(), func(t transport) bool { return t.name == a.Transport })
	if i < 0 {
		return a.Why
	}
	s := subject{asset, a.Address, transports()[i]}
	one := Answer{Verdict: v, Port: a.Port, Transport: a.Transport}
	asked := &side{Zone: z, questions: in.question(s, z)}
	for _, q := range asked.questions {
		asked.tracers = append(asked.tracers, in.eval.Tracer(q))
	}
	in.explain(&one, s, asked, row{}, about)
	return one.Why
}
