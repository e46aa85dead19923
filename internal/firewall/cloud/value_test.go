package cloud_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall/cloud"
)

func parse(t *testing.T, text string) cloud.Value {
	t.Helper()
	v, err := cloud.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestValues(t *testing.T) {
	v := parse(t, "\ufeff\n{ \"a\" : [ 1 , \"x\\n\\u00e9\" , {} , [ ] , true , null , -2.5 ] ,\n\n \"b\\\"\":{\"c\":\"]}\"} }")
	var got []string
	for item := range v.Field("a").Items() {
		s, _ := item.Text()
		n, isInt := item.Int()
		b, _ := item.Bool()
		got = append(got, fmt.Sprint(item.Kind(), s, n, isInt, b, item.None(), item.Pos().Line))
	}
	want := []string{
		fmt.Sprint(cloud.Number, "", 1, true, false, false, 2), fmt.Sprint(cloud.Text, "x\né", 0, false, false, false, 2),
		fmt.Sprint(cloud.Object, "", 0, false, false, false, 2), fmt.Sprint(cloud.Array, "", 0, false, false, false, 2),
		fmt.Sprint(cloud.Bool, "", 0, false, true, false, 2), fmt.Sprint(cloud.Null, "", 0, false, false, true, 2),
		fmt.Sprint(cloud.Number, "", 0, false, false, false, 2),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b := v.Field(`b"`)
	if s, ok := b.Field("c").Text(); s != "]}" || !ok || b.Pos().Line != 4 || b.Raw(40) != `{"c":"]}"}` {
		t.Errorf("%q %v line %d %s", s, ok, b.Pos().Line, b.Raw(40))
	}
	if none := b.Field("none"); none.Kind() != cloud.Absent || !none.None() || none.Raw(9) != "" || none.Pos().Line != 0 {
		t.Errorf("an absent field is %v", none)
	}
}

// Every value is what encoding/json makes of the same text.
func FuzzValue(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": "c\"]"}], "d": {}}`))
	f.Add([]byte("[\"\xff\xff\"]"))
	f.Add([]byte(`[[], [[]], "\\", -1e5, null]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1000 {
			return
		}
		v, err := cloud.Parse("f", text)
		var want any
		if json.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &want) != nil {
			// A number that a float64 cannot hold is valid all the same.
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, rebuild(v)); diff != "" {
			t.Error(diff)
		}
	})
}

func rebuild(v cloud.Value) any {
	switch v.Kind() {
	case cloud.Object:
		out := map[string]any{}
		for name, item := range v.Fields() {
			out[name] = rebuild(item)
		}
		return out
	case cloud.Array:
		out := []any{}
		for item := range v.Items() {
			out = append(out, rebuild(item))
		}
		return out
	case cloud.Text:
		s, _ := v.Text()
		return s
	case cloud.Bool:
		b, _ := v.Bool()
		return b
	case cloud.Number:
		var n float64
		if json.Unmarshal([]byte(v.Raw(4096)), &n) != nil {
			return nil
		}
		return n
	case cloud.Absent, cloud.Null:
	}
	return nil
}

func TestRecordKeepsAccount(t *testing.T) {
	r := parse(t, `{"a": "x", "n": 7, "b": true, "l": ["p", 3], "odd": 1, "empty": [], "none": null, "twice": 1,
		"twice": 2, "wrong": {}, "skipped": [1]}`).Record()
	r.Ignore("skipped")
	type fields struct {
		A, Wrong, Absent string
		N, Bad           *int64
		B                bool
		L                []string
	}
	seven := int64(7)
	got := fields{r.Text("a"), r.Text("wrong"), r.Text("absent"), r.Int("n"), r.Int("twice"), r.Bool("b"), r.Texts("l")}
	want := fields{"x", cloud.Unreadable, "", &seven, nil, true, []string{"p", cloud.Unreadable}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantDoubts := []string{
		`field "twice" stands more than once; expected it once`, `field "wrong": expected a string`,
		`field "l": expected a list of strings`, `field "odd" is not known here`,
	}
	if diff := cmp.Diff(wantDoubts, r.Doubts()); diff != "" {
		t.Error(diff)
	}
}

// A file of nonsense must not make a message as long as itself.
func TestProblemsAreFew(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"a": 1`)
	for i := range 10_000 {
		fmt.Fprintf(&b, `,"k%d": [%d]`, i, i)
	}
	b.WriteString("}")
	problems := parse(t, b.String()).Record().Problems()
	if len(problems) != 9 || !strings.Contains(problems[8].Why, "9993 more") {
		t.Errorf("%d problems, the last %v", len(problems), problems[len(problems)-1])
	}
}

func TestOneLine(t *testing.T) {
	tests := []struct {
		text  string
		limit int
		want  string
	}{
		{"a\n\tb", 20, "a b"},
		{"a\x1b[31mb\u202e", 20, "a?[31mb?"},
		{"\xffé", 20, "?é"},
		{"ééééé", 8, "éé…"},
		{"abc def ghi", 8, "abc …"},
		{strings.Repeat("x ", 50), 21, strings.Repeat("x ", 9) + "…"},
		{"", 8, ""},
	}
	for _, tt := range tests {
		if got := cloud.OneLine(tt.text, tt.limit); got != tt.want || len(got) > tt.limit {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}
