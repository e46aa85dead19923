package dnscheck

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func encryptedChecks() []Check {
	return []Check{{
		ID:        "ENC-1",
		Elsewhere: true,
		Title:     "Encrypted DNS is looser than port 53 or has a bad certificate",
		Finds:     "DNS over TLS (853), over QUIC (853/udp) or over HTTPS (443, /dns-query) that resolves for this vantage while port 53 refuses, or whose certificate or TLS version is bad: expired, for another name than the one given, self-signed or of an unknown authority, a weak key, TLS before 1.2.",
		Why:       "An access list that is set for port 53 and forgotten for the encrypted ports leaves an open resolver; and with a bad certificate clients either fail or talk to whoever stands in between.",

		Severity:  exposure.MediumSev,
		Rationale: "Medium: clients cannot tell the server from an impostor. High when it resolves for strangers although port 53 does not. Low when the certificate is merely not of a public authority, which is right inside an organisation that has its own.",
		Safety:    Safe,
		Fixes:     encryptedFixes(),
		References: []exposure.Reference{
			rfc("7858", "", "DNS over TLS"),
			rfc("8310", "8", "authenticating a DNS over TLS server"),
			rfc("8484", "", "DNS over HTTPS"),
			rfc("9250", "", "DNS over QUIC"),
			rfc("8996", "", "TLS 1.0 and 1.1 are not to be used"),
		},
		Run: runEncrypted,
	}}
}

// carrier is one encrypted way to ask.
type carrier struct {
	via  exposure.Transport
	port uint16
	name string
}

func carriers() []carrier {
	return []carrier{
		{exposure.TLS, 853, "DNS over TLS"},
		{exposure.QUIC, 853, "DNS over QUIC"},
		{exposure.HTTPS, 443, "DNS over HTTPS"},
	}
}

func runEncrypted(ctx context.Context, s *Session) []Outcome {
	all := carriers()
	out := make([]Outcome, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() {
			out[i] = s.runCarrier(ctx, c)
			out[i].Transport, out[i].Port = c.via, c.port
		})
	}
	wg.Wait()
	return out
}

func (s *Session) runCarrier(ctx context.Context, c carrier) Outcome {
	seen := s.observe(ctx, c.via.Base(), c.port)
	switch {
	case seen.State == exposure.Unmeasured:
		return notTested(c.via, whyUnmeasured(seen))
	case seen.State == exposure.Open && !trusted(seen):
		return notTested(c.via, fmt.Sprintf("%s/%d cannot be judged: %v says that the answer may not be this host's", c.via.Base(), c.port, seen.Labels))
	case seen.State != exposure.Open && seen.State != exposure.OpenFiltered:
		return notTested(c.via, fmt.Sprintf("does not apply: no %s here (%s/%d is %s)", c.name, c.via.Base(), c.port, seen.State))
	}
	q := resolve(s.freshOrStable(), dnswire.TypeA)
	a := s.AskPort(ctx, c.via, c.port, q)
	if seen.State == exposure.OpenFiltered && a.Reply.TLS == nil && a.Msg == nil {
		return judgeSilentCarrier(c, a)
	}
	if a.Msg == nil && c.via == exposure.HTTPS {
		a = s.overGet(ctx, c, q, a)
	}
	var faults []tlsFault
	if a.Reply.TLS != nil && (a.Msg != nil || c.via != exposure.HTTPS) {
		faults = tlsFaults(*a.Reply.TLS, s.Server.Names, time.Now())
	}
	if a.Msg == nil {
		return judgeCarrier(c, a, faults, plainAccess{})
	}
	return judgeCarrier(c, a, faults, s.plainAccess(ctx))
}

// judgeSilentCarrier is for a port that gave no answer, neither to the scan nor
// to the check's own question.
func judgeSilentCarrier(c carrier, a dialogue.Answer) Outcome {
	at := fmt.Sprintf("%s/%d", c.via.Base(), c.port)
	if a.Reply.Reason == exposure.ReasonPortUnreachable {
		return notTested(c.via, "does not apply: no "+c.name+" here ("+at+" is "+closedAfterAll+")")
	}
	return notTested(c.via, at+" gave no answer, to "+c.name+" neither")
}

// freshOrStable is a fresh name of the collector when there is one.
func (s *Session) freshOrStable() string {
	if s.Opts.Collector != nil {
		return s.Opts.Collector.Name(nonce.Plain)
	}
	return s.Opts.StableName
}

// plainAccess is what port 53 does for this vantage.
type plainAccess struct {
	refuses bool   // it was asked on every transport that speaks, and none resolves
	says    string // in words
}

func (s *Session) plainAccess(ctx context.Context) plainAccess {
	if s.Any() == "" {
		return plainAccess{true, "it does not answer here"}
	}
	p := plainAccess{refuses: true}
	for _, via := range vias() {
		if !s.Speaks(via) {
			continue
		}
		r := s.Recursion(ctx, via)
		p.refuses = p.refuses && r.Status == exposure.Pass
		p.says = r.Reason
	}
	return p
}

