package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/netip"
	"os"

	"reconshield/internal/exposure"
	"reconshield/internal/scan"
)

// Kinds of frames in a checkpoint.
const (
	frameHeader     = 'h' // which scan this is
	frameRecord     = 'r' // what the sweep keeps
	frameFound      = 'd' // some of the addresses that discovery found
	frameFoundAll   = 'D' // discovery is over
	frameProof      = 'p' // what a proof found behind a port
	frameUnmeasured = 'u' // a target whose measurement failed
	frameEnd        = 'e' // the scan came to its end
)

// journal is the checkpoint of a scan. It is a scan.Journal. A nil one keeps
// nothing and knows nothing.
type journal struct {
	*frames
	found      addressList
	foundAll   bool
	proofs     map[exposure.Target]finding
	unmeasured map[exposure.Target]finding
	done       *ending
}

// journalHeader tells whose checkpoint a file is.
type journalHeader struct {
	Seed uint64 `json:"seed"`
	Scan string `json:"scan"` // digest of scope, ports, shard and discovery
	Show string `json:"show"` // of the run that began it
}

// finding is an observation as far as it is not in the sweep's own records.
type finding struct {
	Addr      netip.Addr         `json:"address"`
	Transport exposure.Transport `json:"transport"`
	Port      uint16             `json:"port"`
	Reason    exposure.Reason    `json:"reason,omitempty"`
	Labels    []exposure.Label   `json:"labels,omitempty"`
	Detail    string             `json:"detail,omitempty"`
	Service   *exposure.Service  `json:"service,omitempty"`
}

// ending is the account of a scan that came to its end.
type ending struct {
	scan.Summary
	Completeness *float64 // of the summary; nil for none, which JSON cannot write
	Show         string
	Interface    string
	Heard        uint64 // addresses that answered
	Left         uint64 // addresses that discovery left out
	Passes       int
	Rate         float64 // packets a second
}

// openJournal opens the checkpoint that was asked for, and takes the seed from
// it unless one was given.
func (s *Scan) openJournal() error {
	switch {
	case s.opts.Seed != nil:
		s.seed = *s.opts.Seed
	case !s.shard.Whole():
		s.seed = ShardSeed
	default:
		s.seed = randomSeed()
	}
	if s.opts.Resume == "" {
		return nil
	}
	f, fresh, err := openFrames(s.opts.Resume)
	if err != nil {
		return fmt.Errorf("--resume %s: %w", s.opts.Resume, withoutPath(err))
	}
	j := &journal{frames: f, proofs: map[exposure.Target]finding{}, unmeasured: map[exposure.Target]finding{}}
	header := journalHeader{Seed: s.seed, Scan: s.digest(), Show: s.opts.Show}
	if fresh {
		err = j.appendJSON(frameHeader, header)
	} else {
		err = j.read(&header)
	}
	if err == nil {
		err = s.belongs(j, header)
	}
	if err != nil {
		return fmt.Errorf("--resume %s: %w", s.opts.Resume, errors.Join(err, j.close()))
	}
	s.seed, s.journal = header.Seed, j
	return nil
}

// belongs reports a checkpoint of another scan.
func (s *Scan) belongs(j *journal, header journalHeader) error {
	switch {
	case header.Scan != s.digest(), s.opts.Seed != nil && *s.opts.Seed != header.Seed:
		return scan.ErrOtherScan
	case j.done != nil && j.done.Show != s.opts.Show:
		return fmt.Errorf("the scan is finished and kept what --show %s gives; use the same, or another file", j.done.Show)
	}
	return nil
}

