package app

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

func TestVerdictOfTrial(t *testing.T) {
	unproven, tarpit, all := exposure.LabelUnproven, exposure.LabelTarpit, exposure.LabelAcceptsAll
	unknown := exposure.Service{Protocol: "unknown", Confidence: exposure.Low}
	begun := exposure.Service{Protocol: "ssh", How: "server banner", Banner: "SSH-2.0-x", Confidence: exposure.High}
	held, silent := dial.Trial{Outcome: dial.Tarpit, Detail: "held"}, dial.Trial{Outcome: dial.Silent, Detail: "mum"}
	for _, c := range []struct {
		name    string
		service *exposure.Service
		labels  []exposure.Label // before
		how     func(exposure.Observation, dial.Trial) exposure.Observation
		trial   dial.Trial
		want    []exposure.Label
		detail  string
		sure    exposure.Confidence
	}{
		{"tarpit", &unknown, nil, weighed, held, []exposure.Label{tarpit}, "held", exposure.Low},
		{"tarpit, called unproven before", &unknown, []exposure.Label{unproven}, weighed, held, []exposure.Label{tarpit}, "held", exposure.Low},
		{"silent", &unknown, nil, weighed, silent, []exposure.Label{unproven}, "nothing proves what listens: mum", exposure.Low},
		{"silent, called unproven before", &unknown, []exposure.Label{unproven}, weighed, silent, []exposure.Label{unproven}, "nothing proves what listens: mum", exposure.Low},
		{"nothing learnt", &unknown, nil, weighed, dial.Trial{}, []exposure.Label{unproven}, "no payload exchange proved that anything listens", exposure.Low},
		{"greets without end", &begun, nil, weighed, held, []exposure.Label{tarpit}, "held", exposure.Low},
		{"greets and waits", &begun, nil, weighed, silent, nil, "before", exposure.High},
		{"every port a tarpit", nil, []exposure.Label{all}, snared, held, []exposure.Label{all, tarpit}, "before; held", ""},
		{"the same, looked at before", &unknown, []exposure.Label{unproven, all}, snared, held, []exposure.Label{all, tarpit}, "before; held", exposure.Low},
		{"every port open, no tarpit", &unknown, []exposure.Label{all}, snared, silent, []exposure.Label{all}, "before", exposure.Low},
	} {
		got := c.how(exposure.Observation{Labels: c.labels, Detail: "before", Service: c.service}, c.trial)
		var sure exposure.Confidence
		if got.Service != nil {
			sure = got.Service.Confidence
		}
		if diff := cmp.Diff(c.want, got.Labels); diff != "" || got.Detail != c.detail || sure != c.sure {
			t.Errorf("%s: detail %q, confidence %q\n%s", c.name, got.Detail, sure, diff)
		}
	}
	if begun.Confidence != exposure.High {
		t.Error("the service of the caller was changed")
	}
}

// A host is tried at a few ports only, and at none that proved what it is.
func TestPortsTried(t *testing.T) {
	const ports = triedPorts + 4
	ssh := &exposure.Service{Protocol: "ssh", How: "server banner", Banner: "SSH-2.0-x\r\n"}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name    string
		ctx     context.Context //nolint:containedctx // one row of a table
		service *exposure.Service
		state   exposure.State
		labels  []exposure.Label // of the host
		want    int64
	}{
		{"nothing proven", t.Context(), &exposure.Service{Protocol: "unknown"}, exposure.Open, nil, triedPorts},
		{"not looked at", t.Context(), nil, exposure.Open, nil, triedPorts},
		{"begins to greet", t.Context(), &exposure.Service{Protocol: "ssh", How: "server banner", Banner: "SSH-2.0-x"}, exposure.Open, nil, triedPorts},
		{"accepts every port", t.Context(), nil, exposure.Open, []exposure.Label{exposure.LabelAcceptsAll}, 1},
		{"accepts every port, all proven", t.Context(), ssh, exposure.Open, []exposure.Label{exposure.LabelAcceptsAll}, 0},
		{"proven", t.Context(), ssh, exposure.Open, nil, 0},
		{"closed", t.Context(), nil, exposure.Closed, nil, 0},
		{"cancelled", cancelled, nil, exposure.Open, nil, 0},
	} {
		var accepted atomic.Int64
		h := newHost(netip.MustParseAddr("127.0.0.1"), nil, netset.PortSet{})
		h.labels = c.labels
		for range ports {
			h.add(exposure.Observation{
				Target: exposure.Target{Addr: h.addr, Transport: exposure.TCP, Port: hangsUp(t, &accepted)},
				State:  c.state, Labels: c.labels, Service: c.service,
			})
		}
		a := &App{
			plan: &plan{opts: withDefaults(Options{})}, dialer: dial.New(dial.Options{}), limiter: rate.NewLimiter(rate.Inf, 1),
		}
		newRun(a).tryPorts(c.ctx, h)
		if got := accepted.Load(); got != c.want {
			t.Errorf("%s: %d ports of %d were tried, want %d", c.name, got, ports, c.want)
		}
	}
}

// hangsUp opens a TCP port that counts its connections and ends each at once.
func hangsUp(t *testing.T, accepted *atomic.Int64) uint16 {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			c.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}
