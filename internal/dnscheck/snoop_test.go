package dnscheck

import (
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func TestJudgeSnoop(t *testing.T) {
	z := probeZone(t)
	name, other := z.Name(nonce.Plain), z.Name(nonce.Plain)
	right, control := name+" 50 A "+z.Addr4(name).String(), other+" 60 A "+z.Addr4(other).String()
	for _, c := range []struct {
		what            string
		control         []string
		cached1, cached []string
		status          exposure.Status
	}{
		{"refused alike", []string{"REFUSED"}, []string{"REFUSED"}, []string{"REFUSED"}, exposure.Pass},
		{"referred alike", []string{"NOERROR ra"}, []string{"NOERROR ra"}, []string{"NOERROR ra"}, exposure.Pass},
		{"from the cache", []string{"NOERROR ra"}, []string{"NOERROR ra", right}, []string{"NOERROR ra", right}, exposure.Fail},
		{"from one of two caches", []string{"REFUSED"}, []string{"REFUSED"}, []string{"NOERROR ra", right}, exposure.Fail},
		{"resolves without RD", []string{"NOERROR ra", control}, []string{"NOERROR ra", right}, []string{"NOERROR ra", right}, exposure.NotTested},
		{"silence to the control", []string{"-"}, []string{"REFUSED"}, []string{"REFUSED"}, exposure.NotTested},
		{"silence to the cached name", []string{"REFUSED"}, []string{"-"}, []string{"REFUSED"}, exposure.NotTested},
		{"codes differ", []string{"REFUSED"}, []string{"NOERROR"}, []string{"NOERROR"}, exposure.NotTested},
		{"a false address", []string{"REFUSED"}, []string{"NOERROR", name + " 1 A 198.51.100.99"}, []string{"REFUSED"}, exposure.NotTested},
	} {
		ask := question(name, dnswire.TypeA)
		o := judgeSnoop(z, exposure.UDP, answerTo(t, resolve(name, dnswire.TypeA), "NOERROR ra", right),
			answerTo(t, question(other, dnswire.TypeA), c.control[0], c.control[1:]...), []dialogue.Answer{
				answerTo(t, ask, c.cached1[0], c.cached1[1:]...), answerTo(t, ask, c.cached[0], c.cached[1:]...),
			})
		if o.Status != c.status || o.Reason == "" {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}
