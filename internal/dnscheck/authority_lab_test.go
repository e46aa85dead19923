//go:build linux

package dnscheck_test

import (
	"net/netip"
	"strings"
	"sync"
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnscheck"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/identify"
	"reconshield/internal/lab"
)

// authorityWant is what each server must show: letters as in identityWant, one
// for each outcome: zones in their order, UDP before TCP. "a|b" is for IPv4
// and IPv6.
var authorityWant = []struct{ kind, zones, want string }{
	{"bind-auth-safe", "example.test", "XFR-1 p XFR-2 p UPD-1 p/p NTF-1 n REC-3 p/p AMP-1 M AMP-2 p RRL-1 p SEC-2 n SEC-3 n TCP-1 p EDNS-1 p COO-1 p WLD-1 p PRV-1 p/p"},
	{"bind-auth-abused", "example.test wild.test private.test weak.test nsec3.test notify.test", "XFR-1 H/H/H/H/H/H XFR-2 H/H/H/H/H/H UPD-1 C/C/C/C/C/C/p/p/p/p/p/p NTF-1 n/n/n/n/n/L REC-3 p/p AMP-1 M AMP-2 L/L/L/L/L/L RRL-1 L SEC-2 n/n/n/L/p/n SEC-3 n/n/n/H/L/n TCP-1 p EDNS-1 p COO-1 p WLD-1 p/L/p/p/p/p PRV-1 p/p/M/p/p/p/M"},
	{"bind-update-policy", "example.test", "XFR-1 p XFR-2 p UPD-1 p/n NTF-1 n REC-3 p/p AMP-2 p EDNS-1 p COO-1 p"},
	{"bind-old-update", "example.test", "XFR-1 n XFR-2 n UPD-1 H/H NTF-1 p REC-3 p/p AMP-1 p AMP-2 n RRL-1 L SEC-2 n SEC-3 n TCP-1 p EDNS-1 L COO-1 I WLD-1 n PRV-1 p/p"},
	{"knot-safe", "example.test", "XFR-1 p XFR-2 p UPD-1 p/p NTF-1 p REC-3 p/p AMP-1 M AMP-2 p RRL-1 L SEC-2 n SEC-3 n TCP-1 p EDNS-1 p COO-1 I WLD-1 p PRV-1 p/p"},
	{"knot-abused", "example.test ed.test notify.test private.test", "XFR-1 H/H/H/H XFR-2 H/H/H/H UPD-1 C/C/C/C/p/p/C/C NTF-1 n/n/L/n REC-3 p/p AMP-1 M AMP-2 p/p/p/p RRL-1 L SEC-2 n/p/n/n SEC-3 n/p/n/n TCP-1 p EDNS-1 p COO-1 I WLD-1 p/p/p/p PRV-1 p/p/p/M/M"},
	{"knot-modules", "example.test", "XFR-1 p XFR-2 p UPD-1 p/p NTF-1 p SEC-2 p SEC-3 p TCP-1 p COO-1 p WLD-1 p PRV-1 p/p"},
	{"nsd-safe", "example.test", "XFR-1 p XFR-2 p UPD-1 p/p NTF-1 p REC-3 p/p AMP-1 M AMP-2 p RRL-1 L SEC-2 n SEC-3 n TCP-1 p EDNS-1 p COO-1 I WLD-1 p PRV-1 p/p"},
	{"nsd-abused", "example.test private.test wild.test", "XFR-1 H/H/H XFR-2 H/H/H UPD-1 p/p/p/p/p/p NTF-1 p/p/p REC-3 p/p AMP-1 M AMP-2 p/p/p RRL-1 L SEC-2 n/n/n SEC-3 n/n/n TCP-1 p EDNS-1 p COO-1 I WLD-1 p/p/L PRV-1 p/M/p/M"},
	{"pdns-auth-safe", "example.test", "XFR-1 p XFR-2 p UPD-1 p/p NTF-1 p REC-3 p/p AMP-1 M AMP-2 p RRL-1 L SEC-2 n SEC-3 n TCP-1 p EDNS-1 p COO-1 I WLD-1 p PRV-1 p/p"},
	{"pdns-auth-abused", "example.test private.test wild.test", "XFR-1 H/H/H XFR-2 H/H/H UPD-1 C/C/C/C/C/C NTF-1 p/p/p REC-3 p/p AMP-1 M AMP-2 p/p/p RRL-1 L SEC-2 n/n/n SEC-3 n/n/n TCP-1 p EDNS-1 p COO-1 I WLD-1 p/p/L PRV-1 p/M/p/M"},
	// dnsmasq answers the second of two pipelined questions at times only.
	{"dnsmasq-auth", "example.test", "XFR-1 n/p XFR-2 H/p UPD-1 n/p/n/p NTF-1 n/n REC-3 p/p AMP-1 p AMP-2 n/p RRL-1 L SEC-2 n/n SEC-3 n/n EDNS-1 L COO-1 I WLD-1 p/n PRV-1 L/p/M"},
	{"referral", "example.test", "XFR-1 n XFR-2 n UPD-1 n/n NTF-1 n REC-3 L/L AMP-1 L AMP-2 n RRL-1 L SEC-2 n SEC-3 n TCP-1 p EDNS-1 L COO-1 I WLD-1 n PRV-1 p/p"},
	{"old-server", "example.test", "XFR-1 n XFR-2 n UPD-1 p/p NTF-1 p REC-3 p/p AMP-1 p AMP-2 n SEC-2 n SEC-3 n TCP-1 L EDNS-1 L COO-1 n WLD-1 n PRV-1 p/p"},
	{"yes-man", "example.test", "XFR-1 n XFR-2 n UPD-1 n NTF-1 n REC-3 p/p AMP-1 p AMP-2 n RRL-1 n SEC-2 n SEC-3 n EDNS-1 L WLD-1 n PRV-1 n/p"},
	{"tc-only", "example.test", "XFR-1 n XFR-2 n UPD-1 n NTF-1 n REC-3 n/n AMP-1 p AMP-2 n RRL-1 n SEC-2 n SEC-3 n TCP-1 L WLD-1 n"},
	{"short-refuser", "example.test", "XFR-1 n XFR-2 n UPD-1 n NTF-1 n REC-3 p/p AMP-1 p AMP-2 n RRL-1 n SEC-2 n SEC-3 n TCP-1 p EDNS-1 n COO-1 n WLD-1 n PRV-1 n/p"},
	{"unbound-safe", "", "XFR-1 n UPD-1 n REC-3 p/p AMP-1 p AMP-2 n SEC-2 n SEC-3 n TCP-1 p EDNS-1 n COO-1 n WLD-1 n PRV-1 n/p"},
	{"unbound-abused", "", "XFR-1 n UPD-1 n REC-3 n/n AMP-1 L AMP-2 n SEC-2 n SEC-3 n TCP-1 p EDNS-1 p COO-1 I WLD-1 n PRV-1 n/p"},
	{"bind-resolver-safe", "", "XFR-1 n UPD-1 n REC-3 p/p AMP-1 n AMP-2 n SEC-2 n SEC-3 n TCP-1 p EDNS-1 n COO-1 p WLD-1 n PRV-1 n/p"},
	{"bind-resolver-abused", "", "XFR-1 n UPD-1 n REC-3 n/n AMP-1 H AMP-2 n SEC-2 n SEC-3 n TCP-1 p EDNS-1 p COO-1 p WLD-1 n PRV-1 n/p"},
	{"pdns-recursor-abused", "", "XFR-1 n UPD-1 n REC-3 n/n AMP-1 L AMP-2 n SEC-2 n SEC-3 n TCP-1 p EDNS-1 p COO-1 I WLD-1 n PRV-1 n/p"},
	{"dnsmasq-abused", "", "XFR-1 n UPD-1 n REC-3 n/n AMP-1 L AMP-2 n SEC-2 n SEC-3 n TCP-1 p EDNS-1 p COO-1 I WLD-1 n PRV-1 n/p"},
}

