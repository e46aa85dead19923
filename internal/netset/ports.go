package netset

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
)

// Port is one port of one transport, exposure.UDP or exposure.TCP.
type Port struct {
	Transport exposure.Transport
	Number    uint16
}

// String is "udp/53".
func (p Port) String() string {
	return string(p.Transport) + "/" + strconv.Itoa(int(p.Number))
}

// PortSet is a set of ports. It is immutable and safe for concurrent use; the
// zero value is empty. Port 0 is a port like any other.
type PortSet struct {
	tcp, udp []span // each sorted, without overlap, not adjacent
}

// span is a range of port numbers, both ends included.
type span struct{ from, to uint16 }

// NewPortSet gives the set of the ports listed. A transport other than UDP and
// TCP counts as the one it runs over.
func NewPortSet(ports ...Port) PortSet {
	var s PortSet
	for _, p := range ports {
		s.add(p.Transport, span{p.Number, p.Number})
	}
	return s.normal()
}

// add appends r without keeping s in normal form.
func (s *PortSet) add(t exposure.Transport, r span) {
	if t.Base() == exposure.TCP {
		s.tcp = append(s.tcp, r)
	}
	if t.Base() == exposure.UDP {
		s.udp = append(s.udp, r)
	}
}

// normal sorts and merges the spans.
func (s PortSet) normal() PortSet {
	return PortSet{tcp: mergeSpans(s.tcp), udp: mergeSpans(s.udp)}
}

func mergeSpans(spans []span) []span {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b span) int {
		return cmp.Compare(a.from, b.from)
	})
	var merged []span
	for _, r := range sorted {
		last := len(merged) - 1
		if last >= 0 && int(r.from) <= int(merged[last].to)+1 {
			merged[last].to = max(merged[last].to, r.to)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// Union gives the ports of either set.
func (s PortSet) Union(other PortSet) PortSet {
	return PortSet{
		tcp: slices.Concat(s.tcp, other.tcp),
		udp: slices.Concat(s.udp, other.udp),
	}.normal()
}

// Only gives the ports of one transport.
func (s PortSet) Only(t exposure.Transport) PortSet {
	var only PortSet
	if t.Base() == exposure.TCP {
		only.tcp = s.tcp
	}
	if t.Base() == exposure.UDP {
		only.udp = s.udp
	}
	return only
}

// Contains reports whether the port is in the set, for a transport other than
// UDP and TCP by the one it runs over.
func (s PortSet) Contains(t exposure.Transport, port uint16) bool {
	only := s.Only(t)
	for _, spans := range [...][]span{only.tcp, only.udp} {
		for _, r := range spans {
			if r.from <= port && port <= r.to {
				return true
			}
		}
	}
	return false
}

// Len is the number of ports, each transport counted.
func (s PortSet) Len() int {
	n := 0
	for _, spans := range [...][]span{s.tcp, s.udp} {
		for _, r := range spans {
			n += int(r.to) - int(r.from) + 1
		}
	}
	return n
}

// All gives every port once, by number, TCP before UDP where both are in the
// set: the order of exposure.Target.Compare.
func (s PortSet) All() iter.Seq[Port] {
	return func(yield func(Port) bool) {
		tcp, udp := newCursor(s.tcp), newCursor(s.udp)
		for tcp.number <= maxPort || udp.number <= maxPort {
			transport, next := exposure.TCP, &tcp
			if udp.number < tcp.number {
				transport, next = exposure.UDP, &udp
			}
			if !yield(Port{transport, uint16(next.number)}) {
				return
			}
			next.advance()
		}
	}
}

const maxPort = 65535

// cursor walks the numbers of some spans; number is over maxPort at the end.
type cursor struct {
	spans  []span
	number int
}

func newCursor(spans []span) cursor {
	c := cursor{spans: spans, number: maxPort + 1}
	if len(spans) > 0 {
		c.number = int(spans[0].from)
	}
	return c
}

func (c *cursor) advance() {
	if c.number < int(c.spans[0].to) {
		c.number++
		return
	}
	*c = newCursor(c.spans[1:])
}

// String is the canonical expression, which ParsePorts reads back: "T:53,853",
// "T:53,U:53,5353", "" for the empty set. Equal sets have equal strings.
func (s PortSet) String() string {
	var parts []string
	for _, group := range [...]struct {
		prefix string
		spans  []span
	}{{"T:", s.tcp}, {"U:", s.udp}} {
		prefix := group.prefix
		for _, r := range group.spans {
			parts = append(parts, prefix+r.String())
			prefix = ""
		}
	}
	return strings.Join(parts, ",")
}

func (r span) String() string {
	if r.from == r.to {
		return strconv.Itoa(int(r.from))
	}
	return strconv.Itoa(int(r.from)) + "-" + strconv.Itoa(int(r.to))
}
