package rehearse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// barrier tells when all packets sent so far have come to their end. A
// processor handles the packets that it hands from one interface to another in
// order, and loopback's with them: a frame sent over loopback by the same
// processor arrives after everything before it. Each hop of a packet puts it
// at the end of that queue again, so it takes as many frames, one after the
// other, as a packet can have hops.
type barrier struct {
	fd   int
	turn uint64
}

const (
	// rounds is more than the longest way: a handshake of three packets, each
	// to the host and on to a neighbour, both of whose hardware addresses must
	// be asked for first.
	rounds = 24
	// experimental is the EtherType for local use (IEEE 802, clause 9.2.4),
	// which no rule for IP sees.
	experimental = 0x88b5
	loopbackLink = 1 // lo is the first interface of every namespace
)

// openBarrier must run inside the host's namespace.
func openBarrier() (*barrier, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	b := &barrier{fd: fd}
	wait := unix.NsecToTimeval(int64(2 * time.Second))
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: swapped(experimental), Ifindex: loopbackLink}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
	)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("prepare a packet socket: %w", err)
	}
	return b, nil
}

// pass returns when everything that the calling thread sent has arrived or
// gone. The thread must not change its processor meanwhile.
func (b *barrier) pass() error {
	to := &unix.SockaddrLinklayer{Protocol: swapped(experimental), Ifindex: loopbackLink, Halen: 6}
	var frame, got [8]byte
	for range rounds {
		b.turn++
		binary.BigEndian.PutUint64(frame[:], b.turn)
		if err := unix.Sendto(b.fd, frame[:], 0, to); err != nil {
			return fmt.Errorf("send over loopback: %w", err)
		}
		for binary.BigEndian.Uint64(got[:]) != b.turn {
			if _, _, err := unix.Recvfrom(b.fd, got[:], 0); err != nil && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("wait for a frame over loopback, which a rule may drop: %w", err)
			}
		}
	}
	return nil
}

func (b *barrier) close() error { return unix.Close(b.fd) }

// swapped is a protocol number in network byte order, as AF_PACKET wants it.
func swapped(n uint16) uint16 { return n<<8 | n>>8 }

// everywhere passes on every processor that this process may use, so that
// nothing that any of its threads sent is under way any more.
func (b *barrier) everywhere() error {
	return onThread(func() error {
		all, err := processors()
		if err != nil {
			return err
		}
		for _, cpu := range all {
			if err := onProcessor(cpu); err != nil {
				return err
			}
			if err := b.pass(); err != nil {
				return err
			}
		}
		return nil
	})
}

// processors lists those that the calling thread may use, at least one.
func processors() ([]int, error) {
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return nil, fmt.Errorf("ask for the thread's processors: %w", err)
	}
	var all []int
	const most = 1024
	for cpu := range most {
		if may.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the thread may use no processor")
	}
	return all, nil
}

// onProcessor keeps the calling thread, which must be thrown away later, on one
// processor.
func onProcessor(cpu int) error {
	var one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("stay on a processor: %w", err)
	}
	return nil
}

// lost is how many packets the processors had no room for between interfaces
// since the system started; other traffic counts, too.
func lost() (uint64, error) {
	text, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		return 0, fmt.Errorf("read how many packets were lost: %w", err)
	}
	var sum uint64
	for line := range strings.Lines(string(text)) {
		const dropped, hex = 1, 16
		if words := strings.Fields(line); len(words) > dropped {
			n, err := strconv.ParseUint(words[dropped], hex, 64)
			if err != nil {
				return 0, fmt.Errorf("read how many packets were lost: %w", err)
			}
			sum += n
		}
	}
	return sum, nil
}

// sockMemory reads one word of SO_MEMINFO.
func sockMemory(fd, words, at int) (uint32, error) {
	values := make([]uint32, words)
	size := uint32(words * 4)                                                                                                                                                //nolint:gosec // some bytes
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&values[0])), uintptr(unsafe.Pointer(&size)), 0) //nolint:gosec // the call's own way
	if errno != 0 {
		return 0, fmt.Errorf("ask a socket for its losses: %w", errno)
	}
	if int(size) < (at+1)*4 {
		return 0, nil // an older kernel
	}
	return values[at], nil
}
