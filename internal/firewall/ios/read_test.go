package ios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
	"reconshield/internal/firewall/cloud/cloudtest"
	"reconshield/internal/firewall/device/devicetest"
	"reconshield/internal/firewall/ios"
)

func readConfig(t *testing.T, extra string) *firewall.Ruleset {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "running-config.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !ios.Sniff(text) {
		t.Error("the configuration is not recognised")
	}
	rs, err := ios.Parse("edge1", append(text, extra...))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestFlowsThroughWhatIsRead(t *testing.T) {
	tests := []struct {
		port, flow string // the number of the interface
		want       string
	}{
		{"0", "203.0.113.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"0", "203.0.113.7 > 192.0.2.54 tcp/53", "REACHABLE"},
		{"0", "203.0.113.7 > 192.0.2.70 udp/53", "REACHABLE"},
		{"0", "203.0.113.7 > 192.0.2.109 udp/53", "REACHABLE"},
		{"0", "203.0.113.7 > 192.0.2.110 udp/54", "BLOCKED"},
		{"0", "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"0", "198.51.100.7 > 192.0.2.80 tcp/80", "BLOCKED"},
		{"0", "203.0.113.7 > 192.0.2.80 tcp/80", "REACHABLE"},
		{"0", "203.0.113.7 > 192.0.2.80 tcp/443", "REACHABLE"},
		{"0", "203.0.113.7 > 192.0.2.80 tcp/22", "BLOCKED"},         // established needs ACK
		{"0", "203.0.113.7 > 192.0.2.99 udp/161", "UNDECIDED"},      // from port 53 only
		{"0", "203.0.113.7 > 192.0.2.99 icmp/8", "REACHABLE"},       // echo
		{"0", "203.0.113.7 > 192.0.2.99 icmp/13", "BLOCKED"},        // timestamp
		{"0", "10.0.2.7 > 192.0.2.81 tcp/8000", "REACHABLE"},        // even third octet
		{"0", "10.0.3.7 > 192.0.2.81 tcp/8000", "BLOCKED"},          // odd third octet
		{"0", "203.0.113.7 > 192.0.2.82 tcp/22", "UNDECIDED"},       // time range
		{"0", "203.0.113.7 > 192.0.2.83 udp/1024", "REACHABLE"},     // gt 1023
		{"0", "203.0.113.7 > 192.0.2.83 udp/1023", "BLOCKED"},       // gt 1023
		{"0", "203.0.113.7 > 192.0.2.84 udp/53", "BLOCKED"},         // fragments alone
		{"0", "2001:db8:9::1 > 2001:db8::53 udp/53", "REACHABLE"},   // by name
		{"0", "2001:db8:9::1 > 2001:db8::54 udp/53", "BLOCKED"},     // implied deny
		{"0", "2001:db8:9::1 > 2001:db8:5::1 tcp/443", "REACHABLE"}, // a prefix
		{"0", "2001:db8:bad::1 > 2001:db8:5::1 tcp/443", "BLOCKED"},
		{"0", "2001:db8:9::1 > 2001:db8::54 icmpv6/135", "REACHABLE"}, // implied
		{"0", "2001:db8:9::1 > 2001:db8::54 icmpv6/128", "BLOCKED"},
		{"1", "10.0.0.7 > 192.0.2.53 udp/53", "BLOCKED"},
		{"1", "10.0.0.7 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"1", "2001:db8:9::1 > 2001:db8::54 tcp/22", "REACHABLE"}, // no list of IPv6
		{"2", "192.0.2.53 > 10.0.0.7 tcp/22", "REACHABLE"},
		{"2", "192.0.2.54 > 10.0.0.7 tcp/22", "BLOCKED"},
		{"3", "10.9.0.9 > 10.0.0.7 tcp/22", "REACHABLE"},
	}
	rs := readConfig(t, "")
	if len(rs.Unparsed) > 0 {
		t.Error(rs.Unparsed)
	}
	cloudtest.Check(t, rs)
	for _, tt := range tests {
		t.Run(tt.port+" "+tt.flow, func(t *testing.T) {
			if got := cloudtest.AskIn(t, rs, "GigabitEthernet0/0/"+tt.port, tt.flow); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWhatIsNotReadIsSaid(t *testing.T) {
	const flow = "203.0.113.7 > 192.0.2.80 tcp/80"
	tests := []struct {
		name, text string
		want       string // verdict of the flow, or "unparsed"
		why        string
	}{
		{"understood", "permit tcp any any eq 80", "REACHABLE", ""},
		{"unknown protocol", "permit quic any any", "UNDECIDED", `protocol "quic"`},
		{"no destination", "permit tcp any", "UNDECIDED", "expected addresses"},
		{"unknown port", "permit tcp any any eq httpish", "UNDECIDED", `port "httpish"`},
		{"no port", "permit tcp any any eq", "UNDECIDED", "expected eq, neq"},
		{"bad address", "permit tcp host 1.2.3 any", "UNDECIDED", `"1.2.3": expected an address`},
		{"many ranges", "permit tcp 0.0.0.0 255.255.255.254 any", "UNDECIDED", "more than 4096 ranges"},
		{"unknown group", "permit tcp object-group none any", "UNDECIDED", "group none is not in this file"},
		{"a group in itself", "permit tcp object-group loop any", "UNDECIDED", "holds itself"},
		{"a group not understood", "permit object-group odd any any", "UNDECIDED", "expected ports"},
		{"a condition that is not read", "permit tcp any any dscp ef", "UNDECIDED", "the condition dscp is not read"},
		{"an unknown option", "permit tcp any any sometimes", "UNDECIDED", `"sometimes": expected log`},
		{"another action", "redirect tcp any any", "UNDECIDED", "expected permit, deny"},
		{"nothing but a remark", "remark nothing", "REACHABLE", "nothing: everything passes"},
		{"a list for what leaves", "permit tcp any any\ninterface y\n ip access-group a out", "UNDECIDED", "depends on routes"},
		{"zones", "permit tcp any any\nzone-pair security z source a destination b", "unparsed", "zone-based firewall"},
		{"a list that is not there", "permit tcp any any\ninterface y\n ip access-group none in", "unparsed", "the access list is not in this file"},
		{"a list of NX-OS", "permit tcp any any\nip access-list b\n permit tcp any any", "unparsed", "expected ip access-list extended"},
		{"a list of another kind", "permit tcp any any\naccess-list 700 permit 0000.0000.0001", "unparsed", "expected the number of a standard"},
	}
	const frame = "object-group network loop\n group-object loop\nobject-group service odd\n tcp near 80\n" +
		"interface x\n ip access-group a in\nip access-list extended a\n "
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs, err := ios.Parse("f", []byte(frame+tt.text+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			got := "unparsed"
			if len(rs.Unparsed) == 0 {
				got = cloudtest.AskIn(t, rs, "x", flow)
			}
			lines := strings.Join(cloudtest.Lines(rs), "\n")
			if got != tt.want || !strings.Contains(lines, tt.why) {
				t.Errorf("got %s, want %s with %q in\n%s", got, tt.want, tt.why, lines)
			}
		})
	}
}

// bound does what the text asks of people in comments: to bind the last lists to
// every interface that has none yet.
func bound(text string) string {
	before, bindings, _ := strings.Cut(text, "! Bind to every other interface")
	_, bindings, _ = strings.Cut(bindings, "\n")
	bindings = strings.ReplaceAll(bindings, "! ip", " ip")
	for _, name := range []string{"eth0", "eth1", "wg0", "wg1", "dmz0"} {
		if !strings.Contains(before, "interface "+name+"\n") {
			before += "\ninterface " + name + "\n" + bindings
		}
	}
	return before
}

// What Render writes is read back and means the plan.
func TestRenderedIsReadBack(t *testing.T) {
	for _, tt := range devicetest.Plans(firewall.OnGateway) {
		t.Run(tt.Name, func(t *testing.T) {
			config, err := ios.Render(tt.Plan)
			if err != nil {
				t.Fatal(err)
			}
			rs, err := ios.Parse("f", []byte(bound(config.Files[0].Text)))
			if err != nil {
				t.Fatal(err)
			}
			if len(rs.Unparsed) > 0 {
				t.Fatal(rs.Unparsed)
			}
			e := firewall.NewEvaluator(rs)
			devicetest.Prove(t, tt.Plan, func(k devicetest.Packet) bool {
				protocol, _ := cloud.ProtocolNumber(string(k.Transport))
				got := cloudtest.Verdict(t, e, k.In, k.Src, k.Dst, protocol, firewall.Number(k.Port))
				if got == "UNDECIDED" {
					t.Fatalf("%s is undecided", k)
				}
				return got == "REACHABLE"
			})
		})
	}
}

func TestReadErrors(t *testing.T) {
	_, err := ios.Parse("f", []byte("# Generated by iptables-save\n*filter\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "f: expected the output of show running-config of an IOS device") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "running-config.txt"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		rs, err := ios.Parse("f", text)
		if (rs == nil) == (err == nil) {
			t.Fatal("expected either a ruleset or an error")
		}
		if err == nil {
			cloudtest.Check(t, rs)
		}
	})
}
