package netfilter_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/netfilter"
)

func TestLine(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"plain: 53/udp (line 3)", 100, "plain: 53/udp (line 3)"},
		{"two\nlines\r\nand\ttabs", 100, "two lines and tabs"},
		{`a "quoted" \ thing`, 100, "a 'quoted' / thing"},
		{"$(reboot) `reboot`", 100, "(reboot) 'reboot'"},
		{"\x00\x1b[2J\u2028\u202e\xff", 100, "[2J"},
		{"ééééé", 10, "ééééé"},
		{"éééééé", 10, "ééé..."},
		{strings.Repeat("a", 11), 10, "aaaaaaa..."},
		{"", 10, ""},
	} {
		if got := netfilter.Line(c.text, c.limit); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a \"b\" \\ $c `d`\n# e", 20)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 3 || limit > 1000 {
			return
		}
		got := netfilter.Line(text, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.ContainsAny(got, "\"\\$`\n\r\t\x00\x1b\u2028") {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

func TestPortGroups(t *testing.T) {
	single := func(n uint16) firewall.PortRange { return firewall.PortRange{First: n, Last: n} }
	var many []firewall.PortRange
	for i := range uint16(16) {
		many = append(many, single(2*i+1))
	}
	ranges := []firewall.PortRange{{First: 1, Last: 2}, {First: 4, Last: 5}, {First: 7, Last: 8}, {First: 10, Last: 11}, {First: 13, Last: 14}, {First: 16, Last: 17}, {First: 19, Last: 20}, {First: 22, Last: 23}}
	for _, c := range []struct {
		name  string
		ports []firewall.PortRange
		want  string
	}{
		{"none", nil, ""},
		{"one", many[:1], "1"},
		{"fifteen", many[:15], "1,3,5,7,9,11,13,15,17,19,21,23,25,27,29"},
		{"sixteen", many, "1,3,5,7,9,11,13,15,17,19,21,23,25,27,29 31"},
		{"ranges count twice", ranges, "1:2,4:5,7:8,10:11,13:14,16:17,19:20 22:23"},
		{"a range does not fit", append(many[:14:14], firewall.PortRange{First: 100, Last: 200}, single(300)), "1,3,5,7,9,11,13,15,17,19,21,23,25,27 100:200,300"},
	} {
		var words []string
		for _, g := range netfilter.PortGroups(c.ports) {
			words = append(words, netfilter.Colons(g))
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestSources(t *testing.T) {
	for _, c := range []struct {
		sources string
		family  firewall.Family
		want    string
	}{
		{"", firewall.IPv4, "[] false"},
		{"", firewall.IPv6, "[] false"},
		{"10.0.0.0/8", firewall.IPv4, "[10.0.0.0/8] false"},
		{"10.0.0.0/8", firewall.IPv6, "[] true"},
		{"10.0.0.0/9 10.128.0.0/9 10.1.0.0/16", firewall.IPv4, "[10.0.0.0/8] false"},
		{"0.0.0.0/0", firewall.IPv4, "[] false"},
		{"0.0.0.0/0", firewall.IPv6, "[] true"},
		{"::/1 8000::/1", firewall.IPv6, "[] false"},
	} {
		var a firewall.Allow
		for word := range strings.FieldsSeq(c.sources) {
			a.Sources = append(a.Sources, netip.MustParsePrefix(word))
		}
		got, none := netfilter.Sources(a, c.family)
		if text := fmt.Sprint(got, none); text != c.want {
			t.Errorf("%q %v: got %s, want %s", c.sources, c.family, text, c.want)
		}
	}
}

func TestFileName(t *testing.T) {
	for asset, want := range map[string]string{
		"ns1": "ns1.nft", "ns1.example.net": "ns1.example.net.nft", "../../etc/passwd": "_.._etc_passwd.nft",
		"": "asset.nft", "...": "asset.nft", "-rf": "rf.nft", "a b\n": "a_b_.nft", strings.Repeat("a", 300): strings.Repeat("a", 64) + ".nft",
	} {
		if got := netfilter.FileName(asset, ".nft"); got != want {
			t.Errorf("%q: got %q, want %q", asset, got, want)
		}
	}
}
