//go:build linux

package pair

import (
	"fmt"
	"net/netip"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"reconshield/internal/exposure"
)

// What an ordinary kernel makes of hostile answers is the oracle: it takes the
// genuine ones and no others.
func TestRespond(t *testing.T) {
	tests := []struct {
		name    string
		manners []Manner
		tcp     exposure.State
		udp     exposure.State
		counted string // nft expression of what must arrive at the scanner, for IPv4
		least   uint64
	}{
		{"nothing", nil, exposure.Filtered, exposure.OpenFiltered, "ip saddr 192.0.2.1", 0},
		{"genuine", []Manner{Genuine(1)}, exposure.Open, exposure.Open, "tcp flags & (syn|ack) == syn|ack", 1},
		{"duplicates", []Manner{Genuine(3)}, exposure.Open, exposure.Open, "tcp flags & (syn|ack) == syn|ack", 3},
		{"forged", []Manner{Forged()}, exposure.Filtered, exposure.OpenFiltered, "tcp flags & (syn|ack) == syn|ack", 7},
		{"stale", []Manner{Stale()}, exposure.Filtered, exposure.OpenFiltered, "tcp flags & (syn|ack) == syn|ack", 3},
		{"reset storm", []Manner{ResetStorm(10)}, exposure.Filtered, exposure.OpenFiltered, "tcp flags & rst == rst", 10},
		{"stranger", []Manner{Stranger("192.0.2.99"), Stranger("2001:db8:9::99")}, exposure.Filtered, exposure.OpenFiltered, "ip saddr 192.0.2.99", 2},
		{"malformed errors", []Manner{MalformedErrors()}, exposure.Filtered, exposure.OpenFiltered, "icmp type destination-unreachable", 17},
		{"absurd errors", []Manner{AbsurdErrors()}, exposure.Closed, exposure.Closed, "icmp type destination-unreachable", 4},
		{"port unreachable", []Manner{Unreachable(3, 3, 1, 4)}, exposure.Closed, exposure.Closed, "icmp code port-unreachable", 2},
		{"prohibited", []Manner{Unreachable(3, 13, 1, 1)}, exposure.Filtered, exposure.Filtered, "icmp code admin-prohibited", 2},
		{"everything, then the truth", []Manner{Forged(), Stale(), ResetStorm(10), MalformedErrors(), Genuine(2)}, exposure.Open, exposure.Open, "icmp type destination-unreachable", 17},
	}
	for _, routed := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.name, ", routed ", routed), func(t *testing.T) {
				t.Parallel()
				p := New(t, Options{Routed: routed})
				arrived := p.CountAtScanner(tt.counted)
				questions := p.Respond([]string{"192.0.2.0/24", "2001:db8:9::/64"}, tt.manners...)
				for _, host := range []string{"192.0.2.1", "[2001:db8:9::1]"} {
					if got := try(t, p, target("tcp/"+host+":80"), tt.tcp); got != tt.tcp {
						t.Errorf("%s TCP is %s, want %s", host, got, tt.tcp)
					}
					if got := try(t, p, target("udp/"+host+":80"), tt.udp); got != tt.udp {
						t.Errorf("%s UDP is %s, want %s", host, got, tt.udp)
					}
				}
				if got := questions(); got < 4 {
					t.Errorf("the responder saw %d questions, want 4 at least", got)
				}
				if got := arrived.Packets(); got < tt.least {
					t.Errorf("%d packets of %q arrived, want %d at least", got, tt.counted, tt.least)
				}
			})
		}
	}
}

func TestRespondEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("", func(t *testing.T) {
		p := New(t, Options{})
		p.Respond([]string{"192.0.2.0/24"}, Genuine(1))
		if got := try(t, p, target("tcp/192.0.2.1:80"), exposure.Open); got != exposure.Open {
			t.Errorf("the port is %s", got)
		}
	})
}

func TestParseQuestion(t *testing.T) {
	asked := Question{
		Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr(Scanner4), SrcPort: 40000, DstPort: 80,
	}
	syn := asked.segment(asked.Dst, asked.SrcPort, 7, 0, flagSYN)
	for size := range syn {
		if q, ok := parseQuestion(syn[:size]); ok {
			t.Errorf("%d bytes of a SYN are taken for %+v", size, q)
		}
	}
	q, ok := parseQuestion(syn)
	if !ok || q.Src != asked.Dst || q.Dst != asked.Src || q.SrcPort != 80 || q.DstPort != 40000 || q.Seq != 7 || q.Protocol != unix.IPPROTO_TCP {
		t.Errorf("a SYN reads as %+v, %v", q, ok)
	}
	for _, flags := range []byte{0, flagSYN | flagACK, flagRST, flagACK} {
		if _, ok := parseQuestion(asked.segment(asked.Dst, asked.SrcPort, 7, 0, flags)); ok {
			t.Errorf("flags %#x are taken for a question", flags)
		}
	}
}

func FuzzParseQuestion(f *testing.F) {
	q := Question{Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr(Scanner6), SrcPort: 1, DstPort: 2}
	f.Add(q.segment(q.Dst, 1, 2, 3, flagSYN))
	f.Add(q.datagram(q.Dst, []byte("x")))
	f.Fuzz(func(t *testing.T, packet []byte) {
		q, ok := parseQuestion(packet)
		if !ok {
			return
		}
		for _, manner := range []Manner{Genuine(1), Forged(), Stale(), ResetStorm(2), MalformedErrors(), AbsurdErrors(), Unreachable(3, 3, 1, 4), Stranger("192.0.2.9")} {
			for _, answer := range manner(q) {
				if len(answer) < 28 {
					t.Fatalf("an answer of %d bytes", len(answer))
				}
			}
		}
	})
}
