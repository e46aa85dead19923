// Package probe holds one packet's worth of question and of answer as small
// values, and the keyed cookie that ties an answer to its question without
// memory. It sends nothing and encodes no packet; wires do.
package probe

import (
	"errors"
	"net/netip"
	"time"

	"reconshield/internal/exposure"
)

// Kind is what is sent.
type Kind uint8

// Kinds of probes.
const (
	TCP  Kind = iota // a SYN, or an ordinary connection
	UDP              // the payload of the port's protocol
	Echo             // ICMP or ICMPv6 echo request; Port is 0
)

// Transport names the transport; "" for Echo.
func (k Kind) Transport() exposure.Transport {
	switch k {
	case TCP:
		return exposure.TCP
	case UDP:
		return exposure.UDP
	case Echo:
	}
	return ""
}

// Attempts is the number of attempts that can be told apart: Attempt is below it.
const Attempts = 8

// Probe is one question to one target.
type Probe struct {
	Addr    netip.Addr // unmapped, without a zone
	Port    uint16
	Kind    Kind
	Attempt uint8 // below Attempts; an answer carries it back
	// Patience is how long an answer is worth holding a descriptor for. Wires
	// that hold none ignore it.
	Patience time.Duration
}

// Answer is what came back.
type Answer uint8

// Answers. Those from NoNeighbour on were given by this machine, not by the
// network.
const (
	Nothing Answer = iota
	SynAck
	Reset
	Datagram // a UDP payload, see Reply.Protocol
	EchoReply
	PortUnreachable
	HostUnreachable
	NetUnreachable
	ProtocolUnreachable
	AdminProhibited
	TimeExceeded
	NoNeighbour // nobody answers ARP or neighbour solicitations for the address
	NoRoute
	LocalError
)

// Reason gives the word for the answer; protocol is Reply.Protocol.
func (a Answer) Reason(protocol string) exposure.Reason {
	switch a {
	case Nothing:
		return exposure.ReasonTimeout
	case SynAck:
		return exposure.ReasonSynAck
	case Reset:
		return exposure.ReasonReset
	case Datagram:
		if protocol == "dns" || protocol == "mdns" {
			return exposure.ReasonDNSResponse
		}
		return exposure.ReasonUDPResponse
	case EchoReply:
		return exposure.ReasonEchoReply
	case PortUnreachable:
		return exposure.ReasonPortUnreachable
	case HostUnreachable:
		return exposure.ReasonHostUnreachable
	case NetUnreachable:
		return exposure.ReasonNetUnreachable
	case ProtocolUnreachable:
		return exposure.ReasonProtoUnreach
	case AdminProhibited:
		return exposure.ReasonAdminProhibited
	case TimeExceeded:
		return exposure.ReasonTimeExceeded
	case NoNeighbour:
		return exposure.ReasonNoNeighbour
	case NoRoute:
		return exposure.ReasonNoRoute
	case LocalError:
	}
	return exposure.ReasonLocalError
}

// Reply is an answer that was proven to belong to a probe of ours.
type Reply struct {
	Probe  // which one; Patience is not set
	Answer Answer
	// From is who said it: the target, a router for an ICMP error, another
	// address for a diverted UDP answer.
	From netip.Addr
	// At is when it arrived, by the kernel's clock where that is known, on the
	// monotonic scale of time.Since.
	At time.Time
	// Protocol names what a UDP payload proved itself to be ("dns", "ntp");
	// empty when the datagram does not answer the question that was asked.
	Protocol string
	// HopLimit is the TTL or hop limit the answer arrived with; 0 when unknown.
	HopLimit uint8
	// Detail is the operation error as text, for LocalError.
	Detail string
}

// Errors of a wire's Send that pass: the caller slows down, or waits.
var (
	// ErrBusy reports that this machine cannot send as fast.
	ErrBusy = errors.New("the interface's queue is full")
	// ErrDown reports that the link is down for now.
	ErrDown = errors.New("the link is down")
)

// Account is what a wire knows of its own losses.
type Account struct {
	RingDrops uint64 // answers that arrived and found no room
	Forged    uint64 // packets that pretended to be answers
}
