package dnscheck

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// tlsFault is one thing wrong with a TLS server.
type tlsFault struct {
	severity exposure.Severity
	says     string
}

// leastRSA and leastEC are the key sizes below which a key is weak, in bits
// (NIST SP 800-57 part 1, table 2: 112 bits of security).
const (
	leastRSA = 2048
	leastEC  = 224
)

// tlsFaults looks for faults of the handshake and the server's certificate.
// The name is judged only when the user gave names for the server: without
// one nobody can say which name would be right.
func tlsFaults(t exchange.TLS, names []string, now time.Time) []tlsFault {
	var out []tlsFault
	add := func(severity exposure.Severity, format string, args ...any) {
		out = append(out, tlsFault{severity, fmt.Sprintf(format, args...)})
	}
	if slices.Contains([]string{"SSLv3", "TLS 1.0", "TLS 1.1"}, t.Version) {
		add(exposure.MediumSev, "it offers nothing better than %s", t.Version)
	}
	if len(t.Chain) == 0 {
		return out
	}
	leaf := t.Chain[0]
	switch {
	case now.After(leaf.NotAfter):
		add(exposure.MediumSev, "the certificate expired on %s", leaf.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		add(exposure.MediumSev, "the certificate is not valid before %s", leaf.NotBefore.UTC().Format(time.DateOnly))
	}
	switch {
	case slices.Equal(leaf.RawIssuer, leaf.RawSubject) && leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil:
		add(exposure.LowSev, "the certificate is self-signed")
	case strings.Contains(t.Invalid, "unknown authority"):
		add(exposure.LowSev, "the certificate is of an authority that this vantage does not know (%s)", oneLine(leaf.Issuer.String()))
	}
	if len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return leaf.VerifyHostname(strings.TrimSuffix(n, ".")) == nil }) {
		add(exposure.MediumSev, "the certificate does not name %s, but %s", strings.Join(names, " or "), certificateNaming(leaf))
	}
	if weak := weakness(leaf); weak != "" {
		add(exposure.MediumSev, "%s", weak)
	}
	return out
}

func weakness(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < leastRSA {
			return fmt.Sprintf("the certificate's RSA key has only %d bits", key.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < leastEC {
			return fmt.Sprintf("the certificate's elliptic-curve key has only %d bits", bits)
		}
	}
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA:
		return "the certificate is signed with " + c.SignatureAlgorithm.String()
	default:
		return ""
	}
}

func certificateNaming(c *x509.Certificate) string {
	const most = 5
	var names []string
	for _, n := range certificateNames(c) {
		names = append(names, oneLine(n))
	}
	for _, a := range c.IPAddresses {
		names = append(names, a.String())
	}
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return strings.Join(names, ", ")
}

func oneLine(s string) string {
	const most = 120
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}

func describeTLS(t *exchange.TLS) string {
	if t == nil || len(t.Chain) == 0 {
		return "no certificate"
	}
	c := t.Chain[0]
	return fmt.Sprintf("%s, subject %s, issuer %s, valid %s to %s, names %s", t.Version, oneLine(c.Subject.String()), oneLine(c.Issuer.String()),
		c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly), certificateNaming(c))
}

// overGet asks by GET (RFC 8484 section 4.1) where POST was not taken; the
// handshake of the first attempt is kept. The ID is 0, as caches want it.
func (s *Session) overGet(ctx context.Context, c carrier, q dnswire.Query, post dialogue.Answer) dialogue.Answer {
	h := post.Reply.HTTP
	if h == nil || h.Status == http.StatusNotFound || h.Status < 400 || h.Status >= 500 {
		return post
	}
	wire, err := q.Pack(0)
	if err != nil {
		return post
	}
	v := s.visitPage(ctx, c.port, "/dns-query?dns="+base64.RawURLEncoding.EncodeToString(wire), "Accept", "application/dns-message")
	if v.status != http.StatusOK || !dnswire.Answers([]byte(v.body), wire) {
		return post
	}
	if m, err := dnswire.Parse([]byte(v.body)); err == nil {
		post.Msg, post.Reply.Payload = m, []byte(v.body)
	}
	return post
}
