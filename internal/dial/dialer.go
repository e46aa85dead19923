package dial

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// DefaultTimeout is the patience for an exchange that names no timeouts.
const DefaultTimeout = 2 * time.Second

// Options choose where packets leave; the zero value leaves it to the system.
type Options struct {
	// SourceIP is the local address to send from. Servers of the other family
	// then cannot be reached and are reported as a local error.
	SourceIP netip.Addr
	// Interface is the name of the interface to send through. Windows cannot
	// do that with ordinary sockets; there every exchange is a local error.
	Interface string
	// Roots verifies certificates; nil means the system's roots.
	Roots *x509.CertPool
}

// Dialer makes exchanges. It is safe for concurrent use and keeps no
// connection, socket or goroutine between calls.
type Dialer struct {
	opts    Options
	buffers sync.Pool // of *[]byte, exchange.MaxDatagram long
}

// New makes a Dialer. It opens nothing and checks nothing: a source address or
// interface that does not exist shows in the first exchange.
func New(opts Options) *Dialer {
	opts.SourceIP = opts.SourceIP.Unmap()
	d := &Dialer{opts: opts}
	d.buffers.New = func() any {
		b := make([]byte, exchange.MaxDatagram)
		return &b
	}
	return d
}

// Exchange sends r and waits for what comes back, for as long as r.Timeouts
// say and no longer than ctx lives. It never fails as a call; Reply.Reason
// tells how it ended:
//
//   - answered: dns-response, or udp-response for a datagram that is not a DNS
//     reply to Payload;
//   - timeout: silence to the end, also after a connection was made;
//   - conn-refused or an ICMP reason: the network said no; Offender says who;
//   - syn-ack: the TCP connection was made, but then the peer closed it, broke
//     the protocol or gave no DNS message (Detail says which). With an empty
//     Payload on TCP a connection is all that is asked for;
//   - no-route, local-error, cancelled: nothing was learnt of the server.
func (d *Dialer) Exchange(ctx context.Context, r exchange.Request) exchange.Reply {
	r.Server = netip.AddrPortFrom(r.Server.Addr().Unmap(), r.Server.Port())
	if len(r.Timeouts) == 0 {
		r.Timeouts = []time.Duration{DefaultTimeout}
	}
	if ctx.Err() != nil {
		return exchange.Reply{Reason: exposure.ReasonCancelled, Detail: ctx.Err().Error()}
	}
	if err := d.check(r.Server.Addr()); err != nil {
		return exchange.Reply{Reason: exposure.ReasonLocalError, Detail: err.Error()}
	}
	switch r.Transport {
	case exposure.UDP:
		return d.overUDP(ctx, r)
	case exposure.TCP:
		return d.overTCP(ctx, r)
	case exposure.TLS:
		return d.overTLS(ctx, r)
	case exposure.QUIC:
		return d.overQUIC(ctx, r)
	case exposure.HTTPS:
		return d.overHTTPS(ctx, r)
	}
	return exchange.Reply{Reason: exposure.ReasonLocalError, Detail: "unknown transport " + string(r.Transport)}
}

// DialContext connects as net.Dialer does, from the chosen source. addr must
// be an IP address and port; names are not resolved here, so that nothing is
// sent to an address that the caller has not seen.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	server, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if err := d.check(server.Addr().Unmap()); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	conn, err := d.netDialer(network, 0).DialContext(ctx, network, addr)
	if err == nil && connectedToItself(conn) {
		conn.Close() //nolint:errcheck // nothing was written
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connected only to itself: nothing listens there")}
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		bound(tcp)
	}
	return conn, err
}

func (d *Dialer) netDialer(network string, hopLimit int) *net.Dialer {
	nd := &net.Dialer{Control: d.control(hopLimit), KeepAlive: -1, FallbackDelay: -1}
	if src := d.opts.SourceIP; src.IsValid() {
		switch network {
		case "udp", "udp4", "udp6":
			nd.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(src, 0))
		default:
			nd.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(src, 0))
		}
	}
	return nd
}

// check refuses what could only fail, or reach something else than meant.
func (d *Dialer) check(server netip.Addr) error {
	switch src := d.opts.SourceIP; {
	case !server.IsValid() || server.IsUnspecified():
		// The system would take the unspecified address for itself.
		return errors.New("no address to send to")
	case server.IsMulticast():
		return errors.New("multicast address " + server.String() + " is never sent to")
	case server.Is6() && server.IsLinkLocalUnicast() && server.Zone() == "" && d.opts.Interface == "":
		// The system would choose an interface: any host may have the address there.
		return errors.New("link-local address without a zone")
	case src.IsValid() && src.Is4() != server.Is4():
		return errors.New("source address " + src.String() + " is of another family than " + server.String())
	}
	return nil
}

// total is the sum of the timeouts: the patience of a connected transport.
func total(timeouts []time.Duration) time.Duration {
	var sum time.Duration
	for _, t := range timeouts {
		sum += t
	}
	return sum
}

// sameHost compares addresses without their zones, which the system may write
// as a number where the user wrote a name.
func sameHost(a, b netip.Addr) bool {
	return a.Unmap().WithZone("") == b.Unmap().WithZone("")
}

func samePort(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && sameHost(a.Addr(), b.Addr())
}
