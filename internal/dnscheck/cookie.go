package dnscheck

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

// Lengths of the COOKIE option's hexadecimal form (RFC 7873 section 4).
const (
	clientCookieHex    = 16
	leastServerCookie  = clientCookieHex + 16
	longestServerCooky = clientCookieHex + 64
)

func cookieChecks() []Check {
	return []Check{{
		ID:    "COO-1",
		Title: "No DNS cookies",
		Finds: "A server that does not return a server cookie to a client that offers one (one question with a random client cookie over UDP).",
		Why:   "Cookies let a server tell a client that it has spoken to from a forged sender, and let the client reject forged answers. Without them every limit on reflection also hits honest clients.",

		Severity:  exposure.Info,
		Rationale: "Info: a protection that is absent, not a hole.",
		Safety:    Safe,
		Fixes: Fixes{
			"":                advice("Switch DNS cookies on, with one shared secret for all servers behind one address."),
			exposure.BIND:     configure(exposure.BIND, "Cookies are on by default; remove the line that switches them off.", "options {\n    answer-cookie yes;\n};"),
			exposure.Knot:     configure(exposure.Knot, "Load the cookies module; rate limiting (mod-rrl) spares clients with a right cookie.", "template:\n  - id: default\n    global-module: mod-cookies"),
			exposure.NSD:      configure(exposure.NSD, "From 4.3.7 on NSD can answer cookies.", "server:\n    answer-cookie: yes"),
			exposure.Unbound:  configure(exposure.Unbound, "From 1.18 on Unbound can answer cookies.", "server:\n    answer-cookie: yes"),
			exposure.PDNSAuth: configure(exposure.PDNSAuth, "From 4.6 on: give a secret of 128 bits in hexadecimal.", "edns-cookie-secret=<32 hexadecimal digits: openssl rand -hex 16>"),
		},
		References: []exposure.Reference{
			rfc("7873", "5.2", "what a server does with a client cookie"),
			rfc("9018", "", "interoperable server cookies"),
		},
		Run: func(ctx context.Context, s *Session) []Outcome {
			if !s.Speaks(exposure.UDP) {
				return []Outcome{s.noDatagrams(ctx)}
			}
			q := s.probe(ctx)
			q.Type = dnswire.TypePTR // a type that no other check asks for, see EDNS-1
			var client [8]byte
			rand.Read(client[:])
			cookie := hex.EncodeToString(client[:])
			q.EDNS = &dnswire.EDNS{UDPSize: 1232, Options: []dnswire.Option{&dnswire.Cookie{Code: dnswire.OptionCookie, Cookie: cookie}}}
			a := s.Ask(ctx, exposure.UDP, q)
			o := judgeCookie(a, cookie)
			if o.Status == exposure.Pass && s.forwards(ctx) {
				o = notTested(o.Transport, "a server cookie came back, but forwarders pass on those of the server behind them, so it is not known to be this one's")
			}
			return []Outcome{o}
		},
	}}
}

// probeName is a name that the server can answer for: its first zone, else the root.
func (s *Session) probeName(ctx context.Context) string {
	if zones := s.Zones(ctx); len(zones) > 0 {
		return zones[0].Name
	}
	return "."
}

// probe is a question for the SOA of a name that the server answers for this
// vantage over UDP: its first zone, the root, or, when it resolves, the root or
// the stable name with RD set. When it answers none of them it is that for the
// root.
func (s *Session) probe(ctx context.Context) dnswire.Query {
	root := question(s.probeName(ctx), dnswire.TypeSOA)
	if root.Name != "." || !refused(s.Ask(ctx, exposure.UDP, root)) || !s.Recursion(ctx, exposure.UDP).Open() {
		return root
	}
	for _, name := range []string{".", s.Opts.StableName} { // Unbound refuses all without RD
		if q := resolve(name, dnswire.TypeSOA); !refused(s.Ask(ctx, exposure.UDP, q)) {
			return q
		}
	}
	return root
}

func judgeCookie(a dialogue.Answer, client string) Outcome {
	if a.Msg == nil {
		return notTested(a.Via, silence("a question with a cookie", a))
	}
	if a.Msg.Malformed != nil {
		return notTested(a.Via, "the reply does not parse: "+a.Msg.Malformed.Error())
	}
	full := cookieOf(a.Msg)
	switch {
	case len(full) >= leastServerCookie && len(full) <= longestServerCooky && full[:clientCookieHex] == client:
		return pass(a.Via, "a server cookie came back")
	case full != "" && (len(full) < clientCookieHex || full[:clientCookieHex] != client):
		return fail(a.Via, "the cookie that came back is not for the one sent", a.Evidence(""))
	case a.Is(dnswire.RcodeNoError), a.Is(dnswire.RcodeNXDomain):
		return fail(a.Via, "no server cookie came back", a.Evidence(""))
	}
	return notTested(a.Via, "the question itself was not answered ("+a.Outcome()+"); name a zone of the server with --zone")
}

func cookieOf(m *dnswire.Message) string {
	if o := m.OPT(); o != nil {
		for _, e := range o.Option {
			if c, ok := e.(*dnswire.Cookie); ok {
				return c.Cookie
			}
		}
	}
	return ""
}
