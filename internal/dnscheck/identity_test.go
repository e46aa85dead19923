package dnscheck

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// toldAnswer makes an answer with TXT records; no text gives an empty NOERROR.
func toldAnswer(texts ...string) dialogue.Answer {
	m := &dnswire.Message{}
	for _, t := range texts {
		m.Answer = append(m.Answer, &dnswire.TXT{Hdr: dnswire.RRHeader{Name: "x.", Rrtype: dnswire.TypeTXT, Class: dnswire.ClassCH}, Txt: []string{t}})
	}
	return dialogue.Answer{Msg: m}
}

func codeAnswer(code int) dialogue.Answer {
	m := &dnswire.Message{}
	m.Rcode = code
	return dialogue.Answer{Msg: m}
}

func quietAnswer() dialogue.Answer {
	return dialogue.Answer{Reply: exchange.Reply{Reason: exposure.ReasonTimeout}}
}

func cutAnswer() dialogue.Answer {
	a := codeAnswer(0)
	a.Msg.Truncated = true
	return a
}

func nsidAnswer(hex string) dialogue.Answer {
	a := codeAnswer(0)
	a.Msg.Extra = []dnswire.RR{&dnswire.OPT{Hdr: dnswire.RRHeader{Name: ".", Rrtype: dnswire.TypeOPT}, Option: []dnswire.Option{&dnswire.NSID{Code: dnswire.OptionNSID, Nsid: hex}}}}
	return a
}

func TestJudgeForeign(t *testing.T) {
	tcp := func(state exposure.State, service *exposure.Service, labels ...exposure.Label) exposure.Observation {
		return exposure.Observation{Target: exposure.Target{Transport: exposure.TCP, Port: 53}, State: state, Service: service, Labels: labels}
	}
	speaks := func(protocol string) *exposure.Service { return &exposure.Service{Protocol: protocol} }
	for _, c := range []struct {
		name     string
		seen     exposure.Observation
		status   exposure.Status
		severity exposure.Severity
	}{
		{"ssh", tcp(exposure.Open, speaks("ssh")), exposure.Fail, exposure.HighSev},
		{"openvpn", tcp(exposure.Open, speaks("openvpn")), exposure.Fail, exposure.HighSev},
		{"smtp", tcp(exposure.Open, speaks("smtp")), exposure.Fail, ""},
		{"dns", tcp(exposure.Open, speaks("dns")), exposure.Pass, ""},
		{"unknown", tcp(exposure.Open, speaks("unknown")), exposure.NotTested, ""},
		{"not looked at", tcp(exposure.Open, nil), exposure.NotTested, ""},
		{"closed", tcp(exposure.Closed, nil), exposure.Pass, ""},
		{"filtered", tcp(exposure.Filtered, nil), exposure.NotTested, ""},
		{"silent", tcp(exposure.OpenFiltered, nil), exposure.NotTested, ""},
		{"unmeasured", tcp(exposure.Unmeasured, nil), exposure.NotTested, ""},
		{"host that takes everything", tcp(exposure.Open, speaks("ssh"), exposure.LabelAcceptsAll), exposure.NotTested, ""},
	} {
		if o := judgeForeign(exposure.TCP, c.seen); o.Status != c.status || o.Severity != c.severity || o.Reason == "" {
			t.Errorf("%s: %+v", c.name, o)
		}
	}
}

func TestJudgeDisclosure(t *testing.T) {
	type answers = map[string]dialogue.Answer
	for _, c := range []struct {
		name     string
		answers  answers
		nsid     dialogue.Answer
		status   exposure.Status
		severity exposure.Severity
		evidence int
	}{
		{"version", answers{"version.bind": toldAnswer("9.18.1")}, quietAnswer(), exposure.Fail, exposure.LowSev, 1},
		{"everything", answers{"version.bind": toldAnswer("9.18.1"), "hostname.bind": toldAnswer("ns1"), "id.server": toldAnswer("ns1")}, nsidAnswer("6e7331"), exposure.Fail, exposure.LowSev, 4},
		{"product only", answers{"version.bind": toldAnswer("unbound")}, quietAnswer(), exposure.Fail, exposure.Info, 1},
		{"identity only", answers{"version.bind": codeAnswer(5), "id.server": toldAnswer("ns1")}, quietAnswer(), exposure.Fail, exposure.Info, 1},
		{"NSID only", answers{"version.bind": codeAnswer(5)}, nsidAnswer("00ff"), exposure.Fail, exposure.Info, 1},
		{"a joke", answers{"version.bind": toldAnswer("none of your business"), "id.server": toldAnswer()}, codeAnswer(0), exposure.Pass, "", 0},
		{"blind text", answers{"version.bind": toldAnswer("blinded, unboundless")}, codeAnswer(0), exposure.Pass, "", 0},
		{"empty text", answers{"version.bind": toldAnswer("")}, codeAnswer(0), exposure.Pass, "", 0},
		{"refused", answers{"version.bind": codeAnswer(5), "hostname.bind": codeAnswer(5), "id.server": codeAnswer(5)}, codeAnswer(5), exposure.Pass, "", 0},
		{"nodata", answers{"version.bind": toldAnswer()}, codeAnswer(0), exposure.Pass, "", 0},
		{"silence", answers{"version.bind": quietAnswer()}, codeAnswer(0), exposure.NotTested, "", 0},
		{"truncated by a rate limit", answers{"version.bind": cutAnswer()}, codeAnswer(0), exposure.NotTested, "", 0},
		{"nothing asked", answers{}, codeAnswer(0), exposure.NotTested, "", 0},
		{"silence, but NSID", answers{"version.bind": quietAnswer()}, nsidAnswer("6e7331"), exposure.Fail, exposure.Info, 1},
	} {
		o := judgeDisclosure(exposure.UDP, c.answers, c.nsid)
		if o.Status != c.status || c.status == exposure.Fail && o.Severity != c.severity || len(o.Evidence) != c.evidence || o.Reason == "" {
			t.Errorf("%s: %+v", c.name, o)
		}
	}
}

