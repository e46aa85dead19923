package scan_test

import (
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
	"reconshield/internal/scan"
)

// many is so many addresses from 198.18.0.0 on.
type many uint32

func (m many) Len() uint64 { return uint64(m) }
func (m many) At(i uint64) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(18 + i>>16), byte(i >> 8), byte(i)})
}

func (m many) Index(a netip.Addr) (uint64, bool) {
	b := a.As4()
	i := uint64(b[1]-18)<<16 | uint64(b[2])<<8 | uint64(b[3])
	return i, b[0] == 198 && b[1] >= 18 && i < uint64(m)
}

// careful sweeps hosts all of which say once a second at most that a port is
// closed, and tells what that cost this machine: time, and most memory held.
func careful(t *testing.T, hosts many, set string, rtt time.Duration) (summary scan.Summary, wrong int, took time.Duration, held uint64) {
	t.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	idle, began, looks := m.HeapAlloc, time.Now(), 0
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1)
		w.rtt, w.truth = far(rtt), openEvery(97)
		w.limit = limitAnswer(probe.PortUnreachable, 1, 6)
		survey := scan.Survey{
			Addresses: hosts, Ports: ports(t, set), Want: scan.WantAll, Retries: -1, Seed: 4,
			Progress: func(scan.Progress) {
				if looks++; looks%100 == 0 {
					runtime.GC()
					runtime.ReadMemStats(&m)
					held = max(held, m.HeapAlloc-min(idle, m.HeapAlloc))
				}
			},
		}
		var err error
		summary, err = scan.Sweep(t.Context(), w, survey, func(o exposure.Observation) {
			want := exposure.Closed
			if o.Port%97 == 0 {
				want = exposure.Open
			}
			if o.State != want {
				wrong++
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	return summary, wrong, time.Since(began), held
}

// Ten thousand hosts that limit their errors cost as much a probe as a tenth of
// them, and bounded memory; every verdict is right.
func TestCarefulHosts(t *testing.T) {
	const mostMemory, mostGrowth = 64 << 20, 4 // quadratic would be 10
	for _, rtt := range []time.Duration{500 * time.Microsecond, 10 * time.Millisecond} {
		var few time.Duration
		for _, hosts := range []many{1000, 10000} {
			summary, wrong, took, held := careful(t, hosts, "U:90-129", rtt)
			each := took / time.Duration(summary.Sent)
			t.Logf("%d hosts, %s away: %s, %d sent of %d targets, %s a probe, %d KiB held, completeness %f",
				hosts, rtt, summary.Duration, summary.Sent, summary.Targets, each, held>>10, summary.Completeness)
			if few == 0 {
				few = each
			}
			if wrong > 0 || summary.Targets != uint64(hosts)*40 || summary.Undecided > 0 || held > mostMemory || each > mostGrowth*few {
				t.Errorf("%d hosts, %s away: %d wrong, %d undecided, %d bytes held, %s a probe, %s among few", hosts, rtt, wrong, summary.Undecided, held, each, few)
			}
		}
	}
}

// Thousands of hosts that are asked slowly stay below the user's ceiling
// together, and a far path is spared.
func TestCarefulHostsShareCeiling(t *testing.T) {
	tests := []struct {
		rate, perSecond, burst, most float64
		right                        bool // the least rate of a lane is as slow as the limit
	}{
		{0, 1, 6, 5000, true},
		{2000, 1, 6, 2000, true},
		{500, 0.2, 2, 500, false},
	}
	for _, tt := range tests {
		survey := scan.Survey{Addresses: many(1000), Ports: ports(t, "U:90-109"), Want: scan.WantAll, Retries: -1, Seed: 4, Rate: tt.rate}
		got, summary, w := sweep(t, func(w *world) {
			w.rtt, w.truth = far(10*time.Millisecond), openEvery(97)
			w.limit = limitAnswer(probe.PortUnreachable, tt.perSecond, tt.burst)
		}, survey)
		wrong, silent := 0, 0
		for target, o := range got {
			switch {
			case o.State == exposure.OpenFiltered:
				silent++
			case (target.Port%97 == 0) != (o.State == exposure.Open) || o.State != exposure.Open && o.State != exposure.Closed:
				wrong++
			}
		}
		actual, inOne := float64(summary.Sent)/summary.Duration.Seconds(), int(tt.most/200)+5
		t.Logf("%s: rate %.0f of %.0f, %d sent, busiest ms %d of %d, %d wrong, %d silent, %d undecided", summary.Duration, actual, tt.most,
			summary.Sent, w.most, inOne, wrong, silent, summary.Undecided)
		if wrong > 0 || tt.right && silent > 0 || actual > tt.most*1.01 || w.most > inOne {
			t.Errorf("rate %.0f of %.0f, %d of %d in a millisecond, %d wrong and %d silent of %d", actual, tt.most, w.most, inOne, wrong, silent, len(got))
		}
	}
}