// resolved reports whether the answer shows recursion: an address that the
// server does not hold itself.
func resolved(a dialogue.Answer) bool {
	return a.Is(dnswire.RcodeNoError) && !a.Msg.Authoritative && dnswire.Has(a.Msg.Answer, dnswire.TypeA)
}

// judgeCarrier weighs one encrypted carrier: access first, then its
// certificate.
func judgeCarrier(c carrier, a dialogue.Answer, faults []tlsFault, plain plainAccess) Outcome {
	var reasons []string
	o := Outcome{Status: exposure.Fail, Transport: c.via, Severity: exposure.Info}
	if a.Msg != nil && resolved(a) && plain.refuses {
		o.Severity = exposure.HighSev
		reasons = append(reasons, c.name+" resolves for this vantage, although port 53 does not ("+plain.says+")")
		o.Evidence = append(o.Evidence, a.Evidence("port 53: "+plain.says))
	}
	for _, f := range faults {
		if f.severity.Compare(o.Severity) < 0 {
			o.Severity = f.severity
		}
		reasons = append(reasons, f.says)
	}
	if len(faults) > 0 {
		o.Evidence = append(o.Evidence, exposure.Evidence{Transport: c.via, Query: "TLS handshake", Response: describeTLS(a.Reply.TLS)})
	}
	switch {
	case len(reasons) > 0:
		o.Reason = strings.Join(reasons, "; ")
		return o
	case a.Msg == nil && a.Reply.HTTP != nil:
		return notTested(c.via, fmt.Sprintf("does not apply: no DNS over HTTPS at /dns-query (HTTP status %d)", a.Reply.HTTP.Status))
	case a.Msg == nil:
		return notTested(c.via, fmt.Sprintf("%s/%d is open, but %s was not answered: %s", c.via.Base(), c.port, c.name, a.Outcome()))
	}
	access := "it refuses what port 53 refuses"
	switch {
	case resolved(a):
		access = "it resolves, and so does port 53 (see REC-1)"
	case !a.Is(dnswire.RcodeRefused):
		access = "it did not resolve (" + a.Outcome() + ")"
	}
	return pass(c.via, c.name+": the certificate is good, and "+access)
}

func encryptedFixes() Fixes {
	return Fixes{
		"":               advice("Give the encrypted listener the same access list as port 53, renew the certificate before it ends (automatically), and let it name what clients are told to verify; allow TLS 1.2 and later only."),
		exposure.BIND:    configure(exposure.BIND, "Access lists hold for all listeners; name certificate and TLS version in the tls block.", "tls dot {\n    cert-file \"/etc/bind/ns1.example.net.pem\";\n    key-file \"/etc/bind/ns1.example.net.key\";\n    protocols { TLSv1.2; TLSv1.3; };\n};\noptions {\n    listen-on port 853 tls dot { any; };\n    listen-on-v6 port 853 tls dot { any; };\n    allow-query { any; };\n    allow-recursion { localnets; localhost; };\n    allow-query-cache { localnets; localhost; };\n};"),
		exposure.Unbound: configure(exposure.Unbound, "Remove interface-action and interface-view lines that open the TLS port; access-control then holds for every port.", "server:\n    interface: 0.0.0.0@853\n    interface: ::0@853\n    tls-port: 853\n    tls-service-key: \"/etc/unbound/ns1.example.net.key\"\n    tls-service-pem: \"/etc/unbound/ns1.example.net.pem\"\n    access-control: 192.0.2.0/24 allow\n    access-control: 2001:db8::/32 allow"),
		exposure.Knot:    configure(exposure.Knot, "Name the certificate that clients verify or pin (Knot DNS 3.3 and later).", "server:\n    listen-quic: [0.0.0.0@853, \"::@853\"]\n    cert-file: /etc/knot/ns1.example.net.pem\n    key-file: /etc/knot/ns1.example.net.key"),
		exposure.NSD:     configure(exposure.NSD, "Name the certificate of the name that clients verify.", "server:\n    tls-service-key: \"/etc/nsd/ns1.example.net.key\"\n    tls-service-pem: \"/etc/nsd/ns1.example.net.pem\"\n    tls-port: 853"),
		exposure.PDNSRec: configure(exposure.PDNSRec, "The Recursor has no encrypted listener of its own; this is for dnsdist in front of it.", "-- dnsdist.conf\naddTLSLocal('0.0.0.0:853', '/etc/dnsdist/ns1.pem', '/etc/dnsdist/ns1.key', {minTLSVersion='tls1.2'})\nsetACL({'192.0.2.0/24', '2001:db8::/32'})"),
		exposure.CoreDNS: configure(exposure.CoreDNS, "Put the same acl into the tls server block as into the plain one.", "tls://.:853 {\n    tls /etc/coredns/ns1.pem /etc/coredns/ns1.key\n    acl {\n        allow net 192.0.2.0/24 2001:db8::/32\n        block\n    }\n    forward . 192.0.2.1\n}"),
	}
}
