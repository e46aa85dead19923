package analyze_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/policy"
)

const ns1 = `
zones:
  wan: {interfaces: [eth0]}
  lan: {interfaces: [eth1], networks: [10.0.0.0/16]}
  vpn: {interfaces: [wg0], networks: [10.8.0.0/24], tunnel: wireguard}
assets:
  - name: ns1
    addresses: [192.0.2.53]
    role: authoritative-dns
    owner: dns@example.net
    expose:
      - {ports: [22/tcp], to: [vpn]}
resolvers: [10.0.0.53]
default: deny
`

func at() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func audit(t *testing.T, policyText, rules string, opt analyze.Options, query string) *analyze.Audit {
	t.Helper()
	p, err := policy.Parse("p.yaml", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	r, err := iptables.Parse("rules", strings.NewReader(rules), firewall.IPv4, nil)
	if err != nil {
		t.Fatal(err)
	}
	opt.Policy, opt.At = p, at()
	if query != "" {
		if opt.Query, err = analyze.ParseQuery(query, p); err != nil {
			t.Fatal(err)
		}
	}
	a, err := analyze.Run(r, opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// brief is an answer in one line.
func brief(a *analyze.Answer) string {
	port := fmt.Sprint(a.Port)
	if a.LastPort > 0 {
		port = fmt.Sprintf("%d-%d", a.Port, a.LastPort)
	}
	var why []string
	for _, w := range a.Why {
		text := fmt.Sprint(w.Line)
		if w.Undecided != "" {
			text += "?"
		}
		why = append(why, text)
	}
	text := fmt.Sprintf("%s %s/%s %s %v lines %s", a.Zone, a.Transport, port, a.Verdict, a.Sources, strings.Join(why, ","))
	if len(a.Undecided) > 0 {
		text += fmt.Sprintf(" undecided %v", a.Undecided)
	}
	if len(a.SourcePorts) > 0 {
		text += fmt.Sprintf(" from ports %v", a.SourcePorts)
	}
	return text
}

func TestAnswers(t *testing.T) {
	// Each ruleset begins on line 1; rules are counted from there.
	tests := []struct {
		name, rules, query string
		want               []string
	}{
		{"default drop", "*filter\n:INPUT DROP [0:0]\nCOMMIT\n", "from wan to udp/53", []string{"wan udp/53 BLOCKED [] lines 2"}},
		{"default accept", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", "from wan to udp/53", []string{"wan udp/53 REACHABLE [0.0.0.0/0] lines 2"}},
		{"accepted", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 53 -j ACCEPT\nCOMMIT\n", "from wan to udp/53", []string{"wan udp/53 REACHABLE [0.0.0.0/0] lines 3"}},
		{"only established", "*filter\n:INPUT DROP [0:0]\n-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\nCOMMIT\n", "from wan to udp/53", []string{"wan udp/53 BLOCKED [] lines 2"}},
		{"another interface", "*filter\n:INPUT DROP [0:0]\n-A INPUT -i eth1 -p udp --dport 53 -j ACCEPT\nCOMMIT\n", "to udp/53", []string{
			"wan udp/53 BLOCKED [] lines 2", "lan udp/53 REACHABLE [10.0.0.0/16] lines 3", "vpn udp/53 BLOCKED [] lines 2",
		}},
		{"by source port", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --sport 53 -j ACCEPT\nCOMMIT\n", "from wan to udp/161", []string{"wan udp/161 REACHABLE [0.0.0.0/0] lines 3 from ports [53]"}},
		{"a limit", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 53 -m limit --limit 5/sec -j ACCEPT\nCOMMIT\n", "from wan to udp/53", []string{"wan udp/53 UNDECIDED [] lines 3?,2 undecided [0.0.0.0/0]"}},
		{"a limited drop before an accept", "*filter\n:INPUT DROP [0:0]\n-A INPUT -m recent --name x --rcheck -j DROP\n-A INPUT -j ACCEPT\nCOMMIT\n", "from wan to udp/53", []string{"wan udp/53 UNDECIDED [] lines 3?,4 undecided [0.0.0.0/0]"}},
		{"some sources", "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 203.0.113.0/25 -j ACCEPT\nCOMMIT\n", "from wan to tcp/22", []string{"wan tcp/22 REACHABLE [203.0.113.0/25] lines 3"}},
		{"loopback sources do not count", "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 127.0.0.0/8 -j ACCEPT\nCOMMIT\n", "from wan to tcp/22", []string{"wan tcp/22 BLOCKED [] lines 2"}},
		{"jump and return", "*filter\n:INPUT DROP [0:0]\n:sub - [0:0]\n-A INPUT -p tcp -j sub\n-A INPUT -j REJECT\n-A sub -s 203.0.113.0/24 -j RETURN\n-A sub -j ACCEPT\nCOMMIT\n", "from 203.0.113.0/24 to tcp/22", []string{
			"wan tcp/22 BLOCKED [] lines 5", "lan tcp/22 BLOCKED [] lines ", "vpn tcp/22 BLOCKED [] lines ",
		}},
		{"through a jump", "*filter\n:INPUT DROP [0:0]\n:sub - [0:0]\n-A INPUT -p tcp -j sub\n-A sub -j ACCEPT\nCOMMIT\n", "from wan to tcp/22", []string{"wan tcp/22 REACHABLE [0.0.0.0/0] lines 4,5"}},
		{"raw drop", "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp --dport 53 -j DROP\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", "from wan to udp/53", []string{"wan udp/53 BLOCKED [] lines 3"}},
		{"notrack is not new", "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp --dport 53 -j CT --notrack\nCOMMIT\n*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 53 -m conntrack --ctstate NEW -j ACCEPT\nCOMMIT\n", "from wan to udp/53", []string{"wan udp/53 BLOCKED [] lines 3,6"}},
		{"a published port of Docker", docker, "from wan to tcp/8080", []string{"wan tcp/8080 REACHABLE [0.0.0.0/0] lines 4,6,12,13"}},
		{"whole ranges", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 1:21 -j DROP\n-A INPUT -p tcp --dport 24:65535 -j DROP\n-A INPUT -p udp -j DROP\nCOMMIT\n", "from wan", []string{
			"wan tcp/22-23 REACHABLE [0.0.0.0/0] lines 2", "wan tcp/53 BLOCKED [] lines 4", "wan udp/53 BLOCKED [] lines 5", "wan udp/51820 BLOCKED [] lines 5",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := audit(t, ns1, tt.rules, analyze.Options{}, tt.query)
			var got []string
			for i := range a.Answers {
				got = append(got, brief(&a.Answers[i]))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const docker = `*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
-A FORWARD -o docker0 -j DOCKER
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
`

func TestFindings(t *testing.T) {
	tests := []struct {
		name, rules string
		want        []string
	}{
		{"what the policy says", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 53 -j ACCEPT\n-A INPUT -p tcp --dport 53 -j ACCEPT\n-A INPUT -p udp --dport 51820 -i eth0 -j ACCEPT\n-A INPUT -i wg0 -s 10.8.0.0/24 -p tcp --dport 22 -j ACCEPT\nCOMMIT\n", nil},
		{"exposed to all", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", []string{"FW-1"}},
		{"starved", "*filter\n:INPUT DROP [0:0]\nCOMMIT\n", []string{"FW-3"}},
		{"source port", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --sport 53 -j ACCEPT\nCOMMIT\n", []string{"FW-1", "FW-3", "FW-4"}},
		{"source port of replies", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --sport 53 -m state --state ESTABLISHED -j ACCEPT\nCOMMIT\n", []string{"FW-3"}},
		{"a DHCP client", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --sport 67 --dport 68 -j ACCEPT\nCOMMIT\n", []string{"FW-1", "FW-3"}},
		{"overruled", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp -j DROP\n-A INPUT -p udp --dport 53 -j ACCEPT\nCOMMIT\n", []string{"FW-3", "FW-6"}},
		{"needless", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp -s 10.0.0.0/8 -j DROP\n-A INPUT -p udp -s 10.1.0.0/16 --dport 53 -j DROP\nCOMMIT\n", []string{"FW-3", "FW-7"}},
		{"needless by two", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 0:99 -j DROP\n-A INPUT -p udp --dport 100:65535 -j DROP\n-A INPUT -p udp --dport 50:150 -j DROP\nCOMMIT\n", []string{"FW-3", "FW-7"}},
		{"a limited rule covers nothing", "*filter\n:INPUT DROP [0:0]\n-A INPUT -m limit --limit 1/s -j DROP\n-A INPUT -p udp --dport 5353 -j DROP\nCOMMIT\n", []string{"FW-3"}},
		{"only from a source port", "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 53 -j ACCEPT\n-A INPUT -p tcp --dport 53 -j ACCEPT\n-A INPUT -p udp --sport 53 --dport 51820 -i eth0 -j ACCEPT\n-A INPUT -i wg0 -s 10.8.0.0/24 -p tcp --dport 22 -j ACCEPT\nCOMMIT\n", []string{"FW-4", "FW-3"}},
		{"private sources are not meant by everybody", "*filter\n:INPUT DROP [0:0]\n-A INPUT -i eth0 -s 192.168.0.0/16 -j DROP\n-A INPUT -p udp --dport 53 -j ACCEPT\n-A INPUT -p tcp --dport 53 -j ACCEPT\n-A INPUT -p udp --dport 51820 -i eth0 -j ACCEPT\n-A INPUT -i wg0 -s 10.8.0.0/24 -p tcp --dport 22 -j ACCEPT\nCOMMIT\n", nil},
		{"a banned network is", "*filter\n:INPUT DROP [0:0]\n-A INPUT -i eth0 -s 203.0.113.0/24 -j DROP\n-A INPUT -p udp --dport 53 -j ACCEPT\n-A INPUT -p tcp --dport 53 -j ACCEPT\n-A INPUT -p udp --dport 51820 -i eth0 -j ACCEPT\n-A INPUT -i wg0 -s 10.8.0.0/24 -p tcp --dport 22 -j ACCEPT\nCOMMIT\n", []string{"FW-3"}},
		{"not understood", "*filter\n:INPUT DROP [0:0]\nthis is no rule\nCOMMIT\n", []string{"FW-2", "FW-8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := map[analyze.FindingID]bool{}
			var got []string
			for _, f := range audit(t, ns1, tt.rules, analyze.Options{}, "").Findings {
				if !seen[f.ID] {
					seen[f.ID] = true
					got = append(got, string(f.ID))
				}
			}
			if diff := cmp.Diff(tt.want, got, cmp.Transformer("sort", func(in []string) map[string]bool {
				out := map[string]bool{}
				for _, s := range in {
					out[s] = true
				}
				return out
			})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A host that is no gateway is not asked about assets that it is not in the way
// of.
func TestAsked(t *testing.T) {
	const two = "assets:\n  - {name: ns1, addresses: [192.0.2.53], role: authoritative-dns, owner: a@example.net%s}\n  - {name: web, addresses: [192.0.2.80], owner: a@example.net}\n"
	const input = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n-A INPUT -p udp --dport 53 -j ACCEPT\nCOMMIT\n"
	for _, tt := range []struct {
		name, gateway, rules string
		query                analyze.Query
		want                 []string
	}{
		{"its own rules", "", input, analyze.Query{}, []string{"ns1"}},
		{"a gateway", ", gateway: true", input, analyze.Query{}, []string{"ns1", "web"}},
		{"rules that forward to the other", "", strings.Replace(input, "COMMIT", "-A FORWARD -d 192.0.2.80/32 -p tcp --dport 80 -j ACCEPT\nCOMMIT", 1), analyze.Query{}, []string{"ns1", "web"}},
		{"asked for by name", "", input, analyze.Query{Asset: "web"}, []string{"web"}},
	} {
		p, err := policy.Parse("p.yaml", fmt.Appendf(nil, two, tt.gateway))
		if err != nil {
			t.Fatal(err)
		}
		r, err := iptables.Parse("rules", strings.NewReader(tt.rules), firewall.IPv4, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := analyze.Run(r, analyze.Options{Policy: p, At: at(), Host: "ns1", Query: tt.query})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, a.Asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Behind the policy's gateway zones are told by their networks.
func TestBorrowedInterfaces(t *testing.T) {
	p, err := policy.Parse("p.yaml", []byte(strings.Replace(ns1, "resolvers:", "  - {name: gw, addresses: [192.0.2.1], owner: a@example.net, gateway: true}\nresolvers:", 1)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := iptables.Parse("rules", strings.NewReader("*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 53 -j ACCEPT\n-A INPUT -p tcp --dport 53 -j ACCEPT\n-A INPUT -p udp --dport 51820 -j ACCEPT\n-A INPUT -s 10.8.0.0/24 -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"), firewall.IPv4, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := analyze.Run(r, analyze.Options{Policy: p, At: at(), Host: "ns1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range a.Answers {
		want := analyze.Blocked
		if x.Policy == policy.Allow {
			want = analyze.Reachable
		}
		if x.Port == 22 && x.Verdict != want {
			t.Errorf("%s", brief(&x))
		}
	}
	if len(a.Answers) == 0 || !slices.ContainsFunc(a.Assumed, func(s string) bool { return strings.Contains(s, "told by their networks") }) {
		t.Errorf("%d answers, assumed %q", len(a.Answers), a.Assumed)
	}
}
