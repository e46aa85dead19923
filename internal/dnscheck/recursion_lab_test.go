//go:build linux

package dnscheck_test

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"reconshield/internal/collector"
	"reconshield/internal/dial"
	"reconshield/internal/dialogue"
	"reconshield/internal/dnscheck"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
	"reconshield/internal/nonce"
)

// recursiveWant is what each server must show: for each check one word, or one
// for UDP and one for TCP with a slash between them. f fails, p passes, n is
// not tested. A comma parts what differs between its IPv4 and its IPv6 address:
// some ask over IPv4 only, which cannot be compared with the other.
var recursiveWant = []struct{ kind, want string }{
	{"bind-auth-safe", "REC-1 p/p REC-2 n/n FWD-1 p FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 n/n RBD-1 n"},
	{"bind-resolver-safe", "REC-1 p/p REC-2 n/n FWD-1 p FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 n/n RBD-1 n"},
	{"bind-resolver-validating", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 p SNP-1 f RND-1 p SEC-1 p ECS-1 p NXD-1 p/p RBD-1 p"},
	{"bind-resolver-abused", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 p SNP-1 f RND-1 p SEC-1 f ECS-1 p NXD-1 p/p RBD-1 f"},
	{"unbound-safe", "REC-1 p/p REC-2 n/n FWD-1 p FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 n/n RBD-1 n"},
	{"unbound-validating", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 p SNP-1 p RND-1 p SEC-1 p ECS-1 p NXD-1 p/p RBD-1 p"},
	{"unbound-abused", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 p SNP-1 f RND-1 p SEC-1 f ECS-1 p NXD-1 p/p RBD-1 f"},
	{"pdns-recursor-safe", "REC-1 n/n REC-2 n/n FWD-1 n FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 n/n RBD-1 n"},
	{"pdns-recursor-abused", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 p SNP-1 f RND-1 p SEC-1 f ECS-1 p NXD-1 p/p RBD-1 f"},
	{"dnsmasq-abused", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 f SNP-1 f RND-1 p SEC-1 f ECS-1 p NXD-1 p/p RBD-1 f"},
	{"knot-safe", "REC-1 p/p REC-2 n/n FWD-1 p FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 n/n RBD-1 n"},
	{"nsd-safe", "REC-1 p/p REC-2 n/n FWD-1 p FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 n/n RBD-1 n"},
	{"pdns-auth-safe", "REC-1 p/p REC-2 n/n FWD-1 p FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 n/n RBD-1 n"},
	{"fwd-transparent", "REC-1 f/n REC-2 n/n FWD-1 f FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 n/n RBD-1 n"},
	{"fwd-recursive", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 f SNP-1 f RND-1 p SEC-1 f ECS-1 p NXD-1 p/p RBD-1 f"},
	{"lying-resolver", "REC-1 n/n REC-2 f/f FWD-1 p FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 f/f RBD-1 n"},
	{"nxdomain-hijacker", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 f SNP-1 f RND-1 p SEC-1 f ECS-1 p NXD-1 f/f RBD-1 f"},
	// It resolves one question at a time, and loses others: more is not asked.
	{"fixed-port-resolver", "REC-1 f/f RND-1 f"},
	{"sequential-id-resolver", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 p,n SNP-1 n RND-1 f SEC-1 f ECS-1 f NXD-1 p/p RBD-1 f"},
	{"ecs-resolver", "REC-1 f/f REC-2 p/p FWD-1 p FWD-2 p SNP-1 p RND-1 p SEC-1 f ECS-1 f NXD-1 p/p RBD-1 f"},
}

func TestRecursiveChecksInTheLab(t *testing.T) {
	zone := nonce.Zone{Apex: "probe.test.", Anchored: true}
	l, stop := startCollector(t, zone)
	kinds := make([]string, len(recursiveWant))
	for i, row := range recursiveWant {
		kinds[i] = row.kind
	}
	hosts := l.StartAll(t, kinds...)
	both := func(t *testing.T, kind string, opts dnscheck.Options, row string) {
		t.Helper()
		for i, addr := range []netip.Addr{hosts[kind].V4, hosts[kind].V6} {
			assertRecursive(t, addr, opts, wanted(row, i))
		}
	}
	for _, row := range recursiveWant {
		t.Run(row.kind, func(t *testing.T) { both(t, row.kind, dnscheck.Options{Collector: &zone}, row.want) })
	}
	t.Run("no collector", func(t *testing.T) {
		both(t, "unbound-abused", dnscheck.Options{}, "REC-1 f/f REC-2 n/n FWD-1 p FWD-2 n SNP-1 n RND-1 n SEC-1 n ECS-1 n NXD-1 n/n RBD-1 n")
		both(t, "bind-auth-safe", dnscheck.Options{}, "REC-1 p/p REC-2 n/n")
		both(t, "lying-resolver", dnscheck.Options{}, "REC-1 n/n REC-2 f/f")
		both(t, "fwd-transparent", dnscheck.Options{}, "REC-1 f/n FWD-1 f")
	})
	t.Run("no chain of trust", func(t *testing.T) {
		loose := nonce.Zone{Apex: zone.Apex}
		both(t, "unbound-abused", dnscheck.Options{Collector: &loose}, "SEC-1 n")
		both(t, "unbound-validating", dnscheck.Options{Collector: &loose}, "SEC-1 p")
	})
	t.Run("another key", func(t *testing.T) {
		other := nonce.Zone{Apex: zone.Apex, Key: []byte("not the collector's")}
		both(t, "unbound-abused", dnscheck.Options{Collector: &other}, "RND-1 n SEC-1 n REC-2 f/f")
	})
	stop()
	t.Run("collector stopped", func(t *testing.T) {
		both(t, "bind-resolver-abused", dnscheck.Options{Collector: &zone}, "REC-1 f/f REC-2 n/n RND-1 n SEC-1 n NXD-1 n/n")
	})
}

// startCollector makes a lab whose resolvers trust a fresh key, and runs the
// collector with it.
func startCollector(t *testing.T, zone nonce.Zone) (l *lab.Lab, stop func()) {
	t.Helper()
	key, err := collector.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	opts := collector.Options{Zone: zone, Key: key, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8:2::11")}}
	server, err := collector.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	l = lab.New(t, lab.Options{Anchor: server.DNSKEY().String()})
	h := l.Host(t, "collector")
	var udp []net.PacketConn
	var tcp []net.Listener
	for _, a := range []netip.Addr{h.V4, h.V6} {
		c, err := h.ListenPacket("udp", netip.AddrPortFrom(a, 53).String())
		if err != nil {
			t.Fatal(err)
		}
		s, err := h.Listen("tcp", netip.AddrPortFrom(a, 53).String())
		if err != nil {
			t.Fatal(err)
		}
		udp, tcp = append(udp, c), append(tcp, s)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, udp, tcp) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return l, stop
}

// wanted reads a row of the table for the first or the second address.
func wanted(row string, address int) map[string]string {
	words, out := strings.Fields(row), map[string]string{}
	for i := 0; i < len(words); i += 2 {
		alternatives := strings.Split(words[i+1], ",")
		out[words[i]] = alternatives[min(address, len(alternatives)-1)]
	}
	return out
}

func assertRecursive(t *testing.T, addr netip.Addr, opts dnscheck.Options, want map[string]string) {
	t.Helper()
	checks, err := dnscheck.Select(dnscheck.Catalogue(), dnscheck.Safe, slices.Collect(maps.Keys(want)), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := dnscheck.NewSession(dialogue.New(dial.New(dial.Options{}), addr, dialogue.Options{}), dnscheck.Server{
		Addr: addr, Spoken: []exposure.Transport{exposure.UDP, exposure.TCP},
	}, opts)
	ran := dnscheck.Run(t.Context(), s, checks, nil)
	for _, r := range ran {
		var got []string
		for _, o := range r.Outcomes {
			got = append(got, string(o.Status[0]))
			if o.Status == exposure.Errored || o.Reason == "" {
				t.Errorf("%s %s %s: %s %q", addr, r.Check.ID, o.Transport, o.Status, o.Reason)
			}
		}
		if strings.Join(got, "/") != want[r.Check.ID] {
			t.Errorf("%s %s: %s, want %s: %s", addr, r.Check.ID, strings.Join(got, "/"), want[r.Check.ID], reasons(r.Outcomes))
		}
	}
}

func reasons(outcomes []dnscheck.Outcome) string {
	var out []string
	for _, o := range outcomes {
		out = append(out, string(o.Transport)+": "+o.Reason)
	}
	return strings.Join(out, " | ")
}
