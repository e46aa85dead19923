package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/policy"
	"reconshield/internal/report/portlist"
	"reconshield/internal/report/rehearsal"
	"reconshield/internal/scan"
)

// VerifyOptions say what is verified from here.
type VerifyOptions struct {
	Policy   string   // its file; "-" is Stdin
	Zone     string   // in which this machine stands; empty: found out
	Assets   []string // of the policy; empty: all
	Rulesets []string // audited beside the scan; nil: none
	Host     string   // the asset that they were saved on; empty: found out
	Ports    string   // further ports to ask
	Mode     string   // see ScanModes
	At       time.Time
	Stdin    io.Reader
	Progress func(portlist.ProgressState) // nil: nobody looks
}

// verifying is a verification on its way.
type verifying struct {
	rehearsed
	verify VerifyOptions
	zone   *policy.Zone
	audit  *analyze.Audit
	// before says whether the audited rules stand before an asset.
	before func(*policy.Asset) bool
}

// VerifyFirewall scans the addresses of the policy's assets, and no others, from
// where this machine stands, and compares what it finds with the policy and with
// the audit of rulesets. Its errors are the user's to mend; a *FailureError means
// that this machine cannot do it.
func VerifyFirewall(ctx context.Context, o VerifyOptions) (*rehearsal.Document, error) {
	if err := oneStdin(AuditOptions{Rulesets: o.Rulesets, Policy: o.Policy}); err != nil {
		return nil, err
	}
	started := time.Now()
	p, err := LoadPolicy(o.Policy, o.Stdin)
	if err != nil {
		return nil, err
	}
	v := &verifying{verify: o, rehearsed: rehearsed{policy: p, opts: RehearseOptions{Ports: o.Ports, At: o.At}}}
	targets, err := v.assets()
	if err != nil {
		return nil, err
	}
	if err := v.stand(targets); err != nil {
		return nil, err
	}
	if err := v.auditRules(ctx); err != nil {
		return nil, err
	}
	if err := v.choosePorts(); err != nil {
		return nil, err
	}
	seen, err := v.scan(ctx, targets)
	if err != nil {
		return nil, err
	}
	doc := v.compare(targets, seen)
	doc.Seconds = time.Since(started).Seconds()
	return doc, nil
}

