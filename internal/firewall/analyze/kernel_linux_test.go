package analyze_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/firewall/nft"
	"reconshield/internal/policy"
	"reconshield/internal/rehearse"
)

// TestKernelAgreesWithAudit loads every fixture that is a Linux host's into the
// kernel and sends what the audit says of: what is REACHABLE must arrive from
// its sources and from nobody else, what is BLOCKED must not.
func TestKernelAgreesWithAudit(t *testing.T) {
	checked := 0
	for _, f := range fixtures(t) {
		if !f.onLinux() || len(f.loadable()) == 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			n := holdAgainstKernel(t, &f)
			t.Logf("%d packets", n)
			checked += n
		})
	}
	if checked < 500 {
		t.Errorf("only %d packets were decided", checked)
	}
}

// onLinux reports that the files are those of a Linux host.
func (f *fixture) onLinux() bool {
	for _, s := range f.sources {
		isSave, _, _ := iptables.Sniff(s.Text)
		asJSON, asText := nft.Sniff(s.Text)
		if isSave || asJSON || asText {
			return true
		}
	}
	return false
}

// host is the asset that the rules stand on.
func (f *fixture) host() *policy.Asset {
	for i := range f.policy.Assets {
		if f.policy.Assets[i].Gateway {
			return &f.policy.Assets[i]
		}
	}
	return &f.policy.Assets[0]
}

// stage is the fixture's host in namespaces, with its rules loaded.
func (f *fixture) stage(t *testing.T) (*rehearse.Stage, rehearse.Scene) {
	t.Helper()
	scene, _ := rehearse.Describe(f.policy, f.host(), at())
	scene, _ = scene.Furnish(f.rules)
	scene.Static = true
	s, err := rehearse.Open(t.Context(), scene)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(t.Context(), f.loadable()...); err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	return s, scene
}

func holdAgainstKernel(t *testing.T, f *fixture) int {
	t.Helper()
	s, scene := f.stage(t)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	a := f.audit(t)
	var probes []rehearse.Probe
	var wants []want
	answers := slices.Concat(a.Answers, f.silent(a))
	for i := range answers {
		p, w := f.probes(&answers[i], scene)
		probes, wants = append(probes, p...), append(wants, w...)
	}
	compare(t, s, probes, wants)
	return len(probes)
}

// want is what the audit says of a probe.
type want struct {
	delivered bool
	answer    *analyze.Answer
}

func compare(t *testing.T, s *rehearse.Stage, probes []rehearse.Probe, wants []want) {
	t.Helper()
	outcomes, err := s.Probe(t.Context(), probes)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i, o := range outcomes {
		const most = 4
		if failed == most {
			t.Log("and so on")
			return
		}
		if w := wants[i]; o.Delivered != w.delivered {
			failed++
			t.Errorf("%s %s -> %s %d/%d: delivered %v (%s %s), but the audit says %s", probes[i].Zone, probes[i].Source, probes[i].Target,
				probes[i].Port, probes[i].Protocol, o.Delivered, o.Place, o.To, answerLine(w.answer))
		}
	}
}

// probes of an answer: the first and the last of its ports, from sources that
// get through and from some that do not. What is undecided is not sent.
func (f *fixture) probes(a *analyze.Answer, scene rehearse.Scene) (out []rehearse.Probe, wants []want) {
	if len(a.SourcePorts) > 0 || !scene.Passes(a.Zone, a.Address) {
		return nil, nil
	}
	protocol := uint8(6)
	if a.Transport == exposure.UDP {
		protocol = 17
	}
	through, doubtful := firewall.AddrsOf(a.Sources...), firewall.AddrsOf(a.Undecided...)
	for _, source := range f.senders(a, scene) {
		if doubtful.Contains(source) {
			continue
		}
		for _, port := range []uint16{a.Port, max(a.Port, a.LastPort)} {
			out = append(out, rehearse.Probe{Zone: a.Zone, Source: source, Target: a.Address, Port: port, Protocol: protocol})
			wants = append(wants, want{through.Contains(source), a})
		}
	}
	return out, wants
}

// senders are addresses in the zone of an answer: those of the scene and the
// ends of what the answer tells apart. Sources at home in another zone are left
// out: reverse-path filters, where there are any, refuse them.
func (f *fixture) senders(a *analyze.Answer, scene rehearse.Scene) []netip.Addr {
	var out []netip.Addr
	z, _ := f.policy.Zone(a.Zone)
	add := func(addr netip.Addr) {
		home := f.policy.ZoneOf(addr)
		elsewhere := home != nil && home.Name != a.Zone
		foreign := len(z.Networks) > 0 && !firewall.AddrsOf(z.Networks...).Contains(addr)
		if addr.Is4() == a.Address.Is4() && addr.IsGlobalUnicast() && !elsewhere && !foreign && scene.Place(addr) == "" {
			out = append(out, addr)
		}
	}
	for _, text := range []string{"198.51.100.7", "198.51.100.23", "203.0.113.7", "203.0.113.130", "192.0.2.99", "10.0.0.7", "10.1.0.9", "2001:db8:f::7", "fd00:10::7"} {
		add(netip.MustParseAddr(text))
	}
	const most = 8
	for i, p := range a.Sources {
		if i == most {
			break
		}
		add(p.Addr().Next())
		add(p.Addr().Prev())
	}
	return out
}

// loadable are the files that tools take: nft cannot load what it lists of
// iptables-nft's rules.
func (f *fixture) loadable() []rehearse.Ruleset {
	var out []rehearse.Ruleset
	for _, s := range f.sources {
		if !bytes.Contains(s.Text, []byte(`"xt"`)) {
			out = append(out, rehearse.Ruleset{File: s.Name, Text: s.Text})
		}
	}
	return out
}

// silent are answers for ports that the audit says nothing of, which is to say
// that nobody reaches them.
func (f *fixture) silent(a *analyze.Audit) []analyze.Answer {
	var out []analyze.Answer
	for i := range f.policy.Assets {
		for _, addr := range f.policy.Assets[i].Addresses {
			for _, via := range []exposure.Transport{exposure.TCP, exposure.UDP} {
				for _, port := range []uint16{1, 22, 25, 53, 80, 443, 5353, 8080, 8081, 30053, 65535} {
					if !answered(a, addr, via, port) {
						for _, z := range f.policy.Zones {
							out = append(out, analyze.Answer{Asset: f.policy.Assets[i].Name, Address: addr, Transport: via, Port: port, Zone: z.Name, Verdict: analyze.Blocked})
						}
					}
				}
			}
		}
	}
	return out
}

func answered(a *analyze.Audit, addr netip.Addr, via exposure.Transport, port uint16) bool {
	return slices.ContainsFunc(a.Answers, func(x analyze.Answer) bool {
		return x.Address == addr && x.Transport == via && x.Port <= port && port <= max(x.Port, x.LastPort)
	})
}
