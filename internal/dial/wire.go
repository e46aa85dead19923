package dial

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

// Wire carries probes over ordinary sockets, so that a scan needs no
// privileges: TCP probes are connections that are reset as soon as they are
// made, UDP and echo probes are datagrams from a socket of their own. What it
// reports reads as what a wire of raw packets reports. It is used from one
// goroutine.
//
// On Linux it starts no goroutine and reads ICMP errors from the sockets' error
// queues. Elsewhere every probe in flight has a goroutine, an ICMP error on TCP
// reads as a reset, and echo probes are local errors.
type Wire struct {
	dialer  *Dialer
	carrier carrier
}

// carrier is what a system's sockets have to do for a Wire; see its methods.
type carrier interface {
	send(probes []probe.Probe) (int, error)
	receive(into []probe.Reply, wait time.Duration) (int, error)
	forgeries() uint64
	capacity() int
	close() error
}

// OpenWire prepares to send from the Dialer's source address and interface. Where
// that is not there it fails at once on Linux; elsewhere every probe is a local
// error. Close the Wire after use.
func (d *Dialer) OpenWire(payloads *payload.Table) (*Wire, error) {
	c, err := d.newCarrier(payloads)
	if err != nil {
		return nil, err
	}
	return &Wire{dialer: d, carrier: c}, nil
}

// Send begins probes, in order, and reports how many of them it took. Fewer
// than all with a nil error means that no more descriptors, ports or replies
// can be held before Receive has been called. What concerns one target only,
// such as a missing route, is a Reply. A Patience of 0 is DefaultTimeout; when
// it is over, the probe is forgotten without a Reply.
func (w *Wire) Send(probes []probe.Probe) (int, error) { return w.carrier.send(probes) }

// Receive gives replies, waiting for the first of them for at most wait. There
// is at most one Reply to a TCP or echo probe; a UDP probe may have an ICMP
// error or a datagram that answers nothing before the one that does.
func (w *Wire) Receive(into []probe.Reply, wait time.Duration) (int, error) {
	if len(into) == 0 {
		return 0, nil
	}
	return w.carrier.receive(into, wait)
}

// Account tells what arrived and was not for us. Nothing is dropped on this
// side: sockets hold what arrives.
func (w *Wire) Account() probe.Account { return probe.Account{Forged: w.carrier.forgeries()} }

// Capacity is how many probes can be in flight.
func (w *Wire) Capacity() int { return w.carrier.capacity() }

// Limits says beforehand, one line each, what slows down or endangers a scan of
// that many targets on this machine: few descriptors, few ports, a small
// connection tracking table. None of it makes verdicts wrong.
func (w *Wire) Limits(targets uint64) []string {
	l := readLimits()
	l.inFlight = w.Capacity()
	return l.notes(targets)
}

// Close closes every socket. No goroutine is left.
func (w *Wire) Close() error { return w.carrier.close() }

func patience(p *probe.Probe) time.Duration {
	if p.Patience <= 0 {
		return DefaultTimeout
	}
	return p.Patience
}

// answered begins the Reply to a probe.
func answered(p *probe.Probe, a probe.Answer, from netip.Addr, at time.Time) probe.Reply {
	r := probe.Reply{Probe: *p, Answer: a, From: from, At: at}
	r.Patience = 0
	return r
}

// answerOf is the answer that a reason stands for; Nothing for a timeout and
// for what is no answer.
func answerOf(r exposure.Reason) probe.Answer {
	switch r { //nolint:exhaustive // the rest is no answer of the network
	case exposure.ReasonSynAck:
		return probe.SynAck
	case exposure.ReasonReset:
		return probe.Reset
	case exposure.ReasonDNSResponse, exposure.ReasonUDPResponse:
		return probe.Datagram
	case exposure.ReasonPortUnreachable:
		return probe.PortUnreachable
	case exposure.ReasonHostUnreachable:
		return probe.HostUnreachable
	case exposure.ReasonNetUnreachable:
		return probe.NetUnreachable
	case exposure.ReasonProtoUnreach:
		return probe.ProtocolUnreachable
	case exposure.ReasonAdminProhibited:
		return probe.AdminProhibited
	case exposure.ReasonTimeExceeded:
		return probe.TimeExceeded
	case exposure.ReasonNoRoute:
		return probe.NoRoute
	case exposure.ReasonLocalError:
		return probe.LocalError
	}
	return probe.Nothing
}

// surroundings are this machine's addresses with their networks, as they were
// when they were read: to ask the system for each probe would be too slow.
type surroundings []netip.Prefix

func readSurroundings() surroundings {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var s surroundings
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			s = append(s, p)
		}
	}
	return s
}

// hasOwn reports one of this machine's addresses.
func (s surroundings) hasOwn(a netip.Addr) bool {
	return a.IsLoopback() || slices.ContainsFunc(s, func(p netip.Prefix) bool { return p.Addr() == a })
}

// detail words why nothing could be sent to a, as localDetail does.
func (s surroundings) detail(a netip.Addr, err error) string {
	limited := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if a == limited || a.Is4() && slices.ContainsFunc(s, func(p netip.Prefix) bool { return isLast(a, p) }) {
		return "broadcast address"
	}
	return err.Error()
}
