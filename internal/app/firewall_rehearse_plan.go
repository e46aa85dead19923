package app

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/netset"
	"reconshield/internal/packet"
	"reconshield/internal/policy"
	"reconshield/internal/rehearse"
)

// Bounds of a rehearsal.
const (
	mostRulePorts = 256  // that a ruleset can add to the sample
	mostServers   = 6000 // listeners on the stage
	mostQuestions = 400_000
)

// question is one comparison: a source's packet to a port of an asset.
type question struct {
	Asset, Zone    string // the zone of the policy
	Stand          string // the zone of the scene
	Source, Target netip.Addr
	Transport      exposure.Transport
	Port           uint16
}

// stagePlan is what is done on the stage; both ends of gob are this program.
type stagePlan struct {
	Listen []exposure.Target
	Asked  []question
	First  []rehearse.Probe // one for each of Asked
	Odd    []rehearse.Probe // from source ports that the rules name, to what the policy denies
	Odds   []int            // the question of each
	Talk   []rehearse.Probe // conversations on what the policy allows
	Talks  []int            // the question of each
	Scans  []zoneScan
}

// zoneScan is a scan by the engine, from one source of a zone.
type zoneScan struct {
	Stand   string
	Source  netip.Addr
	Targets []netip.Addr
	Ports   string
}

// usualSample are well-known ports that attackers try first: administration,
// databases, and services over UDP that multiply traffic (US-CERT alert
// TA14-017A).
func usualSample() []netset.Port {
	var out []netset.Port
	add := func(t exposure.Transport, numbers ...uint16) {
		for _, n := range numbers {
			out = append(out, netset.Port{Transport: t, Number: n})
		}
	}
	add(exposure.TCP, 21, 22, 23, 25, 53, 80, 111, 135, 139, 443, 445, 853, 953, 1433, 2375, 3306, 3389, 5432, 5900, 6379, 8080, 8443, 9200, 11211, 27017)
	add(exposure.UDP, 17, 19, 53, 69, 111, 123, 137, 161, 389, 443, 500, 623, 853, 1194, 1900, 3702, 5353, 11211, 51820)
	return out
}

// randomPorts are some that nobody expects, over both transports.
func randomPorts(n int) []netset.Port {
	const first, count = 20000, 12000
	var out []netset.Port
	for range n {
		number := uint16(first + rand.IntN(count)) //nolint:gosec // a sample, no secret
		out = append(out, netset.Port{Transport: exposure.TCP, Number: number}, netset.Port{Transport: exposure.UDP, Number: number})
	}
	return out
}

// policyPorts are those of a grant: both ends of a range and its middle.
func policyPorts(g *policy.Grant) []netset.Port {
	if g.Ports.Transport == policy.ESP {
		return nil
	}
	t := g.Ports.Transport.Base()
	middle := g.Ports.First + (g.Ports.Last-g.Ports.First)/2
	return []netset.Port{{Transport: t, Number: g.Ports.First}, {Transport: t, Number: middle}, {Transport: t, Number: g.Ports.Last}}
}

// choosePorts gathers what every asset is asked about: the policy's ports, what
// the rules name with the neighbours of each range, a sample of others, and what
// the user wants.
func (r *rehearsed) choosePorts() error {
	all := slices.Concat(usualSample(), randomPorts(3), r.rulePorts()) //nolint:mnd // few
	if r.opts.Ports != "" {
		more, err := ParsePorts(r.opts.Ports)
		if err != nil {
			return fmt.Errorf("--ports: %w", err)
		}
		all = slices.AppendSeq(all, more.All())
	}
	for _, g := range r.policy.Grants(r.opts.At) {
		all = append(all, policyPorts(&g)...)
	}
	r.ports = netset.NewPortSet(all...)
	return nil
}

