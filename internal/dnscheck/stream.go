package dnscheck

import (
	"context"
	"net"
)

// StreamDialer opens a TCP connection; *net.Dialer is one.
type StreamDialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}
