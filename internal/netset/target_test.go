package netset

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeDNS answers from a table; what is not in it does not exist.
func fakeDNS(_ context.Context, host string) ([]netip.Addr, error) {
	zone := map[string]string{
		"ns1.example.net":     "192.0.2.53 2001:db8::53",
		"also.example.net":    "192.0.2.53",
		"mapped.example.net":  "::ffff:192.0.2.7",
		"localhost":           "127.0.0.1 ::1",
		"a.localhost":         "127.0.0.1",
		"host.example.net":    "127.0.1.1",
		"sink.example.net":    "0.0.0.0",
		"mcast.example.net":   "224.0.0.251",
		"zoned.example.net":   "fe80::1%eth0",
		"xn--bcher-kva.test":  "192.0.2.8",
		"_srv.example.net":    "192.0.2.9",
		"192-0-2-1.test":      "192.0.2.10",
		"10.0.0.1-dsl.test":   "192.0.2.11",
		"nothing.example.net": "",
	}
	answer, ok := zone[host]
	if !ok {
		return nil, errors.New("no such host")
	}
	var addrs []netip.Addr
	for text := range strings.FieldsSeq(answer) {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs, nil
}

func resolve(t *testing.T, s Spec) Scope {
	t.Helper()
	scope, err := s.Resolve(t.Context(), fakeDNS)
	if err != nil {
		t.Fatalf("Resolve: %v", err)
	}
	return scope
}

func join(addrs []netip.Addr) string {
	var texts []string
	for _, a := range addrs {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, " ")
}

func TestTargets(t *testing.T) {
	tests := []struct {
		name, in, want, warning string
	}{
		{"v4", "192.0.2.1", "192.0.2.1", ""},
		{"v6", "2001:db8::53", "2001:db8::53", ""},
		{"v6 upper case", "2001:DB8::53", "2001:db8::53", ""},
		{"brackets", "[2001:db8::53]", "2001:db8::53", ""},
		{"mapped", "::ffff:192.0.2.1", "192.0.2.1", ""},
		{"mapped in brackets", "[::ffff:192.0.2.1]", "192.0.2.1", ""},
		{"mapped prefix", "::ffff:192.0.2.0/127", "192.0.2.0 192.0.2.1", ""},
		{"prefix", "192.0.2.0/30", "192.0.2.0 192.0.2.1 192.0.2.2 192.0.2.3", ""},
		{"v6 prefix", "2001:db8::/127", "2001:db8:: 2001:db8::1", ""},
		{"host bits", "192.0.2.3/31", "192.0.2.2 192.0.2.3", `target "192.0.2.3/31": host bits are set; taken as 192.0.2.2/31`},
		{"one address prefix", "192.0.2.3/32", "192.0.2.3", ""},
		{"range", "192.0.2.1-192.0.2.3", "192.0.2.1 192.0.2.2 192.0.2.3", ""},
		{"range with spaces", "192.0.2.1 - 192.0.2.2", "192.0.2.1 192.0.2.2", ""},
		{"short range", "192.0.2.1-3", "192.0.2.1 192.0.2.2 192.0.2.3", ""},
		{"range over octets", "192.0.2.255-192.0.3.0", "192.0.2.255 192.0.3.0", ""},
		{"range of one", "192.0.2.1-1", "192.0.2.1", ""},
		{"v6 range", "2001:db8::fe-2001:db8::ff", "2001:db8::fe 2001:db8::ff", ""},
		{"name, both families", "ns1.example.net", "192.0.2.53 2001:db8::53", ""},
		{"name, trailing dot", "NS1.Example.net.", "192.0.2.53 2001:db8::53", ""},
		{"name, mapped answer", "mapped.example.net", "192.0.2.7", ""},
		{"internationalised", "Bücher.test", "192.0.2.8", ""},
		{"ideographic dot", "bücher。test", "192.0.2.8", ""},
		{"underscore", "_srv.example.net", "192.0.2.9", ""},
		{"name like a range", "192-0-2-1.test", "192.0.2.10", ""},
		{"name starting like a range", "10.0.0.1-dsl.test", "192.0.2.11", ""},
		{"loopback", "127.0.0.1", "127.0.0.1", ""},
		{"loopback v6", "::1", "::1", ""},
		{"loopback range", "127.0.0.1-2", "127.0.0.1 127.0.0.2", ""},
		{"localhost", "localhost", "127.0.0.1 ::1", ""},
		{"under localhost", "a.localhost", "127.0.0.1", ""},
		{"surrounding space", " 192.0.2.1\t", "192.0.2.1", ""},
		{"link-local", "fe80::1", "fe80::1", `target "fe80::1": link-local addresses cannot be reached without a zone and will not be measured`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseTargets([]string{tt.in})
			if err != nil {
				t.Fatalf("ParseTargets: %v", err)
			}
			if got := join(slices.Collect(resolve(t, s).All())); got != tt.want {
				t.Errorf("addresses = %s, want %s", got, tt.want)
			}
			var warning string
			if len(s.Warnings) > 0 {
				warning = s.Warnings[0].String()
			}
			if warning != tt.warning {
				t.Errorf("warning = %q, want %q", warning, tt.warning)
			}
		})
	}
}

