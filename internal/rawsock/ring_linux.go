package rawsock

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// slot holds the kernel's header and as much of a packet as is looked at.
	slot = 512
	// captured is what the filter lets through of a packet, from the link's
	// header on; with the kernel's own header before it a slot is full.
	captured = slot - 96
	// block is the kernel's unit of memory for a ring.
	block = 64 << 10
)

// intake is a packet socket's receive ring (TPACKET_V2) on one interface.
// Version 3 hands packets over in blocks that are closed by a timer of some
// milliseconds, which is too late for a sender that steers by its answers.
type intake struct {
	fd      int
	memory  []byte
	at      int // slot that the kernel fills next
	slots   int
	ether   bool
	ifindex int
}

// newIntake opens a ring of about size bytes on an interface. Frames begin at
// the Ethernet header if ether is set, else at the IP header.
func newIntake(ifindex int, ether bool, size int) (*intake, error) {
	kind := unix.SOCK_DGRAM
	if ether {
		kind = unix.SOCK_RAW
	}
	fd, err := packetSocket(kind)
	if err != nil {
		return nil, err
	}
	in := &intake{fd: fd, ether: ether, ifindex: ifindex}
	if err := in.setup(size); err != nil {
		_ = in.close()
		return nil, err
	}
	return in, nil
}

func (in *intake) setup(size int) error {
	if err := unix.SetsockoptInt(in.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return os.NewSyscallError("set the ring's version", err)
	}
	blocks := max(size/block, 1)
	request := unix.TpacketReq{
		Block_size: block, Block_nr: uint32(blocks), //nolint:gosec // a small number
		Frame_size: slot, Frame_nr: uint32(blocks * (block / slot)), //nolint:gosec // a small number
	}
	if err := unix.SetsockoptTpacketReq(in.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return os.NewSyscallError("make a receive ring", err)
	}
	memory, err := unix.Mmap(in.fd, 0, blocks*block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return os.NewSyscallError("map the receive ring", err)
	}
	in.memory, in.slots = memory, blocks*(block/slot)
	// Older kernels lack it; our own packets come back then, and match nothing.
	_ = unix.SetsockoptInt(in.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if err := attach(in.fd, filter(in.ether)); err != nil {
		return err
	}
	// Only now do packets arrive: none has passed without the filter.
	address := &unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_ALL), Ifindex: in.ifindex}
	return os.NewSyscallError("bind the receive ring", unix.Bind(in.fd, address))
}

func attach(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]} //nolint:gosec // a short program
	return os.NewSyscallError("attach the filter", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, prog))
}

// received is one packet in the ring, valid until the next call of take.
type received struct {
	bytes []byte
	at    int64 // by the system clock, in nanoseconds since 1970
	from  [6]byte
	ether uint16 // the EtherType, in host byte order
}

// take gives the packet at the ring's head; ok is false when there is none. The
// packet must be released before the next call.
func (in *intake) take(r *received) bool {
	base := in.memory[in.at*slot : (in.at+1)*slot]
	header := (*unix.Tpacket2Hdr)(unsafe.Pointer(&base[0]))
	if atomic.LoadUint32(&header.Status)&unix.TP_STATUS_USER == 0 {
		return false
	}
	begin := int(header.Net)
	if in.ether {
		begin = int(header.Mac)
	}
	end := begin + int(header.Snaplen)
	// The kernel is not hostile, yet a slice out of range would be fatal.
	if begin > len(base) || end > len(base) {
		begin, end = 0, 0
	}
	r.bytes = base[begin:end]
	r.at = int64(header.Sec)*1e9 + int64(header.Nsec)
	address := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&base[addressAt]))
	r.from, r.ether = [6]byte(address.Addr[:6]), network(address.Protocol)
	return true
}

// addressAt is where the link-layer address follows the header, which the
// kernel aligns to 16 bytes (TPACKET_ALIGNMENT).
const addressAt = (unix.SizeofTpacket2Hdr + 15) &^ 15

// release gives the slot of the packet that take gave back to the kernel.
func (in *intake) release() {
	header := (*unix.Tpacket2Hdr)(unsafe.Pointer(&in.memory[in.at*slot]))
	atomic.StoreUint32(&header.Status, unix.TP_STATUS_KERNEL)
	if in.at++; in.at == in.slots {
		in.at = 0
	}
}

// drops reports how many packets found the ring full since the last call.
func (in *intake) drops() uint64 {
	stats, err := unix.GetsockoptTpacketStats(in.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0
	}
	return uint64(stats.Drops)
}

func (in *intake) close() error {
	if in.memory != nil {
		_ = unix.Munmap(in.memory)
	}
	return os.NewSyscallError("close", unix.Close(in.fd))
}
