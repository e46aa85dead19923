//go:build linux

package rawsock

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

const (
	synAck = 0x12
	rst    = 0x04
	rstAck = 0x14
)

// quiet keeps the peer's kernel from answering, so that the tap alone does.
const quiet = `table inet t {
	chain in {
		type filter hook prerouting priority -400
		ip daddr 192.0.2.0/24 drop
	}
}
`

// A station on the way answers in the targets' stead without knowing the key.
func TestForgedAnswers(t *testing.T) {
	r := newRig(t)
	r.nft(quiet)
	wire := r.tap(t)
	tests := []struct {
		name   string
		forge  func(syn []byte) []byte
		forged uint64
	}{
		{"wrong number", func(syn []byte) []byte { return answer4(syn, synAck, 2) }, 1},
		{"the number itself", func(syn []byte) []byte { return answer4(syn, synAck, 0) }, 1},
		{"reset, wrong number", func(syn []byte) []byte { return answer4(syn, rstAck, 77) }, 1},
		{"another port of ours", func(syn []byte) []byte { return change(answer4(syn, synAck, 1), atTCP4+3, 0x10) }, 0},
		{"another attempt", func(syn []byte) []byte { return change(answer4(syn, synAck, 1), atTCP4+3, 0x01) }, 0},
		{"another port of theirs", func(syn []byte) []byte { return change(answer4(syn, synAck, 1), atTCP4+1, 0x01) }, 0},
		{"an address never asked", func(syn []byte) []byte { return readdress(answer4(syn, synAck, 1)) }, 0},
		{"an ICMP error, wrong number", func(syn []byte) []byte { return unreachable4(syn, 1) }, 1},
		{"an ICMP error, cut short", func(syn []byte) []byte { return unreachable4(syn, 0)[:atTCP4+20] }, 0},
		{"a cut segment", func(syn []byte) []byte { return answer4(syn, synAck, 1)[:atTCP4+14] }, 0},
		{"nothing but a header", func(syn []byte) []byte { return answer4(syn, synAck, 1)[:14] }, 0},
		{"our own packet", slices.Clone[[]byte], 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := open(t, Config{Paths: r.paths(), Key: probe.RandomKey()})
			first, last := tcp("192.0.2.7", 443), tcp("192.0.2.8", 443)
			if _, err := w.Send([]probe.Probe{first, last}); err != nil {
				t.Fatal(err)
			}
			syn := wire.next(isTCP4(0x02))
			wire.send(tt.forge(syn))
			// What is right comes after it, so silence needs no clock.
			wire.send(answer4(wire.next(isTCP4(0x02)), synAck, 1))
			want := map[probe.Probe][]said{last: {{probe.SynAck, "192.0.2.8", ""}}}
			if diff := cmp.Diff(want, gather(t, w, 1)); diff != "" {
				t.Error(diff)
			}
			wait(t, func() bool { return w.Account().Forged == tt.forged })
		})
	}
}

func change(frame []byte, at int, flip byte) []byte {
	frame[at] ^= flip
	return frame
}

func readdress(frame []byte) []byte {
	frame[atSource4+3]++
	checksum(frame[14:atTCP4], 10)
	return frame
}

