package fortios_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
	"reconshield/internal/firewall/cloud/cloudtest"
	"reconshield/internal/firewall/fortios"
)

func fixture(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "read.conf"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func read(t *testing.T, text string) *firewall.Ruleset {
	t.Helper()
	rs, err := fortios.Parse("fgt1", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	cloudtest.Check(t, rs)
	return rs
}

// ask says whether the flow "198.51.100.7 > 192.0.2.53 udp/53" that comes in on
// an interface gets to where it goes. A source port may follow: "udp/53:1024".
func ask(t *testing.T, rs *firewall.Ruleset, in, flow string) string {
	t.Helper()
	var source, target, service string
	if _, err := fmt.Sscanf(flow, "%s > %s %s", &source, &target, &service); err != nil {
		t.Fatalf("flow %q: %v", flow, err)
	}
	name, number, _ := strings.Cut(service, "/")
	protocol, _ := cloud.ProtocolNumber(name)
	var port, sport firewall.Number
	if number != "" {
		if n, err := fmt.Sscanf(number, "%d:%d", &port, &sport); err != nil && n == 0 {
			t.Fatalf("flow %q: %v", flow, err)
		}
	}
	return verdict(t, firewall.NewEvaluator(rs), in, netip.MustParseAddr(source), netip.MustParseAddr(target), protocol, port, sport)
}

func verdict(t *testing.T, e *firewall.Evaluator, in string, from, to netip.Addr, protocol, port, sport firewall.Number) string {
	t.Helper()
	q := firewall.Question{
		In: firewall.Link{Known: true, Name: in}, Target: to, Local: e.IsLocal(to), Protocol: protocol,
		Ports:   firewall.Span[firewall.Number]{First: port, Last: port},
		Sources: firewall.AddrsOf(netip.PrefixFrom(from, from.BitLen())), Packet: firewall.Packet{ICMP: port << 8},
	}
	if sport != 0 {
		q.Packet.SourcePort = firewall.Span[firewall.Number]{First: sport, Last: sport}
	}
	answers, ok := e.Ask(q)
	if !ok {
		t.Fatalf("%s > %s: too much work", from, to)
	}
	may, must := false, true
	for _, a := range answers {
		may, must = may || a.May.Contains(from), must && a.Must.Contains(from)
	}
	switch {
	case !may || len(answers) == 0:
		return "BLOCKED"
	case must:
		return "REACHABLE"
	}
	return "UNDECIDED"
}

func TestFlows(t *testing.T) {
	const wan, lan, dmz = "wan1", "internal", "dmz"
	tests := []struct{ in, flow, want string }{
		{wan, "203.0.113.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{wan, "203.0.113.7 > 192.0.2.53 tcp/53", "REACHABLE"},
		{wan, "203.0.113.7 > 192.0.2.54 udp/53", "BLOCKED"},
		{wan, "2001:db8:9::1 > 2001:db8::53 udp/53", "REACHABLE"},
		{wan, "2001:db8:9::1 > 2001:db8::54 udp/53", "BLOCKED"},
		{wan, "2001:db8:9::1 > 2001:db8::53 tcp/80", "BLOCKED"},      // policies of IPv4 alone
		{wan, "198.51.100.7 > 192.0.2.53 udp/53", "BLOCKED"},         // bad comes first, whatever its number
		{wan, "203.0.113.7 > 192.0.2.81 tcp/80", "REACHABLE"},        // a group of groups
		{wan, "203.0.113.7 > 192.0.2.82 tcp/80", "BLOCKED"},          // behind the range
		{wan, "203.0.113.7 > 192.0.2.80 tcp/443", "REACHABLE"},       // a group of services
		{wan, "203.0.113.7 > 192.0.2.80 tcp/8001:1024", "REACHABLE"}, // by source port
		{wan, "203.0.113.7 > 192.0.2.80 tcp/8001:1023", "BLOCKED"},
		{wan, "203.0.113.7 > 192.0.2.80 tcp/22", "UNDECIDED"}, // by night
		{wan, "203.0.113.7 > 192.0.2.81 udp/443", "BLOCKED"},
		{wan, "203.0.113.7 > 192.0.2.99 tcp/22", "BLOCKED"},    // turned off
		{wan, "203.0.113.7 > 192.0.2.99 udp/123", "UNDECIDED"}, // by name and country
		{wan, "203.0.113.7 > 192.0.2.53 icmp/8", "REACHABLE"},
		{wan, "203.0.113.7 > 192.0.2.53 icmp/13", "BLOCKED"},
		{wan, "203.0.113.7 > 192.0.2.53 89", "REACHABLE"},
		{wan, "203.0.113.7 > 192.0.2.25 tcp/25", "REACHABLE"}, // translated
		{wan, "198.51.100.7 > 192.0.2.25 tcp/25", "BLOCKED"},  // match-vip
		{wan, "203.0.113.7 > 192.0.2.25 tcp/26", "BLOCKED"},   // no port of the virtual IP
		{wan, "203.0.113.7 > 192.0.2.44 udp/9", "REACHABLE"},  // every port
		{wan, "203.0.113.7 > 192.0.2.45 udp/9", "BLOCKED"},    // named by no policy
		{wan, "203.0.113.7 > 10.0.0.25 tcp/2525", "BLOCKED"},  // not through the virtual IP
		{lan, "10.0.3.7 > 198.51.100.1 tcp/443", "REACHABLE"}, // by the default route
		{lan, "10.0.7.7 > 198.51.100.1 tcp/443", "BLOCKED"},   // excluded
		{lan, "10.0.3.7 > 192.0.2.53 tcp/443", "BLOCKED"},     // dmz
		{lan, "10.0.3.7 > 172.16.5.9 tcp/443", "REACHABLE"},   // to a zone
		{lan, "10.0.3.7 > 172.16.6.9 tcp/22", "BLOCKED"},      // service-negate
		{lan, "10.0.7.7 > 172.16.6.9 tcp/443", "BLOCKED"},     // srcaddr-negate
		{"port5", "172.16.5.9 > 172.16.6.9 tcp/1", "UNDECIDED"},
		{"port5", "172.16.5.9 > 192.0.2.53 tcp/1", "BLOCKED"},
		{dmz, "192.0.2.53 > 10.0.0.25 tcp/25", "BLOCKED"},
		{"servers", "172.16.5.9 > 192.0.2.53 tcp/1", "UNDECIDED"}, // a zone is no interface
		// The device itself.
		{wan, "203.0.113.7 > 203.0.113.1 icmp/8", "REACHABLE"},
		{wan, "198.51.100.7 > 203.0.113.1 icmp/8", "BLOCKED"}, // local-in-policy
		{wan, "2001:db8:9::1 > 2001:db8:f::1 icmpv6/128", "REACHABLE"},
		{wan, "2001:db8:9::1 > 2001:db8:f::1 tcp/22", "BLOCKED"},
		{wan, "203.0.113.7 > 203.0.113.1 tcp/22", "BLOCKED"},
		{wan, "203.0.113.7 > 203.0.113.1 tcp/8443", "UNDECIDED"}, // a portal?
		{wan, "203.0.113.7 > 10.0.0.1 tcp/22", "UNDECIDED"},      // another interface's address
		{lan, "10.0.3.7 > 10.0.0.1 tcp/22", "REACHABLE"},
		{lan, "10.0.3.7 > 10.0.0.1 tcp/8443", "REACHABLE"}, // admin-sport
		{lan, "10.0.3.7 > 10.99.0.1 tcp/22", "BLOCKED"},    // the second address
		{lan, "10.0.3.7 > 10.99.0.1 icmp/8", "REACHABLE"},
		{dmz, "192.0.2.53 > 192.0.2.1 tcp/22", "UNDECIDED"}, // accepted locally, not offered
		{dmz, "192.0.2.54 > 192.0.2.1 tcp/22", "BLOCKED"},
	}
	text := fixture(t)
	if !fortios.Sniff([]byte(text)) {
		t.Error("the configuration is not recognised")
	}
	rs := read(t, text)
	if len(rs.Unparsed) > 0 {
		t.Error(rs.Unparsed)
	}
	for _, tt := range tests {
		if got := ask(t, rs, tt.in, tt.flow); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.in, tt.flow, got, tt.want)
		}
	}
}

func block(name, edit string, lines ...string) string {
	return "config " + name + "\nedit " + edit + "\n" + strings.Join(lines, "\n") + "\nnext\nend\n"
}

// What else a configuration may hold, as commands behind the fixture's.
func TestMore(t *testing.T) {
	const flow = "203.0.113.7 > 192.0.2.53 udp/53"
	dns := func(lines ...string) string { return block("firewall policy", "2", lines...) }
	address := func(lines ...string) string { return block("firewall address", "ns1", lines...) }
	service := func(lines ...string) string { return block("firewall service custom", "DNS", lines...) }
	settings := func(line string) string { return "config system settings\n" + line + "\nend\n" }
	const vdoms = "config vdom\nedit root\nnext\nedit b\nconfig firewall address\nend\nnext\nend\n"
	tests := []struct{ name, extra, want, unparsed string }{
		{"nothing", "", "REACHABLE", ""},
		{"disabled", dns("set status disable"), "BLOCKED", ""},
		{"denied", dns("set action deny"), "BLOCKED", ""},
		{"no action denies", dns("unset action"), "BLOCKED", ""},
		{"unknown action", dns("set action ponder"), "UNDECIDED", ""},
		{"a tunnel", dns("set action ipsec", "set vpntunnel \"x\""), "UNDECIDED", ""},
		{"unknown condition", dns("set weather rain"), "UNDECIDED", ""},
		{"unknown condition, turned off", dns("set weather disable"), "UNDECIDED", ""},
		{"users", dns("set groups \"staff\""), "UNDECIDED", ""},
		{"no groups", dns("set groups"), "REACHABLE", ""},
		{"internet service", dns("set internet-service enable", "set internet-service-name \"x\"", "unset dstaddr"), "UNDECIDED", ""},
		{"internet service turned off", dns("set internet-service disable", "set internet-service-src disable"), "REACHABLE", ""},
		{"internet service of IPv6", dns("set internet-service6 enable", "set internet-service6-name \"x\"", "unset srcaddr6", "unset dstaddr6"), "UNDECIDED", ""},
		{"an access list", block("firewall acl", "1", "set interface wan1", "set srcaddr all", "set dstaddr ns1", "set service DNS"), "BLOCKED", ""},
		{"an access list of another interface", block("firewall acl", "1", "set interface dmz", "set srcaddr all", "set dstaddr ns1", "set service DNS"), "REACHABLE", ""},
		{"an access list of the other family", block("firewall acl6", "1", "set interface wan1", "set srcaddr all", "set dstaddr all", "set service ALL"), "REACHABLE", ""},
		{"an access list that is off", block("firewall acl", "1", "set status disable", "set interface wan1", "set srcaddr all", "set dstaddr ns1", "set service DNS"), "REACHABLE", ""},
		{"an access list with more", block("firewall acl", "1", "set weather rain", "set interface wan1", "set srcaddr all", "set dstaddr ns1", "set service DNS"), "UNDECIDED", ""},
		{"a pair of wires", block("system virtual-wire-pair", "p", "set member a b"), "REACHABLE", "not routed"},
		{"a policy without a number", block("firewall policy", "0", "set action deny"), "REACHABLE", "expected the number"},
		{"expiry", dns("set policy-expiry enable"), "UNDECIDED", ""},
		{"NAT64", dns("set nat64 enable"), "UNDECIDED", ""},
		{"a block in a policy", dns("config odd", "end"), "UNDECIDED", ""},
		{"no schedule", dns("unset schedule"), "UNDECIDED", ""},
		{"always is not always", block("firewall schedule recurring", "always", "set day sunday"), "UNDECIDED", ""},
		{"no service", dns("unset service"), "UNDECIDED", ""},
		{"service that is not there", dns("set service \"none-such\""), "UNDECIDED", ""},
		{"address that is not there", dns("set dstaddr \"none-such\""), "UNDECIDED", ""},
		{"destinations of the other family alone", dns("unset srcaddr", "unset dstaddr"), "BLOCKED", ""},
		{"one side alone", dns("unset srcaddr"), "UNDECIDED", ""},
		{"negated destination", dns("set dstaddr-negate enable"), "UNDECIDED", ""}, // beside virtual IPs
		{"another interface", dns("set srcintf \"dmz\""), "BLOCKED", ""},
		{"any interface", dns("set srcintf \"any\"", "set dstintf \"any\""), "REACHABLE", ""},
		{"no interface", dns("unset srcintf"), "UNDECIDED", ""},
		{"an interface that is not there", dns("set srcintf \"lost\""), "UNDECIDED", ""},
		{"a zone that is SD-WAN's", "config system sdwan\nconfig members\nedit 1\nset interface wan1\nset zone out\nnext\nend\nend\n" + dns("set srcintf \"out\""), "REACHABLE", ""},
		{"wildcard", address("unset subnet", "set type wildcard", "set wildcard 192.0.2.53 255.0.0.255"), "UNDECIDED", ""},
		{"MAC address", address("set type mac"), "UNDECIDED", ""},
		{"dynamic", address("set type dynamic", "set sdn \"aws\""), "UNDECIDED", ""},
		{"a mask with gaps", address("set subnet 192.0.2.53 255.0.255.255"), "UNDECIDED", ""},
		{"an object without a subnet is everything", address("unset subnet"), "REACHABLE", ""},
		{"an address with more", address("set weather rain"), "UNDECIDED", ""},
		{"a group that holds itself and the address", dns("set dstaddr \"loop\""), "REACHABLE", ""},
		{"a group that holds itself", block("firewall addrgrp", "loop", "set member loop") + dns("set dstaddr \"loop\""), "UNDECIDED", ""},
		{"a group with more", block("firewall addrgrp", "publics", "set weather rain") + dns("set dstaddr \"publics\""), "UNDECIDED", ""},
		{"a group without members", block("firewall addrgrp", "publics", "unset member") + dns("set dstaddr \"publics\""), "UNDECIDED", ""},
		{"a service of the proxy", service("set proxy enable"), "UNDECIDED", ""},
		{"a service for one host", service("set iprange 192.0.2.53"), "UNDECIDED", ""},
		{"a service of another port", service("set udp-portrange 54"), "BLOCKED", ""},
		{"a port that is none", service("set udp-portrange 99999"), "UNDECIDED", ""},
		{"a service of another protocol", service("set protocol SMELL"), "UNDECIDED", ""},
		{"policy-based mode", settings("set ngfw-mode policy-based"), "REACHABLE", "policy-based mode"},
		{"transparent mode", settings("set opmode transparent"), "REACHABLE", "transparent mode"},
		{"asymmetric routing", settings("set asymroute enable"), "REACHABLE", "asymmetric routing"},
		{"central NAT", settings("set central-nat enable"), "REACHABLE", ""},
		{"a security policy", block("firewall security-policy", "1", "set action accept"), "REACHABLE", "what it does to packets is not known"},
		{"a block that is not known", "config firewall weather\nend\n", "REACHABLE", "what it does to packets is not known"},
		{"another block that is not known", "config weather\nend\n", "REACHABLE", "what it does to packets is not known"},
		{"a command that is not read", "config firewall policy\nmove 2 after 11\nend\n", "REACHABLE", "expected set, unset"},
		{"deleted", "config firewall policy\ndelete 2\nend\n", "REACHABLE", "expected set, unset"},
		{"text outside of blocks", "execute reboot\n", "REACHABLE", "expected config"},
		{"an open quotation", "config system global\nset hostname \"a\nend\n", "REACHABLE", "quotation"},
		{"a second VDOM", vdoms + strings.Replace(vdoms, "edit b", "edit c", 1), "REACHABLE", "several VDOMs; b alone is read"},
		{"load balancing", block("firewall vip", "lb", "set type server-load-balance", "set extip 192.0.2.53"), "REACHABLE", "server-load-balance is not read"},
		{"a virtual IP for the interface's address", block("firewall vip", "any", "set extip 0.0.0.0", "set mappedip \"10.0.0.9\""), "REACHABLE", "address that its interface has"},
		{"a virtual IP in the way", block("firewall vip", "way", "set extip 192.0.2.53", "set mappedip \"10.0.0.9\"") + dns("set dstaddr \"way\"", "set dstintf \"any\""), "REACHABLE", ""},
		{"a virtual IP of some sources", block("firewall vip", "way", "set extip 192.0.2.53", "set mappedip \"10.0.0.9\"", "set src-filter \"1.2.3.4\"") + dns("set dstaddr \"way\"", "set dstintf \"any\""), "UNDECIDED", ""},
		{"IPv6 policies of their own", block("firewall policy6", "1", "set srcintf any", "set dstintf any", "set srcaddr all", "set dstaddr all", "set schedule always", "set service ALL"), "REACHABLE", ""},
		{"a deny of a virtual IP's own address", block("firewall vip", "way", "set extip 192.0.2.53", "set mappedip \"10.0.0.9\"") + dns("set dstaddr \"way\"", "set dstintf any") + block("firewall policy", "7", "unset match-vip", "set srcaddr all", "set dstaddr ns1"), "UNDECIDED", ""},
		{"a deny of the address behind a virtual IP", block("firewall vip", "way", "set extip 192.0.2.53", "set mappedip \"10.0.0.9\"") + dns("set dstaddr \"way\"", "set dstintf any") + block("firewall policy", "7", "unset match-vip", "set srcaddr all", "set dstaddr lan"), "UNDECIDED", ""},
		{"a deny of another address than a virtual IP's", block("firewall vip", "way", "set extip 192.0.2.53", "set mappedip \"10.0.0.9\"") + dns("set dstaddr \"way\"", "set dstintf any") + block("firewall policy", "7", "unset match-vip", "set srcaddr all", "set dstaddr web"), "REACHABLE", ""},
		{"a VRF", block("system interface", "port5", "set vrf 3"), "UNDECIDED", ""},
		{"a portal", block("system interface", "wan1", "set security-mode captive-portal"), "UNDECIDED", ""},
		{"a portal elsewhere", block("system interface", "internal", "set security-mode captive-portal"), "REACHABLE", ""},
		{"an interface that is down", block("system interface", "dmz", "set status down"), "BLOCKED", ""},
		{"a default route twice", block("router static", "2", "set device \"port5\""), "REACHABLE", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs, err := fortios.Parse("fgt1", []byte(fixture(t)+tt.extra))
			if err != nil && tt.unparsed != "" && strings.Contains(err.Error(), "text ends within") {
				return // a quotation that swallows the end
			}
			if err != nil {
				t.Fatal(err)
			}
			cloudtest.Check(t, rs)
			if got := ask(t, rs, "wan1", flow); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			lines := strings.Join(cloudtest.Lines(rs), "\n")
			if (len(rs.Unparsed) > 0) != (tt.unparsed != "") || !strings.Contains(lines, tt.unparsed) {
				t.Errorf("unparsed %v, want %q", rs.Unparsed, tt.unparsed)
			}
		})
	}
}

