package analyze_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/policy"
	"reconshield/internal/rehearse"
)

// manyDNAT publishes n ports of the host, each at a port of its own behind it.
func manyDNAT(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "-A PREROUTING -p tcp --dport %d -j DNAT --to-destination 10.1.0.5:%d\n", 1000+i, 2000+i)
	}
	return strings.TrimSpace(b.String())
}

func mangle(rules string) string {
	return "*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n" + rules + "\nCOMMIT\n"
}

// TestTricks goes on where TestTraps ends: with rulesets made to deceive.
func TestTricks(t *testing.T) {
	drop := strings.Replace(both, "%", "drop", 1)
	accept := strings.Replace(both, "%", "accept", 1)
	pre := func(kind string, prio int, rules string) string {
		return fmt.Sprintf("chain p%d { type %s hook prerouting priority %d; policy accept;\n%s\n}\n", prio+1000, kind, prio, rules)
	}
	tests := []struct {
		name  string
		files []string
	}{
		{"more published ports than bits", []string{save("-A FORWARD -j ACCEPT", nat(manyDNAT(80)))}},
		{"netmap to the other host", []string{save("-A FORWARD -j ACCEPT", nat("-A PREROUTING -d 192.0.2.1/32 -p tcp --dport 80 -j NETMAP --to 10.1.0.5/32"))}},
		{"nat priority is not where it runs", []string{"table ip n {\n" + pre("nat", -150, "tcp dport 8080 dnat to 192.0.2.1:80\ntcp dport 81 dnat to 10.1.0.5:80") + pre("filter", -120, "tcp dport 80 drop; tcp dport 443 ct status dnat drop") + "chain in { type filter hook input priority 0; policy drop; tcp dport { 80, 8080 } accept; }\n}\n"}},
		{"nat priority late", []string{"table ip n {\n" + pre("nat", 50, "tcp dport 8080 dnat to 192.0.2.1:80") + pre("filter", -20, "tcp dport 8080 drop") + "chain in { type filter hook input priority 0; policy drop; tcp dport { 80, 8080 } accept; }\n}\n"}},
		{"header rewritten", []string{"table ip n {\n" + pre("filter", -300, "tcp dport 8080 tcp dport set 22") + "chain in { type filter hook input priority 0; policy drop; tcp dport 22 accept; }\n}\n"}},
		{"destination rewritten", []string{"table ip n {\n" + pre("filter", -300, "tcp dport 8080 ip daddr set 10.1.0.5") + "chain in { type filter hook input priority 0; policy drop; }\nchain f { type filter hook forward priority 0; policy accept; }\n}\n"}},
		{"fwd at ingress", []string{"table netdev d { chain i { type filter hook ingress device \"eth0\" priority 0; policy accept; ip daddr 10.1.0.5 tcp dport 80 fwd ip to 10.1.0.5 device \"eth1\"; }\n}\ntable ip f { chain f { type filter hook forward priority 0; policy drop; }\n}\n"}},
		{"conntrack priority", []string{"table ip n {\n" + pre("filter", -200, "ct state new tcp dport 22 drop; ct state untracked tcp dport 80 drop") + "}\n"}},
		{"nft set th dport", []string{drop + "meta l4proto { tcp, udp } th dport 53 accept\n}\n}\n"}},
		{"nft dynamic set", []string{"table inet t { set s { type ipv4_addr; flags dynamic; }\nchain in { type filter hook input priority 0; policy drop; ip saddr @s accept; tcp dport 22 add @s { ip saddr } accept; tcp dport 80 accept; }\n}\n"}},
		{"nft set without dynamic", []string{"table inet t { set s { type ipv4_addr; size 100; }\nchain in { type filter hook input priority 0; policy drop; tcp dport 22 add @s { ip saddr } accept;  ip saddr @s accept; }\n}\n"}},
		{"nft late element", []string{"table inet t { set s { type ipv4_addr; }\nchain in { type filter hook input priority 0; policy drop; ip saddr @s accept; }\n}\nadd element inet t s { 198.51.100.7 }\n"}},
		{"nft reject with", []string{accept + "tcp dport 22 reject with tcp reset; udp dport 53 reject with icmpx type port-unreachable; ip saddr 203.0.113.0/24 reject with icmp type host-prohibited; reject with icmpv6 type no-route\n}\n}\n"}},
		{"nft log and verdict", []string{drop + "tcp dport 22 log prefix \"in: accept \" level info accept; udp dport 53 log group 1 drop; udp dport 54 counter log accept\n}\n}\n"}},
		{"nft vmap default", []string{drop + "tcp dport vmap { 22 : drop, 80 : jump x, * : accept }\n}\nchain x { ip saddr 198.51.100.0/24 accept; }\n}\n"}},
		{"nft intervals", []string{"table inet t { set s { type inet_service; flags interval; auto-merge; elements = { 20-30, 25-40, 80 }\n}\nchain in { type filter hook input priority 0; policy drop; tcp dport @s accept; udp dport != @s accept; }\n}\n"}},
		{"nft timeouts", []string{"table inet t { set s { type inet_service; flags timeout; elements = { 22 timeout 1h, 80 }\n}\nchain in { type filter hook input priority 0; policy drop; tcp dport @s accept; udp dport != @s accept; }\n}\n"}},
		{"nft constant default timeout", []string{"table inet t { set s { type inet_service; timeout 1h; elements = { 22, 80 }\n}\nchain in { type filter hook input priority 0; policy drop; tcp dport @s accept; udp dport != @s accept; }\n}\n"}},
		{"nft quota", []string{drop + "tcp dport 22 quota over 1 mbytes drop; tcp dport 22 accept; udp dport 53 quota 1 kbytes accept\n}\n}\n"}},
		{"nft ct mark", []string{drop + "tcp dport 22 ct mark set 1; ct mark 1 accept; udp dport 53 meta mark set 5; meta mark 5 accept\n}\n}\n"}},
		{"nft iif", []string{drop + "iif \"eth0\" tcp dport 22 accept; iif != \"lo\" udp dport 53 accept; iif { \"eth1\", \"lo\" } tcp dport 80 accept\n}\n}\n"}},
		{"nft ct state vmap", []string{drop + "ct state vmap { established : accept, related : accept, new : jump n, invalid : drop }\n}\nchain n { tcp dport 22 accept; }\n}\n"}},
		{"nft goto in the base chain", []string{"table inet t { chain x { tcp dport 22 accept; }\nchain in { type filter hook input priority 0; policy drop; goto x; accept; }\nchain f { type filter hook forward priority 0; policy accept; goto x; drop; }\n}\n"}},
		{"nft bridge", []string{"table bridge b { chain in { type filter hook prerouting priority 0; policy drop; }\n}\ntable inet t { chain in { type filter hook input priority 0; policy drop; tcp dport 22 accept; }\n}\n"}},
		{"nft redirect by map", []string{"table inet a { chain p { type nat hook prerouting priority -100; meta l4proto tcp redirect to :tcp dport map { 80 : 22, 81 : 23 }; }\nchain i { type filter hook input priority 0; policy drop; tcp dport 22 accept; }\n}\n"}},
		{"nft dnat of both", []string{"table inet a { map m { type inet_service : ipv4_addr . inet_service; elements = { 80 : 10.1.0.5 . 22 }; }\nchain p { type nat hook prerouting priority -100; dnat ip to tcp dport map @m; meta nfproto ipv6 tcp dport 80 dnat ip6 to [fd00:1::5]:22; }\nchain f { type filter hook forward priority 0; policy drop; tcp dport 22 accept; }\n}\n"}},
		{"nft dnat persistent", []string{"table ip a { chain p { type nat hook prerouting priority -100; tcp dport 80 dnat to 10.1.0.5-10.1.0.6:80-81 random,persistent; }\nchain f { type filter hook forward priority 0; policy drop; tcp dport 80 accept; }\n}\n"}},
		{"nft dnat prefix", []string{"table ip a { chain p { type nat hook prerouting priority -100; dnat ip prefix to ip daddr map { 192.0.2.0/24 : 10.1.0.0/24 }; }\nchain f { type filter hook forward priority 0; policy accept; }\nchain i { type filter hook input priority 0; policy drop; }\n}\n"}},
		{"nft synproxy", []string{drop + "tcp dport 22 ct state { invalid, untracked } synproxy mss 1460 wscale 7 timestamp sack-perm; tcp dport 80 accept\n}\nchain r { type filter hook prerouting priority -300; tcp dport 22 notrack; }\n}\n"}},
		{"nft tproxy", []string{"table ip t { chain p { type filter hook prerouting priority -150; tcp dport 80 tproxy to :22 meta mark set 1 accept; }\nchain i { type filter hook input priority 0; policy drop; tcp dport 22 accept; }\n}\n"}},
		{"nft socket", []string{drop + "socket transparent 1 accept; tcp dport 22 accept\n}\n}\n"}},
		{"nft dscp", []string{drop + "ip dscp cs1 accept; ip6 dscp != cs0 drop; tcp dport 22 accept\n}\n}\n"}},
		{"nft mixed commands", []string{"add table inet t\nadd chain inet t in { type filter hook input priority 0; policy drop; }\nadd chain inet t x\nadd rule inet t x tcp dport 22 accept\nadd rule inet t in jump x\nadd rule inet t in udp dport 53 accept\n"}},
		{"nft policy later", []string{"table inet t { chain in { type filter hook input priority 0; policy accept; tcp dport 22 accept; }\n}\nchain inet t in { policy drop; }\n"}},
		{"nft define", []string{"define ports = { 22, 80 }\ndefine wan = eth0\ntable inet t { chain in { type filter hook input priority 0; policy drop; iifname $wan tcp dport $ports accept; }\n}\n"}},
		{"nft masked ports", []string{drop + "tcp dport & 0x10 == 0x10 accept; ip saddr & 255.255.0.255 == 198.51.0.7 udp dport 53 accept\n}\n}\n"}},
		{"nft tcp dport in inet and icmp", []string{drop + "meta l4proto != icmp ip protocol != udp accept\n}\n}\n"}},
		{"nft payload raw", []string{drop + "@th,16,16 22 accept; @nh,72,8 17 accept\n}\n}\n"}},
		{"nft concatenations with ranges", []string{drop + "ip saddr . tcp dport { 198.51.100.0-198.51.100.20 . 20-30, 203.0.113.0/24 . 80 } accept; meta nfproto . meta l4proto . th dport { ipv6 . udp . 53 } accept\n}\n}\n"}},
		{"nft not in a concatenation", []string{drop + "ip saddr . tcp dport != { 198.51.100.7 . 22 } accept\n}\n}\n"}},
		{"nft dormant base", []string{"table inet t { flags dormant; chain in { type filter hook input priority 0; policy drop; }\n}\ntable inet u { chain in { type filter hook input priority 0; policy drop; tcp dport 22 accept; }\n}\n"}},
		{"nft icmp by number", []string{drop + "ip protocol 17 accept; meta l4proto 6 tcp dport 22 accept\n}\n}\n"}},
		{"nft inline chain", []string{drop + "tcp dport 1-100 jump {\ntcp dport 22 accept\ntcp dport 23 return\n}\ntcp dport 23-24 accept\n}\n}\n"}},
		{"nft filter in postrouting", []string{"table ip t { chain o { type filter hook postrouting priority 0; policy drop; oifname \"eth1\" tcp dport 80 accept; }\nchain o2 { type filter hook output priority 0; policy drop; }\n}\n"}},

		{"multiport 15", []string{save("-A INPUT -p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,20:30,80 -j ACCEPT\n-A INPUT -p udp -m multiport ! --sports 1024:65535 -j ACCEPT")}},
		{"addrtype src", []string{save("-A INPUT -m addrtype --src-type UNICAST -p tcp --dport 22 -j ACCEPT\n-A INPUT -m addrtype ! --src-type LOCAL -p udp -j ACCEPT")}},
		{"u32", []string{save("-A INPUT -m u32 --u32 \"6&0xFF=0x6\" -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT")}},
		{"tee", []string{save("-A INPUT -p tcp --dport 80 -j ACCEPT", mangle("-A PREROUTING -p tcp --dport 80 -j TEE --gateway 10.1.0.5"))}},
		{"jump set", []string{save("-A INPUT -p tcp --dport 22 -j SET --add-set s src\n-A INPUT -m set --match-set s src -j ACCEPT\n-A INPUT -p tcp --dport 80 -j ACCEPT"), "create s hash:ip family inet hashsize 1024 maxelem 65536\nadd s 198.51.100.7\n"}},
		{"set both", []string{save("-A INPUT -m set --match-set s src,dst -j ACCEPT\n-A INPUT -m set ! --match-set n src -p udp -j ACCEPT"), "create s hash:ip,port family inet hashsize 1024 maxelem 65536\nadd s 198.51.100.7,tcp:22\nadd s 198.51.100.23,udp:53\ncreate n hash:net family inet hashsize 1024 maxelem 65536\nadd n 0.0.0.0/1\nadd n 198.51.100.0/24\nadd n 198.51.100.7 nomatch\n"}},
		{"set dst", []string{save("-A INPUT -m set --match-set s dst,dst -j ACCEPT"), "create s hash:ip,port family inet hashsize 1024 maxelem 65536\nadd s 192.0.2.1,tcp:22\n"}},
		{"set net iface", []string{save("-A INPUT -m set --match-set s src,src -j ACCEPT"), "create s hash:net,iface family inet hashsize 1024 maxelem 65536\nadd s 198.51.100.0/24,eth0\nadd s 0.0.0.0/0,eth1\n"}},
		{"set by range", []string{save("-A INPUT -m set --match-set s src -p tcp -j ACCEPT\n-A INPUT -m set --match-set b dst -j ACCEPT"), "create s hash:ip family inet hashsize 1024 maxelem 65536 netmask 24\nadd s 198.51.100.0\ncreate b bitmap:port range 1-1000\nadd b 50-60\n"}},
		{"goto", []string{save(":a - [0:0]\n-A INPUT -p tcp -g a\n-A INPUT -p udp --dport 53 -j ACCEPT\n-A a --protocol tcp --dport 22 -j ACCEPT")}},
		{"nfqueue bypass", []string{save("-A INPUT -p tcp --dport 22 -j NFQUEUE --queue-num 1 --queue-bypass\n-A INPUT -p tcp --dport 80 -j ACCEPT")}},
		{"synproxy", []string{save("-A INPUT -p tcp --dport 22 -m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460\n-A INPUT -p tcp --dport 80 -j ACCEPT", raw("-A PREROUTING -p tcp --dport 22 --syn -j CT --notrack"))}},
		{"trace", []string{save("-A INPUT -p tcp --dport 22 -j ACCEPT", raw("-A PREROUTING -p tcp -j TRACE"))}},
		{"policy", []string{save("-A INPUT -m policy --dir in --pol ipsec -p tcp --dport 22 -j ACCEPT\n-A INPUT -m policy --dir in --pol none -p tcp --dport 80 -j ACCEPT")}},
		{"negated oddities", []string{save("-A INPUT ! -s 198.51.100.0/24 ! -i eth1 -p tcp ! --dport 1:21 ! --sport 53 -j ACCEPT")}},
		{"udplite and sctp", []string{save("-A INPUT -p sctp -j ACCEPT\n-A INPUT -p udplite -j DROP\n-A INPUT -p udp -j ACCEPT")}},
		{"invalid", []string{save("-A INPUT -m conntrack --ctstate INVALID -j ACCEPT\n-A INPUT -m conntrack ! --ctstate INVALID -p tcp --dport 22 -j ACCEPT")}},
		{"ctdir", []string{save("-A INPUT -m conntrack --ctdir ORIGINAL -p tcp --dport 22 -j ACCEPT\n-A INPUT -m conntrack --ctdir REPLY -j ACCEPT")}},
		{"ctstate snat", []string{save("-A FORWARD -m conntrack --ctstate SNAT -j ACCEPT\n-A INPUT -m conntrack ! --ctstate DNAT,SNAT -p tcp --dport 22 -j ACCEPT", nat("-A POSTROUTING -j MASQUERADE"))}},
		{"nat input snat", []string{save("-A INPUT -s 10.1.0.7 -j ACCEPT", nat("-A INPUT -s 198.51.100.7 -j SNAT --to-source 10.1.0.7"))}},
		{"mangle return", []string{save(":x - [0:0]\n-A INPUT -j x\n-A INPUT -p tcp --dport 22 -j ACCEPT\n-A x -p tcp -j RETURN\n-A x -j ACCEPT")}},
		{"tos and ttl", []string{save("-A INPUT -m ttl --ttl-lt 1 -j DROP\n-A INPUT -m tos --tos 0x10 -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT", mangle("-A PREROUTING -j TTL --ttl-set 64"))}},
		{"statistic", []string{save("-A INPUT -m statistic --mode nth --every 2 --packet 0 -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT")}},
		{"dnat random port range", []string{save("-A INPUT -p tcp --dport 100:110 -j ACCEPT", nat("-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 100-110 --random"))}},
		{"dnat port base", []string{save("-A FORWARD -d 10.1.0.5 -p tcp --dport 80 -j ACCEPT", nat("-A PREROUTING -p tcp -m tcp --dport 8000:8010 -j DNAT --to-destination 10.1.0.5:80-90/8000"))}},
		{"nft snat at input", []string{"table ip t { chain s { type nat hook input priority 100; policy accept; ip saddr 198.51.100.7 snat to 10.1.0.7; }\nchain i { type filter hook input priority 150; policy drop; ip saddr 10.1.0.7 accept; ip saddr 198.51.100.0/24 tcp dport 22 accept; }\n}\n"}},
		{"nft dup", []string{"table ip t { chain p { type filter hook prerouting priority -150; ip daddr 10.1.0.5 tcp dport 80 dup to 10.1.0.5; }\nchain i { type filter hook input priority 0; policy drop; }\nchain f { type filter hook forward priority 0; policy drop; }\n}\n"}},
		{"published ports one by one", []string{save("-A FORWARD -j ACCEPT", nat(strings.ReplaceAll(manyDNAT(80), "dport 10", "dport 80")))}},
		{"dnat to loopback", []string{save("-A INPUT -j ACCEPT", nat("-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:22"))}},
		{"dnat to loopback v6", []string{"# Generated by ip6tables-save v1.8.9 (nf_tables)\n" + save("-A INPUT -j ACCEPT", nat("-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination [::1]:22"))}},
		{"redirect v6", []string{"# Generated by ip6tables-save v1.8.9 (nf_tables)\n" + save("-A INPUT -p tcp --dport 22 -j ACCEPT", nat("-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 22"))}},
		{"nat with jumps", []string{save("-A FORWARD -j ACCEPT", "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:a - [0:0]\n:b - [0:0]\n-A PREROUTING -p tcp -j a\n-A PREROUTING -p tcp --dport 22 -j DNAT --to-destination 10.1.0.5:80\n-A a -s 203.0.113.0/24 -j RETURN\n-A a -p tcp --dport 80 -g b\n-A a -p tcp --dport 81 -j ACCEPT\n-A a -p tcp --dport 22 -s 198.51.100.7 -j RETURN\n-A b -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.5:8080\nCOMMIT\n")}},
		{"set with timeouts", []string{save("-A INPUT -m set --match-set s src -j ACCEPT"), "create s hash:ip family inet hashsize 1024 maxelem 65536 timeout 300\nadd s 198.51.100.7 timeout 200\nadd s 198.51.100.23 timeout 0\n"}},
		{"list of sets", []string{save("-A INPUT -m set --match-set l src -j ACCEPT"), "create s hash:ip family inet hashsize 1024 maxelem 65536\nadd s 198.51.100.7\ncreate n hash:net family inet hashsize 1024 maxelem 65536\nadd n 203.0.113.0/24\ncreate l list:set size 8\nadd l s\nadd l n\n"}},
		{"set of nets and ports", []string{save("-A INPUT -m set --match-set s src,dst -j ACCEPT"), "create s hash:net,port family inet hashsize 1024 maxelem 65536\nadd s 198.51.100.0/24,tcp:22\nadd s 198.51.100.7,tcp:22 nomatch\nadd s 203.0.113.0/24,udp:53\n"}},
		{"set of addresses and nets", []string{save("-A INPUT -m set --match-set s dst,src -j ACCEPT\n-A INPUT -m set --match-set m src,dst,dst -j ACCEPT"), "create s hash:ip,port family inet hashsize 1024 maxelem 65536\nadd s 192.0.2.1,tcp:53\ncreate m hash:ip,port,net family inet hashsize 1024 maxelem 65536\nadd m 198.51.100.7,udp:53,192.0.2.0/24\n"}},
		{"nft set of interfaces", []string{"table inet t { set w { type ifname; flags interval; elements = { \"eth*\", \"lo\" }\n}\nset x { type ifname; elements = { \"eth0\" }\n}\nchain in { type filter hook input priority 0; policy drop; iifname @x tcp dport 22 accept; iifname @w udp dport 53 accept; iifname != { \"eth1\" } tcp dport 80 accept; }\n}\n"}},
		{"nft interfaces in concatenations", []string{drop + "iifname . tcp dport { \"eth0\" . 22, \"eth1\" . 1-100 } accept; iifname . ip saddr vmap { \"eth0\" . 198.51.100.0/24 : jump x, \"eth0\" . 203.0.113.7 : drop }\n}\nchain x { udp dport { 53, 80 } accept; }\n}\n"}},
		{"nft ct original after dnat", []string{"table ip n {\n" + pre("nat", -100, "tcp dport 80 dnat to 10.1.0.5:8080; udp dport 53 redirect to :5353") + pre("filter", -90, "tcp dport 8080 ip saddr 203.0.113.0/24 drop; meta l4proto tcp ct original proto-dst 81 drop") + "chain in { type filter hook input priority 0; policy drop; meta l4proto udp ct original proto-dst 53 accept; ct original ip daddr 192.0.2.1 meta l4proto tcp ct original proto-src 1024-65535 tcp dport 22 accept; }\nchain f { type filter hook forward priority 0; policy drop; ct status dnat accept; ct status snat drop; }\n}\n"}},
		{"nft three nat chains", []string{"table ip n {\n" + pre("nat", -100, "tcp dport 80 dnat to 10.1.0.5:8080") + pre("nat", -110, "tcp dport { 80, 81 } ip saddr 198.51.100.0/24 redirect to :22") + pre("nat", -90, "tcp dport 22 redirect to :23") + "chain in { type filter hook input priority 0; policy drop; tcp dport { 22, 23 } accept; }\nchain f { type filter hook forward priority 0; policy accept; }\n}\n"}},
		{"nft raw and nat", []string{"table inet n {\n" + pre("filter", -300, "tcp dport 80 ip saddr 198.51.100.0/24 notrack; tcp dport 81 notrack accept; tcp dport 82 drop") + pre("nat", -100, "meta nfproto ipv4 tcp dport 80-82 redirect to :22") + "chain in { type filter hook input priority 0; policy drop; ct state untracked tcp dport 80-81 accept; ct state new tcp dport 22 accept; }\n}\n"}},
		{"nft map of marks", []string{drop + "meta mark set tcp dport map { 22 : 1, 80 : 2 }; meta mark vmap { 1 : accept, 2 : drop }; ct mark set meta mark; udp dport 53 accept\n}\n}\n"}},
		{"nft counter and quota objects", []string{"table inet t { counter c { }\nquota q { over 1 mbytes }\nlimit l { rate 1000/second }\nchain in { type filter hook input priority 0; policy drop; tcp dport 22 counter name \"c\" accept; udp dport 53 quota name \"q\" drop; udp dport 53 accept; tcp dport 80 limit name \"l\" accept; }\n}\n"}},
		{"nft negations", []string{drop + "tcp dport != 1-21 tcp dport != 23-65535 accept; ip saddr != { 198.51.100.0/24, 203.0.113.0-203.0.113.255 } udp dport 53 accept; ip6 saddr != 2001:db8:f::/48 ip6 daddr 2001:db8::1 tcp dport 80 accept; meta l4proto != { tcp, icmpv6 } ip saddr 198.51.100.7 accept\n}\n}\n"}},
		{"nft last rule jumps", []string{"table inet t { chain a { tcp dport 22 goto b; tcp dport 80 jump b; tcp dport 80 accept; }\nchain b { ip saddr 198.51.100.7 accept; return; drop; }\nchain in { type filter hook input priority 0; policy drop; jump a; udp dport vmap { 53 : goto c, 54 : jump c }; udp dport 53-54 accept; }\nchain c { ip saddr 203.0.113.0/24 return; ip saddr 198.51.100.0/24 drop; }\n}\n"}},
		{"nft two inputs", []string{"table inet t { chain a { type filter hook input priority 0; policy accept; tcp dport 22 drop; tcp dport 80 accept; }\nchain b { type filter hook input priority 0; policy drop; tcp dport { 22, 80, 81 } accept; }\nchain c { type filter hook input priority -10; policy accept; tcp dport 81 goto d; }\nchain d { ip saddr 198.51.100.0/24 return; drop; }\n}\n"}},
		{"nft inet and ip nat", []string{"table ip n {\n" + pre("nat", -100, "tcp dport 80 dnat to 10.1.0.5:8080") + "}\ntable inet m {\n" + pre("nat", -100, "tcp dport 80 redirect to :22; meta nfproto ipv6 udp dport 53 dnat ip6 to fd00:1::5") + "chain in { type filter hook input priority 0; policy drop; tcp dport 22 accept; }\nchain f { type filter hook forward priority 0; policy accept; }\n}\n"}},
		{"dnat to another address of the host", []string{save("-A INPUT -p tcp --dport 22 -j ACCEPT", nat("-A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 10.1.0.1:22"))}},
		{"redirect to an address that is not known", []string{save("-A INPUT -d 192.0.2.1 -p tcp --dport 22 -j ACCEPT\n-A INPUT -d 192.0.2.1 -j DROP\n-A INPUT -p tcp --dport 23 -j ACCEPT", nat("-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 22\n-A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 23"))}},
		{"redirect and ctstate dnat", []string{save("-A INPUT -m conntrack --ctstate DNAT -j ACCEPT", nat("-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 22\n-A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 81\n-A PREROUTING -p tcp --dport 82:83 -j REDIRECT --to-ports 83"))}},
		{"nft typeof", []string{"table inet t { set s { typeof ip saddr . tcp dport; flags interval; elements = { 198.51.100.0/24 . 22, 203.0.113.7 . 80-90 comment \"x } accept\" }\n}\nmap m { typeof tcp dport : verdict; counter; elements = { 443 : accept, 22 : drop, 8080 : jump x }\n}\nmap v { type ipv4_addr . inet_service : verdict; flags interval; elements = { 198.51.100.0/24 . 5353 : accept }\n}\nchain x { ip saddr 203.0.113.0/24 accept; }\nchain in { type filter hook input priority filter; policy drop; ip saddr . tcp dport @s accept comment \"drop; # not\"; tcp dport vmap @m # accept\nip saddr . udp dport vmap @v; udp dport \\\n53 accept; }\n}\n"}},
		{"nft words", []string{drop + "tcp dport { ssh, http } accept; udp dport domain accept; ip protocol icmp accept; tcp dport 0x1bb accept; ip saddr 203.0.113.0-203.0.113.127 udp dport 80-90 accept\n}\n}\n"}},
		{"nft names like words", []string{"table inet filter { chain hook1 { type filter hook input priority 0; policy drop; jump input; }\nchain input { tcp dport 22 accept comment \"policy drop\"; goto forward; }\nchain forward { udp dport 53 accept; }\n}\n"}},
		{"nft element of both", []string{"table inet t { set s { type inet_proto . inet_service; elements = { tcp . 22, udp . 53 }\n}\nchain in { type filter hook input priority 0; policy drop; meta l4proto . th dport @s accept; meta l4proto { tcp, udp } th sport 53 th dport != 1-1023 accept; }\n}\n"}},
		{"nft stateful objects", []string{"table inet t { ct timeout x { protocol udp; l3proto ip; policy = { unreplied : 10, replied : 20 }\n}\nct helper h { type \"ftp\" protocol tcp; l3proto ip\n}\nchain in { type filter hook input priority 0; policy drop; tcp dport 21 ct helper set \"h\" accept; tcp dport 22 accept; }\n}\n"}},
		{"v6 dnat", []string{"# Generated by ip6tables-save v1.8.9 (nf_tables)\n" + save("-A FORWARD -d fd00:1::5/128 -p tcp --dport 22 -j ACCEPT", nat("-A PREROUTING -d 2001:db8::1/128 -p tcp --dport 80 -j DNAT --to-destination [fd00:1::5]:22"))}},
		{"v6 ext", []string{"# Generated by ip6tables-save v1.8.9 (nf_tables)\n" + save("-A INPUT -p tcp -m frag --fragfirst -j ACCEPT\n-A INPUT -m rt --rt-type 0 -j DROP\n-A INPUT -m ipv6header --header dst --soft -j DROP\n-A INPUT -m hl --hl-eq 255 -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT")}},
	}
	p, err := policy.Parse("p.yaml", []byte(trapPolicy))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := fixture{name: tt.name, policy: p}
			for i, text := range tt.files {
				f.sources = append(f.sources, dialect.Source{Name: "rules" + string(rune('0'+i)), Text: []byte(text)})
			}
			var err error
			if f.rules, err = dialect.Load(f.sources, dialect.Options{}); err != nil {
				t.Fatal(err)
			}
			holdAgainstKernel(t, &f)
		})
	}
}

