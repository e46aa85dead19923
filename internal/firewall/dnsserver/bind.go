package dnsserver

import (
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

// RenderBIND writes BIND's options with its access lists, as Debian's
// named.conf.options has them. It knows every role but host.
func RenderBIND(p firewall.Plan) (firewall.Config, error) {
	a, err := server{name: "bind", limits: true, roles: []policy.Role{
		policy.AuthoritativeDNS, policy.HiddenPrimary, policy.RecursiveDNS, policy.Forwarder, policy.PublicResolver,
	}}.access(p)
	if err != nil {
		return firewall.Config{}, err
	}
	var t text
	t.begin(a, "// ", "BIND options")
	clients := "any;"
	if !a.everybody {
		clients = bindList(fabric.Strings(a.allowed()))
	}
	t.line("acl \"reconshield-clients\" { %s };", clients)
	t.line("acl \"reconshield-secondaries\" { %s };", bindList(fabric.Strings(a.secondaries)))
	t.line("options {")
	t.line("\tdirectory \"/var/cache/bind\";")
	t.line("\tlisten-on { %s };", bindList(a.listen(firewall.IPv4)))
	t.line("\tlisten-on-v6 { %s };", bindList(a.listen(firewall.IPv6)))
	t.line("\tallow-query { \"reconshield-clients\"; };")
	t.line("\tallow-transfer { \"reconshield-secondaries\"; };")
	if a.recursive {
		t.line("\trecursion yes;")
		t.line("\tallow-recursion { \"reconshield-clients\"; };")
		t.line("\tallow-query-cache { \"reconshield-clients\"; };")
		t.line("\tdnssec-validation auto;")
	} else {
		t.line("\trecursion no;")
		t.line("\tallow-recursion { none; };")
		t.line("\tallow-query-cache { none; };")
	}
	if len(a.forward) > 0 {
		t.line("\tforward only;")
		t.line("\tforwarders { %s };", bindList(fabric.Strings(a.forward)))
	}
	t.line("\tminimal-any yes;\n\tversion none;\n\thostname none;\n\tserver-id none;")
	if a.limit != nil {
		// The longest prefixes that BIND can count as one source.
		t.line("\trate-limit { all-per-second %d; responses-per-second %d; ipv4-prefix-length 32; ipv6-prefix-length 64; window 5; slip 2; };",
			bindRate(a.limit), bindRate(a.limit))
		a.notes = append(a.notes, "BIND limits responses over UDP, at most 1000 a second, an IPv6 /64 as one source; the burst is its window of 5 seconds, and every second dropped answer is sent truncated.")
	}
	t.line("};")
	a.notes = append(a.notes, "It replaces the whole options block: carry your own options over (keys, DNSSEC, listeners of TLS).",
		"Blocks of views and zones win over options: look for allow- and listen-on lines there. A key (TSIG) for transfers is better than addresses alone.")
	file := base(p) + "-named.conf.options"
	return a.config(p, place{
		file: file, path: "/etc/bind/named.conf.options",
		check: "named-checkconf " + file, reload: "named-checkconf && rndc reconfig",
	}, t.String()), nil
}

// bindRate is the rate within BIND's bounds.
func bindRate(l *firewall.RateLimit) int { return min(max(l.PerSecond, 1), 1000) }

// bindList is the inside of an address match list; nobody when it is empty.
func bindList(values []string) string {
	if len(values) == 0 {
		return "none;"
	}
	return strings.Join(values, "; ") + ";"
}
