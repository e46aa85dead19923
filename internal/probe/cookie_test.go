package probe

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// hash is SipHash-2-4 of any message, by the parts that Cookie is made of.
func hash(k Key, m []byte) uint64 {
	s, n := newState(&k), len(m)
	for ; len(m) >= 8; m = m[8:] {
		s = s.block(binary.LittleEndian.Uint64(m))
	}
	var tail [8]byte
	copy(tail[:], m)
	tail[7] = byte(n)
	return s.last(binary.LittleEndian.Uint64(tail[:]))
}

// counted is the key and message of the published vectors: the bytes 0, 1, 2 and so on.
func counted(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// The vectors published with the algorithm's reference code, and the paper's
// appendix A (15 bytes).
func TestSipHash(t *testing.T) {
	tests := []struct {
		length int
		want   uint64
	}{
		{0, 0x726fdb47dd0e0e31},
		{1, 0x74f839c593dc67fd},
		{2, 0x0d6c8009d9a94f5a},
		{3, 0x85676696d7fb7e2d},
		{4, 0xcf2794e0277187b7},
		{5, 0x18765564cd99a68d},
		{6, 0xcbc9466e58fee3ce},
		{7, 0xab0200f58b01d137},
		{8, 0x93f5f5799a932462},
		{15, 0xa129ca6149be45e5},
		{63, 0x958a324ceb064572},
	}
	for _, tt := range tests {
		if got := hash(Key(counted(16)), counted(tt.length)); got != tt.want {
			t.Errorf("%d bytes: %#x, want %#x", tt.length, got, tt.want)
		}
	}
}

// Cookie takes a short way; it must end where the plain one does.
func TestCookieIsSipHash(t *testing.T) {
	key := NewKey(1)
	for _, p := range []Probe{
		{Addr: netip.MustParseAddr("192.0.2.1"), Port: 0x1234, Kind: UDP, Attempt: 5},
		{Addr: netip.MustParseAddr("2001:db8::9"), Port: 0xfedc, Kind: Echo, Attempt: 7},
	} {
		m := append(p.Addr.AsSlice(), byte(p.Port), byte(p.Port>>8), byte(p.Kind)<<3|p.Attempt)
		want := Cookie(hash(key, m)&^(7<<32) | uint64(p.Attempt)<<32)
		if got := key.Cookie(&p); got != want {
			t.Errorf("%v: %#x, want %#x", p, got, want)
		}
	}
}

func TestCookieFields(t *testing.T) {
	tests := []struct {
		cookie  Cookie
		seq     uint32
		port    uint16
		attempt uint8
		id      uint16
		label   uint32
	}{
		{0, 0, 32768, 0, 1, 1},
		{0xffff_ffff_ffff_ffff, 0xffffffff, 65535, 7, 0xffff, 0xfffff},
		{0x1234_5678_9abc_def2, 0x9abcdef2, 0xd678, 0, 0x1234, 0x42468},
		{0x0000_8003_0000_0004, 4, 0x8003, 3, 1, 0x80001},
	}
	for _, tt := range tests {
		c := tt.cookie
		if c.Seq() != tt.seq || c.SourcePort() != tt.port || c.ID() != tt.id || c.FlowLabel() != tt.label {
			t.Errorf("%#x: seq %#x port %#x id %#x label %#x, want %#x %#x %#x %#x", c,
				c.Seq(), c.SourcePort(), c.ID(), c.FlowLabel(), tt.seq, tt.port, tt.id, tt.label)
		}
		if got := AttemptOf(c.SourcePort()); got != tt.attempt {
			t.Errorf("%#x: attempt %d, want %d", c, got, tt.attempt)
		}
	}
	for attempt := range uint8(Attempts) {
		c := RandomKey().Cookie(&Probe{Addr: netip.MustParseAddr("192.0.2.1"), Attempt: attempt})
		if got := AttemptOf(c.SourcePort()); got != attempt {
			t.Errorf("attempt %d comes back as %d", attempt, got)
		}
	}
}

// Whatever tells two probes apart changes the cookie, and in every field.
func TestCookieDiffers(t *testing.T) {
	key, seen := RandomKey(), map[Cookie]Probe{}
	for _, addr := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1", "::c000:201"} {
		for _, kind := range []Kind{TCP, UDP, Echo} {
			for _, port := range []uint16{0, 1, 256, 65535} {
				for attempt := range uint8(Attempts) {
					p := Probe{Addr: netip.MustParseAddr(addr), Port: port, Kind: kind, Attempt: attempt}
					c := key.Cookie(&p)
					if other, ok := seen[c]; ok {
						t.Errorf("%v and %v share the cookie %#x", p, other, c)
					}
					seen[c] = p
				}
			}
		}
	}
	p := Probe{Addr: netip.MustParseAddr("192.0.2.1")}
	if one, again := NewKey(1), NewKey(1); one != again || one == NewKey(2) {
		t.Error("keys do not follow their seeds")
	}
	if first, second := RandomKey(), RandomKey(); first == second {
		t.Error("random keys are alike")
	}
	if NewKey(1).Cookie(&p) == NewKey(2).Cookie(&p) {
		t.Error("the key does not change the cookie")
	}
}

// One bit of the port flips half of the cookie's bits, whichever they are.
func TestCookieSpreads(t *testing.T) {
	key, rnd := NewKey(7), rand.New(rand.NewPCG(1, 2))
	const n = 20000
	var flips [64]int
	for range n {
		p := Probe{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(rnd.Uint32())}), Port: uint16(rnd.Uint32())}
		q := p
		q.Port ^= 1 << rnd.IntN(16)
		for i, x := 0, key.Cookie(&p)^key.Cookie(&q); i < 64; i, x = i+1, x>>1 {
			flips[i] += int(x & 1)
		}
	}
	for i, got := range flips {
		if plain := i >= 32 && i < 35; plain != (got == 0) {
			t.Errorf("bit %d flips %d times of %d", i, got, n)
		} else if !plain && (got < n*47/100 || got > n*53/100) {
			t.Errorf("bit %d flips %d times of %d", i, got, n)
		}
	}
}

func TestCookieNoAllocs(t *testing.T) {
	key, p := RandomKey(), Probe{Addr: netip.MustParseAddr("2001:db8::1"), Port: 53}
	if n := testing.AllocsPerRun(100, func() { p.Port += key.Cookie(&p).ID() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCookie(b *testing.B) {
	for name, addr := range map[string]string{"v4": "192.0.2.1", "v6": "2001:db8::1"} {
		b.Run(name, func(b *testing.B) {
			key, p := RandomKey(), Probe{Addr: netip.MustParseAddr(addr), Port: 53}
			var sum Cookie
			for b.Loop() {
				p.Port++
				sum += key.Cookie(&p)
			}
			_ = sum
		})
	}
}
