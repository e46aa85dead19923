package iptables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
)

// one parses options of a rule in a table's chain and shows what became of it.
func one(t *testing.T, f firewall.Family, table, chain, options string, sets *IPSets) string {
	t.Helper()
	text := "*" + table + "\n:" + chain + " ACCEPT [0:0]\n:other - [0:0]\n-A " + chain + " " + options + "\nCOMMIT\n"
	text = strings.Replace(text, ":other ACCEPT", ":other -", 1)
	rs, err := Parse("f", strings.NewReader(text), f, sets)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range rs.Chains {
		for _, r := range c.Rules {
			if r.Pos.Line == 4 {
				lines = append(lines, showRule(r))
			}
		}
	}
	for _, u := range rs.Unparsed {
		lines = append(lines, "unparsed: "+u.Why)
	}
	return strings.Join(lines, "\n")
}

func TestParseRule(t *testing.T) {
	const all = "proto=6,17,33,132,136"
	for _, c := range []struct{ options, want string }{
		{`-j ACCEPT`, `-> accept`},
		{``, `-> continue`},
		{`-s 192.0.2.0/24 -j DROP`, `src=192.0.2.0/24 -> drop`},
		{`--source 192.0.2.1 --jump DROP`, `src=192.0.2.1/32 -> drop`},
		{`! -s 192.0.2.1/32 -j DROP`, `!src=192.0.2.1/32 -> drop`},
		{`-s ! 192.0.2.1/32 -j DROP`, `!src=192.0.2.1/32 -> drop`},
		{`-s 0.0.0.0/0 -j DROP`, `-> drop`},
		{`! -d 0.0.0.0/0 -j DROP`, `!dst=0.0.0.0/0 -> drop`},
		{`-s 10/8 -d 10.1/16`, `src=10.0.0.0/8 dst=10.1.0.0/16 -> continue`},
		{`-s 192.0.2.9/255.255.255.0`, `src=192.0.2.0/24 -> continue`},
		{`-s 10.1.2.3/255.0.255.255 -j DROP`, manyHoles()},
		{`-s 10.0.0.5/254.255.255.255`, `src=10.0.0.5/32,11.0.0.5/32 -> continue`},
		{`-s 10.0.0.5/85.85.85.85`, `?(mask 85.85.85.85 has too many holes) -> continue`},
		{`-s 192.0.2.1,192.0.2.2 -d 10.0.0.1,10.0.0.2 -j DROP`, "src=192.0.2.1/32 dst=10.0.0.1/32 -> drop\nsrc=192.0.2.1/32 dst=10.0.0.2/32 -> drop\n" +
			"src=192.0.2.2/32 dst=10.0.0.1/32 -> drop\nsrc=192.0.2.2/32 dst=10.0.0.2/32 -> drop"},
		{`-s www.example.net -j ACCEPT`, `?(host name "www.example.net" was looked up when the rules were loaded: write its addresses) -> accept`},
		{`-s 2001:db8::1 -j ACCEPT`, `?(address 2001:db8::1 is not of this table's family) -> accept`},
		{`-i eth0 -o wg+ -j ACCEPT`, `in=eth0 out=wg* -> accept`},
		{`! -i eth0 -j DROP`, `!in=eth0 -> drop`},
		{`-i + -j DROP`, `-> drop`},
		{`! -o + -j DROP`, `!out=* -> drop`},
		{`-i eth* -j DROP`, `?(interface name eth* ends with a star: write + for a pattern) -> drop`},
		{`-p tcp -j ACCEPT`, `proto=6 -> accept`},
		{`-p 47`, `proto=47 -> continue`},
		{`-p esp -m esp --espspi 5`, `proto=50 ?(espspi 5 depends on the packet's content) -> continue`},
		{`-p esp -m esp`, `proto=50 -> continue`},
		{`! -p udp`, `!proto=17 -> continue`},
		{`-p ! udp`, `!proto=17 -> continue`},
		{`-p all`, `-> continue`},
		{`-p tcp -m tcp --dport 22`, `proto=6 dport=22 -> continue`},
		{`-m tcp --dport 22`, `dport=22 proto=6 -> continue`},
		{`-p tcp --dport 22:80`, `proto=6 dport=22-80 -> continue`},
		{`-p tcp --dport :80`, `proto=6 dport=0-80 -> continue`},
		{`-p udp --sport 1024:`, `proto=17 sport=1024-65535 -> continue`},
		{`-p udp ! --destination-port domain`, `proto=17 !dport=53 -> continue`},
		{`-p udp --dport ! 53`, `proto=17 !dport=53 -> continue`},
		{`-p sctp -m sctp --dport 5`, `proto=132 dport=5 -> continue`},
		{`-p dccp --sport 5`, `proto=33 sport=5 -> continue`},
		{`-p sctp -m sctp --chunk-types any INIT,DATA`, `proto=132 ?(chunk-types any INIT,DATA depends on the packet's content) -> continue`},
		{`-p tcp -m multiport --dports 22,80:90`, `proto=6 dport=22,80-90 -> continue`},
		{`-p tcp -m multiport --dport 22,80`, `proto=6 dport=22,80 -> continue`},
		{`-p udp -m multiport ! --sports 53`, `proto=17 !sport=53 -> continue`},
		{`-p udp -m multiport ! --ports 53,54`, `proto=17 !any{sport=53-54 | dport=53-54} -> continue`},
		{`-m multiport --dports 22`, `dport=22 ` + all + ` -> continue`},
		{`-p tcp --syn`, `proto=6 flags=2,10,34,42,66,74,98,106,130,138,162,170,194,202,226,234 -> continue`},
		{`-p tcp -m tcp --tcp-flags ALL NONE`, `proto=6 flags=0,64,128,192 -> continue`},
		{`-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE`, `proto=6 !flags=0,64,128,192 -> continue`},
		{`-p tcp -m tcp --tcp-flags SYN,ACK FIN,SYN`, `proto=6 flags= -> continue`},
		{`-p tcp --tcp-option 5`, `proto=6 ?(tcp-option 5 depends on the packet's content) -> continue`},
		{`-p icmp -m icmp --icmp-type 8`, `proto=1 icmp=2048-2303 -> continue`},
		{`-p icmp --icmp-type 3/4`, `proto=1 icmp=772 -> continue`},
		{`-p icmp --icmp-type fragmentation-needed`, `proto=1 icmp=772 -> continue`},
		{`-p icmp ! --icmp-type echo-request`, `proto=1 !icmp=2048-2303 -> continue`},
		{`-p icmp --icmp-type any`, `proto=1 -> continue`},
		{`-p icmp --icmp-type 255`, `proto=1 -> continue`},
		{`-m state --state NEW`, `state=0 -> continue`},
		{`-m state ! --state NEW`, `!state=0 -> continue`},
		{`-m conntrack --ctstate RELATED,ESTABLISHED`, `state=1-2 -> continue`},
		{`-m conntrack --ctstate INVALID,UNTRACKED`, `state=3-4 -> continue`},
		{`-m conntrack --ctstate RELATED,DNAT`, `any{state=2 | status=1} -> continue`},
		{`-m conntrack ! --ctstate DNAT`, `!any{status=1} -> continue`},
		{`-m conntrack --ctstate SNAT`, `any{?(ctstate SNAT depends on connection tracking)} -> continue`},
		{`-m conntrack --ctorigdst 192.0.2.1`, `state=0-2 origdst=192.0.2.1/32 -> continue`},
		{`-m conntrack --ctstate NEW ! --ctorigdst 192.0.2.1`, `state=0 !origdst=192.0.2.1/32 -> continue`},
		{`-m conntrack --ctstate NEW,INVALID --ctorigdst 192.0.2.1`, `any{state=3 | state=0-2 state=0,3 origdst=192.0.2.1/32} -> continue`},
		{`-p tcp -m conntrack --ctorigdstport 8080`, `proto=6 state=0-2 origdport=8080 -> continue`},
		{`-m conntrack --ctorigdstport 80:90`, `state=0-2 any{` + all + ` origdport=80-90 | !` + all + ` ?(ctorigdstport of a conversation without ports)} -> continue`},
		{`-m conntrack --ctorigsrc 192.0.2.1`, `state=0-2 any{state=0 src=192.0.2.1/32 | state=1-2 ?(ctorigsrc of replies depends on connection tracking)} -> continue`},
		{`-m conntrack --ctproto 6`, `state=0-2 any{state=0-1 proto=6 | state=2 ?(ctproto of related packets depends on connection tracking)} -> continue`},
		{`-m conntrack --ctdir ORIGINAL`, `state=0-2 any{state=0 | state=1-2 ?(ctdir of established packets)} -> continue`},
		{`-m conntrack --ctdir REPLY`, `state=0-2 any{state=1-2 ?(ctdir of established packets)} -> continue`},
		{`-m conntrack --ctstatus NONE`, `state=0-2 src= -> continue`},
		{`-m conntrack --ctstatus SEEN_REPLY`, `state=0-2 any{state=1 | state=2 ?(ctstatus SEEN_REPLY depends on connection tracking)} -> continue`},
		{`-m conntrack ! --ctstatus ASSURED`, `state=0-2 !any{state=1-2 ?(ctstatus ASSURED depends on connection tracking)} -> continue`},
		{`-m conntrack --ctrepldst 10.0.0.1`, `state=0-2 ?(ctrepldst 10.0.0.1 depends on connection tracking) -> continue`},
		{`-m iprange --src-range 192.0.2.0-192.0.2.3 ! --dst-range 10.0.0.1`, `src=192.0.2.0/30 !dst=10.0.0.1/32 -> continue`},
		{`-m addrtype --dst-type LOCAL -j other`, `local -> jump other`},
		{`-m addrtype ! --dst-type LOCAL`, `!local -> continue`},
		{`-m addrtype --dst-type LOCAL --limit-iface-in`, `?(addrtype dst-type LOCAL limit-iface-in depends on the routing table) -> continue`},
		{`-m addrtype --dst-type MULTICAST`, `dst=224.0.0.0/4 -> continue`},
		{`-m addrtype ! --dst-type BROADCAST`, `!any{!local ?(addrtype not dst-type BROADCAST depends on the routing table)} -> continue`},
		{`-m addrtype --src-type BROADCAST`, `!presumed(` + firewall.PresumeHostSource + `) -> continue`},
		{`-m limit --limit 3/min --limit-burst 7 -j ACCEPT`, `?(limit 3/min limit-burst 7 depends on traffic) -> accept`},
		{`-m mark ! --mark 0x1/0xff`, `?(mark not mark 0x1/0xff depends on a mark, which is not followed) -> continue`},
		{`-m recent --set --name SSH --rsource`, `-> continue`},
		{`-m recent --update --seconds 60 --hitcount 4 --name SSH -j DROP`, `?(recent update seconds 60 hitcount 4 name SSH depends on earlier packets) -> drop`},
		{`-m comment --comment "a \"b\" -j DROP" -j ACCEPT`, `-> accept`},
		{`-m comment --comment -j -j ACCEPT`, `-> accept`},
		{`-m comment --comment "" -j ACCEPT`, `-> accept`},
		{`-m string --string "-j ACCEPT" --algo bm -j DROP`, `?(string -j ACCEPT algo bm depends on the packet's content) -> drop`},
		{`-m policy --dir in --pol ipsec --proto esp -j ACCEPT`, `?(policy dir in pol ipsec proto esp depends on IPsec policies) -> accept`},
		{`-m rpfilter --validmark --invert -j DROP`, `!presumed(` + firewall.PresumeReversePath + `) -> drop`},
		{`-m geoip --src-cc CN,RU -j DROP`, `?(geoip src-cc CN,RU depends on a database of countries) -> drop`},
		{`-m foo --bar a b ! --baz -p tcp -j DROP`, `proto=6 ?(foo bar a b baz is a match that is not known) -> drop`},
		{`-f -j DROP`, `src= -> drop`}, // ordinary packets are no fragments
		{`-f -j ACCEPT`, `?(fragments: whether packets are put together first depends on the kernel) -> accept`},
		{`! -f -j DROP`, `-> drop`},
		{`-m helper --helper ftp -j ACCEPT`, `any{state=1-2 ?(helper ftp depends on connection tracking's helpers)} -> accept`},
		{`-m set --match-set x src -j DROP`, "?(set x is not given: give `ipset save` as well) -> drop"},
		{`-g other`, `-> goto other`},
		{`-j RETURN`, `-> return`},
		{`-p tcp -j REJECT --reject-with tcp-reset`, `proto=6 -> reject`},
		{`-j LOG --log-prefix "-j ACCEPT " --log-level 4`, `-> continue`},
		{`-j NFQUEUE --queue-num 1 --queue-bypass`, `-> unknown (NFQUEUE leaves the verdict to a program)`},
		{`-j SET --add-set a src --exist`, `-> continue`},
		{`-j TEE --gateway 10.0.0.1`, `!local -> continue (TEE sends a copy of the packet to another host, past all rules that follow)`},
		{`-j TPROXY --on-port 3128 --tproxy-mark 0x1/0x1`, `-> unknown (TPROXY hands packets to a local proxy)`},
		{`-j MARK --set-mark 1`, `-> continue`},
		{`-j NOTRACK`, `-> notrack`},
		{`-j CT --notrack`, `-> notrack`},
		{`-j CT --helper ftp`, `-> continue`},
		{`-j DNAT --to-destination 10.0.0.1`, `-> unknown (DNAT outside the nat table)`},
		{`-j FANCY --power 5 -p tcp`, `proto=6 -> unknown (target FANCY is not known)`},
		{`-j missing`, "-> unknown (no chain and no known target is called missing)\nunparsed: no chain and no known target is called missing"},
		{`-c 5 6 -j DROP`, `-> drop`},
		{`-4 -j DROP`, `-> drop`},
		{`-6 -j DROP`, ``},
		{`-p tcp --dport 99999 -j ACCEPT`, "proto=6 ?(not understood: expected a port or a range of ports, found \"99999\") -> accept\nunparsed: expected a port or a range of ports, found \"99999\""},
		{`-p tcp --dport 80:22`, "proto=6 ?(not understood: expected a port or a range of ports, found \"80:22\") -> continue\nunparsed: expected a port or a range of ports, found \"80:22\""},
		{`-m comment --comment "open`, "?(not understood: a quote is not closed) -> continue\nunparsed: a quote is not closed"},
		{`stray -j ACCEPT`, "?(not understood: expected an option, found \"stray\") -> accept\nunparsed: expected an option, found \"stray\""},
		{`-p tcp --frob -j ACCEPT`, "proto=6 ?(not understood: unknown option \"--frob\") -> accept\nunparsed: unknown option \"--frob\""},
		{`-s`, "?(not understood: expected an argument after \"-s\") -> continue\nunparsed: expected an argument after \"-s\""},
	} {
		if diff := cmp.Diff(c.want, one(t, firewall.IPv4, "filter", "INPUT", c.options, nil)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.options, diff)
		}
	}
}

