package app

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/recommend"
	"reconshield/internal/netset"
	"reconshield/internal/policy"
)

// PolicyCheck is the id of findings that rest on the exposure policy alone: a
// port is open that it denies.
const PolicyCheck = "POL-1"

// judge compares what an assessment found with the exposure policy.
type judge struct {
	policy *policy.Policy
	zone   *policy.Zone // in which the vantage stands
	at     time.Time
}

// readPolicy reads the policy and settles from which of its zones is measured:
// as told, or where the policy has the vantage stand, or wan.
func (p *plan) readPolicy() error {
	if p.opts.Policy == "" {
		if p.opts.FromZone != "" {
			return errors.New("--from-zone names a zone of a policy; give it with --policy")
		}
		return nil
	}
	loaded, err := LoadPolicy(p.opts.Policy, p.opts.Stdin)
	if err != nil {
		return err
	}
	p.judge = &judge{policy: loaded, at: time.Now()}
	if name := p.opts.FromZone; name != "" {
		zone, ok := loaded.Zone(name)
		if !ok {
			return fmt.Errorf("--from-zone %q: no such zone; the policy has %s", cut(name), zoneNames(loaded))
		}
		p.judge.zone = zone
		return nil
	}
	i := slices.IndexFunc(loaded.Zones, func(z policy.Zone) bool { return z.Vantage != "" && z.Vantage == p.opts.Vantage })
	if i >= 0 {
		p.judge.zone = &loaded.Zones[i]
		return nil
	}
	p.judge.zone, _ = loaded.Zone(policy.WAN) // Parse adds it where it is missing
	p.warnings = append(p.warnings, "compared with the policy as seen from zone wan; --from-zone names another")
	return nil
}

func zoneNames(p *policy.Policy) string {
	names := make([]string, len(p.Zones))
	for i := range p.Zones {
		names[i] = p.Zones[i].Name
	}
	return strings.Join(names, ", ")
}

// asset adds a finding for every open port that the policy denies, marks those
// that it allows, and puts the policy's rules in place of the general ones. A
// nil judge changes nothing.
func (j *judge) asset(a *exposure.Asset) {
	if j == nil {
		return
	}
	owned, known := j.policy.AssetOf(a.Address)
	for i := range a.Ports {
		p := &a.Ports[i]
		if p.State != exposure.Open {
			continue
		}
		if rule, ok := j.allowed(owned, p.Transport, p.Port); ok {
			p.Detail = strings.TrimPrefix(p.Detail+"; expected: "+rule, "; ")
			continue
		}
		addVersionFinding(a, j.finding(owned, p))
	}
	slices.SortStableFunc(a.Findings, exposure.CompareFindings)
	for i := range a.Findings {
		a.Findings[i].Fix = slices.DeleteFunc(a.Findings[i].Fix, func(x exposure.Fix) bool { return x.Kind == "firewall" })
	}
	if !known || a.Address.IsLoopback() {
		addFirewall(a)
		return
	}
	j.remedy(a, owned)
}

// allowed names the first rule that lets any source of the zone reach a port.
func (j *judge) allowed(a *policy.Asset, via exposure.Transport, port uint16) (string, bool) {
	if a == nil {
		return "", false
	}
	for _, g := range j.policy.Grants(j.at) {
		if g.Asset == a && g.Zone == j.zone && g.Ports.Contains(via.Base(), port) {
			return g.Rule.Text, true
		}
	}
	return "", false
}

