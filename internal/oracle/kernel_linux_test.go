package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/lab"
	"reconshield/internal/oracle"
	"reconshield/internal/rehearse"
)

func TestMain(m *testing.M) { lab.Main(m) }

// scene is the stage of every world. Neighbours are static, so that any address
// may send.
func scene() rehearse.Scene {
	s := rehearse.Scene{Static: true}
	behind := oracle.Behind()
	everybody := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	sources := map[string][]netip.Addr{
		oracle.Outside: {netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8:f::7")},
		oracle.Inside:  {netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("2001:db8:b::7")},
	}
	for _, name := range []string{oracle.Outside, oracle.Inside, oracle.Containers} {
		s.Interfaces = append(s.Interfaces, rehearse.Interface{Name: name, Addresses: oracle.Own()[name]})
		if from, ok := sources[name]; ok {
			z := rehearse.Zone{Name: name, Interface: name, Sources: from}
			if name == oracle.Outside {
				z.Routes = everybody
			}
			s.Zones = append(s.Zones, z)
		}
		if hosts, ok := behind[name]; ok {
			s.Behind = append(s.Behind, rehearse.Host{Name: "behind-" + name, Interface: name, Addresses: hosts})
		}
	}
	s.Zones = append(s.Zones, rehearse.Zone{Name: self, Interface: rehearse.Loopback})
	return s
}

// self is the zone of the host itself.
const self = "self"

// listing gives what the evaluator is to read: the file as it was loaded, or
// what the kernel's tools print of it.
func listing(ctx context.Context, s *rehearse.Stage, kind string, seed uint64, text string) (string, error) {
	tool := map[string][][]string{
		"iptables":  {nil, {"iptables-save"}},
		"ip6tables": {nil, {"ip6tables-save"}},
		"nft":       {nil, {"nft", "list", "ruleset"}, {"nft", "-j", "list", "ruleset"}, {"nft", "-n", "-a", "list", "ruleset"}},
	}[kind]
	args := tool[seed%uint64(len(tool))]
	if args == nil {
		return text, nil
	}
	var out []byte
	err := s.In(self, func() (err error) {
		out, err = exec.CommandContext(ctx, args[0], args[1:]...).Output()
		return err
	})
	return string(out), err
}

// facts are what a user would give as "ip -j address" and "ip -j route".
func facts() firewall.HostFacts {
	var own []netip.Prefix
	f := firewall.HostFacts{}
	for name, prefixes := range oracle.Own() {
		for _, p := range prefixes {
			own = append(own, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
			f.Routes = append(f.Routes, firewall.Route{Prefix: p.Masked(), Interface: name})
		}
	}
	f.Routes = append(f.Routes, firewall.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Interface: oracle.Outside}, firewall.Route{Prefix: netip.MustParsePrefix("::/0"), Interface: oracle.Outside})
	f.Local = firewall.AddrsOf(own...)
	return f
}

// ruleset is one world's rules, in one of the languages.
func ruleset(ctx context.Context, w oracle.World, kind string) (text string, d rehearse.Dialect, six bool, err error) {
	switch kind {
	case "iptables":
		return w.IPTables(false), rehearse.IPTables, false, nil
	case "ip6tables":
		return w.IPTables(true), rehearse.IP6Tables, true, nil
	}
	text, err = settled(ctx, w.NFT())
	return text, rehearse.NFT, w.IntN(2) == 0, err
}

// question is what an audit asks about packets like p.
func question(e *firewall.Evaluator, p oracle.Packet) firewall.Question {
	q := firewall.Question{
		In: firewall.Link{Known: true, Name: p.Link}, Target: p.Target, Local: e.IsLocal(p.Target), Protocol: firewall.Number(p.Protocol),
		Packet: firewall.Packet{Flags: firewall.Number(p.Flags), ICMP: firewall.Number(p.ICMP)},
	}
	// A RST or a SYN-ACK belongs to no conversation; an ACK is taken as the
	// middle of one that began before (nf_conntrack_tcp_loose).
	if p.Protocol == 6 && (p.Flags == 0x04 || p.Flags == 0x12) {
		q.Packet.State = firewall.StateInvalid
	}
	return q
}

// expectation is what the evaluator says of a packet.
func expectation(e *firewall.Evaluator, p oracle.Packet) firewall.Trace {
	return e.Tracer(question(e, p)).Trace(p.Source, firewall.Number(p.SourcePort), firewall.Number(p.Port))
}

// asked is what the answer about all ports says of a packet.
func asked(e *firewall.Evaluator, p oracle.Packet) (may, must bool) {
	q := question(e, p)
	q.Ports = firewall.Span[firewall.Number]{First: 0, Last: 65535}
	answers, _ := e.Ask(q)
	within := func(s firewall.Span[firewall.Number], port uint16) bool {
		return s.First <= firewall.Number(port) && firewall.Number(port) <= s.Last
	}
	for _, r := range answers {
		if within(r.Ports, p.Port) && within(r.SourcePorts, p.SourcePort) {
			may, must = may || r.May.Contains(p.Source), must || r.Must.Contains(p.Source)
		}
	}
	return may, must
}

// tally counts what a run of worlds showed.
type tally struct{ rulesets, packets, decided, delivered int }

// trial holds the evaluator against the kernel in one world.
func trial(ctx context.Context, s *rehearse.Stage, kind string, seed uint64, packets int, sum *tally) error {
	w := oracle.New(seed)
	text, d, six, err := ruleset(ctx, w, kind)
	if err != nil {
		return fmt.Errorf("%s seed %d: %w", kind, seed, err)
	}
	if err := s.Flush(ctx); err != nil {
		return err
	}
	load := []rehearse.Ruleset{{Dialect: d, File: "rules", Text: []byte(text)}}
	var sources []dialect.Source
	if kind != "nft" {
		sets := w.IPSets(six)
		load = append(load, rehearse.Ruleset{Dialect: rehearse.IPSet, File: "sets", Text: []byte(sets)})
		sources = append(sources, dialect.Source{Name: "sets", Text: []byte(sets)})
	}
	if err := s.Load(ctx, load...); err != nil {
		return fmt.Errorf("%s seed %d: %w\n%s", kind, seed, err, numbered(text))
	}
	if text, err = listing(ctx, s, kind, seed, text); err != nil {
		return fmt.Errorf("%s seed %d: %w", kind, seed, err)
	}
	name := "rules"
	if six && d == rehearse.IP6Tables {
		name = "rules.v6"
	}
	rules, err := dialect.Load(append(sources, dialect.Source{Name: name, Text: []byte(text)}), dialect.Options{})
	if err != nil {
		return fmt.Errorf("%s seed %d: %w\n%s", kind, seed, err, numbered(text))
	}
	if len(rules.Unparsed) > 0 {
		return fmt.Errorf("%s seed %d: not understood: %+v\n%s", kind, seed, rules.Unparsed[0], numbered(text))
	}
	rules.Host = facts()
	e := firewall.NewEvaluator(rules)
	if err := s.Forget(); err != nil {
		return err
	}
	sent := make([]oracle.Packet, packets)
	probes := make([]rehearse.Probe, packets)
	for i := range sent {
		p := w.Packet(six)
		sent[i] = p
		probes[i] = rehearse.Probe{
			Zone: p.Link, Source: p.Source, SourcePort: p.SourcePort, Target: p.Target, Port: p.Port,
			Protocol: p.Protocol, Flags: p.Flags, ICMP: p.ICMP,
		}
	}
	sum.rulesets++
	outcomes, err := probeFresh(ctx, s, probes)
	if err != nil {
		return fmt.Errorf("%s seed %d: %w", kind, seed, err)
	}
	for i, p := range sent {
		t := expectation(e, p)
		if may, must := asked(e, p); may != t.May || must != t.Must {
			return fmt.Errorf("%s seed %d: packet %+v: traced may %v, must %v; asked may %v, must %v\n%s", kind, seed, p, t.May, t.Must, may, must, numbered(text))
		}
		sum.packets++
		if outcomes[i].Delivered {
			sum.delivered++
		}
		if t.May == t.Must {
			sum.decided++
		}
		if outcomes[i].Delivered && !t.May || !outcomes[i].Delivered && t.Must {
			return fmt.Errorf("%s seed %d: packet %+v: delivered %v, may %v, must %v; hops %s\n%s", kind, seed, p, outcomes[i].Delivered, t.May, t.Must, hops(t), numbered(text))
		}
	}
	return nil
}

// probeFresh sends probes so that each is the first of its conversation.
func probeFresh(ctx context.Context, s *rehearse.Stage, probes []rehearse.Probe) ([]rehearse.Outcome, error) {
	type tuple struct {
		source, target netip.Addr
		sport, port    uint16
		protocol       uint8
	}
	var out []rehearse.Outcome
	for len(probes) > 0 {
		seen := map[tuple]bool{}
		n := 0
		for n < len(probes) {
			p := probes[n]
			k := tuple{p.Source, p.Target, p.SourcePort, p.Port, p.Protocol}
			if seen[k] && p.SourcePort != 0 {
				break
			}
			seen[k] = true
			n++
		}
		got, err := s.Probe(ctx, probes[:n])
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
		if err := s.Forget(); err != nil {
			return nil, err
		}
		probes = probes[n:]
	}
	return out, nil
}

func hops(t firewall.Trace) string {
	var out []string
	for _, h := range t.Hops {
		out = append(out, fmt.Sprintf("%d", h.Pos().Line))
	}
	return strings.Join(out, ",")
}

func numbered(text string) string {
	var b strings.Builder
	for i, l := range strings.Split(text, "\n") {
		fmt.Fprintf(&b, "%3d %s\n", i+1, l)
	}
	return b.String()
}

// TestKernelAgrees holds the evaluator against the kernel over random worlds.
// FUZZ_FIREWALL_RULESETS is how many of each language, FUZZ_FIREWALL_SEED the
// first of their seeds.
func TestKernelAgrees(t *testing.T) {
	rulesets, first := setting(t, "FUZZ_FIREWALL_RULESETS", 20), setting(t, "FUZZ_FIREWALL_SEED", 1)
	const packets = 60
	s, err := rehearse.Open(t.Context(), scene())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, kind := range []string{"iptables", "ip6tables", "nft"} {
		t.Run(kind, func(t *testing.T) {
			var sum tally
			var failed []error
			for seed := range uint64(rulesets) {
				if err := trial(t.Context(), s, kind, uint64(first)+seed, packets, &sum); err != nil {
					failed = append(failed, err)
				}
				if len(failed) > 3 {
					break
				}
			}
			t.Logf("%d rulesets, %d packets, %d decided, %d delivered", sum.rulesets, sum.packets, sum.decided, sum.delivered)
			if err := errors.Join(failed...); err != nil {
				t.Fatal(err)
			}
			if sum.decided*2 < sum.packets || sum.delivered*20 < sum.packets {
				t.Errorf("the worlds show little: %+v", sum)
			}
		})
	}
}

func setting(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q: expected a number", name, text)
	}
	return n
}
