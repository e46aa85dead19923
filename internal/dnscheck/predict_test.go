package dnscheck

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"

	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

// rows makes n numbers by a rule.
func rows(n int, rule func(i int) int) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(rule(i)) //nolint:gosec // rules wrap on purpose
	}
	return out
}

func TestPatternOf(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		what string
		rule func(i int) int
		want patternKind
	}{
		{"even over everything", func(int) int { return r.IntN(65536) }, random},
		{"even over the ephemeral ports", func(int) int { return 49152 + r.IntN(16384) }, random},
		{"Linux ports", func(int) int { return 32768 + r.IntN(28232) }, random},
		{"a pool of 2500", func(int) int { return 49152 + r.IntN(2500)*6 }, random},
		{"one", func(int) int { return 53 }, constant},
		{"counting up", func(i int) int { return 65530 + i }, counting},
		{"counting down", func(i int) int { return 100 - 3*i }, counting},
		{"counting with jumps", func(i int) int { return i*7 + i/6*5000 }, counting},
		{"two in turn", func(i int) int { return 10000 + i%2*30000 }, few},
		{"eight", func(int) int { return r.IntN(8) * 8000 }, few},
		{"eight low bits", func(int) int { return r.IntN(256) * 256 }, few},
		{"a window of 2000", func(int) int { return 40000 + r.IntN(2000) }, narrow},
	} {
		if p := patternOf(rows(samples, c.rule), 16384); p.kind != c.want {
			t.Errorf("%s: %d, want %d: %s", c.what, p.kind, c.want, p)
		}
	}
}

func TestGoodSourcesAreLeftAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{fewestToFail, fewestToPass, samples} {
		for range 100_000 {
			if p := patternOf(rows(n, func(int) int { return 49152 + r.IntN(16384) }), 16384); p.kind != random {
				t.Errorf("%d samples: %s", n, p)
			}
		}
	}
}

func TestChanceOfFew(t *testing.T) {
	for _, c := range []struct {
		n, most, size int
		want          float64
	}{
		{1, 1, 1024, 1},
		{2, 1, 4, 0.25},
		{2, 2, 4, 1},
		{3, 1, 2, 0.25},
		{3, 2, 3, 7.0 / 9},
	} {
		if got := chanceOfFew(c.n, c.most, c.size); got < c.want-1e-12 || got > c.want+1e-12 {
			t.Errorf("chanceOfFew(%d, %d, %d) = %g, want %g", c.n, c.most, c.size, got, c.want)
		}
	}
}

// seenFrom makes samples of one source, numbered backwards as they might come in.
func seenFrom(source string, n int, port, id func(i int) int) []sighting {
	out := make([]sighting, n)
	for i := range out {
		at := n - 1 - i
		out[at].Report = nonce.Report{
			Source: netip.AddrPortFrom(netip.MustParseAddr(source), uint16(port(i))), ID: uint16(id(i)), Sequence: uint64(i), //nolint:gosec // small
		}
	}
	return out
}

func TestJudgePredictable(t *testing.T) {
	z := probeZone(t)
	r := rand.New(rand.NewPCG(5, 6))
	even := func(int) int { return 1024 + r.IntN(64512) }
	same := func(int) int { return 1053 }
	up := func(i int) int { return 1000 + i }
	five := func(int) int { return 5000 + r.IntN(9)*6000 }
	lost := []sighting{sight(z, answerTo(t, resolve(z.Name(nonce.Who), dnswire.TypeTXT), "-"))}
	for _, c := range []struct {
		what     string
		seen     []sighting
		status   exposure.Status
		severity exposure.Severity
	}{
		{"good", seenFrom("192.0.2.53", 20, even, even), exposure.Pass, ""},
		{"good, some lost", append(seenFrom("192.0.2.53", 17, even, even), lost...), exposure.Pass, ""},
		{"good, too few", seenFrom("192.0.2.53", 15, even, even), exposure.NotTested, ""},
		{"one port", seenFrom("192.0.2.53", 20, same, even), exposure.Fail, ""},
		{"one port, few samples", seenFrom("192.0.2.53", 8, same, even), exposure.Fail, ""},
		{"one port, too few samples", seenFrom("192.0.2.53", 7, same, even), exposure.NotTested, ""},
		{"ports count", seenFrom("192.0.2.53", 20, up, even), exposure.Fail, ""},
		{"IDs count", seenFrom("192.0.2.53", 20, even, up), exposure.Fail, ""},
		{"nine ports", seenFrom("192.0.2.53", 20, five, even), exposure.Fail, exposure.MediumSev},
		{"both", seenFrom("192.0.2.53", 20, same, up), exposure.Fail, exposure.Critical},
		{"two sources, one of them judged", append(seenFrom("2001:db8::53", 18, even, even), seenFrom("192.0.2.53", 5, even, even)...), exposure.Pass, ""},
		{"many sources", append(seenFrom("2001:db8::53", 7, same, even), seenFrom("192.0.2.53", 7, same, even)...), exposure.NotTested, ""},
		{"nothing came back", []sighting{{err: errors.New("no answer")}}, exposure.NotTested, ""},
	} {
		o := judgePredictable(exposure.UDP, netip.MustParseAddr("192.0.2.53"), c.seen)
		if o.Status != c.status || o.Severity != c.severity || o.Reason == "" {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
	streams := seenFrom("192.0.2.53", 20, same, up)
	for i := range streams {
		streams[i].Stream = true
	}
	if o := judgePredictable(exposure.UDP, netip.MustParseAddr("192.0.2.53"), streams); o.Status != exposure.NotTested {
		t.Errorf("over TCP: %+v", o)
	}
}