// digest stands for all that decides what is asked, but the seed.
func (s *Scan) digest() string {
	h := sha256.New()
	for _, p := range s.scope.Prefixes() {
		b, _ := p.MarshalBinary() // of a valid prefix: never fails
		h.Write(append([]byte{byte(len(b))}, b...))
	}
	fmt.Fprintf(h, "\x00%s %s %t", s.ports, s.shard, s.opts.Discover) //nolint:errcheck // a hash takes everything
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// read takes up what the file holds beside the sweep's records.
func (j *journal) read(header *journalHeader) error {
	first := true
	err := j.each(func(kind byte, payload []byte) bool {
		if first && (kind != frameHeader || json.Unmarshal(payload, header) != nil) {
			return false
		}
		first = false
		j.take(kind, payload)
		return true
	})
	if err == nil && first {
		err = errNotJournal
	}
	return err
}

// take notes a frame. One that cannot be read was written by another version,
// and only costs that it is asked again.
func (j *journal) take(kind byte, payload []byte) {
	switch kind {
	case frameFound:
		j.found = appendAddresses(j.found, payload)
	case frameFoundAll:
		j.foundAll = true
	case frameProof, frameUnmeasured:
		var f finding
		if json.Unmarshal(payload, &f) != nil {
			return
		}
		into := j.proofs
		if kind == frameUnmeasured {
			into = j.unmeasured
		}
		into[exposure.Target{Addr: f.Addr, Transport: f.Transport, Port: f.Port}] = f
	case frameEnd:
		var e ending
		if json.Unmarshal(payload, &e) == nil {
			e.Summary.Completeness = math.NaN()
			if e.Completeness != nil {
				e.Summary.Completeness = *e.Completeness
			}
			j.done = &e
		}
	}
}

// Append is a scan.Journal's.
func (j *journal) Append(record []byte) error { return j.append(frameRecord, record) }

// Records is a scan.Journal's. What cannot be read any more is left out.
func (j *journal) Records() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		_ = j.each(func(kind byte, payload []byte) bool { return kind != frameRecord || yield(payload) })
	}
}

func (j *journal) appendJSON(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	return j.append(kind, b)
}

// discovered gives what discovery found, when it came to its end.
func (j *journal) discovered() (addressList, bool) {
	if j == nil || !j.foundAll {
		return nil, false
	}
	return j.found, true
}

func (j *journal) keepDiscovered(found addressList) error {
	if j == nil {
		return nil
	}
	const some = 4096
	for begin := 0; begin < len(found); begin += some {
		var b []byte
		for _, a := range found[begin:min(begin+some, len(found))] {
			raw := a.AsSlice()
			b = append(append(b, byte(len(raw))), raw...)
		}
		if err := j.append(frameFound, b); err != nil {
			return err
		}
	}
	return j.append(frameFoundAll, nil)
}

func appendAddresses(list addressList, b []byte) addressList {
	for len(b) > 0 {
		n := int(b[0])
		if len(b) <= n {
			return list
		}
		if a, ok := netip.AddrFromSlice(b[1 : 1+n]); ok {
			list = append(list, a)
		}
		b = b[1+n:]
	}
	return list
}

// proof gives what a proof found behind a port.
func (j *journal) proof(t exposure.Target) (finding, bool) {
	if j == nil {
		return finding{}, false
	}
	f, ok := j.proofs[t] // no longer written to
	return f, ok
}

func (j *journal) keepProof(o exposure.Observation) error {
	if j == nil {
		return nil
	}
	return j.appendJSON(frameProof, findingOf(o))
}

// noteUnmeasured keeps a target whose measurement failed, so that a replay
// does not take it for a silent one. A failure to write shows soon elsewhere.
func (j *journal) noteUnmeasured(o exposure.Observation) {
	if j != nil && o.State == exposure.Unmeasured {
		_ = j.appendJSON(frameUnmeasured, findingOf(o))
	}
}

// corrected is the observation of a replay as it was first given.
func (j *journal) corrected(o exposure.Observation) exposure.Observation {
	if f, ok := j.unmeasured[o.Target]; ok && o.Reason == exposure.ReasonTimeout {
		o.State, o.Reason, o.Detail = exposure.Unmeasured, f.Reason, f.Detail
	}
	return o
}

func findingOf(o exposure.Observation) finding {
	return finding{o.Addr, o.Transport, o.Port, o.Reason, o.Labels, o.Detail, o.Service}
}

// finish notes that the scan came to its end.
func (j *journal) finish(s *Scan, sum scan.Summary) error {
	if j == nil {
		return nil
	}
	e := ending{
		Summary: sum, Show: s.opts.Show, Interface: s.wire.name, Heard: s.wire.heard.n, Left: s.left, Passes: s.passes, Rate: s.rate,
	}
	if !math.IsNaN(sum.Completeness) {
		e.Completeness = &sum.Completeness
	}
	e.Summary.Completeness = 0
	return j.appendJSON(frameEnd, e)
}

// finished gives the account of a scan that came to its end, else nil.
func (j *journal) finished() *ending {
	if j == nil {
		return nil
	}
	return j.done
}

// withoutPath is the cause of a failed file operation: the path stands before it.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}
