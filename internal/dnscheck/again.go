package dnscheck

import (
	"context"
	"slices"
	"sync/atomic"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

// trouble is set when a resolver left a question of one check unanswered or
// failed on it, as resolvers do that have many at once.
type trouble struct{ met atomic.Bool }

type troubleKey struct{}

// within gives the context in which the check's questions are noted.
func (t *trouble) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, troubleKey{}, t)
}

// noteTrouble looks at an answer to a question that a resolver had to resolve.
func noteTrouble(ctx context.Context, a dialogue.Answer) {
	t, ok := ctx.Value(troubleKey{}).(*trouble)
	if ok && troubled(a) {
		t.met.Store(true)
	}
}

func troubled(a dialogue.Answer) bool {
	return a.Err == nil && (a.Msg == nil || a.Is(dnswire.RcodeServFail))
}

// again gives the checks that trouble left without a verdict a second try, one
// after the other, when nothing else is asked. It takes at most twice the
// patience for one question.
func (s *Session) again(ctx context.Context, ran []Ran, met []trouble) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.Timeout())
	defer cancel()
	s.quiet = true
	unheard, lost := s.unheardRecursion()
	if lost {
		s.recursion[0] = once[Recursion]{}
	}
	for i := range ran {
		troubled := met[i].met.Load() || lost && says(ran[i].Outcomes, unheard)
		if !troubled || settled(ran[i].Outcomes) == len(ran[i].Outcomes) || ctx.Err() != nil {
			continue
		}
		s.forwarder = once[[]Outcome]{}
		if o := runOne(ctx, s, ran[i].Check); settled(o) > settled(ran[i].Outcomes) {
			ran[i].Outcomes = o
		}
	}
}

// unheardRecursion reports whether the server told over TCP how it stands to
// recursion and over UDP, which it speaks, was silent, as servers are that limit
// the rate of their answers; with the reason that checks then give.
func (s *Session) unheardRecursion() (reason string, lost bool) {
	datagrams, stream := s.recursion[0].value, s.recursion[1].value
	heard := func(r Recursion) bool {
		return slices.ContainsFunc(r.Answers, func(a dialogue.Answer) bool { return a.Msg != nil })
	}
	return datagrams.Reason, len(datagrams.Answers) > 0 && !heard(datagrams) && heard(stream)
}

// says reports whether an outcome over UDP gives the reason.
func says(outcomes []Outcome, reason string) bool {
	return slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Transport == exposure.UDP && o.Reason == reason })
}

// settled counts the outcomes that are verdicts.
func settled(outcomes []Outcome) int {
	n := 0
	for _, o := range outcomes {
		if o.Status == exposure.Pass || o.Status == exposure.Fail {
			n++
		}
	}
	return n
}

// disown takes back the verdicts that rest on answers over UDP when another
// host gave them: they say nothing of this one. Left are the checks for which
// it matters only that the question to this host was answered.
func (s *Session) disown(r *Ran) {
	from := s.stranger.Load()
	if from == nil || slices.Contains([]string{"ID-1", "REC-1", "FWD-1", "AMP-1"}, r.Check.ID) {
		return
	}
	for i, o := range r.Outcomes {
		if o.Transport == exposure.UDP && o.Port == 0 && (o.Status == exposure.Pass || o.Status == exposure.Fail) {
			r.Outcomes[i] = notTested(o.Transport, "the answers come from "+from.String()+", which was not asked (see FWD-1); it is not part of this assessment")
			r.Outcomes[i].Subject = o.Subject
		}
	}
}
