package dial_test

import (
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
)

// fullListener is a port that drops SYNs: its backlog is full.
func fullListener(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	in4, ok := sa.(*unix.SockaddrInet4)
	if !ok {
		t.Fatalf("socket of type %T", sa)
	}
	server := netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port))
	conn, err := dial.New(dial.Options{}).DialContext(t.Context(), "tcp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return server
}

// Without descriptors nothing is learnt: neither transport may say closed.
func TestNoDescriptorsIsUnmeasured(t *testing.T) {
	open, server := listenTCP(t, "127.0.0.1")
	defer open.Close()
	closed := freePort(t, "127.0.0.1", exposure.UDP)
	d := dial.New(dial.Options{})
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	observation := d.Connect(t.Context(), target(server), long)
	reply := d.Exchange(t.Context(), request(closed, exposure.UDP, long))
	stream := d.Exchange(t.Context(), request(server, exposure.TCP, long))
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if observation.State != exposure.Unmeasured || observation.Reason != exposure.ReasonLocalError {
		t.Errorf("connect: %s %s: %s", observation.State, observation.Reason, observation.Detail)
	}
	if reply.Reason != exposure.ReasonLocalError || stream.Reason != exposure.ReasonLocalError {
		t.Errorf("udp %s: %s; tcp %s: %s", reply.Reason, reply.Detail, stream.Reason, stream.Detail)
	}
}

func TestCapacity(t *testing.T) {
	d := dial.New(dial.Options{})
	before := d.Capacity()
	var files []*os.File
	for range 10 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if after := d.Capacity(); after > before-10 || after < 1 {
		t.Errorf("capacity %d with ten descriptors more, %d before", after, before)
	}
	for _, f := range files {
		f.Close()
	}
}

func TestConnectCancelled(t *testing.T) {
	ctx, cancel := cancelled(t)
	cancel()
	got := dial.New(dial.Options{}).Connect(ctx, target(fullListener(t)), long)
	if got.State != exposure.Unmeasured || got.Reason != exposure.ReasonCancelled {
		t.Fatalf("got %s %s", got.State, got.Reason)
	}
}

func TestConnectTimeout(t *testing.T) {
	got := dial.New(dial.Options{}).Connect(t.Context(), target(fullListener(t)), 3*short)
	if got.State != exposure.Filtered || got.Reason != exposure.ReasonTimeout || got.Attempts != 1 || got.RTT != 0 {
		t.Fatalf("got %s %s after %d attempts", got.State, got.Reason, got.Attempts)
	}
}

func TestNoBroadcast(t *testing.T) {
	for _, via := range []exposure.Transport{exposure.UDP, exposure.TCP, exposure.QUIC} {
		got := dial.New(dial.Options{}).Exchange(t.Context(), request(netip.MustParseAddrPort("127.255.255.255:53"), via, short))
		if got.Reason != exposure.ReasonLocalError && got.Reason != exposure.ReasonNoRoute {
			t.Errorf("%s: %s after %d attempts: %s", via, got.Reason, got.Attempts, got.Detail)
		}
		if via == exposure.UDP && (got.Attempts != 0 || got.Detail != "broadcast address") {
			t.Errorf("%s: %d attempts: %q", via, got.Attempts, got.Detail)
		}
	}
	o := dial.New(dial.Options{}).Connect(t.Context(), target(netip.MustParseAddrPort("127.255.255.255:53")), short)
	if o.State != exposure.Unmeasured || o.Attempts != 0 || o.Detail != "broadcast address" {
		t.Errorf("connect: %s after %d attempts: %q", o.State, o.Attempts, o.Detail)
	}
}
