package policy

import (
	"fmt"
	"slices"
	"time"
)

// Warning is something in a policy that is allowed and deserves a look.
type Warning struct {
	Position
	Text string // one line
}

// String is "p.yaml:12:7: asset "ns1" has no owner".
func (w Warning) String() string { return w.Position.String() + ": " + w.Text }

// endsSoon is how long before its end an exception is spoken of.
const endsSoon = 14 * 24 * time.Hour

// Warnings are what deserves a look at a time, by line: exceptions and waivers
// that have ended or end within 14 days, assets without an owner, tunnels that
// nobody can enter or that are matched by half, and resolvers without clients.
func (p *Policy) Warnings(at time.Time) []Warning {
	if p == nil {
		p = Default()
	}
	var out []Warning
	add := func(pos Position, format string, args ...any) {
		if pos.File == "" {
			pos.File = p.File
		}
		out = append(out, Warning{pos, fmt.Sprintf(format, args...)})
	}
	if len(p.Assets) == 0 {
		add(Position{}, "no asset is declared: the policy denies everything and says nothing of any host")
	}
	for _, e := range p.Exceptions {
		add := func(format string) {
			add(e.At, format, quoted(e.Asset), e.Why, e.Owner, e.Until.Format(time.DateOnly))
		}
		switch {
		case !inDate(e.Until, at):
			add("the exception of asset %s (%s, %s) ended on %s and allows nothing; remove it or renew it")
		case !inDate(e.Until, at.Add(endsSoon)):
			add("the exception of asset %s (%s, %s) ends on %s")
		}
	}
	p.zoneWarnings(add)
	for i := range p.Assets {
		p.assetWarnings(&p.Assets[i], at, add)
	}
	slices.SortStableFunc(out, func(a, b Warning) int { return a.before(b.Position) })
	return out
}

func (p *Policy) zoneWarnings(add func(Position, string, ...any)) {
	wan, _ := p.Zone(WAN)
	gateway := slices.ContainsFunc(p.Assets, func(a Asset) bool { return a.isGateway(p) })
	for i := range p.Zones {
		z := &p.Zones[i]
		switch {
		case z.Name == WAN && z.At.Line == 0:
			add(z.At, "zone wan is not declared: it holds every address, and its interfaces are not known")
		case z.Tunnel == NoTunnel:
			continue
		case len(z.Interfaces) == 0 && z.Tunnel != IPsec:
			add(z.At, "tunnel zone %s has no interfaces: rules can match its network only, which others can forge", quoted(z.Name))
		}
		if z.Tunnel == NoTunnel {
			continue
		}
		if !gateway && len(p.Assets) > 0 {
			add(z.At, "no asset has gateway: true, so wan may not reach the port of tunnel zone %s", quoted(z.Name))
		}
		if z.Tunnel != IPsec && wan != nil && slices.ContainsFunc(z.Interfaces, func(name string) bool { return slices.Contains(wan.Interfaces, name) }) {
			add(z.At, "tunnel zone %s shares an interface with wan: its network can be forged from there", quoted(z.Name))
		}
	}
}

func (p *Policy) assetWarnings(a *Asset, at time.Time, add func(Position, string, ...any)) {
	if a.Owner == "" || a.Owner == owner {
		add(a.At, "asset %s has no owner", quoted(a.Name))
	}
	if w := a.Waiver; w != nil && !inDate(w.Until, at) {
		add(a.At, "the waiver of asset %s (%s, %s) ended on %s: it resolves for zones with networks only", quoted(a.Name), w.Why, w.Owner, w.Until.Format(time.DateOnly))
	} else if w != nil && !inDate(w.Until, at.Add(endsSoon)) {
		add(a.At, "the waiver of asset %s (%s, %s) ends on %s", quoted(a.Name), w.Why, w.Owner, w.Until.Format(time.DateOnly))
	}
	if !a.Role.resolves() {
		return
	}
	if !slices.ContainsFunc(p.Zones, func(z Zone) bool { return !z.open() }) {
		add(a.At, "nobody may ask asset %s: no zone but wan has networks", quoted(a.Name))
		return
	}
	for i := range p.Zones {
		if z := &p.Zones[i]; z.open() && z.Name != WAN {
			add(a.At, "zone %s may not ask asset %s: it has no networks", quoted(z.Name), quoted(a.Name))
		}
	}
}
