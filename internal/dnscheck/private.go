package dnscheck

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

func privateChecks() []Check {
	return []Check{{
		ID:    "PRV-1",
		Title: "Private data in public DNS",
		Finds: "Addresses of private networks or loopback behind a short list of names of the zone (apex, www, mail, vpn, intranet, its name and mail servers), Active Directory's _ldap._tcp.dc._msdcs records, and reverse zones of private networks with real content. The empty reverse zones of RFC 6303 are fine.",
		Why:   "It draws a map of the inside for anyone: address plan, domain controllers, names of systems. Private addresses under a public name also help attacks that turn a browser against the inside.",

		Severity:  exposure.LowSev,
		Rationale: "Low: reconnaissance. Medium for domain controllers and populated private reverse zones. Info when the server itself has a private address, where such data belongs.",
		Safety:    Safe,
		Fixes: Fixes{
			"":                  advice("Keep inside names in a zone that only inside servers hold, or split views; serve private reverse zones to the inside only."),
			exposure.BIND:       configure(exposure.BIND, "Two views: the inside one holds the private data.", "view \"inside\" {\n    match-clients { 10.0.0.0/8; 172.16.0.0/12; 192.168.0.0/16; fd00::/8; localhost; };\n    zone \"example.net\" { type primary; file \"inside/example.net\"; };\n    zone \"10.in-addr.arpa\" { type primary; file \"inside/10.rev\"; };\n};\nview \"outside\" {\n    match-clients { any; };\n    zone \"example.net\" { type primary; file \"outside/example.net\"; };\n};"),
			exposure.Unbound:    configure(exposure.Unbound, "Answer inside networks only, and keep private addresses out of public answers.", "server:\n    access-control: 10.0.0.0/8 allow\n    access-control: 0.0.0.0/0 refuse\n    private-address: 10.0.0.0/8\n    private-address: 172.16.0.0/12\n    private-address: 192.168.0.0/16\n    private-address: fd00::/8"),
			exposure.Knot:       configure(exposure.Knot, "Knot has no views: run a second instance for the inside and take the zone off the public one.", "zone:\n  - domain: example.net\n    file: outside/example.net.zone"),
			exposure.NSD:        configure(exposure.NSD, "NSD has no views: run a second instance for the inside and take the zone off the public one.", "zone:\n    name: example.net\n    zonefile: outside/example.net.zone"),
			exposure.PDNSAuth:   configure(exposure.PDNSAuth, "Take the private records and reverse zones off the public server.", "pdnsutil delete-zone 10.in-addr.arpa\npdnsutil edit-zone example.net"),
			exposure.Dnsmasq:    configure(exposure.Dnsmasq, "Serve the outside only through auth-zone with public subnets.", "auth-server=ns.example.net,wan0\nauth-zone=example.net,192.0.2.0/24\nexcept-interface=wan0"),
			exposure.WindowsDNS: configure(exposure.WindowsDNS, "Separate inside from outside with zone scopes or with another server; a domain controller should not answer the Internet.", "Add-DnsServerClientSubnet -Name Inside -IPv4Subnet 10.0.0.0/8\nAdd-DnsServerQueryResolutionPolicy -Name OnlyInside -Action DENY -ClientSubnet 'NE,Inside' -ZoneName example.net"),
			exposure.CoreDNS:    configure(exposure.CoreDNS, "Let the inside only at the private zone.", "example.net {\n    acl {\n        allow net 10.0.0.0/8\n        block\n    }\n    file /etc/coredns/inside.zone\n}"),
		},
		References: []exposure.Reference{
			rfc("1918", "5", "private addresses should not leave the enterprise in DNS"), rfc("6303", "", "locally served empty zones"),
			rfc("4193", "4.4", "local addresses and public DNS"),
		},
		Run: runPrivate,
	}}
}

func runPrivate(ctx context.Context, s *Session) []Outcome {
	if s.content() == "" {
		return []Outcome{notTested("", noDNS)}
	}
	var reverse []Outcome
	var wg sync.WaitGroup
	wg.Go(func() { reverse = runPrivateReverse(ctx, s) })
	out := s.eachZone(ctx, func(z Zone) Outcome {
		if slices.Contains(privateReverse(), z.Name) {
			return notTested(s.content(), "judged as a private reverse zone, see there")
		}
		return judgePrivate(s.askHosts(ctx, z), z, s.Addr())
	})
	wg.Wait()
	return append(out, reverse...)
}

