package scan

import (
	"math"
	"time"
)

// ceiling holds all lanes together below one rate once there is more than one:
// thousands of hosts that are asked slowly are many packets all the same. While
// the main lane has work, careful ones get no more than half.
type ceiling struct {
	rate    float64 // packets a second
	tokens  float64 // of all; what careful lanes take is owed by the main one
	careful float64
	at      time.Duration
}

// refill adds what has accrued at the rate that holds from now on; alone tells
// that only careful lanes have work.
func (c *ceiling) refill(now time.Duration, rate float64, alone bool) {
	elapsed := (now - c.at).Seconds()
	c.at, c.rate = now, rate
	if math.IsInf(rate, 1) {
		return
	}
	share := rate
	if !alone {
		share /= 2
	}
	burst := min(max(1, rate*burstTime.Seconds()), mostBurst)
	c.tokens = min(c.tokens+elapsed*rate, burst)
	c.careful = min(c.careful+elapsed*share, burst)
}

// allowance gives how many packets may leave now, and how long until one may
// when that is none.
func (c *ceiling) allowance(careful bool) (n int, wait time.Duration) {
	if math.IsInf(c.rate, 1) {
		return mostBurst, 0
	}
	tokens := c.tokens
	if careful {
		tokens = c.careful
	}
	if tokens < 1 {
		return 0, time.Duration((1-tokens)/c.rate*float64(time.Second)) + time.Microsecond
	}
	return int(tokens), 0
}

// spent notes a packet that left.
func (c *ceiling) spent(careful bool) {
	if math.IsInf(c.rate, 1) {
		return
	}
	c.tokens--
	if careful {
		c.careful--
	}
}

// shared refills the ceiling of all lanes: the user's, or the one that a path
// has for a sweep by itself.
func (s *sweep) shared(now time.Duration) {
	rate, main := s.Rate, s.lanes[0]
	switch {
	case len(s.lanes) == 1:
		rate = math.Inf(1) // it is the lane's own
	case rate == 0:
		rate = main.pacer.limit(s.Addresses.Len(), s.OnLink, true)
	}
	s.ceiling.refill(now, rate, main.done)
}
