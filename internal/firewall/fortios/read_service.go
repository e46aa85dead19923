package fortios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// service is conjunctions of which any may hold.
type service [][]firewall.Match

func doubtful(why string) service { return service{{cloud.Undecidable(why)}} }

// predefined are services that every device has, as settings, for texts that
// leave them out.
var predefined = map[string][2]string{ //nolint:gochecknoglobals // read-only table
	"ALL": {"IP", ""}, "ALL_TCP": {"tcp", "1-65535"}, "ALL_UDP": {"udp", "1-65535"}, "ALL_ICMP": {"ICMP", ""}, "ALL_ICMP6": {"ICMP6", ""},
	"FTP": {"tcp", "21"}, "HTTP": {"tcp", "80"}, "HTTPS": {"tcp", "443"}, "IMAP": {"tcp", "143"}, "IMAPS": {"tcp", "993"}, "LDAP": {"tcp", "389"},
	"NTP": {"both", "123"}, "POP3": {"tcp", "110"}, "POP3S": {"tcp", "995"}, "RDP": {"tcp", "3389"}, "SMB": {"tcp", "445"}, "SMTP": {"tcp", "25"},
	"SMTPS": {"tcp", "465"}, "SSH": {"tcp", "22"}, "SYSLOG": {"udp", "514"}, "TELNET": {"tcp", "23"}, "TFTP": {"udp", "69"}, "DNS": {"both", "53"},
	"SNMP": {"both", "161-162"}, "PING": {"ICMP", "8"}, "PING6": {"ICMP6", "128"},
}

// service resolves the name of a service or group.
func (c *configuration) service(name string, depth int) service {
	if known, ok := c.services[name]; ok {
		return known
	}
	if depth > maxNesting {
		return doubtful("service group " + cloud.OneLine(name, 80) + " holds itself or is nested too deep")
	}
	var out service
	custom, group := c.tables["firewall service custom"].get(name), c.tables["firewall service group"].get(name)
	known, isKnown := predefined[name]
	switch {
	case custom != nil:
		out = c.custom(custom)
	case group != nil:
		c.services[name] = doubtful("service group " + cloud.OneLine(name, 80) + " holds itself")
		for _, m := range group.sets["member"] {
			inner := c.service(m, depth+1)
			if c.budget -= len(inner); c.budget < 0 || len(out)+len(inner) > 10_000 {
				out = append(out, doubtful("service group "+cloud.OneLine(name, 80)+" is too large")...)
				break
			}
			out = append(out, inner...)
		}
		isOdd := slices.ContainsFunc(group.keys, func(k string) bool {
			return k != "member" && !cosmetic(k) && (k != "proxy" || group.one(k, "") != "disable")
		})
		if isOdd || len(out) == 0 {
			out = doubtful("service group " + cloud.OneLine(name, 80) + " is empty or has settings that are not read")
		}
	case isKnown:
		out = c.custom(preset(known))
	default:
		out = doubtful("service " + cloud.OneLine(name, 80) + " is neither in this file nor known")
	}
	out = firewall.UnitePorts(out)
	c.services[name] = out
	return out
}

// preset writes a line of the table as the device would.
func preset(known [2]string) *entry {
	e := &entry{sets: map[string][]string{}}
	switch known[0] {
	case "both":
		e.sets["tcp-portrange"], e.sets["udp-portrange"] = []string{known[1]}, []string{known[1]}
	case "tcp", "udp":
		e.sets[known[0]+"-portrange"] = []string{known[1]}
	default:
		e.sets["protocol"] = []string{known[0]}
		if known[1] != "" {
			e.sets["icmptype"] = []string{known[1]}
		}
	}
	return e
}

