package dial

import (
	"net"

	"golang.org/x/sys/unix"
)

// unbuffered is not needed where the system tells what waits in its buffer.
func unbuffered(*net.TCPConn) {}

// backlogOf reads SO_NWRITE and TCP_CONNECTION_INFO.
func backlogOf(conn *net.TCPConn) (b backlog) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return b
	}
	_ = raw.Control(func(fd uintptr) {
		queued, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_NWRITE)
		if err != nil {
			return
		}
		info, err := unix.GetsockoptTCPConnectionInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_CONNECTION_INFO)
		if err != nil {
			return
		}
		b = backlog{known: true, outstanding: queued > 0, unsent: queued > int(info.Snd_wnd), window: int(info.Snd_wnd)}
	})
	return b
}

// bound is left to the system here.
func bound(*net.TCPConn) {}
