//go:build linux

package app_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/app"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
)

// The rule that a finding recommends is loaded into the server's own kernel,
// and the port is then seen to be shut.
func TestRecommendedRuleClosesThePort(t *testing.T) {
	tests := []struct {
		firewall string
		load     func(t *testing.T, h *lab.Host, addr netip.Addr, lines string)
	}{
		{"nftables", loadNftables},
		{"iptables", loadIptables},
	}
	for _, tt := range tests {
		t.Run(tt.firewall, func(t *testing.T) {
			l := newLab(t)
			h := l.Start(t, "unbound-abused")
			for _, addr := range []netip.Addr{h.V4, h.V6} {
				o := app.Options{Targets: []string{addr.String()}, Ports: "53", Only: []string{"REC-1"}, Collector: probeZone}
				before := assess(t, o).Assets[0]
				if len(before.Findings) != 1 || before.Findings[0].ID != "REC-1" {
					t.Fatalf("%s: findings before: %+v", addr, before.Findings)
				}
				tt.load(t, h, addr, ruleFor(t, before.Findings[0], tt.firewall))
				after := assess(t, o).Assets[0]
				for _, p := range after.Ports {
					if p.State == exposure.Open || p.State == exposure.Closed {
						t.Errorf("%s: %s/%d is still %s", addr, p.Transport, p.Port, p.State)
					}
				}
				if len(after.Findings) != 0 {
					t.Errorf("%s: findings after: %+v", addr, after.Findings)
				}
			}
		})
	}
}

func ruleFor(t *testing.T, f exposure.Finding, firewall string) string {
	t.Helper()
	for _, fix := range f.Fix {
		if fix.For == firewall {
			return fix.Lines
		}
	}
	t.Fatalf("%s has no rule for %s", f.ID, firewall)
	return ""
}

func loadNftables(t *testing.T, h *lab.Host, _ netip.Addr, lines string) {
	t.Helper()
	h.NFT(t, lines)
}

func loadIptables(t *testing.T, h *lab.Host, addr netip.Addr, lines string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	command := "iptables-restore"
	if addr.Is6() {
		command = "ip6tables-restore"
	}
	p := h.Run(t, command, "--noflush", file)
	<-p.Done()
	if log := p.Log(); strings.TrimSpace(log) != "" {
		t.Fatalf("%s: %s", command, log)
	}
}
