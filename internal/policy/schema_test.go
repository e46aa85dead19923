package policy_test

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"reconshield/internal/policy"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(policy.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const id = "urn:reconshield:schema:policy:1"
	if err := c.AddResource(id, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate judges YAML as an editor does.
func validate(s *jsonschema.Schema, text []byte) error {
	asJSON, err := yaml.YAMLToJSON(bytes.TrimPrefix(text, []byte("\ufeff")))
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func TestSchemaIsTheDocumentedOne(t *testing.T) {
	if diff := cmp.Diff(string(read(t, "../../docs/schema/policy.schema.json")), string(policy.Schema())); diff != "" {
		t.Errorf("docs/schema differs:\n%s", diff)
	}
}

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	s := compiled(t)
	for _, path := range append(files(t, "testdata/good/*.yaml", 3), files(t, "testdata/draft/*.yaml", 3)...) {
		if err := validate(s, read(t, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	r := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		text := []byte(randomPolicy(r))
		if _, err := policy.Parse("", text); err != nil {
			continue
		}
		if err := validate(s, text); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
}

// TestSchemaRefuses: the bad files that only policy check sees are those whose
// fault is in YAML itself, or in how two places of the file go together.
func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	var got []string
	for _, path := range files(t, "testdata/bad/*.yaml", 60) {
		if validate(s, read(t, path)) == nil {
			got = append(got, strings.TrimSuffix(filepath.Base(path), ".yaml"))
		}
	}
	want := []string{
		"address-twice", "admin-in-range", "admin-to-lan", "admin-to-wan", "admin-web-of-dns", "anchor", "asset-twice", "directive", "dns-name-twice", "dns-of-host-to-wan", "dns-of-primary-to-wan", "dns-of-public-resolver-to-wan",
		"exception-asset", "exception-public-resolver", "exception-zone", "expose-unknown-zone", "forwarder-to-wan", "from-one-outside", "from-outside",
		"merge", "network-in-two-zones", "network-unmasked", "number-key", "port-backwards", "port-twice", "resolver-to-wan", "resolver-to-zone-without-networks",
		"second-document-empty", "tag", "tunnel-wan", "two-documents",
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
