package nft

import "reconshield/internal/firewall"

// The symbols of nft(8) that have a place in the model: "nft describe" lists
// them. Ports and protocols stand in /etc/services and /etc/protocols of the
// host; these are the usual ones (IANA).

func portNumber(name string) (firewall.Number, bool) {
	n, ok := portNames[name]
	return n, ok
}

var portNames = map[string]firewall.Number{ //nolint:gochecknoglobals // read-only table
	"ftp-data":      20,
	"ftp":           21,
	"ssh":           22,
	"telnet":        23,
	"smtp":          25,
	"mail":          25,
	"whois":         43,
	"nicname":       43,
	"domain":        53,
	"bootps":        67,
	"dhcps":         67,
	"bootpc":        68,
	"dhcpc":         68,
	"tftp":          69,
	"gopher":        70,
	"finger":        79,
	"http":          80,
	"www":           80,
	"kerberos":      88,
	"kerberos5":     88,
	"pop3":          110,
	"sunrpc":        111,
	"portmapper":    111,
	"auth":          113,
	"ident":         113,
	"nntp":          119,
	"ntp":           123,
	"epmap":         135,
	"netbios-ns":    137,
	"netbios-dgm":   138,
	"netbios-ssn":   139,
	"imap2":         143,
	"imap":          143,
	"snmp":          161,
	"snmp-trap":     162,
	"snmptrap":      162,
	"bgp":           179,
	"irc":           194,
	"ldap":          389,
	"svrloc":        427,
	"https":         443,
	"microsoft-ds":  445,
	"kpasswd":       464,
	"submissions":   465,
	"ssmtp":         465,
	"smtps":         465,
	"urd":           465,
	"isakmp":        500,
	"login":         513,
	"who":           513,
	"shell":         514,
	"syslog":        514,
	"printer":       515,
	"route":         520,
	"router":        520,
	"dhcpv6-client": 546,
	"dhcpv6-server": 547,
	"rtsp":          554,
	"submission":    587,
	"ipp":           631,
	"ldaps":         636,
	"domain-s":      853,
	"rsync":         873,
	"ftps-data":     989,
	"ftps":          990,
	"telnets":       992,
	"imaps":         993,
	"pop3s":         995,
	"socks":         1080,
	"openvpn":       1194,
	"ms-sql-s":      1433,
	"ms-sql-m":      1434,
	"radius":        1812,
	"radius-acct":   1813,
	"radacct":       1813,
	"nfs":           2049,
	"mysql":         3306,
	"ms-wbt-server": 3389,
	"ipsec-nat-t":   4500,
	"sip":           5060,
	"sip-tls":       5061,
	"mdns":          5353,
	"postgresql":    5432,
	"postgres":      5432,
	"amqp":          5672,
	"x11":           6000,
	"x11-0":         6000,
	"redis":         6379,
	"http-alt":      8080,
	"webcache":      8080,
}

func protocolNumber(name string) (firewall.Number, bool) {
	n, ok := protocolNames[name]
	return n, ok
}

var protocolNames = map[string]firewall.Number{ //nolint:gochecknoglobals // read-only table
	"ip":              0,
	"hopopt":          0,
	"icmp":            1,
	"igmp":            2,
	"ipencap":         4,
	"ipv4":            4,
	"tcp":             6,
	"egp":             8,
	"udp":             17,
	"dccp":            33,
	"ipv6":            41,
	"ipv6-route":      43,
	"ipv6-frag":       44,
	"rsvp":            46,
	"gre":             47,
	"esp":             50,
	"ipsec-esp":       50,
	"ah":              51,
	"ipsec-ah":        51,
	"ipv6-icmp":       58,
	"icmpv6":          58,
	"ipv6-nonxt":      59,
	"ipv6-opts":       60,
	"eigrp":           88,
	"ospf":            89,
	"ospfigp":         89,
	"ipip":            94,
	"pim":             103,
	"ipcomp":          108,
	"comp":            108,
	"vrrp":            112,
	"carp":            112,
	"l2tp":            115,
	"sctp":            132,
	"mobility-header": 135,
	"mh":              135,
	"udplite":         136,
}

func icmpType(name string) (firewall.Number, bool) {
	switch name {
	case "echo-reply":
		return 0, true
	case "destination-unreachable":
		return 3, true
	case "source-quench":
		return 4, true
	case "redirect":
		return 5, true
	case "echo-request":
		return 8, true
	case "router-advertisement":
		return 9, true
	case "router-solicitation":
		return 10, true
	case "time-exceeded":
		return 11, true
	case "parameter-problem":
		return 12, true
	case "timestamp-request":
		return 13, true
	case "timestamp-reply":
		return 14, true
	case "info-request":
		return 15, true
	case "info-reply":
		return 16, true
	case "address-mask-request":
		return 17, true
	case "address-mask-reply":
		return 18, true
	}
	return 0, false
}