// TestOtherFlags begins conversations over TCP with flags beside SYN, which a
// rule against SYN alone does not stop.
func TestOtherFlags(t *testing.T) {
	p, err := policy.Parse("p.yaml", []byte(trapPolicy))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		rules     string
		delivered []uint8 // flags that get through
		verdict   analyze.Verdict
	}{
		{"-A INPUT -p tcp -m tcp --tcp-flags ALL SYN -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT", []uint8{0x0a, 0x22}, analyze.Reachable},
		{"-A INPUT -p tcp -m tcp --syn -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT", nil, analyze.Blocked},
		{"-A INPUT -p tcp -m tcp --tcp-flags ALL SYN -j ACCEPT", []uint8{0x02, 0xc2}, analyze.Reachable},
		{"-A INPUT -p tcp -m tcp ! --tcp-flags ALL SYN -j ACCEPT", []uint8{0x0a, 0x22}, analyze.Reachable},
		{"-A INPUT -p tcp -m tcp --tcp-flags ALL ALL -j ACCEPT\n-A INPUT -p tcp -m tcp --tcp-flags ALL NONE -j ACCEPT", nil, analyze.Blocked},
	}
	for _, tt := range tests {
		f := fixture{name: tt.rules, policy: p, sources: []dialect.Source{{Name: "rules.v4", Text: []byte(save(tt.rules))}}}
		if f.rules, err = dialect.Load(f.sources, dialect.Options{}); err != nil {
			t.Fatal(err)
		}
		s, scene := f.stage(t)
		var probes []rehearse.Probe
		all := []uint8{0x02, 0x0a, 0x22, 0xc2}
		for _, flags := range all {
			probes = append(probes, rehearse.Probe{Zone: "wan", Source: scene.Zones[0].Sources[0], Target: netip.MustParseAddr("192.0.2.1"), Port: 22, Protocol: 6, Flags: flags})
		}
		outcomes, err := s.Probe(t.Context(), probes)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outcomes {
			if want := slices.Contains(tt.delivered, all[i]); o.Delivered != want {
				t.Errorf("%s: flags %#x delivered: %v, want %v", tt.rules, all[i], o.Delivered, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		verdict := analyze.Blocked // of what an audit does not speak
		for _, a := range f.audit(t).Answers {
			if a.Zone == "wan" && a.Address == netip.MustParseAddr("192.0.2.1") && a.Transport == exposure.TCP && a.Port <= 22 && 22 <= max(a.Port, a.LastPort) {
				verdict = a.Verdict
			}
		}
		if verdict != tt.verdict {
			t.Errorf("%s: %s, want %s", tt.rules, verdict, tt.verdict)
		}
	}
}
