package identify

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// message makes an answer with the signature that a table gives.
func message(sign, txt string) dialogue.Answer {
	switch sign {
	case "":
		return dialogue.Answer{Err: errors.New("not asked")}
	case silent:
		return dialogue.Answer{Reply: exchange.Reply{Reason: exposure.ReasonTimeout}}
	}
	m := &dnswire.Message{}
	words := strings.Fields(sign)
	m.Rcode = map[string]int{
		"NOERROR": 0, "SERVFAIL": dnswire.RcodeServFail, "NXDOMAIN": dnswire.RcodeNXDomain,
		"NOTIMP": dnswire.RcodeNotImp, "REFUSED": dnswire.RcodeRefused, "BADVERS": dnswire.RcodeBadVers,
	}[words[0]]
	for _, w := range words[1:] {
		switch w {
		case "aa":
			m.Authoritative = true
		case "ra":
			m.RecursionAvailable = true
		case "ede14", "ede20":
			code := map[string]uint16{"ede14": 14, "ede20": 20}[w]
			m.Extra = []dnswire.RR{&dnswire.OPT{Hdr: dnswire.RRHeader{Name: ".", Rrtype: dnswire.TypeOPT}, Option: []dnswire.Option{&dnswire.EDE{InfoCode: code}}}}
		case "q":
			m.Question = []dnswire.Question{{Name: ".", Qtype: 1, Qclass: 1}}
		}
	}
	if txt != "" {
		m.Answer = []dnswire.RR{&dnswire.TXT{Hdr: dnswire.RRHeader{Name: "version.bind.", Rrtype: dnswire.TypeTXT, Class: dnswire.ClassCH}, Txt: []string{txt}}}
	}
	return dialogue.Answer{Msg: m}
}

// scripted answers the questions of identify by its tables.
type scripted struct{ version, txt, class, status, edns string }

func (scripted) Addr() netip.Addr { return netip.MustParseAddr("192.0.2.53") }

func (s scripted) Ask(_ context.Context, _ exposure.Transport, q dnswire.Query) dialogue.Answer {
	switch {
	case q.Class == dnswire.ClassCH:
		return message(s.version, s.txt)
	case q.Opcode == dnswire.OpStatus:
		return message(s.status, "")
	case q.Class != 0:
		return message(s.class, "")
	case q.EDNS != nil && q.EDNS.Version == 1:
		return message(s.edns, "")
	}
	return message("NOERROR", "")
}

// elsewhere is a transparent forwarder: the answers come from another address.
type elsewhere struct{ scripted }

func (elsewhere) Ask(ctx context.Context, via exposure.Transport, q dnswire.Query) dialogue.Answer {
	a := scripted{"NOERROR aa q", "9.18.1", "NOTIMP q", "NOTIMP", "BADVERS q"}.Ask(ctx, via, q)
	a.Reply.From = netip.MustParseAddrPort("192.0.2.99:53")
	return a
}

