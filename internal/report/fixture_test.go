package report_test

import (
	"net/netip"
	"slices"
	"time"

	"reconshield/internal/exposure"
)

var (
	bindAddr    = netip.MustParseAddr("192.0.2.53")
	unboundAddr = netip.MustParseAddr("2001:db8::53")
	sshAddr     = netip.MustParseAddr("192.0.2.80")
	allAddr     = netip.MustParseAddr("192.0.2.99")
	dullAddr    = netip.MustParseAddr("192.0.2.7")

	began = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
)

// hostile holds what a server may put into any text: escape sequences, a C1
// control, a bidirectional override, newlines, markup, a formula, bytes that
// are not UTF-8.
const hostile = "=cmd|'/c calc'!A1\x1b[2J\x1b]0;owned\x07\u009b31m\u202egnp.exe\r\n<script>alert(1)</script>\xff\xfe"

// rich is an assessment with everything a report can meet.
func rich() *exposure.Assessment {
	a := &exposure.Assessment{
		Schema: exposure.SchemaVersion, Tool: "reconshield", Version: "0.1.0",
		Started: began, Finished: began.Add(2840 * time.Millisecond),
		Vantage: "wan", Scope: []string{"192.0.2.0/24", "2001:db8::53"}, Profile: "standard", Partial: true,
		Assets: []exposure.Asset{dullAsset(), sshAsset(), unboundAsset(), bindAsset(), acceptAllAsset()},
		Quiet: []exposure.Quiet{
			quiet("192.0.2.128/25", exposure.OpenFiltered, exposure.ReasonTimeout, "udp 53 853 5353, tcp 53 443 853: timeout"),
			quiet("192.0.2.64/28", exposure.OpenFiltered, exposure.ReasonTimeout, "udp 53 853 5353, tcp 53 443 853: timeout"),
			quiet("192.0.2.8/32", exposure.Unmeasured, exposure.ReasonCancelled, ""),
		},
		Unmeasured: []exposure.Gap{
			{
				What: "FWD-1", Why: "no collector was given", Address: bindAddr.String(),
				Remedy: "delegate a zone to `reconshield collector --zone probe.example.net` and pass --collector probe.example.net",
			},
			{What: "udp 5353", Why: "the network is unreachable from here", Remedy: "measure again from a host with an IPv6 route"},
		},
		Warnings:    []string{"ns2.example.net has no address; it was left out"},
		Interceptor: "none",
	}
	total(a)
	return a
}

func quiet(prefix string, state exposure.State, reason exposure.Reason, ports string) exposure.Quiet {
	return exposure.Quiet{Prefix: netip.MustParsePrefix(prefix), State: state, Reason: reason, Ports: ports}
}

func total(a *exposure.Assessment) {
	t := exposure.Totals{
		Addresses: 257, Assets: len(a.Assets),
		Findings: map[exposure.Severity]int{}, Checks: map[exposure.Status]int{},
	}
	for _, asset := range a.Assets {
		for _, p := range asset.Ports {
			if p.State == exposure.Open {
				t.OpenPorts++
			}
		}
		for _, f := range asset.Findings {
			t.Findings[f.Severity]++
		}
		for _, c := range asset.Checks {
			t.Checks[c.Status]++
		}
	}
	a.Totals = t
}

func port(addr netip.Addr, via exposure.Transport, number uint16, state exposure.State, reason exposure.Reason,
	rtt time.Duration, service *exposure.Service, labels ...exposure.Label,
) exposure.PortState {
	return exposure.PortState{Observation: exposure.Observation{
		Target:  exposure.Target{Addr: addr, Transport: via, Port: number},
		Vantage: "wan", State: state, Reason: reason, RTT: rtt, Attempts: 1, Labels: labels, Service: service, At: began,
	}}
}

