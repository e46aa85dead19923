package nft

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
)

// ruleIn parses one rule in a table of a family that has sets and chains.
func ruleIn(t *testing.T, family, rule string) (*firewall.Ruleset, []string) {
	t.Helper()
	text := "table " + family + ` t {
	set hosts { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.1-198.51.100.3 } }
	set expiring { type ipv4_addr; flags timeout; elements = { 192.0.2.1 timeout 5m } }; set banned { type ipv4_addr; flags interval,timeout; elements = { 192.0.2.0/25, 192.0.2.200 timeout 1h expires 5m, 192.0.2.201 } }; set brief { type ipv4_addr; timeout 1h; elements = { 192.0.2.1 } }; set guests { type ipv4_addr . inet_service; flags timeout; elements = { 192.0.2.1 . 53 timeout 1h } }; set gone { type ipv4_addr; flags timeout; }
	set updated { type ipv4_addr; size 100; }
	set pairs { type ipv4_addr . inet_service; elements = { 192.0.2.1 . 22, 192.0.2.2 . 22, 192.0.2.3 . 80 } }
	set strange { type inet_service; elements = { 22, nosuchservice } }
	map jumps { type inet_service : verdict; elements = { 22 : jump other, 53 : drop } }
	map hostport { type inet_service : ipv4_addr . inet_service; elements = { 80 : 192.0.2.10 . 8080 } }
	chain other { }
	chain updating { add @updated { ip saddr } }
	chain c {
` + rule + "\n}\n}\n"
	rs, err := ParseText("f", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range rs.Chains {
		if c.Name == "c" {
			for i := range c.Rules {
				out = append(out, dumpRule(&c.Rules[i]))
			}
		}
	}
	return rs, out
}

func TestRules(t *testing.T) {
	const syn = "2-3,6-7,10-11,14-15,18-19,22-23,26-27,30-31,34-35,38-39,42-43,46-47,50-51,54-55,58-59,62-63,66-67,70-71,74-75,78-79,82-83,86-87,90-91,94-95,98-99," +
		"102-103,106-107,110-111,114-115,118-119,122-123,126-127,130-131,134-135,138-139,142-143,146-147,150-151,154-155,158-159,162-163,166-167,170-171,174-175," +
		"178-179,182-183,186-187,190-191,194-195,198-199,202-203,206-207,210-211,214-215,218-219,222-223,226-227,230-231,234-235,238-239,242-243,246-247,250-251,254-255"
	for _, c := range []struct{ family, rule, want string }{
		// Addresses.
		{"inet", "ip saddr 192.0.2.1 accept", "family=4 src=192.0.2.1 -> accept"},
		{"ip", "ip saddr 192.0.2.1 accept", "src=192.0.2.1 -> accept"},
		{"inet", "ip saddr != 192.0.2.0/24 drop", "family=4 !src=192.0.2.0-192.0.2.255 -> drop"},
		{"inet", "ip daddr 192.0.2.1-192.0.2.9 drop", "family=4 dst=192.0.2.1-192.0.2.9 -> drop"},
		{"inet", "ip daddr 192.0.2.77/24 drop", "family=4 dst=192.0.2.0-192.0.2.255 -> drop"},
		{"inet", "ip daddr < 1.0.0.0 drop", "family=4 dst=0.0.0.0-0.255.255.255 -> drop"},
		{"inet", "ip daddr > 255.255.255.255 drop", "family=4 dst= -> drop"},
		{"inet", "ip daddr >= 224.0.0.0 drop", "family=4 dst=224.0.0.0-255.255.255.255 -> drop"},
		{"inet", "ip6 saddr fe80::/10 accept", "family=6 src=fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff -> accept"},
		{"inet", "ip6 saddr { 2001:db8::1-2001:db8::5, ::1 } accept", "family=6 src=::1,2001:db8::1-2001:db8::5 -> accept"},
		{"ip6", "ip6 daddr ::ffff:0.0.0.0/96 drop", "dst=::ffff:0.0.0.0-::ffff:255.255.255.255 -> drop"},
		{"inet", "ip saddr & 255.255.255.0 == 192.0.2.0 accept", "family=4 src=192.0.2.0-192.0.2.255 -> accept"},
		{"inet", "ip saddr & 255.255.0.0 != 192.0.2.0 accept", "family=4 !src= -> accept"},
		{"inet", "ip saddr & 0.0.0.255 == 0.0.0.5 accept", "family=4 ? -> accept"},
		{"inet", "ip saddr www.example.net accept", "family=4 ? -> accept"},
		{"inet", "ip saddr { 192.0.2.1, * } accept", "family=4 -> accept"},
		{"inet", "ip saddr != { 192.0.2.1, * } accept", "family=4 proto= -> accept"},
		// Sets.
		{"inet", "ip saddr @hosts drop", "family=4 src=192.0.2.0-192.0.2.255,198.51.100.1-198.51.100.3 -> drop"},
		{"inet", "ip saddr != @hosts drop", "family=4 !src=192.0.2.0-192.0.2.255,198.51.100.1-198.51.100.3 -> drop"},
		{"inet", "ip saddr @expiring drop", "family=4 tuple(src=192.0.2.1 ?) -> drop"},
		{"inet", "ip saddr != @expiring drop", "family=4 !tuple(src=192.0.2.1 ?) -> drop"},
		{"inet", "ip saddr @banned drop", "family=4 tuple(src=192.0.2.0-192.0.2.127,192.0.2.201 | src=192.0.2.200 ?) -> drop"},
		{"inet", "ip saddr @brief drop", "family=4 tuple(src=192.0.2.1 ?) -> drop"},
		{"inet", "ip saddr @gone drop", "family=4 tuple(proto=) -> drop"},
		{"inet", "ip saddr . tcp dport @guests drop", "family=4 proto=6 tuple(src=192.0.2.1 dport=53 ?) -> drop"},
		{"inet", "ip saddr @updated drop", "family=4 ? -> drop"},
		{"inet", "tcp dport @strange drop", "proto=6 tuple(dport=22 | ?) -> drop"},
		{"inet", "tcp dport != @strange drop", "proto=6 !tuple(dport=22 | ?) -> drop"},
		{"inet", "ip saddr . tcp dport @pairs accept", "family=4 proto=6 tuple(src=192.0.2.1-192.0.2.2 dport=22 | src=192.0.2.3 dport=80) -> accept"},
		{"inet", "ip saddr . tcp dport != @pairs accept", "family=4 proto=6 !tuple(src=192.0.2.1-192.0.2.2 dport=22 | src=192.0.2.3 dport=80) -> accept"},
		{"inet", "meta mark . tcp dport { 0x1 . 22 } accept", "proto=6 tuple(? dport=22) -> accept"},
		// Ports and protocols.
		{"inet", "tcp dport 22 accept", "proto=6 dport=22 -> accept"},
		{"inet", "tcp dport ssh accept", "proto=6 dport=22 -> accept"},
		{"inet", "tcp dport != { 22, 80-90 } drop", "proto=6 !dport=22,80-90 -> drop"},
		{"inet", "udp sport 1024-65535 udp dport domain accept", "proto=17 sport=1024-65535 dport=53 -> accept"},
		{"inet", "tcp dport >= 1024 drop", "proto=6 dport=1024-65535 -> drop"},
		{"inet", "tcp dport lt 1024 drop", "proto=6 dport=0-1023 -> drop"},
		{"inet", "tcp dport & 1 == 1 drop", "proto=6 ? -> drop"},
		{"inet", "sctp dport 80 drop", "proto=132 dport=80 -> drop"},
		{"inet", "th dport 53 drop", "tuple(dport=53 | !proto=6,17,33,132,136 ?) -> drop"},
		{"inet", "@th,16,16 53 drop", "tuple(dport=53 | !proto=6,17,33,132,136 ?) -> drop"},
		{"inet", "meta l4proto { tcp, udp } th dport 53 drop", "proto=6,17 dport=53 -> drop"},
		{"inet", "meta l4proto . th dport { tcp . 53, udp . 53 } drop", "tuple(proto=6,17 dport=53) -> drop"},
		{"inet", "ip protocol udp drop", "family=4 proto=17 -> drop"},
		{"inet", "ip6 nexthdr udp accept", "family=6 proto=17 -> accept"},
		{"inet", "ip6 nexthdr udp drop", "family=6 proto=17 ? -> drop"},
		{"inet", "ip6 nexthdr != udp accept", "family=6 !proto=17 ? -> accept"},
		{"inet", "ip6 nexthdr != udp drop", "family=6 !proto=17 -> drop"},
		{"inet", "ip6 nexthdr udp return", "family=6 proto=17 ? -> return"},
		{"inet", "ip6 nexthdr != udp return", "family=6 !proto=17 ? -> return"},
		{"inet", "meta nfproto ipv6 drop", "family=6 -> drop"},
		{"inet", "meta nfproto != ipv6 drop", "family=4 -> drop"},
		{"inet", "meta protocol { ip, ip6 } drop", "family=4,6 -> drop"},
		{"inet", "meta protocol arp drop", "family= -> drop"},
		// Interfaces.
		{"inet", `iifname "eth*" accept`, "iif=eth* -> accept"},
		{"inet", `iif != lo accept`, "!iif=lo -> accept"},
		{"inet", `meta oifname { "eth0", wg0 } accept`, "oif=eth0,wg0 -> accept"},
		{"inet", `iif 2 accept`, "? -> accept"},
		{"inet", `iifname "eth\*" accept`, "? -> accept"},
		// ICMP.
		{"inet", "icmp type echo-request accept", "family=4 proto=1 icmp=2048-2303 -> accept"},
		{"ip", "icmp type != { 0, 3 } drop", "proto=1 !icmp=0-255,768-1023 -> drop"},
		{"inet", "icmpv6 type nd-neighbor-solicit accept", "family=6 proto=58 icmp=34560-34815 -> accept"},
		// TCP flags: one word without operator means that the bit is set.
		{"inet", "tcp flags syn drop", "proto=6 tcpflags=" + syn + " -> drop"},
		{"inet", "tcp flags & syn != 0 drop", "proto=6 tcpflags=" + syn + " -> drop"},
		{"inet", "tcp flags & syn == syn drop", "proto=6 tcpflags=" + syn + " -> drop"},
		{"inet", "tcp flags == syn drop", "proto=6 tcpflags=2 -> drop"},
		{"inet", "tcp flags != syn drop", "proto=6 !tcpflags=2 -> drop"},
		{"inet", "tcp flags == (syn | ack) drop", "proto=6 tcpflags=18 -> drop"},
		{"inet", "tcp flags { syn, syn | ack } drop", "proto=6 tcpflags=2,18 -> drop"},
		{"inet", "tcp flags syn / fin,syn,rst,psh,ack,urg,ecn,cwr drop", "proto=6 tcpflags=2 -> drop"},
		{"inet", "tcp flags & (fin|syn|rst|psh|ack|urg|ecn|cwr) == syn drop", "proto=6 tcpflags=2 -> drop"},
		{"inet", "tcp flags & 0xfe == 0 drop", "proto=6 tcpflags=0-1 -> drop"},
		{"inet", "tcp flags ! syn,ack,rst,psh,urg,ecn,cwr drop", "proto=6 tcpflags=0-1 -> drop"},
		// Connection tracking.
		{"inet", "ct state established,related accept", "state=1-2 -> accept"},
		{"inet", "ct state 0x8 accept", "state=0 -> accept"},
		{"inet", "ct state { new, untracked } accept", "state=0,4 -> accept"},
		{"inet", "ct state != { new, untracked } accept", "state=1-3 -> accept"},
		{"inet", "ct state != established drop", "state=0,2-4 -> drop"},
		{"inet", "ct state ! established,related drop", "state=0,3-4 -> drop"},
		// Two states at once are never there: nft compares the bits.
		{"inet", "ct state != established,related drop", "state=0-4 -> drop"},
		{"inet", "ct state & (established | related) == 0 drop", "state=0,3-4 -> drop"},
		{"inet", "ct state vmap { established : accept, invalid : drop }", "state=1 -> accept\nstate=3 -> drop"},
		{"inet", "ct status dnat accept", "state=0-2 status=1 -> accept"},
		{"inet", "ct status & dnat != 0 accept", "state=0-2 status=1 -> accept"},
		{"inet", "ct status & dnat == 0 accept", "state=0-2 !status=1 -> accept"},
		{"inet", "ct status ! dnat accept", "state=0-2 !status=1 -> accept"},
		{"inet", "ct status snat,dnat accept", "state=0-2 tuple(status=1 | ?) -> accept"},
		{"inet", "ct status != dnat accept", "state=0-2 !? -> accept"},
		{"inet", "ct status assured accept", "state=0-2 ? -> accept"},
		{"inet", "ct direction original accept", "state=0-2 tuple(state=0 | state=1-2 ?) -> accept"},
		{"inet", "ct direction reply accept", "state=0-2 tuple(state=1-2 ?) -> accept"},
		{"inet", "ct original ip daddr 192.0.2.1 accept", "state=0-2 family=4 origdst=192.0.2.1 -> accept"},
		{"inet", "ct original proto-dst 80 accept", "state=0-2 origdport=80 -> accept"},
		{"inet", "ct reply ip saddr 192.0.2.1 accept", "? -> accept"},
		// The host's own addresses.
		{"inet", "fib daddr type local accept", "dstlocal -> accept"},
		{"inet", "fib daddr type != local drop", "!dstlocal -> drop"},
		{"inet", "fib daddr type 2 accept", "dstlocal -> accept"},
		{"inet", "fib daddr type { local, multicast } accept", "tuple(dstlocal | ?) -> accept"},
		{"inet", "fib daddr type broadcast drop", "tuple(!dstlocal ?) -> drop"},
		{"inet", "fib daddr . iif type local accept", "? -> accept"},
		{"inet", "fib saddr . iif oif missing drop", "!presumed= -> drop"},
		{"inet", "fib saddr . mark . iif oif exists accept", "presumed= -> accept"},
		{"inet", "meta pkttype host accept", "presumed= -> accept"},
		{"inet", "meta pkttype != broadcast accept", "presumed= -> accept"},
		{"inet", "meta pkttype { broadcast, multicast } drop", "!presumed= -> drop"},
		// Other conditions.
		{"inet", "limit rate 5/second burst 10 packets tcp dport 22 accept", "? proto=6 dport=22 -> accept"},
		{"inet", "limit rate over 10 mbytes/second burst 1 mbytes drop", "? -> drop"},
		{"inet", "ct count over 10 drop", "? -> drop"},
		{"inet", "quota over 5 mbytes used 2 bytes drop", "? -> drop"},
		{"inet", `meta hour "08:00"-"18:00" meta day { "Monday", "Tuesday" } accept`, "? ? -> accept"},
		{"inet", "meta mark & 0xff00 == 0x100 accept", "? -> accept"},
		{"inet", "jhash ip saddr . tcp sport mod 4 seed 0xdead 1 accept", "? -> accept"},
		{"inet", "socket cgroupv2 level 2 \"user.slice\" accept", "? -> accept"},
		{"inet", "udp length 100 drop", "proto=17 ? -> drop"},
		{"inet", "ip dscp & 0x38 == 0x8 drop", "family=4 ? -> drop"},
		{"inet", "tcp option maxseg size 1-500 drop", "proto=6 ? -> drop"},
		{"inet", "tcp option sack missing drop", "? -> drop"},
		{"inet", "frag more-fragments 1 drop", "family=6 ? -> drop"},
		{"inet", "rt type 0 drop", "family=6 ? -> drop"},
		{"inet", "rt nexthop 192.0.2.1 drop", "? -> drop"},
		{"inet", "vlan id 5 accept", "? -> accept"},
		{"inet", "ether saddr != 02:00:00:00:00:01 drop", "? -> drop"},
		// Statements.
		{"inet", `counter packets 1 bytes 2 log prefix "a ; b" level info flags tcp sequence,options drop comment "x"`, "-> drop"},
		{"inet", "tcp dport 22 counter", "proto=6 dport=22 -> continue"},
		{"inet", "jump other", "-> jump other"},
		{"inet", "tcp dport 22 goto other", "proto=6 dport=22 -> goto other"},
		{"inet", "queue flags bypass to 1-3", "-> unknown"},
		{"inet", "reject", "-> reject"},
		{"inet", "reject with tcp reset", "proto=6 -> reject"},
		{"inet", "reject with icmpv6 type no-route", "family=6 -> reject"},
		{"inet", "udp dport 53 notrack accept", "proto=17 dport=53 -> notrack\nproto=17 dport=53 -> accept"},
		{"inet", "meta mark set 0x1 ct mark set meta mark accept", "-> accept"},
		{"inet", "ip dscp set cs1 accept", "-> accept"},
		{"inet", "ip daddr set 192.0.2.1 accept", "-> unknown\n-> accept"},
		{"inet", "meta mark set ip saddr map { 192.0.2.1 : 0x1 } accept", "? -> accept"},
		{"inet", "tcp dport 80 tproxy ip to 127.0.0.1:8080 accept", "proto=6 dport=80 -> unknown\nproto=6 dport=80 -> accept"},
		{"inet", "add @updated { ip saddr } drop", "family=4 ? -> drop"},
		{"inet", "update @updated { ip saddr timeout 5m limit rate 3/minute }", "family=4 -> continue"},
		{"inet", "meter m { ip saddr limit rate 5/second } accept", "family=4 ? -> accept"},
		{"inet", "meta priority set 1:5 meta priority 1:5 accept", "? -> accept"},
		{"inet", `counter name tcp dport map { 22 : "c1" } accept`, "? -> accept"},
		{"inet", `counter name "c1" accept`, "-> accept"},
		{"inet", `ct helper set "ftp"`, "-> continue"},
		{"inet", "ip protocol { tcp, udp } flow add @ft", "family=4 proto=6,17 -> continue"},
		{"inet", "tcp flags syn tcp option maxseg size set rt mtu", "proto=6 tcpflags=" + syn + " -> continue"},
		// Verdict maps.
		{"inet", "tcp dport vmap @jumps", "proto=6 dport=22 -> jump other\nproto=6 dport=53 -> drop"},
		{"inet", "tcp dport vmap { 22 : accept, 80-90 : goto other, * : drop }", "proto=6 dport=22 -> accept\nproto=6 dport=80-90 -> goto other\nproto=6 !dport=22,80-90 -> drop"},
		{"inet", "ip saddr . tcp dport vmap { 192.0.2.1 . 22 : accept, * : drop }", "family=4 proto=6 src=192.0.2.1 dport=22 -> accept\nfamily=4 proto=6 !tuple(src=192.0.2.1 dport=22) -> drop"},
		{"inet", "meta mark vmap { 0x1 : accept }", "? -> accept"},
		{"inet", "tcp dport vmap @nosuch", "proto=6 -> unknown"},
		{"inet", "ip saddr vmap @jumps", "family=4 -> unknown"},
		{"inet", "numgen inc mod 2 vmap { 0 : jump other, 1 : accept }", "? -> jump other\n? -> accept"},
		// Address translation.
		{"inet", "tcp dport 80 dnat ip to 192.0.2.1:8080", "proto=6 dport=80 family=4 -> dnat 192.0.2.1 :8080"},
		{"ip", "dnat to 192.0.2.1-192.0.2.4 random,persistent", "-> dnat 192.0.2.1-192.0.2.4"},
		{"ip", "tcp dport 80 dnat to 192.0.2.1-192.0.2.4:1000-2000", "proto=6 dport=80 -> dnat 192.0.2.1-192.0.2.4 :1000-2000"},
		{"inet", "meta l4proto tcp dnat ip6 to [2001:db8::1]:80", "proto=6 family=6 -> dnat 2001:db8::1 :80"},
		{"inet", "dnat ip to tcp dport map { 80 : 192.0.2.1, 81 : 192.0.2.2 }", "proto=6 family=4 dport=80 -> dnat 192.0.2.1\nproto=6 family=4 dport=81 -> dnat 192.0.2.2"},
		{"inet", "dnat ip addr . port to tcp dport map @hostport", "proto=6 family=4 dport=80 -> dnat 192.0.2.10 :8080"},
		{"inet", "tcp dport 80 dnat ip to 192.0.2.1:tcp dport map { 80 : 8080 }", "proto=6 dport=80 family=4 dport=80 -> dnat 192.0.2.1 :8080"},
		{"inet", "redirect", "-> redirect"},
		{"inet", "tcp dport 80 redirect to 8080", "proto=6 dport=80 -> redirect :8080"},
		{"inet", "tcp dport 80 redirect to :8080", "proto=6 dport=80 -> redirect :8080"},
		{"inet", "redirect to :tcp dport map { 80 : 8080, 443 : 8443 }", "proto=6 dport=80 -> redirect :8080\nproto=6 dport=443 -> redirect :8443"},
		{"inet", "masquerade fully-random", "-> snat"},
		{"inet", "meta l4proto tcp masquerade to :1024-65535", "proto=6 -> snat :1024-65535"},
		{"ip", "ip saddr 10.0.0.0/8 snat to 192.0.2.1", "src=10.0.0.0-10.255.255.255 -> snat 192.0.2.1"},
		// What nft does not have.
		{"inet", "tcp dport 22 frobnicate 5", "proto=6 dport=22 -> unknown"},
		{"inet", "tcp dport = 22 accept", "-> unknown"},
		{"inet", "dnat ip to nosuchhost", "-> unknown"},
		{"inet", "tcp dport 22 accept drop", "proto=6 dport=22 -> accept\nproto=6 dport=22 -> unknown"},
		{"inet", `udp dport 53 xt match "recent" accept`, "proto=17 dport=53 ? -> accept"},
		{"inet", `xt match comment xt target "DNAT"`, "-> unknown"},
		{"inet", `xt target "REJECT"`, "-> reject"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, got := ruleIn(t, c.family, c.rule)
			if diff := cmp.Diff(c.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A rule that is not understood makes the file not fully understood.
func TestRulesNotUnderstood(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{"tcp dport 22 accept", ""},
		{"tcp dport 22 frobnicate 5", `f:12: tcp dport 22 frobnicate 5: expected a match or a statement that is known, found "frobnicate"`},
		{"ip saddr @nosuch accept", "f:12: ip saddr @nosuch accept: set nosuch is not in the file: give the whole ruleset"},
		{"jump nosuch", "f:12: chain nosuch: chain nosuch is not in the file: give the whole ruleset"},
		{"dnat to nosuchhost", "f:12: dnat to nosuchhost: expected an address and a port to translate to"},
		{"tcp dport $nosuch accept", "f:12: $nosuch: variable is not defined in this file"},
		{"xt match recent accept", "f:12: xt match recent accept: " + NeedsIPTablesSave},
		{"tcp dport vmap { 22 : accept } drop", "f:12: tcp dport vmap { 22 : accept } drop: a statement after the verdict"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			rs, _ := ruleIn(t, "inet", c.rule)
			var got []string
			for _, u := range rs.Unparsed {
				got = append(got, u.Pos.String()+": "+u.Text+": "+u.Why)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
