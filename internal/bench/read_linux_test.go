package bench

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
)

func TestReadResults(t *testing.T) {
	const nmap = `<?xml version="1.0"?><nmaprun><host><address addr="192.0.2.2" addrtype="ipv4"/><address addr="02:00:00:00:00:01" addrtype="mac"/>
		<ports><extraports state="closed" count="7"/><port protocol="tcp" portid="22"><state state="open"/></port>
		<port protocol="tcp" portid="23"><state state="filtered"/></port></ports></host></nmaprun>`
	const ours = `{"type":"port","address":"192.0.2.2","port":22,"state":"open"}
{"type":"summary","probes_sent":9,"states":{"open":1,"closed":7}}`
	one := map[exposure.State]int{exposure.Open: 1}
	for _, tt := range []struct {
		name  string
		read  func([]byte) (*Result, error)
		text  string
		open  string
		count map[exposure.State]int
	}{
		{"masscan", readMasscan, "#masscan\nopen tcp 22 192.0.2.2 1700000000\n# end\n", "192.0.2.2:22", one},
		{"zmap", readZmap(22), "saddr\n192.0.2.2\n", "192.0.2.2:22", one},
		{"nmap", readNmap, nmap, "192.0.2.2:22", map[exposure.State]int{exposure.Open: 1, exposure.Closed: 7, exposure.Filtered: 1}},
		{"ours", readOurs, ours, "192.0.2.2:22", map[exposure.State]int{exposure.Open: 1, exposure.Closed: 7}},
	} {
		r, err := tt.read([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if len(r.Open) != 1 || !r.Open[netip.MustParseAddrPort(tt.open)] {
			t.Errorf("%s: open %v, want %s", tt.name, r.Open, tt.open)
		}
		if diff := cmp.Diff(tt.count, r.Count); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestReadRefusesWhatIsCut(t *testing.T) {
	for name, read := range map[string]func() (*Result, error){
		"masscan": func() (*Result, error) { return readMasscan([]byte("open tcp 22 192.0.2 17")) },
		"zmap":    func() (*Result, error) { return readZmap(1)([]byte("192.0")) },
		"nmap":    func() (*Result, error) { return readNmap([]byte("<nmaprun><host>")) },
		"ours":    func() (*Result, error) { return readOurs([]byte(`{"type":"po`)) },
		"uneven":  func() (*Result, error) { return readOurs([]byte(`{"type":"summary","states":{"open":2}}`)) },
	} {
		if r, err := read(); err == nil {
			t.Errorf("%s: no error but %v", name, r)
		}
	}
}

func TestOwnRates(t *testing.T) {
	for _, tt := range []struct {
		name string
		own  func(stderr, stats []byte) float64
		text string
		want float64
	}{
		{"zmap", ownZmap, "0:04 75%; send: 1048576 done (311 Kp/s avg); recv: 0", 311_000},
		{"zmap, fast", ownZmap, "send: 9 done (1.25 Mp/s avg); recv: 0", 1_250_000},
		{"zmap, not done", ownZmap, "send: 9 311 Kp/s (300 Kp/s avg)", 0},
		{"masscan", ownMasscan, "rate:610.00-kpps, 1.0% done\rrate:620.00-kpps, 2.0% done\rrate: 0.00-kpps, 100.00% done, waiting 1-secs", 610_000},
		{"bare", ownFlood, "1450000\n", 1_450_000},
	} {
		if got := tt.own([]byte(tt.text), nil); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := ownOurs(nil, []byte(`{"probes_sent":300,"duration_s":2}`)); got != 150 {
		t.Errorf("ours: %v, want 150", got)
	}
}

func TestJudge(t *testing.T) {
	a, b, c := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.1:2"), netip.MustParseAddrPort("192.0.2.1:3")
	truth := &Truth{Open: map[netip.AddrPort]bool{a: true, b: true}, Closed: 10}
	result := func(full bool, closed int, open ...netip.AddrPort) *Result {
		r := newResult(full)
		for _, target := range open {
			r.add(target, exposure.Open)
		}
		r.Count[exposure.Closed] = closed
		return r
	}
	for _, tt := range []struct {
		name        string
		result      *Result
		open, wrong int
	}{
		{"all right", result(true, 10, a, b), 2, 0},
		{"one missed", result(true, 10, a), 1, 1},
		{"one missed, called closed", result(true, 11, a), 1, 1},
		{"three closed ones called filtered", result(true, 7, a, b), 2, 3},
		{"a closed one called open", result(true, 9, a, b, c), 2, 1},
		{"two silent ones called closed", result(true, 12, a, b), 2, 2},
		{"one missed and one silent, both called closed", result(true, 12, a), 1, 2},
		{"open ones only are named", result(false, 0, a, b), 2, 0},
	} {
		var f Figures
		truth.Judge(tt.result, &f)
		if f.Open != tt.open || f.OpenAll != 2 || f.Wrong != tt.wrong {
			t.Errorf("%s: open %d of %d, wrong %d; want %d and %d", tt.name, f.Open, f.OpenAll, f.Wrong, tt.open, tt.wrong)
		}
	}
}

func TestRateLeavesOutStartAndEnd(t *testing.T) {
	start := time.Now()
	samples := []Count{{At: start}} // a second of nothing, a second of 1000, nothing
	for i := range 101 {
		samples = append(samples, Count{At: start.Add(time.Second + time.Duration(i)*10*time.Millisecond), Received: uint64(i) * 10})
	}
	samples = append(samples, Count{At: start.Add(5 * time.Second), Received: 1000})
	if got := Rate(samples, false); got < 999 || got > 1001 {
		t.Errorf("rate %v, want 1000", got)
	}
	if got := Rate(samples, true); got != 0 {
		t.Errorf("rate of answers %v, want 0", got)
	}
	if got := Rate(nil, false); got != 0 {
		t.Errorf("rate of nothing %v", got)
	}
}

func TestPercentNeverRoundsUp(t *testing.T) {
	for share, want := range map[float64]string{1: "100", 0.9999999: "99.999", 0.5: "50.000", 0: "0.000"} {
		if got := percent(share); got != want {
			t.Errorf("%v: %s, want %s", share, got, want)
		}
	}
}

func FuzzReadResults(f *testing.F) {
	f.Add([]byte("open tcp 22 192.0.2.2 1\n"))
	f.Add([]byte("192.0.2.2\n"))
	f.Add([]byte(`<nmaprun><host><address addr="192.0.2.2"/><ports><port portid="1"><state state="open"/></port></ports></host></nmaprun>`))
	f.Add([]byte(`{"type":"port","address":"192.0.2.2","port":22,"state":"open"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, read := range []func([]byte) (*Result, error){readMasscan, readZmap(1), readNmap, readOurs} {
			if r, err := read(text); err == nil && len(r.Open) > r.Count[exposure.Open] {
				t.Errorf("%d open targets, %d counted", len(r.Open), r.Count[exposure.Open])
			}
		}
		for _, own := range []func(stderr, stats []byte) float64{ownZmap, ownMasscan, ownFlood} {
			own(text, nil)
		}
		ownOurs(nil, text)
	})
}
