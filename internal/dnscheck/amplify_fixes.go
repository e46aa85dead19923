package dnscheck

import "reconshield/internal/exposure"

func amplifyFixes() Fixes {
	return Fixes{
		"":                  advice("Answer recursive questions only for your own networks, answer ANY minimally, hide names of class CHAOS, cap UDP answers at 1232 bytes, sign with ECDSA or Ed25519 in place of RSA, and limit the rate of responses. Where an answer below 1232 bytes is still the worst one (the evidence names it), shorten its records, or cap at 512: honest clients then fetch it over TCP."),
		exposure.BIND:       configure(exposure.BIND, "Hide authors.bind (version none), answer minimally, cap UDP and limit the rate of responses. Where one of your own answers is still the worst, the lower cap cuts it: clients then fetch it over TCP.", "options {\n    version none;\n    minimal-any yes;\n    minimal-responses yes;\n    max-udp-size 1232;\n    // or, in its place: max-udp-size 512;\n    rate-limit { responses-per-second 5; };\n};"),
		exposure.Unbound:    configure(exposure.Unbound, "Answer your own networks only, refuse ANY, cap UDP and limit each client.", "server:\n    access-control: 0.0.0.0/0 refuse\n    access-control: ::0/0 refuse\n    access-control: 127.0.0.0/8 allow\n    access-control: ::1 allow\n    access-control: 192.0.2.0/24 allow\n    access-control: 2001:db8::/48 allow\n    deny-any: yes\n    max-udp-size: 1232\n    ip-ratelimit: 100"),
		exposure.Knot:       configure(exposure.Knot, "A cap on UDP and rate limiting. Knot DNS takes no cap much lower: where one of your own answers is still the worst, shorten its records, or move them to a name of their own.", "server:\n    udp-max-payload: 1232\nmod-rrl:\n  - id: default\n    rate-limit: 10\n    slip: 2\ntemplate:\n  - id: default\n    global-module: mod-rrl/default"),
		exposure.NSD:        configure(exposure.NSD, "Rate limiting (needs a build with --enable-ratelimit, as in Debian), minimal answers and a cap on UDP. Where one of your own answers is still the worst, a cap of 512 cuts it: clients then fetch it over TCP.", "server:\n    rrl-ratelimit: 20\n    refuse-any: yes\n    minimal-responses: yes\n    ipv4-edns-size: 1232\n    ipv6-edns-size: 1232"),
		exposure.PDNSAuth:   configure(exposure.PDNSAuth, "ANY over TCP only and a cap on UDP; rate limits belong into dnsdist in front of it.", "any-to-tcp=yes\nudp-truncation-threshold=1232\n# dnsdist: addAction(MaxQPSIPRule(20, 24, 56), TCAction())"),
		exposure.PDNSRec:    configure(exposure.PDNSRec, "Answer your own networks only.", "allow-from=127.0.0.0/8, ::1/128, 192.0.2.0/24\nany-to-tcp=yes\nudp-truncation-threshold=1232"),
		exposure.Dnsmasq:    configure(exposure.Dnsmasq, "Listen on the inside only and cap UDP.", "interface=lan0\nbind-dynamic\nlocal-service\nedns-packet-max=1232"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Response rate limiting exists from Windows Server 2016 on.", "Set-DnsServerResponseRateLimiting -Mode Enable -ResponsesPerSec 5 -ErrorsPerSec 5 -Force"),
		exposure.CoreDNS:    configure(exposure.CoreDNS, "Answer ANY minimally, and bind to the inside or use the acl plugin.", "example.net {\n    any\n    bufsize 1232\n    acl {\n        allow net 192.0.2.0/24\n        block\n    }\n    file /etc/coredns/example.net.zone\n}"),
	}
}

func minimalAnyFixes() Fixes {
	return Fixes{
		"":                  advice("Answer ANY over UDP with one RRset or with HINFO as RFC 8482 has it."),
		exposure.BIND:       configure(exposure.BIND, "From 9.11 on.", "options {\n    minimal-any yes;\n};"),
		exposure.Unbound:    configure(exposure.Unbound, "From 1.8 on.", "server:\n    deny-any: yes"),
		exposure.Knot:       adviseFor(exposure.Knot, "Knot DNS answers ANY over UDP with one RRset since 2.8 and has no switch for it: update it."),
		exposure.NSD:        configure(exposure.NSD, "The default since 4.2.", "server:\n    refuse-any: yes"),
		exposure.PDNSAuth:   configure(exposure.PDNSAuth, "The default; over UDP ANY is then cut short.", "any-to-tcp=yes"),
		exposure.PDNSRec:    configure(exposure.PDNSRec, "Cut ANY short over UDP.", "any-to-tcp=yes"),
		exposure.WindowsDNS: adviseFor(exposure.WindowsDNS, "Windows DNS has no switch for ANY before Windows Server 2016; there a query resolution policy refuses it: Add-DnsServerQueryResolutionPolicy -Name NoAny -Action DENY -QType 'EQ,ANY'"),
		exposure.CoreDNS:    configure(exposure.CoreDNS, "The any plugin answers as RFC 8482 has it.", "example.net {\n    any\n    file /etc/coredns/example.net.zone\n}"),
	}
}
