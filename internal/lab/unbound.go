//go:build linux

package lab

import "fmt"

// unboundServer starts every unbound.conf. Names of the lab lie below special
// use names (RFC 6761), which Unbound answers itself unless told otherwise.
const unboundServer = `
server:
	username: ""
	chroot: ""
	directory: "{dir}"
	pidfile: "{dir}/unbound.pid"
	use-syslog: no
	logfile: ""
	num-threads: 1
	interface: 0.0.0.0
	interface: ::0
	root-hints: "{dir}/hints"
	local-zone: "test." nodefault
	local-zone: "2.0.192.in-addr.arpa." nodefault
	local-zone: "100.51.198.in-addr.arpa." nodefault
	local-zone: "113.0.203.in-addr.arpa." nodefault
	local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault
`

const unboundNoControl = "remote-control:\n\tcontrol-enable: no\n"

const (
	unboundOpen  = "\taccess-control: 0.0.0.0/0 allow\n\taccess-control: ::0/0 allow\n"
	unboundSnoop = "\taccess-control: 0.0.0.0/0 allow_snoop\n\taccess-control: ::0/0 allow_snoop\n"
)

func unboundKinds() []Kind {
	needs := []string{"root", "ns1"}
	packages := []string{"unbound"}
	return []Kind{
		{
			Name: "unbound-safe", Packages: packages, needs: needs,
			start: unbound("\thide-version: yes\n\thide-identity: yes\n\tmodule-config: \"validator iterator\"\n" + unboundNoControl),
		},
		{
			Name: "unbound-validating", Packages: packages, needs: needs,
			Abused: "open recursion; else right: it validates, filters private answers, and offers DNS over TLS with a good certificate",
			start:  unboundValidating,
		},
		{
			Name: "unbound-abused", Packages: packages, needs: needs,
			Abused: "open recursion, no validation, no rebinding filter, cache may be snooped, version shown, control port open without a certificate",
			start: unbound(unboundSnoop+"\tmodule-config: \"iterator\"\n", `
remote-control:
	control-enable: yes
	control-interface: 0.0.0.0
	control-interface: ::0
	control-port: 8953
	control-use-cert: no
`, "8953"),
		},
		{
			Name: "unbound-dot-loose", Packages: packages, needs: needs,
			Abused: "refuses strangers on port 53 and resolves for them over DNS over TLS, with a bad certificate",
			start: withCertificate(false, unbound(`	module-config: "validator iterator"
	interface: 0.0.0.0@853
	interface: ::0@853
	interface-action: 0.0.0.0@853 allow
	interface-action: ::0@853 allow
	tls-port: 853
	tls-service-key: "{dir}/key.pem"
	tls-service-pem: "{dir}/cert.pem"
`+unboundNoControl, "", "853")),
		},
	}
}

// unbound runs Unbound with further server options, the last of which may
// open other clauses; clauses come after the lab's own.
func unbound(options string, more ...string) func(*setup) error {
	clauses, ports := "", []string(nil)
	if len(more) > 0 {
		clauses, ports = more[0], more[1:]
	}
	return server{
		files: map[string]string{"unbound.conf": unboundServer + options + clauses, "hints": rootHints},
		argv:  []string{"unbound", "-d", "-p", "-c", "{dir}/unbound.conf"},
		ports: ports,
	}.start
}

// unboundValidating is the resolver with everything right but its openness,
// without which nothing could be measured. It is also the system resolver of
// the process under test.
func unboundValidating(s *setup) error {
	options := unboundOpen + `	module-config: "validator iterator"
	hide-version: yes
	hide-identity: yes
	private-address: 10.0.0.0/8
	private-address: 172.16.0.0/12
	private-address: 192.168.0.0/16
	private-address: 169.254.0.0/16
	private-address: 127.0.0.0/8
	private-address: fd00::/8
	private-address: fe80::/10
	private-address: ::ffff:0:0/96
	interface: 0.0.0.0@853
	interface: ::0@853
	tls-port: 853
	tls-service-key: "{dir}/key.pem"
	tls-service-pem: "{dir}/cert.pem"
`
	if ds := s.lab.anchor; ds != nil {
		options += fmt.Sprintf("\ttrust-anchor: \"%s DS %d %d %d %s\"\n",
			ds.Hdr.Name, ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest)
	}
	if err := withCertificate(true, unbound(options, unboundNoControl, "853"))(s); err != nil {
		return err
	}
	return s.lab.router.nft(s.ctx, s.expand(`
table inet resolver {
	chain prerouting {
		type nat hook prerouting priority -100
		ip daddr `+routerOutside4+` udp dport 53 dnat ip to {v4}
		ip daddr `+routerOutside4+` tcp dport 53 dnat ip to {v4}
	}
}
`))
}

// withCertificate writes certificate and key before the start.
func withCertificate(trusted bool, start func(*setup) error) func(*setup) error {
	return func(s *setup) error {
		if err := s.certificates(trusted); err != nil {
			return err
		}
		return start(s)
	}
}
