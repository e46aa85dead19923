package bench

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"reconshield/internal/payload"
)

func newTestStage(t *testing.T) *Stage {
	t.Helper()
	s, err := NewStage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The meter is what every rate rests on: it must see each frame that was sent.
func TestMeterCountsFrames(t *testing.T) {
	s := newTestStage(t)
	const count = 20_000
	frame, err := floodFrame(s.scannerMAC.String(), s.peerMAC.String(), "10.64.0.1", 1)
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.count()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Flood(scannerDevice, frame, count); err != nil {
		t.Fatal(err)
	}
	after, err := s.count()
	if err != nil {
		t.Fatal(err)
	}
	if got := after.Received - before.Received; got != count {
		t.Errorf("%d frames were sent and %d counted", count, got)
	}
	if got := after.Sent - before.Sent; got != 0 {
		t.Errorf("the sink answered %d times", got)
	}
}

// The frame of the bare loop must be a SYN that a kernel answers, or the loop
// would be measured against easier work than the scanners do.
func TestFloodFrameIsAnswered(t *testing.T) {
	s := newTestStage(t)
	if err := own(t.Context(), s, netip.MustParsePrefix("10.64.0.0/24")); err != nil {
		t.Fatal(err)
	}
	frame, err := floodFrame(s.scannerMAC.String(), s.peerMAC.String(), "10.64.0.1", 1)
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.count()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Flood(scannerDevice, frame, 100); err != nil {
		t.Fatal(err)
	}
	after, err := s.count()
	if err != nil {
		t.Fatal(err)
	}
	if got := after.Sent - before.Sent; got < 100 {
		t.Errorf("100 SYNs were answered %d times", got)
	}
}

// The truth a scene states is held against ordinary sockets.
func TestTruthOfTCPScenes(t *testing.T) {
	size := QuickSize()
	size.Sparse, size.Everything = netip.MustParsePrefix("10.64.0.0/23"), netip.MustParsePrefix("10.64.0.0/26")
	hosts := func(p netip.Prefix) (all []netip.AddrPort) {
		for a := p.Addr(); p.Contains(a); a = a.Next() {
			all = append(all, netip.AddrPortFrom(a, sweepPort))
		}
		return all
	}
	host := make([]netip.AddrPort, 0, 1000)
	random := rand.New(rand.NewPCG(1, 1))
	for range 800 {
		host = append(host, netip.AddrPortFrom(netip.MustParseAddr(peerAddress), uint16(1+random.IntN(65535))))
	}
	for _, port := range openPorts() {
		host = append(host, netip.AddrPortFrom(netip.MustParseAddr(peerAddress), port))
	}
	for _, tt := range []struct {
		scene   Scene
		targets []netip.AddrPort
	}{
		{sparseScene(size), hosts(size.Sparse)},
		{everythingScene(size), hosts(size.Everything)},
		{hostScene(size), host},
	} {
		t.Run(tt.scene.Name, func(t *testing.T) {
			s := newTestStage(t)
			truth, err := tt.scene.Set(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if len(truth.Open) == 0 {
				t.Fatal("nothing is open")
			}
			for _, target := range tt.targets {
				conn, err := net.DialTimeout("tcp", target.String(), 5*time.Second)
				if err == nil {
					_ = conn.Close()
				} else if !errors.Is(err, syscall.ECONNREFUSED) {
					t.Fatalf("%s: %v", target, err)
				}
				if open := err == nil; open != truth.Open[target] {
					t.Errorf("%s: open is %v, the truth says %v", target, open, truth.Open[target])
				}
			}
		})
	}
}

func TestTruthOfUDPScene(t *testing.T) {
	s := newTestStage(t)
	truth, err := setUDP(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(truth.Open)+truth.Closed+truth.Silent, 256*len(udpPorts()); got != want {
		t.Errorf("the truth covers %d targets of %d", got, want)
	}
	query := append([]byte{1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 0, 0, 2, 0, 1)
	for target := range truth.Open {
		request := query
		if target.Port() == 123 {
			request = make([]byte, 48)
			request[0] = 4<<3 | 3
		}
		if n, err := ask(target, request); err != nil || n < 17 {
			t.Errorf("%s does not answer: %d bytes, %v", target, n, err)
		}
		if target.Port() == 53 { // of the same host
			if _, err := ask(netip.AddrPortFrom(target.Addr(), 69), query); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: 69 is not refused: %v", target, err)
			}
		}
	}
	silent := netip.MustParseAddr("10.99.0.0")
	for truth.Open[netip.AddrPortFrom(silent, 53)] {
		silent = silent.Next()
	}
	for _, port := range []uint16{53, 69} {
		if _, err := ask(netip.AddrPortFrom(silent, port), query); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s port %d is not silent: %v", silent, port, err)
		}
	}
}

func ask(target netip.AddrPort, request []byte) (int, error) {
	conn, err := net.Dial("udp", target.String())
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		return 0, err
	}
	return conn.Read(make([]byte, 512))
}

// A port that the engine asks nothing of its own measures nothing.
func TestUDPPortsHaveAPayload(t *testing.T) {
	table := payload.New()
	for _, port := range udpPorts() {
		if len(table.For(port).Ports) == 0 {
			t.Errorf("port %d has no payload", port)
		}
	}
	if n := len(udpPorts()); n < 40 {
		t.Errorf("%d ports, want 40 at least", n)
	}
}
