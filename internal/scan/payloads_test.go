package scan

import (
	"bytes"
	"testing"

	"reconshield/internal/exposure"
)

func TestPayloads(t *testing.T) {
	tests := []struct {
		port   uint16
		name   string
		reason exposure.Reason
		slow   bool
	}{
		{53, "dns", exposure.ReasonDNSResponse, true},
		{8053, "dns", exposure.ReasonDNSResponse, true},
		{5353, "mdns", exposure.ReasonDNSResponse, false},
		{853, "quic", exposure.ReasonUDPResponse, false},
		{40000, "dns", exposure.ReasonDNSResponse, false},
	}
	for _, tt := range tests {
		p := payloadFor(tt.port)
		if p.name != tt.name || p.reason != tt.reason || p.slow != tt.slow {
			t.Errorf("port %d: %s, %s, slow %v", tt.port, p.name, p.reason, p.slow)
		}
		a, b := p.build(), p.build()
		if bytes.Equal(a.bytes, b.bytes) {
			t.Errorf("port %d: two questions are the same", tt.port)
		}
		if a.answeredBy(a.bytes) || a.answeredBy(nil) {
			t.Errorf("port %d: an echo or nothing counts as an answer", tt.port)
		}
	}
}

func TestAnswers(t *testing.T) {
	dns, mdns, quic := dnsQuestion(), mdnsQuestion(), quicQuestion()
	if len(dns.bytes) != 17 || len(mdns.bytes) != 46 || len(quic.bytes) != quicDatagram {
		t.Fatalf("questions of %d, %d, %d bytes", len(dns.bytes), len(mdns.bytes), len(quic.bytes))
	}
	header := func(q question, flags byte) []byte {
		return []byte{q.bytes[0], q.bytes[1], flags, 5, 0, 0, 0, 0, 0, 0, 0, 0}
	}
	// Connection IDs lie behind the version: destination at 6, source at 15.
	negotiation := func(destination, source []byte) []byte {
		b := append([]byte{0x80, 0, 0, 0, 0, 8}, destination...)
		return append(append(append(b, 8), source...), 0, 0, 0, 1)
	}
	d, s := quic.bytes[6:14], quic.bytes[15:23]
	tests := []struct {
		name  string
		q     question
		reply []byte
		want  bool
	}{
		{"a header with our ID", dns, header(dns, 0x80), true},
		{"a query with our ID", dns, header(dns, 0), false},
		{"another ID", dns, []byte{dns.bytes[0] + 1, 0, 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0}, false},
		{"cut short", dns, header(dns, 0x80)[:11], false},
		{"mDNS with our ID", mdns, header(mdns, 0x84), true},
		{"mDNS with ID 0", mdns, []byte{0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0}, true},
		{"version negotiation", quic, negotiation(s, d), true},
		{"version negotiation for another", quic, negotiation(d, s), false},
		{"a QUIC packet of a version", quic, quic.bytes, false},
		{"version negotiation cut short", quic, negotiation(s, d)[:20], false},
	}
	for _, tt := range tests {
		if got := tt.q.answeredBy(tt.reply); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	questions := []question{dnsQuestion(), mdnsQuestion(), quicQuestion()}
	for _, q := range questions {
		f.Add(q.bytes)
	}
	f.Add([]byte{0x80, 0, 0, 0, 0, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		for i, q := range questions {
			if q.answeredBy(b) && len(b) < dnsHeader {
				t.Errorf("question %d is answered by %d bytes", i, len(b))
			}
		}
	})
}
