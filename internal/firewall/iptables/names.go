package iptables

import (
	"strconv"
	"strings"

	"reconshield/internal/firewall"
)

// Transport protocols with ports (IANA protocol numbers).
const (
	protoICMP    firewall.Number = 1
	protoTCP     firewall.Number = 6
	protoUDP     firewall.Number = 17
	protoDCCP    firewall.Number = 33
	protoICMPv6  firewall.Number = 58
	protoSCTP    firewall.Number = 132
	protoUDPLite firewall.Number = 136
)

func withPorts() firewall.Numbers {
	return firewall.NumbersOf(protoTCP, protoUDP, protoDCCP, protoSCTP, protoUDPLite)
}

func hasPorts(n firewall.Number) bool {
	return n == protoTCP || n == protoUDP || n == protoDCCP || n == protoSCTP || n == protoUDPLite
}

// protocolNumber reads a name or number of a protocol; "all" and 0 give all.
func protocolNumber(s string) (n firewall.Number, all, ok bool) {
	if v, err := strconv.ParseUint(s, 0, 8); err == nil {
		return firewall.Number(v), v == 0, true
	}
	s = strings.ToLower(s)
	if s == "all" {
		return 0, true, true
	}
	v, ok := protocolNames[s]
	return v, ok && v == 0, ok
}

// protocolNames are the names iptables and Debian's /etc/protocols know
// (IANA, Protocol Numbers).
//
//nolint:gochecknoglobals // read-only table
var protocolNames = map[string]firewall.Number{
	"ip": 0, "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "ipv4": 4, "st": 5, "tcp": 6, "egp": 8,
	"igp": 9, "pup": 12, "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": 33, "xtp": 36,
	"ddp": 37, "idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47,
	"esp": 50, "ipsec-esp": 50, "ah": 51, "ipsec-ah": 51, "skip": 57, "ipv6-icmp": 58, "icmpv6": 58, "icmp6": 58,
	"ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81, "eigrp": 88, "ospf": 89, "ospfigp": 89, "ax.25": 93,
	"ipip": 94, "etherip": 97, "encap": 98, "pim": 103, "ipcomp": 108, "vrrp": 112, "carp": 112, "l2tp": 115,
	"isis": 124, "sctp": 132, "fc": 133, "mobility-header": 135, "ipv6-mh": 135, "mh": 135, "udplite": 136,
	"mpls-in-ip": 137, "manet": 138, "hip": 139, "shim6": 140, "wesp": 141, "rohc": 142, "ethernet": 143,
}

// portNames are the services people write by name in rules (IANA service
// names). iptables-save prints numbers.
//
//nolint:gochecknoglobals // read-only table
var portNames = map[string]uint16{
	"ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "time": 37, "whois": 43, "tacacs": 49, "domain": 53,
	"bootps": 67, "bootpc": 68, "tftp": 69, "gopher": 70, "finger": 79, "http": 80, "www": 80, "kerberos": 88,
	"pop3": 110, "sunrpc": 111, "auth": 113, "ident": 113, "nntp": 119, "ntp": 123, "epmap": 135, "netbios-ns": 137,
	"netbios-dgm": 138, "netbios-ssn": 139, "imap": 143, "imap2": 143, "snmp": 161, "snmp-trap": 162, "snmptrap": 162,
	"bgp": 179, "irc": 194, "ldap": 389, "https": 443, "microsoft-ds": 445, "kpasswd": 464, "submissions": 465,
	"smtps": 465, "ssmtp": 465, "isakmp": 500, "exec": 512, "login": 513, "shell": 514, "syslog": 514, "printer": 515,
	"route": 520, "router": 520, "dhcpv6-client": 546, "dhcpv6-server": 547, "rtsp": 554, "submission": 587, "ipp": 631,
	"ldaps": 636, "domain-s": 853, "rsync": 873, "ftps": 990, "imaps": 993, "pop3s": 995, "socks": 1080, "openvpn": 1194,
	"ms-sql-s": 1433, "l2tp": 1701, "pptp": 1723, "radius": 1812, "radius-acct": 1813, "nfs": 2049, "mysql": 3306,
	"ms-wbt-server": 3389, "ipsec-nat-t": 4500, "iax": 4569, "sip": 5060, "sip-tls": 5061, "postgresql": 5432,
	"mdns": 5353, "amqp": 5672, "x11": 6000, "http-alt": 8080, "webcache": 8080, "git": 9418,
}

