package app

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reconshield/internal/exposure"
	"reconshield/internal/scan"
)

// journalAt opens the checkpoint of a small scan.
func journalAt(t *testing.T, path string, change func(*ScanOptions)) (*Scan, error) {
	t.Helper()
	o := ScanOptions{Targets: []string{"127.0.0.1-3"}, Ports: "T:1-3", Resume: path}
	if change != nil {
		change(&o)
	}
	p, err := newScanPlan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := &Scan{scanPlan: p}
	err = s.openJournal()
	t.Cleanup(func() { s.Close() })
	return s, err
}

func closing(t *testing.T, s *Scan) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func records(j *journal) (all []string) {
	for r := range j.Records() {
		all = append(all, string(r))
	}
	return all
}

func TestJournalKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	s, err := journalAt(t, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	seed := s.seed
	target := exposure.Target{Addr: netip.MustParseAddr("127.0.0.1"), Transport: exposure.TCP, Port: 3}
	proven := exposure.Observation{
		Target: target, State: exposure.Open, Reason: exposure.ReasonSynAck, Labels: []exposure.Label{exposure.LabelUnproven},
		Detail: "why", Service: &exposure.Service{Protocol: "ssh"},
	}
	failed := exposure.Observation{Target: target, State: exposure.Unmeasured, Reason: exposure.ReasonLocalError, Detail: "no buffer"}
	found := addressList{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("2001:db8::1")}
	for _, err := range []error{
		s.journal.Append([]byte("one")), s.journal.keepDiscovered(found), s.journal.keepProof(proven), s.journal.Append([]byte("two")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.journal.noteUnmeasured(failed)
	closing(t, s)

	again, err := journalAt(t, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, known := again.journal.proof(target)
	if diff := cmp.Diff(findingOf(proven), got, cmpopts.EquateComparable(netip.Addr{})); diff != "" || !known {
		t.Error(diff)
	}
	addrs, all := again.journal.discovered()
	if !all || !slices.Equal(addrs, found) || again.seed != seed || again.journal.finished() != nil {
		t.Errorf("found %v (all: %t), seed %d instead of %d", addrs, all, again.seed, seed)
	}
	silent := exposure.Observation{Target: target, State: exposure.Filtered, Reason: exposure.ReasonTimeout}
	if o := again.journal.corrected(silent); o.State != exposure.Unmeasured || o.Detail != "no buffer" {
		t.Errorf("a failure is replayed as %v", o)
	}
	if got := records(again.journal); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("records %q", got)
	}
}

// A file that a crash cut anywhere gives what was written whole before, and
// can be gone on with.
func TestJournalCutAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	s, err := journalAt(t, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ends := []int64{s.journal.size} // of the header, and of each record
	for _, record := range []string{"first", "", "third"} {
		if err := s.journal.Append([]byte(record)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, s.journal.size)
	}
	closing(t, s)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := journalAt(t, path, nil)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if err := s.journal.Append([]byte("next")); err != nil {
			t.Fatal(err)
		}
		var want []string
		for i, record := range []string{"first", "", "third"} {
			if int64(cut) >= ends[i+1] {
				want = append(want, record)
			}
		}
		if got := records(s.journal); !slices.Equal(got, append(want, "next")) {
			t.Errorf("cut at %d: %q", cut, got)
		}
		closing(t, s)
	}
}

func TestJournalRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	s, err := journalAt(t, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = journalAt(t, path, nil)
	if err == nil || err.Error() != "--resume "+path+": another scan is writing to this checkpoint" {
		t.Errorf("two at once: %v", err)
	}
	s.total = 9
	s.wire = &carrier{heard: newCensus(s.scope), Wire: closed{}}
	if err := s.journal.finish(s, scan.Summary{Targets: 9}); err != nil {
		t.Fatal(err)
	}
	closing(t, s)
	other := s.seed + 1
	for _, c := range []struct {
		name   string
		change func(*ScanOptions)
		want   string
	}{
		{"the same", nil, ""},
		{"the same in other words", func(o *ScanOptions) { o.Targets, o.Ports = []string{"127.0.0.2/31", "127.0.0.1"}, "T:3,1-2" }, ""},
		{"the same seed", func(o *ScanOptions) { o.Seed = &s.seed }, ""},
		{"another seed", func(o *ScanOptions) { o.Seed = &other }, scan.ErrOtherScan.Error()},
		{"other targets", func(o *ScanOptions) { o.Exclude = []string{"127.0.0.2"} }, scan.ErrOtherScan.Error()},
		{"other ports", func(o *ScanOptions) { o.Ports = "U:1-3" }, scan.ErrOtherScan.Error()},
		{"another shard", func(o *ScanOptions) { o.Shard = "1/2" }, scan.ErrOtherScan.Error()},
		{"with discovery", func(o *ScanOptions) { o.Discover = true }, scan.ErrOtherScan.Error()},
		{"other verdicts", func(o *ScanOptions) { o.Show = "all" }, "the scan is finished and kept what --show open gives; use the same, or another file"},
	} {
		again, err := journalAt(t, path, c.change)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if want := c.want; want != "" && got != "--resume "+path+": "+want || want == "" && got != "" {
			t.Errorf("%s: %q", c.name, got)
		}
		if err == nil && again.journal.finished() == nil {
			t.Errorf("%s: not finished", c.name)
		}
		closing(t, again)
	}
}

// closed is a wire that can only be closed.
type closed struct{ scan.Wire }

func (closed) Close() error { return nil }

func FuzzReadFrames(f *testing.F) {
	path := filepath.Join(f.TempDir(), "checkpoint")
	j, _, err := openFrames(path)
	if err != nil {
		f.Fatal(err)
	}
	for _, record := range []string{"", "x", "a longer one"} {
		if err := j.append(frameRecord, []byte(record)); err != nil {
			f.Fatal(err)
		}
	}
	if err := j.close(); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add([]byte(journalMagic + "\xff\xff\xff\xff"))
	f.Add([]byte("reconshield"))
	f.Fuzz(func(t *testing.T, file []byte) {
		read := func(b []byte) (whole int64, frames []string) {
			whole, err := readFrames(bytes.NewReader(b), int64(len(b)), func(kind byte, payload []byte) bool {
				frames = append(frames, string(kind)+string(payload))
				return true
			})
			if err != nil && whole != 0 {
				t.Fatalf("%d bytes are whole, and %v", whole, err)
			}
			return whole, frames
		}
		whole, frames := read(file)
		if whole < 0 || whole > int64(len(file)) {
			t.Fatalf("%d of %d bytes are whole", whole, len(file))
		}
		again, same := read(file[:whole])
		if again != whole || !slices.Equal(frames, same) {
			t.Errorf("read %d bytes again: %d, %q instead of %q", whole, again, same, frames)
		}
	})
}

func FuzzTakeFrame(f *testing.F) {
	f.Add([]byte{frameFound, 4, 192, 0, 2, 1, 16})
	f.Add([]byte(`p{"address":"192.0.2.1","port":1}`))
	f.Add([]byte(`e{"Targets":3,"Completeness":null}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) == 0 {
			return
		}
		j := &journal{proofs: map[exposure.Target]finding{}, unmeasured: map[exposure.Target]finding{}}
		j.take(frame[0], frame[1:])
		if n := len(j.found); n > len(frame)/5 {
			t.Errorf("%d addresses out of %d bytes", n, len(frame))
		}
		if e := j.finished(); e != nil && frame[0] != frameEnd {
			t.Error("finished by another frame")
		}
	})
}
