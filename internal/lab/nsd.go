//go:build linux

package lab

import (
	"fmt"
	"net/netip"
)

// nsdServer starts every nsd.conf. Further server options follow it directly.
const nsdServer = `
server:
	username: ""
	zonesdir: "{dir}"
	database: ""
	pidfile: "{dir}/nsd.pid"
	xfrdfile: "{dir}/xfrd.state"
	xfrdir: "{dir}"
	zonelistfile: "{dir}/zone.list"
	server-count: 1
	ip-address: 127.0.0.1
	ip-address: {v4}
	ip-address: {v6}
`

func nsdKinds() []Kind {
	return []Kind{
		{Name: "nsd-safe", Packages: []string{"nsd"}, start: nsd(publicZones(), "\thide-version: yes\n\thide-identity: yes\n", "", "")},
		{
			Name: "nsd-abused", Packages: []string{"nsd"},
			Abused: "transfer open to all, version and identity shown, private data, wildcard, control port open",
			start: func(s *setup) error {
				if err := s.certificates(false); err != nil {
					return err
				}
				return nsd(abusedZones(), "\tidentity: \"nsd-abused\"\n\trrl-ratelimit: 0\n\trefuse-any: no\n", `
remote-control:
	control-enable: yes
	control-interface: 0.0.0.0
	control-interface: ::0
	control-port: 8952
	server-key-file: "{dir}/key.pem"
	server-cert-file: "{dir}/cert.pem"
	control-key-file: "{dir}/key.pem"
	control-cert-file: "{dir}/cert.pem"
`, "\tprovide-xfr: 0.0.0.0/0 NOKEY\n\tprovide-xfr: ::0/0 NOKEY\n", "8952")(s)
			},
		},
	}
}

// nsd runs NSD with the zones. options go into the server clause, clauses
// after it, zoneOptions into every zone.
func nsd(zones []string, options, clauses, zoneOptions string, ports ...string) func(*setup) error {
	conf := nsdServer + options + clauses
	if clauses == "" {
		conf += "remote-control:\n\tcontrol-enable: no\n"
	}
	conf += each(zones, func(zone string) string {
		return fmt.Sprintf("zone:\n\tname: %q\n\tzonefile: %q\n%s", zone, zoneFile(zone), zoneOptions)
	})
	return server{
		zones: zones,
		files: map[string]string{"nsd.conf": conf},
		argv:  []string{"nsd", "-d", "-c", "{dir}/nsd.conf"},
		ask:   zones[0] + " SOA",
		ports: ports,
	}.start
}

// nsdRoot is the root of the lab's Internet, at the address that resolvers
// know anyway.
func nsdRoot(s *setup) error {
	err := addAlias(s.lab.router, s.host, netip.MustParseAddr(rootServer4), netip.MustParseAddr(rootServer6))
	if err != nil {
		return err
	}
	return nsd([]string{".", "root-servers.net"},
		"\tip-address: {root4}\n\tip-address: {root6}\n\thide-version: yes\n\thide-identity: yes\n\trrl-ratelimit: 0\n", "", "")(s)
}

// nsdNS1 serves the names of the lab. Only the servers that hold notify.test
// as a secondary may transfer it.
func nsdNS1(s *setup) error {
	v4, v6 := servers().address(numberNS2)
	if err := addAlias(s.lab.router, s.host, v4, v6); err != nil {
		return err
	}
	zones := append(publicZones(), "example.com", reverse4, reverse6, "notify.test")
	return nsd(zones, fmt.Sprintf("\tip-address: %s\n\tip-address: %s\n\thide-version: yes\n\thide-identity: yes\n\trrl-ratelimit: 0\n", v4, v6), "",
		"\tprovide-xfr: {bind-auth-abused.4} NOKEY\n\tprovide-xfr: {knot-abused.4} NOKEY\n")(s)
}
