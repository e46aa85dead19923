package scan

import (
	"math/rand/v2"
	"time"

	"reconshield/internal/probe"
	"reconshield/internal/scan/permute"
)

// lane walks pending positions of a slab in passes, at a rate of its own. The
// main lane walks the slab's order; a careful lane walks what is left of one
// host that limits how often it answers.
type lane struct {
	pacer *pacer
	watch *watch

	careful bool
	onlyUDP bool          // of a careful lane: TCP ports of the host stay in the main one
	host    uint64        // of a careful lane
	list    []uint32      // of a careful lane: positions, relative to the slab
	left    int           // of these, pending
	wake    time.Duration // when a careful lane is due
	given   bool          // a careful lane was given up

	pass    int
	cursor  uint64 // pass 0 and careful: positions; later passes: words
	words   permute.Permutation
	word    uint64
	mask    uint64
	ended   bool          // the pass has no more to send
	settles time.Duration // when the answers to the pass should all be there
	done    bool

	waiting  []outgoing // held back by a throttle
	prepared []outgoing // built, and not taken by the wire yet

	epochSentinels     int        // asked since the epoch began
	owed               int        // probes that no sentinel speaks for yet
	sinceSentinel      int        // probes since the last
	passSent, passLost uint64     // sentinels when the pass began
	passBegan          [2]float64 // their weight, and that of the lost ones, then
	slow               bool       // of a careful lane: the last pass, at the floor of the rate
	trial              bool       // of a careful lane: whether the host speaks of closed UDP ports at all
	lastSent           time.Duration
	found              int           // answers of this pass, in a careful lane
	unheard            float64       // of a careful lane: the chance that all attempts at a target were lost
	missing            float64       // targets that would have answered, by estimate
	silentFor          time.Duration // when the sentinels began to be silent; 0: they are not
	rateBefore         float64       // the rate then
	heardAt            uint64        // the cursor when the last sentinel that was answered was asked
	streak             int           // sentinels lost in a row
	lastCry            time.Duration // the last sentinel of a lane that waits
	stalled            bool
}

// outgoing is a probe and what the sweep must remember of it.
type outgoing struct {
	probe    probe.Probe
	index    uint64 // position in the slab
	host     uint64 // number of the address
	sentinel bool
}

// position gives the next one to ask in this pass.
func (l *lane) position(t *tally) (i uint64, ok bool) {
	for !l.ended {
		switch {
		case l.careful:
			if l.cursor >= uint64(len(l.list)) {
				l.ended = true
				break
			}
			i = uint64(l.list[l.cursor])
			l.cursor++
			if t.get(i) == pending {
				return i, true
			}
		case l.pass == 0:
			if l.cursor >= t.n {
				l.ended = true
				break
			}
			l.cursor++
			if t.get(l.cursor-1) == pending {
				return l.cursor - 1, true
			}
		default:
			if l.mask == 0 {
				if l.cursor >= l.words.Len() {
					l.ended = true
					break
				}
				l.word = l.words.At(l.cursor)
				l.cursor++
				l.mask = t.pendingIn(l.word)
				continue
			}
			if i = next(l.word, &l.mask); t.get(i) == pending {
				return i, true
			}
		}
	}
	return 0, false
}

// again begins the next pass, in another order.
func (l *lane) again(t *tally, seed uint64) {
	l.pass++
	l.cursor, l.mask, l.ended = 0, 0, false
	l.passSent, l.passLost = l.watch.sent, l.watch.lost
	l.passBegan = [2]float64{l.watch.weight, l.watch.lostWeight}
	if !l.careful {
		l.words = permute.New(uint64(len(t.words)), orderKey(seed+uint64(l.pass))) //nolint:gosec // a small number
		return
	}
	left := l.list[:0]
	for _, i := range l.list {
		if t.get(uint64(i)) == pending {
			left = append(left, i)
		}
	}
	l.list = left
	if len(left) <= fewLeft {
		return // in the order of importance
	}
	shuffle := rand.New(rand.NewPCG(seed, uint64(l.pass))) //nolint:gosec // an order is no secret
	shuffle.Shuffle(len(left), func(a, b int) { left[a], left[b] = left[b], left[a] })
}

// fewLeft is how many ports of a careful lane are always asked in the order of
// their importance.
const fewLeft = 64

// release gives back what a careful lane that is done needs no more.
func (l *lane) release() {
	l.watch.slots, l.watch.queue, l.watch.most = nil, nil, 0
	l.waiting, l.prepared = nil, nil
	if !l.given {
		l.list = nil
	}
}

// attempt is the number that the pass's probes carry.
func (l *lane) attempt() uint8 {
	return uint8(min(l.pass, sentinelAttempt-1)) //nolint:gosec // at most 6
}

// settle is how long after the last probe of a pass its answers may come.
func (l *lane) settle(onLink bool) time.Duration {
	const (
		nearest = 100 * time.Millisecond
		linked  = 300 * time.Millisecond
		far     = time.Second
		longest = 3 * time.Second
	)
	least := far
	switch {
	case l.pacer.near():
		least = nearest
	case onLink:
		least = linked
	}
	return min(max(least, 3*l.pacer.worstRTT), longest)
}

// passLoss is the loss that sentinels measured in this pass, each of which
// speaks for the probes since the one before: they are not spread evenly. ok is
// false when too few were asked to tell.
func (l *lane) passLoss() (loss float64, ok bool) {
	if l.watch.sent < l.passSent+enoughProven {
		return 0, false
	}
	sent, lost := l.watch.weight-l.passBegan[0], l.watch.lostWeight-l.passBegan[1]
	return min(max(lost/max(sent, 1), 0), 1), true
}

// agenda is a heap of careful lanes by when they are due.
type agenda []*lane

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].wake < a[j].wake }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

// Push is of heap.Interface.
func (a *agenda) Push(x any) { *a = append(*a, x.(*lane)) } //nolint:forcetypeassert,errcheck // nothing else is pushed

// Pop is of heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	l := (*a)[last]
	(*a)[last], *a = nil, (*a)[:last]
	return l
}