func TestDNS(t *testing.T) {
	i := testIdentifier()
	spoken := []exposure.Transport{exposure.UDP, exposure.TCP}
	for _, c := range []struct {
		name       string
		server     scripted
		product    exposure.Product
		version    string
		confidence exposure.Confidence
	}{
		{"bind open-worded", scripted{"NOERROR aa q", "9.18.49-1~deb12u3-Debian", "NOTIMP q", "NOTIMP", "BADVERS q"}, exposure.BIND, "9.18.49-1~deb12u3-Debian", exposure.High},
		{"bind hidden", scripted{"NOERROR aa q", "", "NOTIMP q", "NOTIMP", "BADVERS q"}, exposure.BIND, "", exposure.Medium},
		{"bind with a joke", scripted{"NOERROR aa q", "none of your business", "NOTIMP q", "NOTIMP", "BADVERS q"}, exposure.BIND, "", exposure.Medium},
		{"nsd hidden", scripted{"REFUSED q", "", "REFUSED", "NOTIMP", "BADVERS q"}, exposure.NSD, "", exposure.Medium},
		{"knot hidden", scripted{"REFUSED q", "", "REFUSED q", "NOTIMP q", "BADVERS q"}, exposure.Knot, "", exposure.Medium},
		{"unbound hidden", scripted{"REFUSED ra q", "", "REFUSED ra q", "NOTIMP q", "BADVERS ra q"}, exposure.Unbound, "", exposure.Medium},
		{"unbound refusing", scripted{"REFUSED", "", "REFUSED", "REFUSED", "REFUSED"}, exposure.Unbound, "", exposure.Low},
		{"pdns hidden", scripted{"SERVFAIL aa q", "", "REFUSED aa q", silent, "BADVERS aa q"}, exposure.PDNSAuth, "", exposure.Medium},
		{"recursor hidden", scripted{"NOERROR ra q", "hidden", "SERVFAIL ra q", silent, "BADVERS ra q"}, exposure.PDNSRec, "", exposure.Medium},
		{"dnsmasq alone", scripted{"NOERROR aa ra q", "dnsmasq-2.90", "REFUSED ra q", "REFUSED ra q", "REFUSED ra q ede14"}, exposure.Dnsmasq, "2.90", exposure.High},
		{"knot resolver", scripted{"REFUSED ra q", "", "REFUSED ra q", "REFUSED ra q", "REFUSED ra q ede20"}, exposure.KnotRes, "", exposure.Medium},
		{"dnsmasq or knot resolver", scripted{"REFUSED ra q", "", "REFUSED ra q", "REFUSED ra q", "REFUSED ra q"}, "", "", exposure.High},
		{"dnsmasq forwarding", scripted{"NOERROR aa ra q", "dnsmasq-2.90", "NOTIMP ra q", silent, "BADVERS ra q"}, exposure.Dnsmasq, "2.90", exposure.High},
		{"dnsmasq no-ident", scripted{"NOTIMP ra q", "", "REFUSED ra q", "NOTIMP ra q", "BADVERS ra q"}, exposure.Dnsmasq, "", exposure.Medium},
		{"forwarder to bind", scripted{"NOERROR q", "9.18.1", "NOTIMP ra q", silent, "BADVERS ra q"}, exposure.BIND, "9.18.1", exposure.Low},
		{"unbound that says bind", scripted{"NOERROR ra q", "9.18.1", "REFUSED ra q", "NOTIMP q", "BADVERS ra q"}, exposure.Unbound, "", exposure.Low},
		{"windows by its words", scripted{"NOERROR aa ra q", "Microsoft DNS 10.0.20348 (4F7C0000)", "NOTIMP q", "NOTIMP q", "FORMERR q"}, exposure.WindowsDNS, "10.0.20348", exposure.Medium},
		{"unknown software", scripted{"REFUSED q", "", "NOTIMP aa q", "SERVFAIL", "NOERROR"}, "", "", exposure.High},
		{"nearly silent", scripted{silent, "", "REFUSED q", silent, silent}, "", "", exposure.High},
		{"silent", scripted{silent, "", silent, silent, silent}, "", "", exposure.High},
		{"cancelled", scripted{"", "", "", "", ""}, "", "", exposure.High},
		{"half heard, still two families", scripted{silent, "", "", "NOTIMP", "BADVERS q"}, "", "", exposure.High},
	} {
		s := i.DNS(t.Context(), c.server, spoken)
		if s.Protocol != DNS || s.Product != c.product || s.Version != c.version || s.Confidence != c.confidence || s.How == "" {
			t.Errorf("%s: %+v", c.name, s)
		}
		if (s.CPE == "") != (c.product == "" || c.product == exposure.WindowsDNS) {
			t.Errorf("%s: CPE %q", c.name, s.CPE)
		}
	}
	if s := i.DNS(t.Context(), elsewhere{}, spoken); s.Product != exposure.BIND || s.Confidence != exposure.Low || len(s.Details) == 0 {
		t.Errorf("answers from elsewhere: %+v", s)
	}
	if s := i.DNS(t.Context(), scripted{}, nil); s.Protocol != Unknown {
		t.Errorf("nothing spoken: %+v", s)
	}
}

// TestProfilesDiffer guards against two families with the same behaviour.
func TestProfilesDiffer(t *testing.T) {
	for n, p := range profiles() {
		got, ok := recognise(p.signs)
		if !ok || got.product != p.product {
			t.Errorf("profile %d (%s) is taken for %q", n, p.product, got.product)
		}
	}
}
