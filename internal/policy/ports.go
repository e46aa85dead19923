package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
)

// String is "53/udp", "8000-8080/tcp" or "esp".
func (p Ports) String() string {
	switch {
	case p.Transport == ESP:
		return string(ESP)
	case p.First == p.Last:
		return fmt.Sprintf("%d/%s", p.First, p.Transport)
	}
	return fmt.Sprintf("%d-%d/%s", p.First, p.Last, p.Transport)
}

// Contains reports whether a port of a transport is among them. For ESP the
// port does not count.
func (p Ports) Contains(t exposure.Transport, port uint16) bool {
	return p.Transport == t && (t == ESP || p.First <= port && port <= p.Last)
}

// overlaps reports whether some port is in both.
func (p Ports) overlaps(o Ports) bool {
	return p.Transport == o.Transport && p.First <= o.Last && o.First <= p.Last
}

// ParsePorts reads "22/tcp", "8000-8080/tcp" or "53", which means both
// transports, TCP first. The error says what was expected.
func ParsePorts(text string) ([]Ports, error) {
	numbers, transport, named := strings.Cut(text, "/")
	transports := []exposure.Transport{exposure.TCP, exposure.UDP}
	if named {
		switch t := exposure.Transport(transport); t {
		case exposure.TCP, exposure.UDP:
			transports = []exposure.Transport{t}
		default:
			return nil, fmt.Errorf("transport %s is neither tcp nor udp", quoted(transport))
		}
	}
	lower, upper, isRange := strings.Cut(numbers, "-")
	if !isRange {
		upper = lower
	}
	first, err := port(lower)
	if err != nil {
		return nil, err
	}
	last, err := port(upper)
	if err != nil {
		return nil, err
	}
	if first > last {
		return nil, fmt.Errorf("range %s runs backwards: write %d-%d", quoted(numbers), last, first)
	}
	out := make([]Ports, len(transports))
	for i, t := range transports {
		out[i] = Ports{Transport: t, First: first, Last: last}
	}
	return out, nil
}

func port(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("port %s is over 65535", quoted(text))
	case err != nil || text[0] == '0' && len(text) > 1:
		return 0, fmt.Errorf("%s is not a port: write a number from 1 to 65535", quoted(text))
	case n == 0:
		return 0, errors.New("port 0 cannot be reached: write a number from 1 to 65535")
	}
	return uint16(n), nil
}

// AdminPort is a range of ports over which something is administered or tells
// of itself.
type AdminPort struct {
	Ports
	What string
}

// AdminPorts are the administration ports: what a policy exposes only to zones
// with a tunnel, or by an exception. Ports 80 and 443 are not among them, see
// Role.Administration. The numbers are those of the IANA service registry
// (RFC 6335) and, where it has none, of the products' own documentation.
func AdminPorts() []AdminPort { return slices.Clone(adminPorts) }

//nolint:gochecknoglobals // read-only table
var adminPorts = listAdminPorts()

func listAdminPorts() []AdminPort {
	tcp := func(first, last uint16, what string) AdminPort {
		return AdminPort{Ports{exposure.TCP, first, last}, what}
	}
	udp := func(first, last uint16, what string) AdminPort {
		return AdminPort{Ports{exposure.UDP, first, last}, what}
	}
	return []AdminPort{
		tcp(22, 22, "SSH"),
		tcp(23, 23, "Telnet"),
		udp(161, 161, "SNMP"),
		tcp(161, 161, "SNMP"),
		udp(623, 623, "IPMI"),
		tcp(953, 953, "control of BIND"),
		tcp(2375, 2376, "the API of Docker"),
		tcp(2379, 2380, "etcd"),
		tcp(3389, 3389, "remote desktop"),
		udp(3389, 3389, "remote desktop"),
		tcp(5380, 5380, "the web console of Technitium DNS"),
		tcp(5900, 5909, "VNC"),
		tcp(5985, 5986, "Windows remote management"),
		tcp(6443, 6443, "the API of Kubernetes"),
		tcp(8006, 8006, "the web console of Proxmox"),
		tcp(8053, 8053, "statistics of BIND"),
		tcp(8080, 8080, "a web console or API"),
		tcp(8081, 8083, "the API of PowerDNS or dnsdist"),
		tcp(8291, 8291, "Winbox of RouterOS"),
		tcp(8443, 8443, "a web console or API"),
		tcp(8728, 8729, "the API of RouterOS"),
		tcp(8952, 8953, "control of NSD or Unbound"),
		tcp(9090, 9090, "Prometheus or Cockpit"),
		tcp(9100, 9100, "metrics of the host"),
		tcp(9119, 9119, "metrics of BIND"),
		tcp(9153, 9153, "metrics of CoreDNS"),
		tcp(9167, 9167, "metrics of Unbound"),
		tcp(9443, 9443, "a web console or API"),
		tcp(10000, 10000, "Webmin"),
		tcp(10250, 10250, "the API of kubelet"),
	}
}

// Administration is the first administration port among ports on an asset of
// the role. On a DNS server 80 and 443 are its web console, unless the role
// itself answers DNS over HTTPS there; on a Host they are ordinary.
func (r Role) Administration(ports Ports) (AdminPort, bool) {
	for _, a := range adminPorts {
		if a.overlaps(ports) {
			return a, true
		}
	}
	if r == Host {
		return AdminPort{}, false
	}
	for _, n := range []uint16{80, 443} {
		web := Ports{exposure.TCP, n, n}
		if web.overlaps(ports) && !r.serves(web) {
			return AdminPort{web, "the web console of a DNS server"}, true
		}
	}
	return AdminPort{}, false
}

// Exposure grades ports of the role that somebody reaches against the policy:
// by whether that is anybody or a known network, and by whether the ports
// administer the host.
func (r Role) Exposure(ports Ports, anybody bool) exposure.Severity {
	_, admin := r.Administration(ports)
	switch {
	case anybody && admin:
		return exposure.Critical
	case anybody || admin:
		return exposure.HighSev
	}
	return exposure.MediumSev
}
