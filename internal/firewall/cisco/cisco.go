// Package cisco holds what the readers of Cisco's dialects share: the names of
// protocols, ports and ICMP types, and the operators on ports. It reads no
// configuration itself.
package cisco

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"reconshield/internal/firewall"
)

// protocols are the names of protocols.
var protocols = map[string]firewall.Number{ //nolint:gochecknoglobals // read-only table
	"ah": 51, "eigrp": 88, "esp": 50, "gre": 47, "icmp": 1, "icmp6": 58, "igmp": 2, "igrp": 9, "ipinip": 4,
	"ipsec": 50, "nos": 94, "ospf": 89, "pcp": 108, "pim": 103, "pptp": 47, "sctp": 132, "snp": 109, "tcp": 6, "udp": 17,
}

// ports are the names of ports that mean one port in every release.
var ports = map[string]firewall.Number{ //nolint:gochecknoglobals // read-only table
	"aol": 5190, "bgp": 179, "biff": 512, "bootpc": 68, "bootps": 67, "chargen": 19, "cifs": 3020, "citrix-ica": 1494,
	"cmd": 514, "ctiqbe": 2748, "daytime": 13, "discard": 9, "dnsix": 195, "domain": 53, "echo": 7, "exec": 512,
	"finger": 79, "ftp": 21, "ftp-data": 20, "gopher": 70, "h323": 1720, "hostname": 101, "http": 80, "https": 443,
	"ident": 113, "imap4": 143, "irc": 194, "isakmp": 500, "klogin": 543, "kshell": 544, "ldap": 389, "ldaps": 636,
	"login": 513, "lotusnotes": 1352, "lpd": 515, "mobile-ip": 434, "nameserver": 42, "netbios-dgm": 138,
	"netbios-ns": 137, "netbios-ssn": 139, "nfs": 2049, "nntp": 119, "ntp": 123, "pcanywhere-data": 5631,
	"pcanywhere-status": 5632, "pim-auto-rp": 496, "pop2": 109, "pop3": 110, "pptp": 1723, "radius": 1645,
	"radius-acct": 1646, "rip": 520, "rsh": 514, "rtsp": 554, "secureid-udp": 5510, "sip": 5060, "smtp": 25,
	"snmp": 161, "snmptrap": 162, "ssh": 22, "sunrpc": 111, "syslog": 514, "tacacs": 49, "talk": 517, "telnet": 23,
	"tftp": 69, "time": 37, "uucp": 540, "vxlan": 4789, "who": 513, "whois": 43, "www": 80, "xdmcp": 177,
}

// types4 are the names of types of ICMP.
var types4 = map[string]firewall.Number{ //nolint:gochecknoglobals // read-only table
	"echo-reply": 0, "unreachable": 3, "source-quench": 4, "redirect": 5, "alternate-address": 6, "echo": 8,
	"router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
	"timestamp-request": 13, "timestamp-reply": 14, "information-request": 15, "information-reply": 16,
	"mask-request": 17, "mask-reply": 18, "traceroute": 30, "conversion-error": 31, "mobile-redirect": 32,
}

// types6 are the names of types of ICMPv6.
var types6 = map[string]firewall.Number{ //nolint:gochecknoglobals // read-only table
	"unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo": 128,
	"echo-reply": 129, "membership-query": 130, "membership-report": 131, "membership-reduction": 132,
	"router-solicitation": 133, "router-advertisement": 134, "neighbor-solicitation": 135,
	"neighbor-advertisement": 136, "neighbor-redirect": 137, "router-renumbering": 138,
}

// ProtocolNumber is the number of a protocol by name or number. "ip" is not
// among them: it stands for all.
func ProtocolNumber(name string) (firewall.Number, bool) {
	if n, ok := protocols[name]; ok {
		return n, true
	}
	v, err := strconv.ParseUint(name, 10, 8)
	return firewall.Number(v), err == nil
}

// PortNumber is the number of a port by name or number. Names that mean
// different ports in different releases are not known.
func PortNumber(name string) (firewall.Number, error) {
	if v, err := strconv.ParseUint(name, 10, 16); err == nil {
		return firewall.Number(v), nil
	}
	if n, ok := ports[name]; ok {
		return n, nil
	}
	return 0, fmt.Errorf("port %q: expected a number or a known name", name)
}

// ICMPType is the number of a type of ICMP, or of ICMPv6, by name or number.
func ICMPType(protocol firewall.Number, name string) (firewall.Number, bool) {
	if v, err := strconv.ParseUint(name, 10, 8); err == nil {
		return firewall.Number(v), true
	}
	known := types4
	if protocol == 58 {
		known = types6
	}
	n, ok := known[name]
	return n, ok
}

// Operator reads "eq P", "neq P", "lt P", "gt P" or "range P Q" from the words
// of a line, and gives the ports and the words that are left.
func Operator(w []string) (firewall.Numbers, []string, error) {
	all := firewall.NumberRange(0, 65535)
	if len(w) < 2 || !IsOperator(w[0]) {
		return firewall.Numbers{}, w, errors.New("expected eq, neq, lt, gt or range with ports")
	}
	p, err := PortNumber(w[1])
	if err != nil {
		return firewall.Numbers{}, nil, err
	}
	switch w[0] {
	case "eq":
		return firewall.NumbersOf(p), w[2:], nil
	case "neq":
		return all.Subtract(firewall.NumbersOf(p)), w[2:], nil
	case "lt":
		return all.Subtract(firewall.NumberRange(p, 65535)), w[2:], nil
	case "gt":
		return all.Subtract(firewall.NumberRange(0, p)), w[2:], nil
	}
	if len(w) < 3 {
		return firewall.Numbers{}, nil, errors.New("expected range with two ports")
	}
	q, err := PortNumber(w[2])
	return firewall.NumberRange(p, q), w[3:], err
}

// IsOperator reports whether a word begins a condition on ports.
func IsOperator(word string) bool {
	return slices.Contains([]string{"eq", "neq", "lt", "gt", "range"}, word)
}