// authorityIDs are the checks of this side; those that must be named run after them.
const authorityIDs = "XFR-1 UPD-1 REC-3 AMP-1 AMP-2 SEC-2 SEC-3 TCP-1 EDNS-1 COO-1 WLD-1 PRV-1"

func TestAuthorityChecksInTheLab(t *testing.T) {
	l := lab.New(t, lab.Options{})
	kinds := make([]string, len(authorityWant))
	for i, row := range authorityWant {
		kinds[i] = row.kind
	}
	hosts := l.StartAll(t, kinds...)
	got := make([][2]map[string]dnscheck.Ran, len(authorityWant))
	var wg sync.WaitGroup
	gate := make(chan struct{}, 6) // most of the time is waiting, so more than there are processors
	for i, row := range authorityWant {
		for j, addr := range []netip.Addr{hosts[row.kind].V4, hosts[row.kind].V6} {
			wg.Go(func() {
				gate <- struct{}{}
				defer func() { <-gate }()
				got[i][j] = authorityShown(t, addr, row.zones)
			})
		}
	}
	wg.Wait()
	for i, row := range authorityWant {
		for j, family := range []string{"IPv4", "IPv6"} {
			t.Run(row.kind+"/"+family, func(t *testing.T) {
				for id, want := range authorityExpected(row.want, j) {
					r := got[i][j][id]
					if shown := letters(t, r); shown != want {
						t.Errorf("%s: %s, want %s: %s", id, shown, want, reasons(r.Outcomes))
					}
				}
			})
		}
	}
}

