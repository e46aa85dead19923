package collector

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds on connections and messages.
const (
	maxQuery       = 1232 // larger queries are not ours
	maxConns       = 128
	maxConnsSource = 32
	maxPerConn     = 256 // queries of one connection
	connIdle       = 5 * time.Second
	maxReadErrors  = 64 // in a row, before a socket counts as broken
)

// serveUDP answers datagrams until the socket is closed.
func (s *Server) serveUDP(ctx context.Context, c net.PacketConn) error {
	buf := make([]byte, maxQuery+1)
	errs := 0
	for {
		n, addr, err := c.ReadFrom(buf)
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil //nolint:nilerr // closed on purpose
		}
		if err != nil {
			// Answers to vanished askers come back as errors on some systems.
			if errs++; errs >= maxReadErrors {
				return fmt.Errorf("collector: udp %s: %w", c.LocalAddr(), err)
			}
			continue
		}
		errs = 0
		if n > maxQuery {
			continue
		}
		if out := s.respond(buf[:n], addrPort(addr), false); out != nil {
			_, _ = c.WriteTo(out, addr) // the asker asks again
		}
	}
}

// serveTCP accepts connections until the listener is closed.
func (s *Server) serveTCP(ctx context.Context, l net.Listener, wg *sync.WaitGroup) error {
	errs := 0
	for {
		c, err := l.Accept()
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			if err == nil {
				_ = c.Close()
			}
			return nil
		}
		if err != nil {
			if errs++; errs >= maxReadErrors {
				return fmt.Errorf("collector: tcp %s: %w", l.Addr(), err)
			}
			pause(ctx, 10*time.Millisecond) // out of descriptors: let some end
			continue
		}
		errs = 0
		if !s.conns.add(c) {
			_ = c.Close()
			continue
		}
		wg.Go(func() {
			defer s.conns.remove(c)
			s.serveConn(c)
		})
	}
}

// serveConn answers the queries of one connection in their order (RFC 7766).
func (s *Server) serveConn(c net.Conn) {
	from := addrPort(c.RemoteAddr())
	var length [2]byte
	for range maxPerConn {
		if c.SetDeadline(time.Now().Add(connIdle)) != nil {
			return
		}
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(length[:]))
		if n > maxQuery {
			return
		}
		query := make([]byte, n)
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		out := s.respond(query, from, true)
		if out == nil {
			return
		}
		framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(out)), uint16(len(out))) //nolint:gosec // respond is bounded
		if _, err := c.Write(append(framed, out...)); err != nil {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	default:
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// connections are the open ones, bounded in all and for each source.
type connections struct {
	mu     sync.Mutex
	open   map[net.Conn]netip.Addr
	source map[netip.Addr]int
	closed bool
}

func newConnections() *connections {
	return &connections{open: map[net.Conn]netip.Addr{}, source: map[netip.Addr]int{}}
}

func (c *connections) add(conn net.Conn) bool {
	from := addrPort(conn.RemoteAddr()).Addr()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.open) >= maxConns || c.source[from] >= maxConnsSource {
		return false
	}
	c.open[conn] = from
	c.source[from]++
	return true
}

func (c *connections) remove(conn net.Conn) {
	_ = conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	from, ok := c.open[conn]
	if !ok {
		return
	}
	delete(c.open, conn)
	if c.source[from]--; c.source[from] == 0 {
		delete(c.source, from)
	}
}

func (c *connections) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.open {
		_ = conn.Close()
	}
}
