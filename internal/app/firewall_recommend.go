package app

import (
	"errors"
	"fmt"
	"io"
	"time"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/recommend"
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
		return firewall.Config{}, errors.New("--asset: name an asset of the policy")
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
