package dnscheck

import "reconshield/internal/exposure"

func recursionFixes() Fixes {
	return Fixes{
		"":               advice("Answer recursive questions only for your own networks; switch recursion off on authoritative servers; let no other network reach port 53 of a resolver."),
		exposure.BIND:    configure(exposure.BIND, "Name your networks; on an authoritative server switch recursion off.", "acl trusted { localhost; 192.0.2.0/24; 2001:db8::/48; };\noptions {\n    recursion yes;\n    allow-recursion { trusted; };\n    allow-query-cache { trusted; };\n};\n// authoritative only:\n// options { recursion no; };"),
		exposure.Unbound: configure(exposure.Unbound, "Allow your networks and refuse everyone else.", "server:\n    access-control: 0.0.0.0/0 refuse\n    access-control: ::0/0 refuse\n    access-control: 127.0.0.0/8 allow\n    access-control: ::1 allow\n    access-control: 192.0.2.0/24 allow\n    access-control: 2001:db8::/48 allow"),
		exposure.PDNSRec: configure(exposure.PDNSRec, "Name your networks; everyone else is dropped. From version 5 on the setting is incoming.allow_from in YAML.", "allow-from=127.0.0.0/8, ::1/128, 192.0.2.0/24, 2001:db8::/48"),
		exposure.Dnsmasq: configure(exposure.Dnsmasq, "Answer on the inner interface only.", "interface=br-lan\nbind-dynamic"),
		exposure.Knot:    configure(exposure.Knot, "Knot DNS resolves nothing itself: remove mod-dnsproxy, or bind it to the networks it is for.", "mod-dnsproxy:\n  - id: inner\n    remote: upstream\n    fallback: on\n    address: [192.0.2.0/24, 2001:db8::/48]"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "On an authoritative server switch recursion off; on a resolver limit it by policy to inner clients (Server 2016 and later).",
			"# authoritative only: Set-DnsServerRecursion -Enable $false\n# resolver:\nAdd-DnsServerClientSubnet -Name Inner -IPv4Subnet 192.0.2.0/24\nSet-DnsServerRecursionScope -Name . -EnableRecursion $false\nAdd-DnsServerRecursionScope -Name InnerScope -EnableRecursion $true\nAdd-DnsServerQueryResolutionPolicy -Name InnerRecursion -Action ALLOW -ApplyOnRecursion -RecursionScope InnerScope -ClientSubnet \"EQ,Inner\""),
		exposure.CoreDNS: configure(exposure.CoreDNS, "Put the acl plugin in front of forward.", ". {\n    acl {\n        allow net 192.0.2.0/24 2001:db8::/48\n        block\n    }\n    forward . 198.51.100.53\n}"),
	}
}

func lyingFixes() Fixes {
	return Fixes{
		"":               advice("Find out who gives the answer: compare the server's forwarders and configuration with what was set up, look for answer-rewriting rules, and compare with a resolver of your own. If nobody put it there, treat the machine as taken over."),
		exposure.BIND:    configure(exposure.BIND, "Look for response policy zones, forwarders that rewrite, and a zone for the root; then validate.", "# named-checkconf -p | grep -E 'response-policy|forwarders|zone \"\\.\"'\noptions {\n    dnssec-validation auto;\n};"),
		exposure.Unbound: configure(exposure.Unbound, "Look for local-zone redirect, rpz and forward-zone clauses.", "# unbound-checkconf -o forward-zone ; unbound-control list_local_zones | grep redirect\nserver:\n    module-config: \"validator iterator\""),
		exposure.Dnsmasq: configure(exposure.Dnsmasq, "Remove address lines that stand for every name, and name upstreams that you trust.", "# remove: address=/#/...\nno-resolv\nserver=192.0.2.53"),
		exposure.PDNSRec: configure(exposure.PDNSRec, "Look for Lua hooks, RPZ and forward zones that you did not set.", "lua-dns-script=\nforward-zones-recurse="),
	}
}
