// Package collector is a small authoritative DNS server for nonce names. A
// resolver under test brings its answers to the assessor, so that neither side
// has to speak to the other: addresses are computed from the names, and who
// names report the query as it arrived here. The zone may be signed on the
// fly, with one branch whose signatures are wrong on purpose.
//
// It answers for its one zone only, never resolves anything for anybody,
// transfers nothing, takes no updates, and bounds what it sends to an address
// over UDP. It judges nothing.
package collector

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"reconshield/internal/dnswire"
	"reconshield/internal/nonce"
)

// Options describe the zone and the limits. Zone.Apex is required, and
// Addresses or Nameservers; the rest may be left zero.
type Options struct {
	Zone nonce.Zone
	// Nameservers are the names in the zone's NS records; ns.APEX when empty.
	// Those that lie in the zone get the Addresses.
	Nameservers []string
	// Addresses are the collector's own, for its name servers' A and AAAA.
	Addresses []netip.Addr
	// Key signs the zone; nil leaves it unsigned.
	Key *ecdsa.PrivateKey
	// Log gets a line of JSON for each query; nil: none. Writes are serialised.
	Log io.Writer
	// Remember is how many queries Seen looks back on; 4096 when 0.
	Remember int
	// Limits bound what is sent over UDP before answers are cut to a header
	// that sends honest askers to TCP; zero fields take the defaults.
	Limits Limits
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Server answers for one zone. It is safe for concurrent use.
type Server struct {
	zone        nonce.Zone
	apex        string
	nameservers []string
	addresses   []netip.Addr
	private     *ecdsa.PrivateKey
	key         *dnswire.DNSKEY // nil: unsigned
	now         func() time.Time
	serial      uint32

	journal *journal
	budget  *budget
	conns   *connections
}

// New checks the options and prepares a server; Serve starts it.
func New(opts Options) (*Server, error) {
	zone, err := nonce.New(opts.Zone.Apex, opts.Zone.Key)
	if err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Server{
		zone: zone, apex: zone.Apex, addresses: opts.Addresses, private: opts.Key, now: opts.Now,
		serial:  uint32(opts.Now().Unix()), //nolint:gosec // serial arithmetic wraps by design (RFC 1982)
		journal: newJournal(opts.Remember, opts.Log), budget: newBudget(opts.Limits), conns: newConnections(),
	}
	if err := s.setNameservers(opts.Nameservers); err != nil {
		return nil, err
	}
	if opts.Key != nil {
		if s.key, err = dnswire.NewDNSKEY(s.apex, negativeTTL, &opts.Key.PublicKey); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) setNameservers(names []string) error {
	if len(names) == 0 {
		names = []string{"ns." + s.apex}
	}
	const most = 8
	if len(names) > most {
		return fmt.Errorf("%d name servers: at most %d", len(names), most)
	}
	for _, n := range names {
		n = dnswire.CanonicalName(n)
		if !dnswire.ValidName(n) || n == "." {
			return fmt.Errorf("name server %q: not a host name", n)
		}
		inside := dnswire.IsSubdomain(s.apex, n)
		if inside && len(s.addresses) == 0 {
			return fmt.Errorf("name server %s lies in the zone: give its addresses", strings.TrimSuffix(n, "."))
		}
		if inside && len(dnswire.Labels(n)) != len(dnswire.Labels(s.apex))+1 {
			return fmt.Errorf("name server %s: want a name directly below %s or outside it", n, s.apex)
		}
		s.nameservers = append(s.nameservers, n)
	}
	return nil
}

// DNSKEY is the zone's key record; nil when it is unsigned.
func (s *Server) DNSKEY() *dnswire.DNSKEY { return s.key }

// DS is the record that the parent zone needs to make the signatures count;
// nil when the zone is unsigned.
func (s *Server) DS() *dnswire.DS {
	if s.key == nil {
		return nil
	}
	ds := dnswire.NewDS(s.key)
	ds.Hdr.Ttl = delegationTTL
	return ds
}

// Delegation gives the records to put into the parent zone: NS, glue and, for
// a signed zone, DS.
func (s *Server) Delegation() []dnswire.RR {
	out := s.nsRecords(s.apex, delegationTTL)
	for _, n := range s.nameservers {
		if dnswire.IsSubdomain(s.apex, n) {
			out = append(out, s.glue(n, delegationTTL)...)
		}
	}
	if ds := s.DS(); ds != nil {
		out = append(out, ds)
	}
	return out
}

// Seen returns the remembered queries for the name or for names that hold it
// as a label, oldest first.
func (s *Server) Seen(name string) []Query { return s.journal.seen(name) }

// Serve answers on the sockets until ctx ends or one of them fails for good.
// It closes them all and returns when every goroutine of its own has ended:
// nil after ctx, else what failed.
func (s *Server) Serve(ctx context.Context, udp []net.PacketConn, tcp []net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		for _, c := range udp {
			_ = c.Close()
		}
		for _, l := range tcp {
			_ = l.Close()
		}
		s.conns.closeAll()
	})
	var wg sync.WaitGroup
	for _, c := range udp {
		wg.Go(func() { cancelOn(cancel, s.serveUDP(ctx, c)) })
	}
	for _, l := range tcp {
		wg.Go(func() { cancelOn(cancel, s.serveTCP(ctx, l, &wg)) })
	}
	wg.Wait()
	if stop() { // no socket at all: nothing was running
		return errors.New("collector: no socket to serve")
	}
	if failed, ok := errors.AsType[failure](context.Cause(ctx)); ok {
		return failed.error
	}
	return s.journal.failed()
}

// failure tells a socket's error from the caller's own cancellation.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func cancelOn(cancel context.CancelCauseFunc, err error) {
	if err != nil {
		cancel(failure{err})
	}
}
