package epss

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func sample(tb testing.TB) []byte {
	tb.Helper()
	data, err := os.ReadFile("testdata/epss.csv")
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func packed(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestParse(t *testing.T) {
	for name, data := range map[string][]byte{
		"plain": sample(t), "gzip": packed(t, sample(t)), "DOS lines": bytes.ReplaceAll(sample(t), []byte("\n"), []byte("\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			again, err := Decode(s.Encode())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []*Scores{s, again} {
				if s.Date() != "2026-11-23" || s.Len() != 4 {
					t.Errorf("date %q, %d scores", s.Date(), s.Len())
				}
				for id, want := range map[string]float64{
					"CVE-1999-0001": 0.01141, "CVE-2020-1350": 0.94277, "CVE-2023-50387": 0.38221, "CVE-2014-10000001": 0,
					"CVE-2000-0001": -1, "CVE-2099-99999": -1, "nonsense": -1,
				} {
					if got, ok := s.Of(id); ok != (want >= 0) || ok && got != want {
						t.Errorf("%s: %v, %v, want %v", id, got, ok, want)
					}
				}
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	const head = "#model_version:v2025.03.14,score_date:2026-11-23T12:00:00Z\ncve,epss,percentile\n"
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "none in the file"},
		{"head only", head, "none in the file"},
		{"no head", "CVE-2020-1350,0.5,0.5\n", "must name the columns"},
		{"cut line", head + "CVE-2020-1350,0.5,0.5\nCVE-2020-13", "it has 1 columns and the head has 3"},
		{"above one", head + "CVE-2020-1350,1.5,0.5\n", "from 0 to 1"},
		{"below nought", head + "CVE-2020-1350,-0.5,0.5\n", "from 0 to 1"},
		{"NaN", head + "CVE-2020-1350,NaN,0.5\n", "from 0 to 1"},
		{"huge", head + "CVE-2020-1350,1e400,0.5\n", "from 0 to 1"},
		{"no number", head + "CVE-2020-1350,high,0.5\n", "from 0 to 1"},
		{"bad id", head + "CVE-\x1b[31m,0.5,0.5\n", "no CVE identifier"},
		{"twice", head + "CVE-2020-1350,0.5,0.5\nCVE-2020-1350,0.6,0.5\n", "two scores"},
		{"a percentile of text", head + "CVE-2020-1350,0.5,0.5x\n", "percentile"},
		{"bad date", "#score_date:never\ncve,epss\n", "no date"},
		{"a long line", head + strings.Repeat("x", 5000), "a line is longer"},
		{"a page", "<!DOCTYPE html>\n", "must name the columns"},
		{"cut gzip", string(packed(t, sample(t))[:40]), "cut off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

// zeros is an endless run of empty lines.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

func TestBomb(t *testing.T) {
	if _, err := Parse(zeros{}); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("error %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	s, err := Parse(bytes.NewReader(sample(t)))
	if err != nil {
		t.Fatal(err)
	}
	good := s.Encode()
	swapped := bytes.Clone(good)
	copy(swapped[headSize:], good[headSize+recordSize:headSize+2*recordSize])
	wild := bytes.Clone(good)
	wild[len(wild)-4] = 0xff
	for name, data := range map[string][]byte{
		"nothing": nil, "cut": good[:len(good)-1], "other": []byte("{}" + string(good)), "out of order": swapped, "a score of thousands": wild,
	} {
		if _, err := Decode(data); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestLoadsQuickly(t *testing.T) {
	var b strings.Builder
	b.WriteString("cve,epss,percentile\n")
	for i := range 330_000 {
		fmt.Fprintf(&b, "CVE-%d-%d,0.00123,0.5\n", 1999+i%27, 10_000+i)
	}
	s, err := Parse(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	data := s.Encode()
	start := time.Now()
	if _, err := Decode(data); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 100*time.Millisecond {
		t.Errorf("loading %d scores took %v", s.Len(), took)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(f))
	f.Add(packed(f, sample(f)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(bytes.NewReader(data))
		if err != nil {
			return
		}
		if again, err := Decode(s.Encode()); err != nil || *again != *s {
			t.Errorf("what was read cannot be stored: %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	s, err := Parse(bytes.NewReader(sample(f)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Decode(data); err == nil {
			if p, _ := s.Of("CVE-2020-1350"); p < 0 || p > 1 {
				t.Errorf("score %v", p)
			}
		}
	})
}
