package analyze

import (
	"cmp"
	"context"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// Run audits a ruleset.
func Run(r *firewall.Ruleset, opt Options) (*Audit, error) {
	return RunContext(context.Background(), r, opt)
}

// RunContext audits a ruleset until ctx ends; its error is ctx's then.
func RunContext(ctx context.Context, r *firewall.Ruleset, opt Options) (*Audit, error) {
	in, err := newInspector(r, opt)
	if err != nil {
		return nil, err
	}
	a := &Audit{
		Schema: SchemaVersion, Files: r.Files, Policy: opt.Policy.File,
		Answers: []Answer{}, Findings: []Finding{}, Unparsed: []Unparsed{}, Assumed: []string{},
	}
	for _, u := range r.Unparsed {
		a.Unparsed = append(a.Unparsed, Unparsed{u.Pos.File, u.Pos.Line, u.Text, u.Why})
	}
	var own []Finding
	var wg sync.WaitGroup
	wg.Go(func() { own = in.ruleset(ctx) })
	answers, departures := in.answers(ctx)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(answers) > 0 {
		a.Answers = answers
	}
	if all := worstFirst(departures, families(answers), own); len(all) > 0 {
		a.Findings = all
	}
	for i := range opt.Policy.Assets {
		if x := &opt.Policy.Assets[i]; in.asked(x) {
			a.Asked = append(a.Asked, x.Name)
		} else if in.elsewhere[x.Name] {
			in.assume("%s is not asked about: %s is no gateway in the policy, and no forwarding rule names %s; gateway: true on %s says otherwise", x.Name, opt.Host, x.Name, opt.Host)
		}
	}
	a.Assumed = slices.Concat(a.Assumed, r.Assumed, presumed(r), tied(r), in.assumed)
	return a, nil
}

// presumed gathers what rules of the set look at that is taken for granted.
func presumed(r *firewall.Ruleset) []string {
	var out []string
	for _, c := range r.Chains {
		for i := range c.Rules {
			out = presumptions(out, c.Rules[i].Matches)
		}
	}
	return out
}

// presumptions appends those of a rule; in tuples they stand at the first level.
func presumptions(out []string, matches []firewall.Match) []string {
	for i := range matches {
		m := &matches[i]
		if m.Field == firewall.Presumed && !slices.Contains(out, m.Why) {
			out = append(out, m.Why)
		}
		for _, t := range m.Tuples {
			for j := range t {
				if t[j].Field == firewall.Presumed && !slices.Contains(out, t[j].Why) {
					out = append(out, t[j].Why)
				}
			}
		}
	}
	return out
}

// subject is one address over one transport: the unit of work.
type subject struct {
	asset *policy.Asset
	addr  netip.Addr
	via   transport
}

func (in *inspector) answers(ctx context.Context) ([]Answer, []Finding) {
	var subjects []subject
	for i := range in.opt.Policy.Assets {
		a := &in.opt.Policy.Assets[i]
		if !in.asked(a) {
			continue
		}
		for _, addr := range a.Addresses {
			for _, t := range transports() {
				subjects = append(subjects, subject{a, addr, t})
			}
		}
	}
	grants := in.opt.Policy.Grants(in.opt.At)
	answers, findings := make([][]Answer, len(subjects)), make([][]Finding, len(subjects))
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(len(subjects), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(subjects) && ctx.Err() == nil; i = next.Add(1) - 1 {
				answers[i], findings[i] = in.subject(subjects[i], grants)
			}
		})
	}
	wg.Wait()
	return slices.Concat(answers...), slices.Concat(findings...)
}

// asked reports whether an audit is about an asset: what the query names or,
// without one, what the host can be in the way of.
func (in *inspector) asked(a *policy.Asset) bool {
	if in.opt.Query.Asset != "" {
		return in.opt.Query.Asset == a.Name
	}
	return !in.elsewhere[a.Name]
}

