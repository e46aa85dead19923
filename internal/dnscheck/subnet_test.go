package dnscheck

import (
	"net/netip"
	"testing"

	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func TestJudgeSubnet(t *testing.T) {
	z := probeZone(t)
	name := z.Name(nonce.Who)
	for _, c := range []struct {
		what, words, subnet string // subnet "-": no report
		status              exposure.Status
	}{
		{"passed on", "NOERROR ra", "198.51.100.0/24", exposure.Fail},
		{"passed on shortened", "NOERROR ra", "198.51.0.0/16", exposure.Fail},
		{"dropped", "NOERROR ra", "", exposure.Pass},
		{"emptied", "NOERROR ra", "0.0.0.0/0", exposure.Pass},
		{"replaced", "NOERROR ra", "203.0.113.0/24", exposure.Pass},
		{"replaced by IPv6", "NOERROR ra", "2001:db8::/56", exposure.Pass},
		{"refused", "REFUSED ra", "-", exposure.Pass},
		{"format error", "FORMERR", "-", exposure.Pass},
		{"failed", "SERVFAIL ra", "-", exposure.NotTested},
		{"no report", "NOERROR ra", "-", exposure.NotTested},
		{"silence", "-", "-", exposure.NotTested},
	} {
		var records []string
		if c.subnet != "-" {
			r := nonce.Report{Source: netip.MustParseAddrPort("192.0.2.53:4000")}
			if c.subnet != "" {
				r.Subnet = netip.MustParsePrefix(c.subnet)
			}
			records = append(records, name+` 0 TXT "`+r.Text(z, name)+`"`)
		}
		o := judgeSubnet(z, exposure.UDP, answerTo(t, resolve(name, dnswire.TypeTXT), c.words, records...))
		if o.Status != c.status || o.Reason == "" {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}
