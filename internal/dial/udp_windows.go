package dial

import (
	"net"
	"unsafe"

	"golang.org/x/sys/windows"
)

// reportUnreachable turns on what package net turns off on every UDP socket:
// that a port-unreachable message fails the next read.
func reportUnreachable(conn *net.UDPConn) error {
	const connReset = windows.IOC_IN | windows.IOC_VENDOR | 12 // SIO_UDP_CONNRESET
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		on, out := uint32(1), uint32(0)
		failed = windows.WSAIoctl(windows.Handle(fd), connReset, (*byte)(unsafe.Pointer(&on)),
			uint32(unsafe.Sizeof(on)), nil, 0, &out, nil, 0)
	})
	if err != nil {
		return err
	}
	return failed
}