func rest(addr netip.Addr) []exposure.PortState {
	var out []exposure.PortState
	for _, n := range []uint16{443, 853, 953, 3000, 5300, 8053, 8080, 8081, 8082, 8083} {
		out = append(out, port(addr, exposure.TCP, n, exposure.Closed, exposure.ReasonReset, 300*time.Microsecond, nil))
	}
	for _, n := range []uint16{853, 5300} {
		out = append(out, port(addr, exposure.UDP, n, exposure.Closed, exposure.ReasonPortUnreachable, 300*time.Microsecond, nil))
	}
	return append(out,
		port(addr, exposure.UDP, 5353, exposure.OpenFiltered, exposure.ReasonTimeout, 0, nil),
		port(addr, exposure.TCP, 5380, exposure.Filtered, exposure.ReasonAdminProhibited, 0, nil))
}

func firewall() []exposure.Fix {
	return []exposure.Fix{
		{Kind: "firewall", For: "nftables", Text: "Let only your own networks reach port 53.", Lines: `nft add table inet reconshield
nft add chain inet reconshield input '{ type filter hook input priority -10; policy accept; }'
nft add rule inet reconshield input ip saddr != { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } udp dport 53 counter drop
nft add rule inet reconshield input ip saddr != { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } tcp dport 53 counter drop`},
		{Kind: "firewall", For: "iptables", Lines: "iptables -I INPUT -p udp --dport 53 ! -s 10.0.0.0/8 -j DROP\n" +
			"iptables -I INPUT -p tcp --dport 53 ! -s 10.0.0.0/8 -j DROP"},
	}
}

func bindFinding(id, subject string, severity exposure.Severity, title string) exposure.Finding {
	return exposure.Finding{
		ID: id, Fingerprint: exposure.Fingerprint(id, bindAddr, 53, subject), Severity: severity, Title: title,
		Confidence: exposure.High, Address: bindAddr, Port: 53, Subject: subject,
		Transports: []exposure.Transport{exposure.UDP, exposure.TCP},
	}
}

func bindAsset() exposure.Asset {
	service := &exposure.Service{
		Protocol: "dns", Product: exposure.BIND, Name: "BIND 9", Version: "9.18.24-1+deb12u2-Debian",
		CPE: "cpe:2.3:a:isc:bind:9.18.24:*:*:*:*:*:*:*", Confidence: exposure.High, How: "version.bind",
		Banner: "9.18.24-1+deb12u2-Debian", Details: []string{"hostname.bind ns1"},
	}
	return exposure.Asset{
		Address: bindAddr, Names: []string{"ns1.example.net", "www.example.net"},
		Zones: []string{"example.net", "2.0.192.in-addr.arpa"},
		Ports: append(rest(bindAddr),
			port(bindAddr, exposure.TCP, 53, exposure.Open, exposure.ReasonDNSResponse, 612*time.Microsecond, service),
			port(bindAddr, exposure.UDP, 53, exposure.Open, exposure.ReasonDNSResponse, 431*time.Microsecond, service)),
		Checks:   bindChecks(),
		Findings: []exposure.Finding{versionFinding(), amplification(), transfer(), recursion(), update()},
	}
}

func bindChecks() []exposure.CheckResult {
	var out []exposure.CheckResult
	add := func(id string, status exposure.Status, via exposure.Transport, reason string) {
		out = append(out, exposure.CheckResult{ID: id, Status: status, Transport: via, Port: 53, Reason: reason})
	}
	for _, id := range []string{"ID-1", "ID-4", "REC-3", "EDNS-1", "TCP-1", "COO-1", "WLD-1", "PRV-1", "SEC-3"} {
		add(id, exposure.Pass, exposure.UDP, "the server did the right thing")
	}
	add("AMP-2", exposure.Pass, exposure.UDP, "ANY is answered minimally (RFC 8482)")
	add("AMP-2", exposure.NotTested, exposure.TCP, "does not apply: TCP cannot be spoofed")
	for _, id := range []string{"REC-1", "XFR-1", "UPD-1", "ID-2"} {
		add(id, exposure.Fail, exposure.UDP, "see the finding")
		add(id, exposure.Fail, exposure.TCP, "see the finding")
	}
	add("AMP-1", exposure.Fail, exposure.UDP, "a 41-byte query draws 3,012 bytes")
	for _, id := range []string{"FWD-1", "FWD-2", "SNP-1", "RND-1", "SEC-1", "ECS-1", "NXD-1", "RBD-1"} {
		add(id, exposure.NotTested, exposure.UDP, "no collector was given")
	}
	add("RRL-1", exposure.NotTested, exposure.UDP, "opt-in: name it with --check RRL-1")
	add("ENC-1", exposure.Errored, exposure.TCP, "the handshake broke: remote error: tls: internal error")
	return out
}

