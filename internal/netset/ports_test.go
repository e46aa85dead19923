package netset

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/exposure"
)

func TestParsePorts(t *testing.T) {
	const dns = "T:52-54,443,853,953,3000,5199,5300,5380,8053,8081-8083,8952-8953,U:52-54,853,5300,5353,8053"
	tests := []struct {
		in, want string
		n        int
	}{
		{"53", "T:53,U:53", 2},
		{"T:53", "T:53", 1},
		{"U:53", "U:53", 1},
		{"t:53,u:53", "T:53,U:53", 2},
		{"tcp:53", "T:53", 1},
		{"udp: 53 ", "U:53", 1},
		{"53/udp", "U:53", 1},
		{"53/tcp,54", "T:53-54,U:54", 3},
		{"U:53,54", "U:53-54", 2},
		{"T:80,443,U:53,123", "T:80,443,U:53,123", 4},
		{"53,T:80", "T:53,80,U:53", 3},
		{"1-1024", "T:1-1024,U:1-1024", 2048},
		{"T:1 - 3", "T:1-3", 3},
		{"T:3,1,2,2", "T:1-3", 3},
		{"T:1-10,5-20,21", "T:1-21", 21},
		{"T:10-20,1-30", "T:1-30", 30},
		{"all", "T:0-65535,U:0-65535", 131072},
		{"T:all", "T:0-65535", 65536},
		{"all,53", "T:0-65535,U:0-65535", 131072},
		{"T:65534,65535", "T:65534-65535", 2},
		{"0", "T:0,U:0", 2},
		{"T:0", "T:0", 1},
		{"U:0-1,T:65535", "T:65535,U:0-1", 3},
		{"0-65535", "T:0-65535,U:0-65535", 131072},
		{"1-65535", "T:1-65535,U:1-65535", 131070},
		{"T:1-65535,U:53,U:123", "T:1-65535,U:53,123", 65537},
		{"1-65535,0", "T:0-65535,U:0-65535", 131072},
		{"top1", "T:443", 1},
		{"U:top3", "U:53,123,161", 3},
		{"top3/udp", "U:53,123,161", 3},
		{"U:500,top2", "T:80,443,U:500", 3},
		{"T:top2,U:top2", "T:80,443,U:53,123", 4},
		{"ssh", "T:22", 1},
		{"SSH,Http", "T:22,80", 2},
		{"https", "T:443,U:443", 2},
		{"T:https", "T:443", 1},
		{"T:ssh,U:snmp", "T:22,U:161", 2},
		{"U:53,ssh", "T:22,U:53", 2},
		{"T:ssh,25", "T:22,25", 2},
		{"sip/udp", "U:5060", 1},
		{"domain", "T:53,U:53", 2},
		{"x11", "T:6000", 1},
		{"dns", dns, 23},
		{"DNS", dns, 23},
		{"T:dns", "T:52-54,443,853,953,3000,5199,5300,5380,8053,8081-8083,8952-8953", 16},
		{"dns/udp", "U:52-54,853,5300,5353,8053", 7},
		{"T:22,dns", "T:22," + strings.TrimPrefix(dns, "T:"), 24},
		{"dns,22", "T:22,52-54,443,853,953,3000,5199,5300,5380,8053,8081-8083,8952-8953,U:22,52-54,853,5300,5353,8053", 25},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			s, err := ParsePorts(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.String(); got != tt.want {
				t.Errorf("String = %s, want %s", got, tt.want)
			}
			if got := s.Len(); got != tt.n {
				t.Errorf("Len = %d, want %d", got, tt.n)
			}
			again, err := ParsePorts(s.String())
			if err != nil || again.String() != tt.want {
				t.Errorf("read back: %s, %v", again, err)
			}
		})
	}
}

