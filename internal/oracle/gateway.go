package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Guarded is how many assets stand behind the gateways of this package.
const Guarded = 50

// GatewayPolicy is the policy, in YAML, of the assets behind a gateway: name
// servers of three zones, 192.0.2.1 to 192.0.2.50.
func GatewayPolicy() string {
	var b strings.Builder
	b.WriteString("zones:\n  wan: {interfaces: [eth0]}\n  lan: {interfaces: [eth1], networks: [10.0.0.0/16]}\n  vpn: {interfaces: [wg0], networks: [10.8.0.0/24], tunnel: wireguard}\nassets:\n")
	for i := range Guarded {
		fmt.Fprintf(&b, "  - {name: a%d, addresses: [192.0.2.%d], role: authoritative-dns, owner: dns@example.net, expose: [{ports: [22/tcp, 953/tcp], to: [vpn]}]}\n", i, i+1)
	}
	b.WriteString("default: deny\n")
	return b.String()
}

// RandomGateway is an iptables-save of n forwarding rules that have little in
// common: ports and sources at random, for single assets and for all of them,
// and lists of banned networks. It is the hard case of an audit, since nearly
// every port of every asset gets an answer of its own.
func RandomGateway(n int) string {
	r := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	b.WriteString("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:from-wan - [0:0]\n:from-lan - [0:0]\n:blocked - [0:0]\n")
	b.WriteString("-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A FORWARD -j blocked\n-A FORWARD -i eth0 -j from-wan\n-A FORWARD -i eth1 -j from-lan\n")
	for range n {
		src := fmt.Sprintf("100.%d.%d.%d/%d", r.IntN(256), r.IntN(256), r.IntN(256), 16+r.IntN(17))
		dst := fmt.Sprintf("192.0.2.%d/32", 1+r.IntN(60))
		action := []string{"ACCEPT", "ACCEPT", "ACCEPT", "DROP"}[r.IntN(4)]
		proto := []string{"tcp", "udp"}[r.IntN(2)]
		switch r.IntN(10) {
		case 0:
			fmt.Fprintf(&b, "-A blocked -s %s -j DROP\n", src)
		case 1:
			fmt.Fprintf(&b, "-A from-wan -s %s -p %s -m %s --dport %d -j %s\n", src, proto, proto, 1+r.IntN(65535), action)
		case 2:
			fmt.Fprintf(&b, "-A from-lan -d %s -p %s -m multiport --dports 80,443,%d:%d -j ACCEPT\n", dst, proto, 8000+r.IntN(50), 8100+r.IntN(50))
		default:
			chain := []string{"from-wan", "from-lan"}[r.IntN(2)]
			fmt.Fprintf(&b, "-A %s -s %s -d %s -p %s -m %s --dport %d -j %s\n", chain, src, dst, proto, proto, 1+r.IntN(10000), action)
		}
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// GrownGateway is an iptables-save of about n rules as they grow in practice: a
// chain for each asset with the services it offers to some networks, one ban
// list for all, and the usual frame around them.
func GrownGateway(n int) string {
	r := rand.New(rand.NewPCG(5, 6))
	services := []string{"tcp --dport 22", "tcp --dport 25", "udp --dport 53", "tcp --dport 53", "tcp --dport 80", "tcp --dport 443", "udp --dport 123", "tcp --dport 587", "tcp --dport 953", "tcp --dport 3306", "tcp --dport 5432", "tcp --dport 8443", "udp --dport 51820", "tcp --dport 9100:9110"}
	var declared, frame, chains strings.Builder
	declared.WriteString("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:banned - [0:0]\n")
	frame.WriteString("-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\n-A FORWARD -i eth0 -j banned\n")
	bans := n / 5
	for range bans {
		fmt.Fprintf(&chains, "-A banned -s 100.%d.%d.%d/32 -j DROP\n", r.IntN(256), r.IntN(256), r.IntN(256))
	}
	for a := range Guarded {
		fmt.Fprintf(&declared, ":to-a%d - [0:0]\n", a)
		fmt.Fprintf(&frame, "-A FORWARD -d 192.0.2.%d/32 -j to-a%d\n", a+1, a)
		for range (n - bans) / Guarded {
			proto, service, _ := strings.Cut(services[r.IntN(len(services))], " ")
			from := fmt.Sprintf("-s 100.%d.%d.0/24", r.IntN(256), r.IntN(256))
			if r.IntN(40) == 0 {
				from = "-i eth1"
			}
			fmt.Fprintf(&chains, "-A to-a%d %s -p %s -m %s %s -m conntrack --ctstate NEW -j ACCEPT\n", a, from, proto, proto, service)
		}
	}
	return declared.String() + frame.String() + chains.String() + "COMMIT\n"
}