func authorityExpected(want string, family int) map[string]string {
	out := map[string]string{}
	words := strings.Fields(want)
	for i := 0; i+1 < len(words); i += 2 {
		either := strings.Split(words[i+1], "|")
		out[words[i]] = either[min(family, len(either)-1)]
	}
	return out
}

// authorityShown runs the checks against one address.
func authorityShown(t *testing.T, addr netip.Addr, zones string) map[string]dnscheck.Ran {
	t.Helper()
	return authorityRun(t, addr, zones, authorityIDs, "RRL-1 XFR-2 NTF-1")
}

// authorityRun runs the checks of each step, one step after the other.
func authorityRun(t *testing.T, addr netip.Addr, zones string, steps ...string) map[string]dnscheck.Ran {
	t.Helper()
	w := newWatcher(addr)
	server := dnscheck.Server{Addr: addr, Observe: w.observe}
	for _, via := range []exposure.Transport{exposure.UDP, exposure.TCP} {
		if o := w.observe(t.Context(), via, 53); o.Service != nil && o.Service.Protocol == identify.DNS {
			server.Spoken = append(server.Spoken, via)
		}
	}
	d := dialogue.New(w.dialer, addr, dialogue.Options{})
	identity := w.identifier.DNS(t.Context(), d, server.Spoken)
	server.Identity = &identity
	s := dnscheck.NewSession(d, server, dnscheck.Options{Zones: strings.Fields(zones)})
	shown := map[string]dnscheck.Ran{}
	for _, ids := range steps {
		checks, err := dnscheck.Select(dnscheck.Catalogue(), dnscheck.Intrusive, strings.Fields(ids), nil)
		if err != nil {
			t.Error(err)
		}
		ran := dnscheck.Run(t.Context(), s, checks, nil)
		for _, r := range ran {
			shown[r.Check.ID] = r
		}
	}
	return shown
}

// letters of the outcomes of a check; an outcome that says nothing or a
// finding without evidence is an error.
func letters(t *testing.T, r dnscheck.Ran) string {
	t.Helper()
	got := make([]string, len(r.Outcomes))
	for i, o := range r.Outcomes {
		got[i] = letter(r.Check, o)
		if o.Status == exposure.Errored || o.Reason == "" || o.Status == exposure.Fail && len(o.Evidence) == 0 {
			t.Errorf("%s: %+v", r.Check.ID, o)
		}
	}
	return strings.Join(got, "/")
}

// TestUpdateChangesNothing: the zone is the same before and after UPD-1 and
// NTF-1 on servers that would have taken a change.
func TestUpdateChangesNothing(t *testing.T) {
	l := lab.New(t, lab.Options{})
	kinds := []string{"bind-auth-abused", "knot-abused", "pdns-auth-abused"}
	hosts := l.StartAll(t, kinds...)
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newWatcher(hosts[kind].V4)
			d := dialogue.New(w.dialer, hosts[kind].V4, dialogue.Options{})
			content := func() string {
				q := dnswire.Query{Name: "example.test", Type: dnswire.TypeSOA}
				a := d.Fresh(t.Context(), exposure.TCP, 53, q, nil)
				if a.Msg == nil || len(a.Msg.Answer) == 0 {
					t.Fatal(a.Outcome())
				}
				return a.Msg.Answer[0].String()
			}
			before := content()
			s := dnscheck.NewSession(d, dnscheck.Server{Addr: hosts[kind].V4, Spoken: []exposure.Transport{exposure.UDP, exposure.TCP}},
				dnscheck.Options{Zones: []string{"example.test"}})
			checks, err := dnscheck.Select(dnscheck.Catalogue(), dnscheck.Intrusive, []string{"UPD-1", "NTF-1"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := letters(t, dnscheck.Run(t.Context(), s, checks, nil)[0]); !strings.HasPrefix(got, "C/C") {
				t.Errorf("UPD-1 %s: the server takes no updates, so nothing is shown", got)
			}
			if after := content(); after != before {
				t.Errorf("the zone changed:\n%s\n%s", before, after)
			}
		})
	}
}
