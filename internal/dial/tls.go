package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// Application protocols by which DNS is negotiated.
const (
	alpnDoT = "dot" // RFC 7858, in the ALPN registry
	alpnDoQ = "doq" // RFC 9250 section 4.1
)

// overTLS is DNS over TLS (RFC 7858).
func (d *Dialer) overTLS(ctx context.Context, r exchange.Request) exchange.Reply {
	ctx, cancel := context.WithTimeout(ctx, total(r.Timeouts))
	defer cancel()
	conn, reply, ok := d.openTCP(ctx, r)
	if !ok {
		return reply
	}
	defer conn.Close() //nolint:errcheck // the answer is already there
	defer interrupt(ctx, conn)()
	secure := tls.Client(conn, d.clientTLS(r, alpnDoT))
	if err := secure.HandshakeContext(ctx); err != nil {
		ended(ctx, &reply, "TLS handshake", err)
		return reply
	}
	reply.TLS = d.sawTLS(secure.ConnectionState(), r)
	reply.Reason = exposure.ReasonSynAck
	if len(r.Payload) > 0 {
		converse(ctx, secure, r, &reply)
	}
	return reply
}

// clientTLS accepts every server: also versions, ciphers and certificates that
// nobody should use, since a check can only speak of what it has seen. What is
// wrong with the certificate is found by sawTLS.
func (d *Dialer) clientTLS(r exchange.Request, protocols ...string) *tls.Config {
	var suites []uint16
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		suites = append(suites, s.ID)
	}
	return &tls.Config{
		InsecureSkipVerify: true, // verified apart, see sawTLS
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       suites,
		ServerName:         r.ServerName,
		NextProtos:         protocols,
	}
}

// sawTLS copies what the handshake showed and verifies the certificates
// against the roots and the name, or the address when there is no name.
func (d *Dialer) sawTLS(s tls.ConnectionState, r exchange.Request) *exchange.TLS {
	seen := &exchange.TLS{
		Version: tls.VersionName(s.Version),
		ALPN:    s.NegotiatedProtocol,
		Chain:   slices.Clone(s.PeerCertificates),
	}
	if err := d.verify(s.PeerCertificates, r); err != nil {
		seen.Invalid = err.Error()
	}
	return seen
}

func (d *Dialer) verify(chain []*x509.Certificate, r exchange.Request) error {
	if len(chain) == 0 {
		return errors.New("the server sent no certificate")
	}
	name := r.ServerName
	if name == "" {
		name = r.Server.Addr().WithZone("").String()
	}
	middle := x509.NewCertPool()
	for _, c := range chain[1:] {
		middle.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		DNSName: name, Roots: d.opts.Roots, Intermediates: middle, CurrentTime: time.Now(),
	})
	return err
}
