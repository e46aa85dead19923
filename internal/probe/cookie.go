package probe

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Key is the secret of one scan. Who knows it can forge answers.
type Key [16]byte

// NewKey derives a key from a seed, always the same one, so that a resumed or
// repeated scan knows its cookies again. Such a key is as secret as its seed.
func NewKey(seed uint64) Key {
	const label = "reconshield probe key "
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(label), seed))
	return Key(sum[:16])
}

// RandomKey draws a key from the operating system.
func RandomKey() Key {
	var k Key
	_, _ = rand.Read(k[:]) // never fails
	return k
}

// Cookie is what a probe carries so that its answer can be told from a forged
// one: a keyed hash of the probe's address, port, kind and attempt. Bits 0–31
// are the TCP sequence number, or what a payload may carry; 32–34 the attempt
// in plain and 35–46 the keyed bits of the source port; 48–63 the IPv4
// identification; 47–63 and 0–2 the IPv6 flow label.
type Cookie uint64

// Cookie computes the probe's cookie. The probe's attempt must be below
// Attempts; Patience does not matter. It is SipHash-2-4 over 7 bytes for IPv4
// and 19 for IPv6: the address, the port with its low byte first, the kind
// above the attempt's three bits.
func (k Key) Cookie(p *Probe) Cookie {
	const v4, v6 = 7 << 56, 19 << 56 // the message's length in its last block
	s := newState(&k)
	tail := uint64(p.Port) | uint64(p.Kind)<<19 | uint64(p.Attempt)<<16
	if p.Addr.Is4() {
		a := p.Addr.As4()
		tail = tail<<32 | uint64(binary.LittleEndian.Uint32(a[:])) | v4
	} else {
		a := p.Addr.As16()
		s = s.block(binary.LittleEndian.Uint64(a[:8])).block(binary.LittleEndian.Uint64(a[8:]))
		tail |= v6
	}
	const attempt = 32
	return Cookie(s.last(tail)&^((Attempts-1)<<attempt) | uint64(p.Attempt)<<attempt)
}

const firstPort = 32768

// Seq is the TCP sequence number, or the 32 bits that a payload may carry.
func (c Cookie) Seq() uint32 { return uint32(c) }

// SourcePort is the port that the probe leaves from, 32768 or above: 12 keyed
// bits and the attempt. It is an echo request's identifier, too.
func (c Cookie) SourcePort() uint16 { return firstPort | uint16(c>>32) }

// ID is the IPv4 identification; never 0, which some systems fill in.
func (c Cookie) ID() uint16 { return max(uint16(c>>48), 1) }

// FlowLabel is the IPv6 flow label, 20 bits; never 0, which means unlabelled
// and may be rewritten (RFC 6437 section 2).
func (c Cookie) FlowLabel() uint32 { return max(uint32(c&7<<17|c>>47), 1) }

// AttemptOf reads the attempt from a probe's source port. Any port has one:
// only the cookie proves that it is a probe's.
func AttemptOf(port uint16) uint8 { return uint8(port) & (Attempts - 1) }

// state is that of SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast
// short-input PRF", 2012).
type state struct{ a, b, c, d uint64 }

func newState(k *Key) state {
	k0, k1 := binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:])
	return state{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

func (s state) block(m uint64) state {
	a, b, c, d := s.a, s.b, s.c, s.d^m
	a, b, c, d = round(a, b, c, d)
	a, b, c, d = round(a, b, c, d)
	return state{a ^ m, b, c, d}
}

// last takes the block that holds the message's length in its top byte.
func (s state) last(m uint64) uint64 {
	a, b, c, d := s.a, s.b, s.c, s.d^m
	a, b, c, d = round(a, b, c, d)
	a, b, c, d = round(a, b, c, d)
	a ^= m
	c ^= 0xff
	a, b, c, d = round(a, b, c, d)
	a, b, c, d = round(a, b, c, d)
	a, b, c, d = round(a, b, c, d)
	a, b, c, d = round(a, b, c, d)
	return a ^ b ^ c ^ d
}

func round(a, b, c, d uint64) (uint64, uint64, uint64, uint64) {
	a += b
	c += d
	b = bits.RotateLeft64(b, 13) ^ a
	d = bits.RotateLeft64(d, 16) ^ c
	c += b
	a = bits.RotateLeft64(a, 32) + d
	b = bits.RotateLeft64(b, 17) ^ c
	d = bits.RotateLeft64(d, 21) ^ a
	return a, b, bits.RotateLeft64(c, 32), d
}
