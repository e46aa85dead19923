package netset

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(tb testing.TB, exprs string) Spec {
	tb.Helper()
	s, err := ParseTargets(strings.Fields(exprs))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func mustExclude(t *testing.T, exprs string) Spec {
	t.Helper()
	s, err := ParseExclusions(strings.Fields(exprs))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name, in, out string
		limit         uint64
		want, err     string
	}{
		{"order", "2001:db8::1 192.0.2.2 192.0.2.1", "", 0, "192.0.2.1 192.0.2.2 2001:db8::1", ""},
		{"overlap counts once", "192.0.2.0/31 192.0.2.1-2 192.0.2.1", "", 3, "192.0.2.0 192.0.2.1 192.0.2.2", ""},
		{"excluded address", "192.0.2.0/30", "192.0.2.1", 0, "192.0.2.0 192.0.2.2 192.0.2.3", ""},
		{"excluded prefix", "192.0.2.0/30", "192.0.2.2/31", 0, "192.0.2.0 192.0.2.1", ""},
		{"excluded name", "192.0.2.52-54 2001:db8::53", "ns1.example.net", 0, "192.0.2.52 192.0.2.54", ""},
		{"excluded mapped", "192.0.2.0/31", "::ffff:192.0.2.0", 0, "192.0.2.1", ""},
		{"special exclusions", "192.0.2.1", "0.0.0.0/0 ::/0", 0, "", "no target: nothing is left of the scope after exclusions"},
		{"exclusions may be wide", "192.0.2.1", "224.0.0.0/4 127.0.0.0/8 ff00::/8", 0, "192.0.2.1", ""},
		{"excluded before the limit", "192.0.2.0/24", "192.0.2.2-255", 2, "192.0.2.0 192.0.2.1", ""},
		{"at the limit", "192.0.2.0/31", "", 2, "192.0.2.0 192.0.2.1", ""},
		{"over the limit", "192.0.2.0/30", "", 3, "", "too many addresses: 4 in scope, the limit is 3; name smaller prefixes or raise the limit (--max-addresses)"},
		{"over the default limit", "10.0.0.0/16 192.0.2.1", "", 0, "", "too many addresses: 65537 in scope, the limit is 65536; name smaller prefixes or raise the limit (--max-addresses)"},
		{"far over the limit", "2001:db8::/32", "", 1 << 63, "", "too many addresses: 79228162514264337593543950336 in scope, the limit is 9223372036854775808; name smaller prefixes or raise the limit (--max-addresses)"},
		{"nothing", "", "", 0, "", "no target: name an address, prefix, range or host name"},
		{"unknown name", "192.0.2.1 gone.example.net", "", 0, "", `target "gone.example.net": cannot be resolved: no such host`},
		{"name without address", "nothing.example.net", "", 0, "", `target "nothing.example.net": cannot be resolved: no address`},
		{"unknown exclusion", "192.0.2.1", "gone.example.net", 0, "", `exclusion "gone.example.net": cannot be resolved: no such host`},
		{"first bad name is told", "z.example a.example", "", 0, "", `target "z.example": cannot be resolved: no such host`},
		{"name of this host", "host.example.net", "", 0, "", `target "host.example.net": resolves to loopback 127.0.1.1; name that address to scan this machine`},
		{"sinkholed name", "sink.example.net", "", 0, "", `target "sink.example.net": resolves to 0.0.0.0: this network (0.0.0.0/8) cannot be scanned`},
		{"multicast name", "mcast.example.net", "", 0, "", `target "mcast.example.net": resolves to 224.0.0.251: multicast (224.0.0.0/4) cannot be scanned`},
		{"name with zone", "zoned.example.net", "", 0, "", `target "zoned.example.net": resolves to an address with a zone; zones are not supported`},
		{"sinkholed exclusion", "192.0.2.1", "sink.example.net host.example.net zoned.example.net", 0, "192.0.2.1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mustParse(t, tt.in).Without(mustExclude(t, tt.out))
			s.Limit = tt.limit
			scope, err := s.Resolve(t.Context(), fakeDNS)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error = %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := join(slices.Collect(scope.All())); got != tt.want {
				t.Errorf("addresses = %s, want %s", got, tt.want)
			}
			if got := len(strings.Fields(tt.want)); scope.Len() != uint64(got) {
				t.Errorf("Len = %d, want %d", scope.Len(), got)
			}
		})
	}
}

