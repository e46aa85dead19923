package app

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
	"reconshield/internal/report/portlist"
)

// listening opens a TCP port that greets as an SSH server, and gives its number.
func listening(t *testing.T) uint16 {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"))
			c.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}

func TestScanAsLibrary(t *testing.T) {
	port := listening(t)
	before := goleak.IgnoreCurrent()
	for _, mode := range []string{"raw", "connect"} {
		s, err := NewScan(t.Context(), ScanOptions{Targets: []string{"127.0.0.1"}, Ports: "T:all", Mode: mode, Service: true})
		if err != nil {
			t.Fatal(err)
		}
		var rows []exposure.Observation
		told := 0
		sum, err := s.Run(t.Context(), func(o exposure.Observation) { rows = append(rows, o) }, func(portlist.ProgressState) { told++ })
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		if len(rows) != 1 || rows[0].Port != port || rows[0].Service == nil || rows[0].Service.Protocol != "ssh" || len(rows[0].Labels) > 0 {
			t.Errorf("%s: %+v", mode, rows)
		}
		if sum.Mode != mode || sum.Targets != 65536 || sum.States[exposure.Closed] != 65535 || sum.Answered != 1 || told == 0 {
			t.Errorf("%s: told %d times, %+v", mode, told, sum)
		}
	}
	goleak.VerifyNone(t, before)
}

// A cancelled scan gives what it knows and leaves no goroutine.
func TestScanCancelled(t *testing.T) {
	listening(t)
	before := goleak.IgnoreCurrent()
	for _, discover := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := NewScan(ctx, ScanOptions{
			Targets: []string{"127.0.0.0/20"}, Ports: "T:1-1000", Show: "all", Rate: 5000, Prove: true, Discover: discover,
		})
		if err != nil {
			t.Fatal(err)
		}
		var rows atomic.Int64
		sum, err := s.Run(ctx, func(exposure.Observation) { rows.Add(1) }, func(p portlist.ProgressState) {
			if p.Sent > 0 {
				cancel()
			}
		})
		cancel()
		if e, ok := errors.AsType[*FailureError](err); !ok || !errors.Is(e, context.Canceled) || !sum.Partial || sum.Undecided == 0 {
			t.Errorf("discover %t: %v, %+v", discover, err, sum)
		}
		if n := uint64(rows.Load()); discover && n != 0 || !discover && n+sum.Undecided != sum.Targets { //nolint:gosec // a count
			t.Errorf("discover %t: %d rows, %d undecided of %d", discover, n, sum.Undecided, sum.Targets)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	goleak.VerifyNone(t, before)
}

// What cannot be used is refused in words that name the option.
func TestScanOptions(t *testing.T) {
	for _, c := range []struct {
		o    ScanOptions
		want string
	}{
		{ScanOptions{Mode: "x"}, "--mode"},
		{ScanOptions{Show: "x"}, "--show"},
		{ScanOptions{Rate: -1}, "--rate"},
		{ScanOptions{PerHost: -1}, "--max-rate-per-host"},
		{ScanOptions{PerNet: -1}, "--max-rate-per-network"},
		{ScanOptions{Retries: 16}, "--retries"},
		{ScanOptions{MinCompleteness: 1.5}, "--min-completeness 150"},
		{ScanOptions{Shard: "3/2"}, "--shard: "},
		{ScanOptions{GatewayMAC: "00:00:00:00:00:00"}, "--gateway-mac"},
		{ScanOptions{ExcludeFiles: []string{"-"}}, "--exclude-file -"},
		{ScanOptions{SourceIP: "224.0.0.1"}, "--source-ip"},
		{ScanOptions{Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such name") }, Exclude: []string{"x.test"}}, "x.test"},
	} {
		c.o.Targets = []string{"127.0.0.1"}
		if s, err := NewScan(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v %v", c.want, s, err)
		}
	}
}

// The addresses that are asked for on a link are those of its paths, no others.
func TestNeighbours(t *testing.T) {
	at := netip.MustParseAddr
	got := slices.Collect(neighbours([]probe.Path{
		{From: at("192.0.2.1"), To: at("192.0.2.3")},
		{From: at("192.0.2.4"), To: at("192.0.2.9"), Unreachable: "no route"},
		{From: at("192.0.2.10"), To: at("192.0.2.19"), Gateway: at("192.0.2.1")},
		{From: at("192.0.2.20"), To: at("192.0.2.29"), NextHop: []byte{2, 0, 0, 0, 0, 1}},
		{From: at("192.0.2.30"), To: at("192.0.2.39"), Link: probe.Bare},
		{From: at("255.255.255.254"), To: at("255.255.255.255")},
	}))
	want := []netip.Addr{at("192.0.2.1"), at("192.0.2.2"), at("192.0.2.3"), at("255.255.255.254"), at("255.255.255.255")}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
