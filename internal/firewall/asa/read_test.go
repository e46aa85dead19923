package asa_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/asa"
	"reconshield/internal/firewall/cloud/cloudtest"
)

func readConfig(t *testing.T, extra string) *firewall.Ruleset {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "running-config.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !asa.Sniff(text) {
		t.Error("the configuration is not recognised")
	}
	rs, err := asa.Parse("fw1", append(text, extra...))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestFlowsThroughWhatIsRead(t *testing.T) {
	tests := []struct {
		in, flow string
		want     string
	}{
		{"outside", "203.0.113.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"outside", "203.0.113.7 > 192.0.2.53 tcp/53", "REACHABLE"},
		{"outside", "203.0.113.7 > 192.0.2.70 udp/53", "REACHABLE"},
		{"outside", "203.0.113.7 > 192.0.2.80 udp/53", "BLOCKED"},
		{"outside", "2001:db8:9::1 > 2001:db8::53 udp/53", "REACHABLE"},
		{"outside", "2001:db8:9::1 > 2001:db8:1::7 udp/53", "REACHABLE"},
		{"outside", "2001:db8:9::1 > 2001:db8:2::7 udp/53", "BLOCKED"},
		{"outside", "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"outside", "198.51.100.7 > 192.0.2.80 tcp/80", "BLOCKED"},
		{"outside", "203.0.113.7 > 192.0.2.80 tcp/80", "REACHABLE"},
		{"outside", "203.0.113.7 > 192.0.2.80 tcp/443", "BLOCKED"},
		{"outside", "198.51.100.15 > 192.0.2.53 tcp/22", "BLOCKED"}, // the deny stands before
		{"outside", "203.0.113.7 > 192.0.2.53 icmp/8", "REACHABLE"},
		{"outside", "203.0.113.7 > 192.0.2.53 icmp/0", "BLOCKED"},
		{"outside", "2001:db8:9::1 > 2001:db8::53 icmpv6/2", "REACHABLE"},
		{"outside", "203.0.113.9 > 192.0.2.99 udp/5060", "REACHABLE"},
		{"outside", "203.0.113.7 > 192.0.2.99 tcp/443", "UNDECIDED"},
		{"outside", "203.0.113.7 > 192.0.2.98 tcp/22", "UNDECIDED"},
		{"outside", "203.0.113.7 > 192.0.2.97 tcp/22", "UNDECIDED"},
		{"outside", "203.0.113.7 > 192.0.2.99 udp/161", "UNDECIDED"}, // by its source port alone, and by the entry that cannot be read
		{"dmz", "10.0.3.7 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"dmz", "192.0.2.53 > 10.0.0.7 tcp/22", "BLOCKED"},
		{"inside", "10.0.0.7 > 192.0.2.53 tcp/22", "UNDECIDED"},
	}
	rs := readConfig(t, "")
	if len(rs.Unparsed) > 0 {
		t.Error(rs.Unparsed)
	}
	cloudtest.Check(t, rs)
	for _, tt := range tests {
		t.Run(tt.in+" "+tt.flow, func(t *testing.T) {
			if got := cloudtest.AskIn(t, rs, tt.in, tt.flow); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What else a configuration may bind, as lines that come after it.
func TestBindings(t *testing.T) {
	const flow = "203.0.113.7 > 192.0.2.80 tcp/80"
	tests := []struct {
		name, extra, in string
		want            string
		unparsed        string
	}{
		{"an interface without a list, the lowest", "interface G1/4\n nameif far\n security-level 0\n", "far", "UNDECIDED", ""},
		{"a global list after the interface's", "access-list g extended permit tcp any any eq 80\naccess-group g global\n", "dmz", "REACHABLE", ""},
		{"a global list for an interface without one", "access-list g extended permit tcp any any eq 80\naccess-group g global\n", "inside", "REACHABLE", ""},
		{"a list for what leaves", "access-group dmz_in out interface dmz\n", "outside", "UNDECIDED", ""},
		{"a list for the device itself", "access-group dmz_in in interface outside control-plane\n", "outside", "REACHABLE", ""},
		{"a list that is not there", "access-group none in interface inside\n", "outside", "REACHABLE", "the access list is not in this file"},
		{"static translation", "object network ns1\n nat (dmz,outside) static 203.0.113.53\n", "outside", "REACHABLE", "static NAT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs := readConfig(t, tt.extra)
			if got := cloudtest.AskIn(t, rs, tt.in, flow); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			lines := strings.Join(cloudtest.Lines(rs), "\n")
			if (len(rs.Unparsed) > 0) != (tt.unparsed != "") || !strings.Contains(lines, tt.unparsed) {
				t.Errorf("unparsed %v, want %q", rs.Unparsed, tt.unparsed)
			}
		})
	}
}

func TestEntriesThatCannotBeRead(t *testing.T) {
	tests := []struct{ entry, want string }{
		{"permit tcp any any eq 80", ""},
		{"permit quic any any", `protocol "quic"`},
		{"permit tcp any", "expected addresses"},
		{"permit tcp any any eq kerberos", `port "kerberos"`},
		{"permit tcp any any eq", "expected eq, neq"},
		{"permit tcp any 192.0.2.0 255.0.255.0", "mask without gaps"},
		{"permit tcp any host example", `"example": expected an address`},
		{"permit tcp any object none", "object none is not in this file"},
		{"permit object-group none any any", "object none is not in this file"},
		{"permit tcp any any eq 80 sometimes", `"sometimes": expected log`},
		{"permit tcp any interface outside eq 80", "address of the interface outside"},
		{"permit tcp any object-group loop", "holds itself"},
		{"permit tcp any any object-group badports", "port"},
	}
	const groups = "object-group network loop\n group-object loop\nobject-group service badports tcp\n port-object eq kerberos\n"
	for _, tt := range tests {
		rs, err := asa.Parse("f", []byte(groups+"access-list a extended "+tt.entry+"\naccess-group a in interface x\n"))
		if err != nil {
			t.Fatal(err)
		}
		want := "UNDECIDED"
		if tt.want == "" {
			want = "REACHABLE"
		}
		if got := cloudtest.AskIn(t, rs, "x", "203.0.113.7 > 192.0.2.80 tcp/80"); got != want {
			t.Errorf("%s: got %s, want %s", tt.entry, got, want)
		}
		if why := strings.Join(cloudtest.Lines(rs), "\n"); !strings.Contains(why, tt.want) {
			t.Errorf("%s: %q is not in\n%s", tt.entry, tt.want, why)
		}
	}
}

func TestReadErrors(t *testing.T) {
	_, err := asa.Parse("f", []byte("# Generated by iptables-save\n*filter\n"))
	if diff := cmp.Diff("f: expected the output of show running-config of an ASA, with nameif or access-list lines", err.Error()); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "running-config.txt"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		rs, err := asa.Parse("f", text)
		if (rs == nil) == (err == nil) {
			t.Fatal("expected either a ruleset or an error")
		}
		if err == nil {
			cloudtest.Check(t, rs)
		}
	})
}

// What is addressed to the device is not ruled by the lists: ssh and http are.
func TestOwnAddressesAreUndecided(t *testing.T) {
	r, err := asa.Parse("fw", []byte("interface g0\n nameif outside\n ip address 192.0.2.1 255.255.255.0\n ipv6 address 2001:db8::1/64\n ip address dhcp setroute\n"+
		"access-list o extended permit tcp any host 203.0.113.5 eq www\naccess-group o in interface outside\nssh 0.0.0.0 0.0.0.0 outside\n"))
	if err != nil {
		t.Fatal(err)
	}
	e := firewall.NewEvaluator(r)
	for _, tt := range []struct {
		target    string
		may, must bool
	}{{"192.0.2.1", true, false}, {"2001:db8::1", true, false}, {"203.0.113.5", false, false}, {"192.0.2.2", false, false}} {
		q := firewall.Question{In: firewall.Link{Known: true, Name: "outside"}, Target: netip.MustParseAddr(tt.target), Protocol: 6}
		source := "198.51.100.7"
		if strings.Contains(tt.target, ":") {
			source = "2001:db8:f::7"
		}
		if got := e.Tracer(q).Trace(netip.MustParseAddr(source), 40000, 22); got.May != tt.may || got.Must != tt.must {
			t.Errorf("%s: may %v, must %v", tt.target, got.May, got.Must)
		}
	}
	if len(r.Assumed) != 2 {
		t.Errorf("assumed: %q", r.Assumed)
	}
}