func TestResolveErrorsWrap(t *testing.T) {
	_, err := Spec{}.Resolve(t.Context(), fakeDNS)
	if !errors.Is(err, ErrNoTargets) {
		t.Errorf("empty spec: %v is not ErrNoTargets", err)
	}
	_, err = mustParse(t, "10.0.0.0/8").Resolve(t.Context(), nil)
	var tooMany *TooManyError
	if !errors.Is(err, ErrTooMany) || !errors.As(err, &tooMany) || tooMany.Count.Uint64() != 1<<24 {
		t.Errorf("a /8: %v is not a *TooManyError of %d", err, 1<<24)
	}
	if _, err = mustParse(t, "ns1.example.net").Resolve(t.Context(), nil); err == nil {
		t.Error("a name without a look-up was resolved")
	}
}

// The limits of a sweep: all of IPv4, and no IPv6 network that has no end.
func TestScanLimits(t *testing.T) {
	const tooMany = "too many addresses: %s IPv6 addresses in scope, the limit is 4294967296; IPv6 networks are too large to sweep, name addresses or prefixes from /96 on"
	tests := []struct {
		in   string
		n    uint64
		many string
	}{
		{"10.0.0.0/8", 1 << 24, ""},
		{"1.0.0.0-126.255.255.255 128.0.0.0-223.255.255.255", 222 << 24, ""},
		{"10.0.0.0/8 2001:db8::/96", 1<<24 + 1<<32, ""},
		{"2001:db8::/96 2001:db9::1", 0, "4294967297"},
		{"192.0.2.1 2001:db8::/64", 0, "18446744073709551616"},
	}
	for _, tt := range tests {
		s := mustParse(t, tt.in)
		s.Limit, s.LimitIPv6 = ScanLimit, ScanLimitIPv6
		scope, err := s.Resolve(t.Context(), nil)
		if tt.many != "" {
			if want := strings.ReplaceAll(tooMany, "%s", tt.many); err == nil || err.Error() != want || !errors.Is(err, ErrTooMany) {
				t.Errorf("%s: error = %v, want %s", tt.in, err, want)
			}
			continue
		}
		if err != nil || scope.Len() != tt.n {
			t.Errorf("%s: %d addresses, %v", tt.in, scope.Len(), err)
		}
	}
	s := mustParse(t, "2001:db8::/95 10.0.0.0/8")
	s.LimitIPv6 = 1 << 33
	if _, err := s.Resolve(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "the limit is 65536; name smaller") {
		t.Errorf("the limit of all addresses no longer counts: %v", err)
	}
}

// First and last addresses of a prefix may be hosts.
func TestNetworkAndBroadcastAddressesCount(t *testing.T) {
	scope := resolve(t, mustParse(t, "192.0.2.0/24"))
	for _, text := range []string{"192.0.2.0", "192.0.2.255"} {
		if !scope.Contains(netip.MustParseAddr(text)) {
			t.Errorf("%s is missing", text)
		}
	}
}

func TestResolveLooksUpOnce(t *testing.T) {
	var calls atomic.Int32
	lookup := func(ctx context.Context, host string) ([]netip.Addr, error) {
		calls.Add(1)
		return fakeDNS(ctx, host)
	}
	s := mustParse(t, "ns1.example.net NS1.example.net. also.example.net").Without(mustExclude(t, "a.localhost"))
	scope, err := s.Resolve(t.Context(), lookup)
	if err != nil {
		t.Fatal(err)
	}
	if got := calls.Load(); got != 3 {
		t.Errorf("%d look-ups, want 3", got)
	}
	want := []string{"ns1.example.net", "also.example.net"}
	if diff := cmp.Diff(want, scope.Names(netip.MustParseAddr("::ffff:192.0.2.53"))); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.localhost", "also.example.net", "ns1.example.net"}, s.Hosts()); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
}

