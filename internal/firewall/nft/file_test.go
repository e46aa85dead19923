package nft

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
)

func unparsed(rs *firewall.Ruleset) string {
	var list []string
	for _, u := range rs.Unparsed {
		list = append(list, u.Pos.String()+": "+u.Why)
	}
	return strings.Join(list, "\n")
}

// whole is what a file is: its model and what was not understood.
func whole(t *testing.T, text string) string {
	t.Helper()
	parse := ParseText
	if js, _ := Sniff([]byte(text)); js {
		parse = ParseJSON
	}
	rs, err := parse("f", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(dump(rs) + unparsed(rs))
}

const base = "chain inet t c family 3 filter input 0"

func TestTextFiles(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"priority", "table inet t { chain c { type filter hook input priority filter + 5; policy drop; }; }", "chain inet t c family 3 filter input 5 drop"},
		{"priority number", "table ip t { chain c { type nat hook prerouting priority -150 ; }; }", "chain ip t c family 1 nat prerouting -150"},
		{"priority name", "table ip6 t { chain c { type nat hook postrouting priority srcnat - 1; }; }", "chain ip6 t c family 2 nat postrouting 99"},
		{"priority unknown", "table ip t { chain c { type filter hook input priority high; }; }", "chain ip t c family 1 filter input 0\nf:1: expected a priority: a number, or raw, mangle, dstnat, filter, security or srcnat with an offset"},
		{"device", `table netdev t { chain c { type filter hook ingress device "eth0" priority -500; policy accept; }; }`, "chain netdev t c family 3 filter ingress -500 eth0"},
		{"devices", "table inet t { chain c { type filter hook ingress devices = { eth0, eth1 } priority 0; }; }", "chain inet t c family 3 filter ingress 0 eth0,eth1"},
		{"dormant", "table inet t { flags dormant; chain c { type filter hook input priority 0; policy drop; }; }", ""},
		{"arp", "table arp t { chain c { type filter hook input priority 0; policy drop; }; }", ""},
		{"bridge", "table bridge t { chain c { type filter hook forward priority filter; }; }", ""},
		{"bridge drops", "table bridge t { chain c { type filter hook forward priority 0; ip saddr 192.0.2.1 drop; }; }", "f:1: a chain of a bridge that may drop packets is outside the model"},
		{"bridge drops below", "table bridge t { chain a { drop; }; chain c { type filter hook forward priority 0; jump a; }; }", "f:1: a chain of a bridge that may drop packets is outside the model"},
		{"egress", "table netdev t { chain c { type filter hook egress device eth0 priority 0; policy drop; }; }", "f:1: a chain at egress that may drop packets is outside the model"},
		{"variables", "define a = 22\ndefine b = { $a, 80 }\ntable inet t { chain c { tcp dport $b accept; tcp dport { $b, 443 } drop; }; }", "chain inet t c\n  proto=6 dport=22,80 -> accept\n  proto=6 dport=22,80,443 -> drop"},
		{"lines", "add table inet t\nadd chain inet t c { type filter hook input priority 0; policy drop; }\nadd rule inet t c tcp dport 22 accept\ninsert rule inet t c iif lo accept\nadd set inet t s { type inet_service; }\nadd rule inet t c udp dport @s accept\nadd element inet t s { 53, 853 }", base + " drop\n  iif=lo -> accept\n  proto=6 dport=22 -> accept\n  proto=17 dport=53,853 -> accept"},
		{"default family", "table t { chain c { }; }\nrule t c drop", "chain ip t c\n  -> drop"},
		{"reload", "table inet t { chain c { drop; }; }\ndelete table inet t\ntable inet t { chain c { accept; }; }", "chain inet t c\n  -> accept"},
		{"flush ruleset", "table inet t { chain c { drop; }; }\nflush ruleset\ntable inet u { chain c { accept; }; }", "chain inet u c\n  -> accept"},
		{"flush chain", "table inet t { chain c { drop; }; }\nflush chain inet t c\n", "chain inet t c"},
		{"flush table", "table inet t { chain c { drop; }; }; flush table inet t", "chain inet t c"},
		{"index", "table inet t { chain c { drop; }; }\nadd rule inet t c index 0 accept", "chain inet t c\n  -> drop\n  -> accept\nf:2: the place of this rule among the others cannot be known"},
		{"include", "include \"/etc/nftables.d/*.nft\"\ntable inet t { chain c { }; }", "chain inet t c\nf:1: give the included file /etc/nftables.d/*.nft as well, or the output of nft list ruleset"},
		{"replace", "table inet t { chain c { }; }\nreplace rule inet t c handle 5 drop", "chain inet t c\nf:2: expected a ruleset, not changes to one that is elsewhere"},
		{"delete", "table inet t { chain c { drop; }; }\ndelete rule inet t c handle 5", "chain inet t c\n  -> drop\nf:2: expected a ruleset, not the deletion of a rule"},
		{"cut off", "table inet t {\nchain c {\n drop\n", "chain inet t c\n  -> drop\nf:2: expected } at the end of chain c: is the file cut off?\nf:1: expected } at the end of table t: is the file cut off?"},
		{"continued", "table inet t { chain c {\n tcp dport \\\n 22 \\\n accept # yes \\\n drop\n}\n}", "chain inet t c\n  proto=6 dport=22 -> accept\n  -> drop"},
		{"used before declared", "table inet t { chain a { jump b; }; chain b { drop; }; }", "chain inet t a\n  -> jump b\nchain inet t b\n  -> drop"},
		{"cycle", "table inet t { chain a { jump b; }; chain b { jump a; }; }", "chain inet t a\n  -> jump b\nchain inet t b\n  -> jump a"},
		{"strange item", "table inet t { frob x { y; }; chain c { drop; }; }", "chain inet t c\n  -> drop\nf:1: expected a table, chain, rule, set, map or element, found \"frob\""},
		{"strange set item", "table inet t { set s { type inet_service; frob 3; elements = { 22 }; }; chain c { tcp dport @s drop; }; }", "chain inet t c\n  proto=6 ? -> drop\nf:1: expected type, flags or elements, found \"frob\""},
		{"limited set", "table inet t { set s { type inet_service; limit rate 5/second; elements = { 22 limit rate 5/second }; }; chain c { tcp dport @s drop; }; }", "chain inet t c\n  proto=6 ? -> drop"},
		{"limited element", "table inet t { chain c { tcp dport { 22 limit rate 5/second, 23 } drop; }; }", "chain inet t c\n  proto=6 tuple(dport=23 | ?) -> drop"},
		{"docker route", "table ip t { chain c { ip saddr 172.17.0.0/16 oifname != \"docker0\" masquerade; ip saddr 172.17.1.0/24 oifname != br1 counter masquerade; ip saddr { 10.0.0.1, 10.0.0.9 } oifname != x masquerade; ip saddr 10.0.0.0/8 ip daddr 10.0.0.1 oifname != y masquerade; }; }", "chain ip t c\n  src=172.17.0.0-172.17.255.255 !oif=docker0 -> snat\n  src=172.17.1.0-172.17.1.255 !oif=br1 -> snat\n  src=10.0.0.1,10.0.0.9 !oif=x -> snat\n  src=10.0.0.0-10.255.255.255 dst=10.0.0.1 !oif=y -> snat\nroute 172.17.1.0/24 br1\nroute 172.17.0.0/16 docker0"},
		{"inner chain", "table inet t { chain c { tcp dport 22 jump { ip saddr 192.0.2.1 accept; drop; }\n udp dport 53 drop; }; }", "chain inet t c\n  proto=6 dport=22 -> jump __chain1\n  proto=17 dport=53 -> drop\nchain inet t __chain1\n  family=4 src=192.0.2.1 -> accept\n  -> drop"},
		{"recovers", "table inet t { chain c { tcp dport { 22 = 5,\n {7} } accept; drop; }; chain d { accept; }; }", "chain inet t c\n  -> unknown\n  -> drop\nchain inet t d\n  -> accept\nf:1: expected ,, found \"=\""},
		{"recovers in sets", "table inet t { set s { type inet_service; elements = { 22 = 5, { 7 } }; flags interval; }; chain d { tcp dport @s accept; }; }", "chain inet t d\n  proto=6 ? -> accept\nf:1: expected a comma or }, found \"=\""},
		{"empty", "", ""},
		{"comments", "\xef\xbb\xbf#!/usr/sbin/nft -f\n\n# nothing\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, whole(t, c.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSONFiles(t *testing.T) {
	const head = `{"table": {"family": "inet", "name": "t"}}, {"chain": {"family": "inet", "table": "t", "name": "c"}}, `
	rule := func(expr string) string {
		return head + `{"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [` + expr + `]}}`
	}
	for _, c := range []struct{ name, list, want string }{
		{"empty", ``, ""},
		{"devices", `{"chain": {"family": "netdev", "table": "t", "name": "c", "type": "filter", "hook": "ingress", "prio": -500, "dev": ["eth0", "eth1"], "policy": "drop"}}`, "chain netdev t c family 3 filter ingress -500 drop eth0,eth1"},
		{"device", `{"chain": {"family": "netdev", "table": "t", "name": "c", "type": "filter", "hook": "ingress", "prio": 0, "dev": "eth0"}}`, "chain netdev t c family 3 filter ingress 0 eth0"},
		{"no device", `{"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "ingress", "prio": 0, "policy": "drop"}}`, "chain inet t c family 3 filter ingress 0 drop\n  ? -> accept"},
		{"dormant", `{"table": {"family": "inet", "name": "t", "flags": "dormant"}}, {"chain": {"family": "inet", "table": "t", "name": "c"}}`, ""},
		{"priority", `{"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "input", "prio": "filter"}}`, base + "\nf:1: expected a priority, found \"filter\""},
		{"commands", `{"flush": {"ruleset": null}}, {"add": {"chain": {"family": "inet", "table": "t", "name": "c"}}}, {"add": {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"drop": null}]}}}, {"insert": {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"accept": null}]}}}`, "chain inet t c\n  -> accept\n  -> drop"},
		{"strange object", `{"frob": {}}`, "f:1: expected a table, chain, rule, set or map, found \"frob\""},
		{"strange statement", rule(`{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"frob": 5}`), "chain inet t c\n  proto=6 dport=22 -> unknown\nf:1: expected a statement of nft, found \"frob\""},
		{"strange expression", rule(`{"match": {"op": "==", "left": {"frob": 3}, "right": 22}}, {"accept": null}`), "chain inet t c\n  ? -> accept"},
		{"raw payload", rule(`{"match": {"op": "==", "left": {"payload": {"base": "th", "offset": 16, "len": 16}}, "right": 22}}, {"accept": null}`), "chain inet t c\n  tuple(dport=22 | !proto=6,17,33,132,136 ?) -> accept"},
		{"three masks", rule(`{"match": {"op": "==", "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, {"|": ["fin", "syn", "rst", "ack", 0, "psh", "urg", "ecn", "cwr"]}]}, "right": "syn"}}, {"accept": null}`), "chain inet t c\n  proto=6 tcpflags=2 -> accept"},
		{"typeof", `{"set": {"family": "inet", "table": "t", "name": "s", "type": {"typeof": {"concat": [{"payload": {"protocol": "ip", "field": "saddr"}}, {"payload": {"protocol": "tcp", "field": "dport"}}]}}, "elem": [{"concat": ["192.0.2.1", 22]}]}}, ` + rule(`{"match": {"op": "==", "left": {"concat": [{"payload": {"protocol": "ip", "field": "saddr"}}, {"payload": {"protocol": "tcp", "field": "dport"}}]}, "right": "@s"}}, {"accept": null}`), "chain inet t c\n  family=4 proto=6 tuple(src=192.0.2.1 dport=22) -> accept"},
		{"elements before type", `{"set": {"elem": [22, {"elem": {"val": 23, "comment": "x"}}], "family": "inet", "table": "t", "name": "s", "type": "inet_service"}}, ` + rule(`{"match": {"op": "!=", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": "@s"}}, {"accept": null}`), "chain inet t c\n  proto=6 !dport=22-23 -> accept"},
		{"xt", rule(`{"xt": {"type": "match", "name": "conntrack"}}, {"xt": {"type": "target", "name": "LOG"}}, {"accept": null}`), "chain inet t c\n  ? -> accept\nf:1: " + NeedsIPTablesSave},
		{"inner chain", rule(`"jump {\n\tip saddr 192.0.2.1 accept\n\tdrop\n}"`), "chain inet t c\n  -> jump __chain1\nchain inet t __chain1\n  family=4 src=192.0.2.1 -> accept\n  -> drop"},
		{"strange text", rule(`"frob 5"`), "chain inet t c\n  -> unknown\nf:1: expected a match or a statement that is known, found \"frob\""},
		{"deep", rule(`{"match": {"op": "==", "left": ` + strings.Repeat(`{"&": [`, 60) + `1` + strings.Repeat(`, 1]}`, 60) + `, "right": 22}}, {"accept": null}`), "chain inet t c\n  ? -> accept"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, whole(t, `{"nftables": [`+c.list+`]}`)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is not nft's at all is an error; a file that breaks off is not.
func TestNotThisFormat(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"iptables", "*filter\n:INPUT DROP [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n", "f:1: expected the output of nft list ruleset, found \"*filter\""},
		{"prose", "hello world, this is\nnothing\n", "f:1: expected the output of nft list ruleset, found \"hello world, this is\""},
		{"json for text", `{"nftables": []}`, "f:1: expected the output of nft list ruleset, found \"{\\\"nftables\\\": []}\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseText("f", strings.NewReader(c.text))
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for _, text := range []string{"", "[]", `{"x": []}`, `{"nftables": {}}`, "table inet t { }"} {
		if _, err := ParseJSON("f", strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), "f:1: expected {\"nftables\": [") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{`{"nftables": [`, `{"nftables": [{"table": {"family": "inet"`, `{"nftables": []`, `{"nftables": [nonsense]}`} {
		rs, err := ParseJSON("f", strings.NewReader(text))
		if err != nil || len(rs.Unparsed) == 0 {
			t.Errorf("%q: %v, %v", text, rs, err)
		}
	}
	broken := errors.New("broken")
	if _, err := ParseText("f", iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("text: %v", err)
	}
	if _, err := ParseJSON("f", iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("JSON: %v", err)
	}
}

func TestPositions(t *testing.T) {
	text := "table inet t {\n\tchain c {\n\t\ttype filter hook input priority 0\n\t\tpolicy drop\n\t\ttcp dport vmap {\n\t\t\t22 : accept,\n\t\t\t23 : drop\n\t\t}\n\t\tiif   lo accept # handle 7\n\t}\n}\n"
	js := "{\"nftables\": [\n{\"chain\": {\"family\": \"inet\", \"table\": \"t\", \"name\": \"c\", \"type\": \"filter\",\n\"hook\": \"input\", \"prio\": 0, \"policy\": \"drop\"}},\n\n" +
		"{\"rule\": {\"family\": \"inet\", \"table\": \"t\", \"chain\": \"c\", \"handle\": 12, \"expr\": [\n{\"match\": {\"op\": \"==\", \"left\": {\"meta\": {\"key\": \"iif\"}}, \"right\": \"lo\"}}, {\"accept\": null}]}}\n]}"
	for _, c := range []struct{ text, want string }{
		{text, "2 4\n5 tcp dport vmap { 22 : accept, 23 : drop }\n5 tcp dport vmap { 22 : accept, 23 : drop }\n9 iif lo accept\n"},
		{js, "2 2\n5 handle 12: iif lo accept\n"},
	} {
		parse := ParseText
		if isJSON, _ := Sniff([]byte(c.text)); isJSON {
			parse = ParseJSON
		}
		rs, err := parse("f", strings.NewReader(c.text))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		chain := rs.Chains[0]
		fmt.Fprintf(&b, "%d %d\n", chain.Pos.Line, chain.Base.Pos.Line)
		for _, r := range chain.Rules {
			fmt.Fprintf(&b, "%d %s\n", r.Pos.Line, r.Text)
		}
		if diff := cmp.Diff(c.want, b.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// Rules of iptables-nft are told once for a file; what nft shows is read.
func TestIPTablesNFT(t *testing.T) {
	if _, err := exec.LookPath("iptables-nft-restore"); err != nil {
		t.Fatal("iptables-nft-restore is missing: install Debian's package iptables")
	}
	text, _, js := listings(t, "iptables-nft-restore < testdata/iptables-nft.rules")
	for name, listing := range map[string]string{"text": text, "json": js} {
		parse := ParseText
		if name == "json" {
			parse = ParseJSON
		}
		rs, err := parse("f", strings.NewReader(listing))
		if err != nil {
			t.Fatal(err)
		}
		if len(rs.Unparsed) != 1 || rs.Unparsed[0].Why != NeedsIPTablesSave {
			t.Errorf("%s: unparsed %v", name, rs.Unparsed)
		}
		got := dump(rs)
		for _, want := range []string{"proto=17 dport=53 ? -> accept", "src=192.0.2.0-192.0.2.255 -> jump blocked", "proto=6 dport=22 -> accept", "route 172.17.0.0/16 docker0"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, got)
			}
		}
	}
}

func TestSniff(t *testing.T) {
	for _, c := range []struct {
		head     string
		js, text bool
	}{
		{`{"nftables": [`, true, false},
		{" {\n \"nftables\" : [", true, false},
		{`{"SecurityGroups": [`, false, false},
		{"table inet filter {", false, true},
		{"#!/usr/sbin/nft -f\n", false, true},
		{"#!/usr/bin/env nft\n", false, true},
		{"# a comment\n\nflush ruleset\n", false, true},
		{"define x = 22\n", false, true},
		{"add rule inet t c drop", false, true},
		{"*filter\n", false, false},
		{"# Generated by iptables-save\n*filter\n", false, false},
		{"table <bad> persist\npass in", false, false},
		{"set x = y", false, false},
		{"", false, false},
	} {
		if js, text := Sniff([]byte(c.head)); js != c.js || text != c.text {
			t.Errorf("%q: %v %v", c.head, js, text)
		}
	}
	for _, file := range []string{"all", "docker", "firewalld", "operators", "router", "workstation"} {
		head, err := os.ReadFile("testdata/" + file + ".nft")
		if err != nil {
			t.Fatal(err)
		}
		if _, text := Sniff(head); !text {
			t.Errorf("%s is not taken for nft", file)
		}
	}
}
