package dial_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/quic-go/quic-go"

	"reconshield/internal/dial"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// certificate makes a self-signed one that has expired or not.
func certificate(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func pool(c tls.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.Leaf)
	return p
}

// serveTLS answers DNS over TLS.
func serveTLS(t *testing.T, host string, config *tls.Config) netip.AddrPort {
	t.Helper()
	return serveTCP(t, host, func(c net.Conn) { answerFrames(tls.Server(c, config)) })
}

// serveQUIC answers DNS over QUIC and reports an ID that is not 0 by silence.
func serveQUIC(t *testing.T, host string, config *tls.Config) netip.AddrPort {
	t.Helper()
	conn, addr := listenUDP(t, host)
	tr := &quic.Transport{Conn: conn}
	l, err := tr.Listen(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { tr.Close(); <-done })
	go func() {
		defer close(done)
		for {
			session, err := l.Accept(t.Context())
			if err != nil {
				return
			}
			for {
				stream, err := session.AcceptStream(t.Context())
				if err != nil {
					break
				}
				if q := readFrame(stream); q != nil && q[0] == 0 && q[1] == 0 {
					stream.Write(framed(refused(q)))
				}
				stream.Close()
			}
		}
	}()
	return addr
}

// serveDoH answers DNS over HTTPS with the handler.
func serveDoH(t *testing.T, host string, config *tls.Config, h2 bool, handler http.HandlerFunc) netip.AddrPort {
	t.Helper()
	l, addr := listenTCP(t, host)
	s := &httptest.Server{Listener: l, EnableHTTP2: h2, TLS: config, Config: &http.Server{Handler: handler, ReadHeaderTimeout: long}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return addr
}

// serve answers over the encrypted transport.
func serve(t *testing.T, host string, via exposure.Transport, config *tls.Config, h2 bool) netip.AddrPort {
	t.Helper()
	if via == exposure.TLS {
		return serveTLS(t, host, config)
	}
	if via == exposure.QUIC {
		return serveQUIC(t, host, config)
	}
	return serveDoH(t, host, config, h2, doh)
}

func doh(w http.ResponseWriter, r *http.Request) {
	q, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/dns-query" || len(q) < 12 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/dns-message")
	w.Header().Set("Server", r.Proto)
	w.Write(refused(q))
}

func TestEncryptedAnswers(t *testing.T) {
	good := certificate(t, "dns.test", time.Now().Add(time.Hour))
	expired := certificate(t, "dns.test", time.Now().Add(-time.Hour))
	config := func(c tls.Certificate, maxVersion uint16, protocols ...string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{c}, NextProtos: protocols, MinVersion: tls.VersionTLS10, MaxVersion: maxVersion}
	}
	tests := []struct {
		name    string
		via     exposure.Transport
		config  *tls.Config
		h2      bool
		roots   *x509.CertPool
		ask     string // ServerName
		version string
		invalid string
	}{
		{"valid", exposure.TLS, config(good, 0, "dot"), false, pool(good), "dns.test", "TLS 1.3", ""},
		{"wrong name", exposure.TLS, config(good, 0), false, pool(good), "other.test", "TLS 1.3", "dns.test"},
		{"no name", exposure.TLS, config(good, 0), false, pool(good), "", "TLS 1.3", "IP SANs"},
		{"unknown authority", exposure.TLS, config(good, 0), false, x509.NewCertPool(), "dns.test", "TLS 1.3", "unknown authority"},
		{"expired", exposure.TLS, config(expired, 0), false, pool(expired), "dns.test", "TLS 1.3", "expired"},
		{"old version", exposure.TLS, config(good, tls.VersionTLS10), false, pool(good), "dns.test", "TLS 1.0", ""},
		{"valid", exposure.QUIC, config(good, 0, "doq"), false, pool(good), "dns.test", "TLS 1.3", ""},
		{"expired", exposure.QUIC, config(expired, 0, "doq"), false, pool(expired), "dns.test", "TLS 1.3", "expired"},
		{"HTTP/2", exposure.HTTPS, config(good, 0), true, pool(good), "dns.test", "TLS 1.3", ""},
		{"HTTP/1.1", exposure.HTTPS, config(good, 0), false, pool(good), "", "TLS 1.3", "IP SANs"},
	}
	for _, host := range loopbacks() {
		for _, tt := range tests {
			t.Run(host+" "+string(tt.via)+" "+tt.name, func(t *testing.T) {
				r := request(serve(t, host, tt.via, tt.config, tt.h2), tt.via, long)
				r.ServerName = tt.ask
				got := dial.New(dial.Options{Roots: tt.roots}).Exchange(t.Context(), r)
				if got.Reason != exposure.ReasonDNSResponse || !cmp.Equal(got.Payload, refused(r.Payload)) || got.RTT <= 0 {
					t.Fatalf("got %s %x: %q", got.Reason, got.Payload, got.Detail)
				}
				if got.TLS == nil || got.TLS.Version != tt.version || len(got.TLS.Chain) != 1 {
					t.Fatalf("TLS %+v", got.TLS)
				}
				if (tt.invalid == "") != (got.TLS.Invalid == "") || !strings.Contains(got.TLS.Invalid, tt.invalid) {
					t.Errorf("certificate invalid: %q, want %q", got.TLS.Invalid, tt.invalid)
				}
			})
		}
	}
}

