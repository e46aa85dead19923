package sweeplab_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/lab/pair"
	"reconshield/internal/netset"
	"reconshield/internal/scan"
)

// Random open and silent targets, several times over: nothing is wrong and no
// two runs differ.
func TestRandomTruth(t *testing.T) {
	tests := []struct {
		name, prefix, mode string
		lost               int // percent, each way
	}{
		{"raw", "192.0.2.0/28", "raw", 0},
		{"raw over IPv6", "2001:db8:9::/124", "raw", 0},
		{"connect", "192.0.2.0/28", "connect", 0},
		{"connect over IPv6", "2001:db8:9::/124", "connect", 0},
		{"1 % loss", "192.0.2.0/28", "raw", 1},
		{"20 % loss", "192.0.2.1/32", "raw", 20},
	}
	numbers := make([]uint16, 400)
	for i := range numbers {
		numbers[i] = uint16(i + 2) // the rig reaches itself by port 1
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seed, ports := uint64(i), portsOf(t, "T:1-400")
			// The rig's errors over IPv6 come from its own address, and hosts that lose
			// every third packet take their time over UDP.
			if !strings.Contains(tt.prefix, ":") && tt.lost < 20 {
				ports = portsOf(t, "T:1-400,U:1-40")
			}
			p := pair.New(t, pair.Options{})
			p.Addresses(tt.prefix)
			p.Open(pair.Random(seed, tt.prefix, exposure.TCP, numbers[:60], 50)...)
			p.Silence(pair.Random(seed+100, tt.prefix, exposure.TCP, numbers[60:], 300)...)
			for n := range uint16(4) {
				p.ListenUDP(30+n, func(question []byte) []byte { return question })
			}
			if tt.lost > 0 {
				p.Lose(tt.lost, tt.lost)
			}
			survey := scan.Survey{Addresses: scope(t, tt.prefix), Ports: ports, Want: scan.WantAll, Retries: -1, Seed: seed}
			for again := range 2 - min(tt.lost, 1) {
				seen, summary := run(t, p, tt.mode, survey)
				wrong := compare(t, p, survey, seen)
				t.Logf("%s: %d wrong of %d, sent %d, sentinels %d/%d, completeness %f, missing %.3f", summary.Duration, wrong, len(seen),
					summary.Sent, summary.SentinelsLost, summary.Sentinels, summary.Completeness, summary.Missing)
				if wrong > tt.lost/10 || summary.Completeness < 0.999 {
					t.Errorf("run %d: %d wrong, completeness %f", again, wrong, summary.Completeness)
				}
			}
		})
	}
}

// Whatever a peer without the key sends, nothing is open because of it.
func TestHostilePeer(t *testing.T) {
	tests := []struct {
		name    string
		ports   string
		open    bool
		forged  bool // and it is told
		manners []pair.Manner
	}{
		{"forged", "T:1-300", false, true, []pair.Manner{pair.Forged()}},
		{"stale", "T:1-300", false, false, []pair.Manner{pair.Stale()}},
		{"resets", "T:1-300", false, true, []pair.Manner{pair.ResetStorm(5)}},
		{"a stranger", "T:1-300", false, false, []pair.Manner{pair.Stranger("198.18.0.99")}},
		{"malformed errors", "T:1-300,U:1-100", false, true, []pair.Manner{pair.MalformedErrors()}},
		{"absurd errors", "T:1-300,U:1-100", false, false, []pair.Manner{pair.AbsurdErrors()}},
		{"duplicates among forgeries", "T:1-300", true, true, []pair.Manner{pair.Forged(), pair.Genuine(5), pair.ResetStorm(3)}},
		{"everything open", "T:0-9999", true, false, []pair.Manner{pair.Genuine(1)}},
	}
	p := pair.New(t, pair.Options{})
	for i, tt := range tests {
		target := netip.AddrFrom4([4]byte{198, 18, 0, byte(i)}).String()
		p.Respond([]string{target + "/32"}, tt.manners...)
		t.Run(tt.name, func(t *testing.T) {
			survey := scan.Survey{OnLink: true, Addresses: scope(t, target), Ports: portsOf(t, tt.ports), Want: scan.WantAll, Retries: -1}
			seen, summary := run(t, p, "raw", survey)
			states := map[exposure.State]int{}
			for _, o := range seen {
				states[o.State]++
			}
			t.Logf("%s: %v, replies %d, forged %d, completeness %f", summary.Duration, states, summary.Replies, summary.Forged, summary.Completeness)
			want := 0
			if tt.open {
				want = len(survey.Ports)
			}
			if states[exposure.Open] != want || !tt.open && states[exposure.Closed] > 0 {
				t.Errorf("%d open, want %d: %v", states[exposure.Open], want, states)
			}
			if tt.forged != (summary.Forged > 0) {
				t.Errorf("%d forged packets are told", summary.Forged)
			}
		})
	}
}

