package dnsserver

import (
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// RenderUnbound writes a file for Unbound's conf.d. It knows the roles of
// resolvers.
func RenderUnbound(p firewall.Plan) (firewall.Config, error) {
	a, err := server{name: "unbound", limits: true, roles: []policy.Role{
		policy.RecursiveDNS, policy.Forwarder, policy.PublicResolver,
	}}.access(p)
	if err != nil {
		return firewall.Config{}, err
	}
	var t text
	t.begin(a, "# ", "Unbound access control")
	t.line("server:")
	for _, addr := range a.listenBoth() {
		t.line("\tinterface: %s", addr)
	}
	t.unboundAccess(a)
	t.line("\thide-identity: yes\n\thide-version: yes")
	if a.limit != nil {
		t.line("\tip-ratelimit: %d", max(a.limit.PerSecond, 1))
		t.line("\tip-ratelimit-factor: 10")
		a.notes = append(a.notes, "Unbound has no burst: above the rate every tenth query of a source is answered.")
	}
	if len(a.forward) > 0 {
		t.line("forward-zone:\n\tname: \".\"")
		for _, f := range a.forward {
			t.line("\tforward-addr: %s", f)
		}
	}
	if a.everybody {
		a.notes = append(a.notes, "Unbound 1.18 and later give DNS cookies with answer-cookie: yes; older ones refuse the line.")
	}
	a.notes = append(a.notes, "Lines of interface and access-control in other files add up with these: remove them there.")
	file := base(p) + "-unbound.conf"
	return a.config(p, place{
		file: file, path: "/etc/unbound/unbound.conf.d/reconshield.conf",
		check: "unbound-checkconf " + file, reload: "unbound-checkconf && systemctl restart unbound",
	}, t.String()), nil
}

// unboundAccess writes the list: the longest prefix decides, so the whole
// families come as refused unless they are allowed.
func (t *text) unboundAccess(a access) {
	allowed := a.allowed()
	for _, all := range firewall.Prefixes(firewall.AllOf(firewall.Inet)) {
		refused := true
		for _, p := range allowed {
			refused = refused && p != all
		}
		if refused {
			t.line("\taccess-control: %s refuse", all)
		}
	}
	for _, p := range allowed {
		t.line("\taccess-control: %s allow", p)
	}
}