// manyHoles is what "10.1.2.3/255.0.255.255" stands for.
func manyHoles() string {
	a, _ := parseAddress("10.1.2.3/255.0.255.255", firewall.IPv4)
	if len(a.set.Spans()) != 256 {
		return "expected 256 addresses"
	}
	return "src=" + strings.TrimPrefix(showMatch(firewall.Match{Field: firewall.Src, Addrs: a.set}), "src=") + " -> drop"
}

func TestParseRuleIPv6(t *testing.T) {
	for _, c := range []struct{ options, want string }{
		{`-s 2001:db8::/32 -j ACCEPT`, `src=2001:db8::/32 -> accept`},
		{`-s 2001:db8::5/ffff:ffff:: -j ACCEPT`, `src=2001:db8::/32 -> accept`},
		{`-s 2001:db8::5/ffff::ffff`, `?(mask ffff::ffff has holes and is not followed for IPv6) -> continue`},
		{`-p ipv6-icmp -m icmp6 --icmpv6-type 135`, `proto=58 icmp=34560-34815 -> continue`},
		{`-p icmpv6 --icmpv6-type packet-too-big`, `proto=58 icmp=512-767 -> continue`},
		{`-p ipv6-icmp --icmpv6-type neighbour-solicitation -m hl --hl-eq 255`, `proto=58 icmp=34560-34815 ?(hl-eq 255 depends on the packet's content) -> continue`},
		{`-p ipv6-route`, `?(protocol ipv6-route depends on headers that are not modelled) -> continue`},
		{`-m rt --rt-type 0 -j DROP`, `src= -> drop`}, // ordinary packets have no routing header
		{`-m rt --rt-type 0 -j ACCEPT`, `?(rt-type 0 depends on headers that are not modelled) -> accept`},
		{`-m rt ! --rt-type 0 -j DROP`, `src= -> drop`},
		{`-6 -s 192.0.2.1`, `?(address 192.0.2.1 is not of this table's family) -> continue`},
		{`-4 -j ACCEPT`, ``},
		{`-m addrtype --dst-type MULTICAST`, `dst=ff00::/8 -> continue`},
	} {
		if diff := cmp.Diff(c.want, one(t, firewall.IPv6, "filter", "INPUT", c.options, nil)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.options, diff)
		}
	}
}

