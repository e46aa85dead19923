package analyze_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/oracle"
)

// Where all ports together are too much work, those of the policy are decided
// and the others are told to be open.
func TestTooMuchWork(t *testing.T) {
	const chains, rules = 300, 21
	var declared, bodies strings.Builder
	for c := range chains {
		fmt.Fprintf(&declared, ":c%d - [0:0]\n", c)
		fmt.Fprintf(&bodies, "-A INPUT -j c%d\n", c)
		for r := range rules {
			fmt.Fprintf(&bodies, "-A c%d -s 203.0.113.%d/32 -p udp --dport %d -j DROP\n", c, c%256, 100+c*rules+r)
		}
	}
	text := "*filter\n:INPUT ACCEPT [0:0]\n" + declared.String() + bodies.String() + "COMMIT\n"
	a := audit(t, ns1, text, analyze.Options{Limit: 1_000_000}, "")
	seen := map[string]int{}
	for _, x := range a.Answers {
		if x.Transport != "udp" || x.Zone != "wan" {
			continue
		}
		last := x.Why[len(x.Why)-1]
		switch {
		case (x.Port == 53 || x.Port == 51820) && x.Verdict == analyze.Reachable:
			seen["decided"]++
		case x.Verdict == analyze.Undecided && strings.Contains(last.Undecided, "more work than one question may cost"):
			seen["told"]++
		default:
			t.Errorf("%s", brief(&x))
		}
	}
	if seen["decided"] != 2 || seen["told"] == 0 {
		t.Errorf("saw %v", seen)
	}
}

// An audit ends with its context.
func TestRunContext(t *testing.T) {
	r, err := iptables.Parse("rules", strings.NewReader(oracle.RandomGateway(10)), firewall.IPv4, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := analyze.RunContext(ctx, r, analyze.Options{Policy: fifty(t), At: at()}); a != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", a, err)
	}
}
