package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/netset"
	"reconshield/internal/policy"
	"reconshield/internal/rehearse"
	"reconshield/internal/report/rehearsal"
)

// RehearseOptions say what is rehearsed.
type RehearseOptions struct {
	Rulesets []string // files of one host, of nft, iptables-save, ip6tables-save or ipset; "-" is Stdin
	Policy   string   // its file; "-" is Stdin
	Host     string   // the asset that the rules are for; empty: found out
	Assets   []string // only packets to these; empty: the host and, of a gateway, what is behind it
	Ports    string   // further ports to ask, a port expression
	Timeout  time.Duration
	At       time.Time
	Stdin    io.Reader
	NoScan   bool // only single packets and conversations, no scan from the zones
}

// DefaultRehearsal bounds a rehearsal when nothing else is said.
const DefaultRehearsal = 2 * time.Minute

// rehearsed is a rehearsal with everything that it needs, before it starts.
type rehearsed struct {
	opts   RehearseOptions
	policy *policy.Policy
	host   *policy.Asset
	texts  []rehearse.Ruleset
	rules  *firewall.Ruleset // nil: it could not be read, see notes
	scene  rehearse.Scene
	ports  netset.PortSet
	// sourcePorts are those that rules accept by, perhaps.
	sourcePorts []uint16
	notes       []string
}

// RehearseFirewall builds the host of a ruleset and the zones of a policy as
// namespaces, loads the ruleset there and compares what packets from every zone
// meet with what the policy says. Its errors are the user's to mend: policy.Errors,
// a *rehearse.LoadError, or one line; a *FailureError means that this machine
// cannot do it.
func RehearseFirewall(ctx context.Context, o RehearseOptions) (*rehearsal.Document, error) {
	if err := oneStdin(AuditOptions{Rulesets: o.Rulesets, Policy: o.Policy}); err != nil {
		return nil, err
	}
	p, err := LoadPolicy(o.Policy, o.Stdin)
	if err != nil {
		return nil, err
	}
	var texts []rehearse.Ruleset
	for _, name := range o.Rulesets {
		text, err := readBounded(name, o.Stdin, maxRuleset)
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			return nil, fmt.Errorf("%s: is empty; rules for nft, iptables-restore or ip6tables-restore are expected", shownName(name))
		}
		texts = append(texts, rehearse.Ruleset{File: shownName(name), Text: text})
	}
	r := &rehearsed{opts: o, policy: p, texts: texts}
	return r.run(ctx)
}

// run does the rehearsal of the texts.
func (r *rehearsed) run(ctx context.Context) (*rehearsal.Document, error) {
	started := time.Now()
	var err error
	if r.host, err = ownAsset(r.policy, r.opts.Host); err != nil {
		return nil, err
	}
	for _, name := range r.opts.Assets {
		if _, ok := r.policy.Asset(name); !ok {
			return nil, fmt.Errorf("--asset %q: no asset of the policy; it has %s", cut(name), assetNames(r.policy))
		}
	}
	if err := r.read(); err != nil {
		return nil, err
	}
	r.build()
	if err := r.scene.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", r.policy.File, err)
	}
	if len(r.targets()) == 0 {
		return nil, fmt.Errorf("nothing to try: the rules of %s stand before no address that is asked for", r.host.Name)
	}
	if err := r.choosePorts(); err != nil {
		return nil, err
	}
	plan := r.plan()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.opts.Timeout, DefaultRehearsal))
	defer cancel()
	played, err := r.play(ctx, plan)
	if err != nil {
		return nil, r.failure(ctx, err)
	}
	doc := r.judge(plan, played)
	doc.Seconds = time.Since(started).Seconds()
	return doc, nil
}

// ownAsset is the asset whose rules are rehearsed.
func ownAsset(p *policy.Policy, name string) (*policy.Asset, error) {
	if name != "" {
		if a, ok := p.Asset(name); ok {
			return a, nil
		}
		return nil, fmt.Errorf("--host %q: no asset of the policy; it has %s", cut(name), assetNames(p))
	}
	var found *policy.Asset
	for i := range p.Assets {
		a := &p.Assets[i]
		if len(p.Assets) > 1 && !a.Gateway {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("--host: %s and %s are both gateways; name the one that the ruleset is for", found.Name, a.Name)
		}
		found = a
	}
	if found == nil {
		return nil, fmt.Errorf("--host: name the asset that the ruleset is for, one of %s", assetNames(p))
	}
	return found, nil
}

