package dnscheck

import (
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func TestJudgeRebind(t *testing.T) {
	z := probeZone(t)
	for _, c := range []struct {
		what     string
		words    []string // for 10/8 and for fd00::/8; "through" gives the address
		status   exposure.Status
		severity exposure.Severity
	}{
		{"all through", []string{"through", "through"}, exposure.Fail, ""},
		{"a gap", []string{"NOERROR ra", "through"}, exposure.Fail, exposure.LowSev},
		{"emptied", []string{"NOERROR ra", "NOERROR ra"}, exposure.Pass, ""},
		{"refused as forged", []string{"SERVFAIL ra", "NXDOMAIN ra"}, exposure.Pass, ""},
		{"one silent", []string{"NOERROR ra", "-"}, exposure.NotTested, ""},
		{"one silent, one through", []string{"through", "-"}, exposure.Fail, ""},
	} {
		v4, v6 := z.Name(nonce.Private10), z.Name(nonce.PrivateFD)
		answer := func(q dnswire.Query, words, address string) dialogue.Answer {
			if words == "through" {
				return answerTo(t, q, "NOERROR ra", q.Name+" 60 "+dnswire.TypeName(q.Type)+" "+address)
			}
			return answerTo(t, q, words)
		}
		o := judgeRebind(z, exposure.UDP, []dialogue.Answer{
			answer(resolve(v4, dnswire.TypeA), c.words[0], z.Addr4(v4).String()), answer(resolve(v6, dnswire.TypeAAAA), c.words[1], z.Addr6(v6).String()),
		})
		if o.Status != c.status || o.Severity != c.severity || o.Reason == "" {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}
