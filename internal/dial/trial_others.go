//go:build !linux && !darwin

package dial

import "net"

// unbuffered takes the system's buffer away, so that a write ends when the peer
// has taken the data. Windows does that; elsewhere it changes nothing.
func unbuffered(conn *net.TCPConn) { _ = conn.SetWriteBuffer(0) }

// backlogOf tells nothing here.
func backlogOf(*net.TCPConn) backlog { return backlog{} }

// bound is left to the system here.
func bound(*net.TCPConn) {}
