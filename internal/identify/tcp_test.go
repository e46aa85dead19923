package identify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/intel/recog"
)

// serveTCP listens on loopback and hands every connection to fn.
func serveTCP(t *testing.T, host string, fn func(net.Conn)) exposure.Target {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); fn(c) }()
		}
	}()
	ap := netip.MustParseAddrPort(l.Addr().String())
	return exposure.Target{Addr: ap.Addr(), Transport: exposure.TCP, Port: ap.Port()}
}

func dnsEcho(c net.Conn) {
	var n [2]byte
	for {
		if _, err := io.ReadFull(c, n[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint16(n[:]))
		if _, err := io.ReadFull(c, b); err != nil || len(b) < 12 {
			return
		}
		b[2] |= 0x80
		c.Write(append(n[:], b...))
	}
}

func webPage(c net.Conn) { pageBy("lab")(c) }

// pageBy is a web server of that name.
func pageBy(name string) func(net.Conn) {
	return func(c net.Conn) {
		b := make([]byte, 1024)
		n, _ := c.Read(b)
		if strings.HasPrefix(string(b[:n]), "GET / HTTP/1.1\r\n") {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nServer: "+name+"\r\n\r\n<title>page</title>")
		}
	}
}

func say(text string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, text); io.Copy(io.Discard, c) }
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "unit.test"}, DNSNames: []string{"unit.test"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func overTLS(t *testing.T, fn func(net.Conn), protocols ...string) func(net.Conn) {
	t.Helper()
	conf := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: protocols}
	return func(c net.Conn) {
		s := tls.Server(c, conf)
		if s.Handshake() == nil {
			fn(s)
		}
	}
}

func quick() Options { return Options{Banner: 150 * time.Millisecond, Answer: 400 * time.Millisecond} }

func TestTCP(t *testing.T) {
	sink := func(c net.Conn) { io.Copy(io.Discard, c) }
	for _, c := range []struct {
		name     string
		serve    func(net.Conn)
		protocol string
		detail   string
	}{
		{"ssh", say("SSH-2.0-OpenSSH_9.2\r\n"), "ssh", ""},
		{"smtp", say("220 mail ESMTP\r\n"), "smtp", ""},
		{"banner in two pieces", func(c net.Conn) { io.WriteString(c, "SSH-2.0-"); say("X_1\r\n")(c) }, "ssh", ""},
		{"dns", dnsEcho, DNS, ""},
		{"http", webPage, HTTP, "title page"},
		{"tls around nothing", overTLS(t, sink), TLS, "certificate names unit.test"},
		{"tls around http", overTLS(t, webPage, "http/1.1"), HTTPS, "title page"},
		{"tls around dns", overTLS(t, dnsEcho, "dot"), DoT, "ALPN dot"},
		{"silent", sink, Unknown, "server first: silence"},
		{"closes at once", func(net.Conn) {}, Unknown, ""},
		{"unknown text", say("what do you want?\r\n"), Unknown, ""},
		{"endless", func(c net.Conn) {
			for {
				if _, err := c.Write(make([]byte, 65536)); err != nil {
					return
				}
			}
		}, Unknown, ""},
	} {
		for _, host := range []string{"127.0.0.1", "::1"} {
			t.Run(c.name+" "+host, func(t *testing.T) {
				t.Parallel()
				target := serveTCP(t, host, c.serve)
				s := New(&net.Dialer{}, nil, recog.New(), quick()).TCP(t.Context(), target)
				if s.Protocol != c.protocol || s.How == "" || c.detail != "" && !slices.Contains(s.Details, c.detail) {
					t.Errorf("%+v, want %s with %q", s, c.protocol, c.detail)
				}
			})
		}
	}
}

// TestHowReads: reports say "proven by" before How.
func TestHowReads(t *testing.T) {
	for _, c := range []struct {
		serve     func(net.Conn)
		name, how string
	}{
		{pageBy("libisc"), "BIND 9 statistics", "an HTTP answer"},
		{webPage, "lab", "an HTTP answer"},
		{overTLS(t, webPage, "http/1.1"), "lab", "an HTTP answer inside TLS"},
		{dnsEcho, "", "a DNS answer"},
		{overTLS(t, dnsEcho, "dot"), "", "a DNS answer inside TLS"},
	} {
		s := New(&net.Dialer{}, nil, recog.New(), quick()).TCP(t.Context(), serveTCP(t, "127.0.0.1", c.serve))
		if s.Name != c.name || s.How != c.how {
			t.Errorf("%q proven by %q, want %q by %q", s.Name, s.How, c.name, c.how)
		}
	}
}

// countingDialer counts connections in all and at once.
type countingDialer struct {
	net.Dialer
	all, now atomic.Int32
	mu       sync.Mutex
	most     int32
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error { c.closed(); return c.Conn.Close() }

func (d *countingDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.all.Add(1)
	n := d.now.Add(1)
	d.mu.Lock()
	d.most = max(d.most, n)
	d.mu.Unlock()
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		d.now.Add(-1)
		return nil, err
	}
	return &countedConn{c, func() { d.now.Add(-1) }}, nil
}

func TestTCPIsModest(t *testing.T) {
	target := serveTCP(t, "127.0.0.1", func(c net.Conn) { io.Copy(io.Discard, c) })
	d := &countingDialer{}
	New(d, nil, recog.New(), quick()).TCP(t.Context(), target)
	if d.most > maxConnections || d.all.Load() > 4 {
		t.Errorf("%d connections, %d at once", d.all.Load(), d.most)
	}
	d = &countingDialer{}
	target = serveTCP(t, "127.0.0.1", dnsEcho)
	New(d, nil, recog.New(), quick()).TCP(t.Context(), target)
	if d.all.Load() > 2 {
		t.Errorf("a DNS server got %d connections, want no TLS and no HTTP", d.all.Load())
	}
}

func TestTCPCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	target := serveTCP(t, "127.0.0.1", dnsEcho)
	if s := New(&net.Dialer{}, nil, recog.New(), Options{}).TCP(ctx, target); s.Protocol != Unknown {
		t.Errorf("%+v", s)
	}
}
