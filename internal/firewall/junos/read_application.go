package junos

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cisco"
	"reconshield/internal/firewall/cloud"
)

// application is conjunctions of which any may hold.
type application [][]firewall.Match

func doubtful(why string) application { return application{{cloud.Undecidable(why)}} }

// predefined are the applications that every device has, as "tcp/22", several
// with a space between them. A question mark says that not every release means
// all of it.
var predefined = map[string]string{ //nolint:gochecknoglobals // read-only table
	"junos-aol": "tcp/5190-5193", "junos-bgp": "tcp/179", "junos-biff": "udp/512", "junos-bootpc": "udp/68", "junos-bootps": "udp/67",
	"junos-chargen": "udp/19", "junos-dhcp-client": "udp/68", "junos-dhcp-relay": "udp/67",
	"junos-dhcp-server": "udp/67", "junos-discard": "udp/9", "junos-dns-tcp": "tcp/53", "junos-dns-udp": "udp/53",
	"junos-echo": "udp/7", "junos-finger": "tcp/79", "junos-ftp": "tcp/21", "junos-gopher": "tcp/70",
	"junos-gre": "47", "junos-http": "tcp/80", "junos-http-ext": "tcp/7001 tcp?", "junos-https": "tcp/443",
	"junos-icmp-all": "1", "junos-icmp-ping": "1/8", "junos-icmp6-all": "58", "junos-icmp6-echo-request": "58/128",
	"junos-icmp6-packet-too-big": "58/2", "junos-ping": "1/8 1?", "junos-pingv6": "58/128 58?", "junos-ident": "tcp/113", "junos-ike": "udp/500",
	"junos-ike-nat": "udp/4500", "junos-imap": "tcp/143", "junos-imaps": "tcp/993", "junos-internet-locator-service": "tcp/389",
	"junos-irc": "tcp/6660-6669", "junos-l2tp": "udp/1701", "junos-ldap": "tcp/389", "junos-ldp-tcp": "tcp/646", "junos-ldp-udp": "udp/646",
	"junos-lpr": "tcp/515", "junos-mail": "tcp/25", "junos-mgcp-ca": "udp/2727", "junos-mgcp-ua": "udp/2427", "junos-ms-sql": "tcp/1433",
	"junos-msn": "tcp/1863", "junos-nbds": "udp/138", "junos-nbname": "udp/137", "junos-netbios-session": "tcp/139", "junos-nfs": "udp/111",
	"junos-nfsd-tcp": "tcp/2049", "junos-nfsd-udp": "udp/2049", "junos-nntp": "tcp/119",
	"junos-ntp": "udp/123", "junos-ospf": "89", "junos-pc-anywhere": "udp/5632", "junos-pop3": "tcp/110", "junos-pptp": "tcp/1723",
	"junos-printer": "tcp/515", "junos-r2cp": "udp/28672", "junos-radacct": "udp/1813", "junos-radius": "udp/1812",
	"junos-realaudio": "tcp/554", "junos-rip": "udp/520", "junos-rsh": "tcp/514", "junos-rtsp": "tcp/554", "junos-sccp": "tcp/2000",
	"junos-sip": "udp/5060 tcp/5060", "junos-smb": "tcp/139 tcp/445", "junos-smb-session": "tcp/445", "junos-smtp": "tcp/25 tcp/587?",
	"junos-smtps": "tcp/465 tcp/587?", "junos-snmp": "udp/161", "junos-snmp-agentx": "tcp/705", "junos-snpp": "tcp/444", "junos-sql-monitor": "udp/1434",
	"junos-sqlnet-v2": "tcp/1521", "junos-ssh": "tcp/22", "junos-syslog": "udp/514",
	"junos-tacacs": "tcp/49", "junos-tacacs-ds": "tcp/65", "junos-talk": "udp/517 tcp/517", "junos-tcp-any": "tcp", "junos-telnet": "tcp/23",
	"junos-tftp": "udp/69", "junos-udp-any": "udp", "junos-uucp": "udp/540",
	"junos-wais": "tcp/210", "junos-who": "udp/513", "junos-whois": "tcp/43", "junos-winframe": "tcp/1494",
	"junos-x-windows": "tcp/6000-6063", "junos-xnm-clear-text": "tcp/3221", "junos-xnm-ssl": "tcp/3220",
}

