package app

import (
	"slices"
	"strings"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
)

// tried labels an open port behind which nothing was proven by what a
// connection to it comes to.
func (p *prover) tried(h *suspect, o exposure.Observation) exposure.Observation {
	t := p.trial(h, o)
	switch {
	case p.ctx.Err() != nil:
		return o
	case t.Outcome == dial.Tarpit:
		return doubted(o, exposure.LabelTarpit, t.Detail)
	case t.Detail != "":
		return doubted(o, exposure.LabelUnproven, "nothing proves what listens: "+t.Detail)
	}
	return doubted(o, exposure.LabelUnproven, "no payload exchange proved that anything listens")
}

// suspected labels a service that was told from the beginning of a greeting
// which may never end, as a tarpit's does.
func (p *prover) suspected(h *suspect, o exposure.Observation) exposure.Observation {
	t := p.trial(h, o)
	if t.Outcome != dial.Tarpit || p.ctx.Err() != nil {
		return o
	}
	service := *o.Service
	service.Confidence = exposure.Low
	o.Service = &service
	return doubted(o, exposure.LabelTarpit, t.Detail)
}

// accepting labels a port of a host that accepts every port. One of them is
// tried to see whether the host is a tarpit.
func (p *prover) accepting(h *suspect, o exposure.Observation, why string) exposure.Observation {
	h.trying.Do(func() { h.trial = p.trial(h, o) })
	o = doubted(o, exposure.LabelAcceptsAll, why)
	if h.trial.Outcome == dial.Tarpit {
		o.Labels = append(o.Labels, exposure.LabelTarpit)
		o.Detail += "; " + h.trial.Detail
	}
	return o
}

// trial holds a connection to the port for a while.
func (p *prover) trial(h *suspect, o exposure.Observation) dial.Trial {
	if p.pace(h) != nil {
		return dial.Trial{}
	}
	// Where servers greet, silence is worth a longer look.
	patient := slices.Contains([]uint16{21, 22, 23, 25, 2222, 2223}, o.Port)
	// Longer than the windows of tarpits, and harmless to whoever reads it.
	request := "GET / HTTP/1.1\r\nHost: " + o.AddrPort().String() + "\r\nUser-Agent: reconshield\r\nAccept: */*\r\n" +
		"Accept-Language: *\r\nAccept-Encoding: identity\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nConnection: close\r\n\r\n"
	return p.s.dialer.Try(p.ctx, o.AddrPort(), []byte(request), patient)
}

// unended reports a service that was told from the beginning of a line of text.
func unended(s exposure.Service) bool {
	other := func(r rune) bool { return r < ' ' || r > '~' }
	return s.How == "server banner" && s.Banner != "" && !strings.ContainsFunc(s.Banner, other)
}

func doubted(o exposure.Observation, label exposure.Label, why string) exposure.Observation {
	o.Labels = append(slices.Clone(o.Labels), label)
	o.Detail = why
	return o
}
