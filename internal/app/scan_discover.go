package app

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
	"reconshield/internal/probe"
	"reconshield/internal/scan"
)

// addressList is a sorted list of addresses.
type addressList []netip.Addr

// Len is how many there are.
func (l addressList) Len() uint64 { return uint64(len(l)) }

// At gives the one at position i.
func (l addressList) At(i uint64) netip.Addr { return l[i] }

// Index gives the position of an address.
func (l addressList) Index(a netip.Addr) (uint64, bool) {
	i, ok := slices.BinarySearchFunc(l, a, netip.Addr.Compare)
	return uint64(i), ok //nolint:gosec // not negative
}

// discoveryPorts are asked, besides an echo request, to see whether a host is
// there: what most hosts leave open or refuse.
func discoveryPorts() []netset.Port {
	return []netset.Port{
		{Transport: exposure.TCP, Number: 443},
		{Transport: exposure.TCP, Number: 80},
		{Transport: exposure.TCP, Number: 22},
		{Transport: exposure.TCP, Number: 3389},
		{Transport: exposure.UDP, Number: 53},
	}
}

// discovered gives the addresses of the scope that answer anything, from the
// checkpoint when it has them, and the account of finding out.
func (s *Scan) discovered(ctx context.Context) (addressList, scan.Summary, error) {
	if found, ok := s.journal.discovered(); ok {
		return found, scan.Summary{}, nil
	}
	survey := s.survey()
	survey.Addresses, survey.Ports, survey.Echo = s.scope, discoveryPorts(), true
	survey.Want, survey.Retries, survey.Shard = scan.WantAll, 1, netset.Shard{}
	survey.Progress = func(p scan.Progress) {
		p.Open = 0 // what is open is another question
		s.progress(progressState("discovery", p))
	}
	seen := map[netip.Addr]struct{}{}
	sum, err := scan.Sweep(ctx, s.wire, survey, func(o exposure.Observation) {
		if s.alive(o) {
			seen[o.Addr] = struct{}{}
		}
	})
	if err == nil && sum.Partial {
		err = errors.New("the search for hosts did not come to its end: " + lastNote(sum))
	}
	found := make(addressList, 0, len(seen))
	for a := range seen {
		found = append(found, a)
	}
	slices.SortFunc(found, netip.Addr.Compare)
	if err == nil {
		err = s.journal.keepDiscovered(found)
	}
	return found, sum, err
}

// alive reports that the observation proves a host at its address. On the link
// it is enough that the address has a neighbour's hardware address.
func (s *Scan) alive(o exposure.Observation) bool {
	switch o.Reason { //nolint:exhaustive // the rest needs a look at who said it
	case exposure.ReasonNoNeighbour, exposure.ReasonNoRoute, exposure.ReasonLocalError, exposure.ReasonCancelled:
		return false
	case exposure.ReasonTimeout:
		return o.State != exposure.Unmeasured && s.neighbour(o.Addr)
	}
	// A detail tells that somebody else said it, a router for example.
	return o.State == exposure.Open || o.State == exposure.Closed || o.Detail == ""
}

// neighbour reports an address whose silence comes from a host: one that has
// been resolved to a hardware address.
func (s *Scan) neighbour(a netip.Addr) bool {
	if s.gateway != nil {
		return false
	}
	i, ok := slices.BinarySearchFunc(s.wire.paths, a, func(p probe.Path, a netip.Addr) int {
		switch {
		case p.To.Less(a):
			return -1
		case a.Less(p.From):
			return 1
		}
		return 0
	})
	return ok && s.wire.paths[i].Link == probe.Ethernet && s.wire.paths[i].OnLink()
}

func lastNote(sum scan.Summary) string {
	if len(sum.Notes) == 0 {
		return "it was cut short"
	}
	return sum.Notes[len(sum.Notes)-1]
}

// joined adds the packets of discovery to the account of the scan. What the
// wire itself counts includes them already.
func joined(discovery, sum scan.Summary) scan.Summary {
	sum.Sent += discovery.Sent
	sum.Retransmitted += discovery.Retransmitted
	sum.Replies += discovery.Replies
	sum.RingDrops = max(sum.RingDrops, discovery.RingDrops)
	sum.Forged = max(sum.Forged, discovery.Forged)
	return sum
}
