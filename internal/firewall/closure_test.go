package firewall_test

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/firewall/nft"
	"reconshield/internal/netset"
)

func port(t exposure.Transport, n uint16) netset.Port {
	return netset.Port{Transport: t, Number: n}
}

func TestCloseMergesTransportsAndKeepsTheFamily(t *testing.T) {
	c := firewall.Close(netip.MustParseAddr("::ffff:192.0.2.53"), []netset.Port{
		port(exposure.TLS, 853), port(exposure.UDP, 53), port(exposure.TCP, 53), port(exposure.UDP, 53),
	}, nil)
	want := []netset.Port{port(exposure.TCP, 53), port(exposure.TCP, 853), port(exposure.UDP, 53)}
	if diff := cmp.Diff(want, c.Ports); diff != "" {
		t.Error(diff)
	}
	for _, p := range c.Trusted {
		if !p.Addr().Is4() {
			t.Errorf("an IPv4 closure trusts %s", p)
		}
	}
}

// The kernel's own tools judge what the dialects write.
func TestRealToolsAcceptClosures(t *testing.T) {
	many := []netset.Port{}
	for n := range uint16(40) {
		many = append(many, port(exposure.TCP, 8000+n))
	}
	tests := []struct {
		name  string
		addr  string
		ports []netset.Port
	}{
		{"v4 udp and tcp", "192.0.2.53", []netset.Port{port(exposure.UDP, 53), port(exposure.TCP, 53)}},
		{"v6 one port", "2001:db8::53", []netset.Port{port(exposure.UDP, 53)}},
		{"v4 more ports than multiport takes", "192.0.2.53", many},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := firewall.Close(netip.MustParseAddr(tt.addr), tt.ports, nil)
			check(t, nft.Closure(c), "nft -c -f -")
			check(t, iptables.Closure(c), iptables.Command(c)+" --test")
		})
	}
}

// check runs the tool in a network namespace of its own, so that the host's
// ruleset is never looked at.
func check(t *testing.T, text, command string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"-Urn"}, strings.Fields(command)...)...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s (Debian packages nftables, iptables): %v\n%s\n%s", command, err, out, text)
	}
}
