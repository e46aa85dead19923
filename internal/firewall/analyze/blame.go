package analyze

import "reconshield/internal/firewall"

// blame gives the rules that decide about some of the sources of an answer. An
// answer shows one source; where the policy or the ruleset tells its sources
// apart, a finding must show one of those that it is about.
func (in *inspector) blame(a *Answer, s subject, z *side, about firewall.Addrs, v Verdict) []Line {
	if a.Verdict == v && (a.Witness == nil || about.Contains(a.Witness.Source)) || len(in.rules.Unparsed) > 0 {
		return a.Why
	}
	one := Answer{Verdict: v, Port: a.Port, Transport: a.Transport}
	in.explain(&one, s, z, row{}, about)
	return one.Why
}