// icmpNames are the names libipt_icmp knows: type, or type and code (codes
// are kept plus one, so that zero means any).
//
//nolint:gochecknoglobals // read-only table
var icmpNames = map[string][2]uint16{
	"echo-reply": {0, 0}, "pong": {0, 0},
	"destination-unreachable": {3, 0}, "network-unreachable": {3, 1}, "host-unreachable": {3, 2},
	"protocol-unreachable": {3, 3}, "port-unreachable": {3, 4}, "fragmentation-needed": {3, 5},
	"source-route-failed": {3, 6}, "network-unknown": {3, 7}, "host-unknown": {3, 8}, "network-prohibited": {3, 10},
	"host-prohibited": {3, 11}, "tos-network-unreachable": {3, 12}, "tos-host-unreachable": {3, 13},
	"communication-prohibited": {3, 14}, "host-precedence-violation": {3, 15}, "precedence-cutoff": {3, 16},
	"source-quench": {4, 0},
	"redirect":      {5, 0}, "network-redirect": {5, 1}, "host-redirect": {5, 2}, "tos-network-redirect": {5, 3},
	"tos-host-redirect": {5, 4},
	"echo-request":      {8, 0}, "ping": {8, 0}, "router-advertisement": {9, 0}, "router-solicitation": {10, 0},
	"time-exceeded": {11, 0}, "ttl-exceeded": {11, 0}, "ttl-zero-during-transit": {11, 1},
	"ttl-zero-during-reassembly": {11, 2},
	"parameter-problem":          {12, 0}, "ip-header-bad": {12, 1}, "required-option-missing": {12, 2},
	"timestamp-request": {13, 0}, "timestamp-reply": {14, 0}, "address-mask-request": {17, 0}, "address-mask-reply": {18, 0},
}

// icmpv6Names are the names libip6t_icmp6 knows, as icmpNames.
//
//nolint:gochecknoglobals // read-only table
var icmpv6Names = map[string][2]uint16{
	"destination-unreachable": {1, 0}, "no-route": {1, 1}, "communication-prohibited": {1, 2}, "beyond-scope": {1, 3},
	"address-unreachable": {1, 4}, "port-unreachable": {1, 5}, "failed-policy": {1, 6}, "reject-route": {1, 7},
	"packet-too-big": {2, 0},
	"time-exceeded":  {3, 0}, "ttl-exceeded": {3, 0}, "ttl-zero-during-transit": {3, 1}, "ttl-zero-during-reassembly": {3, 2},
	"parameter-problem": {4, 0}, "bad-header": {4, 1}, "unknown-header-type": {4, 2}, "unknown-option": {4, 3},
	"echo-request": {128, 0}, "ping": {128, 0}, "echo-reply": {129, 0}, "pong": {129, 0},
	"multicast-listener-query": {130, 0}, "mld-listener-query": {130, 0},
	"multicast-listener-report": {131, 0}, "mld-listener-report": {131, 0},
	"multicast-listener-done": {132, 0}, "mld-listener-done": {132, 0}, "mld-listener-reduction": {132, 0},
	"router-solicitation": {133, 0}, "router-advertisement": {134, 0},
	"neighbour-solicitation": {135, 0}, "neighbor-solicitation": {135, 0},
	"neighbour-advertisement": {136, 0}, "neighbor-advertisement": {136, 0}, "redirect": {137, 0},
}

// icmpTypes reads "8", "3/4", "echo-request" or "any". all is true when every
// type matches (for ICMP, 255 says so too).
func icmpTypes(s string, v6 bool) (n firewall.Numbers, all, ok bool) {
	if s == "any" {
		return n, true, true
	}
	names := icmpNames
	if v6 {
		names = icmpv6Names
	}
	if t, found := names[strings.ToLower(s)]; found {
		return icmpSpan(firewall.Number(t[0]), firewall.Number(t[1])), false, true
	}
	typ, code, coded := strings.Cut(s, "/")
	t, err := strconv.ParseUint(typ, 0, 8)
	if err != nil {
		return n, false, false
	}
	if t == 255 && !v6 && !coded {
		return n, true, true
	}
	if !coded {
		return icmpSpan(firewall.Number(t), 0), false, true
	}
	c, err := strconv.ParseUint(code, 0, 8)
	if err != nil {
		return n, false, false
	}
	return icmpSpan(firewall.Number(t), firewall.Number(c)+1), false, true
}

func icmpSpan(typ, codePlusOne firewall.Number) firewall.Numbers {
	if codePlusOne == 0 {
		return firewall.NumberRange(typ<<8, typ<<8|255)
	}
	return firewall.NumbersOf(typ<<8 | (codePlusOne - 1))
}