// services reads the form of the tables: "tcp/22 udp/500-600 58/128 89".
func services(text string) application {
	var out application
	for part := range strings.FieldsSeq(text) {
		part, isDoubtful := strings.CutSuffix(part, "?")
		name, number, _ := strings.Cut(part, "/")
		n, _ := cloud.ProtocolNumber(name)
		m := []firewall.Match{cloud.Protocol(n)}
		switch {
		case number == "":
		case n == cloud.ICMP || n == cloud.ICMPv6:
			kind, _ := strconv.ParseInt(number, 10, 64)
			more, _ := cloud.ICMPTypeCode(kind, -1)
			m = append(m, more...)
		default:
			ports, _ := cloud.PortList(firewall.DstPort, []string{number})
			m = append(m, ports)
		}
		if isDoubtful {
			m = append(m, cloud.Undecidable("releases differ in what this application covers"))
		}
		out = append(out, m)
	}
	return out
}

// application resolves a name in a policy. Any gives nil without a condition.
func (c *configuration) application(name string, depth int) application {
	if name == "any" {
		return application{nil}
	}
	if known, ok := c.apps[name]; ok {
		return known
	}
	if depth > maxNesting {
		return doubtful("application-set " + cloud.OneLine(name, 80) + " holds itself or is nested too deep")
	}
	all := c.root.find("applications")
	var out application
	switch custom, set := all.find("application", name), all.find("application-set", name); {
	case custom != nil:
		out = c.custom(custom)
	case set != nil:
		c.apps[name] = doubtful("application-set " + cloud.OneLine(name, 80) + " holds itself")
		out = c.applicationSet(set, depth)
	case services(predefined[name]) != nil:
		out = services(predefined[name])
	default:
		out = doubtful("application " + cloud.OneLine(name, 80) + " is neither in this file nor known")
	}
	out = firewall.UnitePorts(out)
	c.apps[name] = out
	return out
}

func (c *configuration) applicationSet(set *node, depth int) application {
	var out application
	for part := range set.each() {
		switch part.word {
		case "description":
		case "application", "application-set":
			for m := range part.each() {
				inner := c.application(m.word, depth+1)
				if c.budget -= len(inner); c.budget < 0 || len(out)+len(inner) > 10_000 {
					return append(out, doubtful("application-set "+cloud.OneLine(set.word, 80)+" is too large")...)
				}
				out = append(out, inner...)
			}
		default:
			out = append(out, doubtful("application-set "+cloud.OneLine(set.word, 80)+" has "+cloud.OneLine(part.word, 80)+", which is not known")...)
		}
	}
	return out
}

// custom reads an application: its own conditions, or those of its terms.
func (c *configuration) custom(n *node) application {
	if terms := n.find("term"); terms != nil {
		var out application
		for t := range terms.each() {
			out = append(out, term(n.word, t)...)
		}
		for k := range n.each() {
			if k.word != "term" && k.word != "description" && k.word != "application-protocol" && k.word != "inactivity-timeout" {
				return doubtful("application " + cloud.OneLine(n.word, 80) + " has " + cloud.OneLine(k.word, 60) + " beside terms")
			}
		}
		return out
	}
	return term(n.word, n)
}

// term reads conditions; what cannot be read makes a doubt of all of it.
func term(name string, n *node) application {
	values := map[string]string{}
	if err := attributes(n, values); err != nil {
		return doubtful(fmt.Sprintf("application %s: %v", cloud.OneLine(name, 80), err))
	}
	m, err := conditions(values)
	if err != nil {
		return doubtful(fmt.Sprintf("application %s: %v", cloud.OneLine(name, 80), err))
	}
	return application{m}
}

// attributes gives pairs of words, which stand beside each other or, where a
// statement holds several, behind each other.
func attributes(n *node, into map[string]string) error {
	todo := []*node{n}
	for len(todo) > 0 {
		n, todo = todo[0], todo[1:]
		for k := range n.each() {
			value, ok := k.one()
			if _, twice := into[k.word]; twice || !ok {
				return fmt.Errorf("expected one value for %s", cloud.OneLine(k.word, 60))
			}
			into[k.word] = value
			todo = append(todo, k.find(value))
		}
	}
	return nil
}

