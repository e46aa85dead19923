package identify

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"reconshield/internal/dial"
	"reconshield/internal/dialogue"
	"reconshield/internal/exposure"
	"reconshield/internal/intel/recog"
	"reconshield/internal/lab"
)

// TestRealServers asks the servers of the lab, safe and abused, who they are.
func TestRealServers(t *testing.T) {
	type want struct {
		kind    string
		product exposure.Product
		version bool // the version is shown
		least   exposure.Confidence
	}
	wants := []want{
		{"bind-auth-safe", exposure.BIND, false, exposure.Medium},
		{"bind-auth-abused", exposure.BIND, true, exposure.High},
		{"bind-resolver-safe", exposure.BIND, false, exposure.Medium},
		{"bind-resolver-abused", exposure.BIND, true, exposure.High},
		{"unbound-safe", exposure.Unbound, false, exposure.Low},
		{"unbound-validating", exposure.Unbound, false, exposure.Medium},
		{"unbound-abused", exposure.Unbound, true, exposure.High},
		{"knot-safe", exposure.Knot, false, exposure.Medium},
		{"knot-abused", exposure.Knot, true, exposure.High},
		{"nsd-safe", exposure.NSD, false, exposure.Medium},
		{"nsd-abused", exposure.NSD, true, exposure.High},
		{"pdns-auth-safe", exposure.PDNSAuth, false, exposure.Medium},
		{"pdns-auth-abused", exposure.PDNSAuth, true, exposure.High},
		{"pdns-recursor-abused", exposure.PDNSRec, true, exposure.High},
		{"dnsmasq-abused", exposure.Dnsmasq, true, exposure.High},
		{"fwd-recursive", exposure.Dnsmasq, false, exposure.Medium},
		{"short-refuser", exposure.Unbound, false, exposure.Low},
	}
	l := lab.New(t, lab.Options{})
	var kinds []string
	for _, w := range wants {
		kinds = append(kinds, w.kind)
	}
	hosts := l.StartAll(t, kinds...)
	d := dial.New(dial.Options{})
	i := New(d, d, recog.New(), Options{})
	var wg sync.WaitGroup
	for _, w := range wants {
		h := hosts[w.kind]
		for _, addr := range []netip.Addr{h.V4, h.V6} {
			wg.Go(func() {
				began := time.Now()
				var spoken []exposure.Transport
				if s := i.UDP(t.Context(), exposure.Target{Addr: addr, Transport: exposure.UDP, Port: 53}); s.Protocol == DNS {
					spoken = append(spoken, exposure.UDP)
				}
				if s := i.TCP(t.Context(), exposure.Target{Addr: addr, Transport: exposure.TCP, Port: 53}); s.Protocol == DNS {
					spoken = append(spoken, exposure.TCP)
				}
				s := i.DNS(t.Context(), dialogue.New(d, addr, dialogue.Options{}), spoken)
				t.Logf("%s %s %v %v %+v", w.kind, addr, time.Since(began), spoken, s)
				if s.Product != w.product || (s.Version != "") != w.version {
					t.Errorf("%s %s: product %q version %q", w.kind, addr, s.Product, s.Version)
				}
				order := []exposure.Confidence{exposure.Low, exposure.Medium, exposure.High}
				if slices.Index(order, s.Confidence) < slices.Index(order, w.least) {
					t.Errorf("%s %s: confidence %s, want %s", w.kind, addr, s.Confidence, w.least)
				}
			})
		}
	}
	wg.Wait()
}

// TestOtherProtocols asks hosts on whose port 53 something else listens.
func TestOtherProtocols(t *testing.T) {
	wants := []struct {
		kind      string
		transport exposure.Transport
		protocol  string
	}{
		{"ssh53", exposure.TCP, "ssh"},
		{"tls53", exposure.TCP, TLS},
		{"http53", exposure.TCP, HTTP},
		{"smtp53", exposure.TCP, "smtp"},
		{"acceptall", exposure.TCP, Unknown},
		{"silent", exposure.UDP, Unknown},
		{"openvpn53", exposure.UDP, OpenVPN},
		{"quic53", exposure.UDP, QUIC},
	}
	l := lab.New(t, lab.Options{})
	var kinds []string
	for _, w := range wants {
		kinds = append(kinds, w.kind)
	}
	hosts := l.StartAll(t, kinds...)
	d := dial.New(dial.Options{})
	i := New(d, d, recog.New(), Options{})
	var wg sync.WaitGroup
	for _, w := range wants {
		for _, addr := range []netip.Addr{hosts[w.kind].V4, hosts[w.kind].V6} {
			wg.Go(func() {
				target := exposure.Target{Addr: addr, Transport: w.transport, Port: 53}
				began := time.Now()
				ask := i.TCP
				if w.transport == exposure.UDP {
					ask = i.UDP
				}
				s := ask(t.Context(), target)
				t.Logf("%s %s %v %+v", w.kind, addr, time.Since(began), s)
				if s.Protocol != w.protocol {
					t.Errorf("%s %s: protocol %q, want %q", w.kind, addr, s.Protocol, w.protocol)
				}
			})
		}
	}
	wg.Wait()
}
