package dnsserver

import (
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

// RenderPowerDNS writes a file for the conf.d of PowerDNS's authoritative
// server. It has no list of who may ask, so only a server that everybody may
// ask can be written.
func RenderPowerDNS(p firewall.Plan) (firewall.Config, error) {
	a, err := server{name: "powerdns", roles: []policy.Role{
		policy.AuthoritativeDNS, policy.HiddenPrimary,
	}}.access(p)
	if err != nil {
		return firewall.Config{}, err
	}
	if !a.everybody {
		return firewall.Config{}, &firewall.UnsupportedError{
			Format: a.server, Feature: FeatureSources, Where: "only some may ask",
			Hint: "let the firewall do it, or put dnsdist in front",
		}
	}
	var t text
	t.begin(a, "# ", "PowerDNS authoritative server access control")
	t.line("local-address=%s", strings.Join(a.listenBoth(), ", "))
	if len(a.secondaries) > 0 {
		t.line("disable-axfr=no")
	} else {
		t.line("disable-axfr=yes")
	}
	t.line("allow-axfr-ips=%s", strings.Join(fabric.Strings(a.secondaries), ", "))
	t.line("dnsupdate=no\nallow-dnsupdate-from=\nwebserver=no\napi=no\nversion-string=anonymous")
	a.notes = append(a.notes, "Metadata of a domain (ALLOW-AXFR-FROM) adds to the list of transfers: see pdnsutil show-zone.")
	file := base(p) + "-pdns.conf"
	return a.config(p, place{
		file: file, path: "/etc/powerdns/pdns.d/reconshield.conf",
		check:  "mkdir -p check && cp " + file + " check/pdns.conf && pdns_server --config-dir=check --config=check > /dev/null",
		reload: "systemctl restart pdns",
	}, t.String()), nil
}

// RenderPowerDNSRecursor writes a file for the recursor.d of PowerDNS Recursor
// in the settings of version 4.
func RenderPowerDNSRecursor(p firewall.Plan) (firewall.Config, error) {
	a, err := server{name: "powerdns-recursor", roles: []policy.Role{
		policy.RecursiveDNS, policy.Forwarder, policy.PublicResolver,
	}}.access(p)
	if err != nil {
		return firewall.Config{}, err
	}
	var t text
	t.begin(a, "# ", "PowerDNS Recursor access control")
	t.line("local-address=%s", strings.Join(a.listenBoth(), ", "))
	allowed := a.allowed()
	t.line("allow-from=%s", strings.Join(fabric.Strings(allowed), ", "))
	if len(a.forward) > 0 {
		t.line("forward-zones-recurse=.=%s", strings.Join(fabric.Strings(a.forward), ";"))
	}
	if slices.ContainsFunc(a.forward, netip.Addr.Is6) {
		// It asks over IPv4 alone unless told otherwise.
		t.line("query-local-address=0.0.0.0, ::")
	}
	t.line("webserver=no\nversion-string=\nserver-id=disabled")
	a.notes = append(a.notes, "Recursor 5 keeps its settings in YAML: \"rec_control show-yaml FILE\" converts this one.")
	file := base(p) + "-recursor.conf"
	return a.config(p, place{
		file: file, path: "/etc/powerdns/recursor.d/reconshield.conf",
		check:  "mkdir -p check && cp " + file + " check/recursor.conf && pdns_recursor --config-dir=check --config=check > /dev/null",
		reload: "systemctl restart pdns-recursor",
	}, t.String()), nil
}