func conditions(values map[string]string) ([]firewall.Match, error) {
	protocol, ok := values["protocol"]
	if !ok {
		return nil, errors.New("expected a protocol")
	}
	n, ok := protocolNumber(protocol)
	if !ok {
		return nil, fmt.Errorf("protocol %q: expected a known name or a number", cloud.OneLine(protocol, 40))
	}
	out := []firewall.Match{cloud.Protocol(n)}
	kind := int64(-1)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value := values[key]
		switch key {
		case "protocol", "description", "inactivity-timeout", "application-protocol", "alg":
		case "destination-port", "source-port":
			field := firewall.DstPort
			if key == "source-port" {
				field = firewall.SrcPort
			}
			set, err := ports(value)
			if err != nil {
				return nil, err
			}
			out = append(out, firewall.Match{Field: field, Numbers: set})
		case "icmp-type", "icmp6-type":
			t, ok := icmpType(n, value)
			if !ok {
				return nil, fmt.Errorf("%s %q: expected a number", key, cloud.OneLine(value, 40))
			}
			kind = int64(t)
		case "icmp-code", "icmp6-code":
		default:
			return nil, fmt.Errorf("%s is not known", cloud.OneLine(key, 60))
		}
	}
	code, err := icmpCode(values)
	if err != nil || kind == -1 && code == -1 {
		return out, err
	}
	m, err := cloud.ICMPTypeCode(kind, code)
	return append(out, m...), err
}

func icmpCode(values map[string]string) (int64, error) {
	text, ok := values["icmp-code"]
	if !ok {
		text, ok = values["icmp6-code"]
	}
	if !ok {
		return -1, nil
	}
	v, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("icmp-code %q: expected a number", cloud.OneLine(text, 40))
	}
	return int64(v), nil
}

// protocolNumber is the number of a protocol as Junos names them.
func protocolNumber(name string) (firewall.Number, bool) {
	switch name {
	case "icmp6", "icmpv6":
		return cloud.ICMPv6, true
	case "egp":
		return 8, true
	case "ipv6":
		return 41, true
	case "rsvp":
		return 46, true
	case "vrrp":
		return 112, true
	}
	return cisco.ProtocolNumber(name)
}

// icmpType is the number of a type of ICMP as Junos names them.
func icmpType(protocol firewall.Number, name string) (firewall.Number, bool) {
	switch name {
	case "echo-request":
		name = "echo"
	case "router-solicit":
		name = "router-solicitation"
	case "neighbor-solicit":
		name = "neighbor-solicitation"
	case "destination-unreachable":
		name = "unreachable"
	}
	return cisco.ICMPType(protocol, name)
}

// ports reads "53", "8000-8080" or a name.
func ports(text string) (firewall.Numbers, error) {
	first, last, isRange := strings.Cut(text, "-")
	if n, ok := portNames[text]; ok {
		return firewall.NumbersOf(n), nil
	}
	if !isRange {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 16)
	b, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || a > b {
		return firewall.Numbers{}, fmt.Errorf("port %q: expected a number, a range or a known name", cloud.OneLine(text, 40))
	}
	return firewall.NumberRange(firewall.Number(a), firewall.Number(b)), nil
}

// portNames are the names of ports that Junos knows (junos, firewall filter
// match conditions).
var portNames = map[string]firewall.Number{ //nolint:gochecknoglobals // read-only table
	"afs": 1483, "bgp": 179, "biff": 512, "bootpc": 68, "bootps": 67, "cmd": 514, "cvspserver": 2401, "dhcp": 67, "domain": 53,
	"eklogin": 2105, "ekshell": 2106, "exec": 512, "finger": 79, "ftp": 21, "ftp-data": 20, "http": 80, "https": 443, "ident": 113,
	"imap": 143, "kerberos-sec": 88, "klogin": 543, "kpasswd": 761, "krb-prop": 754, "krbupdate": 760, "kshell": 544, "ldap": 389,
	"ldp": 646, "login": 513, "mobileip-agent": 434, "mobilip-mn": 435, "msdp": 639, "netbios-dgm": 138, "netbios-ns": 137,
	"netbios-ssn": 139, "nfsd": 2049, "nntp": 119, "ntalk": 518, "ntp": 123, "pop3": 110, "pptp": 1723, "printer": 515,
	"radacct": 1813, "radius": 1812, "rip": 520, "rkinit": 2108, "smtp": 25, "snmp": 161, "snmptrap": 162, "snpp": 444,
	"socks": 1080, "ssh": 22, "sunrpc": 111, "syslog": 514, "tacacs": 49, "tacacs-ds": 65, "talk": 517, "telnet": 23, "tftp": 69,
	"timed": 525, "who": 513, "xdmcp": 177,
}
