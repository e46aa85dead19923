package iana

import (
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/atlas"
)

const header = "Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,Registration Date," +
	"Modification Date,Reference,Service Code,Unauthorized Use Reported,Assignment Notes\n"

func TestParse(t *testing.T) {
	tests := []struct {
		name, in string
		want     File
	}{
		{"a row", "domain,53,udp,Domain Name Server,[A],[B],,,[RFC1035],,,\n", File{Rows: []atlas.Registration{
			{First: 53, Last: 53, Transport: "udp", Name: "domain", Description: "Domain Name Server", Reference: "RFC1035"},
		}}},
		{"a range", "x11,6000-6063,TCP,X Window System,,,,,,,,\n", File{Rows: []atlas.Registration{
			{First: 6000, Last: 6063, Transport: "tcp", Name: "x11", Description: "X Window System"},
		}}},
		{"dates", "a,1,tcp,,,,2001-02-03,2024-05-06,,,,\nb,2,tcp,,,,2025-01,,,,,\n", File{Newest: "2024-05-06", Rows: []atlas.Registration{
			{First: 1, Last: 1, Transport: "tcp", Name: "a", Registered: "2001-02-03", Modified: "2024-05-06"},
			{First: 2, Last: 2, Transport: "tcp", Name: "b", Registered: "2025-01"},
		}}},
		{"several lines", "whoispp,63,tcp,\"whois++\r\n  was \"\"whois++\"\".\",,,,,\"[A\n B][RFC1]\",,used\tby X,\"one\ntwo\"\n", File{Rows: []atlas.Registration{
			{First: 63, Last: 63, Transport: "tcp", Name: "whoispp", Description: `whois++ was "whois++".`, Reference: "A B, RFC1", Unauthorized: "used by X", Notes: "one two"},
		}}},
		{"no name", ",4,tcp,Unassigned,,,,,,,,\n,5,,Reserved,,,,,,,,\n", File{Rows: []atlas.Registration{
			{First: 4, Last: 4, Transport: "tcp", Description: "Unassigned"},
			{First: 5, Last: 5, Description: "Reserved"},
		}}},
		{"no transport", "boe-cms,6400,,Contact,,,,,,,,\n,7788,,Unassigned,,,,,,,Known,\n", File{Rows: []atlas.Registration{
			{First: 6400, Last: 6400, Name: "boe-cms", Description: "Contact"},
			{First: 7788, Last: 7788, Description: "Unassigned", Unauthorized: "Known"},
		}}},
		{"skipped", "a,,tcp,,,,,,,,,\n,8-9,,unassigned,,,,,,,,\nb,7,quic,,,,,,,,,\nc,3,udp,,,,,,,,,\n", File{Skipped: 3, Rows: []atlas.Registration{
			{First: 3, Last: 3, Transport: "udp", Name: "c"},
		}}},
		{"hostile text", "a,1,tcp,x\x1b[2J\u202ey\xff,,,,,[],,,\n", File{Rows: []atlas.Registration{
			{First: 1, Last: 1, Transport: "tcp", Name: "a", Description: "x[2Jy\ufffd"},
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(iotest.OneByteReader(strings.NewReader(header + tt.in)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The columns may stand in any order, and most may be missing.
func TestParseColumns(t *testing.T) {
	want := []atlas.Registration{{First: 53, Last: 53, Transport: "udp", Name: "domain", Description: "DNS"}}
	for _, in := range []string{
		"\ufeffService Name,Port Number,Transport Protocol,Description\r\ndomain,53,udp,DNS\r\n",
		"Description,Extra,transport protocol, PORT NUMBER ,Service Name\nDNS,x,udp,53,domain\n",
	} {
		got, err := Parse(strings.NewReader(in))
		if err != nil || !cmp.Equal(got.Rows, want) {
			t.Errorf("%q: %+v, %v", in, got.Rows, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	row := func(port string) string { return header + "\na,1,tcp,,,,,,,,,\nb," + port + ",tcp,,,,,,,,,\n" }
	tests := []struct{ in, want string }{
		{"", "the registry is empty"},
		{"<html>", "not a registry of port numbers: line 1 must name the columns"},
		{"Service Name,Port Number,Description\n", "not a registry of port numbers: line 1 must name the columns"},
		{"a\"b\n", "not a registry of port numbers: parse error on line 1"},
		{header, "the registry has no row with a port"},
		{header + "a,,tcp,,,,,,,,,\n", "the registry has no row with a port"},
		{row("x"), `line 4: "x" is no port number`},
		{row("65536"), `line 4: "65536" is no port number`},
		{row("-1"), `line 4: "-1" is no port number`},
		{row("1-"), `line 4: "1-" is no port number`},
		{row("9-1"), `line 4: the range "9-1" ends before it starts`},
		{header + "a,1,tcp\n", "record on line 2: wrong number of fields"},
		{header + "a,1,tcp,\"cut off", "parse error on line 2, column"},
		{header + strings.Repeat("a", 65) + ",1,tcp,,,,,,,,,\n", "line 2: the service name is longer than 64 bytes"},
		{header + "a,1,tcp," + strings.Repeat("a", 9000) + ",,,,,,,,\n", "line 2: a field is longer than 8192 bytes"},
		{header + strings.Repeat("a,1,tcp,,,,,,,,,\n", maxRows+1), "line 60002: the registry has more than 60000 rows"},
		{header + strings.Repeat("a,0-65535,tcp,,,,,,,,,\n", 5), "line 6: the rows hold more than 262144 ports together"},
		{header + strings.Repeat("\n", MaxBytes), "the registry is longer than 16777216 bytes"},
	}
	for _, tt := range tests {
		f, err := Parse(strings.NewReader(tt.in))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || f.Rows != nil {
			t.Errorf("%.40q: %d rows, error %v, want %s", tt.in, len(f.Rows), err, tt.want)
		}
	}
}

// TestParseRegistry reads the registry as it is committed.
func TestParseRegistry(t *testing.T) {
	in, err := os.Open("../sources/service-names-port-numbers.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f, err := Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Rows)+f.Skipped != 14_499 || len(f.Rows) < 12_561 || f.Newest != "2026-02-13" {
		t.Errorf("%d rows, %d skipped, the newest of %s", len(f.Rows), f.Skipped, f.Newest)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(header + "domain,53,udp,DNS,,,2001-01-01,,[RFC1035][RFC2],,,\n"))
	f.Add([]byte("Service Name,Port Number,Transport Protocol,Description\n,1-2,,\"a\nb\"\n"))
	f.Add([]byte(header + "a,65536,tcp,\"x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Parse(strings.NewReader(string(in)))
		if (err == nil) != (len(got.Rows) > 0) {
			t.Fatalf("%d rows with the error %v", len(got.Rows), err)
		}
		for _, r := range got.Rows {
			if r.First > r.Last || !askable(r.Transport) || len(r.Name) > maxName {
				t.Errorf("row %+v", r)
			}
			for _, text := range []string{r.Name, r.Description, r.Reference, r.Notes} {
				if oneLine(text) != text {
					t.Errorf("%q is not one clean line", text)
				}
			}
		}
	})
}
