package dial

import (
	"net/netip"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

// aloft is a wire without sockets and one UDP probe in flight.
func aloft(target netip.AddrPort) (*sockets, *flight, []byte) {
	w := &sockets{payloads: payload.New(), key: probe.RandomKey(), opened: time.Now(), buf: make([]byte, 4096)}
	of := flight{asked: probe.Probe{Addr: target.Addr(), Port: target.Port(), Kind: probe.UDP, Attempt: 2}, fd: -1, until: time.Hour}
	of.cookie = w.key.Cookie(&of.asked)
	slot := w.flights.add(&of)
	question := w.payloads.For(target.Port()).Append(nil, uint64(of.cookie))
	return w, &w.flights.slots[slot], question
}

func TestJudge(t *testing.T) {
	target := netip.MustParseAddrPort("192.0.2.1:53")
	tests := []struct {
		name     string
		from     string
		reply    func(q []byte) []byte
		over     bool
		replies  int
		protocol string
		forged   uint64
	}{
		{"the answer", "192.0.2.1:53", isResponse, true, 1, "dns", 0},
		{"the answer from another port", "192.0.2.1:99", isResponse, true, 1, "dns", 0},
		{"the answer from another host", "192.0.2.9:53", isResponse, true, 1, "dns", 0},
		{"the question itself", "192.0.2.1:53", func(q []byte) []byte { return q }, false, 1, "", 0},
		{"nothing in it", "192.0.2.1:53", func([]byte) []byte { return nil }, false, 1, "", 0},
		{"another ID", "192.0.2.1:53", otherID, false, 1, "", 0},
		{"another ID from another host", "192.0.2.9:53", otherID, false, 0, "", 1},
		{"another ID from another port", "192.0.2.1:54", otherID, false, 0, "", 1},
	}
	for _, tt := range tests {
		w, f, question := aloft(target)
		over := w.judge(f, tt.reply(question), netip.MustParseAddrPort(tt.from))
		if over != tt.over || len(w.ready) != tt.replies || w.forged != tt.forged {
			t.Errorf("%s: over %v, %d forged, %+v", tt.name, over, w.forged, w.ready)
			continue
		}
		if tt.replies == 1 && (w.ready[0].Protocol != tt.protocol || w.ready[0].From != netip.MustParseAddrPort(tt.from).Addr() || w.ready[0].Attempt != 2) {
			t.Errorf("%s: %+v", tt.name, w.ready[0])
		}
	}
}

func isResponse(q []byte) []byte {
	r := append([]byte{}, q...)
	r[2] |= 0x80
	return r
}

func otherID(q []byte) []byte {
	r := isResponse(q)
	r[0]++
	return r
}

func TestJudgeError(t *testing.T) {
	target := netip.MustParseAddrPort("192.0.2.1:53")
	router, own := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.2")
	tests := []struct {
		name     string
		reason   exposure.Reason
		offender netip.Addr
		quoted   string // "" for the question
		dest     netip.AddrPort
		over     bool
		answer   probe.Answer // Nothing: no reply, but forged
	}{
		{"closed", exposure.ReasonPortUnreachable, target.Addr(), "", target, true, probe.PortUnreachable},
		{"a router says closed", exposure.ReasonPortUnreachable, router, "", target, false, probe.PortUnreachable},
		{"prohibited by the target", exposure.ReasonAdminProhibited, target.Addr(), "", target, false, probe.AdminProhibited},
		{"no neighbour", exposure.ReasonHostUnreachable, own, "", target, false, probe.NoNeighbour},
		{"no host", exposure.ReasonHostUnreachable, router, "", target, false, probe.HostUnreachable},
		{"no route", exposure.ReasonNetUnreachable, own, "", target, false, probe.NoRoute},
		{"another payload", exposure.ReasonPortUnreachable, target.Addr(), "12345678", target, false, probe.Nothing},
		{"another target", exposure.ReasonPortUnreachable, target.Addr(), "", netip.MustParseAddrPort("192.0.2.1:54"), false, probe.Nothing},
	}
	for _, tt := range tests {
		w, f, question := aloft(target)
		w.here = surroundings{netip.PrefixFrom(own, 24)}
		e := icmpError{reason: tt.reason, offender: tt.offender, dest: tt.dest, quoted: question}
		if tt.quoted != "" {
			e.quoted = []byte(tt.quoted)
		}
		over := w.judgeError(f, e)
		again := w.judgeError(f, e)
		if over != tt.over || again != tt.over {
			t.Errorf("%s: over %v, then %v", tt.name, over, again)
		}
		if tt.answer == probe.Nothing {
			if len(w.ready) != 0 || w.forged != 2 || f.until != time.Hour {
				t.Errorf("%s: %d forged, %+v", tt.name, w.forged, w.ready)
			}
			continue
		}
		if len(w.ready) != 1 || w.ready[0].Answer != tt.answer {
			t.Errorf("%s: %+v", tt.name, w.ready)
		}
		if !tt.over && f.until > w.now()+contradiction {
			t.Errorf("%s: waits until %s", tt.name, f.until)
		}
		// What the target itself says afterwards counts.
		if !tt.over && (!w.judge(f, isResponse(question), target) || len(w.ready) != 2 || w.ready[1].Protocol != "dns") {
			t.Errorf("%s: then an answer: %+v", tt.name, w.ready)
		}
	}
}
