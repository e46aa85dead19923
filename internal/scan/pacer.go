package scan

import (
	"math"
	"time"
)

// pacer is the closed loop around the rate of one lane. Answers that are known
// to be due, from sentinels, tell the loss; it doubles the rate until something
// gives way, then stays below that and looks for more from time to time.
type pacer struct {
	rate    float64 // packets a second
	floor   float64
	ceiling float64
	need    int  // sentinels that make a loss worth believing
	ramp    bool // nothing has given way yet
	topped  bool // the ceiling is what keeps the rate down

	loss       float64       // of late, smoothed
	inherent   float64       // loss that does not fall with the rate
	cutFrom    float64       // the rate at which loss was first seen, 0 when it was not
	cutGoodput float64       // what came through then, packets a second
	carried    float64       // packets a second that were answered as the ratio says, of late
	windowed   int           // answers since
	windowAt   time.Duration // the begin of the window
	fastest    float64       // what was really sent of late, packets a second
	clean      int           // judgements in a row without loss
	lastCut    time.Duration // what was asked before says nothing of the rate since
	ratio      float64       // answers a packet, smoothed over good epochs
	usualRTT   time.Duration // takes as long however little is sent, 0 when not known
	slowFrom   float64       // the rate when answers began to take long, 0 when they do not

	// The epoch under way.
	began     time.Duration
	sent      int
	proven    int // sentinels that were answered
	lost      int // and that were not
	replies   int
	busy      int
	drops     uint64
	rttSum    time.Duration
	rttCount  int
	baseRTT   time.Duration // the least of all
	worstRTT  time.Duration // smoothed upper bound
	meanRTT   time.Duration
	elapsed   time.Duration
	tokens    float64
	refilled  time.Duration
	everHeard bool
}

const (
	leastEpoch     = time.Millisecond
	blindEpoch     = 10 * time.Millisecond
	enoughProven   = 8
	tolerable      = 0.03 // loss above the inherent that means too fast
	growth         = 0.08 // where loss may be near
	regain         = 1.5  // up to what has come through
	congestedRTT   = 3 * time.Millisecond
	burstTime      = 2 * time.Millisecond
	mostBurst      = 4096
	lossSmoothing  = 0.3
	meanSmoothing  = 0.1
	inherentFactor = 1.4
)

func newPacer(start, floor, ceiling float64) *pacer {
	return &pacer{rate: min(start, ceiling), floor: min(floor, ceiling), ceiling: ceiling, need: enoughProven, ramp: true}
}

// allowance refills the bucket and gives how many packets may leave now.
func (p *pacer) allowance(now time.Duration) int {
	elapsed := (now - p.refilled).Seconds()
	p.refilled = now
	burst := min(max(1, p.rate*burstTime.Seconds()), mostBurst)
	p.tokens = min(p.tokens+elapsed*p.rate, burst)
	return int(p.tokens)
}

// wait gives how long until one packet may leave.
func (p *pacer) wait() time.Duration {
	if p.tokens >= 1 {
		return 0
	}
	return time.Duration((1-p.tokens)/p.rate*float64(time.Second)) + time.Microsecond
}

func (p *pacer) spent(n int) {
	p.tokens -= float64(n)
	p.sent += n
}

// verified and missed take what became of a sentinel that was asked at the
// given time.
func (p *pacer) verified(asked time.Duration) {
	if asked >= p.lastCut {
		p.proven++
	}
}

func (p *pacer) missed(asked time.Duration) {
	if asked >= p.lastCut {
		p.lost++
	}
}

// found takes back that a sentinel was missed.
func (p *pacer) found(asked time.Duration) {
	if asked >= p.lastCut && p.lost > 0 {
		p.lost--
		p.proven++
	}
}

// restart sets the rate after an outage, and forgets what it lost.
func (p *pacer) restart(rate float64, now time.Duration) {
	p.rate = max(p.rate, min(rate, p.ceiling))
	p.lastCut, p.proven, p.lost, p.cutFrom, p.clean = now, 0, 0, 0, 0
}

