//go:build linux

package rawsock

import (
	"encoding/binary"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tap is a packet socket on the peer's end of the pair: it sees what was sent
// and sends what a hostile station would.
type tap struct {
	tb   testing.TB
	file *os.File
}

func (r *rig) tap(tb testing.TB) *tap {
	tb.Helper()
	t := &tap{tb: tb}
	far, err := r.peerHandle.LinkByName("far0")
	must(tb, err)
	r.inPeer(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		t.file = os.NewFile(uintptr(fd), "tap")
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_ALL), Ifindex: far.Attrs().Index})
	})
	tb.Cleanup(func() { _ = t.file.Close() })
	return t
}

// few is how many frames the tap holds for sure while nobody reads.
const few = 64

// next gives the next frame that want accepts.
func (t *tap) next(want func(frame []byte) bool) []byte {
	t.tb.Helper()
	must(t.tb, t.file.SetReadDeadline(time.Now().Add(patience)))
	buffer := make([]byte, 2048)
	for {
		n, err := t.file.Read(buffer)
		if err != nil {
			t.tb.Fatalf("no such frame arrived: %v", err)
		}
		if want(buffer[:n]) {
			return buffer[:n]
		}
	}
}

func (t *tap) send(frame []byte) {
	t.tb.Helper()
	_, err := t.file.Write(frame)
	must(t.tb, err)
}

// Offsets in an Ethernet frame with a plain IPv4 header.
const (
	atSource4 = 14 + 12
	atTarget4 = 14 + 16
	atTCP4    = 14 + 20
)

func isTCP4(flags byte) func([]byte) bool {
	return func(f []byte) bool {
		return len(f) >= atTCP4+20 && f[12] == 8 && f[13] == 0 && f[23] == unix.IPPROTO_TCP && f[atTCP4+13] == flags
	}
}

// answer4 turns a SYN around: a segment with the given flags that acknowledges
// the sequence number plus past. Swapped addresses keep the checksum right.
func answer4(syn []byte, flags byte, past uint32) []byte {
	f := append([]byte(nil), syn...)
	copy(f, syn[6:12])
	copy(f[6:], syn[:6])
	copy(f[atSource4:], syn[atTarget4:atTarget4+4])
	copy(f[atTarget4:], syn[atSource4:atSource4+4])
	copy(f[atTCP4:], syn[atTCP4+2:atTCP4+4])
	copy(f[atTCP4+2:], syn[atTCP4:atTCP4+2])
	binary.BigEndian.PutUint32(f[atTCP4+8:], binary.BigEndian.Uint32(syn[atTCP4+4:])+past)
	f[atTCP4+13] = flags
	return f
}

// unreachable4 quotes a SYN in an ICMP port unreachable with the given change
// to the quoted sequence number.
func unreachable4(syn []byte, past uint32) []byte {
	f := append([]byte(nil), answer4(syn, 0, 0)[:atTCP4]...)
	f = append(f, 3, 3, 0, 0, 0, 0, 0, 0)
	f = append(f, syn[14:atTCP4+8]...)
	quoted := f[len(f)-4:]
	binary.BigEndian.PutUint32(quoted, binary.BigEndian.Uint32(quoted)+past)
	binary.BigEndian.PutUint16(f[14+2:], uint16(len(f)-14))
	f[23] = unix.IPPROTO_ICMP
	checksum(f[14:atTCP4], 10)
	checksum(f[atTCP4:], 2)
	return f
}

// checksum fills in an Internet checksum (RFC 1071).
func checksum(b []byte, at int) {
	b[at], b[at+1] = 0, 0
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	sum += sum >> 16
	binary.BigEndian.PutUint16(b[at:], ^uint16(sum))
}
