package app

import (
	"context"
	"errors"
	"math"
	"time"

	"reconshield/internal/atlas"
	"reconshield/internal/dial"
	"reconshield/internal/exposure"
	"reconshield/internal/netset"
	"reconshield/internal/report/portlist"
	"reconshield/internal/scan"
)

// Scan is one prepared port scan. It may be run once, from one goroutine, and
// must be closed.
type Scan struct {
	*scanPlan
	dialer  *dial.Dialer
	wire    *carrier
	journal *journal // nil: none
	notes   []string
	started time.Time

	emit     func(exposure.Observation)
	progress func(portlist.ProgressState)
	total    uint64 // targets of the sweep
	passes   int
	left     uint64  // addresses that discovery left out
	rate     float64 // packets a second of this run, from its start to the last answer
}

// NewScan validates the options, resolves names, opens the checkpoint and
// prepares to send. Nothing is sent to a target, except that the kernel may
// ask for the hardware address of a gateway. Its errors are the user's to mend,
// in one line; a *FailureError means that this machine cannot do it.
func NewScan(ctx context.Context, o ScanOptions) (*Scan, error) {
	p, err := newScanPlan(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &Scan{scanPlan: p, started: time.Now()}
	s.notes = append(s.notes, p.warnings...)
	s.dialer = dial.New(dial.Options{SourceIP: p.source, Interface: p.opts.Interface})
	if err := s.openJournal(); err != nil {
		return nil, err
	}
	if s.journal.finished() == nil {
		err = s.openWire(ctx)
	}
	if err != nil {
		s.Close() //nolint:errcheck // nothing was written
		return nil, err
	}
	return s, nil
}

// Describe fills in what an output tells of the run. Color, Width and the like
// are left alone.
func (s *Scan) Describe(o *portlist.Options) {
	o.Tool, o.Version, o.Started = "reconshield", s.opts.Version, s.started
	o.Mode, o.Scope = s.Mode(), s.given
	o.Names, o.Registered = s.scope.Names, s.registeredName
	o.TCP, o.UDP = portNumbers(s.ports, exposure.TCP), portNumbers(s.ports, exposure.UDP)
}

// registeredName is what IANA calls a port.
func (s *Scan) registeredName(port uint16, t exposure.Transport) string {
	known := s.opts.Atlas
	if known == nil {
		known = atlas.Default()
	}
	return known.ServiceName(port, string(t))
}

// Mode is "raw" or "connect".
func (s *Scan) Mode() string {
	if done := s.journal.finished(); done != nil {
		return done.Mode
	}
	return s.wire.mode
}

// Notes are what there is to say beforehand, one line each.
func (s *Scan) Notes() []string { return s.notes }

// Run scans. emit gets each verdict that was asked for, from one goroutine at
// a time; it should not block for long. progress, which may be nil, is called
// now and then, from one goroutine at a time too. When ctx is cancelled, or the
// wire fails, the summary is marked partial and tells what is known. An error
// means that the run did not end as it should; the summary is valid all the
// same.
func (s *Scan) Run(ctx context.Context, emit func(exposure.Observation), progress func(portlist.ProgressState)) (portlist.Summary, error) {
	if progress == nil {
		progress = func(portlist.ProgressState) {}
	}
	s.emit, s.progress = emit, progress
	proof := s.newProver(ctx)
	sum, err := s.measure(ctx, proof)
	if failed := proof.wait(sum.Open); err == nil {
		err = failed
	}
	if err == nil && ctx.Err() != nil { // in the middle of a proof
		err, sum.Partial = ctx.Err(), true
	}
	out := s.summary(sum)
	if s.wire != nil {
		out.DurationS = time.Since(s.started).Seconds() // with the proofs
	}
	if err != nil {
		return out, &FailureError{Err: err}
	}
	return out, nil
}

// measure discovers hosts where that was asked for and sweeps the ports; of a
// finished scan it takes all that from the checkpoint.
func (s *Scan) measure(ctx context.Context, proof *prover) (scan.Summary, error) {
	survey := s.survey()
	survey.Addresses = s.scope
	if done := s.journal.finished(); done != nil {
		if s.opts.Discover {
			survey.Addresses, _ = s.journal.discovered()
		}
		return s.replay(survey, proof, done)
	}
	s.total = totalOf(survey)
	account := scan.Summary{Mode: s.wire.mode, Started: s.started, Completeness: math.NaN()}
	if err := s.resolve(ctx); err != nil {
		return unmeasured(account), err
	}
	if s.opts.Discover {
		found, packets, err := s.discovered(ctx)
		account = packets
		if err != nil {
			return unmeasured(account), err
		}
		survey.Addresses = found
		s.left = s.scope.Len() - found.Len()
	}
	sum, err := s.sweep(ctx, survey, proof)
	sum = joined(account, sum)
	sum.Started, sum.Duration = s.started, time.Since(s.started)
	s.rate = float64(s.wire.left) / sum.Duration.Seconds()
	if err == nil && !sum.Partial {
		err = s.journal.finish(s, sum)
	}
	return sum, err
}

func (s *Scan) sweep(ctx context.Context, survey scan.Survey, proof *prover) (scan.Summary, error) {
	s.total = totalOf(survey)
	if s.total == 0 {
		return scan.Summary{Mode: s.wire.mode, Started: s.started, Duration: time.Since(s.started), Completeness: math.NaN()}, nil
	}
	if s.journal != nil {
		survey.Journal = s.journal
	}
	survey.Progress = func(p scan.Progress) {
		s.total, s.passes = max(p.Targets, s.total), max(s.passes, p.Pass+1)
		proof.tell(progressState("ports", p))
	}
	return scan.Sweep(ctx, s.wire, survey, func(o exposure.Observation) {
		s.journal.noteUnmeasured(o)
		proof.add(o)
	})
}

// replay gives the verdicts of a finished scan once more.
func (s *Scan) replay(survey scan.Survey, proof *prover, done *ending) (scan.Summary, error) {
	s.total, s.passes, s.left, s.rate = done.Targets, done.Passes, done.Left, done.Rate
	s.notes = append(s.notes, "taken from the checkpoint of a finished scan: no port was asked again")
	if survey.Addresses.Len() == 0 {
		return done.Summary, nil
	}
	survey.Journal = s.journal
	return done.Summary, scan.Replay(survey, func(o exposure.Observation) { proof.add(s.journal.corrected(o)) })
}

// survey is what every sweep of this scan has in common.
func (s *Scan) survey() scan.Survey {
	v := scan.Survey{
		Ports: s.portList(), Want: s.want, Rate: s.opts.Rate, PerHost: s.opts.PerHost, PerNet: s.opts.PerNet,
		Retries: s.opts.Retries, Seed: s.seed, Shard: s.shard, Vantage: s.opts.Vantage, Mode: s.Mode(),
	}
	if s.wire != nil {
		v.OnLink = s.wire.onLink
	}
	return v
}

func (s *Scan) portList() []netset.Port {
	list := make([]netset.Port, 0, s.ports.Len())
	for p := range s.ports.All() {
		list = append(list, p)
	}
	return list
}

// Close releases the wire and the checkpoint. A second call does nothing.
func (s *Scan) Close() error {
	var err error
	if s.wire != nil {
		err = s.wire.Close()
	}
	if s.journal != nil {
		err = errors.Join(err, s.journal.close())
	}
	s.wire, s.journal = nil, nil
	return err
}
