package fabrictest

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Block is a block of Terraform's language as parsed back. Attributes that
// refer to something are left out of Text and the rest, and stand in Refs.
type Block struct {
	Type   string
	Labels []string
	Text   map[string]string
	Int    map[string]int
	Lists  map[string][]string
	Refs   map[string]bool
	Blocks []Block
}

// ParseHCL reads a file of Terraform's language with HashiCorp's own parser and
// fails the test on any diagnostic.
func ParseHCL(t *testing.T, name, text string) []Block {
	t.Helper()
	f, diags := hclparse.NewParser().ParseHCL([]byte(text), name)
	if diags.HasErrors() {
		t.Fatalf("%v\n%s", diags, text)
	}
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		t.Fatalf("body is a %T", f.Body)
	}
	return blocks(t, body)
}

// Resource is the one resource of a type; the test fails when it is not one.
func Resource(t *testing.T, file []Block, kind string) Block {
	t.Helper()
	all := Resources(file, kind)
	if len(all) != 1 {
		t.Fatalf("%d resources of type %s, want 1", len(all), kind)
	}
	return all[0]
}

// Resources are all resources of a type.
func Resources(file []Block, kind string) []Block {
	var out []Block
	for _, b := range file {
		if b.Type == "resource" && b.Labels[0] == kind {
			out = append(out, b)
		}
	}
	return out
}

// Inner are the inner blocks of a type.
func (b Block) Inner(kind string) []Block {
	var out []Block
	for _, i := range b.Blocks {
		if i.Type == kind {
			out = append(out, i)
		}
	}
	return out
}

func blocks(t *testing.T, body *hclsyntax.Body) []Block {
	t.Helper()
	var out []Block
	for _, b := range body.Blocks {
		n := Block{b.Type, b.Labels, map[string]string{}, map[string]int{}, map[string][]string{}, map[string]bool{}, blocks(t, b.Body)}
		for name, a := range b.Body.Attributes {
			n.set(t, name, a.Expr)
		}
		out = append(out, n)
	}
	return out
}

func (b *Block) set(t *testing.T, name string, e hcl.Expression) {
	t.Helper()
	if len(e.Variables()) > 0 || name == "type" {
		b.Refs[name] = true
		return
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		t.Fatalf("%s: %v", name, diags)
	}
	switch {
	case v.Type() == cty.String:
		b.Text[name] = v.AsString()
	case v.Type() == cty.Number:
		n, _ := v.AsBigFloat().Int64()
		b.Int[name] = int(n)
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			_, one := it.Element()
			b.Lists[name] = append(b.Lists[name], one.AsString())
		}
	default:
		t.Fatalf("%s is a %s", name, v.Type().FriendlyName())
	}
}