// rulePorts are the ports that the rules name, over both transports.
func (r *rehearsed) rulePorts() []netset.Port {
	if r.rules == nil {
		return nil
	}
	seen := map[uint16]bool{}
	left := 0
	add := func(n firewall.Number) {
		switch number := uint16(n); { //nolint:gosec // bounded below
		case n == 0 || n > 65535 || seen[number]:
		case len(seen) == mostRulePorts:
			left++
		default:
			seen[number] = true
		}
	}
	r.eachMatch(func(m *firewall.Match) {
		if m.Field != firewall.DstPort && m.Field != firewall.OrigDstPort {
			return
		}
		for _, s := range m.Numbers.Spans() {
			add(s.First)
			add(s.Last)
			if s.Last > s.First { // where a range is one too long or too short
				add(s.First - 1)
				add(s.Last + 1)
			}
		}
	})
	if left > 0 {
		r.note("the ruleset names more ports than %d: %d of them were not asked; name those that matter with --ports", mostRulePorts, left)
	}
	var out []netset.Port
	for n := range seen {
		out = append(out, netset.Port{Transport: exposure.TCP, Number: n}, netset.Port{Transport: exposure.UDP, Number: n})
	}
	return out
}

// plan lists the questions and how each is asked.
func (r *rehearsed) plan() *stagePlan {
	p := &stagePlan{}
	r.sourcePorts = r.namedSources()
	for _, to := range r.targets() {
		for port := range r.allPorts(to.asset) {
			r.eachSource(to.addr, func(z rehearse.Zone, source netip.Addr) {
				if len(p.Asked) < mostQuestions {
					r.ask(p, to, port, z, source)
				}
			})
		}
	}
	r.unasked()
	if len(p.Asked) == mostQuestions {
		r.note("more than %d questions: not everything was asked; name fewer ports or assets", mostQuestions)
	}
	if !r.opts.NoScan {
		p.Scans = r.scans()
	}
	p.Listen = r.servers()
	return p
}

// eachSource gives the sources whose packets to an address pass the host.
func (r *rehearsed) eachSource(to netip.Addr, do func(rehearse.Zone, netip.Addr)) {
	for _, z := range r.scene.Zones {
		if !r.scene.Passes(z.Name, to) {
			continue
		}
		for _, source := range z.Sources {
			if source.Is4() == to.Is4() {
				do(z, source)
			}
		}
	}
}

// unasked says which zones cannot ask for which addresses.
func (r *rehearsed) unasked() {
	for _, z := range r.scene.Zones {
		var near, other []string
		for _, to := range r.targets() {
			fits := slices.ContainsFunc(z.Sources, func(a netip.Addr) bool { return a.Is4() == to.addr.Is4() })
			switch {
			case !r.scene.Passes(z.Name, to.addr):
				near = append(near, to.addr.String())
			case !fits:
				other = append(other, to.addr.String())
			}
		}
		if len(near) > 0 {
			r.note("zone %s was not tried to %s: both are behind the same interface, so packets do not pass this host", z.Name, few(near))
		}
		if len(other) > 0 {
			r.note("zone %s was not tried to %s: it has no network of that IP version", z.Name, few(other))
		}
	}
}

