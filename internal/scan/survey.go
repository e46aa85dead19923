package scan

import (
	"net/netip"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
	"reconshield/internal/probe"
)

// Want is which verdicts are worth time. A host that limits its refusals can
// keep the question "closed, or silent?" open for hours, and whether a port is
// open never depends on it.
type Want uint8

// Wants.
const (
	WantOpen  Want = iota // open ports; the others are counted and not emitted
	WantMaybe             // also UDP ports that may be open, told from closed ones
	WantAll               // every verdict
)

// Addresses is an indexed set of addresses; netset.Scope is one. It is safe
// for concurrent use.
type Addresses interface {
	Len() uint64
	At(i uint64) netip.Addr
	Index(a netip.Addr) (uint64, bool)
}

// Survey is what a sweep measures and how hard it may. Only Addresses and one
// of Ports and Echo are needed.
type Survey struct {
	// Addresses times Ports are asked, in the order of a keyed permutation.
	// The sweep asks nothing else.
	Addresses Addresses
	Ports     []netset.Port
	// Echo also asks every address for an ICMP echo reply.
	Echo bool
	Want Want
	// Rate is the ceiling in packets a second. 0 leaves it to the sweep: as
	// fast as answers keep coming where hosts are near, some thousands
	// where they are far or nothing answers.
	Rate float64
	// PerHost and PerNet are ceilings in packets a second to one address and
	// to one /24 (IPv4) or /64 (IPv6); 0: none beyond what the sweep finds.
	PerHost, PerNet float64
	// Retries is how often a silent target is asked again; negative leaves it
	// to the sweep: once, and more as long as answers are being lost.
	Retries int
	// Seed keys the order; the same seed gives the same order.
	Seed uint64
	// Shard is which part of the order is walked; the zero value: all of it.
	Shard netset.Shard
	// OnLink tells that no router stands before any address, so that answers
	// come within a fraction of a second or never.
	OnLink bool
	// Patience bounds the time, from the first probe on, during which hosts
	// that limit how often they answer are asked slowly; 0: as long as it
	// takes, and half as long where UDP port 53 is open. What stays silent then
	// is said to be undecided. Ports of importance come first.
	Patience time.Duration
	// Outage is how long a dead link or a path on which nothing is answered
	// any more is waited for; 0 means DefaultOutage.
	Outage time.Duration
	// Journal keeps what a killed sweep needs to go on; nil keeps nothing.
	Journal Journal
	// Vantage is written into every observation.
	Vantage string
	// Mode is written into the summary.
	Mode string
	// Progress is called now and then and at the end, not concurrently.
	Progress func(Progress)

	slab uint64 // positions held at once: slabSize, or less in tests
}

// DefaultOutage is how long a sweep waits for a path that stopped working.
const DefaultOutage = 30 * time.Second

// Limits that a sweep sets itself where nobody else does. Hosts are near when
// they answer within nearRTT: then no access router with a connection table of
// some thousand entries stands before them.
const (
	nearRTT    = 2 * time.Millisecond
	startRate  = 4000.0  // before the first answer of a near host
	linkRate   = 20000.0 // on a link, while nothing shows what it can bear
	linkHost   = 5000.0  // to one host there
	blindRate  = 1000.0  // beyond a router, while nothing answers
	farRate    = 5000.0  // beyond a router
	farPerHost = 2000.0  // to one host there
)

// endpoint is a port as the sweep holds it: four bytes.
type endpoint struct {
	kind probe.Kind
	port uint16
}

func endpoints(ports []netset.Port, echo bool) []endpoint {
	ends := make([]endpoint, 0, len(ports)+1)
	if echo {
		ends = append(ends, endpoint{kind: probe.Echo})
	}
	for _, p := range ports {
		kind := probe.TCP
		if p.Transport.Base() == exposure.UDP {
			kind = probe.UDP
		}
		ends = append(ends, endpoint{kind, p.Number})
	}
	return ends
}