func TestParsePortsErrors(t *testing.T) {
	const unknown = "not a port, a range, a group (dns, top100, all) or a known service"
	tests := []struct{ in, want string }{
		{"", `ports "": empty; name a port, a range, a group or a service`},
		{"53,", `ports "": empty; name a port, a range, a group or a service`},
		{"T:", `ports "t:": empty; name a port, a range, a group or a service`},
		{"65536", `ports "65536": port 65536 is over 65535`},
		{"99999999999999999999", `ports "99999999999999999999": port 99999999999999999999 is over 65535`},
		{"1-70000", `ports "1-70000": port 70000 is over 65535`},
		{"10-1", `ports "10-1": range ends before it starts; write 1-10`},
		{"-1", `ports "-1": ` + unknown},
		{"1-", `ports "1-": ` + unknown},
		{"+53", `ports "+53": ` + unknown},
		{"1-2-3", `ports "1-2-3": ` + unknown},
		{"gopher", `ports "gopher": ` + unknown},
		{"T:ssh-http", `ports "t:ssh-http": ` + unknown},
		{"U:ssh", `ports "u:ssh": ssh has no port over that transport; its ports are T:22`},
		{"snmp/tcp", `ports "snmp/tcp": snmp has no port over that transport; its ports are U:161`},
		{"X:53", `ports "x:53": unknown transport "x"; write T: for TCP or U: for UDP`},
		{"53/sctp", `ports "53/sctp": unknown transport "sctp"; write T: for TCP or U: for UDP`},
		{"T:U:53", `ports "t:u:53": ` + unknown},
		{"top", `ports "top": ` + unknown},
		{"top0", `ports "top0": no port at all; write top1 to top100`},
		{"top101", `ports "top101": the list of top ports has 100; use top100, a range or all`},
		{"top99999999999999999999", `ports "top99999999999999999999": the list of top ports has 100; use top100, a range or all`},
		{"53\x1b[2J", `ports "53\x1b[2j": ` + unknown},
		{strings.Repeat("1,", 9000) + "1", "ports: list is longer than 16384 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.in[:min(len(tt.in), 20)], func(t *testing.T) {
			s, err := ParsePorts(tt.in)
			if err == nil || err.Error() != tt.want {
				t.Errorf("ports = %s, error = %v, want %s", s, err, tt.want)
			}
		})
	}
}

func TestPortSetAll(t *testing.T) {
	s, err := ParsePorts("T:53,80,U:1-2,53,T:80-81")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for p := range s.All() {
		got = append(got, p.String())
		if !s.Contains(p.Transport, p.Number) {
			t.Errorf("%s is yielded but not contained", p)
		}
	}
	want := "udp/1 udp/2 tcp/53 udp/53 tcp/80 tcp/81"
	if strings.Join(got, " ") != want {
		t.Errorf("ports = %v, want %s", got, want)
	}
	for p := range s.All() {
		if p.Number > 2 {
			break
		}
	}
}

func TestPortSetMembership(t *testing.T) {
	s := NewPortSet(Port{exposure.TLS, 853}, Port{exposure.QUIC, 853}, Port{exposure.UDP, 65535}, Port{exposure.TCP, 0}, Port{"sctp", 7})
	tests := []struct {
		transport exposure.Transport
		port      uint16
		want      bool
	}{
		{exposure.TCP, 853, true},
		{exposure.UDP, 853, true},
		{exposure.HTTPS, 853, true},
		{exposure.TCP, 852, false},
		{exposure.TCP, 65535, false},
		{exposure.UDP, 65535, true},
		{exposure.UDP, 0, false},
		{exposure.TCP, 0, true},
		{exposure.TCP, 1, false},
		{"sctp", 7, false},
	}
	for _, tt := range tests {
		if got := s.Contains(tt.transport, tt.port); got != tt.want {
			t.Errorf("Contains(%s, %d) = %v", tt.transport, tt.port, got)
		}
	}
	if got := s.String(); got != "T:0,853,U:853,65535" {
		t.Errorf("String = %s", got)
	}
	if got := s.Union(NewPortSet(Port{exposure.TCP, 852})).String(); got != "T:0,852-853,U:853,65535" {
		t.Errorf("Union = %s", got)
	}
	var zero PortSet
	if zero.Len() != 0 || zero.String() != "" || zero.Contains(exposure.TCP, 1) || len(slices.Collect(zero.All())) != 0 {
		t.Error("the zero set holds something")
	}
}

