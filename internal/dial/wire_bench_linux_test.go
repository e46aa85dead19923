package dial_test

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/dial"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

// All ports of one near host.
func BenchmarkWireAllPorts(b *testing.B) {
	for _, kind := range []probe.Kind{probe.TCP, probe.UDP} {
		for _, host := range loopbacks() {
			b.Run(string(kind.Transport())+" "+host, func(b *testing.B) { allPorts(b, host, kind) })
		}
	}
}

func allPorts(b *testing.B, host string, kind probe.Kind) {
	b.Helper()
	const ports = 1 << 16
	table, addr := payload.New(), netip.MustParseAddr(host)
	before := processorTime(b)
	for b.Loop() {
		w, err := dial.New(dial.Options{}).OpenWire(table)
		if err != nil {
			b.Fatal(err)
		}
		if got := sweepPorts(b, w, addr, kind, ports); got != ports {
			b.Fatalf("%d replies", got)
		}
		w.Close()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/host")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N)/ports, "cpu-us/probe")
}

// processorTime is what this process has used: on a busy machine it says more
// than the clock does.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sweepPorts asks the first n ports of a host once, in batches, and counts
// the replies.
func sweepPorts(tb testing.TB, w *dial.Wire, addr netip.Addr, kind probe.Kind, n int) (replies int) {
	tb.Helper()
	var batch [64]probe.Probe
	var into [256]probe.Reply
	port := 0
	for quiet := time.Now(); replies < n && time.Since(quiet) < long; {
		want := min(len(batch), n-port)
		for i := range want {
			batch[i] = probe.Probe{Addr: addr, Port: uint16(port + i), Kind: kind, Patience: time.Second}
		}
		took, err := w.Send(batch[:want])
		if err != nil {
			tb.Fatal(err)
		}
		port += took
		wait := time.Duration(0)
		if took == 0 {
			wait = 10 * time.Millisecond
		}
		got, err := w.Receive(into[:], wait)
		if err != nil {
			tb.Fatal(err)
		}
		if replies += got; got > 0 {
			quiet = time.Now()
		}
	}
	return replies
}
