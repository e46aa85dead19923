package junos_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
	"reconshield/internal/firewall/cloud/cloudtest"
	"reconshield/internal/firewall/junos"
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
	rs, err := junos.Parse("srx1", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	cloudtest.Check(t, rs)
	return rs
}

// ask says whether the flow "198.51.100.7 > 192.0.2.53 udp/53" that comes in on
// an interface gets to where it goes.
func ask(t *testing.T, rs *firewall.Ruleset, in, flow string) string {
	t.Helper()
	var source, target, service string
	if _, err := fmt.Sscanf(flow, "%s > %s %s", &source, &target, &service); err != nil {
		t.Fatalf("flow %q: %v", flow, err)
	}
	name, number, _ := strings.Cut(service, "/")
	protocol, _ := cloud.ProtocolNumber(name)
	var port firewall.Number
	if number != "" {
		if _, err := fmt.Sscan(number, &port); err != nil {
			t.Fatalf("flow %q: %v", flow, err)
		}
	}
	return verdict(t, firewall.NewEvaluator(rs), in, netip.MustParseAddr(source), netip.MustParseAddr(target), protocol, port)
}

func verdict(t *testing.T, e *firewall.Evaluator, in string, from, to netip.Addr, protocol, port firewall.Number) string {
	t.Helper()
	answers, ok := e.Ask(firewall.Question{
		In: firewall.Link{Known: true, Name: in}, Target: to, Local: e.IsLocal(to), Protocol: protocol,
		Ports:   firewall.Span[firewall.Number]{First: port, Last: port},
		Sources: firewall.AddrsOf(netip.PrefixFrom(from, from.BitLen())), Packet: firewall.Packet{ICMP: port << 8},
	})
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
	const wan, lan, dmz = "ge-0/0/0.0", "ge-0/0/1.0", "ge-0/0/2.0"
	tests := []struct{ in, flow, want string }{
		{wan, "203.0.113.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{wan, "203.0.113.7 > 192.0.2.53 tcp/53", "REACHABLE"},
		{wan, "2001:db8:9::1 > 2001:db8::53 udp/53", "REACHABLE"},
		{wan, "2001:db8:9::1 > 2001:db8::54 udp/53", "BLOCKED"},
		{wan, "203.0.113.7 > 192.0.2.54 udp/53", "BLOCKED"},
		{wan, "198.51.100.7 > 192.0.2.53 udp/53", "BLOCKED"},   // bad comes first
		{wan, "10.1.0.7 > 192.0.2.53 udp/53", "BLOCKED"},       // a bogon
		{wan, "10.99.0.7 > 192.0.2.53 udp/53", "REACHABLE"},    // excepted from those
		{wan, "203.0.113.7 > 192.0.2.81 tcp/80", "REACHABLE"},  // a set of sets
		{wan, "203.0.113.7 > 192.0.2.82 tcp/80", "BLOCKED"},    // behind the range
		{wan, "203.0.113.7 > 192.0.2.80 tcp/443", "UNDECIDED"}, // by source port
		{wan, "203.0.113.7 > 192.0.2.80 tcp/22", "UNDECIDED"},  // by night
		{wan, "203.0.113.7 > 192.0.2.99 udp/123", "UNDECIDED"}, // by name
		{wan, "203.0.113.7 > 192.0.2.99 icmp/8", "REACHABLE"},  // global
		{wan, "203.0.113.7 > 192.0.2.99 icmp/13", "BLOCKED"},
		{wan, "203.0.113.7 > 10.0.0.9 tcp/22", "BLOCKED"},          // inactive
		{wan, "203.0.113.7 > 192.0.2.25 tcp/25", "REACHABLE"},      // translated to trust
		{wan, "203.0.113.99 > 192.0.2.25 tcp/25", "BLOCKED"},       // not translated
		{wan, "203.0.113.7 > 192.0.2.44 tcp/445", "BLOCKED"},       // the filter
		{wan, "203.0.113.7 > 192.0.2.44 icmp/8", "REACHABLE"},      // static
		{lan, "10.0.0.7 > 198.51.100.1 tcp/443", "REACHABLE"},      // by the default route
		{lan, "10.0.0.7 > 192.0.2.80 tcp/443", "BLOCKED"},          // dmz
		{lan, "2001:db8:1::7 > 2001:db8:77::1 udp/9", "UNDECIDED"}, // no route
		{dmz, "192.0.2.53 > 10.0.0.25 tcp/25", "BLOCKED"},
		{"ge-0/0/3.0", "203.0.113.7 > 192.0.2.53 udp/53", "BLOCKED"},   // in no zone
		{"ge-0/0/3.0", "10.0.9.7 > 10.0.0.1 tcp/22", "UNDECIDED"},      // in no zone, for another's address
		{"ge-0/0/9.0", "203.0.113.7 > 192.0.2.53 udp/53", "UNDECIDED"}, // not in the file
		{"ge-0/0/9.0", "203.0.113.7 > 203.0.113.1 udp/500", "UNDECIDED"},
		{wan, "203.0.113.7 > 203.0.113.1 udp/500", "REACHABLE"}, // the device
		{wan, "198.51.100.7 > 203.0.113.1 udp/500", "BLOCKED"},  // junos-host
		{wan, "203.0.113.7 > 203.0.113.1 tcp/22", "BLOCKED"},
		{wan, "203.0.113.7 > 203.0.113.1 icmp/8", "REACHABLE"},
		{lan, "10.0.9.7 > 10.0.0.1 tcp/22", "REACHABLE"},
		{lan, "10.0.8.7 > 10.0.0.1 tcp/22", "BLOCKED"}, // the filter of lo0
		{lan, "10.0.8.7 > 10.0.0.1 tcp/23", "BLOCKED"}, // except
		{lan, "10.0.8.7 > 10.0.0.1 tcp/9999", "UNDECIDED"},
		{lan, "10.0.8.7 > 10.0.0.1 89", "REACHABLE"},
		{dmz, "192.0.2.7 > 192.0.2.1 icmp/8", "BLOCKED"},
		{wan, "203.0.113.7 > 10.0.0.1 tcp/22", "BLOCKED"},     // the filter of lo0
		{wan, "203.0.113.7 > 10.0.0.1 tcp/830", "UNDECIDED"},  // the address of another zone
		{wan, "203.0.113.7 > 203.0.113.1 esp", "UNDECIDED"},   // a tunnel's end?
		{"fxp0.0", "10.0.9.7 > 10.0.0.1 tcp/22", "REACHABLE"}, // the port for management
		{"fxp0.0", "10.0.8.7 > 10.0.0.1 tcp/22", "BLOCKED"},   // which the filter of lo0 judges, too
		{"fxp0.0", "10.0.9.7 > 192.0.2.53 udp/53", "BLOCKED"}, // but lets nothing through
	}
	text := fixture(t)
	if !junos.Sniff([]byte(text)) {
		t.Error("the configuration is not recognised")
	}
	commands := strings.Join(flatten(text), "\n")
	if !junos.Sniff([]byte(commands)) {
		t.Error("the commands are not recognised")
	}
	for form, rs := range map[string]*firewall.Ruleset{"braces": read(t, text), "commands": read(t, commands)} {
		if len(rs.Unparsed) > 0 {
			t.Error(rs.Unparsed)
		}
		for _, tt := range tests {
			if got := ask(t, rs, tt.in, tt.flow); got != tt.want {
				t.Errorf("%s: %s %s: got %s, want %s", form, tt.in, tt.flow, got, tt.want)
			}
		}
	}
}

// flatten writes braces as set commands, as "display set" does.
func flatten(text string) []string {
	var out, path []string
	var depths []int
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " ##")
		inactive := strings.HasPrefix(line, "inactive: ")
		line = strings.TrimPrefix(line, "inactive: ")
		switch {
		case line == "" || line[0] == '#':
		case line == "}":
			path, depths = path[:depths[len(depths)-1]], depths[:len(depths)-1]
		case strings.HasSuffix(line, " {"):
			depths = append(depths, len(path))
			path = append(path, strings.TrimSuffix(line, " {"))
			if inactive {
				out = append(out, "set "+strings.Join(path, " "), "deactivate "+strings.Join(path, " "))
			}
		default:
			head, list, isList := strings.Cut(strings.TrimSuffix(line, ";"), " [ ")
			if !isList {
				out = append(out, "set "+strings.Join(append(slices.Clip(path), head), " "))
				continue
			}
			for v := range strings.FieldsSeq(strings.TrimSuffix(list, "]")) {
				out = append(out, "set "+strings.Join(append(slices.Clip(path), head, v), " "))
			}
		}
	}
	return out
}