// custom reads a service.
func (c *configuration) custom(e *entry) service {
	out, err := terms(e)
	for _, key := range e.keys {
		known := []string{
			"protocol", "protocol-number", "tcp-portrange", "udp-portrange", "udplite-portrange", "sctp-portrange", "icmptype", "icmpcode", "helper",
			"session-ttl", "tcp-halfclose-timer", "tcp-halfopen-timer", "tcp-timewait-timer", "tcp-rst-timer", "udp-idle-timer", "check-reset-range",
		}
		value := e.one(key, "")
		off := (key == "proxy" || key == "app-service-type") && value == "disable" || key == "iprange" && value == "0.0.0.0" || key == "fqdn" && value == ""
		if err == nil && !off && !cosmetic(key) && !slices.Contains(known, key) {
			err = fmt.Errorf("%s is not known", cloud.OneLine(key, 60))
		}
	}
	if err != nil {
		return doubtful(fmt.Sprintf("service %s: %v", cloud.OneLine(e.name, 80), err))
	}
	return out
}

func terms(e *entry) (service, error) {
	switch protocol := e.one("protocol", "TCP/UDP/SCTP"); protocol {
	case "TCP/UDP/SCTP", "TCP/UDP/UDP-Lite/SCTP":
		var out service
		for _, p := range []struct {
			key    string
			number firewall.Number
		}{{"tcp-portrange", cloud.TCP}, {"udp-portrange", cloud.UDP}, {"sctp-portrange", cloud.SCTP}, {"udplite-portrange", 136}} {
			for _, text := range e.sets[p.key] {
				m, err := ranges(text)
				if err != nil {
					return nil, err
				}
				out = append(out, append([]firewall.Match{cloud.Protocol(p.number)}, m...))
			}
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("expected ports")
		}
		return out, nil
	case "ICMP", "ICMP6":
		n := cloud.ICMP
		if protocol == "ICMP6" {
			n = cloud.ICMPv6
		}
		kind, err1 := strconv.ParseInt(e.one("icmptype", "-1"), 10, 32)
		code, err2 := strconv.ParseInt(e.one("icmpcode", "-1"), 10, 32)
		m, err := cloud.ICMPTypeCode(kind, code)
		if err1 != nil || err2 != nil || err != nil {
			return nil, fmt.Errorf("expected icmptype and icmpcode as numbers")
		}
		return service{append([]firewall.Match{cloud.Protocol(n)}, m...)}, nil
	case "IP":
		n, err := strconv.ParseUint(e.one("protocol-number", "0"), 10, 8)
		if err != nil {
			return nil, fmt.Errorf("expected protocol-number as a number")
		}
		if n == 0 {
			return service{nil}, nil
		}
		return service{{cloud.Protocol(firewall.Number(n))}}, nil
	}
	return nil, fmt.Errorf("the protocol is not known")
}

// ranges reads "53", "8000-8080" or, with source ports, "53:1024-65535".
func ranges(text string) ([]firewall.Match, error) {
	target, source, hasSource := strings.Cut(text, ":")
	m, err := cloud.PortList(firewall.DstPort, []string{target})
	if err != nil || !hasSource {
		return []firewall.Match{m}, err
	}
	s, err := cloud.PortList(firewall.SrcPort, []string{source})
	return []firewall.Match{m, s}, err
}

// anyOf is the condition that one of the named services is asked for; nil for
// any.
func (c *configuration) anyOf(names []string, negate bool) []firewall.Match {
	if len(names) == 0 {
		return []firewall.Match{cloud.Undecidable("the policy has no service")}
	}
	var all service
	for _, name := range names {
		s := c.service(name, 0)
		if c.budget -= len(s); c.budget < 0 {
			all = append(all, doubtful("the services are too many to be put together")...)
			break
		}
		all = append(all, s...)
	}
	if slices.ContainsFunc(all, func(m []firewall.Match) bool { return len(m) == 0 }) {
		if negate {
			return []firewall.Match{cloud.Undecidable("every service is excluded")}
		}
		return nil
	}
	if len(names) > 1 {
		all = firewall.UnitePorts(all)
	}
	if len(all) == 1 && !negate {
		return all[0]
	}
	return []firewall.Match{{Field: firewall.Tuple, Tuples: all, Not: negate}}
}