// assets are the addresses to scan.
func (v *verifying) assets() ([]target, error) {
	for _, name := range v.verify.Assets {
		if _, ok := v.policy.Asset(name); !ok {
			return nil, fmt.Errorf("--asset %q: no asset of the policy; it has %s", cut(name), assetNames(v.policy))
		}
	}
	var out []target
	for i := range v.policy.Assets {
		a := &v.policy.Assets[i]
		if len(v.verify.Assets) > 0 && !slices.Contains(v.verify.Assets, a.Name) {
			continue
		}
		for _, addr := range a.Addresses {
			out = append(out, target{a, addr})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the policy has no asset with an address to scan; add assets with addresses")
	}
	return out, nil
}

// stand finds out in which zone this machine stands.
func (v *verifying) stand(targets []target) error {
	if v.verify.Zone != "" {
		z, ok := v.policy.Zone(v.verify.Zone)
		if !ok {
			return fmt.Errorf("--zone %q: no zone of the policy; it has %s", cut(v.verify.Zone), zoneNames(v.policy))
		}
		v.zone = z
		return nil
	}
	name, _ := os.Hostname()
	for i := range v.policy.Zones {
		if z := &v.policy.Zones[i]; z.Vantage != "" && z.Vantage == name {
			v.zone = z
			v.note("taken as standing in zone %s, whose vantage has the name of this machine; --zone says otherwise", z.Name)
			return nil
		}
	}
	for _, t := range targets {
		from := sourceFor(t.addr)
		if z := v.policy.ZoneOf(from); from.IsValid() && z != nil && len(z.Networks) > 0 {
			v.zone = z
			v.note("taken as standing in zone %s, whose networks hold %s; --zone says otherwise", z.Name, from)
			return nil
		}
	}
	z, ok := v.policy.Zone(policy.WAN)
	if !ok {
		return errors.New("--zone: say in which zone of the policy this machine stands")
	}
	v.zone = z
	v.note("taken as standing in zone wan, since no other zone holds this machine's address; --zone says otherwise")
	return nil
}

// sourceFor is the address that this machine sends from; connecting a UDP socket
// sends nothing. The zero Addr: there is no way to the target.
func sourceFor(to netip.Addr) netip.Addr {
	conn, err := net.Dial("udp", netip.AddrPortFrom(to, 9).String()) //nolint:noctx,mnd // it does not block; discard (RFC 863)
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	from, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

// scan asks every port of every address once.
func (v *verifying) scan(ctx context.Context, targets []target) (map[exposure.Target]exposure.Observation, error) {
	o := ScanOptions{Ports: v.ports.String(), Show: "all", Retries: -1, Mode: v.verify.Mode, Vantage: v.zone.Name}
	for _, t := range targets {
		if sourceFor(t.addr) == t.addr {
			v.note("%s is this machine's own address: packets to it pass no firewall, so it was not measured; verify from another machine", t.addr)
			continue
		}
		o.Targets = append(o.Targets, t.addr.String())
	}
	seen := map[exposure.Target]exposure.Observation{}
	if len(o.Targets) == 0 {
		return seen, nil
	}
	s, err := NewScan(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // nothing was written
	if err := s.resolve(ctx); err != nil {
		return nil, &FailureError{Err: err}
	}
	// Whether a silent port is closed takes a host that limits its refusals
	// long to tell, and is no question of the policy.
	const patience = 10 * time.Second
	survey := s.survey()
	survey.Addresses, survey.Patience = s.scope, patience
	survey.Progress = func(p scan.Progress) {
		if v.verify.Progress != nil {
			v.verify.Progress(progressState("ports", p))
		}
	}
	sum, err := scan.Sweep(ctx, s.wire, survey, func(x exposure.Observation) {
		seen[exposure.Target{Addr: x.Addr, Transport: x.Transport, Port: x.Port}] = x
	})
	if err != nil {
		return nil, &FailureError{Err: err}
	}
	v.notes = slices.Concat(v.notes, s.notes, sum.Notes)
	return seen, nil
}

// compare judges every port.
func (v *verifying) compare(targets []target, seen map[exposure.Target]exposure.Observation) *rehearsal.Document {
	doc := &rehearsal.Document{
		Schema: rehearsal.SchemaVersion, Kind: rehearsal.Verification, Files: v.verify.Rulesets, Policy: v.policy.File, Zone: v.zone.Name,
		Results: []rehearsal.Result{},
	}
	between := 0
	for _, t := range targets {
		from := v.source(t.addr)
		for port := range v.allPorts(t.asset) {
			if port.Transport == policy.ESP {
				v.note("esp to %s was not measured: no scan asks for it", t.addr)
				continue
			}
			x := rehearsal.Result{
				Asset: t.asset.Name, Address: t.addr, Zone: v.zone.Name, Source: from, Transport: port.Transport, Port: port.Number,
			}
			d := v.decide(question{Zone: v.zone.Name, Source: from, Target: t.addr, Transport: port.Transport, Port: port.Number})
			x.Policy, x.Rule = d.Verdict, rulePlace(d.Rule)
			o, ok := seen[exposure.Target{Addr: t.addr, Transport: port.Transport, Port: port.Number}]
			if !ok {
				o = exposure.Observation{State: exposure.Unmeasured, Reason: exposure.ReasonNotAsked}
			}
			v.judgeScan(&x, o)
			x.Severity = severityOf(v.policy, &x)
			if v.joinAudit(&x) {
				between++
			}
			doc.Results = append(doc.Results, x)
		}
	}
	if between > 0 {
		v.note("the ruleset lets through what did not answer (ports of addresses: %d): something else stands in between, or nobody listens", between)
	}
	sortResults(doc.Results, v.policy)
	slices.Sort(v.notes)
	doc.Notes = slices.Compact(v.notes)
	return doc
}

// source is who the policy is asked about: this machine or, where its address is
// none of the zone's, somebody of the zone.
func (v *verifying) source(to netip.Addr) netip.Addr {
	from := sourceFor(to)
	if len(v.zone.Networks) == 0 || slices.ContainsFunc(v.zone.Networks, func(n netip.Prefix) bool { return n.Contains(from) }) {
		if !from.IsValid() {
			from = unspecified(to)
		}
		return from
	}
	for _, n := range v.zone.Networks {
		if n.Addr().Is4() == to.Is4() {
			v.note("%s is not among the networks of zone %s: the policy is asked about %s in its stead", from, v.zone.Name, n.Addr().Next())
			return n.Addr().Next()
		}
	}
	return cmp.Or(from, unspecified(to))
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// judgeScan compares an observation with the policy. What was not measured is
// never passed.
func (v *verifying) judgeScan(x *rehearsal.Result, o exposure.Observation) {
	x.Engine = o.State
	x.Found = fmt.Sprintf("%s (%s)", o.State, cmp.Or(string(o.Reason), "no reason known"))
	for _, l := range o.Labels {
		x.Found += ", " + string(l)
	}
	allowed := x.Policy == policy.Allow
	switch o.State {
	case exposure.Open:
		x.State = rehearsal.Exposed
		if allowed {
			x.State = rehearsal.Open
		}
	case exposure.OpenFiltered:
		x.State = rehearsal.Silent
		// Servers of DNS answer every query, if only to refuse it (RFC 1035, 4.1.1).
		if allowed && x.Transport == exposure.UDP && x.Port == dnsPort {
			x.State, x.Remark = rehearsal.Starved, "a DNS query got no answer: it is dropped on the way, or nobody serves"
		}
	case exposure.Closed:
		switch {
		case !allowed:
			x.State = rehearsal.Closed
		case v.rangeOnly(x):
			x.State, x.Remark = rehearsal.Open, "reached, and nobody listens on this port of the range"
		default:
			x.State = rehearsal.Refused
		}
	case exposure.Filtered:
		x.State = rehearsal.Closed
		if allowed {
			x.State = rehearsal.Starved
		}
	case exposure.Unmeasured:
		x.State = rehearsal.Unmeasured
	default:
		x.State = rehearsal.Unmeasured
	}
}

// rangeOnly reports that the policy allows the port only as one of a range: then
// nobody need listen.
func (v *verifying) rangeOnly(x *rehearsal.Result) bool {
	for _, g := range v.policy.Grants(v.verify.At) {
		if g.Asset.Name == x.Asset && g.Zone.Name == x.Zone && g.Ports.Contains(x.Transport, x.Port) && g.Ports.First == g.Ports.Last {
			return false
		}
	}
	return true
}
