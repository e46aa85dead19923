package report_test

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

func render(t *testing.T, f report.Format, a *exposure.Assessment, opts report.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, f, a, opts); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	failing := report.Options{Width: 100, FailOn: exposure.HighSev, ExitCode: 1}
	narrow, wide, verbose, ascii, color := failing, failing, failing, failing, failing
	narrow.Width = 60
	wide.Width = 160
	verbose.Verbose = true
	ascii.ASCII = true
	color.Color = true
	for _, c := range []struct {
		name   string
		format report.Format
		a      *exposure.Assessment
		opts   report.Options
	}{
		{"rich.txt", report.Terminal, rich(), failing},
		{"rich-60.txt", report.Terminal, rich(), narrow},
		{"rich-160.txt", report.Terminal, rich(), wide},
		{"rich-verbose.txt", report.Terminal, rich(), verbose},
		{"rich-ascii.txt", report.Terminal, rich(), ascii},
		{"rich-color.txt", report.Terminal, rich(), color},
		{"clean.txt", report.Terminal, clean(), report.Options{FailOn: exposure.HighSev}},
		{"empty.txt", report.Terminal, empty(), report.Options{FailOn: exposure.HighSev, ExitCode: 3}},
		{"rich.json", report.JSON, rich(), failing},
		{"empty.json", report.JSON, empty(), failing},
		{"rich.jsonl", report.JSONL, rich(), failing},
		{"rich.csv", report.CSV, rich(), failing},
		{"rich.html", report.HTML, rich(), failing},
		{"rich.sarif", report.SARIF, rich(), failing},
	} {
		t.Run(c.name, func(t *testing.T) { golden(t, c.name, render(t, c.format, c.a, c.opts)) })
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (write it anew with -update):\n%s", name, diff)
	}
}

func TestWriteLeavesTheAssessmentAlone(t *testing.T) {
	a := rich()
	for _, f := range report.Formats() {
		render(t, f, a, report.Options{Verbose: true})
	}
	byValue := cmp.Options{
		cmp.Comparer(func(x, y netip.Addr) bool { return x == y }),
		cmp.Comparer(func(x, y netip.Prefix) bool { return x == y }),
	}
	if diff := cmp.Diff(rich(), a, byValue); diff != "" {
		t.Error(diff)
	}
}

// TestNothingActsOnATerminal: no format lets a control character through.
func TestNothingActsOnATerminal(t *testing.T) {
	for _, f := range report.Formats() {
		for _, verbose := range []bool{false, true} {
			out := render(t, f, rich(), report.Options{Verbose: verbose})
			if !utf8.ValidString(out) {
				t.Errorf("%s: not UTF-8", f)
			}
			for _, r := range out {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("%s: %U got through", f, r)
					break
				}
			}
		}
	}
}

// TestColourIsOnlyOurs: with colours, the only escapes are colours.
func TestColourIsOnlyOurs(t *testing.T) {
	out := render(t, report.Terminal, rich(), report.Options{Color: true, Verbose: true})
	if !strings.Contains(out, "\x1b[") {
		t.Fatal("no colours at all")
	}
	plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(out, "")
	if strings.ContainsRune(plain, '\x1b') {
		t.Error("an escape that is no colour got through")
	}
	if diff := cmp.Diff(render(t, report.Terminal, rich(), report.Options{Verbose: true}), plain); diff != "" {
		t.Errorf("colour changes the text:\n%s", diff)
	}
}

func TestWidthIsKept(t *testing.T) {
	config := regexp.MustCompile(`^ {8}`)
	for _, width := range []int{1, 40, 60, 80, 100, 140} {
		for _, verbose := range []bool{false, true} {
			out := render(t, report.Terminal, rich(), report.Options{Width: width, Verbose: verbose, FailOn: exposure.HighSev})
			for l := range strings.Lines(out) {
				l = strings.TrimSuffix(l, "\n")
				if n := ansi.StringWidth(l); n > max(width, 40) && !config.MatchString(l) {
					t.Errorf("width %d: line of %d columns: %q", width, n, l)
				}
			}
		}
	}
}

