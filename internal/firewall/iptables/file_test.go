package iptables

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
)

var update = flag.Bool("update", false, "write what the fixtures should give anew")

// fixture reads a file of testdata with the sets that belong to it, if any.
func fixture(t *testing.T, name string) *firewall.Ruleset {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	rs, err := Parse(name, strings.NewReader(string(text)), familyOf(name), fixtureSets(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func familyOf(name string) firewall.Family {
	if strings.Contains(name, "6.") {
		return firewall.IPv6
	}
	return firewall.IPv4
}

func fixtureSets(t *testing.T, name string) *IPSets {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", strings.TrimSuffix(name, filepath.Ext(name))+".ipset"))
	if err != nil {
		return nil
	}
	sets, err := ParseIPSets(name, strings.NewReader(string(text)))
	if err != nil || len(sets.Unparsed) > 0 {
		t.Fatal(err, sets.Unparsed)
	}
	return sets
}

func fixtures(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*.save", "*.rules"} {
		found, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(found) == 0 {
			t.Fatal(err, found)
		}
		for _, f := range found {
			names = append(names, filepath.Base(f))
		}
	}
	return names
}

// The files are what the real tools printed; all of each is understood.
func TestParseFixtures(t *testing.T) {
	for _, name := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			rs := fixture(t, name)
			for _, u := range rs.Unparsed {
				t.Errorf("unparsed %s %s: %s", u.Pos, u.Text, u.Why)
			}
			golden, got := filepath.Join("testdata", name+".want"), show(rs)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseFile(t *testing.T) {
	const head = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
	const base = "filter FORWARD v1 hook=4 kind=0 prio=0 default=1\n"
	const input = base + "filter INPUT v1 hook=3 kind=0 prio=0 default=1\n"
	const output = "filter OUTPUT v1 hook=5 kind=0 prio=0 default=0\n"
	for _, c := range []struct{ name, text, want string }{
		{"counters", head + "[5:60] -A INPUT -j ACCEPT\nCOMMIT\n", input + "\t-> accept\n" + output},
		{"insert at head", head + "-A INPUT -p 1\n-I INPUT -p 2\n-I INPUT -p 3\nCOMMIT\n", input + "\tproto=3 -> continue\n\tproto=2 -> continue\n\tproto=1 -> continue\n" + output},
		{"insert inside", head + "-A INPUT -p 1\n-A INPUT -p 2\n-I INPUT 2 -p 3\nCOMMIT\n", input + "\tproto=1 -> continue\n\tproto=3 -> continue\n\tproto=2 -> continue\n" + output},
		{"insert inside after head", head + "-I INPUT -p 1\n-I INPUT -p 2\n-I INPUT 3 -p 3\n-I INPUT -p 4\nCOMMIT\n", input + "\tproto=4 -> continue\n\tproto=2 -> continue\n\tproto=1 -> continue\n\tproto=3 -> continue\n" + output},
		{"insert nowhere", head + "-I INPUT 3 -p 3\nCOMMIT\n", input + "\tproto=3 -> continue\n" + output + "unparsed -I INPUT 3 -p 3: the chain has no position 3\n"},
		{"delete and flush", head + "-A INPUT -p 1\n-A INPUT -p 2\n-D INPUT 1\n-A FORWARD -p 3\n-F FORWARD\nCOMMIT\n", input + "\tproto=2 -> continue\n" + output},
		{"delete by rule", head + "-D INPUT -p 1\nCOMMIT\n", input + output + "unparsed -D INPUT -p 1: expected -A, -I, -N, -P, -F, -X or -D with a position: load the file and give iptables-save's output\n"},
		{"new chain and policy", head + "-N mine\n-P FORWARD ACCEPT\n-A INPUT -j mine\n-Z\nCOMMIT\n", "filter FORWARD v1 hook=4 kind=0 prio=0 default=0\nfilter INPUT v1 hook=3 kind=0 prio=0 default=1\n\t-> jump mine\n" + output + "filter mine v1\n"},
		{"chain after its jump", head + "-A INPUT -j late\n:late - [0:0]\nCOMMIT\n", input + "\t-> jump late\n" + output + "filter late v1\n"},
		{"chain never declared", head + "-A late -j DROP\nCOMMIT\n", input + output + "filter late v1\n\t-> drop\nunparsed -A late -j DROP: chain late is not declared before it, expected a line :late -\n"},
		{"loop", head + ":a - [0:0]\n:b - [0:0]\n-A a -j b\n-A b -j a\nCOMMIT\n", input + output + "filter a v1\n\t-> jump b\nfilter b v1\n\t-> jump a\n"},
		{"jump to a built-in chain", head + "-A INPUT -j FORWARD\nCOMMIT\n", input + "\t?(not understood: expected a chain of the user after -j, found \"FORWARD\") -> unknown (jump to FORWARD)\n" + output + "unparsed -A INPUT -j FORWARD: expected a chain of the user after -j, found \"FORWARD\"\n"},
		{"a chain named as an extension", head + ":LOG - [0:0]\n-A INPUT -j LOG\nCOMMIT\n", input + "\t-> jump LOG\nfilter LOG v1\n" + output},
		{"cut short", head + "-A INPUT -j DROP\n", input + "\t-> drop\n" + output + "unparsed *filter: the file ends before COMMIT: it seems to be cut short\n"},
		{"twice", "*nat\nCOMMIT\n*nat\nCOMMIT\n", "unparsed *nat: the table stands twice in the file, loading it would replace the first: give one of them\n"},
		{"unknown table", "*broute\n:BROUTING ACCEPT [0:0]\nCOMMIT\n", "broute BROUTING v1\nunparsed *broute: expected one of the tables filter, nat, mangle, raw and security\nunparsed :BROUTING ACCEPT [0:0]: only built-in chains have a policy\n"},
		{"policies not given", "*filter\n:FORWARD DROP [0:0]\n-A INPUT -p 1\nCOMMIT\n", base + "filter INPUT v1 hook=3 kind=0 prio=0 default=0\n\tproto=1 -> continue\n\t-> unknown (the file does not give the policy of INPUT: give the whole output of iptables-save)\n" + output + "\t-> unknown (the file does not give the policy of OUTPUT: give the whole output of iptables-save)\n"},
		{"legacy hidden", "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n", "unparsed # Warning: iptables-legacy tables present, use iptables-legacy-save to see them: " + LegacyHidden + "\n"},
		{"legacy hidden and found", "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n# Generated by iptables-nft-save v1.8.9 (nf_tables) on Mon\n*raw\nCOMMIT\n# Generated by iptables-save v1.8.9 on Mon\n*raw\nCOMMIT\n", ""},
		{"legacy of the other family", "# Warning: ip6tables-legacy tables present, use ip6tables-legacy-save to see them\n# Generated by iptables-save v1.8.9 on Mon\n*raw\nCOMMIT\n", "unparsed # Warning: ip6tables-legacy tables present, use ip6tables-legacy-save to see them: " + LegacyHidden + "\n"},
		{"native hidden", "# Table `filter' contains incompatible base-chains, use 'nft' tool to list them.\n*nat\nCOMMIT\n", "unparsed # Table `filter' contains incompatible base-chains, use 'nft' tool to list them.: " + NativeHidden + "\n"},
		{"nf_tables without chains", "# Generated by iptables-nft-save v1.8.9 (nf_tables) on Mon\n*filter\nCOMMIT\n", ""},
		{"both kernels", "# Generated by iptables-nft-save v1.8.9 (nf_tables) on Mon\n*raw\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n# Generated by iptables-save v1.8.9 on Mon\n*raw\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", strings.Repeat("raw OUTPUT v1 hook=5 kind=0 prio=-300 default=0\n", 2)},
		{"both families", "*raw\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n# Generated by ip6tables-save v1.8.9 on Mon\n*raw\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", "raw OUTPUT v1 hook=5 kind=0 prio=-300 default=0\nraw OUTPUT v2 hook=5 kind=0 prio=-300 default=0\n"},
		{"hooks of mangle", "*mangle\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n", "mangle FORWARD v1 hook=4 kind=0 prio=-150 default=0\nmangle INPUT v1 hook=3 kind=0 prio=-150 default=0\nmangle OUTPUT v1 hook=5 kind=2 prio=-150 default=0\nmangle POSTROUTING v1 hook=6 kind=0 prio=-150 default=0\nmangle PREROUTING v1 hook=2 kind=0 prio=-150 default=0\n"},
		{"hooks of nat", "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n", "nat INPUT v1 hook=3 kind=1 prio=100 default=0\nnat OUTPUT v1 hook=5 kind=1 prio=-100 default=0\nnat POSTROUTING v1 hook=6 kind=1 prio=100 default=0\nnat PREROUTING v1 hook=2 kind=1 prio=-100 default=0\n"},
		{"routes", "*nat\n-A POSTROUTING -s 10.0.0.0/8 ! -o a -j MASQUERADE\n-A POSTROUTING -s 10.1.0.0/16 ! -o b -j MASQUERADE\n-A POSTROUTING -s 10.1.0.0/16 ! -o b -p tcp -j MASQUERADE\n-A POSTROUTING -s 10.2.0.0/16 -o c -j MASQUERADE\n-A POSTROUTING ! -s 10.3.0.0/16 ! -o d -j MASQUERADE\nCOMMIT\n", "nat POSTROUTING v1 hook=6 kind=1 prio=100 default=0\n\tsrc=10.0.0.0/8 !out=a -> snat\n\tsrc=10.1.0.0/16 !out=b -> snat\n\tsrc=10.1.0.0/16 !out=b proto=6 -> snat\n\tsrc=10.2.0.0/16 out=c -> snat\n\t!src=10.3.0.0/16 !out=d -> snat\nroute 10.1.0.0/16 b\nroute 10.0.0.0/8 a\n"},
		{"routes of libvirt", head + ":LIBVIRT_FWI - [0:0]\n-A INPUT -d 10.1.0.0/16 -o b -j ACCEPT\n-A LIBVIRT_FWI -d 10.1.0.0/16 -o b -j ACCEPT\n-A LIBVIRT_FWI -o b -j REJECT\nCOMMIT\n", input + "\tdst=10.1.0.0/16 out=b -> accept\nfilter LIBVIRT_FWI v1\n\tdst=10.1.0.0/16 out=b -> accept\n\tout=b -> reject\n" + output + "route 10.1.0.0/16 b\n"},
		{"the same words in two chains", head + ":a - [0:0]\n-A INPUT -p tcp --dport 1 -j DROP\n-A a -p tcp --dport 1 -j DROP\nCOMMIT\n*raw\n-A OUTPUT -j a\nCOMMIT\n", input + "\tproto=6 dport=1 -> drop\n" + output + "filter a v1\n\tproto=6 dport=1 -> drop\nraw OUTPUT v1 hook=5 kind=0 prio=-300 default=0\n\t-> unknown (no chain and no known target is called a)\nunparsed -A OUTPUT -j a: no chain and no known target is called a\n"},
		{"back in the first table", "*raw\n:a - [0:0]\n-A OUTPUT -p 1 -j a\nCOMMIT\n*nat\n:a - [0:0]\n-A OUTPUT -p 1 -j DNAT --to-destination 10.0.0.1\nCOMMIT\n*raw\n-A OUTPUT -p 1 -j DNAT --to-destination 10.0.0.1\nCOMMIT\n", "nat OUTPUT v1 hook=5 kind=1 prio=-100 default=0\n\tproto=1 -> dnat 10.0.0.1-10.0.0.1\nnat a v1\nraw OUTPUT v1 hook=5 kind=0 prio=-300 default=0\n\tproto=1 -> jump a\n\tproto=1 -> unknown (DNAT outside the nat table)\nraw a v1\nunparsed *raw: the table stands twice in the file, loading it would replace the first: give one of them\n"},
		{"list above its bound", head + "-A INPUT -s " + strings.Repeat("192.0.2.1,192.0.2.2,", maxCombined/2) + "192.0.2.3 -j DROP\nCOMMIT\n", input + "\tsrc=192.0.2.1/32,192.0.2.2/31 -> drop\n" + output},
	} {
		t.Run(c.name, func(t *testing.T) {
			rs, err := Parse("f", strings.NewReader(c.text), firewall.IPv4, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, show(rs)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		family firewall.Family
		want   string
	}{
		{"", firewall.IPv4, "f: no tables found: expected the output of iptables-save, with lines such as *filter"},
		{"# a comment\n", firewall.IPv4, "f: no tables found: expected the output of iptables-save, with lines such as *filter"},
		{"\ntable ip filter {\n", firewall.IPv4, `f:2: expected a line such as *filter, found "table ip filter {": give the output of iptables-save`},
		{"*filter\nCOMMIT\n", firewall.Inet, "f:1: cannot tell IPv4 from IPv6 rules: say which, or keep the tool's first line (# Generated by …)"},
		{"*filter\n-A INPUT -m comment --comment " + strings.Repeat("x", maxLine+70<<10), firewall.IPv4, "f:2: line longer than 1048576 bytes"},
	} {
		_, err := Parse("f", strings.NewReader(c.text), c.family, nil)
		if err == nil || err.Error() != c.want {
			t.Errorf("%.60q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestParsePositions(t *testing.T) {
	long := "-A INPUT -m comment --comment \"" + strings.Repeat("ä", 400) + "\" -s 192.0.2.1 -j DROP"
	rs, err := Parse("f", strings.NewReader("*filter\r\n:INPUT DROP [0:0]\r\n-A INPUT -i eth0 -j ACCEPT\r\n"+long+"\nCOMMIT"), firewall.IPv4, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := rs.Chains[0]
	if c.Base.Pos.Line != 2 || c.Rules[0].Pos != (firewall.Position{File: "f", Line: 3}) || c.Rules[0].Text != "-A INPUT -i eth0 -j ACCEPT" {
		t.Errorf("got %+v, %+v", c.Base, c.Rules[0])
	}
	if r := c.Rules[1]; r.Text != clip(long, 300) || len(r.Text) > 300 || showRule(r) != "src=192.0.2.1/32 -> drop" {
		t.Errorf("got %q: %s", r.Text, showRule(r))
	}
}

func TestSniff(t *testing.T) {
	for _, c := range []struct {
		text string
		save bool
		want firewall.Family
	}{
		{"# Generated by iptables-save v1.8.9 (nf_tables) on Mon\n*filter\n", true, firewall.IPv4},
		{"# Generated by ip6tables-nft-save v1.8.9 on Mon\n*filter\n", true, firewall.IPv6},
		{"# mine\n*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -s 192.0.2.0/24 -j ACCEPT\n", true, firewall.IPv4},
		{"*filter\n-A INPUT ! -s ! 2001:db8::/32 -j ACCEPT\n", true, firewall.IPv6},
		{"*filter\n-A INPUT -p ipv6-icmp -j ACCEPT\n", true, firewall.IPv6},
		{"*filter\n-A INPUT -p icmp -j ACCEPT\n", true, firewall.IPv4},
		{"*filter\n-A INPUT -j REJECT --reject-with icmp6-adm-prohibited\n", true, firewall.IPv6},
		{"*nat\n-A PREROUTING -j DNAT --to-destination [2001:db8::1]:53\n", true, firewall.IPv6},
		{"*filter\n-A INPUT -m comment --comment \"-s 192.0.2.1\" -p tcp --dport 22 -j ACCEPT\n", true, 0},
		{"# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n", true, 0},
		{"table inet filter {\n", false, 0},
		{"create x hash:ip\n", false, 0},
		{"", false, 0},
	} {
		save, family, why := Sniff([]byte(c.text))
		if save != c.save || family != c.want || why == "" {
			t.Errorf("%q: got %v %d %q", c.text, save, family, why)
		}
	}
}

func TestSniffIPSets(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"create x hash:ip family inet\nadd x 192.0.2.1\n", true},
		{"# mine\n-N x hash:net -exist\n", true},
		{"flush\ncreate x hash:ip\n", false},
		{"flush x\ncreate x hash:ip\n", true},
		{"*filter\n", false},
		{"create table ip x\n", false},
		{"", false},
	} {
		if got := SniffIPSets([]byte(c.text)); got != c.want {
			t.Errorf("%q: got %v", c.text, got)
		}
	}
}
