package feed

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func small() Limits { return Limits{Bytes: 2000, Members: 3, Member: 20} }

func TestDocument(t *testing.T) {
	for _, c := range []struct{ name, text, members, fails string }{
		{"whole", `{"a":1,"list":[1,"two",{"x":[]}],"b":{}}`, `1|"two"|{"x":[]}`, ""},
		{"empty array", `{"list":[]}`, "", ""},
		{"empty", ``, "", "cut off or empty"},
		{"cut in a member", `{"list":[1,{"x":`, "1", "cut off"},
		{"cut between members", `{"list":[1,`, "1", "cut off"},
		{"cut before the end", `{"list":[1]`, "1", "cut off"},
		{"an array", `[1]`, "", "not in the expected form"},
		{"no array", `{"a":1}`, "", `no array "list"`},
		{"not an array", `{"list":{}}`, "", "not in the expected form"},
		{"twice", `{"list":[],"list":[]}`, "", "twice"},
		{"two documents", `{"list":[]}{}`, "", "follows the end"},
		{"too many", `{"list":[1,2,3,4]}`, "1|2|3", "more than 3 members"},
		{"too long a member", `{"list":["` + strings.Repeat("x", 30) + `"]}`, "", "longer than 20 bytes"},
		{"too long", `{"a":"` + strings.Repeat("x", 3000) + `"}`, "", "longer than 2000 bytes"},
		{"HTML", `<html>`, "", "invalid character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			err := Document(strings.NewReader(c.text), "list", small(),
				func(string, json.RawMessage) error { return nil },
				func(_ string, v json.RawMessage) error { got = append(got, string(v)); return nil })
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("error %v, want %q", err, c.fails)
			}
			if d := cmp.Diff(c.members, strings.Join(got, "|")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDeepDocument(t *testing.T) {
	deep := strings.Repeat("[", 1<<20)
	for _, text := range []string{`{"a":` + deep, `{"list":[` + deep} {
		err := Document(strings.NewReader(text), "list", Limits{Bytes: 1 << 22, Members: 1, Member: 1 << 22},
			func(string, json.RawMessage) error { return nil }, func(string, json.RawMessage) error { return nil })
		if err == nil {
			t.Error("a million brackets were read")
		}
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                       "plain",
		" two\n lines\t":              "two lines",
		"\x1b[2Jred\x07 \u202eturned": "[2Jred turned",
		"a\x80b":                      "ab",
		"much too long for twenty":    "much too long for…",
		"ääääääääääääää":              "ääääääää…",
	} {
		if got := Line(in, 20); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCVE(t *testing.T) {
	for id, want := range map[string]uint64{
		"CVE-2023-50387": 50387, "CVE-1999-0001": 1, "CVE-2014-10000001": 10000001,
		"CVE-2023-503": 0, "cve-2023-50387": 0, "CVE-2023-050387": 0, "CVE-2023-5038x": 0, "CVE-0023-50387": 0,
		"CVE-2023-99999999999999999999": 0, "CVE-2023-+5038": 0, "": 0, "CVE-2023": 0, "../CVE-2023-50387": 0,
	} {
		if _, got, ok := CVE(id); got != want || ok != (want != 0) {
			t.Errorf("CVE(%q) = %d, %v", id, got, ok)
		}
	}
}

func TestDate(t *testing.T) {
	for in, want := range map[string]string{
		"2026-07-23T16:21:10.8082Z": "2026-07-23", "2026.07.23": "2026-07-23", "2026-07-23": "2026-07-23",
		"2026-13-23": "", "2026-00-10": "", "26-07-23": "", "": "", "yesterday!": "", "2026-07-4x": "", "2026\x1b07-23": "",
	} {
		if got := Date(in); got != want {
			t.Errorf("Date(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("text \x1b[31m", 8)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 3 + limit&0xff
		got := Line(text, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\n\r\x00") {
			t.Errorf("Line(%q, %d) = %q", text, limit, got)
		}
	})
}
