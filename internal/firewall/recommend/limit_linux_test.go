package recommend_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
)

// TestLimit has one source ask too much: it is shut out and others are not.
func TestLimit(t *testing.T) {
	for _, format := range []string{"nftables", "iptables"} {
		t.Run(format, func(t *testing.T) {
			plan := plans(t)["limited"]
			plan.Limit = &firewall.RateLimit{PerSecond: 1, Burst: 20}
			r := newRig(t, plan.Place)
			r.serve(t, "host", "asset", []string{asset4, asset6}, []uint16{53})
			load(t, r, format, render(t, format, plan))
			for _, side := range []struct{ target, other string }{{asset4, "10.0.0.2"}, {asset6, "fd00:10::2"}} {
				begin := time.Now()
				flood(t, r, side.target)
				// An answer proves that everything before it has been judged.
				r.attempt(t, []probe{{from: "lan", source: side.other, to: side.target, port: 53, proto: exposure.UDP, want: "asset", why: "somebody else"}})
				got := 0
				r.received.Range(func(key, _ any) bool {
					if text, ok := key.(string); ok && strings.HasPrefix(text, "flood "+side.target) {
						got++
					}
					return true
				})
				// The bucket gains one a second; one more for its rounding.
				if most := 21 + int(time.Since(begin).Seconds()); got < 20 || got > most {
					t.Errorf("%s: %d of 200 came through, want 20 to %d", side.target, got, most)
				}
			}
		})
	}
}

func flood(t *testing.T, r *rig, target string) {
	t.Helper()
	err := r.spaces["wan"].Do(func() error {
		for i := range 200 {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "udp", net.JoinHostPort(target, "53"))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(conn, "flood %s %d", target, i)
			_ = conn.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestESP has packets of IPsec come in where the plan lets them: they have no
// ports, so nothing else tries them.
func TestESP(t *testing.T) {
	for _, format := range []string{"nftables", "iptables", "firewalld"} {
		t.Run(format, func(t *testing.T) {
			plan := plans(t)["resolver"]
			r := newRig(t, plan.Place)
			load(t, r, format, render(t, format, plan))
			got := make(chan string, 16)
			err := r.spaces["host"].Do(func() error {
				conn, err := net.ListenPacket("ip4:50", asset4)
				if err != nil {
					return err
				}
				t.Cleanup(func() { _ = conn.Close() })
				go func() {
					buf := make([]byte, 64)
					for {
						n, _, err := conn.ReadFrom(buf)
						if err != nil {
							return
						}
						got <- string(buf[:n])
					}
				}()
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, side := range []string{"lan", "wan"} { // wan's is let in and ends the waiting
				err := r.spaces[side].Do(func() error {
					conn, err := (&net.Dialer{}).DialContext(t.Context(), "ip4:50", asset4)
					if err != nil {
						return err
					}
					defer func() { _ = conn.Close() }()
					_, err = conn.Write([]byte("spi sequence from " + side))
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			select {
			case text := <-got:
				if !strings.HasSuffix(text, "from wan") {
					t.Errorf("%q came in", text)
				}
			case <-time.After(10 * time.Second):
				t.Error("ESP from wan did not come in")
			}
		})
	}
}
