package identify

import (
	"strconv"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

// The behaviour questions. None is of class CHAOS, none changes anything and
// each is answered or refused in few bytes.
const (
	askClass   = "private class"
	askStatus  = "opcode STATUS"
	askVersion = "EDNS version 1"
)

// behaviourQuestions are asked at once.
func behaviourQuestions() map[string]dnswire.Query {
	const privateClass = 65280 // RFC 6895 section 3.2: private use
	return map[string]dnswire.Query{
		askClass:   {Name: ".", Type: dnswire.TypeA, Class: privateClass},
		askStatus:  {Name: ".", Type: dnswire.TypeSOA, Opcode: dnswire.OpStatus},
		askVersion: {Name: ".", Type: dnswire.TypeSOA, EDNS: &dnswire.EDNS{UDPSize: 1232, Version: 1}},
	}
}

// silent is the signature of a question that was asked and not answered.
const silent = "-"

// signature is what tells servers apart in an answer: the code, the aa and ra
// flags, whether the question was repeated, and in a refusal the extended
// error (RFC 8914). It is empty when the question
// was not carried out.
func signature(a dialogue.Answer) string {
	switch {
	case a.Err != nil:
		return ""
	case a.Msg == nil && (a.Reply.Reason == exposure.ReasonTimeout || a.Reply.Reason == exposure.ReasonSynAck):
		return silent
	case a.Msg == nil:
		return ""
	}
	var b strings.Builder
	b.WriteString(a.Msg.RcodeName())
	if a.Msg.Authoritative {
		b.WriteString(" aa")
	}
	if a.Msg.RecursionAvailable {
		b.WriteString(" ra")
	}
	if len(a.Msg.Question) > 0 {
		b.WriteString(" q")
	}
	if opt := a.Msg.OPT(); opt != nil && a.Msg.Rcode == dnswire.RcodeRefused {
		for _, o := range opt.Option {
			if e, ok := o.(*dnswire.EDE); ok {
				b.WriteString(" ede" + strconv.Itoa(int(e.InfoCode)))
				break
			}
		}
	}
	return b.String()
}

// profile is the measured behaviour of a family.
type profile struct {
	product    exposure.Product // empty for a forwarder of any make
	confidence exposure.Confidence
	signs      map[string]string
	says       string
}

// profiles were measured on BIND 9.18.49, NSD 4.6.1, Knot DNS 3.2.6, Unbound
// 1.17.1, PowerDNS Authoritative 4.7.3 and Recursor 4.8.8, dnsmasq 2.90 and
// Knot Resolver 5.6.0, over
// UDP and TCP, each open, closed to the asker, authoritative and resolving as
// the product can be; the answers did not change with the configuration
// except where a family has two entries.
func profiles() []profile {
	signs := func(class, status, version string) map[string]string {
		return map[string]string{askClass: class, askStatus: status, askVersion: version}
	}
	return []profile{
		{exposure.BIND, exposure.Medium, signs("NOTIMP q", "NOTIMP", "BADVERS q"), "NOTIMP to an unknown class and a bare NOTIMP to STATUS"},
		{exposure.NSD, exposure.Medium, signs("REFUSED", "NOTIMP", "BADVERS q"), "a bare REFUSED to an unknown class and a bare NOTIMP to STATUS"},
		{exposure.Knot, exposure.Medium, signs("REFUSED q", "NOTIMP q", "BADVERS q"), "REFUSED to an unknown class and NOTIMP to STATUS, both with the question"},
		{exposure.Unbound, exposure.Medium, signs("REFUSED ra q", "NOTIMP q", "BADVERS ra q"), "RA in refusals but not in NOTIMP"},
		{exposure.Unbound, exposure.Low, signs("REFUSED", "REFUSED", "REFUSED"), "a bare REFUSED of 12 bytes to everything, as Unbound gives to clients outside access-control"},
		{exposure.PDNSAuth, exposure.Medium, signs("REFUSED aa q", silent, "BADVERS aa q"), "AA in refusals, and silence to STATUS"},
		{exposure.PDNSRec, exposure.Medium, signs("SERVFAIL ra q", silent, "BADVERS ra q"), "SERVFAIL to an unknown class, and silence to STATUS"},
		{exposure.Dnsmasq, exposure.Medium, signs("REFUSED ra q", "REFUSED ra q", "REFUSED ra q ede14"), "RA in a refusal of everything, not ready, as dnsmasq without an upstream"},
		{exposure.KnotRes, exposure.Medium, signs("REFUSED ra q", "REFUSED ra q", "REFUSED ra q ede20"), "RA in a refusal of everything that does not ask for recursion, not authoritative"},
		{"", exposure.Medium, signs("REFUSED ra q", "NOTIMP ra q", "BADVERS ra q"), "RA added to the upstream's errors"},
		{"", exposure.Medium, signs("NOTIMP ra q", silent, "BADVERS ra q"), "RA added to the upstream's errors"},
		{"", exposure.Medium, signs("NOTIMP ra q", "NOTIMP ra q", "BADVERS ra q"), "RA added to the upstream's errors"},
	}
}

// fewest answers from which a family is named.
const fewest = 2

func answered(seen map[string]string) int {
	n := 0
	for _, s := range seen {
		if s != "" && s != silent {
			n++
		}
	}
	return n
}

// recognise gives the one family whose profile the signatures fit. Every
// signature that is known must fit, and two that were answered are needed;
// where several families remain, none is named.
func recognise(seen map[string]string) (profile, bool) {
	if answered(seen) < fewest {
		return profile{}, false
	}
	var found []profile
	for _, p := range profiles() {
		fits := true
		for question, s := range seen {
			fits = fits && (s == "" || s == p.signs[question])
		}
		if fits {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return profile{}, false
	}
	for _, p := range found[1:] {
		if p.product != found[0].product {
			return profile{}, false
		}
	}
	return found[0], true
}
