package recog

import "regexp"

// corrections are tried before the shipped collection: Pi-hole's FTL gives the
// version of the dnsmasq inside it, which is no version of Pi-hole.
func corrections() []fingerprint {
	return []fingerprint{
		own("dnsmasq inside Pi-hole FTL", `^dnsmasq-pi-hole-v?(\d+\.\d+(?:rc\d+|test\d+)?)(?:[-+~].{0,100})?$`, "Thekelleys", "Dnsmasq", "thekelleys:dnsmasq"),
	}
}

// supplement are fingerprints of our own for version.bind texts that today's
// servers give and the shipped collection does not know. They are tried last.
func supplement() []fingerprint {
	return []fingerprint{
		own("ISC BIND with a distribution's suffix", `^(?:BIND )?(9\.\d+\.\d+(?:-[PS]\d+)?(?:(?:a|b|rc)\d+)?)(?:[-+~].{0,100})?$`, "ISC", "BIND", "isc:bind"),
		own("dnsmasq with a distribution's suffix", `^dnsmasq-v?(\d+\.\d+(?:rc\d+|test\d+)?)(?:[-+~].{0,100})?$`, "Thekelleys", "Dnsmasq", "thekelleys:dnsmasq"),
		own("Unbound with a suffix", `^unbound (\d+\.\d+\.\d+)(?:[-+~ ].{0,100})?$`, "NLnet Labs", "unbound", "nlnetlabs:unbound"),
		own("NSD with a suffix", `^NSD (\d+\.\d+\.\d+)(?:[-+~ ].{0,100})?$`, "NLnet Labs", "dnsd", "nlnetlabs:name_server_daemon"),
		own("Knot DNS with a suffix", `^Knot DNS (\d+\.\d+(?:\.\d+)?)(?:[-+~. ].{0,100})?$`, "cz.nic", "Knot DNS", "knot-dns:knot_dns"),
		own("Knot Resolver", `^Knot Resolver(?: v?(\d+\.\d+\.\d+))?.{0,100}$`, "cz.nic", "Knot Resolver", "nic:knot_resolver"),
		own("PowerDNS Authoritative Server with a suffix", `^PowerDNS Authoritative Server (\d+\.\d+\.\d+).{0,200}$`, "PowerDNS", "Authoritative Server", "powerdns:authoritative_server"),
		own("PowerDNS Recursor with a suffix", `^PowerDNS Recursor (\d+\.\d+\.\d+).{0,200}$`, "PowerDNS", "Recursor", "powerdns:recursor"),
		own("CoreDNS", `^CoreDNS-(\d+\.\d+\.\d+).{0,100}$`, "CoreDNS", "CoreDNS", "coredns.io:coredns"),
		own("dnsdist", `(?i)^dnsdist (\d+\.\d+\.\d+).{0,100}$`, "PowerDNS", "dnsdist", "powerdns:dnsdist"),
	}
}

// own makes a fingerprint whose first group is the version.
func own(description, pattern, vendor, product, cpe string) fingerprint {
	f := fingerprint{pattern: regexp.MustCompile(pattern), description: description}
	f.params = []param{
		{Name: "service.vendor", Value: vendor},
		{Name: "service.product", Value: product},
		{Pos: 1, Name: "service.version"},
	}
	if cpe != "" {
		f.params = append(f.params, param{Name: "service.cpe23", Value: "cpe:/a:" + cpe + ":{service.version}"})
	}
	return f
}
