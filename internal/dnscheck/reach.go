package dnscheck

import (
	"cmp"
	"context"
	"fmt"

	"reconshield/internal/exposure"
)

// unasked reports whether the port was not to be measured in this run; other
// ports are Unmeasured because measuring failed.
func unasked(o exposure.Observation) bool {
	return o.State == exposure.Unmeasured && o.Reason == exposure.ReasonNotAsked
}

// whyUnmeasured says why there is no observation of the port, and what to do.
func whyUnmeasured(o exposure.Observation) string {
	at := fmt.Sprintf("%s/%d", o.Transport.Base(), o.Port)
	if unasked(o) {
		return at + " was not measured: add it with --ports"
	}
	why := string(o.Reason)
	if o.Detail != "" && o.Reason != "" {
		why += ", " + o.Detail
	}
	return at + " could not be measured (" + cmp.Or(why, o.Detail, "no reason is known") + "): mend that and run again"
}

// noDatagrams is the outcome of a check that needs DNS over UDP where none was
// proven. Only a closed port is proof that the check does not apply.
func (s *Session) noDatagrams(ctx context.Context) Outcome {
	return judgeNoDatagrams(s.observe(ctx, exposure.UDP, s.Port()))
}

func judgeNoDatagrams(seen exposure.Observation) Outcome {
	const via = exposure.UDP
	at := fmt.Sprintf("%s/%d", via, seen.Port)
	switch {
	case seen.State == exposure.Closed:
		return notTested(via, "does not apply: "+at+" is closed")
	case seen.State == exposure.OpenFiltered:
		return notTested(via, at+" gave no answer")
	case seen.State == exposure.Filtered:
		return notTested(via, at+" is filtered ("+string(seen.Reason)+"); assess it from a network that reaches it")
	case seen.State == exposure.Unmeasured && seen.Reason != "":
		return notTested(via, whyUnmeasured(seen))
	}
	return notTested(via, "no DNS was proven on "+at)
}

// closedAfterAll is the state to name when a port was silent to the scan, but a
// check's own question met port-unreachable.
const closedAfterAll = "closed (port unreachable to the check's own question)"
