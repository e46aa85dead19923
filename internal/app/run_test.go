//go:build linux

package app_test

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"reconshield/internal/app"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
)

// cancelAfter cancels the run at the first sign of progress.
type cancelAfter struct {
	once   sync.Once
	cancel context.CancelFunc
}

func (c *cancelAfter) Stage(string, int) {}
func (c *cancelAfter) Note(string)       {}
func (c *cancelAfter) Add(int)           { c.once.Do(c.cancel) }

func TestInterruptedRunSaysThatItIsPartial(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // what an earlier test is still putting away is not ours
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	run, err := app.New(ctx, app.Options{Targets: []string{"127.0.0.1", "127.0.1.0/24"}, Ports: "dns", Progress: &cancelAfter{cancel: cancel}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := run.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Partial {
		t.Error("not marked partial")
	}
	for _, asset := range a.Assets {
		for _, c := range asset.Checks {
			if c.Status == exposure.Pass && c.ID != "ID-1" && !strings.Contains(c.Reason, "closed") {
				t.Errorf("%s %s passes in an interrupted run: %s", asset.Address, c.ID, c.Reason)
			}
		}
	}
	if len(a.Unmeasured) == 0 || !strings.Contains(a.Unmeasured[0].Why, "interrupted") {
		t.Errorf("the report does not say that it was interrupted: %+v", a.Unmeasured)
	}
}

func TestInterceptionIsExposed(t *testing.T) {
	l := newLab(t)
	l.StartAll(t, "intercepted-a", "intercepted-b", "unbound-abused")
	tests := []struct {
		name   string
		target string
		o      app.Options
		want   string
	}{
		{"a network behind a middlebox", "198.51.100.32/27", app.Options{}, "detected"},
		{"the same over IPv6", "2001:db8:51::20-2001:db8:51::3f", app.Options{}, "detected"},
		{"one host and a control address", l.Host(t, "intercepted-a").V4.String(), app.Options{Control: "198.51.100.9"}, "detected"},
		{"a real server among quiet addresses", "192.0.2.16/28", app.Options{}, "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Targets, tt.o.Ports, tt.o.Only = []string{tt.target}, "53,8053", []string{"ID-1"}
			a := assess(t, tt.o)
			if a.Interceptor != tt.want {
				t.Errorf("interception %q, want %q; gaps %+v", a.Interceptor, tt.want, a.Unmeasured)
			}
			for _, asset := range a.Assets {
				for _, p := range asset.Ports {
					if tt.want == "detected" && p.Port == 53 && p.State == exposure.Open && len(p.Labels) == 0 {
						t.Errorf("%s/%d of %s is called open without saying so", p.Transport, p.Port, asset.Address)
					}
				}
			}
		})
	}
}

func TestExclusionsAreNotSentTo(t *testing.T) {
	l := newLab(t)
	excluded := l.Host(t, "excluded")
	excluded.NFT(t, "table inet count { counter seen {}\n chain in { type filter hook prerouting priority raw; udp dport 53 counter name seen drop\n tcp flags syn counter name seen drop\n }\n}")
	_ = assess(t, app.Options{Targets: []string{netip.PrefixFrom(excluded.V4, 29).String()}, Exclude: []string{excluded.V4.String()}})
	out := excluded.Run(t, "nft", "list", "counters")
	<-out.Done()
	if !strings.Contains(out.Log(), "packets 0 ") {
		t.Errorf("the excluded address was sent to:\n%s", out.Log())
	}
}

// cancelWhen cancels the run when a check of the host has run.
type cancelWhen struct {
	text   string
	once   sync.Once
	cancel context.CancelFunc
}

func (c *cancelWhen) Stage(string, int) {}
func (c *cancelWhen) Add(int)           {}
func (c *cancelWhen) Note(text string) {
	if strings.HasPrefix(text, c.text) {
		c.once.Do(c.cancel)
	}
}

func TestInterruptedRunListsEveryAddressOnce(t *testing.T) {
	l := newLab(t)
	h := l.Start(t, "bind-auth-abused")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	run, err := app.New(ctx, app.Options{Targets: []string{lab.Servers4}, Progress: &cancelWhen{text: h.V4.String(), cancel: cancel}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := run.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[netip.Addr]bool{}
	for _, asset := range a.Assets {
		if seen[asset.Address] {
			t.Errorf("%s stands twice", asset.Address)
		}
		seen[asset.Address] = true
	}
	if !seen[h.V4] {
		t.Errorf("%s, which was being checked, is missing", h.V4)
	}
}