func TestDoHSaysProtocol(t *testing.T) {
	good := certificate(t, "dns.test", time.Now().Add(time.Hour))
	for want, h2 := range map[string]bool{"HTTP/2.0": true, "HTTP/1.1": false} {
		server := serveDoH(t, "127.0.0.1", &tls.Config{Certificates: []tls.Certificate{good}}, h2, doh)
		got := dial.New(dial.Options{}).Exchange(t.Context(), request(server, exposure.HTTPS, long))
		if got.HTTP == nil || got.HTTP.Server != want || got.HTTP.Status != http.StatusOK {
			t.Errorf("%s: got %+v", want, got.HTTP)
		}
	}
}

func TestEncryptedFailures(t *testing.T) {
	good := certificate(t, "dns.test", time.Now().Add(time.Hour))
	config := &tls.Config{Certificates: []tls.Certificate{good}, NextProtos: []string{"h3"}}
	redirected := false
	elsewhere := serveTCP(t, "127.0.0.1", func(net.Conn) { redirected = true })
	plain := serveTCP(t, "127.0.0.1", func(c net.Conn) { c.Write([]byte("220 mail.test ESMTP\r\n")); io.Copy(io.Discard, c) })
	page := func(h http.HandlerFunc) netip.AddrPort {
		return serveDoH(t, "127.0.0.1", &tls.Config{Certificates: []tls.Certificate{good}}, true, h)
	}
	_, silent := listenUDP(t, "127.0.0.1")
	tests := []struct {
		name   string
		via    exposure.Transport
		server netip.AddrPort
		want   exposure.Reason
		status int
	}{
		{"another protocol", exposure.TLS, plain, exposure.ReasonSynAck, 0},
		{"another protocol", exposure.HTTPS, plain, exposure.ReasonSynAck, 0},
		{"not found", exposure.HTTPS, page(http.NotFound), exposure.ReasonSynAck, 404},
		{"a web page", exposure.HTTPS, page(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>hello, world</html>") }), exposure.ReasonSynAck, 200},
		{"a redirect", exposure.HTTPS, page(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+elsewhere.String()+"/", http.StatusFound)
		}), exposure.ReasonSynAck, 302},
		{"a QUIC server of another application", exposure.QUIC, serveQUIC(t, "127.0.0.1", config), exposure.ReasonUDPResponse, 0},
		{"a closed port", exposure.QUIC, freePort(t, "::1", exposure.UDP), exposure.ReasonPortUnreachable, 0},
		{"silence", exposure.QUIC, silent, exposure.ReasonTimeout, 0},
	}
	for _, tt := range tests {
		t.Run(string(tt.via)+" "+tt.name, func(t *testing.T) {
			got := dial.New(dial.Options{}).Exchange(t.Context(), request(tt.server, tt.via, 500*time.Millisecond))
			if got.Reason != tt.want || got.Answered() || got.Attempts != 1 {
				t.Fatalf("got %s, %d attempts: %q", got.Reason, got.Attempts, got.Detail)
			}
			if tt.status != 0 && (got.HTTP == nil || got.HTTP.Status != tt.status || got.TLS == nil) {
				t.Errorf("got %+v, %+v", got.HTTP, got.TLS)
			}
		})
	}
	if redirected {
		t.Error("a redirect was followed")
	}
}

func TestHTTPBodyIsBounded(t *testing.T) {
	good := certificate(t, "dns.test", time.Now().Add(time.Hour))
	server := serveDoH(t, "127.0.0.1", &tls.Config{Certificates: []tls.Certificate{good}}, false, func(w http.ResponseWriter, r *http.Request) {
		for chunk := make([]byte, 1<<16); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	got := dial.New(dial.Options{}).Exchange(t.Context(), request(server, exposure.HTTPS, long))
	if got.HTTP == nil || len(got.HTTP.Body) != exchange.MaxStream {
		t.Fatalf("got %s: %q", got.Reason, got.Detail)
	}
}
