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

// A range of ports that the kernel itself uses for outgoing connections: by
// chance one of them connects to itself, which must not read as open.
func TestConnectNotToItself(t *testing.T) {
	d := dial.New(dial.Options{SourceIP: netip.MustParseAddr("127.0.0.1")})
	addr := netip.MustParseAddr("127.0.0.1")
	for port := 40000; port < 44000; port++ {
		got := d.Connect(t.Context(), exposure.Target{Addr: addr, Transport: exposure.TCP, Port: uint16(port)}, long)
		if got.State == exposure.Open {
			if conn, err := d.DialContext(t.Context(), "tcp", got.AddrPort().String()); err == nil {
				conn.Close() // something of this machine really listens there
				continue
			}
			t.Fatalf("port %d is said to be open", port)
		}
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