func TestConfigurationIsNeverWrapped(t *testing.T) {
	out := render(t, report.Terminal, rich(), report.Options{Width: 40})
	for _, want := range []string{
		"\n        nft add rule inet reconshield input ip saddr != { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } udp dport 53 counter drop\n",
		"\n        options {\n            recursion yes;\n            allow-recursion { localhost; localnets; };\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("missing %q", want)
		}
	}
}

func TestFirewallRuleIsPrintedOnce(t *testing.T) {
	const rule = "iptables -I INPUT -p udp --dport 53 ! -s 10.0.0.0/8 -j DROP"
	if n := strings.Count(render(t, report.Terminal, rich(), report.Options{}), rule); n != 1 {
		t.Errorf("the rule is printed %d times, want once", n)
	}
}

func TestPartialComesFirst(t *testing.T) {
	out := render(t, report.Terminal, rich(), report.Options{})
	partial, first := strings.Index(out, "PARTIAL"), strings.Index(out, "192.0.2.53")
	if partial < 0 || partial > first {
		t.Errorf("PARTIAL at %d, first asset at %d", partial, first)
	}
	if strings.Contains(render(t, report.Terminal, clean(), report.Options{}), "PARTIAL") {
		t.Error("a whole run is called partial")
	}
}

func TestWorstComesFirst(t *testing.T) {
	out := render(t, report.Terminal, rich(), report.Options{})
	at := -1
	for _, want := range []string{"── 192.0.2.53 ", "CRITICAL  UPD-1", "HIGH  REC-1", "HIGH  XFR-1", "MEDIUM  AMP-1", "LOW  ID-2", "── 192.0.2.80 ", "── 2001:db8::53 ", "── 192.0.2.99 "} {
		i := strings.Index(out, want)
		if i <= at {
			t.Errorf("%q at %d, want after %d", want, i, at)
		}
		at = i
	}
}

func TestParseFormat(t *testing.T) {
	for _, c := range []struct {
		in   string
		want report.Format
		bad  bool
	}{
		{in: "json", want: report.JSON},
		{in: " SARIF ", want: report.SARIF},
		{in: "terminal", want: report.Terminal},
		{in: "xml", bad: true},
		{in: "", bad: true},
	} {
		got, err := report.ParseFormat(c.in)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("ParseFormat(%q) = %q, %v", c.in, got, err)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("disk full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	for _, f := range report.Formats() {
		if err := report.Write(brokenWriter{}, f, rich(), report.Options{}); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := report.Write(&bytes.Buffer{}, "xml", rich(), report.Options{}); err == nil {
		t.Error("an unknown format is accepted")
	}
	if err := report.Write(&bytes.Buffer{}, report.JSON, nil, report.Options{}); err == nil {
		t.Error("a missing assessment is accepted")
	}
}

// TestFixIsPrintedOnce: a second host with the same trouble points to the first.
func TestFixIsPrintedOnce(t *testing.T) {
	a := clean()
	first, second := recursion(), recursion()
	second.Address = sshAddr
	a.Assets = []exposure.Asset{
		{Address: bindAddr, Findings: []exposure.Finding{first}}, {Address: sshAddr, Findings: []exposure.Finding{second}},
	}
	const line, pointer = "allow-recursion { localhost; localnets; };", "as for REC-1 on 192.0.2.53 above"
	for _, c := range []struct {
		name                  string
		verbose, other        bool
		wantLines, wantPoints int
	}{
		{"the same fix", false, false, 1, 1},
		{"another reason", false, true, 2, 0},
		{"verbose", true, false, 2, 0},
	} {
		a.Assets[1].Findings[0].Why = first.Why
		if c.other {
			a.Assets[1].Findings[0].Why = "for another reason"
		}
		out := render(t, report.Terminal, a, report.Options{Verbose: c.verbose})
		if l, p := strings.Count(out, line), strings.Count(out, pointer); l != c.wantLines || p != c.wantPoints {
			t.Errorf("%s: the fix is there %d times, the pointer %d; want %d and %d", c.name, l, p, c.wantLines, c.wantPoints)
		}
	}
}