func TestTargetErrors(t *testing.T) {
	const none = "not an address, prefix, range or host name"
	tests := []struct{ in, want string }{
		{"", `target "": empty; name an address, prefix, range or host name`},
		{" ", `target " ": empty; name an address, prefix, range or host name`},
		{"10.0.0.300", `target "10.0.0.300": ` + none + ` (300 is over 255)`},
		{"10.0.0", `target "10.0.0": ` + none + ` (an IPv4 address has 4 numbers, not 3)`},
		{"10.0.0.01", `target "10.0.0.01": ` + none + ` (01 has a leading zero; numbers are decimal)`},
		{"3232235521", `target "3232235521": ` + none + ` (3232235521 is over 255)`},
		{"0x7f000001", `target "0x7f000001": ` + none},
		{"127.0x1", `target "127.0x1": ` + none},
		{"10.0.0.0/33", `target "10.0.0.0/33": prefix length 33 is over 32`},
		{"2001:db8::/129", `target "2001:db8::/129": prefix length 129 is over 128`},
		{"10.0.0.0/", `target "10.0.0.0/": prefix length "" is not a number from 0 to 32`},
		{"10.0.0.0/-1", `target "10.0.0.0/-1": prefix length "-1" is not a number from 0 to 32`},
		{"10.0.0.0/024", `target "10.0.0.0/024": prefix length "024" is not a number from 0 to 32`},
		{"10.0.0.0/255.255.255.0", `target "10.0.0.0/255.255.255.0": write the prefix length, 10.0.0.0/24, instead of a mask`},
		{"10.0.0.0/255.0.255.0", `target "10.0.0.0/255.0.255.0": prefix length "255.0.255.0" is not a number from 0 to 32`},
		{"10.0.0/24", `target "10.0.0/24": not a prefix (an IPv4 address has 4 numbers, not 3)`},
		{"ns1.example.net/24", `target "ns1.example.net/24": a prefix needs an address before the slash, not a host name`},
		{"10.0.0.1-9/24", `target "10.0.0.1-9/24": a range has no prefix length; write either a range or a prefix`},
		{"10.0.0.9-1", `target "10.0.0.9-1": range ends before it starts; write 10.0.0.1-10.0.0.9`},
		{"10.0.0.1-256", `target "10.0.0.1-256": range ends in 256, which is over 255`},
		{"10.0.0.1-9,11", `target "10.0.0.1-9,11": range ends in "9,11", which is not an address`},
		{"10.0.0.1-", `target "10.0.0.1-": range ends in "", which is not an address`},
		{"10.0.0.1-2001:db8::1", `target "10.0.0.1-2001:db8::1": the ends of a range must be of the same family`},
		{"2001:db8::1-9", `target "2001:db8::1-9": the end of an IPv6 range must be a whole address`},
		{"fe80::1%eth0", `target "fe80::1%eth0": zones are not supported; write the address without %zone`},
		{"[fe80::1%eth0]", `target "[fe80::1%eth0]": zones are not supported; write the address without %zone`},
		{"fe80::%1/64", `target "fe80::%1/64": zones are not supported; write the address without %zone`},
		{"50%.example", `target "50%.example": ` + none},
		{"[2001:db8::1", `target "[2001:db8::1": closing bracket is missing`},
		{"[2001:db8::1]:53", `target "[2001:db8::1]:53": a target carries no port; write 2001:db8::1 and choose ports separately`},
		{"[2001:db8::]/64", `target "[2001:db8::]/64": unexpected text after the bracket; write 2001:db8::/64 without brackets`},
		{"[192.0.2.1]", `target "[192.0.2.1]": brackets hold no IPv6 address`},
		{"192.0.2.1:53", `target "192.0.2.1:53": ` + none + ` (a target carries no port; write 192.0.2.1 and choose ports separately)`},
		{"ns1.example.net:53", `target "ns1.example.net:53": ` + none + ` (a target carries no port; write ns1.example.net and choose ports separately)`},
		{"https://example.net", `target "https://example.net": ` + none + ` (a URL; write only its host)`},
		{"https://10.0.0.1/24", `target "https://10.0.0.1/24": ` + none + ` (a URL; write only its host)`},
		{"10.0.0.*", `target "10.0.0.*": ` + none + ` (write a prefix such as 192.0.2.0/24 instead of a wildcard)`},
		{"10.0.0.1,10.0.0.2", `target "10.0.0.1,10.0.0.2": ` + none + ` (write each target as its own argument or line)`},
		{"a b", `target "a b": ` + none + ` (write each target as its own argument or line)`},
		{"@192.0.2.1", `target "@192.0.2.1": ` + none + ` (write a server without @)`},
		{"--ports", `target "--ports": ` + none + ` (it looks like an option)`},
		{"a..b", `target "a..b": ` + none},
		{".", `target ".": ` + none},
		{"-a.example", `target "-a.example": ` + none + ` (it looks like an option)`},
		{"a-.example", `target "a-.example": ` + none},
		{"a\x1b[31m.example", `target "a\x1b[31m.example": ` + none},
		{"xn--\u00e9.example", `target "xn--é.example": ` + none + ` (not an internationalised name)`},
		{strings.Repeat("a", 64) + ".test", `target "` + strings.Repeat("a", 64) + `.test": label "` + strings.Repeat("a", 64) + `" is 64 bytes long, the limit is 63`},
		{strings.Repeat("abcdefg.", 40) + "test", `target "` + strings.Repeat("abcdefg.", 10) + `"...: host name is 324 bytes long, the limit is 253`},
		{strings.Repeat("a", 2000), `target "` + strings.Repeat("a", 80) + `"...: longer than 1024 bytes`},
		{"0.0.0.0", `target "0.0.0.0": this network (0.0.0.0/8) cannot be scanned`},
		{"0.1.2.3", `target "0.1.2.3": this network (0.0.0.0/8) cannot be scanned`},
		{"224.0.0.251", `target "224.0.0.251": multicast (224.0.0.0/4) cannot be scanned`},
		{"255.255.255.255", `target "255.255.255.255": limited broadcast (255.255.255.255) cannot be scanned`},
		{"::", `target "::": the unspecified address (::) cannot be scanned`},
		{"ff02::fb", `target "ff02::fb": IPv6 multicast (ff00::/8) cannot be scanned`},
		{"::ffff:224.0.0.1", `target "::ffff:224.0.0.1": multicast (224.0.0.0/4) cannot be scanned`},
		{"0.0.0.0/0", `target "0.0.0.0/0": contains this network (0.0.0.0/8), which cannot be scanned; name smaller prefixes`},
		{"::/0", `target "::/0": contains the unspecified address (::), which cannot be scanned; name smaller prefixes`},
		{"::2-::ffff:ffff:ffff", `target "::2-::ffff:ffff:ffff": the ends of a range must be of the same family`},
		{"::2-1::", `target "::2-1::": contains IPv4-mapped addresses (::ffff:0:0/96), which cannot be scanned; name smaller prefixes`},
		{"126.0.0.0/7", `target "126.0.0.0/7": contains loopback (127.0.0.0/8), which must be named for itself; name smaller prefixes`},
		{"::1-::2", `target "::1-::2": contains loopback (::1), which must be named for itself; name smaller prefixes`},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			_, err := ParseTargets([]string{"192.0.2.1", tt.in})
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseTargets(f *testing.F) {
	for _, seed := range []string{
		"192.0.2.1", "192.0.2.0/28", "192.0.2.1-9", "192.0.2.1-192.0.2.9", "[2001:db8::1]", "::ffff:192.0.2.0/120",
		"bücher.example.", "10.0.0.300", "fe80::1%eth0", "0x7f.1", "2001:db8::-2001:db8::ff", "ff00::/8", "::/0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := ParseTargets([]string{expr})
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("error is not one printable line: %q", err)
			}
			return
		}
		for _, host := range s.Hosts() {
			if again, err := parseHost(host); err != nil || again != host {
				t.Errorf("host %q does not read back: %q, %v", host, again, err)
			}
			if addr, err := netip.ParseAddr(host); err == nil {
				t.Errorf("host %q is the address %s", host, addr)
			}
		}
		if len(s.Hosts()) > 0 {
			return
		}
		s.Limit = 256 // keeps one run short
		scope, err := s.Resolve(t.Context(), nil)
		if err != nil {
			if !errors.Is(err, ErrTooMany) {
				t.Errorf("Resolve: %v", err)
			}
			return
		}
		var n uint64
		for addr := range scope.All() {
			n++
			if !scope.Contains(addr) || addr.Is4In6() || addr.IsMulticast() || addr.IsUnspecified() {
				t.Fatalf("%s gives %s", expr, addr)
			}
		}
		if n != scope.Len() || n == 0 {
			t.Errorf("%d addresses, Len is %d", n, scope.Len())
		}
	})
}
