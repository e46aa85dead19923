package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/policy"
	"reconshield/internal/report/ruleset"
)

// AuditOptions say what is audited.
type AuditOptions struct {
	Rulesets []string // files of one host or network; "-" is Stdin
	Before   []string // files of the ruleset to compare with; nil for none
	Policy   string   // its file; "-" is Stdin, empty with Local
	Local    bool     // no policy: the host that the ruleset was saved on, everything denied
	Zones    []string // of Local: "wan=eth0" or "lan=eth1=10.0.0.0/16"
	Host     string   // the asset that the ruleset was saved on; empty: found out
	Query    string   // see analyze.ParseQuery; empty asks everything
	Groups   []string // of a cloud, that stand before the asset
	At       time.Time
	Stdin    io.Reader
}

// maxRuleset bounds one file of a ruleset.
const maxRuleset = 128 << 20

// LocalHost is the asset's name when there is no policy.
const LocalHost = "host"

// AuditFirewall reads rulesets and answers what they let in. Its errors are the
// user's to mend: policy.Errors, or one line. When ctx ends, so does it.
func AuditFirewall(ctx context.Context, o AuditOptions) (*ruleset.Document, error) {
	if err := oneStdin(o); err != nil {
		return nil, err
	}
	rules, err := loadRuleset(ctx, o.Rulesets, o)
	if err != nil {
		return nil, err
	}
	p, err := o.policy(rules)
	if err != nil {
		return nil, err
	}
	opt := analyze.Options{Policy: p, At: o.At, Host: o.Host}
	if o.Local {
		opt.Host = LocalHost
	}
	if o.Query != "" {
		if opt.Query, err = analyze.ParseQuery(o.Query, p); err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
	}
	if len(p.Assets) == 0 {
		return nil, fmt.Errorf("%s: the policy has no assets, so there is nothing to ask about; declare them, or take --local", shownName(o.Policy))
	}
	after, err := audit(ctx, rules, opt)
	if err != nil {
		return nil, err
	}
	out := &ruleset.Document{Audit: after, Assets: after.Asked}
	if o.Local && len(o.Zones) == 0 {
		out.Assumed = append(out.Assumed, "no interface is known to be on the side of wan, so rules that match interfaces stay undecided; name them: --zone wan=eth0")
	}
	if o.Before == nil {
		return out, nil
	}
	rules, err = loadRuleset(ctx, o.Before, o)
	if err != nil {
		return nil, err
	}
	before, err := audit(ctx, rules, opt)
	if err != nil {
		return nil, err
	}
	out.Changes = analyze.Difference(before, out.Audit)
	return out, nil
}

func audit(ctx context.Context, rules *firewall.Ruleset, opt analyze.Options) (*analyze.Audit, error) {
	a, err := analyze.RunContext(ctx, rules, opt)
	if ctx.Err() != nil {
		return nil, interrupted(ctx.Err())
	}
	return a, err
}

func interrupted(err error) error {
	return &FailureError{Err: fmt.Errorf("interrupted before the end: %w", err)}
}

// oneStdin refuses to read standard input twice.
func oneStdin(o AuditOptions) error {
	n := 0
	for _, name := range slices.Concat(o.Rulesets, o.Before, []string{o.Policy}) {
		if name == "-" {
			n++
		}
	}
	if n > 1 {
		return errors.New("standard input (-) can be read once; give the other as a file")
	}
	return nil
}

func loadRuleset(ctx context.Context, files []string, o AuditOptions) (*firewall.Ruleset, error) {
	var sources []dialect.Source
	for _, name := range files {
		if err := ctx.Err(); err != nil {
			return nil, interrupted(err)
		}
		text, err := readBounded(name, o.Stdin, maxRuleset)
		if err != nil {
			return nil, err
		}
		sources = append(sources, dialect.Source{Name: shownName(name), Text: text})
	}
	return dialect.Load(sources, dialect.Options{Pick: o.Groups})
}

// policy is what the ruleset is compared with.
func (o AuditOptions) policy(rules *firewall.Ruleset) (*policy.Policy, error) {
	if !o.Local {
		return LoadPolicy(o.Policy, o.Stdin)
	}
	p := &policy.Policy{Default: policy.Deny, Assets: []policy.Asset{{
		Name: LocalHost, Role: policy.Host, Gateway: true, Addresses: localAddresses(rules),
	}}}
	for _, text := range o.Zones {
		if err := addZone(p, text); err != nil {
			return nil, err
		}
	}
	if len(p.Zones) == 0 {
		p.Zones = []policy.Zone{{Name: policy.WAN}}
	}
	return p, nil
}

// localAddresses are the host's own as far as its files tell, else one of each
// family that stands for all of them.
func localAddresses(rules *firewall.Ruleset) []netip.Addr {
	var out []netip.Addr
	for _, p := range firewall.Prefixes(rules.Host.Local) {
		for a := p.Addr(); p.Contains(a); a = a.Next() {
			if !a.IsLoopback() && !a.IsLinkLocalUnicast() {
				out = append(out, a)
			}
			const most = 1000
			if len(out) == most {
				return out
			}
		}
	}
	if len(out) == 0 {
		return []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	return out
}

// addZone adds "NAME=INTERFACE[,…][=PREFIX[,…]]" to a policy. A name that stands
// there already gets more of both.
func addZone(p *policy.Policy, text string) error {
	name, rest, ok := strings.Cut(text, "=")
	links, list, _ := strings.Cut(rest, "=")
	networks, err := parseNetworks(list)
	if !ok || name == "" || rest == "" || err != nil {
		return fmt.Errorf("--zone %q: %w", cut(text), cmp.Or(err, errors.New("expected NAME=INTERFACE or NAME=INTERFACE=PREFIX, such as lan=eth1=10.0.0.0/16")))
	}
	i := slices.IndexFunc(p.Zones, func(z policy.Zone) bool { return z.Name == name })
	if i < 0 {
		i = len(p.Zones)
		p.Zones = append(p.Zones, policy.Zone{Name: name})
	}
	z := &p.Zones[i]
	for link := range strings.SplitSeq(links, ",") {
		if link != "" {
			z.Interfaces = append(z.Interfaces, link)
		}
	}
	for _, n := range networks {
		z.Networks = append(z.Networks, n.Masked())
	}
	return nil
}
