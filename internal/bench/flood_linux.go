package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// floodBatch is the number of frames handed to the kernel at once.
const floodBatch = 256

// frameLen is a SYN with the usual options: MSS, SACK, timestamps, window scale.
const frameLen = 14 + 20 + 40

// Flood sends count copies of one frame, as they are, from the calling thread,
// and returns how long that took. It is the fastest that sendmmsg can do.
func Flood(device string, frame []byte, count int) (time.Duration, error) {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return 0, fmt.Errorf("flood: %w", err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("flood: open a packet socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		return 0, fmt.Errorf("flood: bypass the queue: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
		return 0, fmt.Errorf("flood: bind to %s: %w", device, err)
	}
	return flood(fd, frame, count)
}

type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

func flood(fd int, frame []byte, count int) (time.Duration, error) {
	piece := unix.Iovec{Base: &frame[0]}
	piece.SetLen(len(frame))
	batch := make([]mmsghdr, floodBatch)
	for i := range batch {
		batch[i].header.Iov = &piece
		batch[i].header.SetIovlen(1)
	}
	start := time.Now()
	for left := count; left > 0; {
		n := min(left, len(batch))
		sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&batch[0])), uintptr(n), 0, 0, 0)
		switch {
		case errno == 0:
			left -= int(sent)
		case errors.Is(errno, unix.ENOBUFS), errors.Is(errno, unix.EAGAIN), errors.Is(errno, unix.EINTR):
		default:
			return 0, fmt.Errorf("flood: sendmmsg: %w", errno)
		}
	}
	return time.Since(start), nil
}

// synFrame is a SYN with ordinary options and right checksums.
func synFrame(from, to net.HardwareAddr, source, target [4]byte, port uint16) []byte {
	f := make([]byte, 0, frameLen)
	f = append(f, to...)
	f = append(f, from...)
	f = append(f, 0x08, 0x00)
	f = append(f, 0x45, 0, 0, 60, 0, 1, 0x40, 0, 64, unix.IPPROTO_TCP, 0, 0)
	f = append(f, source[:]...)
	f = append(f, target[:]...)
	binary.BigEndian.PutUint16(f[24:], ^fold(sum(f[14:34], 0)))
	f = binary.BigEndian.AppendUint16(f, 40000)
	f = binary.BigEndian.AppendUint16(f, port)
	f = append(f, 1, 2, 3, 4, 0, 0, 0, 0, 0xa0, 0x02, 0xfa, 0xf0, 0, 0, 0, 0)
	f = append(f, 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7)
	pseudo := sum(f[26:34], unix.IPPROTO_TCP+40)
	binary.BigEndian.PutUint16(f[50:], ^fold(sum(f[34:], pseudo)))
	return f
}

// sum adds 16-bit words, RFC 1071; data has an even length.
func sum(data []byte, start uint32) uint32 {
	for ; len(data) >= 2; data = data[2:] {
		start += uint32(binary.BigEndian.Uint16(data))
	}
	return start
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
