package dial_test

import (
	"net/netip"
	"testing"
	"time"

	"reconshield/internal/dial"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

func target(a netip.AddrPort) exposure.Target {
	return exposure.Target{Addr: a.Addr(), Transport: exposure.TCP, Port: a.Port()}
}

func TestConnect(t *testing.T) {
	for _, host := range loopbacks() {
		_, open := listenTCP(t, host)
		tests := []struct {
			name   string
			server netip.AddrPort
			state  exposure.State
			reason exposure.Reason
		}{
			{"open", open, exposure.Open, exposure.ReasonSynAck},
			{"closed", freePort(t, host, exposure.TCP), exposure.Closed, exposure.ReasonReset},
		}
		for _, tt := range tests {
			t.Run(host+" "+tt.name, func(t *testing.T) {
				d := dial.New(dial.Options{})
				before := time.Now()
				got := d.Connect(t.Context(), target(tt.server), long)
				if got.State != tt.state || got.Reason != tt.reason || got.Attempts != 1 || got.Target != target(tt.server) {
					t.Fatalf("got %s %s after %d attempts: %s", got.State, got.Reason, got.Attempts, got.Detail)
				}
				if got.RTT <= 0 || got.RTT > time.Since(before) || got.At.Before(before) {
					t.Errorf("RTT %s at %s", got.RTT, got.At)
				}
				r := d.Exchange(t.Context(), exchange.Request{Server: tt.server, Transport: exposure.TCP})
				if r.Reason != tt.reason || r.Answered() {
					t.Errorf("an exchange without payload: %s", r.Reason)
				}
			})
		}
	}
}