// row is what a zone can do with a range of ports.
type row struct {
	ports     firewall.Span[firewall.Number]
	may, must firewall.Addrs
	special   firewall.Addrs                   // of must, those that need one of sports
	sports    []firewall.Span[firewall.Number] // nil: any source port does
	gaveUp    bool
}

// side is what one zone can do with one address over one transport.
type side struct {
	*policy.Zone
	questions []firewall.Question // one for each interface
	tracers   []*firewall.Tracer  // of the same
	rows      []row
	sources   firewall.Addrs // of the zone, in the address's family
	told      map[*firewall.Hop][]Line
}

// subject answers for one address and transport in every zone asked about, and
// compares with the policy.
func (in *inspector) subject(s subject, grants []policy.Grant) ([]Answer, []Finding) {
	var own []policy.Grant
	var narrow []firewall.Span[firewall.Number]
	for _, g := range grants {
		if g.Asset.Name == s.asset.Name && g.Ports.Transport.Base() == s.via.name {
			own = append(own, g)
			narrow = append(narrow, firewall.Span[firewall.Number]{First: firewall.Number(g.Ports.First), Last: firewall.Number(g.Ports.Last)})
		}
	}
	for _, p := range in.opt.Query.Ports {
		if p.Transport.Base() == s.via.name {
			narrow = append(narrow, firewall.Span[firewall.Number]{First: firewall.Number(p.First), Last: firewall.Number(p.Last)})
		}
	}
	var sides []*side
	for _, z := range in.zones() {
		sides = append(sides, in.side(s, z, narrow))
	}
	spans := in.spans(sides, own, s.via)
	out := make([]Answer, 0, len(spans)*len(sides))
	for _, span := range spans {
		for _, z := range sides {
			out = append(out, in.answer(s, z, span, own))
		}
	}
	out = join(out)
	var findings []Finding
	for i := range out {
		z := slices.IndexFunc(sides, func(z *side) bool { return z.Name == out[i].Zone })
		findings = append(findings, in.departures(&out[i], s, sides[z], own)...)
	}
	return out, findings
}

func (in *inspector) side(s subject, z *policy.Zone, narrow []firewall.Span[firewall.Number]) *side {
	out := &side{Zone: z, questions: in.withFlags(in.question(s, z)), sources: in.sources(s.addr, z)}
	for _, q := range out.questions {
		out.tracers = append(out.tracers, in.eval.Tracer(q))
	}
	if !out.sources.Empty() { // else a zone without addresses of the family
		out.rows = in.rows(out.questions, narrow)
	}
	return out
}

func (in *inspector) zones() []*policy.Zone {
	var out []*policy.Zone
	for i := range in.opt.Policy.Zones {
		if z := &in.opt.Policy.Zones[i]; in.opt.Query.Zone == "" || in.opt.Query.Zone == z.Name {
			out = append(out, z)
		}
	}
	return out
}

// question is what is asked of the evaluator for a zone; one for each of its
// interfaces.
func (in *inspector) question(s subject, z *policy.Zone) []firewall.Question {
	q := firewall.Question{
		Target: s.addr, Local: in.places[s.asset.Name], Protocol: s.via.number,
		Ports: firewall.Span[firewall.Number]{First: 1, Last: 65535}, Sources: in.sources(s.addr, z),
	}
	if len(z.Interfaces) == 0 || in.borrowed {
		return []firewall.Question{q}
	}
	out := make([]firewall.Question, len(z.Interfaces))
	for i, name := range z.Interfaces {
		out[i] = q
		out[i].In = firewall.Link{Known: true, Name: name}
	}
	return out
}

// sources are the addresses of a zone in the family of a target.
func (in *inspector) sources(target netip.Addr, z *policy.Zone) firewall.Addrs {
	all := firewall.AllOf(firewall.FamilyOf(target))
	if len(z.Networks) > 0 {
		all = all.Intersect(firewall.AddrsOf(z.Networks...))
	}
	if in.borrowed && len(z.Networks) == 0 {
		for i := range in.opt.Policy.Zones {
			all = all.Subtract(firewall.AddrsOf(in.opt.Policy.Zones[i].Networks...))
		}
	}
	if in.opt.Query.Source.IsValid() {
		all = all.Intersect(firewall.AddrsOf(in.opt.Query.Source))
	}
	return all
}

