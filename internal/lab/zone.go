//go:build linux

package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Serial is the SOA serial number of every zone of the lab.
const Serial = 2026010101

const (
	reverse4 = "2.0.192.in-addr.arpa"
	reverse6 = "0.0.0.0.2.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
)

// publicZones are on every authoritative server, abusedZones in addition on
// those that show what should not be public.
func publicZones() []string { return []string{"example.test", "safe.test"} }

func abusedZones() []string {
	return append(publicZones(), "wild.test", "private.test", "10.in-addr.arpa")
}

// zoneText is the content of a zone in master file format.
func zoneText(zone string) string {
	switch zone {
	case ".":
		return rootZone()
	case "root-servers.net":
		return zoneHead(zone, "a.root-servers.net.") + lines(
			"a.root-servers.net. A "+rootServer4,
			"a.root-servers.net. AAAA "+rootServer6)
	case "example.test":
		return exampleZone()
	case "example.com":
		return zoneHead(zone, "ns1.example.test.") + lines(
			"example.com. A 192.0.2.200", "example.com. AAAA 2001:db8:2::200",
			"www.example.com. A 192.0.2.200", "example.com. TXT \"v=spf1 -all\"")
	case "wild.test":
		return zoneHead(zone, "ns1.example.test.") + lines("*.wild.test. A 192.0.2.201", "*.wild.test. TXT \"anything\"")
	case "private.test":
		return privateZone()
	case "10.in-addr.arpa":
		return zoneHead(zone, "ns1.example.test.") + lines(
			"1.0.0.10.in-addr.arpa. PTR gateway.private.test.",
			"5.0.0.10.in-addr.arpa. PTR dc1.private.test.",
			"6.0.0.10.in-addr.arpa. PTR dc2.private.test.")
	case reverse4, reverse6:
		return reverseZone(zone)
	}
	return zoneHead(zone, "ns1.example.test.") + lines("www."+zone+". A 192.0.2.202", zone+". A 192.0.2.202")
}

// zoneHead is TTL, SOA and NS. The primary server may lie outside the zone.
func zoneHead(zone, server string) string {
	apex := strings.TrimSuffix(zone, ".") + "."
	return lines("$TTL 300",
		fmt.Sprintf("%s SOA %s hostmaster.example.test. %d 3600 900 604800 300", apex, server, Serial),
		fmt.Sprintf("%s NS %s", apex, server))
}

// each joins what text makes of every item.
func each(items []string, text func(string) string) string {
	var all strings.Builder
	for _, item := range items {
		all.WriteString(text(item))
	}
	return all.String()
}

func lines(records ...string) string { return strings.Join(records, "\n") + "\n" }

// rootZone delegates everything that exists in the lab. It is not signed.
func rootZone() string {
	return zoneHead(".", "a.root-servers.net.") +
		lines("a.root-servers.net. A "+rootServer4, "a.root-servers.net. AAAA "+rootServer6) +
		delegate("ns1", "example.test", "safe.test", "notify.test", "example.com", reverse4, reverse6) +
		delegate("collector", "probe.test") +
		delegate("bind-auth-abused", "wild.test", "private.test", "weak.test", "nsec3.test") +
		delegate("knot-abused", "ed.test")
}

// delegate hands zones to a host, with glue.
func delegate(host string, zones ...string) string {
	v4, v6 := addressOf(host)
	return each(zones, func(zone string) string {
		ns := "ns." + zone + "."
		if host == "ns1" {
			ns = "ns1.example.test."
		}
		return lines(zone+". NS "+ns, ns+" A "+v4.String(), ns+" AAAA "+v6.String())
	})
}

// exampleZone is a zone as organisations have them, with a name for every
// host of the catalogue and an apex that makes a large answer to ANY.
func exampleZone() string {
	ns1v4, ns1v6 := addressOf("ns1")
	ns2v4, ns2v6 := servers().address(numberNS2)
	text := zoneHead("example.test", "ns1.example.test.") + lines(
		"example.test. NS ns2.example.test.",
		"ns1.example.test. A "+ns1v4.String(), "ns1.example.test. AAAA "+ns1v6.String(),
		"ns2.example.test. A "+ns2v4.String(), "ns2.example.test. AAAA "+ns2v6.String(),
		"example.test. A 192.0.2.200", "example.test. AAAA 2001:db8:2::200",
		"example.test. MX 10 mail.example.test.", "example.test. MX 20 mail2.example.test.",
		"example.test. TXT \"v=spf1 mx -all\"",
		"www.example.test. CNAME example.test.",
		"mail.example.test. A 192.0.2.203", "mail.example.test. AAAA 2001:db8:2::203",
		"mail2.example.test. A 192.0.2.204",
		"_sip._tcp.example.test. SRV 10 5 5060 mail.example.test.",
		"_dmarc.example.test. TXT \"v=DMARC1; p=reject\"")
	text += each(strings.Split("abcd", ""), func(c string) string {
		return fmt.Sprintf("example.test. TXT \"%s %s\"\n", c, strings.Repeat("padding ", 25))
	})
	for i := range 40 {
		text = fmt.Sprintf("%shost-%02d.example.test. A 192.0.2.%d\n", text, i+1, 205+i)
	}
	return text + each(namedHosts(), func(name string) string {
		v4, v6 := addressOf(name)
		return lines(name+".example.test. A "+v4.String(), name+".example.test. AAAA "+v6.String())
	})
}

// namedHosts are those of the servers segment with a name in DNS, apart from
// the name servers.
func namedHosts() []string {
	names := []string{"collector"}
	for _, k := range Kinds() {
		if !k.intercepted && k.Name != "ns1" {
			names = append(names, k.Name)
		}
	}
	return names
}

// privateZone leaks the inside of a company.
func privateZone() string {
	return zoneHead("private.test", "ns1.example.test.") + lines(
		"private.test. A 10.0.0.5",
		"gateway.private.test. A 10.0.0.1",
		"dc1.private.test. A 10.0.0.5", "dc1.private.test. AAAA fd00::5",
		"dc2.private.test. A 10.0.0.6",
		"www.private.test. A 192.168.1.10", "mail.private.test. A 172.16.0.25",
		"intranet.private.test. A 10.0.0.80", "vpn.private.test. A 10.0.0.90",
		"_ldap._tcp.dc._msdcs.private.test. SRV 0 100 389 dc1.private.test.",
		"_ldap._tcp.dc._msdcs.private.test. SRV 0 100 389 dc2.private.test.",
		"_kerberos._tcp.private.test. SRV 0 100 88 dc1.private.test.")
}

// reverseZone names every host of the servers segment in one family.
func reverseZone(zone string) string {
	return zoneHead(zone, "ns1.example.test.") + each(append(namedHosts(), "ns1"), func(name string) string {
		v4, v6 := addressOf(name)
		addr := v4
		if zone == reverse6 {
			addr = v6
		}
		return lines(reverseName(addr) + " PTR " + name + ".example.test.")
	})
}

// reverseName is the name of an address below in-addr.arpa or ip6.arpa.
func reverseName(addr netip.Addr) string {
	b := addr.AsSlice()
	slices.Reverse(b)
	var name strings.Builder
	for _, octet := range b {
		if addr.Is4() {
			fmt.Fprintf(&name, "%d.", octet)
		} else {
			fmt.Fprintf(&name, "%x.%x.", octet&0x0f, octet>>4)
		}
	}
	if addr.Is4() {
		return name.String() + "in-addr.arpa."
	}
	return name.String() + "ip6.arpa."
}
