//go:build linux

package rawsock

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/packet"
	"reconshield/internal/probe"
)

// sink gives a path over the pair to a station that is not there: the peer's
// kernel drops the frames as soon as it sees whom they are for.
func sink(b *testing.B) probe.Path {
	b.Helper()
	p := newRig(b).paths()[0]
	p.From, p.To = ends("10.64.0.0/10")
	p.NextHop = []byte{2, 0, 0, 0, 0, 0x99}
	return p
}

// BenchmarkSend is the whole way of a probe that nobody answers.
func BenchmarkSend(b *testing.B) {
	for _, bm := range []struct {
		name  string
		plain bool
		kind  probe.Kind
	}{
		{"xdp/tcp", false, probe.TCP},
		{"xdp/udp", false, probe.UDP},
		{"sendmmsg/tcp", true, probe.TCP},
		{"sendmmsg/udp", true, probe.UDP},
	} {
		b.Run(bm.name, func(b *testing.B) {
			w := open(b, Config{Paths: []probe.Path{sink(b)}, Plain: bm.plain})
			if _, ok := w.outlets[0].(*xdp); ok == bm.plain {
				b.Fatalf("the outlet is a %T", w.outlets[0])
			}
			benchmarkSend(b, w, bm.kind)
		})
	}
}

// BenchmarkRatio compares Send with the bare loop, a slice of each in turn, so
// that what else the machine does falls on both.
func BenchmarkRatio(b *testing.B) {
	const slice = 100 * time.Millisecond
	for _, bm := range []struct {
		name  string
		plain bool
	}{{"xdp", false}, {"sendmmsg", true}} {
		b.Run(bm.name, func(b *testing.B) {
			p := sink(b)
			w := open(b, Config{Paths: []probe.Path{p}, Plain: bm.plain})
			frame := oneFrame(b, p)
			probes := make([]probe.Probe, 128)
			var ours, bare uint64
			for range b.N {
				for end := time.Now().Add(slice); time.Now().Before(end); {
					for i := range probes {
						a := [4]byte{10, 64, byte(ours >> 15), byte(ours >> 7)}
						probes[i] = probe.Probe{Addr: netip.AddrFrom4(a), Port: uint16(i)}
					}
					n, err := w.Send(probes)
					must(b, err)
					ours += uint64(n)
				}
				n, err := flood("near0", frame, 256, slice)
				must(b, err)
				bare += n
			}
			seconds := slice.Seconds() * float64(b.N)
			b.ReportMetric(float64(ours)/seconds/1e6, "Mpps")
			b.ReportMetric(float64(bare)/seconds/1e6, "bare-Mpps")
			b.ReportMetric(float64(ours)/float64(bare), "ratio")
		})
	}
}

func oneFrame(b *testing.B, p probe.Path) []byte {
	b.Helper()
	t, err := packet.NewTemplate(&p, probe.TCP)
	must(b, err)
	frame := make([]byte, 128)
	q := probe.Probe{Addr: p.From, Port: 53}
	return frame[:t.SYN(frame, &q, probe.NewKey(1).Cookie(&q), 1)]
}

func benchmarkSend(b *testing.B, w *Wire, kind probe.Kind) {
	b.Helper()
	probes := make([]probe.Probe, 128)
	var at uint32
	b.ReportAllocs()
	start, cpu := time.Now(), processTime()
	for done := 0; done < b.N; {
		for i := range probes {
			at += 0x9e3779b1
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], 10<<24|64<<16|at>>10)
			probes[i] = probe.Probe{Addr: netip.AddrFrom4(a), Port: 53, Kind: kind}
		}
		n, err := w.Send(probes)
		if err != nil {
			b.Fatal(err)
		}
		done += n
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds()/1e6, "Mpps")
	b.ReportMetric(float64(processTime()-cpu)/float64(b.N), "cpu-ns/op")
}

func processTime() int64 {
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// flood sends one frame over and over through a bare sendmmsg loop until the
// time is over and reports how many the kernel took: what an AF_PACKET sender
// that does nothing else can reach.
func flood(interfaceName string, frame []byte, batch int, over time.Duration) (uint64, error) {
	device, err := net.InterfaceByName(interfaceName)
	if err != nil {
		return 0, err
	}
	m, err := newPacket(device.Index, device.Name, batch, func(*probe.Probe, error) {})
	if err != nil {
		return 0, err
	}
	defer func() { _ = m.close() }()
	for range batch {
		m.push(copy(m.next(), frame), &probe.Probe{})
	}
	var sent uint64
	for end := time.Now().Add(over); time.Now().Before(end); {
		n, errno := sendmmsg(m.fd, m.msgs)
		sent += uint64(n) //nolint:gosec // a count
		if errno != 0 && !passing(errno) {
			return sent, errno
		}
	}
	return sent, nil
}

// passing reports an error that only says that the queue is full.
func passing(errno syscall.Errno) bool {
	return errors.Is(errno, unix.EAGAIN) || errors.Is(errno, unix.ENOBUFS) || errors.Is(errno, unix.EINTR)
}
