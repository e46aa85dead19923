package dnsserver

import (
	"fmt"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

// RenderCoreDNS writes a snippet for a Corefile: plugins bind and acl, for a
// forwarder the whole server block, for an authority the plugin transfer, to be
// imported in the block of each zone. CoreDNS cannot resolve by itself.
func RenderCoreDNS(p firewall.Plan) (firewall.Config, error) {
	a, err := server{name: "coredns", roles: []policy.Role{
		policy.AuthoritativeDNS, policy.HiddenPrimary, policy.Forwarder,
	}}.access(p)
	if err != nil {
		return firewall.Config{}, err
	}
	hosts, err := a.hosts()
	if err != nil {
		return firewall.Config{}, err
	}
	var t text
	t.begin(a, "# ", "CoreDNS access control")
	t.line("(reconshield) {")
	t.line("\tbind %s", strings.Join(a.listenBoth(), " "))
	if !a.everybody {
		t.line("\tacl {")
		t.line("\t\tallow net %s", strings.Join(fabric.Strings(a.allowed()), " "))
		t.line("\t\tblock")
		t.line("\t}")
	}
	if len(hosts) > 0 {
		t.line("\ttransfer {\n\t\tto %s\n\t}", strings.Join(hosts, " "))
	}
	t.line("}")
	if len(a.forward) > 0 {
		t.line(".:53 {\n\timport reconshield\n\tforward . %s\n\tcache\n\terrors\n}", strings.Join(fabric.Strings(a.forward), " "))
	} else {
		a.notes = append(a.notes, "Write \"import reconshield\" into the server block of each zone, and have no block for \".\" with forward: that would answer recursively.")
	}
	if len(hosts) > 0 {
		a.notes = append(a.notes, "The plugin transfer also sends notifications of changes to the secondaries.")
	}
	file := base(p) + ".corefile"
	c := a.config(p, place{
		file: file, path: "/etc/coredns/reconshield.corefile",
		check:  fmt.Sprintf("timeout 2 coredns -conf %s; test $? -eq 124", file),
		reload: "systemctl kill --signal USR1 coredns",
	}, t.String())
	c.Check[0].Text = "CoreDNS has no check of its own: see that it starts with the file, on the asset at a quiet moment, beside the running one."
	c.Notes = append(c.Notes, "Import the file at the top of the Corefile: import /etc/coredns/reconshield.corefile")
	return c, nil
}
