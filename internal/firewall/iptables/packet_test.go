//go:build linux

package iptables

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/firewall"
)

// sent is a packet as the filter table's OUTPUT chain sees it.
type sent struct {
	network  string // of net.Dial
	from, to string // to: as it is sent
	dst      string // as it is after destination NAT
	state    firewall.Number
	dnat     bool
}

func packets() []sent {
	return []sent{
		{"udp4", "127.0.0.1:40000", "127.0.0.2:5353", "127.0.0.2:5353", firewall.StateNew, false},
		{"udp4", "127.0.0.3:53", "127.0.0.1:999", "127.0.0.1:999", firewall.StateNew, false},
		{"udp4", "127.0.0.1:40001", "127.0.0.7:5000", "127.0.0.8:6000", firewall.StateNew, true},
		{"udp4", "127.0.0.1:40002", "127.0.0.1:777", "127.0.0.1:777", firewall.StateUntracked, false},
		{"tcp4", "127.0.0.1:40003", "127.0.0.2:22", "127.0.0.2:22", firewall.StateNew, false},
		{"tcp4", "127.0.0.1:40004", "127.0.0.7:8080", "127.0.0.8:80", firewall.StateNew, true},
	}
}

const packetSets = `create ips hash:ip
add ips 127.0.0.2
create nets hash:net
add nets 127.0.0.0/29
add nets 127.0.0.2 nomatch
create ports bitmap:port range 0-65535
add ports 22
add ports 5353
create pairs hash:ip,port
add pairs 127.0.0.2,udp:5353
add pairs 127.0.0.2,tcp:22
add pairs 127.0.0.8,tcp:80
create triples hash:ip,port,ip
add triples 127.0.0.2,udp:5353,127.0.0.1
create links hash:net,iface
add links 127.0.0.0/8,lo
create all list:set
add all ips
add all pairs
create six hash:ip family inet6
`

// matchOptions are rules' matches, all of which the kernel takes.
func matchOptions() []string {
	options := strings.Split(`-s 127.0.0.1
! -s 127.0.0.1
-s 127.0.0.3/255.255.0.255
-d 127.0.0.2
-d 127.0.0.0/30
-d 128.0.0.1/127.255.255.255
-i lo
! -i lo
-o lo
-o l+
! -o l+
-o +
-o eth0
-p udp
! -p udp
-p 6
-p all
-p udp --dport 5353
-p udp ! --dport 5353
-p udp --dport 5000:
-p udp --dport :1000
-p tcp --dport 22
-p tcp --sport 40003
-p tcp --syn
-p tcp ! --syn
-p tcp --tcp-flags SYN,ACK SYN
-p tcp --tcp-flags SYN,ACK SYN,FIN
-p tcp ! --tcp-flags SYN,ACK SYN,FIN
-p tcp --tcp-flags ALL NONE
-p udp -m multiport --dports 53,5353,6000:6001
-p udp -m multiport ! --dports 53,5353
-p udp -m multiport --ports 53,5353
-p udp -m multiport ! --ports 53,5353
-p udp -m multiport --sports 53
-p icmp --icmp-type any
-m iprange --dst-range 127.0.0.2-127.0.0.7
-m iprange ! --src-range 127.0.0.2-127.0.0.7
-m state --state NEW
-m state ! --state NEW
-m state --state UNTRACKED
-m conntrack --ctstate NEW
-m conntrack --ctstate INVALID,UNTRACKED
-m conntrack --ctstate DNAT
-m conntrack ! --ctstate DNAT
-m conntrack --ctstate ESTABLISHED,DNAT
-m conntrack --ctstate UNTRACKED,DNAT
-m conntrack --ctproto udp
-m conntrack ! --ctproto udp
-m conntrack --ctstate NEW --ctproto tcp
-m conntrack --ctstate NEW,UNTRACKED --ctproto tcp
-m conntrack --ctorigdst 127.0.0.7
-m conntrack ! --ctorigdst 127.0.0.7
-m conntrack --ctstate NEW ! --ctorigdst 127.0.0.7
-m conntrack ! --ctstate NEW --ctorigdst 127.0.0.7
-m conntrack --ctorigsrc 127.0.0.1
-m conntrack ! --ctorigsrc 127.0.0.1
-m conntrack --ctorigdstport 5000
-m conntrack ! --ctorigdstport 5000
-p tcp -m conntrack --ctorigdstport 8000:8090
-m conntrack --ctorigsrcport 40000:40002
-m conntrack --ctdir ORIGINAL
-m conntrack --ctdir REPLY
-m conntrack --ctstatus NONE
-m conntrack ! --ctstatus NONE
-m conntrack --ctstatus SEEN_REPLY
-m conntrack ! --ctstatus SEEN_REPLY,ASSURED
-m conntrack --ctstatus EXPECTED
-m addrtype --dst-type MULTICAST
-m addrtype ! --dst-type MULTICAST
-m addrtype --dst-type BROADCAST
-m addrtype ! --dst-type BROADCAST
-m addrtype ! --dst-type UNICAST
-m addrtype --dst-type ANYCAST
-m addrtype --dst-type LOCAL
-m addrtype ! --dst-type LOCAL
-m recent --set --name a
-m recent ! --set --name a
-m comment --comment -j
-m set --match-set ips dst
-m set ! --match-set ips dst
-m set --match-set ips src
-m set --match-set nets dst
-m set ! --match-set nets dst
-m set --match-set ports dst
-m set ! --match-set ports dst
-m set --match-set ports src
-m set --match-set pairs dst,dst
-m set ! --match-set pairs dst,dst
-m set --match-set pairs src,dst
-m set --match-set pairs dst
-m set ! --match-set pairs dst
-m set --match-set triples dst,dst,src
-m set --match-set triples dst,dst,dst
-m set --match-set links dst,dst
-m set --match-set links dst,src
-m set --match-set all dst,dst
-m set ! --match-set all dst,dst
-m set --match-set all dst
-m set ! --match-set all dst`, "\n")
	return options
}

