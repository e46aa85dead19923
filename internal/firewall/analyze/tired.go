package analyze

import (
	"slices"
	"sync"

	"reconshield/internal/firewall"
)

// effort remembers which questions about all ports took too much work, so that
// an audit of many assets ends in time. It is safe for concurrent use.
type effort struct {
	mu     sync.Mutex
	failed map[effortKey]int
}

// effortKey is what questions of like cost have in common.
type effortKey struct {
	local    firewall.Tri
	protocol firewall.Number
}

func (e *effort) hopeless(k effortKey) bool {
	const enough = 2
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failed[k] >= enough
}

func (e *effort) gaveUp(k effortKey) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed == nil {
		e.failed = map[effortKey]int{}
	}
	e.failed[k]++
}

// ask asks about all ports. Where that takes too much work it asks about the
// narrow ranges alone; all other ports stay open, and are told.
func (in *inspector) ask(q firewall.Question, narrow []firewall.Span[firewall.Number]) (out []firewall.Reach, open firewall.Numbers) {
	key := effortKey{q.Local, q.Protocol}
	if !in.effort.hopeless(key) {
		r, ok := in.eval.Ask(q)
		if ok {
			return r, open
		}
		in.effort.gaveUp(key)
	}
	const most, widest = 64, 16
	open = firewall.NewSet(q.Ports)
	for i, span := range firewall.NewSet(narrow...).Spans() {
		part := q
		part.Ports = span
		if i == most || span.Last-span.First >= widest {
			continue
		}
		if r, ok := in.eval.Ask(part); ok {
			out, open = append(out, r...), open.Subtract(firewall.NewSet(span))
		}
	}
	for _, span := range open.Spans() {
		out = append(out, firewall.Reach{Ports: span, SourcePorts: firewall.Span[firewall.Number]{First: 0, Last: 65535}, May: q.Sources})
	}
	slices.SortStableFunc(out, func(a, b firewall.Reach) int { return a.Ports.First.Compare(b.Ports.First) })
	return out, open
}
