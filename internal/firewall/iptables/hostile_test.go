package iptables

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/firewall"
)

// Insertions at the head and long runs of jumps to chains that never come must
// not cost more than their number.
func TestParseHostile(t *testing.T) {
	const n = 200_000
	for _, c := range []struct {
		name, line string
		want       string
	}{
		{"insert at head", "-I INPUT -j DROP\n", ""},
		{"insert inside", "-I INPUT 2 -j DROP\n", errTooMuchMoving.Error()},
		{"missing chains", "-A INPUT -j missing\n", ""},
		{"unknown words", "-A INPUT foo\n", ""},
		{"delete", "-D INPUT 1\n", ""},
		{"alternate ends", "-I INPUT -j DROP\n-A INPUT -j DROP\n-I INPUT 2 -j DROP\n", errTooMuchMoving.Error()},
		{"tables", "*filter\nCOMMIT\n*nat\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := io.MultiReader(strings.NewReader("*filter\n:INPUT DROP [0:0]\n-A INPUT\n-A INPUT\n"), strings.NewReader(strings.Repeat(c.line, n)))
			rs, err := Parse("f", text, firewall.IPv4, nil)
			switch {
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %s", err, c.want)
			case c.want == "" && err != nil:
				t.Error(err)
			case err == nil && len(rs.Unparsed) > maxUnparsed+1:
				t.Errorf("%d entries unparsed", len(rs.Unparsed))
			}
		})
	}
}

func seeds(f *testing.F, pattern string) {
	f.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		f.Fatal(err, names)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
}

func FuzzParse(f *testing.F) {
	seeds(f, "*.save")
	seeds(f, "*.rules")
	sets, err := ParseIPSets("s", strings.NewReader("create a hash:net\nadd a 10.0.0.0/8\nadd a 10.1.0.0/16 nomatch\ncreate seen hash:ip timeout 5\nadd seen 192.0.2.1\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		Sniff(text)
		rs, err := Parse("f", bytes.NewReader(text), firewall.IPv4, sets)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		for _, c := range rs.Chains {
			for _, r := range c.Rules {
				check(t, r)
			}
		}
	})
}

// check holds for every rule, whatever the text.
func check(t *testing.T, r firewall.Rule) {
	t.Helper()
	jumps := r.Action.Kind == firewall.Jump || r.Action.Kind == firewall.Goto
	if jumps != (r.Action.Target != nil) || (r.Action.Kind == firewall.Unknown) != (r.Action.Why != "") {
		t.Errorf("action %+v of %q", r.Action, r.Text)
	}
	if r.Pos.Line == 0 || len(r.Text) > maxText {
		t.Errorf("position %v, text %q", r.Pos, r.Text)
	}
	for _, m := range r.Matches {
		if (m.Field == firewall.Undecidable || m.Field == firewall.Presumed) != (m.Why != "") || (m.Field == firewall.Tuple) != (len(m.Tuples) > 0) {
			t.Errorf("match %+v of %q", m, r.Text)
		}
	}
}

func FuzzParseIPSets(f *testing.F) {
	seeds(f, "*.ipset")
	f.Add([]byte("create a hash:ip,port,net\nadd a 10.0.0.1,icmp:8/0,10.0.0.0/8 nomatch timeout 5\ncreate b list:set\nadd b a\ncreate c hash:net,iface family inet6\nadd c ::/0,eth0 wildcard\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		SniffIPSets(text)
		sets, err := ParseIPSets("s", bytes.NewReader(text))
		if err != nil {
			return
		}
		for name := range sets.sets {
			rules := "*raw\n-A OUTPUT -m set --match-set \"" + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", " ").Replace(name) + "\" src,dst,src\nCOMMIT\n"
			for _, family := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
				rs, err := Parse("f", strings.NewReader(rules), family, sets)
				if err == nil {
					for _, r := range rs.Chains[0].Rules {
						check(t, r)
					}
				}
			}
		}
	})
}
