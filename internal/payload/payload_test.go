package payload_test

import (
	"bytes"
	"slices"
	"testing"

	"reconshield/internal/payload"
)

// cookies are what the tests ask with: ordinary and extreme ones.
func cookies() []uint64 {
	return []uint64{0x0123456789abcdef, 0xfedcba9876543210, 0, ^uint64(0), 1, 0x00000000ffff0000}
}

func TestPortsAreNamedOnce(t *testing.T) {
	seen := map[uint16]string{}
	for _, p := range payload.New().All() {
		for _, port := range p.Ports {
			if other, ok := seen[port]; ok {
				t.Errorf("port %d is in both %q and %q", port, other, p.Title)
			}
			seen[port] = p.Title
		}
	}
}

func TestEnoughProtocols(t *testing.T) {
	protocols := map[string]bool{}
	for _, p := range payload.New().All() {
		protocols[p.Protocol] = true
	}
	delete(protocols, "")
	if len(protocols) < 40 {
		t.Errorf("%d protocols, want 40 or more", len(protocols))
	}
}

func TestFor(t *testing.T) {
	table := payload.New()
	for _, c := range []struct {
		port     uint16
		protocol string
		slow     bool
	}{
		{0, "dns", false},
		{53, "dns", true},
		{65535, "dns", false},
		{5353, "mdns", false},
		{443, "quic", false},
		{123, "ntp", false},
		{161, "snmp", false},
		{514, "", false},
		{9, "", false},
		{1900, "ssdp", true},
	} {
		got := table.For(c.port)
		if got.Protocol != c.protocol || got.Slow != c.slow {
			t.Errorf("port %d: %q, slow %t; want %q, slow %t", c.port, got.Protocol, got.Slow, c.protocol, c.slow)
		}
	}
	for port := range 1 << 16 {
		p := table.For(uint16(port))
		if len(p.Ports) > 0 && !slices.Contains(p.Ports, uint16(port)) {
			t.Fatalf("port %d gets %s", port, p.Title)
		}
	}
}

func TestEveryFieldIsFilled(t *testing.T) {
	for _, p := range payload.New().All() {
		if p.Title == "" || p.Reference == "" || p.Asks == "" || p.Safe == "" {
			t.Errorf("%q: a field is missing", p.Title)
		}
	}
}

