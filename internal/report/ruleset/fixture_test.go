package ruleset

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/policy"
	"reconshield/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (go test -update writes it anew):\n%s", name, diff)
	}
}

func written(t *testing.T, f Format, doc *Document, opts Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f, doc, opts); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func usual() Options {
	return Options{Options: report.Options{Width: 100, FailOn: exposure.HighSev, ExitCode: 1}, Tool: "reconshield 1.2.3"}
}

var (
	v4 = netip.MustParseAddr("192.0.2.53")
	v6 = netip.MustParseAddr("2001:db8::53")
)

func prefixes(texts ...string) []netip.Prefix {
	out := []netip.Prefix{}
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func drop(file string) analyze.Line {
	return analyze.Line{File: file, Line: 2, Rule: "filter INPUT: policy drop"}
}

func answerOf(addr netip.Addr, zone string, t exposure.Transport, port uint16, v analyze.Verdict, sources ...string) analyze.Answer {
	a := analyze.Answer{
		Asset: "ns1", Address: addr, Zone: zone, Transport: t, Port: port, Verdict: v, Sources: prefixes(sources...),
		Why: []analyze.Line{drop("rules.v4")}, Policy: policy.Deny,
	}
	return a
}

func allowed(a analyze.Answer, rule string) analyze.Answer {
	a.Policy, a.PolicyRule = policy.Allow, rule
	return a
}

func findingOf(a analyze.Answer, id analyze.FindingID, s exposure.Severity, title, summary string) analyze.Finding {
	return analyze.Finding{
		ID: id, Severity: s, Title: title, Summary: summary, Asset: a.Asset, Address: &a.Address, Zone: a.Zone,
		Port: a.Port, LastPort: a.LastPort, Transport: a.Transport, Rules: a.Why, Fix: "mend it",
	}
}

// sample has every state, and findings of answers and of rules.
func sample() *Document {
	ssh := answerOf(v4, "wan", exposure.TCP, 22, analyze.Reachable, "0.0.0.0/0")
	ssh.Why = []analyze.Line{{File: "rules.v4", Line: 12, Rule: "-A INPUT -p tcp --dport 22 -j ACCEPT"}}
	ssh.Witness = &analyze.Witness{Interface: "eth0", Source: netip.MustParseAddr("198.51.100.7"), SourcePort: 40000, Target: v4, Port: 22, Transport: exposure.TCP}
	sshLAN := ssh
	sshLAN.Zone, sshLAN.Sources = "lan", prefixes("10.0.0.0/16")
	web := answerOf(v4, "wan", exposure.TCP, 8000, analyze.Undecided)
	web.LastPort, web.Undecided = 8010, prefixes("0.0.0.0/0")
	web.Why = []analyze.Line{
		{File: "rules.v4", Line: 20, Rule: "-A INPUT -j WEB"},
		{File: "rules.v4", Line: 31, Rule: "-A WEB -m recent --rcheck -j ACCEPT", Undecided: "recent depends on earlier packets", Depth: 1},
	}
	webLAN := answerOf(v4, "lan", exposure.TCP, 8000, analyze.Blocked)
	webLAN.LastPort = 8010
	metrics := allowed(answerOf(v4, "lan", exposure.TCP, 9153, analyze.Blocked), "exception until 2027-03-31 for metrics: 9153/tcp to lan")
	doc := &analyze.Audit{
		Schema: analyze.SchemaVersion, Files: []string{"rules.v4", "rules.v6"}, Policy: "p.yaml",
		Answers: []analyze.Answer{
			ssh, sshLAN, web, webLAN, answerOf(v4, "wan", exposure.TCP, 9153, analyze.Blocked), metrics,
			allowed(answerOf(v4, "wan", exposure.UDP, 53, analyze.Reachable, "0.0.0.0/0"), "role authoritative-dns: 53/udp from wan"),
			allowed(answerOf(v4, "lan", exposure.UDP, 53, analyze.Reachable, "10.0.0.0/16"), "role authoritative-dns: 53/udp from lan"),
			allowed(answerOf(v6, "wan", exposure.UDP, 53, analyze.Reachable, "::/0"), "role authoritative-dns: 53/udp from wan"),
			allowed(answerOf(v6, "lan", exposure.UDP, 53, analyze.Blocked), "role authoritative-dns: 53/udp from lan"),
		},
		Findings: []analyze.Finding{
			findingOf(ssh, analyze.Exposed, exposure.HighSev, "tcp/22 reachable against the policy from wan", "tcp/22 of ns1 can be reached from wan by anyone; the policy denies it"),
			findingOf(sshLAN, analyze.Exposed, exposure.HighSev, "tcp/22 reachable against the policy from lan", "tcp/22 of ns1 can be reached from lan by 10.0.0.0/16; the policy denies it"),
			findingOf(web, analyze.MaybeExposed, exposure.MediumSev, "tcp/8000-8010 may be reachable against the policy from wan", "whether tcp/8000-8010 of ns1 can be reached from wan is undecided"),
			findingOf(metrics, analyze.Starved, exposure.MediumSev, "tcp/9153 blocked although the policy allows it from lan", "tcp/9153 of ns1 cannot be reached from lan"),
			{
				ID: analyze.Contradicted, Severity: exposure.LowSev, Title: "rule overruled: rules.v4:40", Summary: "rules.v4:40: the rule in filter INPUT never matches",
				Rules: []analyze.Line{{File: "rules.v4", Line: 40, Rule: "-A INPUT -p tcp --dport 22 -j DROP"}, {File: "rules.v4", Line: 12, Rule: "-A INPUT -p tcp --dport 22 -j ACCEPT"}}, Fix: "delete it or move it up",
			},
		},
		Unparsed: []analyze.Unparsed{}, Assumed: []string{"ns1 is taken as the host that the ruleset was saved on"},
	}
	return &Document{Audit: doc}
}

// clean has nothing to complain of.
func clean() *Document {
	doc := sample()
	doc.Answers, doc.Findings, doc.Assumed = doc.Answers[8:9], []analyze.Finding{}, []string{}
	return doc
}

// compared has changes.
func compared() *Document {
	doc := sample()
	was := analyze.Side{Verdict: analyze.Blocked, Sources: prefixes(), Why: []analyze.Line{drop("old.v4")}}
	now := analyze.Side{Verdict: analyze.Reachable, Sources: prefixes("0.0.0.0/0"), Why: doc.Answers[0].Why}
	perhaps := analyze.Side{Verdict: analyze.Undecided, Sources: prefixes(), Undecided: prefixes("0.0.0.0/0"), Why: doc.Answers[2].Why}
	doc.Changes = []analyze.Change{
		{Asset: "ns1", Address: v4, Zone: "wan", Port: 22, Transport: exposure.TCP, Before: was, After: now},
		{Asset: "ns1", Address: v4, Zone: "wan", Port: 2222, Transport: exposure.TCP, Before: was, After: now},
		{Asset: "ns1", Address: v4, Zone: "wan", Port: 8000, LastPort: 8010, Transport: exposure.TCP, Before: was, After: perhaps},
	}
	return doc
}

// unread was not understood in full.
func unread() *Document {
	doc := clean()
	doc.Policy = ""
	doc.Unparsed = []analyze.Unparsed{{File: "rules.v4", Line: 7, Text: "-A INPUT -m magic -j ACCEPT", Why: "expected a known match, not magic"}}
	doc.Findings = []analyze.Finding{{
		ID: analyze.NotRead, Severity: exposure.MediumSev, Title: "not understood: rules.v4:7", Summary: "rules.v4:7: expected a known match",
		Rules: []analyze.Line{{File: "rules.v4", Line: 7, Rule: "-A INPUT -m magic -j ACCEPT", Undecided: "expected a known match"}}, Fix: "give it",
	}}
	return doc
}
