package recommend_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/recommend"
	"reconshield/internal/policy"
)

// TestEveryFormat writes every plan in every format: a whole configuration with
// its steps, or an error that names what the format lacks.
func TestEveryFormat(t *testing.T) {
	all := plans(t)
	all["hostile"] = hostile(all["authoritative"])
	// Firewalls of the network have rules neither of the asset itself nor of a
	// source's rate, some no other direction.
	for name, opt := range map[string]recommend.Options{
		"in front": {At: at(), Place: firewall.OnGateway},
		"inbound":  {At: at(), Place: firewall.OnGateway, DNSFree: true},
	} {
		plan, err := recommend.New(parse(t, "gateway"), "ns1", opt)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = plan
	}
	forwarder, err := policy.Parse("f.yaml", []byte("zones: {wan: {interfaces: [eth0]}, lan: {interfaces: [eth1], networks: [10.0.0.0/16]}}\n"+
		"assets: [{name: f, addresses: [192.0.2.53], role: forwarder, owner: dns@example.net}]\nresolvers: [10.0.0.53]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if all["forwarder"], err = recommend.New(forwarder, "f", recommend.Options{At: at()}); err != nil {
		t.Fatal(err)
	}
	for name, plan := range variants(t) {
		if strings.Contains(name, string(policy.IPsec)) { // the tunnel that asks most
			all[name] = plan
		}
	}
	for _, f := range recommend.Formats() {
		written := 0
		for _, name := range slices.Sorted(maps.Keys(all)) {
			t.Run(f.Name+"/"+name, func(t *testing.T) {
				c, err := f.Render(all[name])
				if err != nil {
					lacks, ok := errors.AsType[*firewall.UnsupportedError](err)
					if !ok || lacks.Format == "" || lacks.Feature == "" || lacks.Hint == "" || strings.Contains(err.Error(), "\n") {
						t.Errorf("not the error of a format that lacks something: %v", err)
					}
					return
				}
				written++
				if c.Format != f.Name || len(c.Files) == 0 || len(c.Check) == 0 || len(c.Apply) == 0 || len(c.Rollback) == 0 || len(c.Verify) == 0 {
					t.Errorf("format %q: %d files, %d steps to check, %d to apply, %d to roll back, %d to verify: expected format %q and some of each",
						c.Format, len(c.Files), len(c.Check), len(c.Apply), len(c.Rollback), len(c.Verify), f.Name)
				}
				for _, s := range slices.Concat(c.Check, c.Apply) {
					if strings.Contains(s.Command, "firewall apply") && !strings.Contains(s.Command, " --policy ") && !strings.Contains(s.Command, " --no-rehearse ") {
						t.Errorf("apply asks for a policy: %s", s.Command)
					}
				}
				for _, file := range c.Files {
					if file.Name == "" || strings.ContainsAny(file.Name, "/\\ \n") || strings.HasPrefix(file.Name, ".") || file.Text == "" {
						t.Errorf("file %q of %d bytes", file.Name, len(file.Text))
					}
				}
				again, err := f.Render(all[name])
				if err != nil || text(again) != text(c) {
					t.Errorf("the second time it is another text, %v", err)
				}
			})
		}
		if written == 0 {
			t.Errorf("%s can write no plan at all", f.Name)
		}
	}
}
