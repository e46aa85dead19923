package portlist

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// traced is what a sweep told of itself, in virtual time: a line a state, of
// milliseconds since the start, probes, targets done, targets, milliseconds
// left by the sweep's guess, pass, and hosts that limit their answers.
func traced(t *testing.T, name string) (states []ProgressState, at []time.Duration) {
	t.Helper()
	for line := range strings.Lines(content(t, filepath.Join("testdata", "progress", name+".txt"))) {
		var ms, left, pass, limited int64
		s := ProgressState{Phase: "ports"}
		if _, err := fmt.Sscan(line, &ms, &s.Sent, &s.Done, &s.Targets, &left, &pass, &limited); err != nil {
			t.Fatalf("%s: %v in %q", name, err, line)
		}
		s.ETA = time.Duration(left) * time.Millisecond
		if pass > 0 {
			s.Phase = fmt.Sprintf("ports, asked again (%d)", pass)
		}
		if limited > 0 {
			s.Limit = "the pace of hosts that limit their answers"
		}
		states, at = append(states, s), append(at, time.Duration(ms)*time.Millisecond)
	}
	return states, at
}

// TestShareIsOfTime: the share never goes back, is never whole before the end,
// and is near the share of the time that really passed; the time left is near
// what was really left.
func TestShareIsOfTime(t *testing.T) {
	for _, c := range []struct {
		name  string
		back  bool    // the count of targets that are done goes back
		share float64 // by which the share may be wrong
		left  float64 // times too much or too little that the time left may be
	}{
		{"plain", false, 0.07, 1.4},
		{"silent", false, 0.28, 7}, // of seven seconds, of which the last five are never counted on
		{"resets", false, 0.03, 1.2},
		{"one-icmp", true, 0.21, 1.25},
		{"three-icmp", true, 0.19, 1.25},
	} {
		t.Run(c.name, func(t *testing.T) {
			states, at := traced(t, c.name)
			end := at[len(at)-1]
			var m meter
			var last float64
			var limited time.Duration
			var before uint64
			back, told := false, 0
			for i, s := range states {
				got := m.read(s, began.Add(at[i]))
				share, really := got.share(), at[i].Seconds()/end.Seconds()
				back = back || s.Done < before
				before = s.Done
				text, _ := got.percent()
				switch final := i == len(states)-1; {
				case !final && at[i] == end:
				case share < last:
					t.Errorf("%s: back from %.4f to %.4f", at[i], last, share)
				case final != (text == "100 %"):
					t.Errorf("%s of %s: %s", at[i], end, text)
				case !final && (share > really+c.share || share < really-c.share):
					t.Errorf("%s: %.3f, really %.3f", at[i], share, really)
				}
				last = share
				if s.Limit != "" && limited == 0 {
					limited = at[i]
				}
				settled := limited > 0 && at[i]-limited > 30*time.Second || c.name == "plain" || c.name == "silent"
				if left := (end - at[i]).Seconds(); settled && left > end.Seconds()/10 && at[i] > time.Second {
					told++
					if eta := got.ETA.Seconds(); eta > left*c.left || eta < left/c.left {
						t.Errorf("%s: %.1f s left, really %.1f", at[i], eta, left)
					}
				}
			}
			if back != c.back || told < 10 {
				t.Errorf("the trace goes back: %v; the time left was told %d times", back, told)
			}
		})
	}
}

// TestShareOverPhases: a run that looks for hosts and proves what it found has
// one share, and ends with all of it.
func TestShareOverPhases(t *testing.T) {
	var m meter
	clock := began
	last := 0.0
	step := func(s ProgressState, want string) {
		t.Helper()
		clock = clock.Add(10 * time.Second)
		got := m.read(s, clock)
		text, _ := got.percent()
		if text != want || got.share() < last {
			t.Errorf("%s %d of %d: %s, want %s (%.4f after %.4f)", s.Phase, s.Done, s.Targets, text, want, got.share(), last)
		}
		last = got.share()
	}
	step(ProgressState{Phase: "discovery", Targets: 600, Sent: 10, ETA: 10 * time.Second, Until: 0.1}, "0.0 %")
	step(ProgressState{Phase: "discovery", Targets: 600, Done: 300, Sent: 300, ETA: 10 * time.Second, Until: 0.1}, "5.0 %")
	step(ProgressState{Phase: "discovery", Targets: 600, Done: 600, Sent: 700, Until: 0.1}, "10.0 %")
	step(ProgressState{Phase: "ports", Targets: 1000, Sent: 710, ETA: 10 * time.Second, Until: 0.9}, "10.0 %")
	step(ProgressState{Phase: "ports", Targets: 1000, Done: 500, Sent: 1300, ETA: 10 * time.Second, Until: 0.9}, "50.0 %")
	step(ProgressState{Phase: "ports, asked again (1)", Targets: 1000, Done: 1000, Sent: 1400, ETA: 10 * time.Second, Until: 0.9}, "70.0 %")
	step(ProgressState{Phase: "ports, asked again (1)", Targets: 1000, Done: 1000, Sent: 1900, Until: 0.9}, "90.0 %")
	step(ProgressState{Phase: "proof", Targets: 10, Done: 5}, "95.0 %")
	step(ProgressState{Phase: "proof", Targets: 10, Done: 10}, "100 %")
}

// TestShareOfResumed: what an earlier run did counts from the beginning.
func TestShareOfResumed(t *testing.T) {
	var m meter
	s := m.read(ProgressState{Phase: "ports", Targets: 1000, Done: 620, Sent: 20, ETA: time.Minute}, began)
	if p, _ := s.percent(); p != "60.0 %" {
		t.Errorf("a run that goes on after 600 of 1000 begins at %s", p)
	}
}

// TestSharesShown: lines and JSON show the share of the meter, and a rising
// time left, where the targets that are done become fewer.
func TestSharesShown(t *testing.T) {
	states, at := traced(t, "one-icmp")
	var out bytes.Buffer
	clock := began
	p := newLineProgress(&out, 0, jsonLine, jsonNote, func() time.Time { return clock })
	for i, s := range states {
		clock = began.Add(at[i])
		p.Update(s)
	}
	p.Close()
	last, most := 0.0, 0.0
	for line := range strings.Lines(out.String()) {
		var percent, eta float64
		if i := strings.Index(line, `"percent":`); i >= 0 {
			_, _ = fmt.Sscanf(line[i:], `"percent":%g`, &percent)
		}
		if i := strings.Index(line, `"eta_s":`); i >= 0 {
			_, _ = fmt.Sscanf(line[i:], `"eta_s":%g`, &eta)
		}
		if percent < last {
			t.Errorf("from %g %% to %g %%", last, percent)
		}
		last, most = percent, max(most, eta)
	}
	if last != 100 || most < 1000 {
		t.Errorf("ends at %g %%, at most %g s were left", last, most)
	}
}
