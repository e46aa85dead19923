package terraform

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// maxDepth is how deep modules may be nested.
const maxDepth = 32

// document is a plan or a state, taken apart into the resources that matter.
type document struct {
	file      string
	resources []*resource
	unparsed  []firewall.Unparsed
	// changes are the planned changes by address; nil for a state.
	changes map[string]cloud.Value
	// expressions are those of the configuration by address without indexes.
	expressions map[string]cloud.Value
	configured  bool // the configuration is in the file
	// removes is true when the plan takes rules away or changes them.
	removes bool
}

// resource is one instance of a managed resource.
type resource struct {
	address string // "module.a[0].aws_security_group.web[\"x\"]"
	kind    string // "aws_security_group"
	name    string // "web"
	module  string // "module.a[0]", empty for the root
	values  *cloud.Record
	unknown cloud.Value // after_unknown
	created bool        // the plan creates it
}

func newDocument(file string, root cloud.Value) *document {
	d := &document{file: file, changes: map[string]cloud.Value{}, expressions: map[string]cloud.Value{}}
	values := root.Field("planned_values")
	if values.None() {
		values = root.Field("values")
	}
	if errored, _ := root.Field("errored").Bool(); errored {
		d.add(root.Field("errored"), "the plan ended with an error and is not whole; plan again")
	}
	for v := range root.Field("deferred_changes").Items() {
		d.add(v, "the plan leaves changes for later; apply it and show the state")
	}
	for v := range root.Field("resource_changes").Items() {
		d.change(v)
	}
	config := root.Field("configuration").Field("root_module")
	d.configured = config.Kind() == cloud.Object
	d.configuration("", config, 0)
	d.modules(values.Field("root_module"), 0)
	return d
}

func (d *document) add(v cloud.Value, why string) {
	d.unparsed = append(d.unparsed, firewall.Unparsed{Pos: v.Pos(), Text: v.Raw(200), Why: why})
}

// matters reports whether resources of a kind are read, or looked at for what
// they tell of others.
func matters(kind string) bool {
	return slices.Contains([]string{
		"aws_security_group", "aws_default_security_group", "aws_security_group_rule",
		"aws_vpc_security_group_ingress_rule", "aws_network_acl", "aws_default_network_acl", "aws_network_acl_rule",
		"aws_instance", "aws_network_interface_sg_attachment",
		"azurerm_network_security_group", "azurerm_network_security_rule", "azurerm_virtual_network",
		"azurerm_route", "azurerm_route_table",
		"azurerm_subnet_network_security_group_association", "azurerm_network_interface_security_group_association",
		"google_compute_firewall", "google_compute_network", "google_compute_instance",
	}, kind)
}

// isRule reports whether a kind is a rule that stands apart from its group.
func isRule(kind string) bool {
	return slices.Contains([]string{
		"aws_security_group_rule", "aws_vpc_security_group_ingress_rule", "aws_network_acl_rule",
		"azurerm_network_security_rule",
	}, kind)
}

func (d *document) change(v cloud.Value) {
	kind, _ := v.Field("type").Text()
	if !matters(kind) {
		return
	}
	address, _ := v.Field("address").Text()
	change := v.Field("change")
	if _, isDeposed := v.Field("deposed").Text(); isDeposed {
		return
	}
	d.changes[address] = change
	for action := range change.Field("actions").Items() {
		if s, _ := action.Text(); isRule(kind) && (s == "delete" || s == "update" || s == "forget") {
			d.removes = true
		}
	}
}

// configuration collects the expressions of a module and those below it.
func (d *document) configuration(prefix string, module cloud.Value, depth int) {
	if depth > maxDepth {
		d.add(module, "modules are nested too deep; expected at most 32 levels")
		return
	}
	for v := range module.Field("resources").Items() {
		kind, _ := v.Field("type").Text()
		if address, ok := v.Field("address").Text(); ok && matters(kind) {
			d.expressions[prefix+address] = v.Field("expressions")
		}
	}
	for name, call := range module.Field("module_calls").Fields() {
		d.configuration(prefix+"module."+name+".", call.Field("module"), depth+1)
	}
}

// modules collects the resources of a module and those below it.
func (d *document) modules(module cloud.Value, depth int) {
	if depth > maxDepth {
		d.add(module, "modules are nested too deep; expected at most 32 levels")
		return
	}
	address, _ := module.Field("address").Text()
	for v := range module.Field("resources").Items() {
		d.resource(address, v)
	}
	for child := range module.Field("child_modules").Items() {
		d.modules(child, depth+1)
	}
}

