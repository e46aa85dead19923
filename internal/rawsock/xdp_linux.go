package rawsock

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

const (
	// umemChunk is the smallest chunk that the kernel allows.
	umemChunk = 2048
	// stagger spreads the frames' beginnings over the cache's sets.
	stagger, staggers = 64, 8
	xdpRoom           = umemChunk - stagger*(staggers-1)
	// xdpBudget asks for more than the 32 frames a call that kernels send by
	// default; linux/if_xdp.h, from Linux 6.17 on.
	xdpBudget       = flushAt
	optionXDPBudget = 9 // XDP_MAX_TX_SKB_BUDGET
)

// What a link that takes no more frames is waited for, all in all 2 ms.
const (
	mostIdle  = 20
	idlePause = 100 * time.Microsecond
)

// xdp is an outlet over AF_XDP in copy mode, on the interface's first queue:
// the kernel copies each frame into a packet buffer of its own, so every driver
// can carry it, and it pays no system-call argument handling per frame.
type xdp struct {
	fd       int
	name     string
	umem     []byte
	tx, done ring
	free     []uint32 // chunks that are ours, a stack
	produced uint32   // frames given to the kernel, as the ring counts
	waiting  uint32   // of those filled, not yet shown to the kernel
	down     bool
}

// ring is a queue of descriptors shared with the kernel.
type ring struct {
	memory   []byte
	producer *uint32
	consumer *uint32
	entries  []byte
}

func newXDP(ifindex int, name string, depth int) (*xdp, error) {
	if depth&(depth-1) != 0 {
		return nil, fmt.Errorf("the queue's depth is a power of two, not %d", depth)
	}
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open an AF_XDP socket", err)
	}
	x := &xdp{fd: fd, name: name}
	if err := x.setup(ifindex, depth); err != nil {
		_ = x.close()
		return nil, fmt.Errorf("AF_XDP on %s: %w", name, err)
	}
	return x, nil
}

func (x *xdp) setup(ifindex, depth int) error {
	var err error
	x.umem, err = unix.Mmap(-1, 0, depth*umemChunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	reg := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&x.umem[0]))), Len: uint64(len(x.umem)), Size: umemChunk}
	if err := x.option(unix.XDP_UMEM_REG, unsafe.Pointer(&reg), unsafe.Sizeof(reg)); err != nil {
		return os.NewSyscallError("register memory", err)
	}
	entries := uint32(depth) //nolint:gosec // a small power of two
	for _, option := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_TX_RING} {
		if err := x.option(option, unsafe.Pointer(&entries), unsafe.Sizeof(entries)); err != nil {
			return os.NewSyscallError("make a ring", err)
		}
	}
	budget := uint32(xdpBudget)
	_ = x.option(optionXDPBudget, unsafe.Pointer(&budget), unsafe.Sizeof(budget)) // older kernels send fewer a call

	var offsets unix.XDPMmapOffsets
	size := uint32(unsafe.Sizeof(offsets))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS,
		uintptr(unsafe.Pointer(&offsets)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return os.NewSyscallError("get the rings' layout", errno)
	}
	if size != uint32(unsafe.Sizeof(offsets)) {
		return errors.New("the kernel is older than Linux 5.4")
	}
	if x.tx, err = x.mapRing(offsets.Tx, unix.XDP_PGOFF_TX_RING, depth, int(unsafe.Sizeof(unix.XDPDesc{}))); err != nil {
		return err
	}
	if x.done, err = x.mapRing(offsets.Cr, unix.XDP_UMEM_PGOFF_COMPLETION_RING, depth, 8); err != nil {
		return err
	}
	x.free = make([]uint32, depth)
	for i := range x.free {
		x.free[i] = uint32(depth - 1 - i) //nolint:gosec // a small power of two
	}
	address := &unix.SockaddrXDP{Flags: unix.XDP_COPY, Ifindex: uint32(ifindex)} //nolint:gosec // an index
	return os.NewSyscallError("bind", unix.Bind(x.fd, address))
}

