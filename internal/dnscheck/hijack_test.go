package dnscheck

import (
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func TestJudgeHijack(t *testing.T) {
	z := probeZone(t)
	name := z.Name(nonce.Missing)
	www := "www." + name
	for _, c := range []struct {
		what       string
		plain, www []string
		status     exposure.Status
	}{
		{"right", []string{"NXDOMAIN ra"}, []string{"NXDOMAIN ra"}, exposure.Pass},
		{"every name", []string{"NOERROR ra", name + " 60 A 198.51.100.99"}, []string{"NOERROR ra", www + " 60 A 198.51.100.99"}, exposure.Fail},
		{"www only", []string{"NXDOMAIN ra"}, []string{"NOERROR ra", www + " 60 A 198.51.100.99"}, exposure.Fail},
		{"behind a CNAME", []string{"NOERROR ra", name + " 60 CNAME ads.example.", "ads.example. 60 A 198.51.100.99"}, []string{"NXDOMAIN ra"}, exposure.Fail},
		{"address and NXDOMAIN", []string{"NXDOMAIN ra", name + " 60 A 198.51.100.99"}, []string{"NXDOMAIN ra"}, exposure.Pass},
		{"emptied", []string{"NOERROR ra"}, []string{"NOERROR ra"}, exposure.NotTested},
		{"failed", []string{"SERVFAIL ra"}, []string{"NXDOMAIN ra"}, exposure.NotTested},
		{"silence", []string{"-"}, []string{"-"}, exposure.NotTested},
	} {
		o := judgeHijack(exposure.UDP, []dialogue.Answer{
			answerTo(t, resolve(name, dnswire.TypeA), c.plain[0], c.plain[1:]...), answerTo(t, resolve(www, dnswire.TypeA), c.www[0], c.www[1:]...),
		})
		if o.Status != c.status || o.Reason == "" {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}
