package report

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		in   []int
		want string
	}{
		{nil, ""},
		{[]int{53}, "53"},
		{[]int{54, 53}, "53 54"},
		{[]int{55, 53, 54}, "53-55"},
		{[]int{1, 2, 3, 5, 7, 8, 9, 10, 53, 53}, "1-3 5 7-10 53"},
	} {
		if got := numbers(c.in); got != c.want {
			t.Errorf("numbers(%v) = %q, want %q", c.in, got, c.want)
		}
	}
}

func check(id string, s exposure.Status, via exposure.Transport, reason string) exposure.CheckResult {
	return exposure.CheckResult{ID: id, Status: s, Transport: via, Reason: reason}
}

// TestPassed: a check is only said to have passed for what was really tested.
func TestPassed(t *testing.T) {
	const pass, fail, skip, broke = exposure.Pass, exposure.Fail, exposure.NotTested, exposure.Errored
	for _, c := range []struct {
		name   string
		checks []exposure.CheckResult
		want   []string
		open   int
	}{
		{"none", nil, nil, 0},
		{"passed", []exposure.CheckResult{check("A-1", pass, "udp", ""), check("A-1", pass, "tcp", "")}, []string{"A-1"}, 0},
		{"one transport fails", []exposure.CheckResult{check("A-1", pass, "udp", ""), check("A-1", fail, "tcp", "")}, nil, 0},
		{"one transport untested", []exposure.CheckResult{check("A-1", pass, "udp", ""), check("A-1", skip, "tcp", "")}, []string{"A-1 (udp only)"}, 0},
		{"does not apply to one", []exposure.CheckResult{check("A-1", pass, "udp", ""), check("A-1", skip, "tcp", "does not apply: x")}, []string{"A-1"}, 0},
		{"one transport broke", []exposure.CheckResult{check("A-1", broke, "udp", ""), check("A-1", pass, "tcp", "")}, []string{"A-1 (tcp only)"}, 0},
		{"untested", []exposure.CheckResult{check("A-1", skip, "udp", "")}, nil, 1},
		{"broke", []exposure.CheckResult{check("A-1", broke, "udp", "")}, nil, 1},
		{"does not apply", []exposure.CheckResult{check("A-1", skip, "udp", "does not apply: closed")}, nil, 0},
		{"no transport named", []exposure.CheckResult{check("A-1", pass, "", ""), check("B-1", skip, "", "")}, []string{"A-1"}, 1},
	} {
		a := exposure.Asset{Checks: c.checks}
		if diff := cmp.Diff(c.want, passed(a)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if got := notTested(a); got != c.open {
			t.Errorf("%s: %d not tested, want %d", c.name, got, c.open)
		}
	}
}

func TestGaps(t *testing.T) {
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	const skip = exposure.NotTested
	a := &exposure.Assessment{
		Unmeasured: []exposure.Gap{{What: "udp 53", Why: "no route", Address: ""}, {What: "FWD-1", Why: "no collector", Remedy: "run one", Address: one.String()}},
		Assets: []exposure.Asset{
			{Address: one, Checks: []exposure.CheckResult{
				check("SNP-1", skip, "udp", "no collector"), check("FWD-1", skip, "udp", "no collector"),
				check("AMP-1", exposure.Pass, "udp", ""), check("AMP-1", skip, "tcp", "does not apply: no spoofing"),
				check("ENC-1", exposure.Errored, "tcp", "broke"),
			}},
			{Address: two, Checks: []exposure.CheckResult{check("SNP-1", skip, "udp", "no collector")}},
		},
	}
	want := []gap{
		{What: []string{"FWD-1", "SNP-1"}, Why: "no collector", Remedy: "run one", On: []string{"192.0.2.1", "2001:db8::1"}, All: true},
		{What: []string{"udp 53"}, Why: "no route"},
		{What: []string{"AMP-1/tcp"}, Moot: true, Why: "does not apply: no spoofing", On: []string{"192.0.2.1"}},
		{What: []string{"ENC-1"}, Why: "error: broke", On: []string{"192.0.2.1"}},
	}
	if diff := cmp.Diff(want, gaps(a)); diff != "" {
		t.Error(diff)
	}
}

func TestEvidenceText(t *testing.T) {
	for _, c := range []struct {
		in   exposure.Evidence
		want string
	}{
		{exposure.Evidence{}, ""},
		{exposure.Evidence{Query: "q"}, "q"},
		{exposure.Evidence{Response: "r"}, "r"},
		{exposure.Evidence{Transport: "udp", Query: "q", Rcode: "REFUSED"}, "udp q > REFUSED"},
		{exposure.Evidence{Query: "q", Response: "NOERROR aa", Rcode: "NOERROR"}, "q > NOERROR aa"},
		{exposure.Evidence{Query: "q", Response: "aa", Rcode: "NOERROR", RTTms: 0.4}, "q > NOERROR aa; 0.40 ms"},
		{exposure.Evidence{Query: "q", Response: "r", From: "192.0.2.9"}, "q > r; ANSWERED BY 192.0.2.9"},
		{exposure.Evidence{Query: "q", Response: "r", From: "192.0.2.1"}, "q > r"},
		{exposure.Evidence{Query: "q", Response: "r", From: "[::ffff:192.0.2.1]:53"}, "q > r"},
		{exposure.Evidence{Query: "q", Response: "r, 29 bytes", BytesOut: 29, BytesIn: 29}, "q > r, 29 bytes"},
		{exposure.Evidence{Query: "q", BytesOut: 40, BytesIn: 400, RTTms: 120.4, Note: "n"}, "q > 400 bytes in for 40 out (x10.0), 120 ms; n"},
	} {
		if got := evidenceText(c.in, netip.MustParseAddr("192.0.2.1"), ">"); got != c.want {
			t.Errorf("%+v: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  []string
	}{
		{"", 10, nil},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 100, []string{"one two three"}},
		{"0123456789ab", 5, []string{"01234", "56789", "ab"}},
		{"a 0123456789", 5, []string{"a", "01234", "56789"}},
		{"例例例例", 4, []string{"例例", "例例"}},
		{"例", 1, []string{"例"}},
		{"x", 0, []string{"x"}},
	} {
		if diff := cmp.Diff(c.want, wrap(c.in, c.width)); diff != "" {
			t.Errorf("wrap(%q, %d): %s", c.in, c.width, diff)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("one two three", 7)
	f.Add("例 \u0301x 0123456789", 3)
	f.Fuzz(func(t *testing.T, s string, width int) {
		text := Sanitize(s)
		width = min(max(width, 2), 200)
		got := wrap(text, width)
		if strings.Join(strings.Fields(strings.Join(got, "")), "") != strings.Join(strings.Fields(text), "") {
			t.Fatalf("wrap(%q, %d) = %q loses text", text, width, got)
		}
	})
}

func TestConfigLines(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"\n\n", nil},
		{"a;", []string{"a;"}},
		{"\na {\n\tb;  \r\n\n};\n", []string{"a {", "    b;", "", "};"}},
		{"a\x1b[2J", []string{`a\x1b[2J`}},
	} {
		if diff := cmp.Diff(c.want, configLines(c.in)); diff != "" {
			t.Errorf("configLines(%q): %s", c.in, diff)
		}
	}
}

func TestDetect(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name string
		env  map[string]string
		want Options
	}{
		{"a file", nil, Options{}},
		{"columns", map[string]string{"COLUMNS": "72"}, Options{Width: 72}},
		{"columns, nonsense", map[string]string{"COLUMNS": "-3"}, Options{}},
		{"forced colour", map[string]string{"CLICOLOR_FORCE": "1"}, Options{Color: true}},
		{"not forced", map[string]string{"CLICOLOR_FORCE": "0"}, Options{}},
		{"NO_COLOR wins", map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, Options{}},
		{"C locale", map[string]string{"LANG": "C"}, Options{ASCII: true}},
		{"LC_ALL over LANG", map[string]string{"LANG": "C", "LC_ALL": "de_DE.UTF-8"}, Options{}},
		{"Latin-1", map[string]string{"LC_CTYPE": "de_DE.ISO8859-1"}, Options{ASCII: true}},
		{"C.utf8", map[string]string{"LANG": "C.utf8"}, Options{}},
	} {
		got := Detect(file, func(k string) string { return c.env[k] })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
