package recommend_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/recommend"
	"reconshield/internal/policy"
)

// at is before the end of the exceptions in the policies.
func at() time.Time { return time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC) }

// plans are those that every format is judged by.
func plans(t *testing.T) map[string]firewall.Plan {
	t.Helper()
	limit := &firewall.RateLimit{PerSecond: 100, Burst: 200}
	out := map[string]firewall.Plan{}
	for name, c := range map[string]struct {
		policy, asset string
		opt           recommend.Options
	}{
		"authoritative": {"ns1", "ns1", recommend.Options{}},
		"limited":       {"ns1", "ns1", recommend.Options{RateLimit: limit}},
		"redirecting":   {"ns1", "ns1", recommend.Options{Redirect: true}},
		"v4only":        {"v4only", "ns1", recommend.Options{}},
		"v6only":        {"v6only", "ns1", recommend.Options{}},
		"resolver":      {"resolver", "r1", recommend.Options{}},
		"gateway":       {"gateway", "ns1", recommend.Options{Place: firewall.OnGateway, Redirect: true, RateLimit: limit}},
		"behind":        {"gateway", "ns1", recommend.Options{}},
		"docker":        {"docker", "web", recommend.Options{Docker: true, Redirect: true, RateLimit: limit}},
	} {
		c.opt.At = at()
		plan, err := recommend.New(parse(t, c.policy), c.asset, c.opt)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = plan
	}
	return out
}

func parse(t *testing.T, name string) *policy.Policy {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "policies", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(name+".yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// allowed is the plan's word, worked out here a second time.
func allowed(p firewall.Plan, in string, source netip.Addr, t exposure.Transport, port uint16) bool {
	return slices.ContainsFunc(p.Allows, func(a firewall.Allow) bool {
		return a.Transport == t &&
			(len(a.Interfaces) == 0 || slices.Contains(a.Interfaces, in)) &&
			(len(a.Sources) == 0 || slices.ContainsFunc(a.Sources, func(s netip.Prefix) bool { return s.Contains(source) })) &&
			slices.ContainsFunc(a.Ports, func(r firewall.PortRange) bool { return r.First <= port && port <= r.Last })
	})
}