func TestJudgeHidden(t *testing.T) {
	for _, c := range []struct {
		name     string
		identity *exposure.Service
		status   exposure.Status
	}{
		{"told", &exposure.Service{Product: exposure.BIND, Name: "BIND 9", How: "version.bind, confirmed by behaviour"}, exposure.NotTested},
		{"found", &exposure.Service{Product: exposure.BIND, Name: "BIND 9", How: "behaviour: x", Confidence: exposure.Medium}, exposure.Fail},
		{"unknown", &exposure.Service{How: "answered a DNS question"}, exposure.Pass},
		{"nobody", nil, exposure.NotTested},
	} {
		if o := judgeHidden(exposure.UDP, c.identity); o.Status != c.status {
			t.Errorf("%s: %+v", c.name, o)
		}
	}
}

func TestJudgeStatistics(t *testing.T) {
	type answers = map[string]dialogue.Answer
	for _, c := range []struct {
		name    string
		product exposure.Product
		answers answers
		status  exposure.Status
	}{
		{"upstreams", exposure.Dnsmasq, answers{"servers.bind": toldAnswer("192.0.2.1#53 5 0"), "cachesize.bind": toldAnswer("150")}, exposure.Fail},
		{"cache only", "", answers{"cachesize.bind": toldAnswer("150")}, exposure.Fail},
		{"no-ident", exposure.Dnsmasq, answers{"servers.bind": codeAnswer(4)}, exposure.Pass},
		{"silent", exposure.Dnsmasq, answers{"servers.bind": quietAnswer()}, exposure.NotTested},
		{"not reached", "", answers{}, exposure.NotTested},
	} {
		if o := judgeStatistics(exposure.UDP, c.product, c.answers); o.Status != c.status || (o.Status == exposure.Fail) != (len(o.Evidence) > 0) {
			t.Errorf("%s: %+v", c.name, o)
		}
	}
}

// TestChaosIsShared counts the CHAOS packets of a run in which several checks
// ask for the same names.
func TestChaosIsShared(t *testing.T) {
	var chaos atomic.Int32
	server := fakeServer(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
		m := &dnswire.Msg{Question: q.Question}
		if q.Question[0].Qclass == dnswire.ClassCH {
			chaos.Add(1)
			m.Answer = []dnswire.RR{&dnswire.TXT{Hdr: dnswire.RRHeader{Name: q.Question[0].Name, Rrtype: dnswire.TypeTXT, Class: dnswire.ClassCH}, Txt: []string{"dnsmasq-2.90"}}}
		}
		return m
	})
	for _, product := range []exposure.Product{"", exposure.BIND, exposure.Dnsmasq} {
		chaos.Store(0)
		d := dialogue.New(server, netip.MustParseAddr("192.0.2.53"), dialogue.Options{Timeout: time.Second, ChaosInterval: time.Millisecond})
		s := NewSession(d, Server{Spoken: []exposure.Transport{exposure.UDP, exposure.TCP}, Identity: &exposure.Service{Product: product}}, Options{})
		s.Ask(t.Context(), s.Any(), ChaosQuery("version.bind")) // as identification did before
		ran := Run(t.Context(), s, identityChecks(), nil)
		if n := chaos.Load(); n > 3 {
			t.Errorf("%q: %d CHAOS packets", product, n)
		}
		if o := ran[1].Outcomes[0]; o.Status != exposure.Fail || !strings.Contains(o.Reason, "not asked") {
			t.Errorf("%q: ID-2 %+v", product, o)
		}
		if o := ran[3].Outcomes[0]; (o.Status == exposure.Fail) != (product == exposure.Dnsmasq) {
			t.Errorf("%q: ID-4 %+v", product, o)
		}
	}
}

// TestIdentityFamiliesAreComplete holds what every check owes its reader.
func TestIdentityFamiliesAreComplete(t *testing.T) {
	all := slices.Concat(identityChecks(), encryptedChecks(), mdnsChecks(), controlChecks())
	for _, c := range all {
		if c.ID == "" || c.Title == "" || c.Finds == "" || c.Why == "" || c.Rationale == "" || c.Safety.Rank() < 0 || c.Severity.Rank() == 0 || c.Run == nil || len(c.References) == 0 {
			t.Errorf("%s is not complete", c.ID)
		}
		if _, ok := c.Fixes[""]; !ok {
			t.Errorf("%s has no general fix", c.ID)
		}
	}
}
