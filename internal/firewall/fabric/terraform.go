package fabric

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Block is a block of Terraform's language with its attributes in order.
type Block struct{ body *hclwrite.Body }

// Terraform is one file of Terraform's language.
type Terraform struct {
	file *hclwrite.File
	Block
}

// NewTerraform begins a file with comment lines.
func NewTerraform(header []string) Terraform {
	f := hclwrite.NewEmptyFile()
	t := Terraform{f, Block{f.Body()}}
	t.Comment(header...)
	return t
}

// String is the file's text.
func (t Terraform) String() string { return string(hclwrite.Format(t.file.Bytes())) }

// Comment writes lines, each made safe.
func (b Block) Comment(lines ...string) {
	b.body.AppendUnstructuredTokens(hclwrite.Tokens{{
		Type: hclsyntax.TokenComment, Bytes: []byte(Commented("# ", lines)),
	}})
}

// Append adds an inner block after an empty line.
func (b Block) Append(kind string, labels ...string) Block {
	b.body.AppendNewline()
	return Block{b.body.AppendNewBlock(kind, labels).Body()}
}

// Input declares a variable of type string or another type's keyword.
func (t Terraform) Input(name, kind, description string) {
	v := t.Append("variable", name)
	v.body.SetAttributeRaw("type", Raw(kind))
	v.Text("description", description)
}

// Raw is an expression of plain words that need no escaping, such as "var.x".
// It must never come from the policy.
func Raw(expression string) hclwrite.Tokens {
	return hclwrite.Tokens{{Type: hclsyntax.TokenIdent, Bytes: []byte(expression)}}
}

// Text sets a string; templates in it are escaped.
func (b Block) Text(name, value string) { b.body.SetAttributeValue(name, cty.StringVal(value)) }

// Int sets a number.
func (b Block) Int(name string, value int) {
	b.body.SetAttributeValue(name, cty.NumberIntVal(int64(value)))
}

// Bool sets true or false.
func (b Block) Bool(name string, value bool) { b.body.SetAttributeValue(name, cty.BoolVal(value)) }

// Expression sets a reference such as "var.vpc_id".
func (b Block) Expression(name, expression string) { b.body.SetAttributeRaw(name, Raw(expression)) }

// List sets a list of strings.
func (b Block) List(name string, values []string) {
	if len(values) == 0 {
		b.body.SetAttributeValue(name, cty.ListValEmpty(cty.String))
		return
	}
	list := make([]cty.Value, len(values))
	for i, v := range values {
		list[i] = cty.StringVal(v)
	}
	b.body.SetAttributeValue(name, cty.ListVal(list))
}

// Strings lists values by their String.
func Strings[T interface{ String() string }](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.String()
	}
	return out
}
