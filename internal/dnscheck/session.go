package dnscheck

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

// Server is what is known of the assessed server before the checks run.
type Server struct {
	Addr  netip.Addr
	Names []string // names under which the user gave it
	// Spoken lists the transports on which the DNS port was proven to speak DNS.
	Spoken []exposure.Transport
	// Closed says that the DNS port is closed over UDP and TCP.
	Closed bool
	// Identity is what identify proved on the DNS port; nil when nothing was.
	Identity *exposure.Service
	// Observe gives the observation of one of the server's ports, blocking until
	// it was measured; State Unmeasured for ports that were not asked.
	Observe func(ctx context.Context, via exposure.Transport, port uint16) exposure.Observation
}

// Options steer the checks.
type Options struct {
	Profile   Safety      // Standard when empty
	Zones     []string    // zones the user named
	Collector *nonce.Zone // nil: no collector
	// StableName is resolved by REC-1 when there is no collector;
	// "a.root-servers.net." when empty.
	StableName string
	// LookupPTR resolves an address with the vantage's own resolver; nil: not done.
	LookupPTR func(ctx context.Context, addr netip.Addr) []string
	// Dial opens streams for checks that speak HTTP or TLS to a related port.
	Dial StreamDialer
	// OnLink reports whether no router stands between the vantage and addr; nil:
	// not known. MDN-1 needs it.
	OnLink func(addr netip.Addr) bool
	// Credentials opts in to CTL-4.
	Credentials bool
}

// Session is the setting in which the checks of one server run. Facts that
// several checks need are found once. It is safe for concurrent use.
type Session struct {
	*dialogue.Dialogue
	Server Server
	Opts   Options

	zones     once[[]Zone]
	transfers sync.Mutex         // held while transfer questions are asked
	madeUp    once[string]       // the label that no zone holds, see absent
	recursion [2]once[Recursion] // by transport: UDP, TCP
	chaos     once[map[string]dialogue.Answer]
	gate      once[chan struct{}]        // bounds what a resolver has to resolve for us at once
	forwarder once[[]Outcome]            // of FWD-2
	quiet     bool                       // only one check runs, see again
	stranger  atomic.Pointer[netip.Addr] // who answers over UDP in place of the server
	unheard   atomic.Bool                // a question for a zone's SOA met no answer
}

// NewSession prepares the checks of one server.
func NewSession(d *dialogue.Dialogue, server Server, opts Options) *Session {
	if opts.Profile == "" {
		opts.Profile = Standard
	}
	if opts.StableName == "" {
		opts.StableName = "a.root-servers.net."
	}
	return &Session{Dialogue: d, Server: server, Opts: opts}
}

// Ask is the dialogue's, and remembers when somebody else answers. In the
// second round (see again) it does not take a remembered silence for an answer.
func (s *Session) Ask(ctx context.Context, via exposure.Transport, q dnswire.Query) dialogue.Answer {
	a := s.Dialogue.Ask(ctx, via, q)
	if s.quiet && troubled(a) {
		a = s.Fresh(ctx, via, s.Port(), q, nil)
	}
	if via == exposure.UDP && a.Msg != nil && a.Foreign(s.Addr()) {
		from := a.Reply.From.Addr().Unmap()
		s.stranger.Store(&from)
	}
	return a
}

// Product is the identified product, empty when unknown.
func (s *Session) Product() exposure.Product {
	if s.Server.Identity == nil {
		return ""
	}
	return s.Server.Identity.Product
}

// Speaks reports whether DNS was proven on the transport.
func (s *Session) Speaks(via exposure.Transport) bool {
	return slices.Contains(s.Server.Spoken, via)
}

// vias are the transports of the DNS port, the usual one first.
func vias() []exposure.Transport { return []exposure.Transport{exposure.UDP, exposure.TCP} }

// Each runs f for every transport on which DNS was proven and adds a not-tested
// outcome for UDP or TCP where it was not.
func (s *Session) Each(f func(via exposure.Transport) Outcome) []Outcome {
	var wg sync.WaitGroup
	out := make([]Outcome, len(vias()))
	for i, via := range vias() {
		if !s.Speaks(via) {
			out[i] = notTested(via, "no DNS was proven on "+string(via)+"/53")
			continue
		}
		wg.Go(func() { out[i] = f(via) })
	}
	wg.Wait()
	return out
}

// Any is the transport to use when one is enough: UDP if it speaks DNS, else
// TCP, else empty.
func (s *Session) Any() exposure.Transport {
	for _, via := range vias() {
		if s.Speaks(via) {
			return via
		}
	}
	return ""
}

// Stream is TCP when it speaks DNS, else empty.
func (s *Session) Stream() exposure.Transport {
	if s.Speaks(exposure.TCP) {
		return exposure.TCP
	}
	return ""
}

// once computes a value a single time, however many ask for it at once.
type once[T any] struct {
	do    sync.Once
	value T
}

func (o *once[T]) get(f func() T) T {
	o.do.Do(func() { o.value = f() })
	return o.value
}

func question(name string, rrtype uint16) dnswire.Query {
	return dnswire.Query{Name: name, Type: rrtype}
}