func TestParseNAT(t *testing.T) {
	for _, c := range []struct {
		family         firewall.Family
		chain, options string
		want           string
	}{
		{firewall.IPv4, "PREROUTING", `-p tcp -j DNAT --to-destination 10.0.0.1:80`, `proto=6 -> dnat 10.0.0.1-10.0.0.1 :80-80`},
		{firewall.IPv4, "PREROUTING", `-p tcp -j DNAT --to 10.0.0.1-10.0.0.5:80-90 --random`, `proto=6 -> dnat 10.0.0.1-10.0.0.5 :80-90`},
		{firewall.IPv4, "PREROUTING", `-p tcp -j DNAT --to-destination :53`, `proto=6 -> dnat :53-53`},
		{firewall.IPv4, "PREROUTING", `-p tcp -j DNAT --to-destination :80-90/70`, `proto=6 -> unknown (destination :80-90/70 is not understood)`},
		{firewall.IPv4, "PREROUTING", `-j DNAT --to-destination 10.0.0.1 --to-destination 10.0.0.2`, `-> unknown (destination 10.0.0.2 is not understood)`},
		{firewall.IPv4, "PREROUTING", `-j DNAT`, `-> unknown (DNAT without --to-destination)`},
		{firewall.IPv4, "PREROUTING", `-p tcp -j REDIRECT --to-port 8080`, `proto=6 -> redirect :8080-8080`},
		{firewall.IPv4, "OUTPUT", `-p tcp -j REDIRECT --to-ports 8080-8090`, `proto=6 -> redirect :8080-8090`},
		{firewall.IPv4, "PREROUTING", `-j REDIRECT`, `-> redirect`},
		{firewall.IPv4, "POSTROUTING", `-j SNAT --to-source 192.0.2.1`, `-> snat`},
		{firewall.IPv4, "POSTROUTING", `-p tcp -j MASQUERADE --to-ports 1024-2048`, `proto=6 -> snat`},
		{firewall.IPv4, "POSTROUTING", `-j NETMAP --to 10.0.0.0/24`, `-> snat`},
		{firewall.IPv4, "PREROUTING", `-j NETMAP --to 10.0.0.0/24`, `-> unknown (NETMAP maps destinations one to one)`},
		{firewall.IPv4, "other", `-j NETMAP --to 10.0.0.0/24`, `-> unknown (NETMAP maps destinations one to one)`},
		{firewall.IPv6, "PREROUTING", `-p tcp -j DNAT --to-destination [2001:db8::5]:22`, `proto=6 -> dnat 2001:db8::5-2001:db8::5 :22-22`},
		{firewall.IPv6, "PREROUTING", `-j DNAT --to-destination 2001:db8::5`, `-> dnat 2001:db8::5-2001:db8::5`},
		{firewall.IPv6, "PREROUTING", `-p udp -j DNAT --to-destination [2001:db8::5-2001:db8::7]:53`, `proto=17 -> dnat 2001:db8::5-2001:db8::7 :53-53`},
		{firewall.IPv6, "PREROUTING", `-p udp -j DNAT --to-destination [2001:db8::5]-[2001:db8::7]:53`, `proto=17 -> dnat 2001:db8::5-2001:db8::7 :53-53`},
		{firewall.IPv6, "PREROUTING", `-p udp -j DNAT --to-destination :53`, `proto=17 -> dnat :53-53`},
	} {
		if diff := cmp.Diff(c.want, one(t, c.family, "nat", c.chain, c.options, nil)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.options, diff)
		}
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"abc", 5, "abc"}, {"abc", 2, "ab"}, {"aäb", 2, "a"}, {"a€b", 3, "a"}, {"\x80\x80\x80\x80\x80\x80\x80", 6, "\x80\x80\x80\x80\x80\x80"}, {"ä", 0, ""},
	} {
		if got := clip(c.text, c.n); got != c.want {
			t.Errorf("clip(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}
