package scan

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"iter"
	"net/netip"
	"slices"
	"time"

	"reconshield/internal/probe"
)

// Journal keeps records for a sweep that may be killed. Append makes a record
// durable before long; a record that a crash cut short must not come back.
type Journal interface {
	Append(record []byte) error
	// Records gives what was appended, by this sweep and by the one that it
	// continues, oldest first.
	Records() iter.Seq[[]byte]
}

// ErrOtherScan reports a journal that belongs to another survey.
var ErrOtherScan = errors.New("the checkpoint belongs to a scan of other targets, ports, seed or shard; use the same ones, or another file")

// Kinds of records, their first byte. All numbers are unsigned varints.
const (
	recordSurvey  = 's' // what is being scanned, as a digest
	recordAnswers = 'a' // positions and what was heard
	recordCursor  = 'c' // how far the order was walked
	recordCareful = 'l' // hosts that have lanes of their own, in the slab of the cursor before
)

// identity is a digest of all that decides which target has which position.
func (s *sweep) identity() []byte {
	h := sha256.New()
	var b []byte
	for _, n := range []uint64{s.Seed, uint64(s.Shard.Index), uint64(s.Shard.Of), s.Addresses.Len(), uint64(len(s.space.ends))} { //nolint:gosec // small
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, e := range s.space.ends {
		b = append(b, byte(e.kind), byte(e.port>>8), byte(e.port))
	}
	h.Write(b)
	// Two sets of as many addresses differ at some of these, or are taken to
	// be the same: most sets are few ranges.
	const samples = 1024
	n := s.Addresses.Len()
	for i := range min(n, samples) {
		a := s.Addresses.At(i * max(1, n/samples)).As16()
		h.Write(a[:])
	}
	if n > 0 {
		a := s.Addresses.At(n - 1).As16()
		h.Write(a[:])
	}
	return h.Sum([]byte{recordSurvey})
}

// resume takes up what the journal holds.
func (s *sweep) resume() error {
	if s.Journal == nil {
		return nil
	}
	identity := s.identity()
	known := false
	for record := range s.Journal.Records() {
		switch {
		case len(record) == 0:
		case record[0] == recordSurvey:
			if string(record) != string(identity) {
				return ErrOtherScan
			}
			known = true
		case !known:
			return errors.New("the checkpoint does not begin as one; remove the file to start anew")
		case record[0] == recordCursor:
			if c, ok := parseCursor(record); ok {
				s.lo = c.lo
			}
		}
	}
	if n := s.space.size(); s.lo >= n && n > 0 {
		s.lo = lastSlab(n, s.slab) // all was asked; whoever says so was killed before it did
	}
	s.resumed = s.lo
	if known {
		return nil
	}
	return s.Journal.Append(identity)
}

// retell gives the verdicts of the slabs that were done when the journal ended.
func (s *sweep) retell() {
	for s.lo = 0; s.lo < s.resumed; s.lo += s.tally.n {
		s.begin(s.slab)
		s.conclude(false)
	}
}

// replay gives the verdicts that an earlier run found in this slab, and puts
// the main lane where that run was.
func (s *sweep) replay() {
	if s.Journal == nil || s.lo > s.resumed {
		return
	}
	var careful []byte
	for record := range s.Journal.Records() {
		switch {
		case len(record) == 0:
		case record[0] == recordAnswers:
			parseAnswers(record, s.recall)
		case record[0] == recordCursor:
			if c, ok := parseCursor(record); ok && c.lo == s.lo {
				s.restore(c)
			} else {
				careful = nil
			}
		case record[0] == recordCareful:
			careful = record
		}
	}
	s.recent = s.recent[:0]
	if len(careful) > 0 {
		s.restoreCareful(careful)
	}
	if s.lanes[0].pass > 0 {
		s.noteLimits()
	}
}

// Marks of a careful lane in the journal, the low bits of its host's number.
const (
	markTrial = 1 << iota
	markDone
	markUDP     // only UDP ports are in it
	markUnheard // what is silent may be so because of a limit
	markBits    = iota
)

// appendCareful gives the record of the careful lanes.
func (s *sweep) appendCareful(b []byte) []byte {
	b = append(b, recordCareful)
	for _, l := range s.lanes[1:] {
		n := l.host << markBits
		if l.trial {
			n |= markTrial
		}
		if l.onlyUDP {
			n |= markUDP
		}
		if l.done && !l.given {
			n |= markDone
		}
		if l.unheard > tooUnheard {
			n |= markUnheard
		}
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// restoreCareful gives hosts lanes of their own again, which begin anew: what
// they were asked in vain is no matter of seconds.
func (s *sweep) restoreCareful(record []byte) {
	now := s.now()
	for r := (reader{b: record[1:]}); len(r.b) > 0; {
		marks := r.uint()
		host := marks >> markBits
		if r.bad || host >= s.Addresses.Len() {
			return
		}
		n := s.hosts[host]
		if n == nil {
			n = &hostNote{}
			s.hosts[host] = n
		}
		if n.lane != nil {
			continue
		}
		l := s.detach(host, n, now, marks&markUDP != 0)
		l.trial = marks&markTrial != 0
		if n.unreachables > 0 {
			n.limited = true
			l.watch.consider(&probe.Reply{Probe: n.canary, Answer: probe.PortUnreachable}, host, true)
		}
		if marks&markDone != 0 {
			l.left, l.list, l.ended = 0, nil, true // nothing more is to be learned
		}
		if marks&markUnheard != 0 {
			l.unheard = 1
		}
	}
}

// recall takes an answer of an earlier run.
func (s *sweep) recall(e entry) {
	if e.pos < s.lo || e.pos-s.lo >= s.tally.n {
		return
	}
	r := probe.Reply{Answer: e.answer, From: e.from, Protocol: e.protocol, At: e.at}
	host := s.space.at(e.pos, &r.Probe)
	r.Attempt = e.attempt
	if i := e.pos - s.lo; s.tally.get(i) == pending {
		if fromNetwork(r.Answer) {
			s.watchFor(s.lanes[0], &r, host)
			if r.Attempt == 0 {
				s.lanes[0].heardAt = max(s.lanes[0].heardAt, i+1)
			}
			if tellsLoss(&r) {
				s.inSlab[r.Attempt]++
			}
		}
		s.settled(i, &r, e.rtt)
	}
}

func (s *sweep) restore(c cursor) {
	l := s.lanes[0]
	if c.pass > max(mostPasses, s.Retries) || c.cursor > s.tally.n {
		return
	}
	for l.pass < c.pass {
		l.again(s.tally, s.Seed)
	}
	l.cursor = c.cursor
	s.byPass = slices.Clone(s.inSlab[:min(l.pass, sentinelAttempt-1)+1])
	for len(s.byPass) <= l.pass {
		s.byPass = append(s.byPass, 0)
	}
	l.waiting = l.waiting[:0]
	for _, i := range c.held {
		if i >= s.tally.n {
			continue
		}
		o := outgoing{index: i}
		o.host = s.space.at(s.lo+i, &o.probe)
		o.probe.Attempt = l.attempt()
		l.waiting = append(l.waiting, o)
	}
	s.summary.Sent, s.summary.Retransmitted, s.summary.Replies = c.sent, c.repeated, c.replies
}

// keep notes an answer for the journal.
func (s *sweep) keep(i uint64, r *probe.Reply, rtt time.Duration) {
	if s.Journal == nil {
		return
	}
	if len(s.recent) == 0 {
		s.recent = append(s.recent, recordAnswers)
	}
	s.recent = entry{s.lo + i, r.Answer, r.Attempt, rtt, r.At, r.From, r.Protocol}.append(s.recent)
}

// record writes what is new.
func (s *sweep) record() error {
	if len(s.recent) > 1 {
		if err := s.Journal.Append(s.recent); err != nil {
			return err // it says what it was about
		}
		s.recent = s.recent[:0]
	}
	l := s.lanes[0]
	c := cursor{lo: s.lo, pass: l.pass, cursor: l.cursor, sent: s.summary.Sent, repeated: s.summary.Retransmitted, replies: s.summary.Replies}
	if l.mask != 0 && l.cursor > 0 {
		c.cursor-- // the word under way is walked again
	}
	for _, o := range append(l.waiting, l.prepared...) {
		if !o.sentinel {
			c.held = append(c.held, o.index)
		}
	}
	if l.pass == 0 {
		// What was asked a moment ago may not have been answered yet, and a pass
		// without waiting for its answers would be wasted.
		c.cursor = s.cursorAt(s.now() - l.settle(s.OnLink))
	}
	records := [][]byte{c.append(nil)}
	if careful := s.appendCareful(nil); string(careful) != string(s.careful) {
		s.careful, records = careful, append(records, careful)
	}
	for _, r := range records {
		if err := s.Journal.Append(r); err != nil {
			return err // it says what it was about
		}
	}
	return nil
}

// cursor is how far a run was.
type cursor struct {
	lo, cursor, sent, repeated, replies uint64
	pass                                int
	held                                []uint64 // positions in the slab that were taken and not sent
}

func (c cursor) append(b []byte) []byte {
	b = append(b, recordCursor)
	for _, n := range []uint64{c.lo, uint64(c.pass), c.cursor, c.sent, c.repeated, c.replies} { //nolint:gosec // a small number
		b = binary.AppendUvarint(b, n)
	}
	for _, i := range c.held {
		b = binary.AppendUvarint(b, i)
	}
	return b
}

func parseCursor(b []byte) (c cursor, ok bool) {
	r := reader{b: b[1:]}
	c.lo, c.pass, c.cursor = r.uint(), int(r.uint()&0xff), r.uint() //nolint:gosec // masked
	c.sent, c.repeated, c.replies = r.uint(), r.uint(), r.uint()
	for !r.bad && len(r.b) > 0 {
		c.held = append(c.held, r.uint())
	}
	return c, !r.bad
}

// entry is one answer as the journal keeps it.
type entry struct {
	pos      uint64
	answer   probe.Answer
	attempt  uint8
	rtt      time.Duration
	at       time.Time
	from     netip.Addr
	protocol string
}

func (e entry) append(b []byte) []byte {
	b = binary.AppendUvarint(b, e.pos)
	b = append(b, byte(e.answer), e.attempt)
	b = binary.AppendUvarint(b, uint64(e.rtt.Microseconds()))     //nolint:gosec // not negative
	b = binary.AppendUvarint(b, uint64(max(0, e.at.UnixMicro()))) //nolint:gosec // not negative
	from := e.from.AsSlice()
	b = append(append(b, byte(len(from))), from...)
	protocol := e.protocol[:min(len(e.protocol), 255)]
	return append(append(b, byte(len(protocol))), protocol...)
}

// parseAnswers gives each entry of a record, as far as it is well-formed.
func parseAnswers(b []byte, each func(entry)) {
	r := reader{b: b[1:]}
	for len(r.b) > 0 {
		e := entry{pos: r.uint(), answer: probe.Answer(r.byte()), attempt: r.byte() % probe.Attempts}
		e.rtt = time.Duration(r.uint()&(1<<40-1)) * time.Microsecond //nolint:gosec // masked
		e.at = time.UnixMicro(int64(r.uint() & (1<<62 - 1)))         //nolint:gosec // masked
		if from, ok := netip.AddrFromSlice(r.bytes(int(r.byte()))); ok {
			e.from = from
		}
		e.protocol = string(r.bytes(int(r.byte())))
		if r.bad || e.answer > probe.LocalError {
			return
		}
		each(e)
	}
}

// reader takes values off a record; bad tells that one was cut short.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	b := r.bytes(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}
