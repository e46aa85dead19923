package dnsserver

import (
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

// RenderKnot writes a file of Knot DNS, which serves zones and resolves
// nothing.
func RenderKnot(p firewall.Plan) (firewall.Config, error) {
	a, err := server{name: "knot", limits: true, roles: []policy.Role{
		policy.AuthoritativeDNS, policy.HiddenPrimary,
	}}.access(p)
	if err != nil {
		return firewall.Config{}, err
	}
	var t text
	t.begin(a, "# ", "Knot DNS access control")
	t.line("server:")
	t.line("    listen: [%s]", knotList(a.listenBoth(), "@53"))
	t.line("    identity: \"\"\n    version: \"\"")
	var modules []string
	if !a.everybody {
		t.line("mod-queryacl:\n  - id: reconshield")
		t.line("    address: [%s]", knotList(fabric.Strings(a.allowed()), ""))
		modules = append(modules, "mod-queryacl/reconshield")
	}
	if a.limit != nil {
		t.line("mod-rrl:\n  - id: reconshield")
		t.line("    rate-limit: %d", max(a.limit.PerSecond, 1))
		t.line("    slip: 2")
		modules = append(modules, "mod-rrl/reconshield")
		a.notes = append(a.notes, "Knot limits responses over UDP. Before version 3.4 it counts a network of sources (/24, /56) as one; later a single address has the rate, and networks have multiples of it.")
	}
	if len(a.secondaries) > 0 {
		t.line("acl:\n  - id: reconshield-transfer")
		t.line("    address: [%s]", knotList(fabric.Strings(a.secondaries), ""))
		t.line("    action: transfer")
	}
	if len(modules) > 0 || len(a.secondaries) > 0 {
		t.line("template:\n  - id: default")
	}
	if len(a.secondaries) > 0 {
		t.line("    acl: [reconshield-transfer]")
	}
	if len(modules) > 0 {
		t.line("    global-module: [%s]", strings.Join(modules, ", "))
	}
	a.notes = append(a.notes,
		"Knot reads it by \"include:\" in knot.conf; a template named default or a section server there has to be joined with it.",
		"A zone with an acl of its own does not use the template's.")
	file := base(p) + "-knot.conf"
	return a.config(p, place{
		file: file, path: "/etc/knot/reconshield.conf",
		check: "knotc -c " + file + " conf-check", reload: "knotc conf-check && knotc reload",
	}, t.String()), nil
}

func knotList(values []string, end string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = `"` + v + end + `"`
	}
	return strings.Join(out, ", ")
}

// RenderKnotResolver writes a file in the language of Knot Resolver 5, Lua.
func RenderKnotResolver(p firewall.Plan) (firewall.Config, error) {
	a, err := server{name: "knot-resolver", roles: []policy.Role{
		policy.RecursiveDNS, policy.Forwarder, policy.PublicResolver,
	}}.access(p)
	if err != nil {
		return firewall.Config{}, err
	}
	var t text
	t.begin(a, "-- ", "Knot Resolver access control")
	for _, addr := range a.listenBoth() {
		t.line("net.listen('%s', 53, { kind = 'dns' })", addr)
	}
	if !a.everybody {
		t.line("modules.load('view')")
		for _, c := range a.allowed() {
			t.line("view:addr('%s', policy.all(policy.PASS))", c)
		}
		for _, all := range firewall.Prefixes(firewall.AllOf(firewall.Inet)) {
			t.line("view:addr('%s', policy.all(policy.REFUSE))", all)
		}
	}
	if len(a.forward) > 0 {
		t.line("policy.add(policy.all(policy.FORWARD({ %s })))", luaList(fabric.Strings(a.forward)))
	}
	a.notes = append(a.notes,
		"Knot Resolver reads it once kresd.conf has the line dofile('/etc/knot-resolver/reconshield.conf'): put that in the place of its own net.listen lines and of others of view and policy.",
		"Version 6 is configured in YAML: there put the file into lua: script-file: of config.yaml, and the listeners under network: listen:.")
	file := base(p) + "-kresd.conf"
	return a.config(p, place{
		file: file, path: "/etc/knot-resolver/reconshield.conf",
		check: "luac5.1 -p " + file, reload: "systemctl restart 'kresd@*'",
	}, t.String()), nil
}

func luaList(values []string) string { return "'" + strings.Join(values, "', '") + "'" }