// read parses the rulesets as far as we can; the kernel has the last word.
func (r *rehearsed) read() error {
	var sources []dialect.Source
	var load []rehearse.Ruleset
	for _, t := range r.texts {
		sources = append(sources, dialect.Source{Name: t.File, Text: t.Text})
		// The output of "ip -j address" tells of the host and is not loaded.
		if !bytes.HasPrefix(bytes.TrimSpace(t.Text), []byte("[")) {
			load = append(load, t)
		}
	}
	r.texts = load
	rules, err := dialect.Load(sources, dialect.Options{})
	if err != nil {
		r.note("the ruleset could not be analysed, so deciding rules are not named and its ports are not known: %v", err)
		return nil
	}
	if err := r.ofLinux(rules); err != nil {
		return err
	}
	if len(rules.Chains) == 0 && len(rules.Unparsed) == 0 {
		r.note("the files hold no rule at all: everything is open")
	}
	if len(rules.Unparsed) > 0 {
		u := rules.Unparsed[0]
		r.note("%s of the ruleset not understood by the analysis, the first at %s (%s): ports and interfaces that stand there are not known; the kernel judged it all the same", counted(len(rules.Unparsed), "part"), u.Pos, u.Why)
	}
	r.rules = rules
	return nil
}

// ofLinux refuses rules that no kernel can load. A list without a hook beside
// others stands for an IP version that no file speaks of.
func (r *rehearsed) ofLinux(rules *firewall.Ruleset) error {
	hooks, lists := 0, 0
	at := firewall.Position{}
	for _, c := range rules.Chains {
		switch {
		case c.Base == nil:
		case c.Base.Hook == firewall.Always:
			lists++
			at = c.Pos
		default:
			hooks++
		}
	}
	switch {
	case lists > 0 && hooks == 0:
		return fmt.Errorf("%s: not a ruleset of Linux: only the output of nft, iptables-save, ip6tables-save and ipset save can be rehearsed (audit reads the others)", at)
	case lists > 0:
		r.note("the files hold the rules of one IP version only; the other was tried without any rules: give the output of both iptables-save and ip6tables-save")
	}
	return nil
}

// build describes the stage.
func (r *rehearsed) build() {
	var notes []string
	r.scene, notes = rehearse.Describe(r.policy, r.host, r.opts.At)
	r.notes = append(r.notes, notes...)
	if r.rules == nil {
		return
	}
	r.scene, notes = r.scene.Furnish(r.rules)
	r.notes = append(r.notes, notes...)
	var lonely []string
	for _, i := range r.scene.Interfaces {
		used := slices.ContainsFunc(r.scene.Zones, func(z rehearse.Zone) bool { return z.Interface == i.Name }) ||
			slices.ContainsFunc(r.scene.Behind, func(h rehearse.Host) bool { return h.Interface == i.Name })
		if !used && i.Name != rehearse.Loopback {
			lonely = append(lonely, i.Name)
		}
	}
	if len(lonely) > 0 {
		r.note("the ruleset names %s, where the policy has no zone: nothing was sent from there", strings.Join(lonely, ", "))
	}
}

func (r *rehearsed) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// play runs the plan on the stage.
func (r *rehearsed) play(ctx context.Context, plan *stagePlan) (*stagePlayed, error) {
	var input bytes.Buffer
	if err := gob.NewEncoder(&input).Encode(plan); err != nil {
		return nil, err
	}
	output, err := rehearse.Run(ctx, rehearse.Job{Scene: r.scene, Rulesets: r.texts, Input: input.Bytes()})
	if err != nil {
		return nil, err
	}
	var out stagePlayed
	if err := gob.NewDecoder(bytes.NewReader(output)).Decode(&out); err != nil {
		return nil, err
	}
	return &out, nil
}

// failure tells what the user can mend from what this machine cannot do.
func (r *rehearsed) failure(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return &FailureError{Err: fmt.Errorf("the rehearsal did not end within %s; give it more time with --timeout", cmp.Or(r.opts.Timeout, DefaultRehearsal))}
	}
	if _, ok := errors.AsType[*rehearse.LoadError](err); ok {
		return err
	}
	return &FailureError{Err: err}
}

// assetNames are the assets of a policy, in its order.
func assetNames(p *policy.Policy) string {
	names := make([]string, len(p.Assets))
	for i := range p.Assets {
		names[i] = p.Assets[i].Name
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