// askHosts asks for the addresses of the few names that most zones have.
func (s *Session) askHosts(ctx context.Context, z Zone) []dialogue.Answer {
	via := s.content()
	names := []string{z.Name}
	for _, label := range []string{"www", "mail", "vpn", "intranet"} {
		names = append(names, label+"."+z.Name)
	}
	for _, a := range s.askAll(ctx, via, question(z.Name, dnswire.TypeNS), question(z.Name, dnswire.TypeMX)) {
		names = append(names, targetsWithin(a.Msg, z.Name)...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	const most = 12
	var queries []dnswire.Query
	for _, n := range names[:min(len(names), most)] {
		queries = append(queries, question(n, dnswire.TypeA))
	}
	return s.askAll(ctx, via, append(queries,
		question(z.Name, dnswire.TypeAAAA), question("_ldap._tcp.dc._msdcs."+z.Name, dnswire.TypeSRV))...)
}

// targetsWithin are the servers that NS and MX records of the message name
// within the zone.
func targetsWithin(m *dnswire.Message, zone string) []string {
	if m == nil {
		return nil
	}
	var out []string
	for _, rr := range m.Answer {
		name := ""
		switch r := rr.(type) {
		case *dnswire.NS:
			name = r.Ns
		case *dnswire.MX:
			name = r.Mx
		}
		if name != "" && name != "." && dnswire.IsSubdomain(zone, name) {
			out = append(out, dnswire.CanonicalName(name))
		}
	}
	return out
}

func judgePrivate(answers []dialogue.Answer, z Zone, server netip.Addr) Outcome {
	o := Outcome{Status: exposure.Fail, Subject: z.Name}
	var found []string
	silent := 0
	for _, a := range answers {
		o.Transport = a.Via
		if unreadable(a) {
			silent++
			continue
		}
		leaks, controllers := privateRecords(a)
		if len(leaks) == 0 {
			continue
		}
		found = append(found, leaks...)
		o.Evidence = append(o.Evidence, a.Evidence(""))
		if controllers {
			o.Severity = exposure.MediumSev
		}
	}
	if len(found) > 0 {
		o.Reason = "private data: " + summarise(found)
		if privateAddr(server) {
			o.Severity, o.Confidence = exposure.Info, exposure.Medium
			o.Reason += "; the server itself has a private address, where that belongs as long as nobody outside reaches it"
		}
		return o
	}
	if silent > 0 {
		return notTested(o.Transport, fmt.Sprintf("%d of %d questions met no answer that could be read: run again, or with a longer --timeout", silent, len(answers)))
	}
	return pass(o.Transport, fmt.Sprintf("no private address and no domain controller behind %d usual names", len(answers)))
}

// unreadable reports whether the answer says nothing of the records asked for.
func unreadable(a dialogue.Answer) bool {
	return a.Msg == nil || a.Msg.Malformed != nil || a.Msg.Truncated && len(a.Msg.Answer) == 0 ||
		a.Is(dnswire.RcodeServFail) || a.Is(dnswire.RcodeFormErr)
}

// privateRecords are the telling records of an authoritative answer;
// controllers is set when they name Active Directory's domain controllers.
func privateRecords(a dialogue.Answer) (found []string, controllers bool) {
	if !a.Msg.Authoritative {
		return nil, false
	}
	for _, rr := range a.Msg.Answer {
		switch r := rr.(type) {
		case *dnswire.A:
			if ip, ok := netip.AddrFromSlice(r.A); ok && privateAddr(ip) {
				found = append(found, r.Hdr.Name+" A "+ip.Unmap().String())
			}
		case *dnswire.AAAA:
			if ip, ok := netip.AddrFromSlice(r.AAAA); ok && privateAddr(ip) {
				found = append(found, r.Hdr.Name+" AAAA "+ip.String())
			}
		case *dnswire.SRV:
			if strings.Contains(strings.ToLower(r.Hdr.Name), "._msdcs.") {
				found, controllers = append(found, r.Hdr.Name+" SRV "+r.Target), true
			}
		}
	}
	return found, controllers
}

// privateAddr reports whether the address means nothing on the Internet:
// RFC 1918, RFC 4193, RFC 6598, link-local and loopback.
func privateAddr(ip netip.Addr) bool {
	ip = ip.Unmap()
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || shared.Contains(ip)
}

func summarise(found []string) string {
	const shown = 4
	if len(found) <= shown {
		return strings.Join(found, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(found[:shown], ", "), len(found)-shown)
}
