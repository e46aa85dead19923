package policy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// Parse reads a policy file; file is the name that positions carry. The error
// is an Errors with everything that is wrong: what is not understood is never
// skipped. Text is bounded to MaxSize bytes. A zone wan that the file does not
// declare is added behind the others.
func Parse(file string, text []byte) (*Policy, error) {
	body, err := tree(file, text)
	if err != nil {
		return nil, err
	}
	d := &decoder{
		file: file, zones: map[string]int{}, assets: map[string]int{},
		policy: &Policy{File: file, Default: Deny},
	}
	d.document(body)
	if err := d.err(file); err != nil {
		return nil, err
	}
	if d.policy.index, err = newIndex(d.policy); err != nil {
		return nil, Errors{{Position{File: file}, err.Error(), "use fewer zones, assets or port lists"}}
	}
	return d.policy, nil
}

// Default is the policy of who wrote none: a zone wan that holds everybody and
// may reach nothing.
func Default() *Policy {
	p := &Policy{Zones: []Zone{{Name: WAN}}, Default: Deny}
	p.index, _ = newIndex(p) // a policy without assets is never too large
	return p
}

// document reads zones before assets before exceptions, whatever their order
// in the file: each names the ones before.
func (d *decoder) document(body ast.Node) {
	if body == nil {
		d.add(Position{d.file, 1, 1}, `"reconshield policy init" writes one`, "the policy is empty")
		return
	}
	top, ok := d.fields(body, "the policy", "begin with zones:, assets: and default: deny",
		"zones", "assets", "exceptions", "resolvers", "default")
	if !ok {
		return
	}
	d.decodeZones(top["zones"])
	d.decodeAssets(top["assets"])
	d.decodeExceptions(top["exceptions"])
	d.decodeResolvers(top["resolvers"])
	d.decodeDefault(top["default"])
}

func (d *decoder) decodeDefault(f field) {
	if f.key == "" {
		return
	}
	d.policy.DefaultAt = f.at
	if text := d.text(f); text != "" && text != string(Deny) {
		d.add(d.valueAt(f), "what may be reached is written under expose", "default %s must be deny", quoted(text))
	}
}

func (d *decoder) decodeResolvers(f field) {
	seen := map[string]bool{}
	for _, it := range d.items(f, `write a list, such as [10.0.0.53, "2001:db8::53"]`) {
		addr, ok := d.address("resolver", it)
		switch {
		case !ok:
		case seen[addr.String()]:
			d.add(it.at, "keep one of them", "resolver %s stands twice", addr)
		default:
			seen[addr.String()] = true
			d.policy.Resolvers = append(d.policy.Resolvers, addr)
		}
	}
}

func (d *decoder) decodeExceptions(f field) {
	const form = `write {asset: ns1, ports: [9153/tcp], to: [lan], why: metrics, owner: ops@example.net, until: 2027-03-31}`
	for _, n := range d.list(f, form) {
		m, ok := d.fields(n, "an exception", form, "asset", "ports", "to", "from", "why", "owner", "until")
		if !ok {
			continue
		}
		e := Exception{Asset: d.name(m["asset"]), Owner: d.text(m["owner"]), Until: d.date(m["until"])}
		e.At = d.at(n)
		for _, key := range []string{"asset", "why", "owner", "until"} {
			if m[key].key == "" {
				d.add(e.At, "an exception says for which asset, why, whose it is and until when", "the exception has no %s", key)
			}
		}
		asset, known := d.assets[e.Asset]
		if e.Asset != "" && !known {
			hint := ""
			if !d.full() {
				hint = didYouMean(e.Asset, maps.Keys(d.assets))
			}
			d.add(d.valueAt(m["asset"]), hint, "asset %s is not declared", quoted(e.Asset))
		}
		var places []Position
		e.Expose, places = d.decodeExpose(m, e.At, "the exception")
		if known {
			d.checkException(&d.policy.Assets[asset], e.Expose, places)
		}
		d.policy.Exceptions = append(d.policy.Exceptions, e)
	}
}

// decodeExpose reads what expose rules and exceptions have in common, and
// where each of its ports stands.
func (d *decoder) decodeExpose(m map[string]field, at Position, what string) (Expose, []Position) {
	var places []Position
	e := Expose{At: at, Why: d.text(m["why"])}
	for _, it := range d.items(m["ports"], "write a list, such as [22/tcp, 53, 8000-8080/tcp]") {
		ports, err := ParsePorts(it.text)
		switch {
		case err != nil:
			d.add(it.at, "", "%s", err)
		case slices.ContainsFunc(e.Ports, func(p Ports) bool { return slices.ContainsFunc(ports, p.overlaps) }):
			d.add(it.at, "name every port once", "%s stands twice in ports", quoted(it.text))
		case len(e.Ports) >= maxKeys:
			d.add(it.at, "write ranges", "more than %d ports in one list", maxKeys)
			return e, places
		default:
			e.Ports = append(e.Ports, ports...)
			for range ports {
				places = append(places, it.at)
			}
		}
	}
	for _, it := range d.items(m["to"], "write a list of zones, such as [vpn]") {
		d.checkZone(&e, it)
	}
	e.From = d.prefixes(m["from"])
	d.checkFrom(&e, m["from"])
	for _, key := range []string{"ports", "to"} {
		if f := m[key]; f.key == "" || f.isEmpty() {
			d.add(at, fmt.Sprintf("add %s: [...]", key), "%s has no %s", what, key)
		}
	}
	return e, places
}

// isEmpty is true for a list without entries and for no value at all.
func (f field) isEmpty() bool {
	switch v := f.value.(type) {
	case nil, *ast.NullNode:
		return true
	case *ast.SequenceNode:
		return len(v.Values) == 0
	}
	return false
}

func (d *decoder) checkZone(e *Expose, it item) {
	_, known := d.zones[it.text]
	switch {
	case !known:
		hint := ""
		if !d.full() {
			hint = didYouMean(it.text, maps.Keys(d.zones))
		}
		d.add(it.at, hint, "zone %s is not declared", quoted(it.text))
	case slices.Contains(e.To, it.text):
		d.add(it.at, "keep one of them", "zone %s stands twice", quoted(it.text))
	default:
		e.To = append(e.To, it.text)
	}
}
