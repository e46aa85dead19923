package dnscheck

import (
	"context"
	"fmt"
	"sync"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

const noCollector = "it needs your collector: run `reconshield collector --zone ZONE` on a host of yours, delegate the zone to it, and pass --collector ZONE"

// resolver finds a transport over which the server itself resolves the
// collector's names for this vantage. When there is none, ok is false and the
// outcome says why the check cannot be carried out.
func (s *Session) resolver(ctx context.Context) (via exposure.Transport, o Outcome, ok bool) {
	if s.Opts.Collector == nil {
		return "", notTested(s.Any(), noCollector), false
	}
	found := make([]Recursion, len(vias()))
	var wg sync.WaitGroup
	for i, v := range vias() {
		if s.Speaks(v) {
			wg.Go(func() { found[i] = s.Recursion(ctx, v) })
		}
	}
	wg.Wait()
	o = notTested("", noDNS)
	for i, v := range vias() {
		if !s.Speaks(v) {
			continue
		}
		reason := unfit(found[i])
		if reason == "" {
			return v, Outcome{}, true
		}
		if o.Transport == "" || found[i].Status != exposure.Pass { // the more telling one
			o = notTested(v, reason)
		}
	}
	return "", o, false
}

// unfit says why a server cannot be tested as a resolver of the collector's
// names; empty when it can.
func unfit(r Recursion) string {
	switch {
	case r.Via.IsValid():
		return fmt.Sprintf("the answers come from %s, which was not asked (see FWD-1); it is not part of this assessment and gets no packets", r.Via.Addr())
	case r.Genuine && r.Open():
		return ""
	case r.Status == exposure.Pass:
		return "it resolves nothing for this vantage (" + r.Reason + "); assess it also from a network that it serves, if there is one"
	case r.Lie.IsValid():
		return "its answers are not the collector's: see REC-2"
	case r.Open():
		return "it resolves, but not the collector's names: is the zone delegated to the collector, and does it run?"
	}
	return "whether it resolves for this vantage is not known: see REC-1"
}

// resolving is how many questions a resolver is given at once: modest, because
// each makes it ask others, and some drop what is more.
const resolving = 4

// askAll asks several questions at once, as far as the resolver's share allows.
func (s *Session) askAll(ctx context.Context, via exposure.Transport, questions ...dnswire.Query) []dialogue.Answer {
	out := make([]dialogue.Answer, len(questions))
	var wg sync.WaitGroup
	for i, q := range questions {
		wg.Go(func() {
			defer s.admit()()
			out[i] = s.Ask(ctx, via, q)
			noteTrouble(ctx, out[i])
		})
	}
	wg.Wait()
	return out
}

// admit takes one of the resolver's shares and returns how to give it back.
func (s *Session) admit() (leave func()) {
	gate := s.gate.get(func() chan struct{} { return make(chan struct{}, resolving) })
	gate <- struct{}{}
	return func() { <-gate }
}

// genuine reports whether the answer holds exactly the collector's address.
func genuine(z nonce.Zone, a dialogue.Answer) bool {
	want := z.Addr4(a.Query.Name)
	if a.Query.Type == dnswire.TypeAAAA {
		want = z.Addr6(a.Query.Name)
	}
	got := addresses(a.Msg)
	return want.IsValid() && len(got) > 0 && !wrong(got, want).IsValid()
}