func TestScopeMembership(t *testing.T) {
	scope := resolve(t, mustParse(t, "192.0.2.0/30 192.0.2.9 2001:db8::/126 ns1.example.net").
		Without(mustExclude(t, "192.0.2.9 2001:db8::53")))
	tests := []struct {
		addr       string
		in, single bool
		names      int
	}{
		{"192.0.2.0", true, false, 0},
		{"192.0.2.3", true, false, 0},
		{"192.0.2.4", false, false, 0},
		{"192.0.2.9", false, false, 0},
		{"192.0.2.53", true, true, 1},
		{"::ffff:192.0.2.53", true, true, 1},
		{"2001:db8::3", true, false, 0},
		{"2001:db8::3%eth0", false, false, 0},
		{"2001:db8::53", false, false, 0},
		{"::", false, false, 0},
	}
	for _, tt := range tests {
		addr := netip.MustParseAddr(tt.addr)
		if got := scope.Contains(addr); got != tt.in {
			t.Errorf("Contains(%s) = %v", addr, got)
		}
		if got := scope.Single(addr); got != tt.single {
			t.Errorf("Single(%s) = %v", addr, got)
		}
		if got := scope.Names(addr); len(got) != tt.names {
			t.Errorf("Names(%s) = %v", addr, got)
		}
	}
	var prefixes []string
	for _, p := range scope.Prefixes() {
		prefixes = append(prefixes, p.String())
	}
	if diff := cmp.Diff([]string{"192.0.2.0/30", "192.0.2.53/32", "2001:db8::/126"}, prefixes); diff != "" {
		t.Errorf("prefixes (-want +got):\n%s", diff)
	}
}

func TestZeroScope(t *testing.T) {
	var scope Scope
	addr := netip.MustParseAddr("192.0.2.1")
	if scope.Contains(addr) || scope.Contains(netip.Addr{}) || scope.Single(addr) || scope.Len() != 0 || scope.Prefixes() != nil {
		t.Error("the zero scope holds something")
	}
	for addr := range scope.All() {
		t.Errorf("the zero scope yields %s", addr)
	}
}

func TestAnd(t *testing.T) {
	a := mustParse(t, "192.0.2.1").Without(mustExclude(t, "192.0.2.3"))
	b := mustParse(t, "192.0.2.2/31")
	both := a.And(b)
	if got := join(slices.Collect(resolve(t, both).All())); got != "192.0.2.1 192.0.2.2" {
		t.Errorf("addresses = %s", got)
	}
	if got := join(slices.Collect(resolve(t, a).All())); got != "192.0.2.1" {
		t.Errorf("the receiver changed: %s", got)
	}
}

func TestAllStops(t *testing.T) {
	s := mustParse(t, "10.0.0.0/8")
	s.Limit = 1 << 24
	n := 0
	for range resolve(t, s).All() {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("stopped after %d addresses", n)
	}
}

// Iterating must not cost memory, whatever the size.
func TestAllAllocates(t *testing.T) {
	scope := resolve(t, mustParse(t, "10.0.0.0/16"))
	got := testing.AllocsPerRun(5, func() {
		n := uint64(0)
		for addr := range scope.All() {
			if addr.IsValid() {
				n++
			}
		}
		if n != scope.Len() {
			t.Errorf("%d addresses", n)
		}
	})
	if got > 2 {
		t.Errorf("%v allocations for a /16, want at most 2", got)
	}
}

func BenchmarkAll(b *testing.B) {
	s := mustParse(b, "10.0.0.0/8")
	s.Limit = 1 << 24
	scope, err := s.Resolve(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var last netip.Addr
		for addr := range scope.All() {
			last = addr
		}
		if last != netip.MustParseAddr("10.255.255.255") {
			b.Fatal(last)
		}
	}
}

func BenchmarkContains(b *testing.B) {
	var exprs []string
	for addr := netip.MustParseAddr("10.0.0.0"); len(exprs) < 1000; addr = addr.Next().Next() {
		exprs = append(exprs, addr.String())
	}
	scope, err := mustParse(b, strings.Join(exprs, " ")).Resolve(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	in, out := netip.MustParseAddr("10.0.3.232"), netip.MustParseAddr("10.0.3.233")
	b.ReportAllocs()
	for b.Loop() {
		if !scope.Contains(in) || scope.Contains(out) {
			b.Fatal("wrong membership")
		}
	}
}

// A long list of single addresses is what --targets-from is for.
func BenchmarkResolveList(b *testing.B) {
	var exprs []string
	for addr := netip.MustParseAddr("10.0.0.0"); len(exprs) < 60000; addr = addr.Next().Next() {
		exprs = append(exprs, addr.String())
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := ParseTargets(exprs)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Resolve(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
}
