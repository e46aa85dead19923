package netset

import "reconshield/internal/exposure"

// DNSPorts is the group "dns": port 53 and the ports that belong to it.
func DNSPorts() PortSet {
	var s PortSet
	for _, number := range []uint16{
		53,         // DNS, RFC 1035 section 4.2
		853,        // DNS over TLS, RFC 7858 section 3.1; over QUIC, RFC 9250 section 4.1.1
		8053, 5300, // habitual second ports of DNS servers
		52, 54, // neighbours: what a mistyped rule leaves open
	} {
		s.add(exposure.TCP, span{number, number})
		s.add(exposure.UDP, span{number, number})
	}
	s.add(exposure.UDP, span{5353, 5353}) // multicast DNS, RFC 6762 section 3
	for _, number := range []uint16{
		443,              // DNS over HTTPS, RFC 8484
		953,              // BIND control (rndc)
		8953,             // Unbound control
		8952,             // NSD control
		5199,             // dnsdist control
		5380,             // Technitium web console
		8081, 8082, 8083, // PowerDNS Authoritative, Recursor and dnsdist web API
		3000, // AdGuard Home web console
	} {
		s.add(exposure.TCP, span{number, number})
	}
	return s.normal()
}

// portGroup gives a group by its name in lower case.
func portGroup(name string) (PortSet, bool) {
	if name == "dns" {
		return DNSPorts(), true
	}
	return PortSet{}, false
}
