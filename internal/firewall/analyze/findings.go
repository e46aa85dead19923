package analyze

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// ruleset judges the ruleset by itself.
func (in *inspector) ruleset(ctx context.Context) []Finding {
	if in.opt.Query.narrow() {
		return in.unread() // the question was not about the ruleset as a whole
	}
	return slices.Concat(in.unread(), in.bySourcePort(), in.dead(ctx))
}

func worstFirst(parts ...[]Finding) []Finding {
	out := slices.Concat(parts...)
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(a.Severity.Compare(b.Severity), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// departures are where an answer differs from the policy, in both directions.
func (in *inspector) departures(a *Answer, s subject, z *side, grants []policy.Grant) []Finding {
	if a.Verdict == Blocked && a.Policy == policy.Deny {
		return nil
	}
	allowed := z.allowed(a, grants)
	genuine := in.genuine(a.Address)
	if len(z.Networks) == 0 {
		genuine = genuine.Intersect(z.sources)
	}
	through := firewall.AddrsOf(a.Sources...).Intersect(genuine)
	doubtful := firewall.AddrsOf(a.Undecided...).Intersect(genuine)
	var out []Finding
	if extra := through.Subtract(allowed); !extra.Empty() {
		f := a.finding(Exposed, s.asset.Role.Exposure(a.policyPorts(), everybody(extra)), "reachable against the policy")
		if len(a.SourcePorts) == 0 {
			f.Rules = in.blame(a, s, z, extra, Reachable)
		}
		f.Summary = fmt.Sprintf("%s of %s (%s) can be reached from %s by %s%s; the policy denies it", a.ports(), a.Asset, a.Address, a.Zone, sourcesText(extra, genuine), a.fromPorts())
		f.Fix = in.closing(a)
		out = append(out, f)
	}
	if extra := doubtful.Subtract(allowed); !extra.Empty() {
		f := a.finding(MaybeExposed, exposure.MediumSev, "may be reachable against the policy")
		f.Rules = in.blame(a, s, z, extra, Undecided)
		f.Summary = fmt.Sprintf("whether %s of %s (%s) can be reached from %s by %s is undecided: %s", a.ports(), a.Asset, a.Address, a.Zone, sourcesText(extra, genuine), doubt(f.Rules))
		f.Fix = deciding(doubt(f.Rules))
		out = append(out, f)
	}
	special := z.row(a.span().First).special // gets through from some source ports only
	if missing := in.meant(z, allowed.Intersect(genuine)).Subtract(through.Subtract(special)).Subtract(doubtful); !missing.Empty() {
		what := "blocked although the policy allows it"
		switch {
		case missing.Subtract(special).Empty():
			what = "blocked but" + a.fromPorts() + " although the policy allows it"
		case a.Verdict != Blocked:
			what = "blocked for some sources although the policy allows it"
		}
		f := a.finding(Starved, exposure.MediumSev, what)
		f.Rules = in.blame(a, s, z, missing, Blocked)
		f.Summary = fmt.Sprintf("%s of %s (%s) cannot be reached from %s by %s; the policy allows it: %s", a.ports(), a.Asset, a.Address, a.Zone, sourcesText(missing, in.meant(z, genuine)), a.PolicyRule)
		f.Fix = "let it in before the rule that drops it, or take it out of the policy"
		out = append(out, f)
	}
	return out
}

// closing says how an exposure is closed.
func (in *inspector) closing(a *Answer) string {
	if in.opt.Policy.File == "" {
		return "close it, or write a policy that allows it (reconshield policy init) and audit with --policy"
	}
	return fmt.Sprintf("close it: reconshield firewall recommend --policy %s --asset %s --for FORMAT; or expose it to %s in the policy", in.opt.Policy.File, a.Asset, a.Zone)
}

// deciding says how an open question is closed. Reasons that something is
// missing say themselves what to give.
func deciding(why string) string {
	if strings.Contains(why, "give ") || strings.Contains(why, "ask for fewer ports") {
		return "the reason says what decides it; or rehearse the ruleset: reconshield firewall rehearse"
	}
	return "decide it with rules that need nothing but addresses, ports and interfaces, or rehearse the ruleset: reconshield firewall rehearse"
}

// meant takes out of what everybody means the addresses that do not come in
// from everywhere: private ones (RFC 1918, RFC 6598, RFC 4193), link-local ones
// and those of other zones. Rules against forged sources are no lack.
func (in *inspector) meant(z *side, allowed firewall.Addrs) firewall.Addrs {
	if len(z.Networks) > 0 {
		return allowed
	}
	return allowed.Subtract(in.inner)
}

// inner are the addresses that nobody means by everybody, see meant.
func inner(p *policy.Policy) firewall.Addrs {
	out := firewall.AddrsOf(
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"))
	for i := range p.Zones {
		out = out.Union(firewall.AddrsOf(p.Zones[i].Networks...))
	}
	return out
}

// allowed are the sources that the policy lets reach the ports of an answer.
func (z *side) allowed(a *Answer, grants []policy.Grant) firewall.Addrs {
	span := a.span()
	var out firewall.Addrs
	for i := range grants {
		g := &grants[i]
		if g.Zone.Name != z.Name || !covers(g, span) {
			continue
		}
		if len(g.Sources) == 0 {
			return z.sources
		}
		out = out.Union(firewall.AddrsOf(g.Sources...).Intersect(z.sources))
	}
	return out
}

func (a *Answer) finding(id FindingID, s exposure.Severity, what string) Finding {
	addr := a.Address
	return Finding{
		ID: id, Severity: s, Title: fmt.Sprintf("%s %s from %s", a.ports(), what, a.Zone),
		Asset: a.Asset, Address: &addr, Zone: a.Zone, Port: a.Port, LastPort: a.LastPort, Transport: a.Transport, Rules: a.Why,
	}
}

// everybody reports whether sources are so many that they are everybody, but for
// some that a list bans.
func everybody(sources firewall.Addrs) bool {
	const large = 6 // shorter than any private or documentation prefix
	return slices.ContainsFunc(firewall.Prefixes(sources), func(p netip.Prefix) bool { return p.Bits() <= large })
}

func (a *Answer) policyPorts() policy.Ports {
	return policy.Ports{Transport: a.Transport, First: a.Port, Last: max(a.Port, a.LastPort)}
}

// ports is "tcp/22" or "tcp/1024-65535".
func (a *Answer) ports() string {
	text := fmt.Sprintf("%s/%d", a.Transport, a.Port)
	if a.LastPort > 0 {
		text += fmt.Sprintf("-%d", a.LastPort)
	}
	return text
}

func (a *Answer) fromPorts() string {
	if len(a.SourcePorts) == 0 {
		return ""
	}
	return " from source port " + a.SourcePorts[0]
}

// doubt is the first thing that cannot be known.
func doubt(rules []Line) string {
	for _, w := range rules {
		if w.Undecided != "" {
			return w.Undecided
		}
	}
	return "the ruleset does not decide it"
}

// sourcesText names sources in a line: a few prefixes, the number of the rest.
// They are anyone when no genuine source is missing.
func sourcesText(s, genuine firewall.Addrs) string {
	const most = 3
	if genuine.Subtract(s).Empty() {
		return "anyone"
	}
	prefixes := firewall.Prefixes(s)
	text := ""
	for i, p := range prefixes {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(prefixes)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += p.String()
	}
	return text
}

// families finds ports that a zone reaches over IPv6 and not over IPv4.
func families(answers []Answer) []Finding {
	type key struct {
		asset, zone string
		transport   exposure.Transport
	}
	both := map[string]bool{} // assets with an IPv4 address
	open := map[key][]firewall.Span[firewall.Number]{}
	for _, a := range answers {
		if !a.Address.Is4() {
			continue
		}
		both[a.Asset] = true
		if a.Verdict != Blocked {
			k := key{a.Asset, a.Zone, a.Transport}
			open[k] = append(open[k], a.span())
		}
	}
	var out []Finding
	for i := range answers {
		a := &answers[i]
		if a.Address.Is4() || a.Verdict != Reachable || !both[a.Asset] {
			continue
		}
		if firewall.NewSet(open[key{a.Asset, a.Zone, a.Transport}]...).Meets(a.span()) {
			continue
		}
		f := a.finding(OnlyIPv6, exposure.HighSev, "open over IPv6 and closed over IPv4")
		f.Summary = fmt.Sprintf("%s of %s is closed to %s over IPv4 and open over IPv6 (%s)", a.ports(), a.Asset, a.Zone, a.Address)
		f.Fix = "give IPv6 the same rules: ip6tables, or a table of family inet in nftables"
		out = append(out, f)
	}
	return out
}

func (a *Answer) span() firewall.Span[firewall.Number] {
	return firewall.Span[firewall.Number]{First: firewall.Number(a.Port), Last: firewall.Number(max(a.Port, a.LastPort))}
}

func (in *inspector) unread() []Finding {
	var out []Finding
	for _, u := range in.rules.Unparsed {
		out = append(out, Finding{
			ID: NotRead, Severity: exposure.MediumSev, Title: "not understood: " + u.Pos.String(),
			Summary: fmt.Sprintf("%s: %s", u.Pos, u.Why),
			Rules:   []Line{{File: u.Pos.File, Line: u.Pos.Line, Rule: u.Text, Undecided: u.Why}},
			Fix:     "every answer is undecided until the line is gone or understood",
		})
	}
	return out
}
