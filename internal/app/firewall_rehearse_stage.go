package app

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"sync"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/rehearse"
	"reconshield/internal/scan"
)

// stagePlayed is what came of a stagePlan.
type stagePlayed struct {
	First   []rehearse.Outcome
	Odd     []rehearse.Outcome
	Talk    []rehearse.Outcome
	Scanned [][]seenPort // of each scan; nil: it failed, see Notes
	Notes   []string
}

// seenPort is what the engine found.
type seenPort struct {
	Target exposure.Target
	State  exposure.State
	Reason exposure.Reason
}

// RehearsalTasks are what this program does when a rehearsal has started it
// again; see rehearse.Main.
func RehearsalTasks() rehearse.Tasks {
	return rehearse.Tasks{Stage: playOnStage, Zone: scanInZone}
}

// emptyPlan asks nothing: the rules are loaded, and that is all.
func emptyPlan() []byte {
	var b bytes.Buffer
	_ = gob.NewEncoder(&b).Encode(stagePlan{}) // a buffer takes everything
	return b.Bytes()
}

func playOnStage(ctx context.Context, s *rehearse.Stage, input []byte) ([]byte, error) {
	var p stagePlan
	if err := gob.NewDecoder(bytes.NewReader(input)).Decode(&p); err != nil {
		return nil, err
	}
	var out stagePlayed
	if err := s.Listen(p.Listen...); err != nil {
		return nil, err
	}
	var err error
	if out.First, err = s.Probe(ctx, p.First); err != nil {
		return nil, err
	}
	if out.Odd, err = s.Probe(ctx, p.Odd); err != nil {
		return nil, err
	}
	// What comes next shall be the first of its conversation again.
	if err := s.Forget(); err != nil {
		return nil, err
	}
	if out.Talk, err = s.Probe(ctx, p.Talk); err != nil {
		return nil, err
	}
	if err := s.Forget(); err != nil {
		return nil, err
	}
	out.scan(ctx, s, p.Scans)
	out.Notes = append(out.Notes, s.Notes()...)
	var b bytes.Buffer
	err = gob.NewEncoder(&b).Encode(out)
	return b.Bytes(), err
}

// scan lets the engine scan from all zones at once.
func (out *stagePlayed) scan(ctx context.Context, s *rehearse.Stage, scans []zoneScan) {
	out.Scanned = make([][]seenPort, len(scans))
	by := map[string][]int{}
	for i := range scans {
		by[scans[i].Stand] = append(by[scans[i].Stand], i)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for stand, some := range by {
		wg.Go(func() {
			jobs := make([]zoneScan, len(some))
			for i, at := range some {
				jobs[i] = scans[at]
			}
			found, err := scanFrom(ctx, s, stand, jobs)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.Notes = append(out.Notes, fmt.Sprintf("no scan from zone %s: %v", stand, err))
				return
			}
			out.Notes = append(out.Notes, found.Notes...)
			for i, at := range some {
				out.Scanned[at] = found.Scanned[i]
			}
		})
	}
	wg.Wait()
}

func scanFrom(ctx context.Context, s *rehearse.Stage, stand string, jobs []zoneScan) (stagePlayed, error) {
	var input bytes.Buffer
	var found stagePlayed
	if err := gob.NewEncoder(&input).Encode(jobs); err != nil {
		return found, err
	}
	output, err := s.Zone(ctx, stand, input.Bytes())
	if err != nil {
		return found, err
	}
	if err := gob.NewDecoder(bytes.NewReader(output)).Decode(&found); err != nil {
		return found, err
	}
	if len(found.Scanned) != len(jobs) {
		return found, fmt.Errorf("%d scans were asked for, %d came back", len(jobs), len(found.Scanned))
	}
	return found, nil
}

// scanInZone runs scans in the namespace that the process stands in, all at
// once.
func scanInZone(ctx context.Context, input []byte) ([]byte, error) {
	var jobs []zoneScan
	if err := gob.NewDecoder(bytes.NewReader(input)).Decode(&jobs); err != nil {
		return nil, err
	}
	out := stagePlayed{Scanned: make([][]seenPort, len(jobs))}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, j := range jobs {
		wg.Go(func() {
			found, err := scanOnce(ctx, j)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.Notes = append(out.Notes, fmt.Sprintf("no scan from %s: %v", j.Source, err))
				return
			}
			out.Scanned[i] = found
		})
	}
	wg.Wait()
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(out)
	return b.Bytes(), err
}

// patience is how long hosts that limit their answers are waited for: on a stage
// everything is near, and what stays unknown is told by single packets.
const patience = time.Second

func scanOnce(ctx context.Context, j zoneScan) ([]seenPort, error) {
	o := ScanOptions{Ports: j.Ports, SourceIP: j.Source.String(), Show: "all", Retries: 1}
	for _, a := range j.Targets {
		o.Targets = append(o.Targets, a.String())
	}
	s, err := NewScan(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // nothing was written
	if err := s.resolve(ctx); err != nil {
		return nil, err
	}
	v := s.survey()
	v.Addresses, v.OnLink, v.Patience, v.Outage = s.scope, true, patience, patience
	var out []seenPort
	_, err = scan.Sweep(ctx, s.wire, v, func(x exposure.Observation) {
		out = append(out, seenPort{x.Target, x.State, x.Reason})
	})
	return out, err
}
