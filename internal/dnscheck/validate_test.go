package dnscheck

import (
	"errors"
	"strings"
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func TestJudgeValidation(t *testing.T) {
	z := probeZone(t)
	const key = "probe.test. 60 DNSKEY 257 3 13 aGVsbG8="
	for _, c := range []struct {
		what                 string
		good, bogus, control string // "right" gives the address, "right ad" marks it authentic
		dnskey               []string
		chain                error
		status               exposure.Status
	}{
		{"validates", "right ad", "SERVFAIL ra", "right", []string{"NOERROR ra", key}, nil, exposure.Pass},
		{"validates further back", "right", "SERVFAIL ra", "right", []string{"NOERROR ra", key}, nil, exposure.Pass},
		{"validates, ignores CD", "right ad", "SERVFAIL ra", "SERVFAIL ra", []string{"NOERROR ra", key}, nil, exposure.Pass},
		{"broken path looks like validation", "right", "SERVFAIL ra", "SERVFAIL ra", []string{"NOERROR ra", key}, nil, exposure.NotTested},
		{"broken path, silent control", "right", "SERVFAIL ra", "-", []string{"NOERROR ra", key}, nil, exposure.NotTested},
		{"accepts", "right", "right", "right", []string{"NOERROR ra", key}, nil, exposure.Fail},
		{"accepts and says authentic", "right ad", "right", "right", []string{"NOERROR ra", key}, nil, exposure.Fail},
		{"accepts, zone unsigned", "right", "right", "right", []string{"NOERROR ra"}, nil, exposure.NotTested},
		{"accepts, key not to be had", "right", "right", "right", []string{"-"}, nil, exposure.NotTested},
		{"accepts, no chain", "right", "right", "right", []string{"NOERROR ra", key}, errors.New("no DS"), exposure.NotTested},
		{"good name not resolved", "SERVFAIL ra", "SERVFAIL ra", "right", []string{"NOERROR ra", key}, nil, exposure.NotTested},
		{"bogus name met silence", "right", "-", "right", []string{"NOERROR ra", key}, nil, exposure.NotTested},
		{"bogus name denied", "right", "NXDOMAIN ra", "right", []string{"NOERROR ra", key}, nil, exposure.NotTested},
	} {
		var tr trials
		for _, a := range []struct {
			into  *dialogue.Answer
			words string
			kind  nonce.Kind
		}{{&tr.good, c.good, nonce.Plain}, {&tr.bogus, c.bogus, nonce.Bogus}, {&tr.control, c.control, nonce.Bogus}} {
			name := z.Name(a.kind)
			words, ok := strings.CutPrefix(a.words, "right")
			if ok {
				*a.into = answerTo(t, resolve(name, dnswire.TypeA), "NOERROR ra"+words, name+" 60 A "+z.Addr4(name).String())
			} else {
				*a.into = answerTo(t, resolve(name, dnswire.TypeA), a.words)
			}
		}
		tr.dnskey = answerTo(t, resolve(z.Apex, dnswire.TypeDNSKEY), c.dnskey[0], c.dnskey[1:]...)
		tr.chain = c.chain
		if o := judgeValidation(z, exposure.UDP, tr); o.Status != c.status || o.Reason == "" {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}

func TestChain(t *testing.T) {
	ds := func(zone, signer string) []string {
		return []string{
			zone + " 60 DS 1 13 2 " + strings.Repeat("ab", 32),
			zone + " 60 RRSIG DS 13 1 60 20300101000000 20200101000000 1 " + signer + " aGVsbG8=",
		}
	}
	for _, c := range []struct {
		what    string
		records map[string][]string
		ok      bool
	}{
		{"to the root", map[string][]string{"probe.example.net.": ds("probe.example.net.", "example.net."), "example.net.": ds("example.net.", "net."), "net.": ds("net.", ".")}, true},
		{"over a label that is no zone", map[string][]string{"probe.example.net.": ds("probe.example.net.", "net."), "net.": ds("net.", ".")}, true},
		{"no DS", nil, false},
		{"unsigned DS", map[string][]string{"probe.example.net.": ds("probe.example.net.", "example.net.")[:1]}, false},
		{"parent insecure", map[string][]string{"probe.example.net.": ds("probe.example.net.", "example.net.")}, false},
		{"signed by itself", map[string][]string{"probe.example.net.": ds("probe.example.net.", "probe.example.net.")}, false},
		{"signed by a stranger", map[string][]string{"probe.example.net.": ds("probe.example.net.", "example.org.")}, false},
	} {
		s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
			return reply(t, q.Question[0], "NOERROR ra", c.records[q.Question[0].Name]...)
		}, Options{})
		if err := s.chain(t.Context(), exposure.UDP, "probe.example.net"); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