func (d *document) resource(module string, v cloud.Value) {
	kind, _ := v.Field("type").Text()
	if mode, _ := v.Field("mode").Text(); mode != "managed" {
		return
	}
	if !matters(kind) && !looksLikeFirewall(kind) {
		return
	}
	r := &resource{kind: kind, module: module}
	r.address, _ = v.Field("address").Text()
	r.name, _ = v.Field("name").Text()
	if v.Field("values").Kind() != cloud.Object {
		d.add(v, "a resource without values; expected an object of them")
		return
	}
	r.values = v.Field("values").Record()
	change := d.changes[r.address]
	r.unknown = change.Field("after_unknown")
	for action := range change.Field("actions").Items() {
		s, _ := action.Text()
		r.created = r.created || s == "create"
	}
	d.resources = append(d.resources, r)
}

// looksLikeFirewall reports whether a kind of resource that is not read is
// likely to decide about packets that come in.
func looksLikeFirewall(kind string) bool {
	for _, harmless := range []string{"egress", "attachment", "_association", "waf", "web_application"} {
		if strings.Contains(kind, harmless) {
			return false
		}
	}
	for _, part := range []string{
		"firewall", "security_group", "secgroup", "network_acl", "security_rule", "security_list", "nsg", "network_policy",
		"security_admin_configuration", "admin_rule",
	} {
		if strings.Contains(kind, part) {
			return true
		}
	}
	return false
}

// strangers tells of the resources that no cloud's reader asked for.
func (d *document) strangers() {
	for _, r := range d.resources {
		if !matters(r.kind) {
			d.unparsed = append(d.unparsed, firewall.Unparsed{
				Pos: r.values.Pos(), Text: cloud.OneLine(r.address, 200),
				Why: fmt.Sprintf("resources of the type %s are not read; they may open or close ports", cloud.OneLine(r.kind, 80)),
			})
		}
	}
}

// of gives the resources of some kinds in the file's order.
func (d *document) of(kinds ...string) []*resource {
	var out []*resource
	for _, r := range d.resources {
		if slices.Contains(kinds, r.kind) {
			out = append(out, r)
		}
	}
	return out
}

// expression is that of an attribute in the configuration; known is false when
// the file does not hold the resource's configuration.
func (d *document) expression(r *resource, attribute string) (v cloud.Value, known bool) {
	address := r.kind + "." + r.name
	if r.module != "" {
		address = withoutIndexes(r.module) + "." + address
	}
	expressions, known := d.expressions[address]
	return expressions.Field(attribute), known
}

// references are the names that the expression of an attribute refers to; one
// in a block is given as "block.attribute".
func (d *document) references(r *resource, attribute string) []string {
	block, inner, isBlock := strings.Cut(attribute, ".")
	v, _ := d.expression(r, block)
	if !isBlock {
		return appendReferences(nil, v)
	}
	var out []string
	for item := range v.Items() {
		out = appendReferences(out, item.Field(inner))
	}
	return out
}

func appendReferences(out []string, expression cloud.Value) []string {
	for item := range expression.Field("references").Items() {
		if s, ok := item.Text(); ok {
			out = append(out, s)
		}
	}
	return out
}

// withoutIndexes takes "[0]" and "[\"key\"]" out of an address.
func withoutIndexes(address string) string {
	var b strings.Builder
	depth, isQuoted := 0, false
	for i := 0; i < len(address); i++ {
		switch c := address[i]; {
		case isQuoted && c == '\\':
			i++
		case c == '"':
			isQuoted = !isQuoted
		case !isQuoted && c == '[':
			depth++
		case !isQuoted && c == ']':
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unknowns says which of the named attributes are known only after the plan is
// applied, wholly or in part; of blocks, in any of them.
func unknowns(unknown cloud.Value, names ...string) []string {
	var out []string
	for _, name := range names {
		if isUnknown(unknown, name) {
			out = append(out, fmt.Sprintf("attribute %s is known only after apply", name))
		}
	}
	return out
}

// unknowns says which attributes of a resource are known only after the plan is
// applied. Those that the configuration does not set are left out: the provider
// fills them in, and without a setting they limit nothing.
func (d *document) unknowns(r *resource, names ...string) []string {
	set := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		v, known := d.expression(r, name)
		return known && v.None()
	})
	return unknowns(r.unknown, set...)
}

func isUnknown(v cloud.Value, name string) bool {
	switch v.Kind() {
	case cloud.Bool:
		b, _ := v.Bool()
		return b
	case cloud.Array:
		for item := range v.Items() {
			if item.Kind() != cloud.Array && isUnknown(item, name) {
				return true
			}
		}
	case cloud.Object:
		return anyTrue(v.Field(name))
	case cloud.Absent, cloud.Null, cloud.Number, cloud.Text:
	}
	return false
}

// anyTrue reports whether there is a true anywhere in the value. A key that
// reads so counts too, which only makes more undecided.
func anyTrue(v cloud.Value) bool { return v.Contains([]byte("true")) }

// whole reports whether an attribute is unknown as a whole.
func whole(unknown cloud.Value, name string) bool {
	b, _ := unknown.Field(name).Bool()
	return b
}
