package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/policy"
	"reconshield/internal/report"
)

type policyExplainFlags struct {
	zone, source, asset, at, format, color string
}

func newPolicyExplainCommand() *cobra.Command {
	var f policyExplainFlags
	cmd := &cobra.Command{
		Use:   "explain FILE PORT ...",
		Short: "Tell what the policy decides, and by which rule",
		Long: `It tells for a zone, a source and an asset whether the policy lets a conversation
with a port begin, and which rule of the file decided. A PORT is tcp/22, udp/53 or
53, which stands for both. Without --source it answers for any source of the zone.

Exit codes:
  0  every port is allowed
  1  some port is denied
  2  the command line or the policy cannot be used`,
		Example: `reconshield policy explain policy.yaml --from wan --to ns1 tcp/22
reconshield policy explain policy.yaml --from lan --source 10.0.1.7 --to ns1 53 9153/tcp`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPolicyExplain(cmd, args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.zone, "from", "", "the `ZONE` from which packets come (default that of --source, or wan)")
	flags.StringVar(&f.source, "source", "", "the `ADDRESS` that sends them (default one of the zone)")
	flags.StringVar(&f.asset, "to", "", "the `ASSET` by name or address (default the only one)")
	flags.StringVar(&f.at, "at", "", "as of this `DATE`, such as 2027-03-31 (default today)")
	flags.StringVar(&f.format, "format", "text", "the form: text or json")
	flags.StringVar(&f.color, "color", "auto", "colours: auto, always or never")
	return cmd
}

// explained is one decision in the JSON of policy explain.
type explained struct {
	Zone      string             `json:"zone"`
	Source    string             `json:"source,omitempty"`
	Asset     string             `json:"asset"`
	Target    netip.Addr         `json:"target"`
	Port      uint16             `json:"port"`
	Transport exposure.Transport `json:"transport"`
	Verdict   policy.Verdict     `json:"verdict"`
	Rule      string             `json:"rule"`
	File      string             `json:"file,omitempty"`
	Line      int                `json:"line,omitempty"`
	Column    int                `json:"column,omitempty"`
	Only      []netip.Prefix     `json:"only,omitempty"` // the sources that are let in, when not all of the zone
}

func runPolicyExplain(cmd *cobra.Command, args []string, f policyExplainFlags) error {
	if len(args) < 2 {
		return errors.New("name the policy and a port: reconshield policy explain FILE --from wan --to ns1 tcp/22")
	}
	if f.format != "text" && f.format != "json" {
		return fmt.Errorf("--format %q: text or json", f.format)
	}
	if err := colorError(f.color); err != nil {
		return err
	}
	at, err := parseDay(f.at)
	if err != nil {
		return err
	}
	p, err := app.LoadPolicy(args[0], cmd.InOrStdin())
	if err != nil {
		return policyFailure(cmd, err)
	}
	list, err := explain(p, args[1:], f, at)
	if err != nil {
		return err
	}
	if f.format == "json" {
		err = writeIndented(cmd.OutOrStdout(), list)
	} else {
		err = unwritten(writeExplained(cmd.OutOrStdout(), list, report.NewSigns(appearance(cmd.OutOrStdout(), f.color))))
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Verdict != policy.Allow {
			return &exitError{code: exitFindings}
		}
	}
	return nil
}

func explain(p *policy.Policy, ports []string, f policyExplainFlags, at time.Time) ([]explained, error) {
	asset, target, err := explainedAsset(p, f.asset)
	if err != nil {
		return nil, err
	}
	var source netip.Addr
	if f.source != "" {
		if source, err = netip.ParseAddr(f.source); err != nil {
			return nil, fmt.Errorf("--source %q: an address, such as 198.51.100.7", f.source)
		}
		if target, err = sameFamily(asset, target, source, f.asset == asset.Name); err != nil {
			return nil, err
		}
	}
	zone := f.zone
	if z := p.ZoneOf(source); zone == "" && source.IsValid() && z != nil {
		zone = z.Name
	}
	zone = cmp.Or(zone, policy.WAN)
	if _, ok := p.Zone(zone); !ok {
		return nil, fmt.Errorf("--from %q: no such zone; the policy has %s", zone, sortedZones(p))
	}
	q, err := analyze.ParseQuery("to "+strings.Join(ports, " "), p)
	if err != nil {
		return nil, err
	}
	out := []explained{}
	for _, r := range q.Ports {
		if r.First != r.Last {
			return nil, fmt.Errorf("port %s: one port at a time, not a range", r)
		}
		e := explained{Zone: zone, Asset: asset.Name, Target: target, Port: r.First, Transport: r.Transport}
		e.decide(p, source, at)
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, errors.New("name a port, such as tcp/22")
	}
	return out, nil
}

// decide asks the policy for one source, or for any source of the zone.
func (e *explained) decide(p *policy.Policy, source netip.Addr, at time.Time) {
	flow := policy.Flow{Zone: e.Zone, Source: source, Target: e.Target, Transport: e.Transport, Port: e.Port}
	if source.IsValid() {
		e.Source = source.String()
		e.record(p.Decide(flow, at))
		return
	}
	for _, g := range p.Grants(at) {
		if g.Asset.Name != e.Asset || g.Zone.Name != e.Zone || !g.Ports.Contains(e.Transport, e.Port) {
			continue
		}
		e.record(policy.Decision{Verdict: policy.Allow, Rule: g.Rule})
		if len(g.Sources) == 0 {
			e.Only = nil
			return
		}
		e.Only = append(e.Only, g.Sources...)
	}
	if e.Verdict == "" {
		flow.Source = anyOf(p, e.Zone, e.Target)
		e.record(p.Decide(flow, at))
	}
}

func (e *explained) record(d policy.Decision) {
	e.Verdict, e.Rule = d.Verdict, d.Rule.Text
	e.File, e.Line, e.Column = d.Rule.At.File, d.Rule.At.Line, d.Rule.At.Column
}

// anyOf is an address of a zone in the family of a target.
func anyOf(p *policy.Policy, zone string, target netip.Addr) netip.Addr {
	if z, ok := p.Zone(zone); ok {
		for _, n := range z.Networks {
			if n.Addr().BitLen() == target.BitLen() {
				return n.Addr()
			}
		}
	}
	if target.Is4() {
		return netip.MustParseAddr("198.51.100.7")
	}
	return netip.MustParseAddr("2001:db8:ffff::7")
}

func explainedAsset(p *policy.Policy, name string) (*policy.Asset, netip.Addr, error) {
	if addr, err := netip.ParseAddr(name); err == nil {
		a, ok := p.AssetOf(addr)
		if !ok {
			return nil, addr, fmt.Errorf("--to %s: the address is of no asset of the policy", name)
		}
		return a, addr.Unmap().WithZone(""), nil
	}
	names := make([]string, len(p.Assets))
	for i := range p.Assets {
		names[i] = p.Assets[i].Name
	}
	if name == "" && len(p.Assets) == 1 {
		name = names[0]
	}
	a, ok := p.Asset(name)
	switch {
	case !ok && len(names) == 0:
		return nil, netip.Addr{}, errors.New("the policy has no assets")
	case !ok && name == "":
		return nil, netip.Addr{}, fmt.Errorf("name the asset with --to: %s", strings.Join(firstFew(names), ", "))
	case !ok:
		return nil, netip.Addr{}, fmt.Errorf("--to %q: no such asset; the policy has %s", name, strings.Join(firstFew(names), ", "))
	}
	return a, a.Addresses[0], nil
}

func firstFew(names []string) []string {
	const most = 20
	if len(names) <= most {
		return names
	}
	return append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
}

// sameFamily picks the asset's address that a source can send to. An address
// that was given stays.
func sameFamily(a *policy.Asset, target, source netip.Addr, byName bool) (netip.Addr, error) {
	source = source.Unmap()
	if target.BitLen() == source.BitLen() {
		return target, nil
	}
	for _, addr := range a.Addresses {
		if byName && addr.BitLen() == source.BitLen() {
			return addr, nil
		}
	}
	return target, fmt.Errorf("--source %s cannot send to %s: they are of different families", source, target)
}

func writeExplained(w io.Writer, list []explained, s report.Signs) error {
	for _, e := range list {
		word := s.Bad(s.Cross + " denied ")
		if e.Verdict == policy.Allow {
			word = s.Good(s.Tick + " allowed")
		}
		from := e.Zone
		if e.Source != "" {
			from += " (" + e.Source + ")"
		}
		at := ""
		if e.Line > 0 {
			at = fmt.Sprintf("  %s:%d:%d", e.File, e.Line, e.Column)
		}
		if _, err := fmt.Fprintf(w, "%s  %s/%d of %s from %s: %s%s\n", word, e.Transport, e.Port,
			report.Sanitize(e.Asset), report.Sanitize(from), report.Sanitize(e.Rule), s.Faint(report.Sanitize(at))); err != nil {
			return err
		}
		if len(e.Only) > 0 {
			if _, err := fmt.Fprintf(w, "           only from %s\n", joinPrefixes(e.Only)); err != nil {
				return err
			}
		}
	}
	return nil
}

func joinPrefixes(list []netip.Prefix) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return strings.Join(firstFew(texts), ", ")
}