// wait waits until a condition holds that another goroutine brings about.
func wait(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatal("it never happened")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTrueAnswersByHand(t *testing.T) {
	r := newRig(t)
	r.nft(quiet)
	wire := r.tap(t)
	for name, tt := range map[string]struct {
		forge func(syn []byte) []byte
		want  probe.Answer
	}{
		"syn-ack":               {func(syn []byte) []byte { return answer4(syn, synAck, 1) }, probe.SynAck},
		"reset":                 {func(syn []byte) []byte { return answer4(syn, rstAck, 1) }, probe.Reset},
		"port unreachable":      {func(syn []byte) []byte { return unreachable4(syn, 0) }, probe.PortUnreachable},
		"behind a VLAN tag":     {func(syn []byte) []byte { return tagged(answer4(syn, synAck, 1)) }, probe.SynAck},
		"padded to an Ethernet": {func(syn []byte) []byte { return append(answer4(syn, rstAck, 1), 0, 0, 0, 0) }, probe.Reset},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, Config{Paths: r.paths(), Key: probe.RandomKey()})
			p := tcp("192.0.2.7", 443)
			p.Attempt = 5
			if _, err := w.Send([]probe.Probe{p}); err != nil {
				t.Fatal(err)
			}
			wire.send(tt.forge(wire.next(isTCP4(0x02))))
			want := map[probe.Probe][]said{p: {{tt.want, "192.0.2.7", ""}}}
			if diff := cmp.Diff(want, gather(t, w, 1)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func tagged(frame []byte) []byte {
	return slices.Concat(frame[:12], []byte{0x81, 0, 0, 5}, frame[12:])
}

// A SYN-ACK that is repeated is reset by us, a few times; one that is not, is
// left to the kernel.
func TestRepeatedSynAck(t *testing.T) {
	r := newRig(t)
	r.nft(quiet)
	must(t, nft("table inet s {\n\tchain out {\n\t\ttype filter hook output priority 0\n\t\ttcp flags rst drop\n\t}\n}\n"))
	t.Cleanup(func() { _ = nft("flush ruleset\n") })
	wire := r.tap(t)
	w := open(t, Config{Paths: r.paths()})
	p := tcp("192.0.2.7", 443)
	_, err := w.Send([]probe.Probe{p})
	must(t, err)
	syn := wire.next(isTCP4(0x02))
	const times = 10
	for range times {
		wire.send(answer4(syn, synAck, 1))
	}
	var replies [times]probe.Reply
	for got := 0; got < times; {
		n, err := w.Receive(replies[:], patience)
		must(t, err)
		if n == 0 {
			t.Fatalf("%d of %d answers arrived", got, times)
		}
		got += n
	}
	for range mostResets {
		reset := wire.next(isTCP4(rst))
		if !bytes.Equal(reset[:atTCP4+4][atSource4:], syn[atSource4:atTCP4+4]) {
			t.Errorf("the reset belongs to another connection: %x", reset)
		}
		if got, want := binary.BigEndian.Uint32(reset[atTCP4+4:]), binary.BigEndian.Uint32(syn[atTCP4+4:])+1; got != want {
			t.Errorf("sequence number %d, want %d", got, want)
		}
	}
	// No further reset before the next SYN.
	_, err = w.Send([]probe.Probe{tcp("192.0.2.9", 443)})
	must(t, err)
	wire.next(func(f []byte) bool {
		if isTCP4(rst)(f) {
			t.Error("more resets than allowed")
		}
		return isTCP4(0x02)(f)
	})
}

// tcpdump reads every kind of packet that the wire makes and finds no fault.
func TestChecksums(t *testing.T) {
	r := newRig(t)
	for name, plain := range map[string]bool{"xdp": false, "sendmmsg": true} {
		t.Run(name, func(t *testing.T) {
			wire := r.tap(t)
			w := open(t, Config{Paths: r.paths(), Plain: plain})
			near := []netip.Addr{netip.MustParseAddr(peer4), netip.MustParseAddr(peer6)}
			must(t, w.Resolve(t.Context(), slices.Values(near), 0))
			frames := [][]byte{wire.next(ours), wire.next(ours)}
			var probes []probe.Probe
			ports := []uint16{0, 1, 53, 65535}
			for _, p := range w.cfg.Payloads.All() {
				if p.Protocol != "nfs" { // tcpdump prints it without the sum
					ports = append(ports, p.Ports...)
				}
			}
			for _, a := range []string{"192.0.2.5", "2001:db8:2::5", peer4, peer6} {
				for _, port := range ports {
					probes = append(probes, tcp(a, port), udp(a, port))
				}
				probes = append(probes, echo(a))
			}
			for some := range slices.Chunk(probes, few) {
				ask(t, w, 0, some...)
				for range some {
					frames = append(frames, wire.next(ours))
				}
			}
			verify(t, frames)
		})
	}
}

// ours tells the wire's frames from those of the kernel beside it: neighbour
// advertisements, listener reports and resets.
func ours(f []byte) bool {
	const icmp6 = 14 + 40
	kernel := len(f) > icmp6 && f[12] == 0x86 && f[20] != unix.IPPROTO_TCP && f[20] != unix.IPPROTO_UDP &&
		f[icmp6] != 128 && f[icmp6] != 135
	return !kernel && !isTCP4(rst)(f)
}

// verify lets tcpdump judge the frames.
func verify(t *testing.T, frames [][]byte) {
	t.Helper()
	var dump bytes.Buffer
	must(t, binary.Write(&dump, binary.LittleEndian, []uint32{0xa1b2c3d4, 4<<16 | 2, 0, 0, 65535, 1}))
	summed := 0 // tcpdump says nothing of good sums of ICMP, and ARP has none
	for _, f := range frames {
		must(t, binary.Write(&dump, binary.LittleEndian, []uint32{0, 0, uint32(len(f)), uint32(len(f))}))
		dump.Write(f)
		if f[12] == 0x86 || f[13] == 0 && f[23] != unix.IPPROTO_ICMP {
			summed++
		}
	}
	file := filepath.Join(t.TempDir(), "frames.pcap")
	must(t, os.WriteFile(file, dump.Bytes(), 0o600))
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Fatal("tcpdump is missing: install the Debian package tcpdump")
	}
	tcpdump := exec.CommandContext(t.Context(), "tcpdump", "-nvvr", file)
	// Started as root it would change to another user, which not every user
	// namespace has.
	id := []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}}
	tcpdump.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: id, GidMappings: id}
	out, err := tcpdump.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if bad := regexp.MustCompile(`(?i).*(incorrect|bad |wrong).*`).Find(out); bad != nil {
		t.Errorf("tcpdump finds: %s", bad)
	}
	good := len(regexp.MustCompile(`cksum 0x[0-9a-f]+ \(correct\)|udp sum ok|icmp6 sum ok`).FindAll(out, -1))
	if good != summed {
		t.Errorf("tcpdump checked %d of %d frames", good, summed)
	}
}

