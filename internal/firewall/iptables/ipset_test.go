package iptables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
)

func TestMatchSet(t *testing.T) {
	for _, c := range []struct{ name, sets, dirs, want string }{
		{"hash:ip", "create x hash:ip\nadd x 192.0.2.1\nadd x 192.0.2.2\n", "src", "src=192.0.2.1/32,192.0.2.2/32"},
		{"not", "create x hash:ip\nadd x 192.0.2.1\n", "! dst", "!dst=192.0.2.1/32"},
		{"range and prefix", "create x hash:ip\nadd x 192.0.2.0-192.0.2.3\nadd x 10.0.0.0/8\n", "src", "src=10.0.0.0/8,192.0.2.0/30"},
		{"a huge range", "create x hash:net\nadd x 128.0.0.0-255.255.255.254\nadd x 255.255.255.255\n", "src", "src=128.0.0.0/1"},
		{"netmask", "create x hash:ip netmask 24\nadd x 192.0.2.1\n", "src", "src=192.0.2.0/24"},
		{"bitmap:ip", "create x bitmap:ip range 10.0.0.0/24\nadd x 10.0.0.7\n", "dst", "dst=10.0.0.7/32"},
		{"bitmap:port", "create x bitmap:port range 0-65535\nadd x 53\nadd x 80-90\n", "dst", "any{proto=6,17 dport=53 | proto=6,17 dport=80-90}"},
		{"empty", "create x hash:ip\n", "src", "src="},
		{"empty pairs", "create x hash:ip,port\n", "src,dst", "src="},
		{
			"nomatch", "create x hash:net\nadd x 10.0.0.0/8\nadd x 10.1.0.0/16 nomatch\nadd x 10.1.2.0/24\n", "src",
			"src=10.0.0.0/16,10.1.2.0/24,10.2.0.0/15,10.4.0.0/14,10.8.0.0/13,10.16.0.0/12,10.32.0.0/11,10.64.0.0/10,10.128.0.0/9",
		},
		{"nomatch at the ends", "create x hash:net\nadd x 0.0.0.0/1\nadd x 128.0.0.0/1\nadd x 0.0.0.0/2 nomatch\nadd x 192.0.0.0/2 nomatch\n", "src", "src=64.0.0.0/2,128.0.0.0/2"},
		{"nomatch alone", "create x hash:net\nadd x 10.0.0.0/8 nomatch\n", "src", "src="},
		{
			"timeouts", "create x hash:ip timeout 60\nadd x 192.0.2.1 timeout 0\nadd x 192.0.2.2 timeout 5\nadd x 192.0.2.3\n", "src",
			"any{src=192.0.2.1/32 | src=192.0.2.2/31 ?(members of set x expire)}",
		},
		{
			"timeout and nomatch", "create x hash:net timeout 60\nadd x 10.0.0.0/30 timeout 0\nadd x 10.0.0.1 timeout 9 nomatch\n", "src",
			"any{src=10.0.0.0/32,10.0.0.2/31 | src=10.0.0.1/32 ?(members of set x expire)}",
		},
		{
			"hash:ip,port", "create x hash:ip,port\nadd x 192.0.2.1,tcp:22\nadd x 192.0.2.2,22\nadd x 192.0.2.1,udp:53\nadd x 192.0.2.1,icmp:echo-request\nadd x 192.0.2.1,gre:0\n", "dst,dst",
			"any{dst=192.0.2.1/32,192.0.2.2/32 proto=6 dport=22 | dst=192.0.2.1/32 proto=17 dport=53 | dst=192.0.2.1/32 proto=1 icmp=2048 | dst=192.0.2.1/32 proto=47}",
		},
		{"hash:ip,port directions", "create x hash:ip,port\nadd x 192.0.2.1,tcp:22-23\n", "src,dst", "any{src=192.0.2.1/32 proto=6 dport=22-23}"},
		{"hash:net,port", "create x hash:net,port\nadd x 10.0.0.0/30,tcp:22\nadd x 10.0.0.1,tcp:22 nomatch\n", "src,dst", "any{src=10.0.0.0/32,10.0.0.2/31 proto=6 dport=22}"},
		{"hash:ip,port,ip", "create x hash:ip,port,ip\nadd x 192.0.2.1,tcp:22,10.0.0.1\n", "dst,dst,src", "any{dst=192.0.2.1/32 proto=6 dport=22 src=10.0.0.1/32}"},
		{"hash:ip,port,net", "create x hash:ip,port,net\nadd x 192.0.2.1,udp:53,10.0.0.0/8\n", "dst,dst,src", "any{dst=192.0.2.1/32 proto=17 dport=53 src=10.0.0.0/8}"},
		{"hash:net,net", "create x hash:net,net\nadd x 10.0.0.0/8,192.0.2.0/24\nadd x 11.0.0.0/8,192.0.2.0/24\n", "src,dst", "any{src=10.0.0.0/7 dst=192.0.2.0/24}"},
		{"a port taken out of a range", "create x hash:net,port\nadd x 10.0.0.0/30,tcp:20-30\nadd x 10.0.0.1,tcp:22 nomatch\nadd x 10.0.0.0/30,udp:22\n", "src,dst", "any{src=10.0.0.0/30 proto=6 dport=20-21 | src=10.0.0.0/32,10.0.0.2/31 proto=6 dport=22 | src=10.0.0.0/30 proto=6 dport=23-30 | src=10.0.0.0/30 proto=17 dport=22}"},
		{"hash:net,net nomatch", "create x hash:net,net\nadd x 10.0.0.0/31,192.0.2.0/24\nadd x 10.0.0.1,192.0.2.0/24 nomatch\n", "src,dst", "any{src=10.0.0.0/32 dst=192.0.2.0/24 ?(set x has nomatch members)}"},
		{"hash:net,iface", "create x hash:net,iface\nadd x 10.0.0.0/8,eth0\nadd x 10.0.0.0/8,wg wildcard\n", "src,src", "any{src=10.0.0.0/8 in=eth0 | src=10.0.0.0/8 in=wg*}"},
		{"hash:net,iface out", "create x hash:net,iface\nadd x 10.0.0.0/8,eth0\n", "dst,dst", "any{dst=10.0.0.0/8 out=eth0}"},
		{"hash:mac", "create x hash:mac\nadd x 00:00:5E:00:53:01\n", "src", "?(set x asks for the packet's mac)"},
		{"hash:ip,mark", "create x hash:ip,mark\nadd x 192.0.2.1,0x1\n", "src,src", "any{src=192.0.2.1/32 ?(set x asks for the packet's mark)}"},
		{
			"list:set", "create a hash:ip\ncreate b hash:ip,port\ncreate x list:set\nadd a 192.0.2.1\nadd b 192.0.2.1,tcp:5\nadd x a\nadd x b\n", "src,dst",
			"any{src=192.0.2.1/32 | src=192.0.2.1/32 proto=6 dport=5}",
		},
		{"list:set too few directions", "create a hash:ip\ncreate b hash:ip,port\ncreate x list:set\nadd a 192.0.2.1\nadd b 192.0.2.1,tcp:5\nadd x a\nadd x b\n", "src", "src=192.0.2.1/32"},
		{"list:set without a member", "create x list:set\nadd x gone\n", "src", "?(set gone is not in the given `ipset save`)"},
		{"list in a list", "create a list:set\ncreate x list:set\nadd x a\n", "src", "?(set a: a list inside a list)"},
		{"other family", "create x hash:ip family inet6\nadd x 2001:db8::1\n", "src", "src="},
		{"too few directions", "create x hash:ip,port\nadd x 192.0.2.1,tcp:22\n", "src", "src="},
		{"not given", "create y hash:ip\n", "src", "?(set x is not in the given `ipset save`)"},
		{"unknown type", "create x hash:moon\n", "src", "?(set x: ipset type hash:moon is not known)"},
		{"bad entry", "create x hash:ip\nadd x 192.0.2.1\nadd x 300.1.1.1\n", "src", "?(set x: s:3 is not understood: add x 300.1.1.1)"},
		{"bad option", "create x hash:ip\nadd x 192.0.2.1 glow\n", "src", "?(set x: s:2 is not understood: add x 192.0.2.1 glow)"},
		{"deleted", "create x hash:ip\nadd x 192.0.2.1\ndel x 192.0.2.1\n", "src", "?(set x: s:3 is not understood: del x 192.0.2.1)"},
		{"flushed", "create x hash:ip\nadd x 192.0.2.1\nflush x\nadd x 192.0.2.2 comment \"a b\"\n", "src", "src=192.0.2.2/32"},
		{"unknown command", "create x hash:ip\nadd x 192.0.2.1\nturn x\n", "src", "?(set x: s:3 is not understood: turn x)"},
		{"swapped", "create x hash:ip\ncreate y hash:ip\nswap y x\n", "src", "?(set x: s:3 is not understood: swap y x)"},
		{"all flushed", "create x hash:ip\nadd x 192.0.2.1\nflush\n", "src", "src="},
		{"old option", "create x hash:ip\nadd x 192.0.2.1\n", "src,dst,src", "src=192.0.2.1/32"},
		{"bad direction", "create x hash:ip\n", "sideways", "?(set x: expected src or dst, found \"sideways\")"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sets, err := ParseIPSets("s", strings.NewReader(c.sets))
			if err != nil {
				t.Fatal(err)
			}
			dirs, not := strings.CutPrefix(c.dirs, "! ")
			options := "-m set --match-set x " + dirs
			if not {
				options = "-m set ! --match-set x " + dirs
			}
			got := strings.TrimSuffix(one(t, firewall.IPv4, "filter", "INPUT", options, sets), " -> continue")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A set that rules change, wherever they stand, is not what ipset save showed.
func TestMatchSetChanged(t *testing.T) {
	sets, err := ParseIPSets("s", strings.NewReader("create a hash:ip\ncreate b hash:ip\ncreate l list:set\nadd a 192.0.2.1\nadd b 192.0.2.1\nadd l a\n"))
	if err != nil {
		t.Fatal(err)
	}
	rs, err := Parse("f", strings.NewReader("*raw\n"+
		"-A OUTPUT -s 10.0.0.1,10.0.0.2 -m set ! --match-set a src -m set --match-set b src -j DROP\n"+
		"-A OUTPUT -m set --match-set l src -j DROP\n-A OUTPUT -j SET --add-set a src\nCOMMIT\n"), firewall.IPv4, sets)
	if err != nil {
		t.Fatal(err)
	}
	want := "raw OUTPUT v1 hook=5 kind=0 prio=-300 default=0\n" +
		"\tsrc=10.0.0.1/32 ?(set a is changed by rules (SET)) src=192.0.2.1/32 -> drop\n" +
		"\tsrc=10.0.0.2/32 ?(set a is changed by rules (SET)) src=192.0.2.1/32 -> drop\n" +
		"\t?(set l is changed by rules (SET)) -> drop\n" +
		"\t-> continue\n"
	if diff := cmp.Diff(want, show(rs)); diff != "" {
		t.Error(diff)
	}
}

func TestParseIPSetsErrors(t *testing.T) {
	if _, err := ParseIPSets("s", strings.NewReader("*filter\n")); err == nil ||
		err.Error() != `s:1: expected a line such as "create name hash:ip", found "*filter": give the output of ipset save` {
		t.Error(err)
	}
	sets, err := ParseIPSets("s", strings.NewReader("create a hash:ip\nadd b 1.1.1.1\nfrobnicate a\ncreate a hash:ip\n"))
	if err != nil {
		t.Fatal(err)
	}
	var whys []string
	for _, u := range sets.Unparsed {
		whys = append(whys, u.Pos.String()+" "+u.Why)
	}
	want := []string{
		"s:2 no set of this name was created before", `s:3 expected "create NAME TYPE" or "add NAME ENTRY"`, "s:4 the set is created twice",
	}
	if diff := cmp.Diff(want, whys); diff != "" {
		t.Error(diff)
	}
}