// What else a configuration may hold, as commands behind the fixture's.
func TestMore(t *testing.T) {
	const flow = "203.0.113.7 > 192.0.2.53 udp/53"
	const pair = "set security policies from-zone untrust to-zone dmz policy dns "
	const denied = "\ndelete security policies from-zone untrust to-zone dmz policy dns then\n" + pair + "then deny"
	const all = "\nset security policies global policy all "
	const behind = all + "match source-address any" + all + "match destination-address any" + all + "match application any" + all + "then permit"
	tests := []struct{ name, extra, want, unparsed string }{
		{"nothing", "", "REACHABLE", ""},
		{"deactivated", "deactivate security policies from-zone untrust to-zone dmz policy dns", "BLOCKED", ""},
		{"deleted", "delete security policies from-zone untrust to-zone dmz policy dns", "BLOCKED", ""},
		{"permit-all", "delete security policies\nset security policies default-policy permit-all", "REACHABLE", ""},
		{"unknown setting", pair + "weather rain", "UNDECIDED", ""},
		{"unknown condition", pair + "match weather rain", "UNDECIDED", ""},
		{"identity", pair + "match source-identity authenticated-user", "UNDECIDED", ""},
		{"any identity", pair + "match source-identity any", "REACHABLE", ""},
		{"two actions", pair + "then deny", "UNDECIDED", ""},
		{"unknown action", pair + "then ponder", "UNDECIDED", ""},
		{"authentication", pair + "then permit firewall-authentication web", "UNDECIDED", ""},
		{"a login before all is permitted", pair + "then permit firewall-authentication web" + behind, "UNDECIDED", ""},
		{"an unknown setting before all is permitted", pair + "weather rain" + behind, "UNDECIDED", ""},
		{"a tunnel before all is permitted", pair + "then permit tunnel ipsec-vpn x" + behind, "UNDECIDED", ""},
		{"a schedule before all is permitted", pair + "scheduler-name night" + denied + behind, "UNDECIDED", ""},
		{"an application of layer 7 before all is permitted", pair + "match dynamic-application junos:DNS" + denied + behind, "UNDECIDED", ""},
		{"an unknown address denied before all is permitted", "set security address-book global address-set ns1 address x\ndelete security address-book global address ns1" + denied + behind, "UNDECIDED", ""},
		{"content filters", pair + "then permit application-services idp", "REACHABLE", ""},
		{"any application of layer 7", pair + "match dynamic-application any", "REACHABLE", ""},
		{"no application but one of layer 7", "delete security policies from-zone untrust to-zone dmz policy dns match application\n" + pair + "match dynamic-application any", "UNDECIDED", ""},
		{"no source", "delete security policies from-zone untrust to-zone dmz policy dns match source-address", "UNDECIDED", ""},
		{"excluded", pair + "match destination-address-excluded", "BLOCKED", ""},
		{"excluded sources", "delete security policies from-zone untrust to-zone dmz policy dns match source-address\n" + pair + "match source-address bad\n" + pair + "match source-address-excluded", "REACHABLE", ""},
		{"everybody excluded", pair + "match source-address-excluded", "UNDECIDED", ""},
		{"two prefixes of one address", "set security address-book global address ns1 192.0.2.99/32", "UNDECIDED", ""},
		{"an address without a prefix", "delete security address-book global address ns1 192.0.2.53/32", "UNDECIDED", ""},
		{"a set with more", "delete security address-book global address ns1\nset security address-book global address-set ns1 address ns1-6\nset security address-book global address-set ns1 weather rain", "UNDECIDED", ""},
		{"the book of the zone comes first", "set security address-book outside attach zone dmz\nset security address-book outside address ns1 192.0.2.99/32", "BLOCKED", ""},
		{"a global deny comes after", "set security policies global policy x match source-address any\nset security policies global policy x match destination-address any\nset security policies global policy x match application any\nset security policies global policy x then deny", "REACHABLE", ""},
		{"unknown address", "delete security address-book global address ns1", "UNDECIDED", ""},
		{"a set that holds itself", "delete security address-book global address ns1\nset security address-book global address-set ns1 address-set ns1", "UNDECIDED", ""},
		{"wildcard", "delete security address-book global address ns1\nset security address-book global address ns1 wildcard-address 192.0.2.53/255.0.0.255", "UNDECIDED", ""},
		{"another application of the name", "set applications application junos-dns-udp protocol tcp", "BLOCKED", ""},
		{"an application with terms and more", "set applications application junos-dns-udp term a protocol udp\nset applications application junos-dns-udp destination-port 53", "UNDECIDED", ""},
		{"an application by UUID", "set applications application junos-dns-udp protocol udp\nset applications application junos-dns-udp uuid x", "UNDECIDED", ""},
		{"an application without a protocol", "set applications application junos-dns-udp destination-port 53", "UNDECIDED", ""},
		{"a logical system", "set logical-systems a security policies default-policy permit-all", "REACHABLE", "part of the configuration that is known"},
		{"a part that is not known", "set security weather rain", "REACHABLE", "part of security that is known"},
		{"a group that is not there", "set apply-groups none", "REACHABLE", "the group is not in this file"},
		{"a group", "set groups g security policies global policy x match source-address any\nset apply-groups g", "REACHABLE", ""},
		{"a group with a wildcard", "set groups g security policies from-zone <*> to-zone <*> policy x then deny\nset apply-groups g", "REACHABLE", "wildcards"},
		{"a group below the top", "set groups g x y\nset security policies apply-groups g", "REACHABLE", "below the top"},
		{"packets", "set security forwarding-options family inet6 mode packet-based", "REACHABLE", "expected flow-based"},
		{"another command", "insert security policies from-zone untrust to-zone dmz policy web before policy dns", "REACHABLE", "expected set"},
		{"an open quotation", "set system host-name \"a\nset system domain-name b", "REACHABLE", "quotation"},
		{"a filter that is not there", "set interfaces ge-0/0/0 unit 0 family inet filter input-list none", "BLOCKED", "filter is not in this file"},
		{"a filter out", "set interfaces ge-0/0/2 unit 0 family inet filter output protect\nset firewall family inet filter protect term rest then discard", "UNDECIDED", ""},
		{"a filter out that drops", "set interfaces ge-0/0/2 unit 0 family inet filter output o\nset firewall family inet filter o term a from protocol udp\nset firewall family inet filter o term a then discard", "BLOCKED", ""},
		{"a filter that looks for flags", "set interfaces ge-0/0/2 unit 0 family inet filter output o\nset firewall family inet filter o term a from is-fragment\nset firewall family inet filter o term a then accept", "UNDECIDED", ""},
		{"NAT that cannot be read", "set security nat static rule-set one rule host then static-nat prefix 10.0.0.44/32 mapped-port 80", "REACHABLE", "mapped ports"},
		{"two tables of routes", "set routing-instances red instance-type virtual-router", "UNDECIDED", ""},
		{"a filter of a forwarding table", "set routing-instances red forwarding-options family inet filter input x", "UNDECIDED", "forwarding tables"},
		{"a range of interfaces", "set interfaces interface-range a unit 0 family inet filter input x", "REACHABLE", "ranges of interfaces"},
		{"a filter of lo0.1", "set interfaces lo0 unit 1 family inet filter input protect", "REACHABLE", "unit of lo0 other than 0"},
		{"a cluster", "set groups node0 interfaces fxp0 unit 0 family inet address 10.9.0.1/24\nset groups node1 system host-name b\nset apply-groups \"${node}\"", "REACHABLE", ""},
		{"a cluster whose nodes differ", "set groups node0 security policies default-policy permit-all\nset apply-groups \"${node}\"", "REACHABLE", "one device of a cluster"},
		{"stateful filters of services", "set services stateful-firewall rule x match-direction input", "REACHABLE", "services of interfaces"},
		{"transparent mode", "set protocols l2-learning global-mode transparent-bridge", "REACHABLE", "transparent mode"},
		{"packets of MPLS", "set security forwarding-options family mpls mode packet-based", "REACHABLE", "expected flow-based"},
		{"a zone with more", "set security zones security-zone dmz weather rain", "REACHABLE", "expected interfaces"},
		{"an interface in no zone", "delete security zones security-zone untrust interfaces", "BLOCKED", ""},
		{"an interface that is not in the file", "delete security zones security-zone untrust interfaces\ndelete interfaces ge-0/0/0", "UNDECIDED", ""},
		{"every interface in a zone", "set security zones security-zone dmz interfaces all", "REACHABLE", "not in other zones"},
		{"a destination translated by the interface's name", "set security nat destination pool p address 10.0.0.9/32\nset security nat destination rule-set z from interface ge-0/0/0\nset security nat destination rule-set z rule r match destination-address 192.0.2.53/32\nset security nat destination rule-set z rule r then destination-nat pool p", "BLOCKED", ""},
		{"a simple filter", "set interfaces ge-0/0/0 unit 0 family inet simple-filter input x", "REACHABLE", "filters of another kind"},
		{"a filter of a unit", "set interfaces ge-0/0/0 unit 0 filter input x", "REACHABLE", "filters of units"},
		{"a filter of another family", "set interfaces ge-0/0/0 unit 0 family any filter input x", "REACHABLE", "filters of this family"},
		{"a zone of another kind", "set security zones odd-zone x interfaces ge-0/0/0.0", "REACHABLE", "expected security-zone"},
		{"an inactive filter", "set interfaces ge-0/0/2 unit 0 family inet filter output none\ndeactivate interfaces ge-0/0/2 unit 0 family inet filter", "REACHABLE", ""},
		{"OSPF", "set protocols ospf area 0 interface ge-0/0/1.0", "REACHABLE", ""},
		{"two zones of another name", "set security policies from-zone lost to-zone dmz policy x match source-address any\nset security policies from-zone lost to-zone dmz policy x match destination-address any\nset security policies from-zone lost to-zone dmz policy x match application any\nset security policies from-zone lost to-zone dmz policy x then deny", "REACHABLE", ""},
	}
	commands := strings.Join(flatten(fixture(t)), "\n")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs := read(t, commands+"\n"+tt.extra+"\n")
			if got := ask(t, rs, "ge-0/0/0.0", flow); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			lines := strings.Join(cloudtest.Lines(rs), "\n")
			if (len(rs.Unparsed) > 0) != (tt.unparsed != "") || !strings.Contains(lines, tt.unparsed) {
				t.Errorf("unparsed %v, want %q", rs.Unparsed, tt.unparsed)
			}
		})
	}
}

