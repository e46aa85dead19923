package nft

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/firewall"
)

// check holds what every ruleset must fulfil, whatever it was read from.
func check(t *testing.T, rs *firewall.Ruleset) {
	t.Helper()
	for _, u := range rs.Unparsed {
		if len(u.Text) > 200 || u.Why == "" || u.Pos.File != "f" || strings.Contains(u.Why+u.Text, "\n") {
			t.Errorf("unparsed %+v", u)
		}
	}
	for _, c := range rs.Chains {
		if c.Name == "" && c.Base == nil && len(c.Rules) > 1<<20 {
			t.Error("a chain without a name and many rules")
		}
		for i := range c.Rules {
			r := &c.Rules[i]
			if len(r.Text) > 300 {
				t.Errorf("%s: text of %d bytes", r.Pos, len(r.Text))
			}
			jumps := r.Action.Kind == firewall.Jump || r.Action.Kind == firewall.Goto
			if jumps != (r.Action.Target != nil) || jumps && !slices.Contains(rs.Chains, r.Action.Target) {
				t.Errorf("%s: a jump to a chain that is not there: %s", r.Pos, r.Text)
			}
			if r.Action.Kind == firewall.Unknown && r.Action.Why == "" {
				t.Errorf("%s: unknown without a reason: %s", r.Pos, r.Text)
			}
			checkMatches(t, r.Matches)
		}
	}
}

func checkMatches(t *testing.T, list []firewall.Match) {
	t.Helper()
	for i := range list {
		if list[i].Field == firewall.Undecidable && list[i].Why == "" {
			t.Error("undecidable without a reason")
		}
		for _, conj := range list[i].Tuples {
			checkMatches(t, conj)
		}
	}
}

func FuzzParseText(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rs, err := ParseText("f", bytes.NewReader(b))
		if err == nil {
			check(t, rs)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, expr := range []string{
		`{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["new"]}}, {"accept": null}`,
		`{"match": {"op": "==", "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, {"|": ["fin", "syn"]}]}, "right": "syn"}}, {"jump": {"target": "d"}}`,
		`{"vmap": {"key": {"concat": [{"payload": {"protocol": "ip", "field": "saddr"}}, {"meta": {"key": "iifname"}}]}, "data": {"set": [[{"concat": [{"prefix": {"addr": "192.0.2.0", "len": 24}}, "eth*"]}, {"drop": null}], ["*", {"accept": null}]]}}}`,
		`{"dnat": {"family": "ip", "addr": {"map": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@m"}}, "port": {"range": [1, 2]}}}`,
		`{"set": {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@s"}}, {"reject": {"type": "tcp reset"}}`,
	} {
		f.Add([]byte(`{"nftables": [{"map": {"family": "inet", "name": "m", "table": "t", "type": ["inet_service"], "map": "ipv4_addr", "elem": [[80, "192.0.2.1"]]}}, {"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "input", "prio": 0}}, {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 3, "expr": [` + expr + `]}}]}`))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rs, err := ParseJSON("f", bytes.NewReader(b))
		if err == nil {
			check(t, rs)
		}
	})
}

// seeds are the lines of the fixtures, each in a chain of its own: small ones
// mutate well.
func seeds(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.nft")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no fixtures: %v", err)
	}
	var out []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); len(line) > 20 {
				out = append(out, "table inet t { set s { type inet_service; }; chain c { "+line+"; }; }")
			}
		}
	}
	return out
}

// repeat gives head, n bodies and tail without holding them all.
func repeat(n int, head string, body func(i int) string, tail string) io.Reader {
	i := -1
	return &generator{next: func() (string, bool) {
		i++
		switch {
		case i == 0:
			return head, true
		case i <= n:
			return body(i), true
		case i == n+1:
			return tail, true
		}
		return "", false
	}}
}

type generator struct {
	next func() (string, bool)
	left string
}

func (g *generator) Read(b []byte) (int, error) {
	if g.left == "" {
		var ok bool
		if g.left, ok = g.next(); !ok {
			return 0, io.EOF
		}
	}
	n := copy(b, g.left)
	g.left = g.left[n:]
	return n, nil
}

