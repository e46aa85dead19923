package dial

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"reconshield/internal/probe"
)

// The heap against the plain search: what ends first is next, nothing is lost,
// and a slot's former tenant is not found.
func TestFlights(t *testing.T) {
	const steps = 20000
	rng := rand.New(rand.NewPCG(1, 2))
	var f flights
	live := map[int32]flight{} // by slot
	for step := range steps {
		switch {
		case len(live) == 0 || len(live) < 300 && rng.IntN(3) > 0:
			of := flight{until: time.Duration(rng.IntN(1000)), fd: step, asked: probe.Probe{Kind: probe.Kind(rng.IntN(3))}}
			slot := f.add(&of)
			if _, taken := live[slot]; taken {
				t.Fatalf("slot %d given twice", slot)
			}
			live[slot] = of
		case rng.IntN(4) == 0:
			slot := anyOf(live)
			of := live[slot]
			of.until = min(of.until, time.Duration(rng.IntN(1000)))
			f.hasten(f.get(slot, of.stamp), of.until)
			live[slot] = of
		default:
			slot := anyOf(live)
			of := live[slot]
			f.remove(slot)
			delete(live, slot)
			if f.get(slot, of.stamp) != nil {
				t.Fatal("a flight that ended is found")
			}
		}
		agree(t, &f, live)
	}
}

func anyOf(live map[int32]flight) int32 {
	for slot := range live {
		return slot
	}
	return -1
}

func agree(t *testing.T, f *flights, live map[int32]flight) {
	t.Helper()
	first, udp := time.Duration(-1), 0
	for slot, of := range live {
		if got := f.get(slot, of.stamp); got == nil || got.fd != of.fd || got.until != of.until {
			t.Fatalf("slot %d holds %+v, want %+v", slot, got, of)
		}
		if first < 0 || of.until < first {
			first = of.until
		}
		if of.asked.Kind == probe.UDP {
			udp++
		}
	}
	_, until, ok := f.next()
	if f.len() != len(live) || f.udp != udp || ok != (len(live) > 0) || ok && until != first {
		t.Fatalf("%d flights, %d by UDP, next at %s; want %d, %d, %s", f.len(), f.udp, until, len(live), udp, first)
	}
	if f.get(-1, 0) != nil || f.get(int32(len(f.slots)), 1) != nil {
		t.Fatal("a slot that does not exist is found")
	}
}

func FuzzEcho(f *testing.F) {
	of := flight{asked: probe.Probe{Attempt: 3}, cookie: 0x0102030405060708}
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
			of := of
			of.asked.Addr = netip.MustParseAddr(addr)
			if of.echoes(b) && (len(b) < 16 || b[7] != 3 || b[15] != 8) {
				t.Errorf("%x taken for an echo reply", b)
			}
		}
	})
}

func TestEchoes(t *testing.T) {
	tests := []struct {
		name, addr string
		reply      string
		want       bool
	}{
		{"v4", "192.0.2.1", "\x00\x00\xaa\xbb\xcc\xdd\x00\x03\x01\x02\x03\x04\x05\x06\x07\x08", true},
		{"v6", "2001:db8::1", "\x81\x00\xaa\xbb\xcc\xdd\x00\x03\x01\x02\x03\x04\x05\x06\x07\x08", true},
		{"the request itself", "192.0.2.1", "\x08\x00\xaa\xbb\xcc\xdd\x00\x03\x01\x02\x03\x04\x05\x06\x07\x08", false},
		{"type of the other family", "2001:db8::1", "\x00\x00\xaa\xbb\xcc\xdd\x00\x03\x01\x02\x03\x04\x05\x06\x07\x08", false},
		{"another attempt", "192.0.2.1", "\x00\x00\xaa\xbb\xcc\xdd\x00\x04\x01\x02\x03\x04\x05\x06\x07\x08", false},
		{"another cookie", "192.0.2.1", "\x00\x00\xaa\xbb\xcc\xdd\x00\x03\x01\x02\x03\x04\x05\x06\x07\x09", false},
		{"cut short", "192.0.2.1", "\x00\x00\xaa\xbb\xcc\xdd\x00\x03\x01\x02\x03\x04\x05\x06\x07", false},
		{"empty", "192.0.2.1", "", false},
	}
	for _, tt := range tests {
		f := flight{asked: probe.Probe{Addr: netip.MustParseAddr(tt.addr), Attempt: 3}, cookie: 0x0102030405060708}
		if got := f.echoes([]byte(tt.reply)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
