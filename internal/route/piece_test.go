package route

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go4.org/netipx"

	"reconshield/internal/probe"
)

func TestSplit(t *testing.T) {
	tests := []struct{ prefixes, wanted, pieces string }{
		{"", "10.0.0.0-10.255.255.255", "10.0.0.0-10.255.255.255"},
		{"10.0.0.0/8", "10.0.0.0-10.255.255.255", "10.0.0.0-10.255.255.255"},
		{"0.0.0.0/0", "0.0.0.0-255.255.255.255", "0.0.0.0-255.255.255.255"},
		{"10.0.0.0/9", "10.0.0.0-10.255.255.255", "10.0.0.0-10.127.255.255 10.128.0.0-10.255.255.255"},
		{"10.1.0.0/16 10.1.2.0/24", "10.1.0.0-10.1.255.255", "10.1.0.0-10.1.1.255 10.1.2.0-10.1.2.255 10.1.3.0-10.1.255.255"},
		{"10.0.0.5/32", "10.0.0.5-10.0.0.5", "10.0.0.5-10.0.0.5"},
		{"10.0.0.5/32", "10.0.0.4-10.0.0.6", "10.0.0.4-10.0.0.4 10.0.0.5-10.0.0.5 10.0.0.6-10.0.0.6"},
		{"255.255.255.255/32", "255.255.255.254-255.255.255.255", "255.255.255.254-255.255.255.254 255.255.255.255-255.255.255.255"},
		{"10.0.0.9/24", "10.0.0.0-10.0.1.0", "10.0.0.0-10.0.0.255 10.0.1.0-10.0.1.0"},
		{"10.0.0.0/24", "10.0.0.255-10.0.1.0", "10.0.0.255-10.0.0.255 10.0.1.0-10.0.1.0"},
		{"2001:db8::/32 ffff::/16", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::-2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9::-fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	}
	for _, tt := range tests {
		var got []string
		for _, piece := range split(netipx.MustParseIPRange(tt.wanted), boundaries(parse(strings.Fields(tt.prefixes)))) {
			got = append(got, piece.String())
		}
		if diff := cmp.Diff(tt.pieces, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s cut by %q (-want +got):\n%s", tt.wanted, tt.prefixes, diff)
		}
	}
}

// Within a piece every prefix holds all addresses or none, and pieces are
// exactly the range.
func FuzzSplit(f *testing.F) {
	f.Add([]byte{10, 0, 0, 0, 8, 10, 1, 0, 0, 16}, uint32(0x0a000000), uint32(0x0aff0000))
	f.Add([]byte{255, 255, 255, 255, 32, 0, 0, 0, 0, 0}, uint32(0), uint32(0xffffffff))
	f.Fuzz(func(t *testing.T, data []byte, a, b uint32) {
		var prefixes []netip.Prefix
		for chunk := range slices.Chunk(data, 5) {
			if len(chunk) == 5 {
				prefixes = append(prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte(chunk)), int(chunk[4]%33)))
			}
		}
		addr := func(n uint32) netip.Addr {
			return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		}
		whole := netipx.IPRangeFrom(addr(min(a, b)), addr(max(a, b)))
		next := whole.From()
		for _, piece := range split(whole, boundaries(prefixes)) {
			if !piece.IsValid() || piece.From() != next {
				t.Fatalf("piece %s of %s does not start at %s", piece, whole, next)
			}
			next = piece.To().Next()
			for _, p := range prefixes {
				if p.Contains(piece.From()) != p.Contains(piece.To()) {
					t.Fatalf("%s divides piece %s", p, piece)
				}
			}
		}
		if next != whole.To().Next() {
			t.Fatalf("pieces of %s end before %s", whole, next)
		}
	})
}

func TestExtend(t *testing.T) {
	span := func(from, to, why string) probe.Path {
		return probe.Path{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to), Unreachable: why}
	}
	tests := []struct {
		name string
		a, b probe.Path
		want int
	}{
		{"adjacent and equal", span("10.0.0.0", "10.0.0.9", "x"), span("10.0.0.10", "10.0.0.20", "x"), 1},
		{"adjacent and different", span("10.0.0.0", "10.0.0.9", "x"), span("10.0.0.10", "10.0.0.20", "y"), 2},
		{"equal with a gap", span("10.0.0.0", "10.0.0.9", "x"), span("10.0.0.11", "10.0.0.20", "x"), 2},
		{"the end of IPv4 and IPv6", span("255.0.0.0", "255.255.255.255", "x"), span("::", "::1", "x"), 2},
	}
	for _, tt := range tests {
		if got := extend([]probe.Path{tt.a}, tt.b); len(got) != tt.want {
			t.Errorf("%s: %d paths, want %d: %v", tt.name, len(got), tt.want, got)
		}
	}
}
