//go:build !linux

package dial

import (
	"context"
	"net"
	"net/netip"
	"time"

	"reconshield/internal/exposure"
)

// handshake connects with package net. self is true when the connection was
// made with itself.
func (d *Dialer) handshake(ctx context.Context, server netip.AddrPort, deadline time.Time, hopLimit int) (h handshake, self bool) {
	limited, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	start := time.Now()
	conn, err := d.netDialer("tcp", hopLimit).DialContext(limited, "tcp", server.String())
	h = handshake{rtt: time.Since(start), attempts: 1}
	if err == nil {
		h.reason = exposure.ReasonSynAck
		local, ok := conn.LocalAddr().(*net.TCPAddr)
		if c, isTCP := conn.(*net.TCPConn); isTCP {
			// A reset on close leaves no TIME_WAIT, of which a scan would pile
			// up as many as there are ephemeral ports.
			c.SetLinger(0) //nolint:errcheck // only makes the close less tidy
		}
		conn.Close() //nolint:errcheck // nothing was written
		return h, ok && samePort(local.AddrPort(), server)
	}
	h.reason = reasonOf(ctx, err)
	switch h.reason { //nolint:exhaustive // the others need no word
	case exposure.ReasonTimeout:
		h.rtt = 0
	case exposure.ReasonNoRoute, exposure.ReasonLocalError, exposure.ReasonCancelled:
		h.rtt, h.attempts, h.detail = 0, 0, localDetail(server.Addr(), err)
	}
	return h, false
}