// Both ends of the port space, walked by number.
func TestPortSetAllOfThem(t *testing.T) {
	s, err := ParsePorts("all")
	if err != nil {
		t.Fatal(err)
	}
	want, n := Port{exposure.TCP, 0}, 0
	for p := range s.All() {
		if p != want {
			t.Fatalf("%s comes after %d ports, want %s", p, n, want)
		}
		if n++; p.Transport == exposure.TCP {
			want.Transport = exposure.UDP
		} else {
			want = Port{exposure.TCP, p.Number + 1}
		}
	}
	if n != 2*65536 || n != s.Len() {
		t.Errorf("%d ports, Len is %d", n, s.Len())
	}
}

func TestParsePortsNamed(t *testing.T) {
	names := func(service string) []Port {
		if service == "house" {
			return []Port{{exposure.TCP, 7}, {exposure.UDP, 8}, {exposure.UDP, 9}}
		}
		return nil
	}
	s, err := ParsePortsNamed("U:house,dns/udp", names)
	if err != nil || s.String() != "U:8-9,52-54,853,5300,5353,8053" {
		t.Errorf("ports = %s, %v", s, err)
	}
	_, err = ParsePortsNamed("53,T:Huose", names)
	if unknown, ok := errors.AsType[*UnknownPortsError](err); !ok || unknown.Name != "huose" {
		t.Errorf("error = %v", err)
	}
	for name := range Services() {
		if _, err := ParsePorts(name); err != nil {
			t.Errorf("a service cannot be named: %v", err)
		}
	}
	for _, names := range []Names{names, nil} {
		if s, err := ParsePortsNamed("ssh", names); err == nil {
			t.Errorf("a service that the names do not know gives %s", s)
		}
	}
	if s, err := ParsePortsNamed("all", func(string) []Port { return []Port{{exposure.TCP, 7}} }); err != nil || s.Len() != 131072 {
		t.Errorf("a service took the name all: %s, %v", s, err)
	}
}

// Every known name must stand for ports, be writable in a list, and no two
// entries of a top list may be the same.
func TestTables(t *testing.T) {
	for name := range services {
		s, err := ParsePorts(name)
		if err != nil || s.Len() == 0 || name != strings.ToLower(name) || strings.ContainsAny(name, ",:/-") || strings.HasPrefix(name, "top") {
			t.Errorf("%q: %s, %v", name, s, err)
		}
		if _, taken := portGroup(name); taken {
			t.Errorf("%q is the name of a group", name)
		}
	}
	for _, transport := range []exposure.Transport{exposure.TCP, exposure.UDP, exposure.TLS, exposure.QUIC} {
		ports := TopPorts(transport)
		if s := NewPortSet(ports...); len(ports) != 100 || s.Len() != 100 || s.Only(transport).Len() != 100 {
			t.Errorf("%s: %d top ports, %d different, %d of the transport", transport, len(ports), s.Len(), s.Only(transport).Len())
		}
	}
	if got := TopPorts("sctp"); got != nil {
		t.Errorf("top ports of sctp: %v", got)
	}
}

func FuzzParsePorts(f *testing.F) {
	for _, seed := range []string{"53", "1-1024", "T:53,U:53", "dns", "all", "T:dns,80/udp", "top100", "U:top7,ssh", "0-65535", "u:0", "65535-65535", "u:1,,2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := ParsePorts(expr)
		if err != nil {
			return
		}
		again, err := ParsePorts(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q reads as %s, then as %s, %v", expr, s, again, err)
		}
		n := 0
		for p := range s.All() {
			n++
			if !s.Contains(p.Transport, p.Number) {
				t.Fatalf("%q yields %s", expr, p)
			}
		}
		if n != s.Len() || n == 0 {
			t.Fatalf("%q: %d ports, Len is %d", expr, n, s.Len())
		}
	})
}
