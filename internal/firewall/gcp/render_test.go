package gcp_test

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/firewall/gcp"
	"reconshield/internal/policy"
)

func TestRulesMeanThePlan(t *testing.T) {
	for _, c := range fabrictest.Plans() {
		t.Run(c.Name, func(t *testing.T) {
			rules := render(t, c.Plan)
			fabrictest.Inbound(t, c.Plan, func(k fabrictest.Packet) bool { return judge(t, rules, "INGRESS", "source_ranges", k) })
			fabrictest.Outbound(t, c.Plan, func(k fabrictest.Packet) bool { return judge(t, rules, "EGRESS", "destination_ranges", k) })
		})
	}
}

func render(t *testing.T, p firewall.Plan) []fabrictest.Block {
	t.Helper()
	config, err := gcp.Render(p)
	if err != nil {
		t.Fatal(err)
	}
	return fabrictest.Resources(fabrictest.ParseHCL(t, config.Files[0].Name, config.Files[0].Text), "google_compute_firewall")
}

// judge takes the matching rule with the lowest priority, deny before allow.
// Incoming packets may not be left to other rules of the network.
func judge(t *testing.T, rules []fabrictest.Block, direction, ranges string, k fabrictest.Packet) bool {
	t.Helper()
	best, verdict := 65535, direction == "EGRESS"
	for _, r := range rules {
		at := r.Int["priority"]
		if r.Text["direction"] != direction || at > best || !within(r.Lists[ranges], k.Peer) {
			continue
		}
		if matches(r.Inner("deny"), k) {
			best, verdict = at, false
		}
		if at < best && matches(r.Inner("allow"), k) {
			best, verdict = at, true
		}
	}
	if direction == "INGRESS" && best == 65535 {
		t.Errorf("%v is left to the rules of the network", k)
	}
	return verdict
}

func within(ranges []string, a netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(s string) bool { return netip.MustParsePrefix(s).Contains(a) })
}

func matches(blocks []fabrictest.Block, k fabrictest.Packet) bool {
	return slices.ContainsFunc(blocks, func(b fabrictest.Block) bool {
		if b.Text["protocol"] == "all" {
			return true
		}
		return b.Text["protocol"] == string(k.Transport) && slices.ContainsFunc(b.Lists["ports"], func(s string) bool {
			first, last, ok := strings.Cut(s, "-")
			if !ok {
				last = first
			}
			a, _ := strconv.Atoi(first)
			z, _ := strconv.Atoi(last)
			return a <= int(k.Port) && int(k.Port) <= z
		})
	})
}

func TestRulesAreValid(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
	for _, c := range fabrictest.Plans() {
		names := map[string]bool{}
		for _, r := range render(t, c.Plan) {
			n := r.Text["name"]
			if !name.MatchString(n) || names[n] || len(r.Lists["target_tags"]) != 1 || !name.MatchString(r.Lists["target_tags"][0]) {
				t.Errorf("%s: name %q, tags %q", c.Name, n, r.Lists["target_tags"])
			}
			names[n] = true
			ranges := append(r.Lists["source_ranges"], r.Lists["destination_ranges"]...)
			for _, p := range ranges {
				if strings.Contains(p, ":") != strings.Contains(ranges[0], ":") {
					t.Errorf("%s: rule %s mixes families", c.Name, n)
				}
			}
		}
	}
}

func TestESPAndICMP(t *testing.T) {
	p := fabrictest.Authority()
	p.Allows = append(p.Allows, firewall.Allow{Zone: "wan", Transport: policy.ESP, Why: "tunnel"})
	seen := map[string]int{}
	for _, r := range render(t, p) {
		for _, b := range r.Inner("allow") {
			seen[b.Text["protocol"]]++
		}
	}
	if seen["esp"] != 2 || seen["58"] != 1 || seen["icmp"] != 1 {
		t.Errorf("protocols %v, want esp for both families, icmp and 58", seen)
	}
}

func TestUnsupported(t *testing.T) {
	p := fabrictest.Authority()
	p.Limit = &firewall.RateLimit{PerSecond: 100}
	var u *firewall.UnsupportedError
	if _, err := gcp.Render(p); !errors.As(err, &u) || u.Feature != firewall.FeatureRateLimit {
		t.Errorf("error %v, want %s", err, firewall.FeatureRateLimit)
	}
}
