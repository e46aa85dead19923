package fabrictest

import (
	"encoding/json"
	"strings"
	"testing"
)

// ShowJSON gives blocks of Terraform's language the form of what "terraform
// show -json" prints of a state: references become the word "known", of names in
// the plural a list of it.
func ShowJSON(t *testing.T, file []Block) []byte {
	t.Helper()
	var resources []map[string]any
	for _, b := range file {
		if b.Type != "resource" {
			continue
		}
		values := b.values()
		values["id"] = b.Labels[1]
		resources = append(resources, map[string]any{
			"address": b.Labels[0] + "." + b.Labels[1], "mode": "managed", "type": b.Labels[0], "name": b.Labels[1],
			"provider_name": "registry.terraform.io/hashicorp/x", "schema_version": 0, "values": values, "sensitive_values": map[string]any{},
		})
	}
	text, err := json.Marshal(map[string]any{
		"format_version": "1.0", "terraform_version": "1.9.8",
		"values": map[string]any{"root_module": map[string]any{"resources": resources}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (b Block) values() map[string]any {
	out := map[string]any{}
	for name := range b.Refs {
		if strings.HasSuffix(name, "_ids") {
			out[name] = []string{"known"}
			continue
		}
		out[name] = "known"
	}
	for name, v := range b.Text {
		out[name] = v
	}
	for name, v := range b.Int {
		out[name] = v
	}
	for name, v := range b.Lists {
		out[name] = v
	}
	for _, inner := range b.Blocks {
		list, _ := out[inner.Type].([]any)
		out[inner.Type] = append(list, inner.values())
	}
	return out
}