func manyText(n int) io.Reader {
	return repeat(n, "table inet t {\nchain c {\ntype filter hook input priority 0; policy drop;\n", func(i int) string {
		return fmt.Sprintf("ip saddr 10.%d.%d.%d/32 tcp dport { %d, 8000-8080 } counter packets 0 bytes 0 accept # handle %d\n", i>>16&255, i>>8&255, i&255, i&0x3fff, i)
	}, "}\n}\n")
}

func manyJSON(n int) io.Reader {
	return repeat(n, `{"nftables": [{"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}`, func(i int) string {
		return fmt.Sprintf(`, {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": %d, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "10.%d.%d.%d"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [%d, {"range": [8000, 8080]}]}}}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": null}]}}`, i, i>>16&255, i>>8&255, i&255, i&0x3fff)
	}, "]}")
}

func manyElements(n int) io.Reader {
	return repeat(n, "table inet t {\nset s {\ntype ipv4_addr . inet_service\nflags interval\nelements = { 192.0.2.1 . 22", func(i int) string {
		return fmt.Sprintf(",\n10.%d.%d.%d . %d", i>>16&255, i>>8&255, i&255, i%7)
	}, "}\n}\nchain c {\nip saddr . tcp dport @s accept\n}\n}\n")
}

func TestLong(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules int
		parse func() (*firewall.Ruleset, error)
	}{
		{"text", 50_000, func() (*firewall.Ruleset, error) { return ParseText("f", manyText(50_000)) }},
		{"json", 50_000, func() (*firewall.Ruleset, error) { return ParseJSON("f", manyJSON(50_000)) }},
		{"elements", 1, func() (*firewall.Ruleset, error) { return ParseText("f", manyElements(200_000)) }},
		{"elem in elem", 1, func() (*firewall.Ruleset, error) {
			return ParseJSON("f", strings.NewReader(`{"nftables": [{"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": {"set": [`+
				strings.Repeat(`{"elem": {"val": `, 4000)+strings.Repeat(" ", 1<<20)+`1`+strings.Repeat(`}}`, 4000)+`]}}}]}}, {"chain": {"family": "inet", "table": "t", "name": "c"}}]}`))
		}},
		{"verdict map", 3, func() (*firewall.Ruleset, error) {
			return ParseText("f", repeat(20_000, "table inet t { chain c { tcp dport vmap { 65000 : drop", func(i int) string {
				return fmt.Sprintf(", %d : %s", i, []string{"accept", "drop"}[i%2])
			}, ", * : return }; }; }"))
		}},
		{"nesting", 1, func() (*firewall.Ruleset, error) {
			return ParseText("f", strings.NewReader("table inet t { chain c { tcp flags & "+strings.Repeat("(", 1<<20)+"syn"+strings.Repeat(")", 1<<20)+" == syn drop; }; }"))
		}},
		{"braces", 1, func() (*firewall.Ruleset, error) {
			return ParseText("f", strings.NewReader("table inet t { chain c { tcp dport "+strings.Repeat("{", 1<<20)+"22"+strings.Repeat("}", 1<<20)+" drop; }; }"))
		}},
		{"dashes", 1, func() (*firewall.Ruleset, error) {
			return ParseText("f", strings.NewReader("table inet t { chain c { tcp dport "+strings.Repeat("1-", 1<<20)+"1 drop; }; }"))
		}},
		{"variables", 1, func() (*firewall.Ruleset, error) {
			var b strings.Builder
			b.WriteString("define v0 = { 22, 23 }\n")
			for i := 1; i < 60; i++ {
				fmt.Fprintf(&b, "define v%d = { $v%d, $v%d }\n", i, i-1, i-1)
			}
			return ParseText("f", strings.NewReader(b.String()+"table inet t { chain c { tcp dport $v59 drop; }; }"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rs, err := c.parse()
			if err != nil {
				t.Fatal(err)
			}
			check(t, rs)
			if got := len(rs.Chains[0].Rules); got != c.rules {
				t.Errorf("%d rules, want %d", got, c.rules)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for name, parse := range map[string]func() (*firewall.Ruleset, error){
		"text 100000 rules":     func() (*firewall.Ruleset, error) { return ParseText("f", manyText(100_000)) },
		"json 100000 rules":     func() (*firewall.Ruleset, error) { return ParseJSON("f", manyJSON(100_000)) },
		"text 1000000 elements": func() (*firewall.Ruleset, error) { return ParseText("f", manyElements(1_000_000)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