func (x *xdp) option(name int, value unsafe.Pointer, size uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, uintptr(name), uintptr(value), size, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (x *xdp) mapRing(offset unix.XDPRingOffset, page int64, depth, entry int) (ring, error) {
	begin := int(offset.Desc) //nolint:gosec // a small offset
	memory, err := unix.Mmap(x.fd, page, begin+depth*entry, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return ring{}, os.NewSyscallError("map a ring", err)
	}
	return ring{
		memory:   memory,
		producer: (*uint32)(unsafe.Pointer(&memory[offset.Producer])),
		consumer: (*uint32)(unsafe.Pointer(&memory[offset.Consumer])),
		entries:  memory[begin:],
	}, nil
}

// reclaim takes back the chunks whose frames have left.
func (x *xdp) reclaim() {
	from, to := atomic.LoadUint32(x.done.consumer), atomic.LoadUint32(x.done.producer)
	mask := uint32(cap(x.free) - 1) //nolint:gosec // a small power of two
	for ; from != to; from++ {
		address := *(*uint64)(unsafe.Pointer(&x.done.entries[(from&mask)*8]))
		x.free = append(x.free, uint32(address/umemChunk)) //nolint:gosec // within the memory
	}
	atomic.StoreUint32(x.done.consumer, to)
}

func begin(chunk uint32) int { return int(chunk)*umemChunk + int(chunk%staggers)*stagger }

func (x *xdp) next() []byte {
	if len(x.free) == 0 {
		x.reclaim()
		if len(x.free) == 0 {
			return nil
		}
	}
	at := begin(x.free[len(x.free)-1])
	return x.umem[at : at+xdpRoom : at+xdpRoom]
}

func (x *xdp) push(n int, _ *probe.Probe) {
	chunk := x.free[len(x.free)-1]
	x.free = x.free[:len(x.free)-1]
	// There are as many descriptors as chunks, so there is room for this one.
	slot := (x.produced + x.waiting) & uint32(cap(x.free)-1) //nolint:gosec // a small power of two
	d := (*unix.XDPDesc)(unsafe.Pointer(&x.tx.entries[uintptr(slot)*unsafe.Sizeof(unix.XDPDesc{})]))
	*d = unix.XDPDesc{Addr: uint64(begin(chunk)), Len: uint32(n)} //nolint:gosec // within the memory
	x.waiting++
}

func (x *xdp) queued() int {
	return int(x.waiting + x.left())
}

func (x *xdp) up() bool { return running(x.name) }

func (x *xdp) flush() error {
	if x.down && !x.up() {
		return probe.ErrDown
	}
	x.down = false
	x.produced += x.waiting
	x.waiting = 0
	atomic.StoreUint32(x.tx.producer, x.produced)
	idle := 0
	for left := x.left(); left > 0; {
		errno := kick(x.fd)
		before := left
		left = x.left()
		// The kernel says EAGAIN, too, after its share of frames a call, and
		// EBUSY when the driver threw the last one away.
		switch {
		case left < before && errno != unix.EBUSY, errno == unix.EINTR:
			idle = 0
			continue
		case errno == 0:
			errno = unix.EAGAIN
		}
		// A full buffer is how a fast sender meets the link's own pace.
		if errno == unix.EAGAIN && idle < mostIdle {
			idle++
			pause(idlePause)
			continue
		}
		err, ok := verdict(errno, x.up)
		if !ok {
			return os.NewSyscallError("send by AF_XDP", errno)
		}
		x.down = errors.Is(err, probe.ErrDown)
		return err
	}
	return nil
}

// left is how many of the frames shown to the kernel it has not taken.
func (x *xdp) left() uint32 { return x.produced - atomic.LoadUint32(x.tx.consumer) }

// kick never blocks, so the scheduler need not be told of the call.
func kick(fd int) syscall.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return errno
}

func (x *xdp) close() error {
	// The rings keep the socket, and with it the interface's queue, alive.
	for _, memory := range [][]byte{x.tx.memory, x.done.memory} {
		if memory != nil {
			_ = unix.Munmap(memory)
		}
	}
	err := os.NewSyscallError("close", unix.Close(x.fd))
	if x.umem != nil {
		_ = unix.Munmap(x.umem)
	}
	return err
}
