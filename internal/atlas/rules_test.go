package atlas

import (
	"os/exec"
	"strings"
	"testing"
)

// The kernel's own tools judge the rules, in a network namespace of their own.
func TestRealToolsAcceptRules(t *testing.T) {
	a := Default()
	for _, tt := range []struct {
		port      uint16
		transport string
	}{{53, ""}, {22, ""}, {65535, ""}, {0, "udp"}, {2905, ""}, {5004, ""}} {
		e := a.Entry(tt.port, tt.transport, Knowledge{})
		for _, r := range e.Rules {
			command := map[string]string{
				"nftables": "nft -c -f -", "iptables": "iptables-restore --noflush --test", "ip6tables": "ip6tables-restore --noflush --test",
			}[r.Dialect]
			text := r.Text
			if command, ok := strings.CutPrefix(text, "nft "); ok {
				text = "add table inet filter\nadd chain inet filter input { type filter hook input priority 0; }\n" + command
			}
			cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"-Urn"}, strings.Fields(command)...)...)
			cmd.Stdin = strings.NewReader(text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%d, %s (Debian packages nftables, iptables): %v\n%s\n%s", tt.port, command, err, out, text)
			}
		}
	}
}
