package dnswire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQueryPack(t *testing.T) {
	t.Parallel()
	apex := RRHeader{Name: "example.net.", Rrtype: TypeANY, Class: ClassNONE}
	soa := &SOA{Hdr: RRHeader{Name: "example.net.", Rrtype: TypeSOA, Class: ClassIN}, Ns: ".", Mbox: ".", Serial: 5}
	for _, tt := range []struct {
		text  string
		query Query
	}{
		{"example.net. SOA", Query{Name: "example.net", Type: TypeSOA}},
		{"example.net. SOA +rd", Query{Name: "example.net.", Type: TypeSOA, RD: true}},
		{"version.bind. TXT CH", Query{Name: "version.bind", Type: TypeTXT, Class: ClassCH}},
		{". NS", Query{Name: ".", Type: TypeNS}},
		{"example.net. A +rd +cd +ad +z", Query{Name: "example.net", Type: TypeA, RD: true, CD: true, AD: true, Z: true}},
		{"example.net. TYPE65280", Query{Name: "example.net", Type: 65280}},
		{"OPCODE15 example.net. SOA", Query{Name: "example.net", Type: TypeSOA, Opcode: 15}},
		{"example.net. ANY +edns=4096 +do", Query{Name: "example.net", Type: TypeANY, EDNS: &EDNS{UDPSize: 4096, DO: true}}},
		{"example.net. A +edns=512 +version=1 +flags=0x0001", Query{Name: "example.net", Type: TypeA, EDNS: &EDNS{UDPSize: 512, Version: 1, Flags: 1}}},
		{"example.net. A +edns=1232 +opt65100=65100:0x6869", Query{Name: "example.net", Type: TypeA, EDNS: &EDNS{UDPSize: 1232, Options: []Option{&LocalOpt{Code: 65100, Data: []byte("hi")}}}}},
		{"UPDATE example.net. SOA [example.net. 0 NONE ANY]", Query{Name: "example.net", Type: TypeSOA, Opcode: OpUpdate, Answer: []RR{&ANY{Hdr: apex}}}},
		{"example.net. IXFR [authority example.net. 0 IN SOA . . 5 0 0 0 0]", Query{Name: "example.net", Type: TypeIXFR, Authority: []RR{soa}}},
	} {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.text, tt.query.String()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			roundTrip(t, tt.query)
		})
	}
}

// roundTrip packs a query and compares what is read back with what was meant.
func roundTrip(t *testing.T, q Query) {
	t.Helper()
	wire := packed(t, q, 0xbeef)
	m, err := Parse(wire)
	if err != nil || m.Malformed != nil {
		t.Fatalf("own query does not parse: %v, %v", err, m.Malformed)
	}
	back := Query{
		Name: m.Question[0].Name, Type: m.Question[0].Qtype, Class: m.Question[0].Qclass, Opcode: m.Opcode,
		RD: m.RecursionDesired, CD: m.CheckingDisabled, AD: m.AuthenticatedData, Z: m.Zero,
		Answer: m.Answer, Authority: m.Ns,
	}
	if o := m.OPT(); o != nil {
		back.EDNS = &EDNS{UDPSize: o.UDPSize(), Version: o.Version(), DO: o.Do(), Flags: uint16(o.Hdr.Ttl & 0x7fff), Options: o.Option} //nolint:gosec // masked
	}
	if m.Id != 0xbeef || m.Response || back.String() != q.String() {
		t.Errorf("read back %q (id %#x), sent %q", back, m.Id, q)
	}
}

// TestQueryStringTellsApart: answers are remembered under the text.
func TestQueryStringTellsApart(t *testing.T) {
	t.Parallel()
	rr := []RR{&ANY{Hdr: RRHeader{Name: "x.", Rrtype: TypeANY, Class: ClassNONE}}}
	seen := map[string]int{}
	for i, q := range []Query{
		{Name: "x"},
		{Name: "x", Type: 1},
		{Name: "x", Opcode: OpNotify},
		{Name: "x", RD: true},
		{Name: "x", Z: true},
		{Name: "x", EDNS: &EDNS{}},
		{Name: "x", EDNS: &EDNS{UDPSize: 512}},
		{Name: "x", EDNS: &EDNS{DO: true}},
		{Name: "x", EDNS: &EDNS{Options: []Option{&LocalOpt{Code: 9, Data: []byte{1}}}}},
		{Name: "x", EDNS: &EDNS{Options: []Option{&LocalOpt{Code: 9, Data: []byte{2}}}}},
		{Name: "x", Answer: rr},
		{Name: "x", Authority: rr},
	} {
		if j, dup := seen[q.String()]; dup {
			t.Errorf("queries %d and %d are both %q", i, j, q)
		}
		seen[q.String()] = i
	}
}

func TestQueryPackRefuses(t *testing.T) {
	t.Parallel()
	long := "a123456789012345678901234567890123456789012345678901234567890123.net"
	for _, name := range []string{long, "a..b"} {
		if wire, err := (Query{Name: name, Type: TypeA}).Pack(1); err == nil {
			t.Errorf("%q was packed into %x", name, wire)
		}
	}
}

func FuzzQueryPack(f *testing.F) {
	f.Add("example.net", uint16(1), uint16(1), 0, uint16(1232), true)
	f.Add(".", uint16(255), uint16(3), 4, uint16(0), false)
	f.Add("a\\.b\\000.net", uint16(65535), uint16(254), 15, uint16(512), true)
	f.Fuzz(func(t *testing.T, name string, rrtype, class uint16, opcode int, size uint16, do bool) {
		q := Query{Name: name, Type: rrtype, Class: class, Opcode: opcode & 15, EDNS: &EDNS{UDPSize: size, DO: do}}
		wire, err := q.Pack(1)
		if err != nil {
			return
		}
		m, err := Parse(wire)
		if err != nil || m.Malformed != nil {
			t.Fatalf("%s packed into what does not parse: %v, %v", q, err, m.Malformed)
		}
		if m.Question[0].Qtype != rrtype || m.OPT().UDPSize() != size || m.OPT().Do() != do {
			t.Fatalf("%s read back as %s", q, &m.Msg)
		}
		answer := append([]byte(nil), wire...)
		answer[2] |= 0x80
		if !Answers(answer, wire) {
			t.Fatalf("an answer to %s is not recognised", q)
		}
	})
}