// rows gives what a zone can do with all ports. Of several interfaces any will
// do, and of several source ports.
func (in *inspector) rows(questions []firewall.Question, narrow []firewall.Span[firewall.Number]) []row {
	var reached []firewall.Reach
	var open firewall.Numbers
	for _, q := range questions {
		r, left := in.ask(q, narrow)
		reached, open = append(reached, r...), open.Union(left)
	}
	var cuts []firewall.Number
	for _, r := range reached {
		cuts = append(cuts, r.Ports.First, r.Ports.Last+1)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	slices.SortStableFunc(reached, func(a, b firewall.Reach) int { return cmp.Compare(a.Ports.First, b.Ports.First) })
	var out []row
	var active []firewall.Reach
	next := 0
	for i := 0; i+1 < len(cuts); i++ {
		x := row{ports: firewall.Span[firewall.Number]{First: cuts[i], Last: cuts[i+1] - 1}}
		x.gaveUp = open.Meets(x.ports)
		active = slices.DeleteFunc(active, func(r firewall.Reach) bool { return r.Ports.Last < x.ports.First })
		for ; next < len(reached) && reached[next].Ports.First <= x.ports.First; next++ {
			active = append(active, reached[next])
		}
		x.gather(active)
		out = append(out, x)
	}
	return out
}

// usualPort stands for the source ports that ordinary senders use.
const usualPort firewall.Number = 40000

// gather unites answers for interfaces and source ports, and keeps what only
// some source ports get through.
func (x *row) gather(active []firewall.Reach) {
	var usual firewall.Addrs
	for _, r := range active {
		x.may, x.must = x.may.Union(r.May), x.must.Union(r.Must)
		if r.SourcePorts.First <= usualPort && usualPort <= r.SourcePorts.Last {
			usual = usual.Union(r.Must)
		}
	}
	x.special = x.must.Subtract(usual)
	if x.special.Empty() {
		return
	}
	var through []firewall.Span[firewall.Number]
	for _, r := range active {
		if !r.Must.Intersect(x.special).Empty() {
			through = append(through, r.SourcePorts)
		}
	}
	x.sports = firewall.NewSet(through...).Spans()
}

// spans gives the ranges of ports to answer: each that some zone may reach, each
// that the policy speaks of, or those of the query; none is divided by a change
// of any zone's answer or of the policy's.
func (in *inspector) spans(sides []*side, grants []policy.Grant, via transport) []firewall.Span[firewall.Number] {
	var cuts []firewall.Number
	var wanted []firewall.Span[firewall.Number]
	add := func(first, last firewall.Number, want bool) {
		cuts = append(cuts, first, last+1)
		if want {
			wanted = append(wanted, firewall.Span[firewall.Number]{First: first, Last: last})
		}
	}
	all := len(in.opt.Query.Ports) == 0
	if len(in.rules.Unparsed) > 0 {
		add(1, 65535, all) // then nothing is closed for sure
	}
	for _, zone := range sides {
		for _, r := range zone.rows {
			add(r.ports.First, r.ports.Last, all && !r.may.Empty())
		}
	}
	for _, g := range grants {
		add(firewall.Number(g.Ports.First), firewall.Number(g.Ports.Last), all)
	}
	for _, p := range in.opt.Query.Ports {
		if p.Transport.Base() == via.name {
			add(firewall.Number(p.First), firewall.Number(p.Last), true)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []firewall.Span[firewall.Number]
	for _, w := range firewall.NewSet(wanted...).Spans() {
		for i, _ := slices.BinarySearch(cuts, w.First); i+1 < len(cuts) && cuts[i] <= w.Last; i++ {
			out = append(out, firewall.Span[firewall.Number]{First: cuts[i], Last: cuts[i+1] - 1})
		}
	}
	return out
}