// answered takes a round-trip time; 0 when it is not known.
func (p *pacer) answered(rtt time.Duration) {
	p.replies++
	p.everHeard = true
	if rtt <= 0 {
		return
	}
	if p.baseRTT == 0 {
		p.baseRTT, p.meanRTT, p.worstRTT = rtt, rtt, rtt
	}
	p.baseRTT = min(p.baseRTT, rtt)
	p.meanRTT += time.Duration(meanSmoothing * float64(rtt-p.meanRTT))
	p.worstRTT = max(rtt, p.worstRTT-p.worstRTT/256)
	p.rttSum += rtt
	p.rttCount++
}

// near reports that the hosts answer so quickly that no access router can
// stand between.
func (p *pacer) near() bool {
	const stray = 10 // times as long may some answers take, on a busy machine
	return p.baseRTT > 0 && p.meanRTT < nearRTT && p.worstRTT < stray*nearRTT
}

// patience is how long an answer that is due may take before it is called lost.
func (p *pacer) patience() time.Duration {
	const least, jitter = 5 * time.Millisecond, 4
	if p.baseRTT == 0 {
		return time.Second
	}
	return max(least, jitter*p.meanRTT, p.worstRTT*3/2)
}

// due reports that the epoch has lasted: for an answer to come back, and for
// enough packets to tell something.
func (p *pacer) due(now time.Duration) bool {
	length := blindEpoch
	if p.baseRTT > 0 {
		length = max(leastEpoch, 2*p.meanRTT)
	}
	return now-p.began >= length && p.sent >= p.need
}

// adapt ends the epoch: late tells how many sentinels are overdue and not yet
// given up, drops how many answers this side had no room for, in all, watched
// that there are sentinels to judge by.
func (p *pacer) adapt(now time.Duration, late int, drops uint64, limit float64, watched bool) {
	lostHere := drops - p.drops
	p.drops, p.elapsed = drops, now-p.began
	p.bound(now)
	p.weigh(now)
	rate := p.rate
	switch {
	case lostHere > 0:
		p.cut(0.7)
	case p.busy > 0 && p.rate > blindRate: // below that, waiting for room is pace enough
		p.cut(0.95)
	case p.proven+p.lost >= p.need:
		p.judge(limit, late)
	case p.congested():
		p.unload()
	case late < 2 && p.lost < 2 && (p.replies > 0 || !p.everHeard) && (p.ramp || !watched):
		p.grow(limit)
	}
	if p.rate < rate {
		p.lastCut = now
		p.proven, p.lost = 0, 0
	}
	if p.proven+p.lost >= p.need {
		p.proven, p.lost = 0, 0
	}
	p.began, p.sent, p.replies, p.busy = now, 0, 0, 0
	p.rttSum, p.rttCount = 0, 0
}

// judge acts on the loss that the sentinels tell.
func (p *pacer) judge(limit float64, late int) {
	loss := float64(p.lost) / float64(p.proven+p.lost)
	p.loss += lossSmoothing * (loss - p.loss)
	goodput := p.rate * (1 - loss)
	excess := loss > p.inherent*inherentFactor+tolerable && p.lost >= 2
	switch {
	case !excess && p.congested():
		p.unload()
	case !excess:
		if p.lost == 0 {
			p.cutFrom = 0
			p.clean++
		}
		if late < 2 || float64(late) < tolerable*float64(p.proven) {
			p.grow(limit)
		}
	case p.cutFrom > 0 && p.rate < p.cutFrom/2.5 && p.through(goodput) < p.cutGoodput*0.6:
		// Less is sent and less comes through in proportion: whatever loses
		// packets does not mind how many there are.
		p.inherent = max(p.inherent, min(loss, p.loss, 0.6))
		p.cutFrom = 0
	default:
		if p.cutFrom == 0 {
			p.cutFrom, p.cutGoodput = p.rate, p.through(goodput)
		}
		through := (float64(p.proven) + 0.5) / float64(p.proven+p.lost+1)
		// What is answered says more than a few sentinels, as far as the ratio
		// is right; it is not when answers were limited from the beginning.
		const sure, doubt = 0.7, 2
		carried := min(sure*p.carried/p.rate, doubt*through)
		p.cut(min(0.9, max(0.95*through, carried)))
	}
}

