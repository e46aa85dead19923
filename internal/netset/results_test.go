package netset

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadResults(t *testing.T) {
	line := func(addr, state string) string {
		return fmt.Sprintf(`{"type":"port","address":%q,"port":53,"transport":"tcp","state":%q,"reason":"syn-ack","rtt_ms":0.4}`+"\n", addr, state)
	}
	const (
		summary = `{"type":"summary","probes_sent":9,"targets":4,"completeness":null,"mode":"raw"}` + "\n"
		none    = `target "r": a result without an open port`
	)
	tests := []struct{ name, in, want, err string }{
		{"lines", line("192.0.2.1", "open") + line("192.0.2.2", "closed") + line("2001:db8::1", "open") + summary, "192.0.2.1 2001:db8::1", ""},
		{"once each", line("192.0.2.1", "open") + line("192.0.2.1", "open") + line("::ffff:192.0.2.1", "open"), "192.0.2.1", ""},
		{"of one state", line("192.0.2.1", "open|filtered") + line("192.0.2.2", "filtered") + line("192.0.2.3", "unmeasured") + line("192.0.2.4", "open"), "192.0.2.4", ""},
		{"closed and open", line("192.0.2.1", "closed") + line("192.0.2.1", "open"), "192.0.2.1", ""},
		{"carriage returns", strings.ReplaceAll(line("192.0.2.1", "open")+line("192.0.2.2", "open"), "\n", "\r\n"), "192.0.2.1 192.0.2.2", ""},
		{"no last newline", strings.TrimSpace(line("192.0.2.1", "open")), "192.0.2.1", ""},
		{"blank lines", "\n\n" + line("192.0.2.1", "open") + "\n", "192.0.2.1", ""},
		{"lines of an assessment", `{"type":"asset","address":"192.0.2.7","labels":["x"]}` + "\n" + line("192.0.2.7", "closed") +
			`{"type":"finding","id":"REC-1","address":"192.0.2.8"}` + "\n" + `{"type":"unmeasured","address":"192.0.2.9","what":"x"}` + "\n" +
			`{"type":"quiet","prefix":"192.0.2.0/24","state":"open"}` + "\n" + summary, "192.0.2.7", ""},
		{"document of a scan", `{"ports":[` + strings.TrimSpace(line("192.0.2.1", "open")) + ",\n" + strings.TrimSpace(line("192.0.2.2", "closed")) + "\n]," +
			`"summary":{"mode":"raw"}}`, "192.0.2.1", ""},
		{"document without types", `{"summary":{"a":[1,{"b":[]}]},"ports":[{"address":"192.0.2.1","state":"open"}]}`, "192.0.2.1", ""},
		{"document of an assessment", `{"schema":"reconshield.assessment/1","scope":["10.0.0.0/8"],"assets":[` +
			`{"address":"192.0.2.7","ports":[{"port":53,"state":"closed"}],"findings":[{"address":"192.0.2.9"}]},{"address":"2001:db8::7"}],` +
			`"unmeasured":[{"address":"192.0.2.8"}]}`, "192.0.2.7 2001:db8::7", ""},
		{"list of lines", "[" + strings.TrimSpace(line("192.0.2.1", "open")) + "]", "192.0.2.1", ""},
		{"nothing open", line("192.0.2.1", "closed") + summary, "", none},
		{"only a summary", summary, "", none},
		{"no ports", `{"ports":[],"summary":{}}`, "", none},
		{"null ports", `{"ports":null,"summary":{}}`, "", none},
		{"no assets", `{"schema":"reconshield.assessment/1","assets":[]}`, "", none},
		{"loopback", line("127.0.0.1", "open"), "127.0.0.1", ""},

		{"empty", "", "", "r: JSON, but no result of a scan or an assessment"},
		{"other JSON", `{"hello":"world"}`, "", "r: JSON, but no result of a scan or an assessment"},
		{"empty list", `[]`, "", "r: JSON, but no result of a scan or an assessment"},
		{"number", `7`, "", "r: not a result: a value that is no object"},
		{"numbers", "7\n8", "", "r: not a result: a value that is no object"},
		{"something after the end", `{"ports":[]}{"ports":[]}`, "", "r: not a result: something follows its end"},
		{"broken in a later line", line("192.0.2.1", "open") + "oops\n", "", "r: invalid character 'o' looking for beginning of value"},
		{"cut in a line", line("192.0.2.1", "open") + line("192.0.2.2", "open")[:40], "", "r: ends in the middle; the run that wrote it may have been cut off"},
		{"cut in a document", `{"ports":[{"address":"192.0.2.1","state":"open"}`, "", "r: ends in the middle; the run that wrote it may have been cut off"},
		{"cut after a name", `{"ports"`, "", "r: ends in the middle; the run that wrote it may have been cut off"},
		{"cut in what is skipped", `{"summary":{"a":[1`, "", "r: ends in the middle; the run that wrote it may have been cut off"},
		{"not JSON", `{"ports":[}`, "", "r: invalid character '}' looking for beginning of value"},
		{"a prefix", line("10.0.0.0/8", "open"), "", `r: target "10.0.0.0/8": not an address`},
		{"a name", line("evil.example", "open"), "", `r: target "evil.example": not an address`},
		{"a range", line("10.0.0.1-9", "open"), "", `r: target "10.0.0.1-9": not an address`},
		{"no address", line("", "open"), "", `r: target "": not an address`},
		{"hostile address", `{"address":"\u001b[2J","state":"open"}`, "", `r: target "\x1b[2J": not an address`},
		{"zone", line("fe80::1%eth0", "open"), "", `r: target "fe80::1%eth0": zones are not supported; write the address without %zone`},
		{"multicast", line("224.0.0.1", "open"), "", `r: target "224.0.0.1": multicast (224.0.0.0/4) cannot be scanned`},
		{"broadcast", line("255.255.255.255", "open"), "", `r: target "255.255.255.255": limited broadcast (255.255.255.255) cannot be scanned`},
		{"address of another type", `{"type":"port","address":7,"state":"open"}`, "", "r: not a result: number where the address should be"},
		{"state of another type", `{"ports":[{"address":"192.0.2.1","state":[]}]}`, "", "r: not a result: array where the state should be"},
		{"ports of another type", `{"ports":{"address":"192.0.2.1"}}`, "", "r: not a result: no list where the ports or assets should be"},
		{"deep", `{"x":` + strings.Repeat("[", 2000), "", "r: not a result: nested too deeply"},
		{"long", `{"x":"` + strings.Repeat("a", maxMember+maxMember/2) + `"}`, "", fmt.Sprintf("r: not a result: a part of it is longer than %d bytes", maxMember)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ReadResults(strings.NewReader(tt.in), "r")
			said := ""
			switch {
			case err != nil:
				said = err.Error()
			case len(s.Warnings) > 0:
				said = s.Warnings[0].String()
			}
			if said != tt.err {
				t.Fatalf("said %s, want %s", said, tt.err)
			}
			if tt.want == "" {
				if !s.Empty() {
					t.Errorf("%v is not empty", s)
				}
				return
			}
			if got := join(slices.Collect(resolve(t, s).All())); got != tt.want {
				t.Errorf("addresses = %s, want %s", got, tt.want)
			}
		})
	}
}

