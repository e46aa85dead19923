package dialogue

import (
	"errors"
	"net/netip"
	"testing"

	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

func TestAnswerOutcome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer Answer
		want   string
	}{
		{Answer{Err: errors.New("over the budget")}, "not asked: over the budget"},
		{Answer{Msg: message(dnswire.RcodeRefused)}, "REFUSED"},
		{Answer{Reply: exchange.Reply{Reason: exposure.ReasonTimeout}}, "no answer"},
		{Answer{Reply: exchange.Reply{Reason: exposure.ReasonReset}}, "conn-refused"},
		{Answer{Reply: exchange.Reply{Reason: exposure.ReasonLocalError, Detail: "too many open files"}}, "local-error (too many open files)"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			if got := tt.answer.Outcome(); got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func message(rcode int) *dnswire.Message {
	m := &dnswire.Message{}
	m.Rcode = rcode
	return m
}

func TestAnswerRcode(t *testing.T) {
	t.Parallel()
	if silent := (Answer{}); silent.Rcode() != -1 || silent.Is(dnswire.RcodeNoError) {
		t.Error("silence has an rcode")
	}
	if a := (Answer{Msg: message(dnswire.RcodeNoError)}); a.Rcode() != 0 || !a.Is(dnswire.RcodeNoError) || a.Is(dnswire.RcodeRefused) {
		t.Error("NOERROR is not seen")
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	asked := netip.MustParseAddr("192.0.2.1")
	for _, tt := range []struct {
		from string
		want bool
	}{
		{"192.0.2.1:53", false},
		{"192.0.2.1:5353", false},
		{"[::ffff:192.0.2.1]:53", false},
		{"192.0.2.2:53", true},
		{"[2001:db8::1]:53", true},
	} {
		t.Run(tt.from, func(t *testing.T) {
			t.Parallel()
			a := Answer{Reply: exchange.Reply{From: netip.MustParseAddrPort(tt.from)}}
			if a.Foreign(asked) != tt.want {
				t.Errorf("want %v", tt.want)
			}
		})
	}
	if (Answer{}).Foreign(asked) {
		t.Error("silence came from elsewhere")
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	big := make([]byte, 3*maxRaw)
	a := Answer{
		Query: dnswire.Query{Name: "example.net", Type: dnswire.TypeSOA}, Via: exposure.UDP, Msg: message(dnswire.RcodeRefused),
		Reply: exchange.Reply{Payload: big, BytesOut: 29, From: netip.MustParseAddrPort("192.0.2.1:53"), RTT: 1500000},
	}
	e := a.Evidence("note")
	if e.Query != "example.net. SOA" || e.Rcode != "REFUSED" || e.BytesOut != 29 || e.BytesIn != len(big) || e.RTTms != 1.5 || e.Note != "note" || e.From == "" {
		t.Errorf("evidence %+v", e)
	}
	if len(e.Raw) != maxRaw {
		t.Errorf("%d raw bytes kept, want %d", len(e.Raw), maxRaw)
	}
}