// A cable that is pulled in mid-scan and plugged in again costs time only.
func TestLinkDownAndUp(t *testing.T) {
	for _, mode := range []string{"raw"} {
		t.Run(mode, func(t *testing.T) {
			p := pair.New(t, pair.Options{})
			p.Addresses("192.0.2.1/32")
			p.ListenTCP(80, 8080, 30000)
			pulled, since := false, 0
			survey := scan.Survey{
				Addresses: scope(t, "192.0.2.1"), Ports: portsOf(t, "T:1-40000"), Want: scan.WantAll, Retries: -1, Rate: 20000,
				Progress: func(s scan.Progress) {
					switch {
					case !pulled && s.Sent > 15000:
						p.LinkDown()
						pulled = true
					case pulled && since == 5:
						p.LinkUp()
						since++
					case pulled:
						since++
					}
				},
			}
			seen, summary := run(t, p, mode, survey)
			wrong := compare(t, p, survey, seen)
			t.Logf("%s: %d wrong of %d, sent %d, recovered %d, completeness %f, unmeasured %d %v", summary.Duration, wrong, len(seen),
				summary.Sent, summary.Recovered, summary.Completeness, summary.Unmeasured, summary.Notes)
			if wrong > 0 && summary.Completeness > 0.999 || mode == "raw" && wrong > 0 || !pulled {
				t.Errorf("%d wrong, completeness %f", wrong, summary.Completeness)
			}
			for target, o := range seen {
				if want := p.State(target); o.State != want && o.State != exposure.Unmeasured {
					t.Fatalf("%s is %s by %s, want %s", target, o.State, o.Reason, want)
				}
			}
		})
	}
}

// A peer with the kernel's own limits says of few UDP ports that they are
// closed: no other verdict is wrong, and it is told that some are undecided.
func TestKernelLimits(t *testing.T) {
	p := pair.New(t, pair.Options{KernelLimits: true})
	p.Addresses("192.0.2.0/30")
	p.ListenUDP(7777, func([]byte) []byte { return []byte("hello") })
	survey := scan.Survey{
		Addresses: scope(t, "192.0.2.0/30"), Ports: append(portsOf(t, "T:1-2000,U:1-100"), netset.Port{Transport: exposure.UDP, Number: 7777}),
		Want: scan.WantAll, Retries: -1, Patience: 3 * time.Second,
	}
	seen, summary := run(t, p, "raw", survey)
	states := map[exposure.State]int{}
	for target, o := range seen {
		states[o.State]++
		want := p.State(target)
		if o.State != want && (target.Transport != exposure.UDP || want != exposure.Closed || o.State != exposure.OpenFiltered) {
			t.Errorf("%s is %s by %s, want %s", target, o.State, o.Reason, want)
		}
	}
	t.Logf("%s: %v, undecided %d, completeness %f", summary.Duration, states, summary.Undecided, summary.Completeness)
	if states[exposure.OpenFiltered] != int(summary.Undecided) || summary.Undecided > 0 && summary.Completeness > 0.999 {
		t.Errorf("%d of %d silent ports are said to be undecided, completeness %f", summary.Undecided, states[exposure.OpenFiltered], summary.Completeness)
	}
}
