// Package recommend makes the plan for one asset of the exposure policy, and
// knows every format that plans are written in. It loads nothing and proves
// nothing; that is what rehearsal, audit and verification are for.
package recommend

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// Options say what the policy does not.
type Options struct {
	At        time.Time           // exceptions and waivers that have ended by then are left out
	Place     firewall.Place      // where the rules will stand
	DNSFree   bool                // let DNS leave freely instead of to approved resolvers only
	Redirect  bool                // send other clients' DNS to the first resolver; needs resolvers
	RateLimit *firewall.RateLimit // nil for none
	Docker    bool                // containers with published ports run on the asset
}

// New makes the plan for an asset. A nil policy is policy.Default.
//
// Outgoing DNS is controlled when the policy names resolvers, for without one
// nobody could ask anything. An asset is an approved resolver when one of its
// addresses is named, or by the roles recursive-dns and public-resolver.
//
// The zones' interfaces belong to the asset marked as the gateway. Rules on any
// other asset itself know none of them, and tell zones by their networks.
//
// The error is one line: an unknown asset with the nearest known names, or what
// the policy lacks for the plan.
func New(p *policy.Policy, asset string, opt Options) (firewall.Plan, error) {
	if p == nil {
		p = policy.Default()
	}
	a, ok := p.Asset(asset)
	if !ok {
		return firewall.Plan{}, unknownAsset(p, asset)
	}
	plan := firewall.Plan{
		Asset: a.Name, Owner: a.Owner, Role: a.Role, Addresses: slices.Clone(a.Addresses), Place: opt.Place,
		Zones: slices.Clone(p.Zones), Limit: opt.RateLimit, Docker: opt.Docker, Policy: p.File,
		Secondaries: slices.Clone(a.Secondaries),
	}
	if len(plan.Addresses) == 0 {
		return firewall.Plan{}, fmt.Errorf("asset %q has no addresses: add them to the policy", a.Name)
	}
	if l := opt.RateLimit; l != nil && (l.PerSecond < 1 || l.Burst < 1 || l.PerSecond > 1_000_000 || l.Burst > 1_000_000) {
		return firewall.Plan{}, fmt.Errorf("the limit is %d a second with a burst of %d: expected 1 to 1000000 of each", l.PerSecond, l.Burst)
	}
	strange := interfacesElsewhere(p, a, opt.Place)
	if strange {
		for i := range plan.Zones {
			plan.Zones[i].Interfaces = nil
		}
	}
	var err error
	if plan.Allows, err = allows(p, a, opt.At, strange); err != nil {
		return firewall.Plan{}, err
	}
	plan.DNS = egress(p, a, opt)
	if opt.Redirect && !plan.DNS.Redirect {
		return firewall.Plan{}, fmt.Errorf("DNS can be redirected to approved resolvers only, and the policy names none beside %s: add resolvers: [address]", a.Name)
	}
	return plan, nil
}

// interfacesElsewhere reports whether the zones' interfaces are those of
// another machine than the one the rules stand on.
func interfacesElsewhere(p *policy.Policy, a *policy.Asset, place firewall.Place) bool {
	return place == firewall.OnAsset && !a.Gateway &&
		slices.ContainsFunc(p.Assets, func(other policy.Asset) bool { return other.Gateway })
}

func egress(p *policy.Policy, a *policy.Asset, opt Options) firewall.DNSEgress {
	e := firewall.DNSEgress{
		Control: !opt.DNSFree && len(p.Resolvers) > 0,
		Self:    a.Role == policy.RecursiveDNS || a.Role == policy.PublicResolver,
	}
	for _, r := range p.Resolvers {
		r = r.Unmap().WithZone("")
		if slices.ContainsFunc(a.Addresses, func(own netip.Addr) bool { return own.Unmap().WithZone("") == r }) {
			e.Self = true
			continue
		}
		e.Resolvers = append(e.Resolvers, r)
	}
	if e.Control && !e.Self {
		e.Peers = peers(p, a)
	}
	e.Redirect = opt.Redirect && e.Control && len(e.Resolvers) > 0
	return e
}

// peers are the asset's secondaries and the assets that it is a secondary of.
func peers(p *policy.Policy, a *policy.Asset) []netip.Prefix {
	all := slices.Clone(a.Secondaries)
	for _, other := range p.Assets {
		serves := slices.ContainsFunc(other.Secondaries, func(n netip.Prefix) bool { return slices.ContainsFunc(a.Addresses, n.Contains) })
		for _, addr := range other.Addresses {
			if serves && other.Name != a.Name {
				all = append(all, netip.PrefixFrom(addr, addr.BitLen()))
			}
		}
	}
	return firewall.Prefixes(firewall.AddrsOf(all...))
}

func unknownAsset(p *policy.Policy, asset string) error {
	names := make([]string, 0, len(p.Assets))
	for i := range p.Assets {
		names = append(names, p.Assets[i].Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("asset %q is unknown: the policy has no assets; add one with its addresses", short(asset))
	}
	return fmt.Errorf("asset %q is unknown%s", short(asset), known(asset, names))
}

func short(text string) string {
	if len(text) > 60 {
		return strings.ToValidUTF8(text[:60], "") + "…"
	}
	return text
}

// known lists names, at most a dozen, the nearest one first in words.
func known(written string, names []string) string {
	text := ""
	if best, ok := nearest(written, names); ok {
		text = fmt.Sprintf(", did you mean %q?", best)
	}
	const most = 40
	rest := ""
	if len(names) > most {
		rest = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return text + " (known are " + strings.Join(names, ", ") + rest + ")"
}

// nearest is the name with the smallest distance when that is small.
func nearest(written string, names []string) (string, bool) {
	best, least := "", max(2, len(written)/3)+1
	for _, name := range names {
		if d := distance(strings.ToLower(short(written)), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	return best, best != ""
}

// distance is how many insertions, deletions and replacements make b of a.
func distance(a, b string) int {
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
		}
		last = row
	}
	return last[len(b)]
}
