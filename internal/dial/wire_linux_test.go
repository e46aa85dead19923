package dial_test

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

func openWire(t *testing.T, o dial.Options) *dial.Wire {
	t.Helper()
	w, err := dial.New(o).OpenWire(payload.New())
	if err != nil {
		t.Fatal(err)
	}
	return closing(t, w)
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestWireNoSuchSource(t *testing.T) {
	before := descriptors(t)
	for _, o := range []dial.Options{
		{SourceIP: netip.MustParseAddr("192.0.2.7")},
		{SourceIP: netip.MustParseAddr("2001:db8::7")},
		{Interface: "no-such-if0"},
	} {
		if w, err := dial.New(o).OpenWire(payload.New()); err == nil {
			t.Errorf("%+v: opened", o)
			w.Close()
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func TestWireSource(t *testing.T) {
	from := make(chan netip.AddrPort, 4)
	server := serveUDP(t, "127.0.0.1", func(c *net.UDPConn, q []byte, a netip.AddrPort) {
		from <- a
		c.WriteToUDPAddrPort(response(q), a)
	})
	_, listening := listenTCP(t, "127.0.0.1")
	source := netip.MustParseAddr("127.0.0.9")
	w := openWire(t, dial.Options{SourceIP: source, Interface: "lo"})
	if got := ask(t, w, probe.Probe{Addr: server.Addr(), Port: server.Port(), Kind: probe.UDP}, 1); len(got) != 1 || got[0].Protocol != "dns" {
		t.Errorf("got %+v", got)
	}
	if a := <-from; a.Addr().Unmap() != source {
		t.Errorf("sent from %s", a)
	}
	if got := ask(t, w, probe.Probe{Addr: listening.Addr(), Port: listening.Port()}, 1); len(got) != 1 || got[0].Answer != probe.SynAck {
		t.Errorf("got %+v", got)
	}
}

// What is answered, refused or given up leaves no descriptor behind.
func TestWireReleases(t *testing.T) {
	_, listening := listenTCP(t, "127.0.0.1")
	full := fullListener(t)
	closedUDP := freePort(t, "127.0.0.1", exposure.UDP)
	before := descriptors(t)
	w := openWire(t, dial.Options{})
	for range 100 {
		ask(t, w, probe.Probe{Addr: listening.Addr(), Port: listening.Port(), Patience: long}, 1)
		ask(t, w, probe.Probe{Addr: closedUDP.Addr(), Port: closedUDP.Port(), Kind: probe.UDP, Patience: long}, 1)
	}
	batch := make([]probe.Probe, 200)
	for i := range batch {
		batch[i] = probe.Probe{Addr: full.Addr(), Port: full.Port(), Patience: short}
	}
	if n, err := w.Send(batch); n != len(batch) || err != nil {
		t.Fatalf("took %d: %v", n, err)
	}
	var into [1]probe.Reply
	for end := time.Now().Add(long); descriptors(t) > before+1 && time.Now().Before(end); {
		if n, err := w.Receive(into[:], short); n != 0 || err != nil {
			t.Fatalf("%+v: %v", into[0], err)
		}
	}
	if during := descriptors(t); during != before+1 { // epoll's
		t.Errorf("%d descriptors, %d before", during, before)
	}
	w.Close()
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors after closing, %d before", after, before)
	}
}

func TestWireOutOfDescriptors(t *testing.T) {
	full := fullListener(t)
	w := openWire(t, dial.Options{})
	batch := make([]probe.Probe, 64)
	for i := range batch {
		batch[i] = probe.Probe{Addr: full.Addr(), Port: full.Port(), Patience: long}
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 40 // more than are open
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	first, err := w.Send(batch)
	again, errAgain := w.Send(batch)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err != nil || errAgain != nil || first == 0 || first > int(low.Cur) || again != 0 {
		t.Errorf("took %d (%v), then %d (%v) with %d descriptors", first, err, again, errAgain, low.Cur)
	}
	if n, err := w.Send(batch); n != len(batch) || err != nil {
		t.Errorf("took %d with descriptors again: %v", n, err)
	}
}

// A hard limit of 1024 descriptors, as many systems have it: in a process of
// its own, because a hard limit cannot be raised again.
func TestWireFewDescriptors(t *testing.T) {
	const inside = "RECONSHIELD_TEST_FEW_DESCRIPTORS"
	if os.Getenv(inside) == "" {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 1024 && exec "$0" "$@"`, os.Args[0], "-test.run=^TestWireFewDescriptors$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: TestWireFewDescriptors")) {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	w := openWire(t, dial.Options{})
	if c := w.Capacity(); c > 1024 || c < 500 {
		t.Errorf("capacity %d", c)
	}
	start := time.Now()
	const ports = 1 << 16
	if n := sweepPorts(t, w, netip.MustParseAddr("127.0.0.1"), probe.TCP, ports); n != ports {
		t.Errorf("%d replies of %d", n, ports)
	}
	t.Logf("all ports in %s", time.Since(start))
	full := fullListener(t)
	batch := make([]probe.Probe, 4096)
	for i := range batch {
		batch[i] = probe.Probe{Addr: full.Addr(), Port: full.Port(), Patience: short}
	}
	var into [1]probe.Reply
	turns := 0
	for left := batch; len(left) > 0; turns++ {
		n, err := w.Send(left)
		if err != nil {
			t.Fatal(err)
		}
		left = left[n:]
		if n, err := w.Receive(into[:], short); n != 0 || err != nil {
			t.Fatalf("%+v: %v", into[0], err)
		}
	}
	if turns < 4096/1024 {
		t.Errorf("4096 silent probes in %d turns", turns)
	}
}

// Nothing is said of silence, and the descriptor is free for the next.
func TestWireSilence(t *testing.T) {
	silent := serveUDP(t, "127.0.0.1", func(*net.UDPConn, []byte, netip.AddrPort) {})
	full := fullListener(t)
	for name, open := range carriers() {
		t.Run(name, func(t *testing.T) {
			w := open(t, dial.Options{})
			for kind, server := range map[probe.Kind]netip.AddrPort{probe.UDP: silent, probe.TCP: full} {
				p := probe.Probe{Addr: server.Addr(), Port: server.Port(), Kind: kind, Patience: short}
				if got := ask(t, w, p, 0); len(got) != 0 {
					t.Errorf("%d replies: %+v", len(got), got)
				}
			}
		})
	}
}