// The kernel counts what each match matches of packets that are really sent;
// every match that is decided must agree.
func TestMatchesAgainstKernel(t *testing.T) {
	if dir := os.Getenv("IPTABLES_TEST_DIR"); dir != "" {
		sendInNamespace(t, dir)
		return
	}
	need(t, "unshare", "util-linux")
	need(t, "ip", "iproute2")
	need(t, "ipset", "ipset")
	for _, flavour := range []string{"nft", "legacy"} {
		t.Run(flavour, func(t *testing.T) {
			need(t, "iptables-"+flavour+"-restore", "iptables")
			dir := t.TempDir()
			write(t, filepath.Join(dir, "sets"), packetSets)
			write(t, filepath.Join(dir, "rules"), packetRules())
			cmd := exec.CommandContext(t.Context(), "unshare", "-Urn", os.Args[0], "-test.run=^TestMatchesAgainstKernel$")
			cmd.Env = append(os.Environ(), "IPTABLES_TEST_DIR="+dir, "IPTABLES_TEST_FLAVOUR="+flavour)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			saved, err := os.ReadFile(filepath.Join(dir, "saved"))
			if err != nil {
				t.Fatal(err)
			}
			compareCounters(t, string(saved))
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// packetRules has a chain of all matches for every packet.
func packetRules() string {
	var b strings.Builder
	b.WriteString("*raw\n-A OUTPUT -p udp --dport 777 -j CT --notrack\nCOMMIT\n*nat\n" +
		"-A OUTPUT -p udp -d 127.0.0.7 -j DNAT --to-destination 127.0.0.8:6000\n" +
		"-A OUTPUT -p tcp -d 127.0.0.7 -j DNAT --to-destination 127.0.0.8:80\nCOMMIT\n*filter\n")
	for i := range packets() {
		fmt.Fprintf(&b, ":p%d - [0:0]\n", i)
	}
	for i, p := range packets() {
		src, dst := netip.MustParseAddrPort(p.from), netip.MustParseAddrPort(p.dst)
		fmt.Fprintf(&b, "-A OUTPUT -s %s -d %s -p %s --sport %d --dport %d", src.Addr(), dst.Addr(), strings.TrimSuffix(p.network, "4"), src.Port(), dst.Port())
		fmt.Fprintf(&b, " -j p%d\n", i)
		for _, o := range matchOptions() {
			fmt.Fprintf(&b, "-A p%d %s\n", i, o)
		}
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// sendInNamespace loads the rules, sends the packets and saves the counters. It
// runs in a namespace made for it.
func sendInNamespace(t *testing.T, dir string) {
	t.Helper()
	run := func(script string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", script, err, out)
		}
	}
	tool := "iptables-" + os.Getenv("IPTABLES_TEST_FLAVOUR")
	run("ip link set lo up; ipset restore < sets; " + tool + "-restore < rules")
	for _, p := range packets() {
		var d net.Dialer
		if strings.HasPrefix(p.network, "udp") {
			d.LocalAddr = net.UDPAddrFromAddrPort(netip.MustParseAddrPort(p.from))
		} else {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.from))
		}
		// Nothing listens: a refused connection has sent its packet too.
		conn, err := d.DialContext(t.Context(), p.network, p.to)
		if err != nil {
			continue
		}
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(tool + "-save -c > saved")
}

func compareCounters(t *testing.T, saved string) {
	t.Helper()
	sets, err := ParseIPSets("s", strings.NewReader(packetSets))
	if err != nil || len(sets.Unparsed) > 0 {
		t.Fatal(err, sets.Unparsed)
	}
	rs, err := Parse("f", strings.NewReader(saved), firewall.IPv4, sets)
	if err != nil || len(rs.Unparsed) > 0 {
		t.Fatal(err, rs.Unparsed)
	}
	counter := regexp.MustCompile(`^\[(\d+):`)
	rules, open := 0, 0
	for _, c := range rs.Chains {
		index, err := strconv.Atoi(strings.TrimPrefix(c.Name, "p"))
		if err != nil {
			continue
		}
		for _, r := range c.Rules {
			counted := counter.FindStringSubmatch(r.Text)
			if counted == nil {
				t.Fatalf("no counter in %q", r.Text)
			}
			verdict := packets()[index].all(r.Matches)
			rules++
			if verdict == maybe {
				open++
				t.Logf("not decided: %s", r.Text)
			} else if (verdict == yes) != (counted[1] != "0") {
				t.Errorf("packet %+v, rule %s: read as %s, which is %v", packets()[index], r.Text, showMatches(r.Matches), verdict == yes)
			}
		}
	}
	if want := len(packets()) * len(matchOptions()); rules != want || open > 0 {
		t.Errorf("%d rules compared, %d of them not decided; want %d and none", rules, open, want)
	}
}

// tri is what a match says of a packet.
type tri int

const (
	no tri = iota
	maybe
	yes
)

func of(b bool) tri {
	if b {
		return yes
	}
	return no
}

func (p sent) all(list []firewall.Match) tri {
	verdict := yes
	for _, m := range list {
		verdict = min(verdict, p.one(m))
	}
	return verdict
}

func (p sent) one(m firewall.Match) tri {
	src, dst, orig := netip.MustParseAddrPort(p.from), netip.MustParseAddrPort(p.dst), netip.MustParseAddrPort(p.to)
	proto := protoUDP
	if p.network == "tcp4" {
		proto = protoTCP
	}
	var got tri
	switch m.Field {
	case firewall.Src:
		got = of(m.Addrs.Contains(src.Addr()))
	case firewall.Dst:
		got = of(m.Addrs.Contains(dst.Addr()))
	case firewall.OrigDst:
		got = of(m.Addrs.Contains(orig.Addr()))
	case firewall.SrcPort:
		got = of(m.Numbers.Contains(firewall.Number(src.Port())))
	case firewall.DstPort:
		got = of(m.Numbers.Contains(firewall.Number(dst.Port())))
	case firewall.OrigDstPort:
		got = of(m.Numbers.Contains(firewall.Number(orig.Port())))
	case firewall.Protocol:
		got = of(m.Numbers.Contains(proto))
	case firewall.OutInterface:
		got = of(slices.ContainsFunc(m.Names, func(n string) bool {
			before, wild := strings.CutSuffix(n, "*")
			return n == "lo" || wild && strings.HasPrefix("lo", before)
		}))
	case firewall.State:
		got = of(m.Numbers.Contains(p.state))
	case firewall.Status:
		got = of(m.Numbers.Contains(firewall.StatusDNAT) == p.dnat)
	case firewall.DstLocal, firewall.Presumed:
		got = yes
	case firewall.TCPFlags:
		got = of(m.Numbers.Contains(firewall.SYN))
	case firewall.Tuple:
		for _, t := range m.Tuples {
			got = max(got, p.all(t))
		}
	case firewall.Undecidable:
		got = maybe
	case firewall.InInterface, firewall.ICMPType, firewall.NFProto:
		got = no
	}
	if m.Not {
		return yes - got
	}
	return got
}
