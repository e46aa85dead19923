//go:build !linux && !windows

package dial

import "net"

// reportUnreachable has nothing to do here: a connected socket reports
// port-unreachable messages by itself.
func reportUnreachable(*net.UDPConn) error { return nil }
