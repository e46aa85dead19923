package rawsock

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// mmsg is an outlet over sendmmsg. Its address function, nil when the socket
// is bound, sets where a frame goes.
type mmsg struct {
	fd     int
	name   string // of the interface
	buffer []byte // room bytes a frame
	msgs   []message
	iovs   []unix.Iovec
	names  []unix.RawSockaddrInet6 // the longest of the addresses in use
	probes []probe.Probe
	head   int // of what is queued
	tail   int
	to     func(m *mmsg, slot int, frame []byte)
	refuse refusal
	down   bool
}

func newMmsg(fd int, name string, depth int, to func(*mmsg, int, []byte), refuse refusal) *mmsg {
	m := &mmsg{
		fd: fd, name: name, to: to, refuse: refuse,
		buffer: make([]byte, depth*room),
		msgs:   make([]message, depth),
		iovs:   make([]unix.Iovec, depth),
		probes: make([]probe.Probe, depth),
	}
	if to != nil {
		m.names = make([]unix.RawSockaddrInet6, depth)
	}
	for i := range m.msgs {
		m.iovs[i].Base = &m.buffer[i*room]
		m.msgs[i].header.Iov = &m.iovs[i]
		m.msgs[i].header.SetIovlen(1)
	}
	return m
}

// newPacket opens an outlet for whole frames on an Ethernet interface.
func newPacket(ifindex int, name string, depth int, refuse refusal) (*mmsg, error) {
	fd, err := packetSocket(unix.SOCK_RAW)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifindex}); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("bind a packet socket to "+name, err)
	}
	return newMmsg(fd, name, depth, nil, refuse), nil
}

// newBare opens an outlet for IP packets on an interface without a link header.
func newBare(ifindex int, name string, depth int, refuse refusal) (*mmsg, error) {
	fd, err := packetSocket(unix.SOCK_DGRAM)
	if err != nil {
		return nil, err
	}
	to := func(m *mmsg, slot int, frame []byte) {
		sa := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&m.names[slot]))
		proto := uint16(unix.ETH_P_IP)
		if frame[0]>>4 == 6 {
			proto = unix.ETH_P_IPV6
		}
		*sa = unix.RawSockaddrLinklayer{Family: unix.AF_PACKET, Protocol: network(proto), Ifindex: int32(ifindex)} //nolint:gosec // an index
		m.address(slot, unix.SizeofSockaddrLinklayer)
	}
	return newMmsg(fd, name, depth, to, refuse), nil
}

// newLoopback opens an outlet for IP packets to this machine's own addresses.
// Packets that a packet socket puts onto lo look like martians to the kernel.
// scope is the interface of link-local addresses, else 0.
func newLoopback(v6 bool, scope, depth int, refuse refusal) (*mmsg, error) {
	family := unix.AF_INET
	to := toInet4
	if v6 {
		family = unix.AF_INET6
		to = func(m *mmsg, slot int, frame []byte) { toInet6(m, slot, frame, uint32(scope)) } //nolint:gosec // an index
	}
	// The protocol RAW says that the IP header is ours, in both families.
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return nil, os.NewSyscallError("open a raw IP socket", err)
	}
	return newMmsg(fd, "lo", depth, to, refuse), nil
}

func toInet4(m *mmsg, slot int, frame []byte) {
	sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&m.names[slot]))
	*sa = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte(frame[16:20])}
	m.address(slot, unix.SizeofSockaddrInet4)
}

func toInet6(m *mmsg, slot int, frame []byte, scope uint32) {
	m.names[slot] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: [16]byte(frame[24:40]), Scope_id: scope}
	m.address(slot, unix.SizeofSockaddrInet6)
}

func (m *mmsg) address(slot int, length uint32) {
	m.msgs[slot].header.Name = (*byte)(unsafe.Pointer(&m.names[slot]))
	m.msgs[slot].header.Namelen = length
}

func packetSocket(kind int) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, os.NewSyscallError("open a packet socket", err)
	}
	// Older kernels lack it; the frames pass the queueing discipline then.
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	return fd, nil
}

func (m *mmsg) queued() int { return m.tail - m.head }

func (m *mmsg) next() []byte {
	if m.tail == len(m.msgs) {
		return nil
	}
	return m.buffer[m.tail*room : (m.tail+1)*room]
}

func (m *mmsg) push(n int, p *probe.Probe) {
	m.iovs[m.tail].SetLen(n)
	m.probes[m.tail] = *p
	if m.to != nil {
		m.to(m, m.tail, m.buffer[m.tail*room:])
	}
	m.tail++
}

func (m *mmsg) up() bool { return running(m.name) }

func (m *mmsg) flush() error {
	if m.down && !m.up() {
		return probe.ErrDown
	}
	m.down = false
	for m.head < m.tail {
		n, errno := sendmmsg(m.fd, m.msgs[m.head:m.tail])
		m.head += n
		if errno == 0 {
			continue
		}
		if errors.Is(errno, unix.EINTR) || errors.Is(errno, unix.EAGAIN) && writable(m.fd) {
			continue
		}
		if err, ok := verdict(errno, m.up); ok {
			m.down = errors.Is(err, probe.ErrDown)
			return err
		}
		m.refuse(&m.probes[m.head], errno)
		m.head++
	}
	m.head, m.tail = 0, 0
	return nil
}

// sendmmsg never blocks, so the scheduler need not be told of the call.
func sendmmsg(fd int, msgs []message) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&msgs[0])),
		uintptr(len(msgs)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0 //nolint:gosec // a count
}

func (m *mmsg) close() error { return os.NewSyscallError("close", unix.Close(m.fd)) }