// Terms of a filter, each followed by one that drops the rest. The flow is from
// 203.0.113.7 to 192.0.2.53, by UDP to port 53, by ICMP of type 8 and by GRE.
func TestTerms(t *testing.T) {
	const open, shut, maybe = "REACHABLE", "BLOCKED", "UNDECIDED"
	tests := []struct{ term, udp, icmp, gre string }{
		{"then accept", open, open, open},
		{"then count x", open, open, open},
		{"then discard", shut, shut, shut},
		{"then reject tcp-reset", shut, shut, shut},
		{"then next term", shut, shut, shut},
		{"then ponder", maybe, maybe, maybe},
		{"filter other", maybe, maybe, maybe},
		{"from weather rain", maybe, maybe, maybe},
		{"from protocol udp", open, shut, shut},
		{"from protocol-except udp", shut, open, open},
		{"from protocol [ udp gre ]", open, shut, open},
		{"from protocol 0-20", open, open, shut},
		{"from protocol smell", maybe, maybe, maybe},
		{"from destination-port 53", open, maybe, maybe},
		{"from destination-port [ domain 80-90 ]", open, maybe, maybe},
		{"from destination-port smell", maybe, maybe, maybe},
		{"from destination-port-except 53", shut, maybe, maybe},
		{"from port 53", open, maybe, maybe},
		{"from protocol udp; from destination-port 53", open, shut, shut},
		{"from protocol [ udp gre ]; from destination-port 54", shut, shut, maybe},
		{"from tcp-established", maybe, maybe, maybe},
		{"from protocol tcp; from tcp-established", shut, shut, shut},
		{"from tcp-flags syn", maybe, maybe, maybe},
		{"from icmp-type 8", maybe, open, maybe},
		{"from icmp-type echo-request", maybe, maybe, maybe},
		{"from protocol icmp; from icmp-type echo-request", shut, open, shut},
		{"from protocol icmp; from icmp-type 8; from icmp-code 0", shut, open, shut},
		{"from protocol icmp; from icmp-type 8; from icmp-code 1", shut, shut, shut},
		{"from protocol icmp; from icmp-type-except 8", shut, shut, shut},
		{"from protocol icmp; from icmp-type-except 8; from icmp-code 1", shut, maybe, shut},
		{"from is-fragment", maybe, maybe, maybe},
		{"from source-address 203.0.113.0/24", open, open, open},
		{"from source-address 198.51.100.0/24", shut, shut, shut},
		{"from source-address 0.0.0.0/0; from source-address 203.0.113.0/24 except", shut, shut, shut},
		{"from source-address 203.0.113.0/24 except", maybe, maybe, maybe},
		{"from source-address 203.0.113.0/24; from destination-address 192.0.2.53/32", open, open, open},
		{"from address 192.0.2.53/32", open, open, open},
		{"from source-prefix-list managers", shut, shut, shut},
		{"from source-prefix-list none", maybe, maybe, maybe},
		{"from source-prefix-list empty", maybe, maybe, maybe},
		{"from source-address x", maybe, maybe, maybe},
	}
	const head = "set interfaces a unit 0 family inet filter input f\nset policy-options prefix-list managers 10.0.9.0/24\nset policy-options prefix-list empty\n"
	for _, tt := range tests {
		text := head
		for part := range strings.SplitSeq(tt.term, "; ") {
			text += "set firewall family inet filter f term t " + part + "\n"
		}
		if !strings.Contains(tt.term, "then") && !strings.Contains(tt.term, "filter") {
			text += "set firewall family inet filter f term t then accept\n"
		}
		rs := read(t, text)
		for service, want := range map[string]string{"udp/53": tt.udp, "icmp/8": tt.icmp, "47": tt.gre} {
			if got := ask(t, rs, "a.0", "203.0.113.7 > 192.0.2.53 "+service); got != want {
				t.Errorf("%s: %s: got %s, want %s", tt.term, service, got, want)
			}
		}
	}
}
