package app

import (
	"fmt"
	"io"
	"strings"
	"time"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/recommend"
	"reconshield/internal/policy"
)

// RecommendOptions say which rules are written.
type RecommendOptions struct {
	Policy    string // its file; "-" is Stdin
	Asset     string // empty: the policy's only one
	For       string // the format; empty: what the policy names for the asset
	Gateway   bool   // the rules stand on a gateway in front of the asset
	DNSFree   bool   // DNS may leave to anywhere
	Redirect  bool   // DNS of others is sent to the approved resolver
	RateLimit int    // new DNS conversations a second and source; 0 for no limit
	Docker    bool   // containers with published ports run on the asset
	At        time.Time
	Stdin     io.Reader
}

// burst is how many seconds' worth of the limit may come at once.
const burst = 2

// Recommend writes the firewall rules for an asset of the policy. Its errors
// are the user's to mend: policy.Errors, a *firewall.UnsupportedError, or one
// line.
func Recommend(o RecommendOptions) (firewall.Config, error) {
	p, err := LoadPolicy(o.Policy, o.Stdin)
	if err != nil {
		return firewall.Config{}, err
	}
	if o.Asset == "" && len(p.Assets) == 1 {
		o.Asset = p.Assets[0].Name
	}
	if o.Asset == "" {
		return firewall.Config{}, nameAnAsset(o.Policy, p)
	}
	a, known := p.Asset(o.Asset)
	if o.For == "" && known {
		o.For = a.Firewall
	}
	opt := recommend.Options{At: o.At, DNSFree: o.DNSFree, Redirect: o.Redirect, Docker: o.Docker}
	if o.Gateway {
		opt.Place = firewall.OnGateway
	}
	if o.RateLimit != 0 {
		opt.RateLimit = &firewall.RateLimit{PerSecond: o.RateLimit, Burst: o.RateLimit * burst}
	}
	plan, err := recommend.New(p, o.Asset, opt)
	if err != nil {
		return firewall.Config{}, fmt.Errorf("%s: %w", shownName(o.Policy), err)
	}
	if o.For == "" {
		return firewall.Config{}, fmt.Errorf("--for: name a format (reconshield firewall formats lists them), or write it as firewall: of asset %s in the policy", o.Asset)
	}
	format, err := recommend.Find(o.For)
	if err != nil {
		return firewall.Config{}, fmt.Errorf("--for: %w", err)
	}
	return format.Render(plan)
}

// nameAnAsset asks for one of the policy's assets, of many the first.
func nameAnAsset(file string, p *policy.Policy) error {
	if len(p.Assets) == 0 {
		return fmt.Errorf("%s: the policy has no assets, so there is nothing to write rules for; declare them", shownName(file))
	}
	const few = 8
	var names []string
	for i := range p.Assets[:min(len(p.Assets), few)] {
		names = append(names, p.Assets[i].Name)
	}
	if more := len(p.Assets) - few; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("--asset: name one of the policy's assets: %s", strings.Join(names, ", "))
}

// PolicyWarnings are the policy's own, and those about formats that no rules can
// be written in.
func PolicyWarnings(p *policy.Policy, at time.Time) []policy.Warning {
	out := p.Warnings(at)
	for i := range p.Assets {
		a := &p.Assets[i]
		if a.Firewall == "" {
			continue
		}
		if _, err := recommend.Find(a.Firewall); err != nil {
			out = append(out, policy.Warning{
				Position: a.At,
				Text:     fmt.Sprintf("asset %q: no rules can be written for firewall %q; reconshield firewall formats lists what there is", a.Name, a.Firewall),
			})
		}
	}
	return out
}
