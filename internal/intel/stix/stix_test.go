package stix

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	f, err := os.Open("testdata/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	want := Names{
		Version: "18.1", Modified: "2025-11-13",
		Techniques: map[string]string{"T1071": "Application Layer Protocol", "T1071.004": "DNS"},
		Software:   map[string]string{"S0149": "MoonWind", "S0039": "Net"},
		Groups:     map[string]string{"G0046": "FIN7"},
		Campaigns:  map[string]string{"C0014": "Operation Wocao"},
		Uses:       map[string][]string{"S0149": {"T1071", "T1071.004"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got.Len() != 6 {
		t.Errorf("Len %d", got.Len())
	}
}

func TestParseRefuses(t *testing.T) {
	const technique = `{"type":"attack-pattern","id":"a","name":"DNS","external_references":[{"source_name":"mitre-attack","external_id":"T1071"}]}`
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "cut off"},
		{"cut", `{"type":"bundle","objects":[` + technique + `,`, "cut off"},
		{"no bundle", `{"type":"report","objects":[` + technique + `]}`, "no STIX bundle"},
		{"no type", `{"objects":[` + technique + `]}`, "no STIX bundle"},
		{"nothing in it", `{"type":"bundle","objects":[]}`, "no technique"},
		{"an object that is none", `{"type":"bundle","objects":[5]}`, "cannot unmarshal"},
		{"deep", `{"type":"bundle","objects":[` + strings.Repeat(`{"a":`, 200_000), "exceeded max depth"},
		{"a long object", `{"type":"bundle","objects":[{"name":"` + strings.Repeat("x", 2<<20) + `"}]}`, "longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

func TestHostileNames(t *testing.T) {
	got, err := Parse(strings.NewReader(`{"type":"bundle","objects":[
		{"type":"attack-pattern","id":"a","name":"D\u001b[2JNS\u202e","external_references":[{"source_name":"mitre-attack","external_id":"T1071"}]},
		{"type":"malware","id":"m","name":"x","external_references":[{"source_name":"mitre-attack","external_id":"S0149\u001b"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.Techniques["T1071"] != "D[2JNS" || len(got.Software) != 0 {
		t.Errorf("%+v", got)
	}
}

// long is a bundle of many objects that is made while it is read.
type long struct {
	left   int
	object []byte
	rest   []byte
}

func (l *long) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if l.left == 0 {
			return 0, io.EOF
		}
		l.left--
		l.rest = l.object
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func TestMemory(t *testing.T) {
	const objects = 20_000
	object := `,{"type":"course-of-action","description":"` + strings.Repeat("x", 2000) + `"}`
	r := io.MultiReader(
		strings.NewReader(`{"type":"bundle","objects":[{"type":"attack-pattern","id":"a","name":"DNS","external_references":[{"source_name":"mitre-attack","external_id":"T1071"}]}`),
		&long{left: objects, object: []byte(object)}, strings.NewReader(`]}`))
	peak := &watched{r: r}
	if _, err := Parse(peak); err != nil {
		t.Fatal(err)
	}
	if most := uint64(24 << 20); peak.most > peak.first+most {
		t.Errorf("the heap grew from %d to %d bytes for a bundle of %d", peak.first, peak.most, objects*len(object))
	}
}

// watched looks at the heap in use now and then while it is read from.
type watched struct {
	r           io.Reader
	reads       int
	first, most uint64
}

func (w *watched) Read(p []byte) (int, error) {
	if w.reads++; w.reads%500 == 1 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if w.first == 0 {
			w.first = m.HeapInuse
		}
		w.most = max(w.most, m.HeapInuse)
	}
	return w.r.Read(p)
}

func FuzzParse(f *testing.F) {
	seed, err := os.ReadFile("testdata/bundle.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := Parse(bytes.NewReader(data)); err == nil && n.Len() == 0 {
			t.Error("read nothing without an error")
		}
	})
}