func recursion() exposure.Finding {
	f := bindFinding("REC-1", "", exposure.HighSev, "Open recursion: the server resolves any name for anyone")
	f.Summary = "A client outside the server's networks asked for a name the server is not authoritative for and got a full answer."
	f.Why = "Anyone on the Internet can use the server as a resolver: to flood a victim with answers many times larger " +
		"than the questions, to poison its cache, and to hide their own traffic behind your address."
	f.Evidence = []exposure.Evidence{
		{Transport: exposure.UDP, Query: "example.org A IN rd=1", Response: "NOERROR qr rd ra; 1 answer: example.org. 300 IN A 198.51.100.7", Rcode: "NOERROR", BytesOut: 40, BytesIn: 56, RTTms: 18.2, Raw: []byte("\x12\x34\x81\x80\x00\x01\x00\x01")},
		{Transport: exposure.TCP, Query: "example.org A IN rd=1", Response: "NOERROR qr rd ra; 1 answer: example.org. 299 IN A 198.51.100.7", Rcode: "NOERROR", BytesOut: 40, BytesIn: 56, RTTms: 1.9},
	}
	f.Fix = append([]exposure.Fix{{Kind: "configuration", For: "BIND 9", Text: "Answer recursive questions only from your own networks; then rndc reconfig.", Lines: `options {
	recursion yes;
	allow-recursion { localhost; localnets; };
	allow-query-cache { localhost; localnets; };
};`}}, firewall()...)
	f.References = []exposure.Reference{
		{Title: "RFC 5358 (BCP 140)", URL: "https://www.rfc-editor.org/rfc/rfc5358"},
		{Title: "BIND 9 ARM: allow-recursion", URL: "https://bind9.readthedocs.io/en/latest/reference.html"},
	}
	return f
}

func transfer() exposure.Finding {
	f := bindFinding("XFR-1", "example.net", exposure.HighSev, "Zone transfer is allowed to anyone")
	f.Transports = []exposure.Transport{exposure.TCP}
	f.Summary = "An IXFR with the current serial was answered with one SOA: the server would send the whole zone to this client."
	f.Why = "A transfer hands an attacker the complete list of hosts, internal ones too, in one query."
	f.Evidence = []exposure.Evidence{
		{Transport: exposure.TCP, Query: "example.net SOA IN rd=0", Response: "NOERROR qr aa; 1 answer: example.net. 3600 IN SOA ns1.example.net. hostmaster.example.net. 2026031401 3600 900 1209600 300", RTTms: 0.4},
		{Transport: exposure.TCP, Query: "example.net IXFR IN serial=2026031401", Response: "NOERROR qr aa; 1 answer: SOA 2026031401", RTTms: 0.5, BytesIn: 96, BytesOut: 70},
	}
	f.Fix = append([]exposure.Fix{{Kind: "configuration", For: "BIND 9", Text: "Name the secondaries; better, demand a key.", Lines: `zone "example.net" {
    allow-transfer { key "xfer-key"; };
};`}}, firewall()...)
	f.References = []exposure.Reference{{Title: "RFC 5936 §5", URL: "https://www.rfc-editor.org/rfc/rfc5936#section-5"}}
	return f
}

func update() exposure.Finding {
	f := bindFinding("UPD-1", "example.net", exposure.Critical, "Dynamic update is open to anyone")
	f.Transports = []exposure.Transport{exposure.UDP}
	f.Confidence = exposure.Medium
	f.Summary = "A prerequisite that must fail was evaluated, and an empty update was accepted; nothing was changed."
	f.Why = "Anyone can add, change and delete records: redirect your mail and web, and obtain certificates for your names."
	f.Evidence = []exposure.Evidence{
		{Transport: exposure.UDP, Query: "UPDATE example.net prerequisite: apex not in use", Rcode: "YXDOMAIN", RTTms: 0.6},
		{Transport: exposure.UDP, Query: "UPDATE example.net (empty)", Rcode: "NOERROR", RTTms: 0.5, Note: "accepted"},
	}
	f.Fix = append([]exposure.Fix{{Kind: "configuration", For: "BIND 9", Lines: "zone \"example.net\" {\n    update-policy local;\n};"}}, firewall()...)
	f.References = []exposure.Reference{{Title: "RFC 3007", URL: "https://www.rfc-editor.org/rfc/rfc3007"}}
	return f
}