// An UNDECIDED of one policy must not become a REACHABLE by another behind it
// where the first one may deny.
func TestDoubtsDoNotVanish(t *testing.T) {
	const flow = "203.0.113.7 > 192.0.2.53 udp/53"
	behind := block("firewall policy", "99", "set srcintf any", "set dstintf any", "set srcaddr all", "set dstaddr all", "set action accept", "set schedule always", "set service ALL", "set match-vip enable")
	deny := func(line string) string {
		return block("firewall policy", "2", "set action deny", line) + behind
	}
	for _, tt := range []struct{ name, extra, want string }{
		{"a plain deny", deny("set comments x"), "BLOCKED"},
		{"a deny by time", deny("set schedule night"), "UNDECIDED"},
		{"a deny of some sources", deny("set srcaddr cdn"), "UNDECIDED"},
		{"a deny of users", deny("set users x"), "UNDECIDED"},
		{"a deny of an unknown service", deny("set service x"), "UNDECIDED"},
		{"a deny of a country", deny("set srcaddr somewhere"), "UNDECIDED"},
		{"a deny of all but a country", deny("set srcaddr somewhere\nset srcaddr-negate enable"), "UNDECIDED"},
		{"a deny of an internet service of IPv6", block("firewall policy", "2", "set action deny", "set internet-service6 enable", "unset srcaddr", "unset dstaddr") + behind, "UNDECIDED"},
		{"a tunnel", block("firewall policy", "2", "set action ipsec") + behind, "UNDECIDED"},
	} {
		if got := ask(t, read(t, fixture(t)+tt.extra), "wan1", flow); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Trusted hosts of administrators leave open what allowaccess lets in.
func TestTrustedHosts(t *testing.T) {
	rs := read(t, fixture(t)+block("system admin", "admin", "set trusthost1 10.0.9.0 255.255.255.0"))
	for flow, want := range map[string]string{"10.0.3.7 > 10.0.0.1 tcp/22": "UNDECIDED", "10.0.3.7 > 10.0.0.1 tcp/23": "BLOCKED"} {
		if got := ask(t, rs, "internal", flow); got != want {
			t.Errorf("%s: got %s, want %s", flow, got, want)
		}
	}
}

// Of two virtual IPs for the same packets nobody knows which comes first.
func TestContestedVirtualIPs(t *testing.T) {
	text := "config firewall vip\nedit a\nset extip 192.0.2.60\nset mappedip \"10.0.0.1\"\nnext\n" +
		"edit b\nset extip 192.0.2.60\nset mappedip \"10.0.0.2\"\nset portforward enable\nset extport 80\nnext\n" +
		"edit c\nset extip 192.0.2.60\nset mappedip \"10.0.0.3\"\nset portforward enable\nset extport 81\nnext\nend\n" +
		block("firewall policy", "1", "set srcintf any", "set dstintf any", "set srcaddr all", "set dstaddr b", "set action accept", "set schedule always", "set service ALL") +
		block("firewall policy", "2", "set srcintf any", "set dstintf any", "set srcaddr none", "set dstaddr a c", "set action accept", "set schedule always", "set service ALL")
	rs := read(t, text)
	for flow, want := range map[string]string{
		"203.0.113.7 > 192.0.2.60 tcp/80": "UNDECIDED", "203.0.113.7 > 192.0.2.60 tcp/81": "BLOCKED", "203.0.113.7 > 192.0.2.60 tcp/82": "BLOCKED",
	} {
		if got := ask(t, rs, "eth0", flow); got != want {
			t.Errorf("%s: got %s, want %s", flow, got, want)
		}
	}
}
