//go:build linux

package rawsock

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/probe"
)

// Every answer is either given or counted as dropped; here, with a ring that is
// large enough, all are given, once.
func TestManyAnswers(t *testing.T) {
	r := newRig(t)
	for _, plain := range []bool{false, true} {
		w := open(t, Config{Paths: r.paths(), Plain: plain})
		const total = 100_000
		seen := make([]bool, total)
		answered := 0
		var replies [512]probe.Reply
		receive := func(wait time.Duration) int {
			n, err := w.Receive(replies[:], wait)
			must(t, err)
			for _, reply := range replies[:n] {
				i := index(reply.Probe)
				if reply.Answer != probe.Reset || seen[i] {
					t.Fatalf("%+v", reply)
				}
				seen[i] = true
				answered++
			}
			return n
		}
		// So many may be under way that none can be lost.
		const window = 256
		for sent := 0; sent < total; {
			if sent-answered < window {
				probes := []probe.Probe{probeAt(sent)}
				n, err := w.Send(probes)
				if err != nil && !errors.Is(err, probe.ErrBusy) {
					t.Fatal(err)
				}
				sent += n
				continue
			}
			if receive(patience) == 0 {
				t.Fatalf("%d sent, %d answered, and then silence: %+v", sent, answered, w.Account())
			}
		}
		for answered < total && receive(patience) > 0 {
			continue
		}
		if a := w.Account(); answered != total || a != (probe.Account{}) {
			t.Errorf("%d of %d answered; %+v", answered, total, a)
		}
	}
}

// probeAt spreads numbers over the addresses and ports of 192.0.2.0/24.
func probeAt(i int) probe.Probe {
	addr := [4]byte{192, 0, 2, byte(i)}
	return probe.Probe{Addr: netip.AddrFrom4(addr), Port: uint16(1000 + i>>8), Kind: probe.TCP}
}

func index(p probe.Probe) int {
	a := p.Addr.As4()
	return int(p.Port-1000)<<8 | int(a[3])
}

// What finds the ring full is counted. The queue holds one batch and nobody
// takes from it, so the ring must run full.
func TestRingDrops(t *testing.T) {
	r := newRig(t)
	w := open(t, Config{Paths: r.paths(), Ring: 1, Queue: 16})
	ask(t, w, 1, probeAt(0)) // the peer learns where to answer
	const total = 20_000
	for sent := 0; sent < total; {
		n, err := w.Send([]probe.Probe{probeAt(sent)})
		if err != nil && !errors.Is(err, probe.ErrBusy) {
			t.Fatal(err)
		}
		sent += n
	}
	wait(t, func() bool { return w.Account().RingDrops > 0 })
}

func TestReceiveAfterClose(t *testing.T) {
	noLeak(t)
	w := open(t, Config{})
	must(t, w.Close())
	must(t, w.Close())
	var replies [1]probe.Reply
	if _, err := w.Receive(replies[:], time.Hour); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := w.Send([]probe.Probe{tcp(peer4, 1)}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// The wait is neither cut short nor overslept by a timer's coarseness.
func TestReceiveWaits(t *testing.T) {
	w := open(t, Config{})
	var replies [1]probe.Reply
	const wait = 5 * time.Millisecond
	start := time.Now()
	n, err := w.Receive(replies[:], wait)
	must(t, err)
	if took := time.Since(start); n != 0 || took < wait {
		t.Errorf("%d replies after %v", n, took)
	}
}

func TestQueue(t *testing.T) {
	const size, total = 7, 1000
	q, err := newQueue(size)
	must(t, err)
	t.Cleanup(q.wake.close)
	go func() {
		for i := 0; i < total; i += 5 { // more at once than there is room for, now and then
			batch := make([]probe.Reply, 5)
			for j := range batch {
				batch[j].Port = uint16(i + j)
			}
			q.put(batch)
		}
		q.close()
	}()
	var got, want []uint16
	for i := range total {
		want = append(want, uint16(i))
	}
	var into [3]probe.Reply
	for {
		n, err := q.take(into[:], time.Hour)
		for _, r := range into[:n] {
			got = append(got, r.Port)
		}
		if err != nil {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if q.put(make([]probe.Reply, 1)) {
		t.Error("a closed queue took a reply")
	}
}

func TestNoAllocs(t *testing.T) {
	r := newRig(t)
	paths := r.paths()
	for i := range paths { // to nobody, so that no answers are counted
		paths[i].NextHop = net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	}
	for name, plain := range map[string]bool{"xdp": false, "sendmmsg": true} {
		t.Run(name, func(t *testing.T) {
			w := open(t, Config{Paths: paths, Plain: plain})
			var probes []probe.Probe
			for i := range uint16(32) {
				probes = append(probes, tcp("192.0.2.5", i), udp("192.0.2.5", i), echo("192.0.2.5"),
					tcp("2001:db8:2::5", i), udp("2001:db8:2::5", i), echo("2001:db8:2::5"), tcp(silent4, i), udp(silent6, i))
			}
			if n := testing.AllocsPerRun(100, func() {
				if _, err := w.Send(probes); err != nil && !errors.Is(err, probe.ErrBusy) {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations in %d probes", n, len(probes))
			}
		})
	}
}

// BenchmarkAnswers counts probes whose answers all come back.
func BenchmarkAnswers(b *testing.B) {
	r := newRig(b)
	w := open(b, Config{Paths: r.paths()})
	probes := make([]probe.Probe, 128)
	replies := make([]probe.Reply, 1024)
	answered, sent := 0, 0
	receive := func(wait time.Duration) int {
		n, err := w.Receive(replies, wait)
		must(b, err)
		answered += n
		return n
	}
	const window = 4096
	start, cpu := time.Now(), processTime()
	for sent < b.N {
		if sent-answered > window {
			if receive(patience) == 0 {
				b.Fatalf("%d of %d answered: %+v", answered, sent, w.Account())
			}
			continue
		}
		for i := range probes {
			v := uint32(sent + i)
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], 192<<24|2<<8|v&0xff)
			probes[i] = probe.Probe{Addr: netip.AddrFrom4(a), Port: uint16(v >> 8), Attempt: uint8(v >> 24 & 7)}
		}
		n, err := w.Send(probes)
		if err != nil && !errors.Is(err, probe.ErrBusy) {
			b.Fatal(err)
		}
		sent += n
		receive(0)
	}
	for answered < sent && receive(patience) > 0 {
		continue
	}
	b.ReportMetric(float64(sent)/time.Since(start).Seconds()/1e6, "Mpps")
	b.ReportMetric(float64(processTime()-cpu)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(100*float64(answered)/float64(sent), "%answered")
}
