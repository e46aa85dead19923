// Package payload says what every UDP port is asked and how an answer is told.
//
// Nothing is remembered between question and answer: a cookie, derived by the
// caller from the target and a secret, goes into whatever field of the protocol
// the other side sends back. Every question is one that changes nothing, begins
// no login and brings an answer about as large as itself, see docs/payloads.md.
// The package sends nothing and knows neither addresses nor time.
package payload

//go:generate go test -run ^TestDocument$ . -update

// Payload is the question for a protocol. It is read-only and safe for
// concurrent use.
type Payload struct {
	// Protocol names what an answer proves: "dns", "ntp". It is "" for the
	// payload of ports that are asked nothing: see [Table.For].
	Protocol string
	// Title is the protocol's full name.
	Title string
	// Ports are those that are asked this; nil for the one that every other
	// port gets.
	Ports []uint16
	// MaxSize is the size of the datagram in bytes, which is always the same.
	MaxSize int
	// Slow tells that an answer may take longer than the host's other answers:
	// the service asks somebody else first, or waits on purpose.
	Slow bool
	// Elsewhere tells that the answer may come from another port of the target
	// than the one that was asked.
	Elsewhere bool
	// Answer is the size of an ordinary answer in bytes, 0 when none comes.
	Answer int
	// Echoed is how many bits of the cookie an answer repeats. With 0 only the
	// answer's form tells it from a stranger's.
	Echoed int
	// Reference names the specification and section.
	Reference string
	// Asks says what is asked, Safe why asking is harmless.
	Asks, Safe string

	write func(dst []byte, cookie uint64) []byte
	tell  func(reply []byte, cookie uint64) bool
}

// Append appends the datagram to dst. It does not allocate when dst has room
// for MaxSize bytes. Equal cookies give equal datagrams.
func (p *Payload) Append(dst []byte, cookie uint64) []byte {
	if p.write == nil {
		return dst
	}
	return p.write(dst, cookie)
}

// Answers reports whether reply is what a server of the protocol answers to
// the datagram with that cookie. What the protocol echoes must be right, so a
// stranger's datagram does not pass; nor does the question itself sent back,
// unless sending back is the protocol. A reply that was cut after [Captured]
// bytes or more passes when its beginning does. It does not allocate, never
// panics and does not keep reply.
func (p *Payload) Answers(reply []byte, cookie uint64) bool {
	return p.tell != nil && p.tell(reply, cookie)
}

// Captured is how many bytes of a reply Answers wants to see at least; a
// caller may cut what is longer.
const Captured = 384

// overhead is the size of an IPv4 and a UDP header in bytes.
const overhead = 28

// Amplification is how many times larger than the question's an ordinary
// answer's packet is, IPv4 and UDP headers included.
func (p *Payload) Amplification() float64 {
	if p.Answer == 0 {
		return 0
	}
	return float64(p.Answer+overhead) / float64(p.MaxSize+overhead)
}

// maxPayloads bounds the index's elements.
const maxPayloads = 1 << 8

// Table finds the payload of a port. It is read-only after New and safe for
// concurrent use.
type Table struct {
	all   []Payload
	index [1 << 16]uint8 // into all
}

// New builds the table.
func New() *Table {
	t := &Table{all: entries()}
	for i := range t.all[:min(len(t.all), maxPayloads)] {
		p := &t.all[i]
		p.MaxSize = len(p.Append(nil, ^uint64(0)))
		for _, port := range p.Ports {
			t.index[port] = uint8(i) //nolint:gosec // below maxPayloads
		}
	}
	return t
}

// For gives what to ask a port; never nil. On a port that no protocol of the
// table has, that is a DNS question: as good as any other datagram, and better
// where DNS hides. Ports where any content might be stored, shown or acted
// upon get an empty datagram, whose answer proves no protocol. It does not
// allocate.
func (t *Table) For(port uint16) *Payload { return &t.all[t.index[port]] }

// All gives every payload: the one for unlisted ports first, that of an empty
// datagram last. The caller changes nothing.
func (t *Table) All() []*Payload {
	all := make([]*Payload, len(t.all))
	for i := range t.all {
		all[i] = &t.all[i]
	}
	return all
}
