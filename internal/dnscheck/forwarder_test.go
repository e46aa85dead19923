package dnscheck

import (
	"net/netip"
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func TestJudgeTransparent(t *testing.T) {
	target := netip.MustParseAddr("192.0.2.53")
	for _, c := range []struct {
		what, words, from string
		status            exposure.Status
		confidence        exposure.Confidence
	}{
		{"from the address asked", "NOERROR ra", "192.0.2.53:53", exposure.Pass, ""},
		{"mapped address", "NOERROR ra", "[::ffff:192.0.2.53]:53", exposure.Pass, ""},
		{"a refusal from the address asked", "REFUSED", "192.0.2.53:53", exposure.Pass, ""},
		{"from far away", "NOERROR ra", "203.0.113.8:53", exposure.Fail, ""},
		{"a refusal from far away", "REFUSED", "203.0.113.8:53", exposure.Fail, ""},
		{"from a neighbour", "NOERROR ra", "192.0.2.54:53", exposure.Fail, exposure.Medium},
		{"silence", "-", "192.0.2.53:53", exposure.NotTested, ""},
	} {
		a := answerTo(t, resolve("a.root-servers.net.", dnswire.TypeA), c.words)
		a.Reply.From = netip.MustParseAddrPort(c.from)
		o := judgeTransparent(Recursion{Status: exposure.NotTested, Reason: "no answer", Answers: []dialogue.Answer{a}}, target)
		if o.Status != c.status || o.Confidence != c.confidence || o.Reason == "" {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}

func TestJudgeForwarder(t *testing.T) {
	for _, c := range []struct {
		what, target, source string
		status               exposure.Status
		confidence           exposure.Confidence
	}{
		{"itself", "192.0.2.53", "192.0.2.53:4000", exposure.Pass, ""},
		{"itself, IPv6", "2001:db8::53", "[2001:db8::53]:4000", exposure.Pass, ""},
		{"another", "192.0.2.53", "203.0.113.8:4000", exposure.Fail, exposure.Medium},
		{"another, IPv6", "2001:db8::53", "[2001:db8:1::8]:4000", exposure.Fail, exposure.Medium},
		{"a neighbour", "192.0.2.53", "192.0.2.54:4000", exposure.Fail, exposure.Low},
		{"a neighbour, IPv6", "2001:db8::53", "[2001:db8::54]:4000", exposure.Fail, exposure.Low},
		{"the other family", "192.0.2.53", "[2001:db8::53]:4000", exposure.NotTested, ""},
		{"behind address translation", "10.0.0.53", "203.0.113.8:4000", exposure.NotTested, ""},
		{"both inside", "10.0.0.53", "10.9.0.8:4000", exposure.Fail, exposure.Medium},
		{"loopback", "127.0.0.1", "192.0.2.53:4000", exposure.NotTested, ""},
	} {
		seen := []sighting{{Report: nonce.Report{Source: netip.MustParseAddrPort(c.source)}}}
		o := judgeForwarder(seen, exposure.UDP, netip.MustParseAddr(c.target))
		if o.Status != c.status || o.Confidence != c.confidence || o.Reason == "" {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}

func TestSightRefusesWhatIsNoReport(t *testing.T) {
	z := probeZone(t)
	name := z.Name(nonce.Who)
	good := nonce.Report{Source: netip.MustParseAddrPort("192.0.2.53:4000")}
	for _, c := range []struct {
		what, words string
		records     []string
		ok          bool
	}{
		{"a report", "NOERROR ra", []string{name + ` 0 TXT "` + good.Text(z, name) + `"`}, true},
		{"another text", "NOERROR ra", []string{name + ` 0 TXT "hello"`}, false},
		{"two texts", "NOERROR ra", []string{name + ` 0 TXT "a"`, name + ` 0 TXT "b"`}, false},
		{"nothing", "NOERROR ra", nil, false},
		{"refused", "REFUSED", nil, false},
		{"silence", "-", nil, false},
	} {
		v := sight(z, answerTo(t, resolve(name, dnswire.TypeTXT), c.words, c.records...))
		if (v.err == nil) != c.ok {
			t.Errorf("%s: %v", c.what, v.err)
		}
		if o := judgeForwarder([]sighting{v}, exposure.UDP, netip.MustParseAddr("192.0.2.53")); (o.Status == exposure.Pass) != c.ok {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}
