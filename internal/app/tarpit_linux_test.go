//go:build linux

package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reconshield/internal/app"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
	"reconshield/internal/report"
)

// serve runs fn for every connection to a port of the lab's host.
func serve(t *testing.T, h *lab.Host, port int, fn func(net.Conn)) {
	t.Helper()
	l, err := h.Listen("tcp", fmt.Sprintf("[::]:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go answer(l, fn)
}

func answer(l net.Listener, fn func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { defer c.Close(); fn(c) }()
	}
}

// What only shakes hands is told apart by a whole assessment, over both
// versions of IP, and shown in every form that shows ports.
func TestAssessTellsTarpits(t *testing.T) {
	l := newLab(t)
	single, snare, proxy := l.Host(t, "tarpits"), l.Host(t, "snare"), l.Host(t, "synproxy")
	mute := func(net.Conn) { <-t.Context().Done() }
	var tried atomic.Bool // the server that proves what it is
	for port, fn := range map[int]func(net.Conn){
		2200: func(c net.Conn) {
			_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"))
			if b, _ := io.ReadAll(c); bytes.Contains(b, []byte("GET ")) {
				tried.Store(true)
			}
		},
		2201: mute, 2202: mute, 2203: mute, 2207: mute,
		2204: lab.Dribble(600*time.Millisecond, "", "k2\r\n"),
		2205: lab.Dribble(300*time.Millisecond, "SSH-2.0-", "x"),
		2206: func(net.Conn) {},
	} {
		serve(t, single, port, fn)
	}
	single.NFT(t, `table inet tarpit {
chain in { type filter hook input priority -150; policy accept; tcp dport { 2203, 2207 } tcp flags & (syn | rst) == 0 drop; }
chain out {
type filter hook output priority 0; policy accept;
tcp sport 2202 tcp flags & rst == 0 tcp window set 0
tcp sport 2203 tcp flags & rst == 0 tcp window set 10
}
}`)
	serve(t, snare, 2202, mute)
	snare.NFT(t, `table inet snare {
chain nat { type nat hook prerouting priority -100; policy accept; tcp dport 1-65535 redirect to :2202; }
chain out { type filter hook output priority 0; policy accept; tcp sport 2202 tcp flags & rst == 0 tcp window set 0; }
}`)
	proxy.NFT(t, `table inet proxy {
chain raw { type filter hook prerouting priority raw; policy accept; tcp dport 2202 tcp flags & (syn | ack) == syn notrack; }
chain in {
type filter hook input priority filter; policy accept;
tcp dport 2202 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
tcp dport 2202 ct state invalid drop
tcp dport 2202 drop
}
}`)
	unproven, tarpit, both := "unproven", "tarpit", "accepts-every-port tarpit"
	ports := []struct {
		host           *lab.Host
		port           uint16
		labels, detail string
	}{
		{single, 2200, "", ""},
		{single, 2201, unproven, "it takes what is sent and says nothing"},
		{single, 2202, tarpit, "a window of 0 bytes"},
		{single, 2203, tarpit, "a window of "},
		{single, 2204, tarpit, "comes to no end"},
		{single, 2205, tarpit, "comes to no end"},
		{single, 2206, unproven, "without a word"},
		{single, 2207, unproven, "as behind a SYN proxy"},
		{snare, 2200, both, "of 0 bytes"},
		{snare, 2206, both, "of 0 bytes"},
		{proxy, 2202, tarpit, "or a SYN proxy with nothing behind it"},
	}
	o := app.Options{Ports: "T:2200-2207", Only: []string{"ID-1"}}
	for _, h := range []*lab.Host{single, snare, proxy} {
		o.Targets = append(o.Targets, h.V4.String(), h.V6.String())
	}
	a := assess(t, o)
	seen, ofHost := map[netip.AddrPort]exposure.Observation{}, map[netip.Addr]string{}
	for _, asset := range a.Assets {
		ofHost[asset.Address] = words(asset.Labels)
		for _, p := range asset.Ports {
			seen[p.AddrPort()] = p.Observation
		}
	}
	for _, c := range ports {
		for _, addr := range []netip.Addr{c.host.V4, c.host.V6} {
			got := seen[netip.AddrPortFrom(addr, c.port)]
			if got.State != exposure.Open || words(got.Labels) != c.labels || !strings.Contains(got.Detail, c.detail) {
				t.Errorf("%s port %d: %s, labels %q, want %q; detail %q, want %q", addr, c.port, got.State, words(got.Labels), c.labels, got.Detail, c.detail)
			}
		}
	}
	if s := seen[netip.AddrPortFrom(single.V4, 2205)].Service; s == nil || s.Confidence != exposure.Low {
		t.Errorf("a greeting without end names its service for sure: %+v", s)
	}
	for h, want := range map[*lab.Host]string{single: "", snare: both, proxy: ""} {
		if ofHost[h.V4] != want || ofHost[h.V6] != want {
			t.Errorf("%s is called %q and %q, want %q", h.Name, ofHost[h.V4], ofHost[h.V6], want)
		}
	}
	if tried.Load() {
		t.Error("a server that proved what it is was tried, too")
	}
	shown(t, a)
}

// words are the labels in one line.
func words(labels []exposure.Label) string {
	var all []string
	for _, l := range labels {
		all = append(all, string(l))
	}
	return strings.Join(all, " ")
}

// shown checks that each form of the report that shows ports names tarpits.
func shown(t *testing.T, a *exposure.Assessment) {
	t.Helper()
	for _, format := range report.Formats() {
		var b strings.Builder
		if err := report.Write(&b, format, a, report.Options{}); err != nil {
			t.Fatal(err)
		}
		if format != report.SARIF && !strings.Contains(strings.ToLower(b.String()), "tarpit") { // SARIF holds findings only
			t.Errorf("%s does not say that there are tarpits:\n%s", format, b.String())
		}
	}
}

// cancelAtTrial cancels the run when a port is about to be tried.
type cancelAtTrial struct {
	once   sync.Once
	cancel context.CancelFunc
	at     time.Time
}

func (c *cancelAtTrial) Stage(string, int) {}
func (c *cancelAtTrial) Add(int)           {}
func (c *cancelAtTrial) Note(text string) {
	if strings.Contains(text, "tarpit") {
		c.once.Do(func() { c.at = time.Now(); c.cancel() })
	}
}

// A run that is cancelled while ports are tried ends at once, and calls nothing
// a tarpit.
func TestCancelledTrials(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	over := make(chan struct{})
	defer close(over)
	go answer(l, func(net.Conn) { <-over })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	progress := &cancelAtTrial{cancel: cancel}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	run, err := app.New(ctx, app.Options{Targets: []string{"127.0.0.1"}, Ports: "T:" + port, Only: []string{"ID-1"}, Progress: progress})
	if err != nil {
		t.Fatal(err)
	}
	a, err := run.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(progress.at); progress.at.IsZero() || took > time.Second {
		t.Errorf("ended %s after it was cancelled", took)
	}
	p := a.Assets[0].Ports[0]
	if !a.Partial || words(p.Labels) != "unproven" || p.Detail != "" {
		t.Errorf("partial %t, %+v", a.Partial, p)
	}
}
