package analyze

import (
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// blame gives the rules that decide about some of the sources of an answer. An
// answer shows one source; where the policy tells its sources apart, a finding
// must show one of those that it is about.
func (in *inspector) blame(a *Answer, about firewall.Addrs, v Verdict) []Line {
	if a.Verdict == v && (a.Witness == nil || about.Contains(a.Witness.Source)) {
		return a.Why
	}
	z, ok := in.opt.Policy.Zone(a.Zone)
	asset, found := in.opt.Policy.Asset(a.Asset)
	i := slices.IndexFunc(transports(), func(t transport) bool { return t.name == a.Transport })
	if !ok || !found || i < 0 {
		return a.Why
	}
	return in.decided(a, subject{asset, a.Address, transports()[i]}, z, typical(about), v)
}

func (in *inspector) decided(a *Answer, s subject, z *policy.Zone, source firewall.Address, v Verdict) []Line {
	return a.Why
}
