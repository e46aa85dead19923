package scan

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/probe"
)

func TestEntriesComeBack(t *testing.T) {
	want := []entry{
		{pos: 0, answer: probe.Reset, at: time.UnixMicro(1)},
		{pos: 1 << 40, answer: probe.Datagram, attempt: 6, rtt: 3 * time.Millisecond, at: time.UnixMicro(1795000000000000), protocol: "dns"},
		{pos: 127, answer: probe.AdminProhibited, attempt: 1, rtt: time.Microsecond, at: time.UnixMicro(5), from: netip.MustParseAddr("2001:db8::1")},
		{pos: 128, answer: probe.PortUnreachable, at: time.UnixMicro(5), from: netip.MustParseAddr("192.0.2.1")},
	}
	b := []byte{recordAnswers}
	for _, e := range want {
		b = e.append(b)
	}
	var got []entry
	parseAnswers(b, func(e entry) { got = append(got, e) })
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	for n := 1; n < len(b); n++ { // a record that was cut short gives what was whole
		count := 0
		parseAnswers(b[:n], func(entry) { count++ })
		if count > len(want) {
			t.Errorf("%d entries out of %d bytes", count, n)
		}
	}
	c := cursor{lo: 1 << 27, pass: 3, cursor: 99, sent: 1 << 40, repeated: 7, replies: 5, held: []uint64{1, 1 << 26}}
	if got, ok := parseCursor(c.append(nil)); !ok || !cmp.Equal(c, got, cmp.AllowUnexported(cursor{})) {
		t.Errorf("%+v, want %+v", got, c)
	}
}

// A checkpoint may have been damaged, or made by somebody else.
func FuzzJournal(f *testing.F) {
	f.Add(entry{pos: 9, answer: probe.SynAck, protocol: "dns"}.append([]byte{recordAnswers}))
	f.Add(cursor{pass: 1, held: []uint64{3}}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		parseAnswers(b, func(e entry) {
			if e.answer > probe.LocalError || e.attempt >= probe.Attempts || e.rtt < 0 {
				t.Errorf("%+v", e)
			}
		})
		if c, ok := parseCursor(b); ok && (c.pass < 0 || c.pass > 255) {
			t.Errorf("%+v", c)
		}
	})
}