// Some services answer from another port than the one that was asked.
func TestAnswerFromElsewhere(t *testing.T) {
	r := newRig(t)
	r.nft(quiet)
	wire := r.tap(t)
	w := open(t, Config{Paths: r.paths()})
	p := udp("192.0.2.7", 69)
	_, err := w.Send([]probe.Probe{p})
	must(t, err)
	question := wire.next(func(f []byte) bool { return f[12] == 8 && f[13] == 0 && f[23] == unix.IPPROTO_UDP })
	reply := answer4(append(question[:atTCP4+8:atTCP4+8], make([]byte, 20)...), 0, 0)[:atTCP4]
	content := []byte("\x00\x05\x00\x01File not found\x00") // RFC 1350 section 5
	length := 8 + len(content)
	reply = append(reply, 0x40, 0x01, question[atTCP4], question[atTCP4+1], 0, byte(length), 0, 0)
	reply = append(reply, content...)
	binary.BigEndian.PutUint16(reply[14+2:], uint16(20+length))
	checksum(reply[14:atTCP4], 10)
	stray := slices.Clone(reply)
	stray[atTCP4+3] ^= 0x10 // a port that asked nothing
	wire.send(stray)
	wire.send(reply)
	want := map[probe.Probe][]said{p: {{probe.Datagram, "192.0.2.7", "tftp"}}}
	if diff := cmp.Diff(want, gather(t, w, 1)); diff != "" {
		t.Error(diff)
	}
}
