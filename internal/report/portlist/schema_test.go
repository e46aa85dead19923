package portlist

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"reconshield/internal/exposure"
)

func schema(t *testing.T, id string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range []string{"scan", "scan-line", "scan-progress"} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(content(t, "../../../docs/schema/"+name+".schema.json")))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("urn:reconshield:schema:"+name+":1", doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("urn:reconshield:schema:" + id + ":1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return s.Validate(v)
}

func summaries() map[string]Summary {
	none := sampleSummary()
	none.Completeness = nil
	wrong := sampleSummary()
	wrong.Completeness, wrong.DurationS, wrong.RatePPS = new(math.NaN()), math.Inf(1), math.NaN()
	return map[string]Summary{"full": sampleSummary(), "bare": {Mode: "connect"}, "nothing answered": none, "no numbers": wrong}
}

func TestSchemas(t *testing.T) {
	line, doc, progress := schema(t, "scan-line"), schema(t, "scan"), schema(t, "scan-progress")
	for name, s := range summaries() {
		for text := range strings.Lines(written(t, JSONL, sampleRows(), sampleOptions(), &s)) {
			if err := validate(t, line, text); err != nil {
				t.Errorf("%s: %v in %s", name, err, text)
			}
		}
		if err := validate(t, line, string(s.MarshalLine())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := validate(t, doc, written(t, JSON, sampleRows(), sampleOptions(), &s)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := validate(t, doc, written(t, JSON, nil, Options{}, nil)); err != nil {
		t.Error(err)
	}
	if err := validate(t, doc, `{"ports":[{"type":"port"}],"summary":null}`); err == nil {
		t.Error("the schema takes anything for a port")
	}
	for _, s := range []ProgressState{{}, someState(), {Phase: "x", Limit: "y", Rate: math.Inf(1), Loss: new(math.NaN())}} {
		if err := validate(t, progress, jsonLine(s, began)); err != nil {
			t.Error(err)
		}
	}
	if err := validate(t, progress, jsonNote("x", began)); err != nil {
		t.Error(err)
	}
}

// TestRowOrder: rows begin with the members of the contract, in its order.
func TestRowOrder(t *testing.T) {
	got := string(appendPort(nil, sampleRows()[0], nil, ""))
	want := `{"type":"port","address":"192.0.2.10","port":443,"transport":"tcp","state":"open","reason":"syn-ack","rtt_ms":0.4,"time":"`
	if !strings.HasPrefix(got, want) {
		t.Errorf("%s\nshould begin with\n%s", got, want)
	}
	var service exposure.Service
	full := sampleRows()[3]
	var back struct{ Service *exposure.Service }
	if err := json.Unmarshal(appendPort(nil, full, nil, ""), &back); err != nil {
		t.Fatal(err)
	}
	service = *full.Service
	service.Banner = string(bytes.ToValidUTF8([]byte(service.Banner), []byte("\ufffd")))
	if back.Service.Banner != service.Banner {
		t.Errorf("the banner came back as %q", back.Service.Banner)
	}
}

// TestSummaryNames: every field of the summary has a name of its own in JSON.
func TestSummaryNames(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Summary]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || seen[name] || name != strings.ToLower(name) {
			t.Errorf("%s is called %q", f.Name, name)
		}
		seen[name] = true
	}
}
