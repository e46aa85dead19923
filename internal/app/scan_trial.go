package app

import (
	"slices"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
)

// tried labels an open port behind which nothing was proven, or that may greet
// without end, by what a connection to it comes to.
func (p *prover) tried(h *suspect, o exposure.Observation) exposure.Observation {
	t := p.trial(h, o)
	if p.ctx.Err() != nil {
		return o
	}
	return weighed(o, t)
}

// accepting labels a port of a host that accepts every port. One of them is
// tried to see whether the host is a tarpit.
func (p *prover) accepting(h *suspect, o exposure.Observation, why string) exposure.Observation {
	h.trying.Do(func() { h.trial = p.trial(h, o) })
	return snared(doubted(o, exposure.LabelAcceptsAll, why), h.trial)
}

func (p *prover) trial(h *suspect, o exposure.Observation) dial.Trial {
	return trial(p.ctx, p.s.dialer, both{p, h}, o.AddrPort())
}

func doubted(o exposure.Observation, label exposure.Label, why string) exposure.Observation {
	o.Labels = append(slices.Clone(o.Labels), label)
	o.Detail = why
	return o
}