func amplification() exposure.Finding {
	f := bindFinding("AMP-1", "", exposure.MediumSev, "Answers are many times larger than questions")
	f.Transports = []exposure.Transport{exposure.UDP}
	f.Summary = "The largest answer is 73 times its question."
	f.Why = "With a forged sender the server turns a small stream into a flood at somebody else."
	for i, q := range []string{"example.net ANY IN edns=4096", "example.net DNSKEY IN do edns=4096", "example.net TXT IN edns=1232", ". NS IN edns=4096", "authors.bind TXT CH"} {
		f.Evidence = append(f.Evidence, exposure.Evidence{
			Transport: exposure.UDP, Query: q, Response: "NOERROR qr aa", Rcode: "NOERROR",
			BytesOut: 41, BytesIn: 3012 - 700*i, RTTms: 0.7, Raw: slices.Repeat([]byte{0xab}, 600),
		})
	}
	f.Fix = append([]exposure.Fix{{Kind: "configuration", For: "BIND 9", Text: "Keep answers small and limit their rate.", Lines: "options {\n    minimal-any yes;\n    max-udp-size 1232;\n    rate-limit { responses-per-second 10; };\n};"}}, firewall()...)
	return f
}

func versionFinding() exposure.Finding {
	f := bindFinding("ID-2", "", exposure.LowSev, "The server tells its version and host name")
	f.Summary = "version.bind answers “9.18.24-1+deb12u2-Debian”, hostname.bind answers “ns1”."
	f.Evidence = []exposure.Evidence{{Transport: exposure.UDP, Query: "version.bind TXT CH", Response: `NOERROR; "9.18.24-1+deb12u2-Debian"`, RTTms: 0.4}}
	f.Fix = []exposure.Fix{{Kind: "configuration", For: "BIND 9", Lines: "options { version none; hostname none; server-id none; };"}}
	return f
}

func unboundAsset() exposure.Asset {
	service := &exposure.Service{
		Protocol: "dns", Product: exposure.Unbound, Name: "Unbound", Confidence: exposure.Medium,
		How: "behaviour: 12-byte refusal, opcode replies",
	}
	return exposure.Asset{
		Address: unboundAddr, Names: []string{"resolver.example.net"},
		Ports: append(rest(unboundAddr),
			port(unboundAddr, exposure.UDP, 53, exposure.Open, exposure.ReasonDNSResponse, 1204*time.Microsecond, service),
			port(unboundAddr, exposure.TCP, 53, exposure.Open, exposure.ReasonDNSResponse, 1931*time.Microsecond, service)),
		Checks: []exposure.CheckResult{
			{ID: "REC-1", Status: exposure.Pass, Transport: exposure.UDP, Port: 53, Reason: "refused"},
			{ID: "REC-1", Status: exposure.Pass, Transport: exposure.TCP, Port: 53, Reason: "refused"},
			{ID: "ID-2", Status: exposure.Pass, Transport: exposure.UDP, Port: 53, Reason: "the names are refused"},
			{ID: "ID-3", Status: exposure.Fail, Transport: exposure.UDP, Port: 53, Reason: "behaves like Unbound"},
			{ID: "SNP-1", Status: exposure.NotTested, Transport: exposure.UDP, Port: 53, Reason: "no collector was given"},
		},
		Findings: []exposure.Finding{{
			ID: "ID-3", Fingerprint: exposure.Fingerprint("ID-3", unboundAddr, 53, ""), Severity: exposure.Info,
			Title: "The software shows although its version is hidden", Confidence: exposure.Medium,
			Address: unboundAddr, Port: 53, Transports: []exposure.Transport{exposure.UDP},
			Summary: "The server behaves like Unbound.",
			Evidence: []exposure.Evidence{{
				Transport: exposure.UDP, Query: "example.org A IN rd=1", Response: "REFUSED, header only",
				BytesIn: 12, BytesOut: 40, From: "2001:db8::54",
			}},
			Fix: []exposure.Fix{{Kind: "advice", For: "every server", Text: "Nothing can be done about behaviour; keep the software current."}},
		}},
	}
}

