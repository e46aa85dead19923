package dnswire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// packed gives the wire form of a query, as the other side sees it.
func packed(t *testing.T, q Query, id uint16) []byte {
	t.Helper()
	wire, err := q.Pack(id)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// reply turns a query into an answer with the rcode and nothing else.
func reply(wire []byte, rcode byte) []byte {
	out := append([]byte(nil), wire...)
	out[2] |= 0x80
	out[3] = rcode
	return out
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	query := packed(t, Query{Name: "example.net", Type: TypeSOA}, 7)
	update := packed(t, Query{Name: "example.net", Type: TypeSOA, Opcode: OpUpdate}, 7)
	edit := func(f func(b []byte)) []byte {
		b := reply(query, 0)
		f(b)
		return b
	}
	for _, tt := range []struct {
		name  string
		wire  []byte
		query []byte
		want  bool
	}{
		{"plain answer", reply(query, 0), query, true},
		{"refusal with question", reply(query, 5), query, true},
		{"refusal of 12 bytes", edit(func(b []byte) { b[5] = 0 })[:12], query, true},
		{"12 bytes that promise a question", reply(query, 5)[:12], query, false},
		{"the query itself", query, query, false},
		{"other ID", edit(func(b []byte) { b[1] = 8 }), query, false},
		{"other opcode", reply(query, 0), update, false},
		{"other letter case", edit(func(b []byte) { b[13] = 'E' }), query, true},
		{"other name", edit(func(b []byte) { b[13] = 'x' }), query, false},
		{"other type", edit(func(b []byte) { b[len(query)-3] = 1 }), query, false},
		{"other class", edit(func(b []byte) { b[len(query)-1] = 3 }), query, false},
		{"cut inside the question", reply(query, 0)[:15], query, false},
		{"pointer to itself", append(reply(query, 0)[:12], 0xc0, 12, 0, 6, 0, 1), query, false},
		{"empty", nil, query, false},
		{"eleven bytes", reply(query, 0)[:11], query, false},
		{"update", reply(update, 5), update, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Answers(tt.wire, tt.query); got != tt.want {
				t.Errorf("Answers = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	query := packed(t, Query{Name: "example.net", Type: TypeA}, 7)
	answer := append(reply(query, 0), 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1)
	answer[7] = 1
	opt := append(reply(query, 0), 0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0)
	opt[11] = 1
	for _, tt := range []struct {
		name      string
		wire      []byte
		summary   string
		malformed bool
	}{
		{"answer", answer, "NOERROR, 1 answer, 0 authority, 0 additional, 45 bytes: example.net. 60 IN A 192.0.2.1", false},
		{"answer cut in its data", answer[:len(answer)-2], "NOERROR, 0 answer, 0 authority, 0 additional, 43 bytes, malformed", true},
		{"header only", reply(query, 5)[:12], "REFUSED, 0 answer, 0 authority, 0 additional, 12 bytes", false},
		{"question cut", reply(query, 5)[:14], "REFUSED, 0 answer, 0 authority, 0 additional, 14 bytes, malformed", true},
		{"extended rcode", opt, "BADVERS, 0 answer, 0 authority, 1 additional, 40 bytes", false},
		{"unknown rcode", reply(query, 12), "RCODE12, 0 answer, 0 authority, 0 additional, 29 bytes", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := Parse(tt.wire)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.summary, m.Summary()); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
			if (m.Malformed != nil) != tt.malformed {
				t.Errorf("malformed: %v, want %v", m.Malformed, tt.malformed)
			}
		})
	}
	if _, err := Parse(answer[:11]); err == nil {
		t.Error("11 bytes were taken for a message")
	}
}

func TestLooksLikeResponse(t *testing.T) {
	t.Parallel()
	query := packed(t, Query{Name: "example.net", Type: TypeA}, 7)
	full := reply(query, 0)
	counts := func(an, tc byte) []byte {
		b := reply(query, 0)
		b[2] |= tc
		b[7] = an
		return b
	}
	for _, tt := range []struct {
		name string
		wire []byte
		want bool
	}{
		{"answer", full, true},
		{"query", query, false},
		{"header", append(append([]byte(nil), full[:4]...), make([]byte, 8)...), true},
		{"short", full[:11], false},
		{"more records than bytes", counts(9, 0), false},
		{"the same, truncated", counts(9, 2), true},
		{"SSH banner", []byte("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"), false},
		{"HTTP", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := LooksLikeResponse(tt.wire); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestSummaryIsOneLine holds for whatever bytes a peer puts into a record.
func TestSummaryIsOneLine(t *testing.T) {
	t.Parallel()
	m := &Message{}
	m.Answer = []RR{&TXT{Hdr: RRHeader{Name: "x.", Rrtype: TypeTXT, Class: ClassCH}, Txt: []string{"a\nb\x1b[31mc\x00\x7f"}}}
	for _, r := range m.Summary() {
		if r < ' ' || r == 0x7f {
			t.Fatalf("control character %q in %q", r, m.Summary())
		}
	}
}

func FuzzParse(f *testing.F) {
	q, err := Query{Name: "example.net", Type: TypeA, EDNS: &EDNS{UDPSize: 1232, DO: true}}.Pack(7)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(q)
	f.Add(reply(q, 5)[:12])
	f.Add(append(reply(q, 0), 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			if len(b) >= headerLen {
				t.Fatalf("%d bytes refused: %v", len(b), err)
			}
			return
		}
		if m.Size != len(b) || m.Summary() == "" || m.RcodeName() == "" {
			t.Fatalf("size %d of %d, summary %q", m.Size, len(b), m.Summary())
		}
		for _, rr := range m.Answer {
			_ = rr.String()
		}
		_, _ = m.OPT(), m.TXT()
		LooksLikeResponse(b)
	})
}

func FuzzAnswers(f *testing.F) {
	q, err := Query{Name: "example.net", Type: TypeA}.Pack(7)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reply(q, 0), q)
	f.Add(reply(q, 5)[:12], q)
	f.Add([]byte{}, q)
	f.Fuzz(func(t *testing.T, wire, query []byte) {
		if Answers(wire, query) && (wire[0] != query[0] || wire[1] != query[1] || wire[2]&0x80 == 0) {
			t.Fatalf("accepted %x for %x", wire, query)
		}
	})
}