func TestSizeIsConstant(t *testing.T) {
	for _, p := range payload.New().All() {
		for _, cookie := range cookies() {
			if n := len(p.Append(nil, cookie)); n != p.MaxSize {
				t.Errorf("%s: %d bytes with cookie %x, want %d", p.Title, n, cookie, p.MaxSize)
			}
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	for _, p := range payload.New().All() {
		alone, after := p.Append(nil, 42), p.Append([]byte("before"), 42)
		if !bytes.Equal(after, append([]byte("before"), alone...)) {
			t.Errorf("%s: depends on what it is appended to", p.Title)
		}
	}
}

func TestQuestionsAreSmall(t *testing.T) {
	large := []string{"quic", "dtls", "rdp-udp"} // padded because the protocol demands it
	for _, p := range payload.New().All() {
		limit := 600
		if slices.Contains(large, p.Protocol) {
			limit = 1232 // the least MTU of IPv6, 1280, without headers
		}
		if p.MaxSize > limit {
			t.Errorf("%s: %d bytes, want at most %d", p.Title, p.MaxSize, limit)
		}
	}
}

func TestAnswersDoNotAmplify(t *testing.T) {
	// Where every datagram brings the same answer nothing smaller can be asked.
	same := []string{"qotd", "chargen"}
	for _, p := range payload.New().All() {
		if slices.Contains(same, p.Protocol) {
			if p.MaxSize != 0 {
				t.Errorf("%s: %d bytes, want an empty datagram", p.Title, p.MaxSize)
			}
			continue
		}
		if got := p.Amplification(); got > 4 {
			t.Errorf("%s: the answer is %.1f times the question, want at most 4", p.Title, got)
		}
	}
}

// TestTemplates takes the lengths inside the questions apart: what is written
// by hand is checked by the protocol's own arithmetic.
func TestTemplates(t *testing.T) {
	u16 := func(b []byte) int { return int(b[0])<<8 | int(b[1]) }
	table := payload.New()
	for _, c := range []struct {
		port uint16
		want func(b []byte) (got, want int)
	}{
		{161, func(b []byte) (int, int) { return int(b[1]), len(b) - 2 }},
		{389, func(b []byte) (int, int) { return int(b[1]), len(b) - 2 }},
		{389, func(b []byte) (int, int) { return int(b[9]), len(b) - 10 }},
		{88, func(b []byte) (int, int) { return int(b[1]), len(b) - 2 }},
		{88, func(b []byte) (int, int) { return int(b[17]), len(b) - 18 }},
		{443, func(b []byte) (int, int) { return 1200, len(b) }},
		{500, func(b []byte) (int, int) { return u16(b[26:]), len(b) }},
		{500, func(b []byte) (int, int) { return 28 + u16(b[30:]) + u16(b[74:]) + u16(b[178:]), len(b) }},
		{1701, func(b []byte) (int, int) { return u16(b[2:]), len(b) }},
		{427, func(b []byte) (int, int) { return u16(b[3:]), len(b) }},
		{1812, func(b []byte) (int, int) { return u16(b[2:]), len(b) }},
		{3130, func(b []byte) (int, int) { return u16(b[2:]), len(b) }},
		{4433, func(b []byte) (int, int) { return u16(b[11:]), len(b) - 13 }},
		{4433, func(b []byte) (int, int) { return u16(b[15:]), len(b) - 25 }},
		{5246, func(b []byte) (int, int) { return u16(b[13:]), len(b) - 13 }},
		{47808, func(b []byte) (int, int) { return u16(b[2:]), len(b) }},
		{3671, func(b []byte) (int, int) { return u16(b[4:]), len(b) }},
		{502, func(b []byte) (int, int) { return u16(b[4:]), len(b) - 6 }},
		{2123, func(b []byte) (int, int) { return u16(b[2:]), len(b) - 4 }},
		{2152, func(b []byte) (int, int) { return u16(b[2:]), len(b) - 8 }},
		{8805, func(b []byte) (int, int) { return u16(b[2:]), len(b) - 4 }},
		{3544, func(b []byte) (int, int) { return u16(b[17:]), len(b) - 13 - 40 }},
	} {
		b := table.For(c.port).Append(nil, 0x0123456789abcdef)
		if got, want := c.want(b); got != want {
			t.Errorf("port %d: a length says %d, the datagram has %d", c.port, got, want)
		}
	}
}

func TestTeredoCheckSum(t *testing.T) {
	packet := payload.New().For(3544).Append(nil, 7)[13:]
	sum := uint32(len(packet)-40) + 58 // the pseudo-header's length and next header
	for i := 8; i < len(packet); i += 2 {
		sum += uint32(packet[i])<<8 | uint32(packet[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum != 0xffff {
		t.Errorf("the ICMPv6 check sum is wrong: the sum is %04x, want ffff", sum)
	}
}

func TestWebServicesUUID(t *testing.T) {
	b := payload.New().For(3702).Append(nil, 0x0123456789abcdef)
	const want = "urn:uuid:fedcba98-7654-4210-8123-456789abcdef<"
	if !bytes.Contains(b, []byte(want)) {
		t.Errorf("no %s in %s", want, b)
	}
}

func TestMinimalIDs(t *testing.T) {
	for _, cookie := range cookies() {
		for _, port := range []uint16{161, 389} {
			b := payload.New().For(port).Append(nil, cookie)
			i := bytes.Index(b, []byte{2, 4})
			if first := b[i+2]; first&0x80 != 0 || first == 0 {
				t.Errorf("port %d, cookie %x: the ID begins with %02x: negative or not minimal", port, cookie, first)
			}
		}
	}
}

func TestNoAllocs(t *testing.T) {
	table := payload.New()
	buffer := make([]byte, 0, 1500)
	reply := make([]byte, payload.Captured)
	for _, p := range table.All() {
		if n := testing.AllocsPerRun(10, func() {
			buffer = table.For(53).Append(buffer[:0], 1)
			buffer = p.Append(buffer[:0], 0x0123456789abcdef)
			p.Answers(reply, 0x0123456789abcdef)
			p.Answers(buffer, 0x0123456789abcdef)
		}); n != 0 {
			t.Errorf("%s: %v allocations", p.Title, n)
		}
	}
}
