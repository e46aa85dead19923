package dnscheck

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

// Recursion is what is known of a server's willingness to resolve for this
// vantage over one transport.
type Recursion struct {
	Status exposure.Status // Fail: it resolves; Pass: it refuses; NotTested: unknown
	Reason string
	// Offered says, of NotTested, that the server took the question on (RA is
	// set and it did not refuse), though no right answer came of it.
	Offered    bool
	Confidence exposure.Confidence
	Answers    []dialogue.Answer

	// Genuine: the collector's own answer to a fresh name came back.
	Genuine bool
	// Lie is an address that the right answer cannot hold; invalid: none seen.
	Lie netip.Addr
	// Via is who answered when that was not the address asked; invalid otherwise.
	Via netip.AddrPort
}

// Open reports whether the server resolved a name for this vantage.
func (r Recursion) Open() bool { return r.Status == exposure.Fail }

// Recursion tests once for each transport whether the server resolves names
// that it does not hold: a fresh name of the collector when there is one, and
// the well-known stable name when there is none or its name was not resolved.
func (s *Session) Recursion(ctx context.Context, via exposure.Transport) Recursion {
	i := 0
	if via == exposure.TCP {
		i = 1
	}
	return s.recursion[i].get(func() Recursion { return s.testRecursion(ctx, via) })
}

// resolve is the question a stub resolver asks.
func resolve(name string, rrtype uint16) dnswire.Query {
	return dnswire.Query{Name: name, Type: rrtype, RD: true}
}

func (s *Session) testRecursion(ctx context.Context, via exposure.Transport) Recursion {
	var seen probes
	stable := func() {
		if seen.stable == nil {
			a := s.Ask(ctx, via, resolve(s.Opts.StableName, dnswire.TypeA))
			seen.stable = &a
		}
	}
	if z := s.Opts.Collector; z == nil {
		stable()
	} else {
		s.askFresh(ctx, via, *z, &seen, stable)
	}
	r := seen.judge(s.Opts.Collector, s.Opts.StableName)
	if last := cmp.Or(seen.fresh, seen.stable); r.Status == exposure.Pass && excuse(*last) && s.Product() == exposure.Dnsmasq {
		r = Recursion{Status: exposure.NotTested, Reason: "REFUSED with RA set is how dnsmasq reports that its upstream failed, not that it refuses this vantage; assess it again when the upstream answers"}
	}
	for _, a := range []*dialogue.Answer{seen.fresh, seen.stable} {
		if a == nil {
			continue
		}
		r.Answers = append(r.Answers, *a)
		if a.Msg != nil && a.Foreign(s.Addr()) {
			r.Via = a.Reply.From
		}
	}
	return r
}

// askFresh asks for a fresh name, and for the stable one as well when the
// first answer proves nothing or is late: a resolver that cannot reach the
// collector may think longer than our patience lasts.
func (s *Session) askFresh(ctx context.Context, via exposure.Transport, z nonce.Zone, seen *probes, stable func()) {
	type asked struct {
		name   string
		answer dialogue.Answer
	}
	answers := make(chan asked, 1)
	go func() {
		name := z.Name(nonce.Plain)
		a := s.Ask(ctx, via, resolve(name, dnswire.TypeA))
		if a.Msg != nil && a.Msg.Truncated && len(a.Msg.Answer) == 0 && via == exposure.UDP {
			// Rate limiting answers some questions with nothing but TC.
			name = z.Name(nonce.Plain)
			a = s.Ask(ctx, via, resolve(name, dnswire.TypeA))
		}
		if a.Is(dnswire.RcodeServFail) || excuse(a) { // it may have had too much to do
			name = z.Name(nonce.Plain)
			a = s.Ask(ctx, via, resolve(name, dnswire.TypeA))
		}
		answers <- asked{name, a}
	}()
	late := time.NewTimer(s.Timeout() * 2 / 5)
	defer late.Stop()
	var fresh asked
	select {
	case fresh = <-answers:
	case <-late.C:
		stable()
		fresh = <-answers
	}
	seen.name, seen.fresh = fresh.name, &fresh.answer
	// A refusal may be meant for the collector's names only, as by a filter.
	if judgeFresh(z, fresh.name, fresh.answer).Status == exposure.NotTested || fresh.answer.Is(dnswire.RcodeRefused) {
		stable()
	}
}