func icmpCode(name string) (firewall.Number, bool) {
	switch name {
	case "net-unreachable":
		return 0, true
	case "host-unreachable":
		return 1, true
	case "prot-unreachable":
		return 2, true
	case "port-unreachable":
		return 3, true
	case "frag-needed":
		return 4, true
	case "net-prohibited":
		return 9, true
	case "host-prohibited":
		return 10, true
	case "admin-prohibited":
		return 13, true
	}
	return 0, false
}

func icmp6Type(name string) (firewall.Number, bool) {
	switch name {
	case "destination-unreachable":
		return 1, true
	case "packet-too-big":
		return 2, true
	case "time-exceeded":
		return 3, true
	case "parameter-problem":
		return 4, true
	case "echo-request":
		return 128, true
	case "echo-reply":
		return 129, true
	case "mld-listener-query":
		return 130, true
	case "mld-listener-report":
		return 131, true
	case "mld-listener-done", "mld-listener-reduction":
		return 132, true
	case "nd-router-solicit":
		return 133, true
	case "nd-router-advert":
		return 134, true
	case "nd-neighbor-solicit":
		return 135, true
	case "nd-neighbor-advert":
		return 136, true
	case "nd-redirect":
		return 137, true
	case "router-renumbering":
		return 138, true
	case "ind-neighbor-solicit":
		return 141, true
	case "ind-neighbor-advert":
		return 142, true
	case "mld2-listener-report":
		return 143, true
	}
	return 0, false
}

func icmp6Code(name string) (firewall.Number, bool) {
	switch name {
	case "no-route":
		return 0, true
	case "admin-prohibited":
		return 1, true
	case "addr-unreachable":
		return 3, true
	case "port-unreachable":
		return 4, true
	case "policy-fail":
		return 5, true
	case "reject-route":
		return 6, true
	}
	return 0, false
}

// ctState gives the bits of nf_conntrack_common.h as nft shows them.
func ctState(name string) (firewall.Number, bool) {
	switch name {
	case "invalid":
		return 1, true
	case "established":
		return 2, true
	case "related":
		return 4, true
	case "new":
		return 8, true
	case "untracked":
		return 64, true
	}
	return 0, false
}

func ctStatus(name string) (firewall.Number, bool) {
	switch name {
	case "expected":
		return 1, true
	case "seen-reply":
		return 2, true
	case "assured":
		return 4, true
	case "confirmed":
		return 8, true
	case "snat":
		return 16, true
	case "dnat":
		return dnatBit, true
	case "dying":
		return 512, true
	}
	return 0, false
}

// dnatBit is IPS_DST_NAT of nf_conntrack_common.h.
const dnatBit = 32

func ctDirection(name string) (firewall.Number, bool) {
	switch name {
	case "original":
		return 0, true
	case "reply":
		return 1, true
	}
	return 0, false
}

func tcpFlag(name string) (firewall.Number, bool) {
	switch name {
	case "fin":
		return firewall.FIN, true
	case "syn":
		return firewall.SYN, true
	case "rst":
		return firewall.RST, true
	case "psh":
		return firewall.PSH, true
	case "ack":
		return firewall.ACK, true
	case "urg":
		return firewall.URG, true
	case "ecn":
		return firewall.ECE, true
	case "cwr":
		return firewall.CWR, true
	}
	return 0, false
}

func nfProto(name string) (firewall.Number, bool) {
	switch name {
	case "ipv4":
		return 2, true
	case "ipv6":
		return 10, true
	}
	return 0, false
}

func etherType(name string) (firewall.Number, bool) {
	switch name {
	case "ip":
		return 0x0800, true
	case "arp":
		return 0x0806, true
	case "vlan":
		return 0x8100, true
	case "8021q":
		return 0x8100, true
	case "8021ad":
		return 0x88a8, true
	case "ip6":
		return 0x86dd, true
	}
	return 0, false
}

// typeLocal is RTN_LOCAL of rtnetlink.h.
const typeLocal = 2

func addrTypeNumber(name string) (firewall.Number, bool) {
	for i, n := range [...]string{"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit"} {
		if n == name {
			return firewall.Number(i), true
		}
	}
	return 0, false
}

// presence are the words of what a look-up finds or does not.
func presence(name string) (firewall.Number, bool) {
	switch name {
	case "missing":
		return 0, true
	case "exists":
		return 1, true
	}
	return 0, false
}

// packetTypeNumber knows the types of uapi/linux/if_packet.h.
func packetTypeNumber(name string) (firewall.Number, bool) {
	switch name {
	case "host", "unicast":
		return 0, true
	case "broadcast":
		return 1, true
	case "multicast":
		return 2, true
	case "other":
		return 3, true
	}
	return 0, false
}
