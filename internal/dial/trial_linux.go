package dial

import (
	"net"

	"golang.org/x/sys/unix"
)

// unbuffered is not needed where the system tells what waits in its buffer.
func unbuffered(*net.TCPConn) {}

// backlogOf reads TCP_INFO and SIOCOUTQ, see tcp(7).
func backlogOf(conn *net.TCPConn) (b backlog) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return b
	}
	_ = raw.Control(func(fd uintptr) {
		queued, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		if err != nil {
			return
		}
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		b = backlog{
			known: true, outstanding: queued > 0, unsent: info.Notsent_bytes > 0, window: int(info.Snd_wnd),
			probed: info.Probes <= 1, // of those that were not answered
		}
	})
	return b
}

// bound keeps a peer that takes no data from holding the connection after it
// was closed here, see TCP_USER_TIMEOUT in tcp(7).
func bound(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	const milliseconds = 10_000
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, milliseconds)
	})
}
