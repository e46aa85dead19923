//go:build linux

package app_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"reconshield/internal/app"
	"reconshield/internal/collector"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
	"reconshield/internal/nonce"
)

func TestMain(m *testing.M) { lab.Main(m) }

const probeZone = "probe.test."

// newLab builds a lab whose collector answers and whose validating resolvers
// trust it.
func newLab(tb testing.TB) *lab.Lab {
	tb.Helper()
	key, err := collector.NewKey()
	if err != nil {
		tb.Fatal(err)
	}
	zone, err := nonce.New(probeZone, nil)
	if err != nil {
		tb.Fatal(err)
	}
	// The trust anchor is needed before the lab exists, the host's addresses after.
	unsited, err := collector.New(collector.Options{Zone: zone, Key: key, Nameservers: []string{"ns.elsewhere.test."}})
	if err != nil {
		tb.Fatal(err)
	}
	l := lab.New(tb, lab.Options{Anchor: unsited.DNSKEY().String()})
	h := l.Host(tb, "collector")
	server, err := collector.New(collector.Options{Zone: zone, Key: key, Addresses: []netip.Addr{h.V4, h.V6}})
	if err != nil {
		tb.Fatal(err)
	}
	serveCollector(tb, h, server)
	return l
}

func serveCollector(tb testing.TB, h *lab.Host, server *collector.Server) {
	tb.Helper()
	var udp []net.PacketConn
	var tcp []net.Listener
	for _, a := range []netip.Addr{h.V4, h.V6} {
		at := netip.AddrPortFrom(a, 53).String()
		pc, err := h.ListenPacket("udp", at)
		if err != nil {
			tb.Fatal(err)
		}
		ln, err := h.Listen("tcp", at)
		if err != nil {
			tb.Fatal(err)
		}
		udp, tcp = append(udp, pc), append(tcp, ln)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.Serve(ctx, udp, tcp); err != nil && ctx.Err() == nil {
			tb.Errorf("collector: %v", err)
		}
	})
	tb.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// assess runs a whole assessment of the targets.
func assess(tb testing.TB, o app.Options) *exposure.Assessment {
	tb.Helper()
	if o.LookupPTR == nil {
		o.LookupPTR = func(context.Context, netip.Addr) []string { return nil }
	}
	run, err := app.New(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	a, err := run.Run(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return a
}
