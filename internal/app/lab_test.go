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
func newLab(t testing.TB) *lab.Lab {
	t.Helper()
	key, err := collector.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	zone, err := nonce.New(probeZone, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The trust anchor is needed before the lab exists, the host's addresses after.
	unsited, err := collector.New(collector.Options{Zone: zone, Key: key, Nameservers: []string{"ns.elsewhere.test."}})
	if err != nil {
		t.Fatal(err)
	}
	l := lab.New(t, lab.Options{Anchor: unsited.DNSKEY().String()})
	h := l.Host(t, "collector")
	server, err := collector.New(collector.Options{Zone: zone, Key: key, Addresses: []netip.Addr{h.V4, h.V6}})
	if err != nil {
		t.Fatal(err)
	}
	serveCollector(t, h, server)
	return l
}

func serveCollector(t testing.TB, h *lab.Host, server *collector.Server) {
	t.Helper()
	var udp []net.PacketConn
	var tcp []net.Listener
	for _, a := range []netip.Addr{h.V4, h.V6} {
		at := netip.AddrPortFrom(a, 53).String()
		pc, err := h.ListenPacket("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := h.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		udp, tcp = append(udp, pc), append(tcp, ln)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.Serve(ctx, udp, tcp); err != nil && ctx.Err() == nil {
			t.Errorf("collector: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// assess runs a whole assessment of the targets.
func assess(t testing.TB, o app.Options) *exposure.Assessment {
	t.Helper()
	if o.LookupPTR == nil {
		o.LookupPTR = func(context.Context, netip.Addr) []string { return nil }
	}
	run, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	a, err := run.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a
}
