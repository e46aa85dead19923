package junos_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/cloud"
	"reconshield/internal/firewall/cloud/cloudtest"
	"reconshield/internal/firewall/device/devicetest"
	"reconshield/internal/firewall/junos"
)

func fixture(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "read.conf"))
	if err != nil {
		t.Fatal(err)
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
		{"ge-0/0/9.0", "203.0.113.7 > 192.0.2.53 udp/53", "BLOCKED"}, // in no zone
		{wan, "203.0.113.7 > 203.0.113.1 udp/500", "REACHABLE"},      // the device
		{wan, "198.51.100.7 > 203.0.113.1 udp/500", "BLOCKED"},       // junos-host
		{wan, "203.0.113.7 > 203.0.113.1 tcp/22", "BLOCKED"},
		{wan, "203.0.113.7 > 203.0.113.1 icmp/8", "REACHABLE"},
		{lan, "10.0.9.7 > 10.0.0.1 tcp/22", "REACHABLE"},
		{lan, "10.0.8.7 > 10.0.0.1 tcp/22", "BLOCKED"}, // the filter of lo0
		{lan, "10.0.8.7 > 10.0.0.1 tcp/23", "BLOCKED"}, // except
		{lan, "10.0.8.7 > 10.0.0.1 tcp/9999", "UNDECIDED"},
		{lan, "10.0.8.7 > 10.0.0.1 89", "REACHABLE"},
		{dmz, "192.0.2.7 > 192.0.2.1 icmp/8", "BLOCKED"},
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
				out = append(out, "set "+strings.Join(append(path[:len(path):len(path)], head), " "))
				continue
			}
			for _, v := range strings.Fields(strings.TrimSuffix(list, "]")) {
				out = append(out, "set "+strings.Join(append(path[:len(path):len(path)], head, v), " "))
			}
		}
	}
	return out
}

// What else a configuration may hold, as commands behind the fixture's.
func TestMore(t *testing.T) {
	const flow = "203.0.113.7 > 192.0.2.53 udp/53"
	const pair = "set security policies from-zone untrust to-zone dmz policy dns "
	tests := []struct{ name, extra, want, unparsed string }{
		{"nothing", "", "REACHABLE", ""},
		{"deactivated", "deactivate security policies from-zone untrust to-zone dmz policy dns", "BLOCKED", ""},
		{"deleted", "delete security policies from-zone untrust to-zone dmz policy dns", "BLOCKED", ""},
		{"permit-all", "delete security policies\nset security policies default-policy permit-all", "REACHABLE", ""},
		{"unknown condition", pair + "match weather rain", "UNDECIDED", ""},
		{"identity", pair + "match source-identity authenticated-user", "UNDECIDED", ""},
		{"any identity", pair + "match source-identity any", "REACHABLE", ""},
		{"two actions", pair + "then deny", "UNDECIDED", ""},
		{"unknown action", pair + "then ponder", "UNDECIDED", ""},
		{"authentication", pair + "then permit firewall-authentication web", "UNDECIDED", ""},
		{"unknown address", "delete security address-book global address ns1", "UNDECIDED", ""},
		{"a set that holds itself", "delete security address-book global address ns1\nset security address-book global address-set ns1 address-set ns1", "UNDECIDED", ""},
		{"wildcard", "delete security address-book global address ns1\nset security address-book global address ns1 wildcard-address 192.0.2.53/255.0.0.255", "UNDECIDED", ""},
		{"another application of the name", "set applications application junos-dns-udp protocol tcp", "BLOCKED", ""},
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

func TestReadErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"hello", "within a block"},
		{"system { host-name a; }", "expected the output of show configuration"},
		{"security { policies }", "expected ; before }"},
		{"security { policies;", "within a block"},
		{"security { a \"b; }", "quotation"},
		{"security;\n}", "f:2: expected ;"},
		{strings.Repeat("a { ", 100), "at most 64 blocks"},
	}
	for _, tt := range tests {
		_, err := junos.Parse("f", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.want)
		}
	}
}

// What Render writes is read back, on a device with the plan's zones, and means
// the plan.
func TestRenderedIsReadBack(t *testing.T) {
	for _, tt := range devicetest.Plans(firewall.OnGateway) {
		t.Run(tt.Name, func(t *testing.T) { prove(t, tt.Plan) })
	}
	t.Run("redirect", func(t *testing.T) {
		plan := devicetest.Plans(firewall.OnGateway)[0].Plan
		plan.DNS.Redirect = true
		rs := rendered(t, plan)
		for _, line := range analyze.Prove(plan, rs) {
			t.Error(line)
		}
		for flow, want := range map[string]string{
			"10.0.3.4 > 198.51.100.7 udp/53": "REACHABLE", "10.0.3.4 > 198.51.100.7 udp/853": "BLOCKED",
			"2001:db8:1::9 > 2001:db8:ffff::7 tcp/53": "REACHABLE", "172.16.0.1 > 198.51.100.7 udp/53": "BLOCKED",
		} {
			if got := ask(t, rs, "eth1", flow); got != want {
				t.Errorf("%s: got %s, want %s", flow, got, want)
			}
		}
	})
}

func rendered(t *testing.T, p firewall.Plan) *firewall.Ruleset {
	t.Helper()
	config, err := junos.Render(p)
	if err != nil {
		t.Fatal(err)
	}
	text := config.Files[0].Text
	taken := map[string]bool{}
	for _, z := range p.Zones {
		for _, name := range z.Interfaces {
			taken[name] = true
			text += "set security zones security-zone " + z.Name + " interfaces " + name + "\n"
		}
	}
	for _, name := range []string{"eth0", "eth1", "wg0", "wg1", "dmz0", "unknown0"} {
		if !taken[name] {
			text += "set security zones security-zone other interfaces " + name + "\n"
		}
	}
	rs := read(t, text)
	if len(rs.Unparsed) > 0 {
		t.Fatal(rs.Unparsed)
	}
	return rs
}

func prove(t *testing.T, p firewall.Plan) {
	t.Helper()
	rs := rendered(t, p)
	for _, line := range analyze.Prove(p, rs) {
		t.Error(line)
	}
	e := firewall.NewEvaluator(rs)
	devicetest.Prove(t, p, func(k devicetest.Packet) bool {
		protocol, _ := cloud.ProtocolNumber(string(k.Transport))
		got := verdict(t, e, k.In, k.Src, k.Dst, protocol, firewall.Number(k.Port))
		if got == "UNDECIDED" {
			t.Fatalf("%s is undecided", k)
		}
		return got == "REACHABLE"
	})
}

func FuzzParse(f *testing.F) {
	text := fixture(f)
	f.Add([]byte(text))
	f.Add([]byte(strings.Join(flatten(text), "\n")))
	f.Add([]byte("set security policies global policy a then permit\nset groups g security x\nset apply-groups g\ndelete groups g\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rs, err := junos.Parse("f", text)
		if (rs == nil) == (err == nil) {
			t.Fatal("expected either a ruleset or an error")
		}
		if err == nil {
			cloudtest.Check(t, rs)
			firewall.NewEvaluator(rs)
		}
	})
}
