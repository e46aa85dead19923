package kev

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/intel"
)

func TestParse(t *testing.T) {
	f, err := os.Open("testdata/kev.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	want := Catalogue{Version: "2026.07.23", Released: "2026-07-23", Entries: []intel.Exploited{
		{ID: "CVE-2020-1350", Added: "2021-11-03", Vendor: "Microsoft", Product: "Windows", Name: "Microsoft Windows DNS Server Remote Code Execution Vulnerability"},
		{ID: "CVE-2020-8816", Added: "2021-11-03", Ransomware: true, Vendor: "Pi-hole", Product: "AdminLTE", Name: "Pi-Hole AdminLTE Remote Code Execution Vulnerability"},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWholeCatalogue(t *testing.T) {
	f, err := os.Open("../sources/known_exploited_vulnerabilities.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	const least = 1653
	if len(c.Entries) < least || c.Version == "" {
		t.Errorf("%d entries, version %q", len(c.Entries), c.Version)
	}
}

func TestParseRefuses(t *testing.T) {
	good := `{"cveID":"CVE-2020-1350","dateAdded":"2021-11-03"}`
	for _, c := range []struct{ name, text, says string }{
		{"empty", ``, "cut off"},
		{"cut", `{"dateReleased":"2026-07-23","vulnerabilities":[` + good, "cut off"},
		{"no entries", `{"dateReleased":"2026-07-23","vulnerabilities":[]}`, "no entries"},
		{"wrong count", `{"dateReleased":"2026-07-23","count":2,"vulnerabilities":[` + good + `]}`, "says that it has 2"},
		{"huge count", `{"count":1e999,"vulnerabilities":[` + good + `]}`, "cannot unmarshal"},
		{"no date", `{"vulnerabilities":[` + good + `]}`, "no date"},
		{"bad id", `{"vulnerabilities":[{"cveID":"../../etc"}]}`, "no CVE identifier"},
		{"bad day", `{"vulnerabilities":[{"cveID":"CVE-2020-1350","dateAdded":"soon"}]}`, "no date"},
		{"a number for an id", `{"vulnerabilities":[{"cveID":5}]}`, "cannot unmarshal"},
		{"another file", `{"objects":[]}`, "no array"},
		{"a page", `<!DOCTYPE html>`, "invalid character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

func TestHostileNames(t *testing.T) {
	got, err := Parse(strings.NewReader(`{"catalogVersion":"2026.01.01\u001b[2J","vulnerabilities":[
		{"cveID":"CVE-2020-1350","dateAdded":"2021-11-03","vulnerabilityName":"\u001b]0;x\u0007name\u202e\n2"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.Entries[0].Name != "]0;xname 2" || strings.Contains(got.Version, "\x1b") {
		t.Errorf("%+v", got)
	}
}

func FuzzParse(f *testing.F) {
	seed, err := os.ReadFile("testdata/kev.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(bytes.NewReader(data))
		if err == nil && (len(c.Entries) == 0 || c.Released == "") {
			t.Errorf("read nothing without an error: %+v", c)
		}
	})
}
