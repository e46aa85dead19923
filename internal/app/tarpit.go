package app

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
	"reconshield/internal/identify"
	"reconshield/internal/scan"
)

// trial holds a connection to the port for a while, when pace lets it.
func trial(ctx context.Context, d *dial.Dialer, pace scan.Limiter, port netip.AddrPort) dial.Trial {
	if pace.Wait(ctx) != nil {
		return dial.Trial{}
	}
	// Where servers greet, silence is worth a longer look.
	patient := slices.Contains([]uint16{21, 22, 23, 25, 2222, 2223}, port.Port())
	// Longer than the windows of tarpits, and harmless to whoever reads it.
	request := "GET / HTTP/1.1\r\nHost: " + port.String() + "\r\nUser-Agent: reconshield\r\nAccept: */*\r\n" +
		"Accept-Language: *\r\nAccept-Encoding: identity\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nConnection: close\r\n\r\n"
	return d.Try(ctx, port, []byte(request), patient)
}

// proven reports whether it is known what listens.
func proven(s *exposure.Service) bool { return s != nil && s.Protocol != identify.Unknown }

// doubtful reports whether a trial of an open TCP port can tell more of it:
// nothing was proven, or only by the beginning of a greeting which may never
// end, as a tarpit's does.
func doubtful(s *exposure.Service) bool { return !proven(s) || unended(*s) }

// unended reports a service that was told from the beginning of a line of text.
func unended(s exposure.Service) bool {
	other := func(r rune) bool { return r < ' ' || r > '~' }
	return s.How == "server banner" && s.Banner != "" && !strings.ContainsFunc(s.Banner, other)
}

// weighed labels a doubtful port by what its trial came to.
func weighed(o exposure.Observation, t dial.Trial) exposure.Observation {
	switch {
	case t.Outcome == dial.Tarpit:
		return caught(o, t.Detail)
	case proven(o.Service):
		return o
	}
	why := "no payload exchange proved that anything listens"
	if t.Detail != "" {
		why = "nothing proves what listens: " + t.Detail
	}
	return doubted(unlabelled(o, exposure.LabelUnproven), exposure.LabelUnproven, why)
}

// snared adds to a port of a host that accepts every port what the trial of
// one of them came to.
func snared(o exposure.Observation, t dial.Trial) exposure.Observation {
	if t.Outcome != dial.Tarpit {
		return o
	}
	return caught(o, o.Detail+"; "+t.Detail)
}

// caught labels a port as a tarpit's.
func caught(o exposure.Observation, why string) exposure.Observation {
	if proven(o.Service) {
		service := *o.Service
		service.Confidence = exposure.Low
		o.Service = &service
	}
	return doubted(unlabelled(o, exposure.LabelUnproven), exposure.LabelTarpit, why)
}

func unlabelled(o exposure.Observation, l exposure.Label) exposure.Observation {
	o.Labels = slices.DeleteFunc(slices.Clone(o.Labels), func(has exposure.Label) bool { return has == l })
	return o
}
