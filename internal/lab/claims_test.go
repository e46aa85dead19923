//go:build linux

package lab

import "strings"

type claim struct {
	kind, name, command, want string
}

// claims are what outside clients must see. want is matched against all output.
func claims() []claim {
	const (
		ixfr    = "dig +tcp +tries=1 @{v4} example.test IXFR=2026010101"
		allowed = `SOA\s+ns1\.example\.test\. hostmaster`
		denied  = `Transfer failed`
		resolve = "dig @{v4} www.example.com A"
		answer  = `status: NOERROR.*www\.example\.com\.\s+\d+\s+IN\s+A\s+192\.0\.2\.200`
		refused = `status: REFUSED`
		version = "dig +time=2 @{v4} version.bind CH TXT"
		silence = `timed out`
	)
	return []claim{
		{"root", "a.root-servers.net over v4", "dig @198.41.0.4 a.root-servers.net A", `198\.41\.0\.4`},
		{"root", "a.root-servers.net over v6", "dig @2001:503:ba3e::2:30 com NS", `NXDOMAIN|NOERROR`},
		{"ns1", "reverse name v4", "dig @{v4} -x 192.0.2.20", `bind-auth-safe\.example\.test`},
		{"ns1", "reverse name v6", "dig @{v6} -x 2001:db8:2::20", `bind-auth-safe\.example\.test`},

		{"bind-auth-safe", "IXFR", ixfr, denied},
		{"bind-auth-safe", "version hidden", version, `ANSWER: 0`},
		{"bind-auth-safe", "IPv6", "dig @{v6} example.test SOA", allowed},
		{"bind-auth-safe", "minimal ANY", "dig +notcp +ignore @{v4} example.test ANY", `ANSWER: [12],`},
		{"bind-auth-abused", "IXFR", ixfr, allowed},
		{"bind-auth-abused", "IXFR over v6", strings.Replace(ixfr, "{v4}", "{v6}", 1), allowed},
		{"bind-auth-abused", "version", version, `"9\.`},
		{"bind-auth-abused", "NSID", "dig @{v4} +nsid example.test SOA", `NSID: `},
		{"bind-auth-abused", "large ANY", "dig +notcp +ignore +bufsize=4096 @{v4} example.test ANY", `rcvd: 1\d\d\d`},
		{"bind-auth-abused", "wildcard", "dig @{v4} whatever.wild.test A", `192\.0\.2\.201`},
		{"bind-auth-abused", "private data", "dig @{v4} _ldap._tcp.dc._msdcs.private.test SRV", `dc1\.private\.test`},
		{"bind-auth-abused", "expired signatures", "dig +dnssec @{v4} weak.test SOA", `RRSIG\s+SOA 5 2 300 20240201000000`},
		{"bind-auth-abused", "NSEC3 iterations", "dig @{v4} nsec3.test NSEC3PARAM", `1 0 10 ABCD`},
		{"bind-auth-abused", "secondary", "dig @{v4} notify.test SOA", `status: NOERROR.*flags: qr aa`},
		{"bind-auth-abused", "bad certificate", "kdig -d @{v4} +tls-ca +tls-hostname=bind-auth-abused.example.test example.test SOA", `certificate is NOT trusted`},
		{"bind-auth-abused", "update", "dig +header-only @{v4} +opcode=UPDATE example.test SOA", `status: (NOERROR|FORMERR)`},
		{"bind-resolver-safe", "refuses", resolve, refused},
		{"bind-resolver-validating", "resolves", resolve, answer},
		{"bind-resolver-abused", "resolves", resolve, answer},
		{"bind-resolver-abused", "resolves over v6", strings.Replace(resolve, "{v4}", "{v6}", 1), answer},

		{"unbound-safe", "refuses", resolve, refused},
		{"unbound-safe", "version hidden", version, refused},
		{"unbound-validating", "resolves", resolve, answer},
		{"unbound-validating", "rebinding filter", "dig @{v4} www.private.test A", `ANSWER: 0`},
		{"unbound-validating", "good certificate", "kdig -d @{v4} +tls-ca=" + authorityFile + " +tls-hostname=unbound-validating.example.test example.com A", `The certificate is trusted.*192\.0\.2\.200`},
		{"unbound-validating", "system resolver", "getent hosts 192.0.2.20", `bind-auth-safe\.example\.test`},
		{"unbound-abused", "resolves", resolve, answer},
		{"unbound-abused", "version", version, `unbound 1\.`},
		{"unbound-abused", "no rebinding filter", "dig @{v4} www.private.test A", `192\.168\.1\.10`},
		{"unbound-dot-loose", "refuses on 53", resolve, refused},
		{"unbound-dot-loose", "resolves over TLS", resolve + " +tls", answer},

		{"knot-safe", "IXFR", ixfr, denied},
		{"knot-safe", "version hidden", version, `REFUSED|ANSWER: 0`},
		{"knot-abused", "IXFR", ixfr, allowed},
		{"knot-abused", "version", version, `Knot DNS`},
		{"knot-abused", "good signature", "dig +dnssec @{v4} ed.test SOA", `RRSIG\s+SOA 15 2`},
		{"knot-abused", "no iterations", "dig @{v4} ed.test NSEC3PARAM", `1 0 0 -`},
		{"knot-abused", "secondary", "dig @{v4} notify.test SOA", `hostmaster`},
		{"nsd-safe", "IXFR", ixfr, denied},
		{"nsd-safe", "version hidden", version, refused},
		{"nsd-abused", "AXFR", "dig +tcp @{v4} example.test AXFR", `XFR size: \d\d\d records`},
		{"nsd-abused", "version", version, `NSD 4`},
		{"pdns-auth-safe", "IXFR", ixfr, denied},
		{"pdns-auth-safe", "IPv6", "dig @{v6} example.test SOA", allowed},
		{"pdns-auth-abused", "IXFR", ixfr, allowed},
		{"pdns-auth-abused", "version", version, `PowerDNS`},
		{"pdns-recursor-safe", "silent", "dig +time=1 +tries=1 @{v4} example.com A", silence},
		{"pdns-recursor-validating", "resolves", resolve, answer},
		{"pdns-recursor-abused", "resolves", resolve, answer},
		{"pdns-recursor-abused", "version", version, `PowerDNS Recursor`},
		{"dnsmasq-safe", "silent", "dig +time=1 +tries=1 @{v4} example.com A", silence},
		{"dnsmasq-abused", "resolves", resolve, answer},
		{"dnsmasq-abused", "statistics", "dig @{v4} servers.bind CH TXT", `192\.0\.2\.\d+#53`},

		{"fwd-transparent", "answer from elsewhere", "dig +time=1 +tries=1 @{v4} example.com A", silence},
		{"dnsdist-abused", "resolves", resolve, answer},
		{"fwd-recursive", "resolves", resolve, answer},
		{"intercepted-a", "answers for nobody", "dig @198.51.100.77 www.example.com A", answer},
		{"intercepted-a", "answers for nobody over v6 and TCP", "dig +tcp @2001:db8:51::77 www.example.com A", answer},
		{"intercepted-b", "hidden behind the middlebox", version, `unbound 1\.`},
		{"lying-resolver", "lies", "dig @{v4} www.example.com A", `198\.51\.100\.99`},
		{"nxdomain-hijacker", "truth", resolve, answer},
		{"nxdomain-hijacker", "hijack", "dig @{v4} nothing.example.com A", `198\.51\.100\.99`},
		{"fixed-port-resolver", "resolves", resolve, answer},
		{"ecs-resolver", "resolves", resolve, answer},
		{"doh", "refuses on 53", resolve, refused},
		{"doh", "resolves over HTTPS", resolve + " +https", answer},
		{"doq", "refuses on 53", "kdig +retry=0 @{v4} www.example.com A", `12 B`},

		{"ssh53", "banner", "ssh-keyscan -T 3 -p 53 {v4}", `SSH-2\.0-OpenSSH`},
		{"tls53", "certificate", "openssl s_client -connect {v4}:53", `Verification: OK`},
		{"http53", "page", "openssl s_client -connect {v4}:53", `wrong version number`},
		{"silent", "TCP", "dig +tcp +time=1 +tries=1 @{v4} example.test", silence},
		{"closed", "TCP", "dig +tcp +time=1 +tries=1 @{v4} example.test", `connection refused`},
		{"closed", "UDP over v6", "dig +time=1 +tries=1 @{v6} example.test", `connection refused`},
		{"prohibited", "TCP", "dig +tcp +time=1 +tries=1 @{v4} example.test", `host unreachable|network unreachable|permission`},
		{"acceptall", "any port", "dig +tcp +time=1 +tries=1 -p 40123 @{v6} example.test", silence},
		{"mdns", "off-link", "dig -p 5353 @{v4} _services._dns-sd._udp.local PTR", `_http\._tcp\.local`},
		{"short-refuser", "no question", "dig @{v4} example.test", `REFUSED.*rcvd: 12`},
		{"tc-only", "truncated", "dig +ignore @{v4} example.test", `flags: qr aa tc`},
		{"referral", "upward", "dig @{v4} www.elsewhere.invalid", `AUTHORITY: 4.*a\.root-servers\.net`},
		{"old-server", "no EDNS", "dig +noedns @{v4} example.test A", `192\.0\.2\.200`},
		{"old-server", "format error", "dig +edns @{v4} example.test A", `FORMERR`},
		{"yes-man", "anything", "dig @{v4} what.ever A", `NOERROR.*ANSWER: 0`},
		{"bind-old-update", "version", version, `9\.11\.5`},
		{"sequential-id-resolver", "knows nothing else", resolve, refused},
		{"hostile-version", "escapes", version, `\\027\[2J`},
		{"hostile-wire", "broken", "dig +time=1 +tries=1 @{v4} example.test A", `malformed|bad|error|FORMERR`},
	}
}
