package identify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

// plainQuestion is an ordinary question that every DNS server answers in few
// bytes or refuses.
func plainQuestion() ([]byte, error) {
	const id = 0x5273
	return dnswire.Query{Name: ".", Type: dnswire.TypeSOA}.Pack(id)
}

// askStream asks a DNS question with the framing of RFC 1035 section 4.2.2. On
// port 53 silence is met with a second try of twice the patience: one lost or
// late packet must not decide that DNS is not spoken there.
func (i *Identifier) askStream(ctx context.Context, t exposure.Target) (exposure.Service, string) {
	s, note, silent := i.askWithin(ctx, t, i.opts.Answer)
	if silent && t.Port == dnsPort && ctx.Err() == nil {
		s, note, _ = i.askWithin(ctx, t, 2*i.opts.Answer)
	}
	return s, note
}

// askWithin asks once; silent is set when time ran out.
func (i *Identifier) askWithin(ctx context.Context, t exposure.Target, patience time.Duration) (s exposure.Service, note string, silent bool) {
	c, closing, err := i.connectWithin(ctx, t, patience, patience)
	if err != nil {
		return s, err.Error(), timedOut(err)
	}
	defer closing()
	s, note = i.askOver(c)
	return s, note, note == quietly
}

func (i *Identifier) askOver(c net.Conn) (exposure.Service, string) {
	query, err := plainQuestion()
	if err != nil {
		return exposure.Service{}, err.Error()
	}
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(query))) //nolint:gosec // a query of some thirty bytes
	if _, err := c.Write(append(framed, query...)); err != nil {
		return exposure.Service{}, silence(err)
	}
	var head [2]byte
	if n, err := io.ReadFull(c, head[:]); err != nil {
		if n > 0 {
			return exposure.Service{}, "one byte came back"
		}
		return exposure.Service{}, silence(err)
	}
	body := make([]byte, min(int(binary.BigEndian.Uint16(head[:])), maxRead))
	n, err := io.ReadFull(c, body)
	if err == nil && dnswire.Answers(body, query) {
		s := exposure.Service{Protocol: DNS, Confidence: exposure.High, How: "a DNS answer"}
		return s, ""
	}
	// Not DNS: the two bytes were the beginning of something else.
	seen := append(head[:], body[:n]...)
	if s, ok := i.banner(seen); ok && s.Protocol != TLS { // the TLS probe tells more
		return s, ""
	}
	return exposure.Service{Banner: clip(seen)}, "the answer is not DNS"
}

// hello offers TLS. Certificates are looked at, not trusted.
func (i *Identifier) hello(ctx context.Context, t exposure.Target) (exposure.Service, string) {
	c, closing, err := i.connect(ctx, t, i.opts.Answer)
	if err != nil {
		return exposure.Service{}, err.Error()
	}
	defer closing()
	secure := offer(c, "dot", "http/1.1")
	if err := secure.HandshakeContext(ctx); err != nil {
		if _, isAlert := alertOf(err); isAlert {
			s := exposure.Service{Protocol: TLS, Confidence: exposure.High, How: "TLS alert", Details: []string{"the handshake failed: " + err.Error()}}
			return s, ""
		}
		return exposure.Service{}, silence(err)
	}
	state := secure.ConnectionState()
	s := exposure.Service{Protocol: TLS, Confidence: exposure.High, How: "TLS handshake", Details: handshakeDetails(state)}
	i.inside(ctx, t, secure, state.NegotiatedProtocol, &s)
	return s, ""
}

func alertOf(err error) (string, bool) {
	text := err.Error()
	return text, strings.Contains(text, "remote error: tls:") || strings.Contains(text, "tls: server selected") ||
		strings.Contains(text, "tls: no supported versions")
}

// offer wraps the connection for a handshake in which anything is accepted.
func offer(c net.Conn, protocols ...string) *tls.Conn {
	return tls.Client(c, &tls.Config{
		InsecureSkipVerify: true,             //nolint:gosec // a scanner wants to see bad certificates too
		MinVersion:         tls.VersionTLS10, //nolint:gosec // and old servers
		NextProtos:         protocols,
	})
}

// inside looks what TLS carries: DNS on port 853 and 53 or under the name of
// DNS over TLS, else HTTP.
func (i *Identifier) inside(ctx context.Context, t exposure.Target, c net.Conn, alpn string, s *exposure.Service) {
	const portDoT = 853
	expected := alpn == "dot" || t.Port == portDoT
	if expected || alpn == "" && t.Port == dnsPort {
		_ = c.SetDeadline(time.Now().Add(i.opts.Answer / 2))
		if inner, note := i.askOver(c); note == "" && inner.Protocol == DNS {
			s.Protocol, s.How = DoT, "a DNS answer inside TLS"
			return
		}
		if expected {
			return
		}
		again, closing, err := i.connect(ctx, t, i.opts.Answer/2)
		if err != nil {
			return
		}
		defer closing()
		fresh := offer(again, "http/1.1")
		if fresh.HandshakeContext(ctx) != nil {
			return
		}
		c = fresh
	}
	if page, ok := i.request(c, t); ok {
		page.Protocol, page.How = HTTPS, "an HTTP answer inside TLS"
		page.Details = append(s.Details, page.Details...)
		*s = page
	}
}

const dnsPort = 53

func handshakeDetails(state tls.ConnectionState) []string {
	out := []string{tls.VersionName(state.Version)}
	if state.NegotiatedProtocol != "" {
		out = append(out, "ALPN "+state.NegotiatedProtocol)
	}
	if len(state.PeerCertificates) > 0 {
		out = append(out, certificateDetails(state.PeerCertificates[0])...)
	}
	return out
}

// certificateDetails are the telling lines of a certificate, bounded.
func certificateDetails(c *x509.Certificate) []string {
	const most = 10
	out := []string{
		"certificate subject " + cut(c.Subject.String()),
		"certificate issuer " + cut(c.Issuer.String()),
		fmt.Sprintf("certificate valid %s to %s", c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly)),
	}
	var names []string
	for _, n := range c.DNSNames {
		names = append(names, cut(n))
	}
	for _, a := range c.IPAddresses {
		names = append(names, a.String())
	}
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	if len(names) > 0 {
		out = append(out, "certificate names "+strings.Join(names, ", "))
	}
	return out
}

func cut(s string) string {
	const most = 120
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
