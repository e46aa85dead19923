//go:build linux

package lab

import (
	"fmt"
	"strings"
)

// bindOptions starts every named.conf: everything private to the host's
// directory, nothing listening but what the kind asks for.
const bindOptions = `
options {
	directory "{dir}"; pid-file none; lock-file none; session-keyfile "{dir}/session.key";
	managed-keys-directory "{dir}"; listen-on { any; }; listen-on-v6 { any; };
	empty-zones-enable no; notify no; automatic-interface-scan no; max-cache-size 16M;
`

// bindHints closes the options of a resolver and points it to the lab's root.
const bindHints = `
};
controls { };
zone "." { type hint; file "{dir}/hints"; };
`

const rootHints = ". 3600000 NS a.root-servers.net.\na.root-servers.net. 3600000 A {root4}\n" +
	"a.root-servers.net. 3600000 AAAA {root6}\n"

func bindKinds() []Kind {
	return []Kind{
		{
			Name: "bind-auth-safe", Packages: []string{"bind9"},
			start: named(publicZones(), bindOptions+`
	recursion no; allow-transfer { none; }; version none; hostname none; server-id none;
	minimal-any yes; minimal-responses yes; rate-limit { responses-per-second 5; };
	dnssec-validation no;
};
controls { };
`),
		},
		{
			Name: "bind-auth-abused", Packages: []string{"bind9", "bind9-utils"}, needs: []string{"ns1"},
			Abused: "transfer, update and notify open to all, version and identity shown, " +
				"large ANY, wildcard, private data, weak and expired DNSSEC, NSEC3 with 10 iterations, " +
				"control and statistics channels open, DNS over TLS with a bad certificate",
			start: bindAuthAbused,
		},
		{
			Name: "bind-resolver-safe", Packages: []string{"bind9"}, needs: []string{"root", "ns1"},
			start: bindResolver(`
	recursion yes; allow-recursion { localhost; }; allow-query-cache { localhost; };
	version none; hostname none; server-id none; minimal-any yes; dnssec-validation yes;
` + bindHints),
		},
		{
			Name: "bind-resolver-validating", Packages: []string{"bind9"}, needs: []string{"root", "ns1"},
			Abused: "open recursion; else right: it validates and filters private answers",
			start: bindResolver(`
	recursion yes; allow-recursion { any; }; allow-query-cache { any; };
	version none; hostname none; server-id none; minimal-any yes; dnssec-validation yes;
	deny-answer-addresses {
		10.0.0.0/8; 172.16.0.0/12; 192.168.0.0/16; 169.254.0.0/16; 127.0.0.0/8; fd00::/8; fe80::/10;
	};
` + bindHints),
		},
		{
			Name: "bind-resolver-abused", Packages: []string{"bind9"}, needs: []string{"root", "ns1"},
			Abused: "open recursion, no validation, full responses, version shown, no rebinding filter",
			start: bindResolver(`
	recursion yes; allow-recursion { any; }; allow-query-cache { any; }; server-id hostname;
	dnssec-validation no; minimal-responses no;
` + bindHints),
		},
	}
}

// named runs BIND with the given zones as primary.
func named(zones []string, conf string) func(*setup) error {
	conf += each(zones, func(zone string) string {
		return fmt.Sprintf("zone %q { type primary; file \"{dir}/%s\"; };\n", zone, zoneFile(zone))
	})
	return server{
		zones: zones,
		files: map[string]string{"named.conf": conf},
		argv:  []string{"named", "-g", "-n", "1", "-c", "{dir}/named.conf"},
	}.start
}

// bindResolver runs BIND as a resolver. Its configuration ends with bindHints.
func bindResolver(conf string) func(*setup) error {
	return func(s *setup) error {
		return server{
			files: map[string]string{
				"named.conf": bindOptions + conf + bindAnchor(s.lab.anchor),
				"hints":      rootHints,
			},
			argv: []string{"named", "-g", "-n", "1", "-c", "{dir}/named.conf"},
		}.start(s)
	}
}

// bindAuthAbused is BIND as it comes, and then some.
func bindAuthAbused(s *setup) error {
	conf := bindOptions + `
	recursion no; allow-transfer { any; }; allow-notify { any; };
	server-id hostname; minimal-any no; minimal-responses no; dnssec-validation no;
	listen-on port 853 tls bad { any; }; listen-on-v6 port 853 tls bad { any; };
};
tls bad { cert-file "{dir}/cert.pem"; key-file "{dir}/key.pem"; };
key "rndc" { algorithm hmac-sha256; secret "bGFiIGxhYiBsYWIgbGFiIGxhYg=="; };
controls { inet * port 953 allow { any; } keys { "rndc"; }; inet :: port 953 allow { any; } keys { "rndc"; }; };
statistics-channels { inet * port 8053 allow { any; }; inet :: port 8053 allow { any; }; };
zone "notify.test" { type secondary; primaries { {ns1.4}; }; file "{dir}/zones/notify.test.zone"; };
`
	conf += each(abusedZones(), func(zone string) string {
		return fmt.Sprintf("zone %q { type primary; file \"{dir}/%s\"; allow-update { any; }; };\n", zone, zoneFile(zone))
	})
	conf += each([]string{"weak.test", "nsec3.test"}, func(zone string) string {
		return fmt.Sprintf("zone %q { type primary; file \"{dir}/%s.signed\"; };\n", zone, zoneFile(zone))
	})
	return server{
		zones: append(abusedZones(), "weak.test", "nsec3.test"),
		files: map[string]string{"named.conf": conf},
		before: func(s *setup) error {
			if err := s.certificates(false); err != nil {
				return err
			}
			if err := s.sign("weak.test", []string{"-a", "RSASHA1", "-b", "1024"},
				[]string{"-s", "20240101000000", "-e", "20240201000000"}); err != nil {
				return err
			}
			return s.sign("nsec3.test", []string{"-a", "ECDSAP256SHA256"}, []string{"-3", "abcd", "-H", "10"})
		},
		argv:  []string{"named", "-g", "-n", "1", "-c", "{dir}/named.conf"},
		ports: []string{"853", "953", "8053"},
	}.start(s)
}

// sign makes one key for a zone and writes the signed zone beside its file.
func (s *setup) sign(zone string, keyArgs, signArgs []string) error {
	name, err := s.tool(append(append([]string{"dnssec-keygen", "-q", "-f", "KSK"}, keyArgs...), zone)...)
	if err != nil {
		return err
	}
	fields := strings.Fields(name) // warnings about the algorithm come first
	key := fields[len(fields)-1]
	text := zoneText(zone) + "$INCLUDE " + s.host.dir + "/" + key + ".key\n"
	if _, err := s.host.write(zoneFile(zone), text); err != nil {
		return err
	}
	args := append([]string{"dnssec-signzone", "-q", "-z", "-P", "-o", zone}, signArgs...)
	_, err = s.tool(append(args, "{dir}/"+zoneFile(zone), key)...)
	return err
}