func (j *judge) finding(a *policy.Asset, p *exposure.PortState) exposure.Finding {
	where, role := portName(p.Transport, p.Port), policy.Host
	if a != nil {
		role = a.Role
	}
	f := exposure.Finding{
		ID: PolicyCheck, Fingerprint: exposure.Fingerprint(PolicyCheck, p.Addr, p.Port, j.zone.Name),
		Severity: role.Exposure(policy.Ports{Transport: p.Transport.Base(), First: p.Port, Last: p.Port}, j.zone.Name == policy.WAN || len(j.zone.Networks) == 0), Title: fmt.Sprintf("%s is open to %s against the policy", where, j.zone.Name), Subject: j.zone.Name,
		Why:        "Whatever the policy does not allow should not be reachable: nobody has said that it is needed, and nobody watches over it.",
		Confidence: exposure.High, Address: p.Addr, Port: p.Port, Transports: []exposure.Transport{p.Transport},
		Evidence: []exposure.Evidence{{Transport: p.Transport, Query: fmt.Sprintf("port %d", p.Port), Response: fmt.Sprintf("%s (%s)", p.State, p.Reason)}},
	}
	if len(p.Labels) > 0 {
		f.Confidence = exposure.Low
	}
	if a == nil {
		f.Summary = fmt.Sprintf("%s answers, and the address is of no asset of the policy.", where)
		f.Fix = []exposure.Fix{{Kind: "advice", For: "the policy", Text: "Write the address under an asset of the policy with its owner and role, or take the host down."}}
		return f
	}
	source := netip.MustParseAddr("198.51.100.7") // any will do: no rule of the zone allows the port
	if p.Addr.Is6() {
		source = netip.MustParseAddr("2001:db8:ffff::7")
	}
	d := j.policy.Decide(policy.Flow{Zone: j.zone.Name, Source: source, Target: p.Addr, Transport: p.Transport.Base(), Port: p.Port}, j.at)
	f.Summary = fmt.Sprintf("%s of %s answers from %s; the policy says %s.", where, a.Name, j.zone.Name, d.Rule.Text)
	f.References = []exposure.Reference{{Title: "policy " + d.Rule.At.String()}}
	f.Fix = []exposure.Fix{{Kind: "advice", For: "the policy", Text: fmt.Sprintf("Close it at the firewall and stop what needs not listen, or, if %s shall reach it, say so under expose of asset %s.", j.zone.Name, a.Name)}}
	return f
}

func portName(t exposure.Transport, port uint16) string { return fmt.Sprintf("%d/%s", port, t.Base()) }

// remedy gives each finding the rules of the policy, or says that the policy
// wants the port open.
func (j *judge) remedy(a *exposure.Asset, owned *policy.Asset) {
	rules := j.rules(a, owned)
	for i := range a.Findings {
		f := &a.Findings[i]
		if f.Severity == exposure.Info || len(f.Transports) == 0 {
			continue
		}
		rule, all := "", true
		for _, t := range f.Transports {
			text, ok := j.allowed(owned, t, f.Port)
			rule, all = text, all && ok
		}
		if all {
			f.Fix = append(f.Fix, exposure.Fix{
				Kind: "firewall", For: "any firewall",
				Text: fmt.Sprintf("The policy lets %s reach it (%s): mend the configuration rather than close the port.", j.zone.Name, rule),
			})
			continue
		}
		f.Fix = append(f.Fix, rules...)
	}
}

// rules are the recommendation for the firewall that the policy names for the
// asset, for the one that it seems to have, or for nftables. Where there is none,
// the general rules stay.
func (j *judge) rules(a *exposure.Asset, owned *policy.Asset) []exposure.Fix {
	name, taken := owned.Firewall, ""
	if name == "" {
		d, ok := detectFirewall(a)
		if !ok {
			d = detected{"nftables", "for want of a sign of another"}
		}
		name, taken = d.format, fmt.Sprintf(" Taken for its firewall %s; firewall: in the policy names another.", d.why)
	}
	c, title, err := j.render(owned.Name, name)
	if err != nil {
		var ports []netset.Port
		for _, p := range a.Ports {
			if _, ok := j.allowed(owned, p.Transport, p.Port); p.State == exposure.Open && !ok {
				ports = append(ports, netset.Port{Transport: p.Transport, Number: p.Port})
			}
		}
		note := exposure.Fix{Kind: "firewall", For: name, Text: "No rules can be written from the policy: " + err.Error() + "."}
		return append([]exposure.Fix{note}, closures(a, ports)...)
	}
	var out []exposure.Fix
	for _, file := range c.Files {
		out = append(out, exposure.Fix{
			Kind: "firewall", For: title, Lines: file.Text,
			Text: fmt.Sprintf("%s, all that the policy allows %s and nothing else; with the steps to load it by: reconshield firewall recommend --policy %s --asset %s --for %s.%s", file.Name, owned.Name, j.policy.File, owned.Name, name, taken),
		})
	}
	return out
}

// render writes the rules on the asset itself, or before it where the format
// can do nothing else.
func (j *judge) render(asset, name string) (c firewall.Config, title string, err error) {
	format, err := recommend.Find(name)
	if err != nil {
		return c, "", err
	}
	for _, place := range []firewall.Place{firewall.OnAsset, firewall.OnGateway} {
		plan, failed := recommend.New(j.policy, asset, recommend.Options{At: j.at, Place: place})
		if failed != nil {
			return c, "", failed
		}
		c, err = format.Render(plan)
		if e, ok := errors.AsType[*firewall.UnsupportedError](err); !ok || e.Feature != firewall.FeatureHost {
			break
		}
	}
	return c, format.Title, err
}