// few names some of many.
func few(names []string) string {
	const most = 6
	if len(names) > most+1 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// scans are one for each source, of every address that it can ask.
func (r *rehearsed) scans() []zoneScan {
	var out []zoneScan
	for _, to := range r.targets() {
		r.eachSource(to.addr, func(z rehearse.Zone, source netip.Addr) {
			i := slices.IndexFunc(out, func(s zoneScan) bool { return s.Stand == z.Name && s.Source == source })
			if i < 0 {
				i = len(out)
				out = append(out, zoneScan{Stand: z.Name, Source: source, Ports: r.ports.String()})
			}
			out[i].Targets = append(out[i].Targets, to.addr)
		})
	}
	return out
}

// target is an address that the rules stand before.
type target struct {
	asset *policy.Asset
	addr  netip.Addr
}

// targets are the host's own addresses and, of a gateway, those behind it.
func (r *rehearsed) targets() []target {
	var out []target
	for i := range r.policy.Assets {
		a := &r.policy.Assets[i]
		wanted := len(r.opts.Assets) == 0 || slices.Contains(r.opts.Assets, a.Name)
		if !wanted || a.Name != r.host.Name && !r.host.Gateway {
			continue
		}
		for _, addr := range a.Addresses {
			if r.scene.Place(addr) != "" {
				out = append(out, target{a, addr})
			}
		}
	}
	return out
}

// allPorts are the sample, with ESP where a tunnel needs it.
func (r *rehearsed) allPorts(a *policy.Asset) func(func(netset.Port) bool) {
	return func(yield func(netset.Port) bool) {
		for p := range r.ports.All() {
			if !yield(p) {
				return
			}
		}
		for _, g := range r.policy.Grants(r.opts.At) {
			if g.Asset.Name == a.Name && g.Ports.Transport == policy.ESP {
				yield(netset.Port{Transport: policy.ESP})
				return
			}
		}
	}
}

// ask adds a question and the probes for it.
func (r *rehearsed) ask(p *stagePlan, to target, port netset.Port, z rehearse.Zone, source netip.Addr) {
	name, _, _ := strings.Cut(z.Name, "/")
	q := question{
		Asset: to.asset.Name, Zone: name, Stand: z.Name, Source: source, Target: to.addr,
		Transport: port.Transport, Port: port.Number,
	}
	probe := rehearse.Probe{Kind: rehearse.FirstPacket, Zone: z.Name, Source: source, Target: to.addr, Port: port.Number}
	switch port.Transport.Base() {
	case exposure.TCP:
		probe.Protocol = packet.ProtoTCP
	case exposure.UDP:
		probe.Protocol = packet.ProtoUDP
	default:
		const esp = 50 // RFC 4303
		probe.Protocol = esp
	}
	p.Asked, p.First = append(p.Asked, q), append(p.First, probe)
	switch {
	case port.Transport == policy.ESP:
	case r.decide(q).Verdict == policy.Allow:
		probe.Kind = rehearse.Conversation
		p.Talk, p.Talks = append(p.Talk, probe), append(p.Talks, len(p.Asked)-1)
	default:
		for _, from := range r.sourcePorts {
			probe.SourcePort = from
			p.Odd, p.Odds = append(p.Odd, probe), append(p.Odds, len(p.Asked)-1)
		}
	}
}

// namedSources are the source ports that rules look at: whoever sends chooses
// them.
func (r *rehearsed) namedSources() []uint16 {
	const most = 4
	var out []uint16
	if r.rules == nil {
		return nil
	}
	named := func(m *firewall.Match) {
		if m.Field != firewall.SrcPort || m.Not {
			return
		}
		for _, s := range m.Numbers.Spans() {
			port := uint16(max(s.First, 1)) //nolint:gosec // a port
			if whole := s.First <= 1024 && s.Last == 65535; !whole && len(out) < most && !slices.Contains(out, port) {
				out = append(out, port)
			}
		}
	}
	r.eachMatch(named)
	return out
}

// eachMatch goes through all matches of the rules, also inside tuples.
func (r *rehearsed) eachMatch(do func(*firewall.Match)) {
	for _, c := range r.rules.Chains {
		for i := range c.Rules {
			for j := range c.Rules[i].Matches {
				m := &c.Rules[i].Matches[j]
				do(m)
				for _, tuple := range m.Tuples {
					for k := range tuple {
						do(&tuple[k])
					}
				}
			}
		}
	}
}

func (r *rehearsed) decide(q question) policy.Decision {
	return r.policy.Decide(policy.Flow{Zone: q.Zone, Source: q.Source, Target: q.Target, Transport: q.Transport, Port: q.Port}, r.opts.At)
}
