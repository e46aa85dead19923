//go:build linux

package lab

// authorityKinds are authoritative servers in settings that the others do not
// have.
func authorityKinds() []Kind {
	return []Kind{
		{
			Name: "bind-update-policy", Packages: []string{"bind9"},
			// Over TCP BIND accepts an empty update from anyone here, and no
			// update with content.
			start: bindUpdatePolicy,
		},
		{
			Name: "knot-modules", Packages: []string{"knot"},
			// Cookies, rate limiting and denials made up for each question.
			start: knot([]string{"example.test"}, "    version: \"\"\n    identity: \"\"\n    nsid: \"\"\n", `
mod-rrl:
  - id: default
    rate-limit: 3
    slip: 2
`, "    module: [ mod-onlinesign, mod-cookies, mod-rrl/default ]\n"),
		},
		{
			Name: "dnsmasq-auth", Packages: []string{"dnsmasq-base"},
			Abused: "authoritative; transfer open to the scanner, private data",
			start: dnsmasq(
				"--auth-server=ns1.example.test,{v4},{v6}", "--auth-zone=example.test,192.0.2.0/24,2001:db8:2::/64,10.0.0.0/8",
				"--auth-peer={scanner4},{scanner6}", "--txt-record=example.test,v=spf1 -all",
				"--host-record=www.example.test,192.0.2.202", "--host-record=intranet.example.test,10.0.0.80"),
		},
	}
}

func bindUpdatePolicy(s *setup) error {
	return server{
		zones: []string{"example.test"},
		files: map[string]string{"named.conf": bindOptions + `
	recursion no; allow-transfer { none; }; version none; hostname none; server-id none; minimal-any yes;
	dnssec-validation no;
};
controls { };
key "ddns-key" { algorithm hmac-sha256; secret "bm9ib2R5IGtub3dzIHRoaXMga2V5IGF0IGFsbCwgbm8="; };
zone "example.test" {
	type primary; file "{dir}/` + zoneFile("example.test") + `"; update-policy { grant ddns-key zonesub ANY; };
};
`},
		argv: []string{"named", "-g", "-n", "1", "-c", "{dir}/named.conf"},
	}.start(s)
}