// What a report writes is what is read here.
func TestReadResultsOfReports(t *testing.T) {
	for _, name := range []string{"rich.json", "rich.jsonl"} {
		f, err := os.Open("../report/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s, err := ReadTargets(f, name)
		if err != nil {
			t.Fatal(err)
		}
		scope := resolve(t, s)
		if addr := netip.MustParseAddr("192.0.2.7"); !scope.Contains(addr) || !scope.Single(addr) || scope.Len() < 2 {
			t.Errorf("%s: %s", name, join(slices.Collect(scope.All())))
		}
	}
}

// A result may stand wherever a list of targets may.
func TestReadTargetsOfResults(t *testing.T) {
	const row = `{"address":"192.0.2.1","state":"open"}`
	tests := []struct{ name, in, want, err string }{
		{"lines", row + "\n" + row + "\n", "192.0.2.1", ""},
		{"byte order mark", "\ufeff" + row, "192.0.2.1", ""},
		{"space before", " \r\n\t" + row, "192.0.2.1", ""},
		{"document", "{\n  \"ports\": [" + row + "]}", "192.0.2.1", ""},
		{"list", "[\n " + row + "]", "192.0.2.1", ""},
		{"bracketed address", "[2001:db8::1]\n192.0.2.1", "192.0.2.1 2001:db8::1", ""},
		{"one short line", "::2", "::2", ""},
		{"bracket alone", "[", "", `r:1: target "[": closing bracket is missing`},
		{"broken", "{", "", "r: ends in the middle; the run that wrote it may have been cut off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ReadTargets(iotest.OneByteReader(strings.NewReader(tt.in)), "r")
			if err != nil || tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error = %v, want %s", err, tt.err)
				}
				return
			}
			if got := join(slices.Collect(resolve(t, s).All())); got != tt.want {
				t.Errorf("addresses = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestReadResultsReaderError(t *testing.T) {
	broken := errors.New("disk on fire")
	r := io.MultiReader(strings.NewReader(`{"ports":[{"address":"192.0.2.1"},`), iotest.ErrReader(broken))
	if _, err := ReadTargets(r, "r"); !errors.Is(err, broken) || err.Error() != "r: disk on fire" {
		t.Errorf("error = %v", err)
	}
}

func TestReadResultsOfTooMany(t *testing.T) {
	if s, err := readResults(rows(100), "r", 100); err != nil || len(s.entries) != 100 {
		t.Errorf("%d addresses, %v", len(s.entries), err)
	}
	if _, err := readResults(rows(101), "r", 100); err == nil || err.Error() != "r: more than 100 addresses" {
		t.Errorf("error = %v", err)
	}
}

// rows gives a result of n lines, each of another address.
func rows(n int) io.Reader {
	return &rowReader{left: n, addr: netip.MustParseAddr("10.0.0.0")}
}

type rowReader struct {
	left int
	addr netip.Addr
	text []byte // not yet read
}

func (r *rowReader) Read(p []byte) (int, error) {
	for len(r.text) < len(p) && r.left > 0 {
		r.left--
		r.text = append(r.text, `{"type":"port","address":"`...)
		r.text = r.addr.AppendTo(r.text)
		r.text = append(r.text, `","port":53,"transport":"tcp","state":"open","reason":"syn-ack","rtt_ms":0.4}`+"\n"...)
		r.addr = r.addr.Next()
	}
	if len(r.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text)
	r.text = r.text[:copy(r.text, r.text[n:])]
	return n, nil
}

func FuzzReadResults(f *testing.F) {
	f.Add(`{"type":"port","address":"192.0.2.1","state":"open"}` + "\n" + `{"type":"summary"}`)
	f.Add(`{"ports":[{"address":"192.0.2.1","state":"open"},{"address":"::1"}],"summary":{"x":[1,{}]}}`)
	f.Add(`{"schema":"x","assets":[{"address":"2001:db8::1","ports":[{}]}]}`)
	f.Add(`[{"address":"10.0.0.0/8"}]`)
	f.Add(`{"ports":null}{"assets":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ReadResults(strings.NewReader(text), "f")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f: ") || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("error %q", err)
			}
			return
		}
		if len(s.Hosts()) > 0 || len(s.entries) > strings.Count(text, "{") {
			t.Fatalf("%q gives %v", text, s)
		}
		for _, e := range s.entries {
			if !e.single || !e.span.IsValid() || e.span.From() != e.span.To() {
				t.Fatalf("%q gives more than an address: %v", text, e.span)
			}
		}
	})
}

func BenchmarkReadResults(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		if s, err := ReadResults(rows(n), "r"); err != nil || len(s.entries) != n {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}
