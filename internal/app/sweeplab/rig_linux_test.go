package sweeplab_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"go4.org/netipx"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
	"reconshield/internal/lab/pair"
	"reconshield/internal/netset"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
	"reconshield/internal/rawsock"
	"reconshield/internal/route"
	"reconshield/internal/scan"
)

func TestMain(m *testing.M) { lab.Main(m) }

// scope resolves target expressions.
func scope(tb testing.TB, targets ...string) netset.Scope {
	tb.Helper()
	spec, err := netset.ParseTargets(targets)
	if err != nil {
		tb.Fatal(err)
	}
	spec.Limit, spec.LimitIPv6 = netset.ScanLimit, netset.ScanLimitIPv6
	s, err := spec.Resolve(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func portsOf(tb testing.TB, expr string) []netset.Port {
	tb.Helper()
	set, err := netset.ParsePorts(expr)
	if err != nil {
		tb.Fatal(err)
	}
	return slices.Collect(set.All())
}

func ranges(s netset.Scope) []netipx.IPRange {
	var all []netipx.IPRange
	for _, p := range s.Prefixes() {
		all = append(all, netipx.RangeOfPrefix(p))
	}
	return all
}

// rawWire opens the raw wire in the scanner's namespace.
func rawWire(tb testing.TB, p *pair.Pair, s netset.Scope, hop net.HardwareAddr) *rawsock.Wire {
	tb.Helper()
	var w *rawsock.Wire
	err := p.InScanner(func() error {
		paths, err := route.Paths(tb.Context(), ranges(s), route.Options{NextHop: hop})
		if err != nil {
			return err
		}
		w, err = rawsock.Open(rawsock.Config{Paths: paths, Key: probe.NewKey(1), Payloads: payload.New()})
		if err != nil {
			return err
		}
		return w.Resolve(tb.Context(), s.All(), 0)
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.Close(); err != nil {
			tb.Error(err)
		}
	})
	return w
}

// run sweeps in the scanner's namespace.
func run(tb testing.TB, p *pair.Pair, mode string, survey scan.Survey) (map[exposure.Target]exposure.Observation, scan.Summary) {
	tb.Helper()
	seen := map[exposure.Target]exposure.Observation{}
	emit := func(o exposure.Observation) {
		if _, twice := seen[o.Target]; twice {
			tb.Errorf("%s has two verdicts", o.Target)
		}
		seen[o.Target] = o
	}
	var summary scan.Summary
	var err error
	survey.Mode = mode
	if mode == "raw" {
		w := rawWire(tb, p, survey.Addresses.(netset.Scope), nil)
		err = p.InScanner(func() (err error) { // where the wire looks whether its link is up
			summary, err = scan.Sweep(tb.Context(), w, survey, emit)
			return err
		})
	} else {
		err = p.InScanner(func() error {
			w, err := (&dial.Dialer{}).OpenWire(payload.New())
			if err != nil {
				return err
			}
			summary, err = scan.Sweep(context.WithoutCancel(tb.Context()), w, survey, emit)
			if err != nil {
				return err
			}
			return w.Close()
		})
	}
	if err != nil {
		tb.Fatal(err)
	}
	return seen, summary
}

// compare tells how the verdicts differ from the truth.
func compare(tb testing.TB, p *pair.Pair, survey scan.Survey, seen map[exposure.Target]exposure.Observation) (wrong int) {
	tb.Helper()
	kinds := map[string]int{}
	for i := range survey.Addresses.Len() {
		for _, port := range survey.Ports {
			t := exposure.Target{Addr: survey.Addresses.At(i), Transport: port.Transport, Port: port.Number}
			want, o := p.State(t), seen[exposure.Target{Addr: t.Addr, Transport: t.Transport, Port: t.Port}]
			if o.State == want {
				continue
			}
			wrong++
			kind := fmt.Sprintf("%s by %s, want %s", o.State, o.Reason, want)
			if kinds[kind]++; kinds[kind] == 1 {
				tb.Logf("%s is %s (%s)", t, kind, o.Detail)
			}
		}
	}
	if wrong > 0 {
		tb.Logf("wrong: %v", kinds)
	}
	return wrong
}

func addrs(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, t := range texts {
		all = append(all, netip.MustParseAddr(t))
	}
	return all
}

var _ = addrs