func sshAsset() exposure.Asset {
	f := exposure.Finding{
		ID: "ID-1", Fingerprint: exposure.Fingerprint("ID-1", sshAddr, 53, ""), Severity: exposure.HighSev,
		Title: "Another protocol than DNS listens on port 53", Confidence: exposure.High,
		Address: sshAddr, Port: 53, Transports: []exposure.Transport{exposure.TCP},
		Summary:  "The server speaks ssh: “" + hostile + "”.",
		Why:      "Port 53 passes most firewalls; other protocols on it are a classic bypass and a hiding place for command and control.",
		Evidence: []exposure.Evidence{{Transport: exposure.TCP, Response: hostile, Note: "sent before anything was asked"}},
		Fix: []exposure.Fix{
			{Kind: "advice", For: "every server", Text: "Find the process with ss -tlnp sport = :53 and stop it, or move it to its own port."},
			{Kind: "firewall", For: "nftables", Lines: "nft add rule inet reconshield input ip daddr 192.0.2.80 tcp dport 53 counter drop"},
		},
		References: []exposure.Reference{{Title: "MITRE ATT&CK T1571", URL: "https://attack.mitre.org/techniques/T1571/"}, {Title: "bad", URL: "javascript:alert(1)"}},
	}
	p := port(sshAddr, exposure.TCP, 53, exposure.Open, exposure.ReasonSynAck, 2*time.Millisecond,
		&exposure.Service{Protocol: "ssh", Confidence: exposure.High, How: "server banner", Banner: hostile})
	p.Detail = "reset after the banner"
	return exposure.Asset{
		Address: sshAddr, Names: []string{"evil\x1b[31m.example.net"},
		Ports:    []exposure.PortState{p, port(sshAddr, exposure.UDP, 53, exposure.OpenFiltered, exposure.ReasonTimeout, 0, nil)},
		Checks:   []exposure.CheckResult{{ID: "ID-1", Status: exposure.Fail, Transport: exposure.TCP, Port: 53, Reason: "ssh, not dns"}},
		Findings: []exposure.Finding{f},
	}
}

func acceptAllAsset() exposure.Asset {
	unproven := exposure.LabelUnproven
	return exposure.Asset{
		Address: allAddr, Labels: []exposure.Label{exposure.LabelAcceptsAll},
		Ports: []exposure.PortState{
			port(allAddr, exposure.TCP, 53, exposure.Open, exposure.ReasonSynAck, time.Millisecond, nil, unproven),
			port(allAddr, exposure.TCP, 853, exposure.Open, exposure.ReasonSynAck, time.Millisecond, nil, unproven),
			port(allAddr, exposure.UDP, 53, exposure.Open, exposure.ReasonDNSResponse, 120*time.Millisecond, nil, exposure.LabelIntercepted),
			port(allAddr, exposure.UDP, 5353, exposure.Unmeasured, exposure.ReasonLocalError, 0, nil),
		},
	}
}

func dullAsset() exposure.Asset {
	return exposure.Asset{Address: dullAddr, Ports: rest(dullAddr)}
}

// clean is a run in which one server passed everything.
func clean() *exposure.Assessment {
	asset := unboundAsset()
	asset.Findings = nil
	asset.Checks = asset.Checks[:3]
	a := &exposure.Assessment{
		Schema: exposure.SchemaVersion, Tool: "reconshield", Version: "0.1.0",
		Started: began, Finished: began.Add(time.Second), Scope: []string{"2001:db8::53"}, Profile: "safe",
		Assets: []exposure.Asset{asset}, Interceptor: "none",
	}
	total(a)
	a.Totals.Addresses = 1
	return a
}

// empty is what a run that was stopped at once knows.
func empty() *exposure.Assessment {
	return &exposure.Assessment{Schema: exposure.SchemaVersion, Tool: "reconshield", Version: "0.1.0", Profile: "safe", Partial: true}
}
