package dnscheck

import (
	"net/netip"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

// probes are the answers from which recursion is judged; nil: not asked.
type probes struct {
	name          string // the fresh name
	fresh, stable *dialogue.Answer
}

// judge puts the verdicts on both names together. A fresh name that was
// resolved is proof; otherwise the stable name decides, with less confidence.
func (p probes) judge(z *nonce.Zone, stableName string) Recursion {
	var fresh, stable Recursion
	if p.fresh != nil && z != nil {
		fresh = judgeFresh(*z, p.name, *p.fresh)
		if fresh.Status == exposure.Pass && p.stable != nil && p.stable.Msg != nil && p.stable.Msg.RecursionAvailable {
			if stable = judgeStable(stableName, *p.stable); stable.Open() {
				stable.Reason += ", and refuses only your collector's names"
				return stable
			}
		}
		if fresh.Status != exposure.NotTested {
			return fresh
		}
	}
	if p.stable == nil {
		if p.fresh == nil {
			return Recursion{Status: exposure.NotTested, Reason: "no recursive question was asked"}
		}
		return fresh
	}
	stable = judgeStable(stableName, *p.stable)
	if p.fresh == nil {
		return stable
	}
	switch {
	case fresh.Genuine && stable.Open(): // a forwarder that keeps the flags of what it is told
		stable.Genuine, stable.Confidence = true, exposure.High
	case fresh.Genuine && len(addresses(p.stable.Msg)) > 0:
		// No server holds both names: this one resolves, and sets AA on what it was told.
		stable = Recursion{Status: exposure.Fail, Confidence: exposure.Medium, Genuine: true, Reason: "it resolved " + trimDot(stableName) + " and your collector's fresh name for this vantage, though it claims authority over both and offers no recursion"}
	case fresh.Genuine && stable.Status == exposure.Pass:
		stable.Reason = "it is your collector itself: it answers for its zone with authority, and else: " + stable.Reason
	case fresh.Lie.IsValid():
		stable.Lie = fresh.Lie
		if stable.Status == exposure.NotTested {
			stable.Reason = fresh.Reason
		}
	case stable.Open():
		stable.Reason += "; the collector's name met " + p.fresh.Outcome() + ", so the collector is out of its reach (is the zone delegated, and the collector running?)"
	case stable.Status == exposure.NotTested:
		stable.Reason = "neither name was resolved, the collector's (" + p.fresh.Outcome() + ") nor " + trimDot(stableName) + " (" + p.stable.Outcome() + "): " + stable.Reason
	}
	return stable
}

// excuse recognises a refusal with RA set: that is how dnsmasq reports that
// its upstream failed, and how some servers refuse strangers.
func excuse(a dialogue.Answer) bool {
	return a.Is(dnswire.RcodeRefused) && a.Msg.RecursionAvailable
}

// judgeFresh judges the answer to a name that nobody had asked before.
func judgeFresh(z nonce.Zone, name string, a dialogue.Answer) Recursion {
	got, want := addresses(a.Msg), z.Addr4(name)
	right := len(got) > 0 && !wrong(got, want).IsValid()
	if right && a.Msg.Authoritative && !a.Msg.RecursionAvailable {
		return Recursion{Status: exposure.NotTested, Genuine: true, Reason: "it answers for the collector's zone with authority and offers no recursion: it may be the collector itself"}
	}
	if r, done := judgeRefusal(a); done && !right {
		return r
	}
	switch {
	case right:
		return Recursion{
			Status: exposure.Fail, Confidence: exposure.High, Genuine: true,
			Reason: "it resolved a name that only your collector knows and nobody had asked before",
		}
	case len(got) > 0:
		return Recursion{
			Status: exposure.NotTested, Lie: wrong(got, want),
			Reason: "it answers with an address, but not with the collector's (" + wrong(got, want).String() + "): see REC-2; whether it resolves other names is not known",
		}
	}
	return Recursion{Status: exposure.NotTested, Reason: "the answer proves neither: " + a.Outcome()}
}

// judgeStable judges the answer to a well-known name, which a server may also
// hold itself or make up.
func judgeStable(name string, a dialogue.Answer) Recursion {
	if r, done := judgeRefusal(a); done {
		return r
	}
	got := addresses(a.Msg)
	want, known := stableAddress(name)
	switch {
	case len(got) == 0:
		return Recursion{Status: exposure.NotTested, Reason: "the answer proves neither: " + a.Outcome()}
	case known && wrong(got, want).IsValid():
		return Recursion{
			Status: exposure.NotTested, Lie: wrong(got, want), Offered: a.Msg.RecursionAvailable && !a.Msg.Authoritative,
			Reason: "it answers for " + trimDot(name) + ", but with a wrong address (" + wrong(got, want).String() + "): see REC-2",
		}
	case !a.Msg.RecursionAvailable:
		return Recursion{
			Status: exposure.Fail, Confidence: exposure.Low,
			Reason: "it answered for " + trimDot(name) + ", which it does not hold, though it says that it offers no recursion: from its cache, or by asking others",
		}
	}
	return Recursion{
		Status: exposure.Fail, Confidence: exposure.Medium,
		Reason: "it resolved " + trimDot(name) + " for this vantage",
	}
}

// judgeRefusal decides what needs no look at addresses: silence, a refusal,
// and answers from the server's own data.
func judgeRefusal(a dialogue.Answer) (r Recursion, done bool) {
	pass := func(reason string) (Recursion, bool) {
		return Recursion{Status: exposure.Pass, Confidence: exposure.High, Reason: reason}, true
	}
	unknown := func(reason string) (Recursion, bool) {
		return Recursion{Status: exposure.NotTested, Reason: reason}, true
	}
	m := a.Msg
	switch {
	case m == nil && a.Err != nil:
		return unknown(a.Outcome())
	case m == nil:
		return unknown("a recursive question met no answer (" + a.Outcome() + "): a server that drops strangers and a filter look the same from here; assess it also from a network that it serves")
	case a.Is(dnswire.RcodeRefused), a.Is(dnswire.RcodeNotAuth):
		return pass("recursion refused: " + a.Outcome())
	case m.Malformed != nil:
		return unknown("the reply does not parse: " + m.Malformed.Error())
	case a.Is(dnswire.RcodeServFail):
		return Recursion{
			Status: exposure.NotTested, Offered: m.RecursionAvailable,
			Reason: "SERVFAIL is no refusal: it may have tried and failed; see that it can reach the Internet, then assess it again",
		}, true
	case m.Truncated && len(m.Answer) == 0:
		return unknown("only empty answers with TC (rate limiting, or TCP wanted): see the outcome over TCP")
	case m.RecursionAvailable:
		return Recursion{}, false
	case m.Authoritative && len(addresses(m)) == 0, m.Authoritative && a.Is(dnswire.RcodeNXDomain):
		return pass("it answers from its own data only (" + a.Outcome() + " with authority, recursion not offered)")
	case m.Authoritative:
		return pass("it answers from its own data only: an address with authority, recursion not offered")
	case a.Is(dnswire.RcodeNoError) && len(m.Answer) == 0 && dnswire.Has(m.Ns, dnswire.TypeNS):
		return pass("it answers from its own data only: a referral, recursion not offered")
	}
	return Recursion{}, false
}

// addresses are those of the answer section, in order.
func addresses(m *dnswire.Message) []netip.Addr {
	if m == nil || m.Rcode != dnswire.RcodeNoError {
		return nil
	}
	var out []netip.Addr
	for _, rr := range m.Answer {
		var raw []byte
		switch rr := rr.(type) {
		case *dnswire.A:
			raw = rr.A.To4()
		case *dnswire.AAAA:
			raw = rr.AAAA
		}
		if addr, ok := netip.AddrFromSlice(raw); ok {
			out = append(out, addr)
		}
	}
	return out
}

// wrong is the first address that is not the one wanted.
func wrong(got []netip.Addr, want netip.Addr) netip.Addr {
	for _, addr := range got {
		if addr != want {
			return addr
		}
	}
	return netip.Addr{}
}

// stableAddress is the published address of a well-known name.
func stableAddress(name string) (addr netip.Addr, known bool) {
	if dnswire.CanonicalName(name) == "a.root-servers.net." {
		return netip.MustParseAddr("198.41.0.4"), true
	}
	return netip.Addr{}, false
}

func trimDot(name string) string { return strings.TrimSuffix(name, ".") }
