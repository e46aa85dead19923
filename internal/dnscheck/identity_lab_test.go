//go:build linux

package dnscheck_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reconshield/internal/dial"
	"reconshield/internal/dialogue"
	"reconshield/internal/dnscheck"
	"reconshield/internal/exposure"
	"reconshield/internal/identify"
	"reconshield/internal/intel/recog"
	"reconshield/internal/lab"
	"reconshield/internal/netset"
)

// identityWant is what each server must show, as in recursiveWant. Letters in
// capitals are findings of a severity: C, H, M, L and I; lower-case p and n
// pass and are not tested. ENC-1 is DoT/DoQ/DoH; the outcomes of CTL checks
// are those of open ports by number, then one for the ports that were not
// reachable and one for those that were not measured.
var identityWant = []struct{ kind, want string }{
	{"bind-auth-safe", "ID-1 p/p ID-2 p ID-3 I ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"bind-auth-abused", "ID-1 p/p ID-2 L ID-3 n ID-4 n ENC-1 M/n/n MDN-1 p CTL-1 M/p CTL-2 M/p CTL-3 p"},
	{"bind-resolver-abused", "ID-1 p/p ID-2 L ID-3 n ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"unbound-safe", "ID-1 p/p ID-2 p ID-3 I ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"unbound-validating", "ID-1 p/p ID-2 p ID-3 I ID-4 n ENC-1 p/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"unbound-abused", "ID-1 p/p ID-2 L ID-3 n ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 C/p CTL-2 p CTL-3 p"},
	{"unbound-dot-loose", "ID-1 p/p ID-2 p ID-3 I ID-4 n ENC-1 H/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"doh", "ID-1 p/p ID-2 p ID-3 I ID-4 n ENC-1 n/n/H MDN-1 p CTL-1 p CTL-2 n/p CTL-3 p"},
	{"doq", "ENC-1 n/H/n"},
	{"knot-safe", "ID-1 p/p ID-2 p ID-3 I ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"knot-abused", "ID-1 p/p ID-2 L ID-3 n ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"nsd-safe", "ID-1 p/p ID-2 p ID-3 I ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"nsd-abused", "ID-1 p/p ID-2 L ID-3 n ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 M/p CTL-2 p CTL-3 p"},
	{"pdns-auth-safe", "ID-1 p/p ID-2 I ID-3 I ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"pdns-auth-abused", "ID-1 p/p ID-2 L ID-3 n ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 M/p CTL-3 p"},
	{"pdns-recursor-abused", "ID-1 p/p ID-2 L ID-3 n ID-4 n ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 M/p CTL-3 p"},
	{"dnsmasq-abused", "ID-1 p/p ID-2 L ID-3 n ID-4 L ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"fwd-recursive", "ID-1 p/p ID-3 I ID-4 p"},
	{"dnsdist-abused", "CTL-1 M/p CTL-2 M/p"},
	{"referral", "ID-1 p/p ID-3 p"},
	{"ssh53", "ID-1 p/H"},
	{"tls53", "ID-1 p/H"},
	{"http53", "ID-1 p/M"},
	{"smtp53", "ID-1 p/M"},
	{"openvpn53", "ID-1 H/p"},
	{"quic53", "ID-1 H/p"},
	{"silent", "ID-1 n/n ENC-1 n/n/n MDN-1 n CTL-1 n CTL-2 n CTL-3 n"},
	{"closed", "ID-1 p/p ENC-1 n/n/n MDN-1 p CTL-1 p CTL-2 p CTL-3 p"},
	{"acceptall", "ID-1 p/n"},
	{"mdns", "MDN-1 M"},
	{"adguard-setup", "CTL-2 p/p CTL-3 C"},
	{"adguard-ready", "CTL-2 p/p CTL-3 p"},
	{"technitium-default", "CTL-2 p/p CTL-3 p CTL-4 C/p"},
	{"technitium-changed", "CTL-2 p/p CTL-3 p CTL-4 p/p"},
}

func TestIdentityChecksInTheLab(t *testing.T) {
	l := lab.New(t, lab.Options{})
	kinds := make([]string, len(identityWant))
	for i, row := range identityWant {
		kinds[i] = row.kind
	}
	hosts := l.StartAll(t, kinds...)
	// Most of the time is waiting, so more run at once than there are processors.
	var wg sync.WaitGroup
	slots := make(chan struct{}, 12)
	for _, row := range identityWant {
		for _, addr := range []netip.Addr{hosts[row.kind].V4, hosts[row.kind].V6} {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				for _, complaint := range wrongIdentity(t, addr, row.want) {
					t.Errorf("%s %s: %s", row.kind, addr, complaint)
				}
			})
		}
	}
	wg.Wait()
}

// wrongIdentity runs the checks that want names on one address and says what
// is not as wanted.
func wrongIdentity(t *testing.T, addr netip.Addr, want string) (complaints []string) {
	t.Helper()
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	wanted := map[string]string{}
	words := strings.Fields(want)
	for i := 0; i < len(words); i += 2 {
		wanted[words[i]] = words[i+1]
	}
	checks, err := dnscheck.Select(dnscheck.Catalogue(), dnscheck.Standard, slices.Collect(maps.Keys(wanted)), nil)
	if err != nil {
		return []string{err.Error()}
	}
	w := newWatcher(addr)
	server := dnscheck.Server{Addr: addr, Observe: w.observe}
	for _, via := range []exposure.Transport{exposure.UDP, exposure.TCP} {
		if o := w.observe(t.Context(), via, 53); o.Service != nil && o.Service.Protocol == identify.DNS {
			server.Spoken = append(server.Spoken, via)
		}
	}
	d := dialogue.New(w.dialer, addr, dialogue.Options{})
	if len(server.Spoken) > 0 {
		identity := w.identifier.DNS(t.Context(), d, server.Spoken)
		server.Identity = &identity
	}
	s := dnscheck.NewSession(d, server, dnscheck.Options{Dial: w.dialer, OnLink: w.dialer.OnLink, Credentials: true})
	ran := dnscheck.Run(t.Context(), s, checks, nil)
	for _, r := range ran {
		var got []string
		for _, o := range r.Outcomes {
			got = append(got, letter(r.Check, o))
			if o.Status == exposure.Errored || o.Reason == "" || o.Status == exposure.Fail && len(o.Evidence) == 0 {
				complain("%s: %+v", r.Check.ID, o)
			}
		}
		if strings.Join(got, "/") != wanted[r.Check.ID] {
			complain("%s: %s, want %s: %s", r.Check.ID, strings.Join(got, "/"), wanted[r.Check.ID], reasons(r.Outcomes))
		}
	}
	return complaints
}

func letter(c dnscheck.Check, o dnscheck.Outcome) string {
	if o.Status != exposure.Fail {
		return string(o.Status[0])
	}
	severity := o.Severity
	if severity == "" {
		severity = c.Severity
	}
	return strings.ToUpper(string(severity[0]))
}

// watcher measures ports when they are asked for, each once, and only those
// of the group "dns".
type watcher struct {
	addr       netip.Addr
	dialer     *dial.Dialer
	identifier *identify.Identifier
	mu         sync.Mutex
	seen       map[exposure.Target]func() exposure.Observation
}

func newWatcher(addr netip.Addr) *watcher {
	d := dial.New(dial.Options{})
	return &watcher{addr: addr, dialer: d, identifier: identify.New(d, d, recog.New(), identify.Options{}), seen: map[exposure.Target]func() exposure.Observation{}}
}

func (w *watcher) observe(ctx context.Context, via exposure.Transport, port uint16) exposure.Observation {
	t := exposure.Target{Addr: w.addr, Transport: via, Port: port}
	if !netset.DNSPorts().Contains(via, port) {
		return exposure.Observation{Target: t, State: exposure.Unmeasured}
	}
	w.mu.Lock()
	measure, ok := w.seen[t]
	if !ok {
		measure = sync.OnceValue(func() exposure.Observation { return w.measure(ctx, t) })
		w.seen[t] = measure
	}
	w.mu.Unlock()
	return measure()
}

func (w *watcher) measure(ctx context.Context, t exposure.Target) exposure.Observation {
	if t.Transport == exposure.TCP {
		o := w.dialer.Connect(ctx, t, time.Second)
		if o.State == exposure.Open && t.Port == 53 {
			s := w.identifier.TCP(ctx, t)
			o.Service = &s
		}
		return o
	}
	o := exposure.Observation{Target: t, State: exposure.OpenFiltered}
	if t.Port != 53 { // hosts limit their ICMP errors, so the first packet must do
		a := dialogue.New(w.dialer, w.addr, dialogue.Options{Timeout: 500 * time.Millisecond}).AskPort(ctx, exposure.UDP, t.Port, identify.NSIDQuery())
		if a.Reply.Reason == exposure.ReasonPortUnreachable {
			o.State, o.Reason = exposure.Closed, a.Reply.Reason
			return o
		}
	}
	if s := w.identifier.UDP(ctx, t); s.Protocol != identify.Unknown {
		o.State, o.Service = exposure.Open, &s
	} else if a := dialogue.New(w.dialer, w.addr, dialogue.Options{Timeout: 500 * time.Millisecond}).AskPort(ctx, exposure.UDP, t.Port, identify.NSIDQuery()); a.Reply.Reason == exposure.ReasonPortUnreachable {
		o.State, o.Reason = exposure.Closed, a.Reply.Reason
	}
	return o
}