// through is what comes through, packets a second: by all answers where there
// are enough of them, by the sentinels otherwise.
func (p *pacer) through(goodput float64) float64 {
	if p.carried > 0 {
		return p.carried
	}
	return goodput
}

// congested reports that answers take much longer than they could.
func (p *pacer) congested() bool {
	if p.rttCount < 4 { //nolint:mnd // so few say nothing
		return false
	}
	if p.rttSum/time.Duration(p.rttCount) > 3*max(p.baseRTT, p.usualRTT)+congestedRTT {
		return true
	}
	if p.rate >= p.slowFrom {
		p.slowFrom = 0 // it helped
	}
	return false
}

// unload slows down for answers to come sooner. Where they do not, the path is
// that long, or some hosts are further away than others.
func (p *pacer) unload() {
	const enough = 4 // times slower
	if p.slowFrom == 0 {
		p.slowFrom = p.rate
	}
	p.cut(0.9)
	if p.rate <= max(p.floor, p.slowFrom/enough) {
		p.usualRTT, p.slowFrom = p.rttSum/time.Duration(p.rttCount), 0
	}
}

// weigh measures how many packets a second come through, by all answers.
func (p *pacer) weigh(now time.Duration) {
	const window, longest, enough = 20 * time.Millisecond, 500 * time.Millisecond, 32
	p.windowed += p.replies
	elapsed := now - p.windowAt
	if elapsed < window || p.windowed < enough && elapsed < longest {
		return
	}
	if p.ratio > 0 {
		p.carried = float64(p.windowed) / elapsed.Seconds() / p.ratio
	}
	p.windowed, p.windowAt = 0, now
}

// bound keeps the rate within reach of what was really sent: where this
// machine is the limit, a rate far above it could not be cut in time.
func (p *pacer) bound(now time.Duration) {
	const headroom, fading = 2, 0.9
	actual := float64(p.sent) / (now - p.began).Seconds()
	p.fastest = max(actual, p.fastest*fading)
	if p.sent >= enoughProven && p.rate > headroom*p.fastest {
		p.rate = max(p.floor, min(p.rate, max(headroom*p.fastest, startRate)))
	}
}

func (p *pacer) cut(factor float64) {
	p.ramp, p.clean = false, 0
	p.rate = max(p.floor, p.rate*factor)
}

// grow raises the rate where it was what limited sending.
func (p *pacer) grow(limit float64) {
	const used = 0.6
	if float64(p.sent) < used*p.rate*p.elapsed.Seconds() {
		return // something else is what limits sending
	}
	// The longer nothing is lost, the bolder.
	factor := min(1+growth*float64(int(1)<<min(p.clean, 5)), 2)
	if p.rate < p.carried {
		factor = max(factor, regain)
	}
	if p.ramp {
		// Targets come in random order, so that the share of answers stays the
		// same unless answers are being lost.
		share := min(1, float64(p.replies)/float64(p.sent))
		if share < p.ratio/2 {
			return
		}
		p.ratio += lossSmoothing * (share - p.ratio)
		factor = 2
	}
	top := max(p.floor, min(p.ceiling, limit))
	p.topped = p.rate >= top
	p.rate = min(p.rate*factor, top)
}

// limit is the ceiling that the loop sets itself where the user set none, for
// so many hosts. watched tells that there are sentinels, without which loss does
// not show.
func (p *pacer) limit(hosts uint64, onLink, watched bool) float64 {
	far := min(farRate, farPerHost*float64(hosts))
	link := min(linkRate, linkHost*float64(hosts))
	switch {
	case p.near() && watched:
		return math.Inf(1)
	case p.near() || onLink:
		return link
	case !p.everHeard:
		return min(blindRate, far)
	}
	return far
}
