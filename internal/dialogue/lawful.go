package dialogue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"reconshield/internal/dnswire"
)

// ErrChaosBudget is the answer's error when asking would exceed the number of
// CHAOS packets that a server may be sent.
var ErrChaosBudget = errors.New("the CHAOS budget of this run is used up (see --profile)")

// ErrUnlawful marks questions that are never sent, whoever asks.
var ErrUnlawful = errors.New("refused to send")

// Lawful returns an error for questions that could harm a server or change its
// state: UPDATE with content or, like NOTIFY, with a class other than IN (an
// UPDATE of class NONE or ANY has crashed servers), an EDNS option given
// twice, and the TKEY, TSIG and SIG(0) machinery.
func Lawful(q dnswire.Query) error {
	const typeTKEY, typeTSIG, typeSIG = 249, 250, 24
	if q.Type == typeTKEY || q.Type == typeTSIG || q.Type == typeSIG {
		return fmt.Errorf("%w: type %s", ErrUnlawful, dnswire.TypeName(q.Type))
	}
	if q.Opcode == dnswire.OpUpdate || q.Opcode == dnswire.OpNotify {
		if q.Class != 0 && q.Class != dnswire.ClassIN {
			return fmt.Errorf("%w: %s of class %s", ErrUnlawful, dnswire.OpcodeName(q.Opcode), dnswire.ClassName(q.Class))
		}
	}
	if q.Opcode == dnswire.OpUpdate && len(q.Authority) > 0 {
		return fmt.Errorf("%w: UPDATE with an update section", ErrUnlawful)
	}
	if q.EDNS != nil {
		seen := map[uint16]bool{}
		for _, o := range q.EDNS.Options {
			if seen[o.Option()] {
				return fmt.Errorf("%w: EDNS option %d twice", ErrUnlawful, o.Option())
			}
			seen[o.Option()] = true
		}
	}
	return nil
}

// pacer spaces CHAOS packets and counts them down.
type pacer struct {
	interval time.Duration
	mu       sync.Mutex
	left     int
	next     time.Time
}

// wait takes a turn: it blocks until the turn comes, or fails when none is left.
func (p *pacer) wait(ctx context.Context) error {
	p.mu.Lock()
	if p.left <= 0 {
		p.mu.Unlock()
		return ErrChaosBudget
	}
	p.left--
	now := time.Now()
	turn := p.next
	if turn.Before(now) {
		turn = now
	}
	p.next = turn.Add(p.interval)
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(turn))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
