package dnscheck

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

func TestJudgeRNDC(t *testing.T) {
	c := controls()[0]
	closes, speaks := heard{closed: true}, heard{reply: []byte("SSH-2.0-x")}
	for _, tt := range []struct {
		name     string
		seen     manners
		status   exposure.Status
		severity exposure.Severity
	}{
		{"waits, then hangs up on nonsense only", manners{wrong: closes}, exposure.Fail, ""},
		{"hangs up on anything", manners{half: closes, wrong: closes}, exposure.NotTested, ""},
		{"hangs up at once", manners{waited: closes}, exposure.Fail, exposure.LowSev},
		{"speaks first", manners{waited: speaks}, exposure.NotTested, ""},
		{"answers", manners{wrong: heard{reply: []byte("HTTP/1.1 400"), closed: true}}, exposure.NotTested, ""},
		{"never minds", manners{}, exposure.NotTested, ""},
	} {
		if o := judgeRNDC(c, tt.seen); o.Status != tt.status || o.Severity != tt.severity {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}

func TestJudgeRemoteControl(t *testing.T) {
	c := controls()[1]
	status := heard{reply: []byte("version: 1.17.1\nverbosity: 1\nthreads: 1\n"), closed: true}
	noTLS := handshake{err: errors.New("not TLS")}
	for _, tt := range []struct {
		name     string
		h        handshake
		plain    heard
		status   exposure.Status
		severity exposure.Severity
	}{
		{"obeys in plain text", noTLS, status, exposure.Fail, exposure.Critical},
		{"obeys inside TLS", handshake{names: []string{"unbound"}, heard: status}, heard{}, exposure.Fail, exposure.Critical},
		{"own certificate, wants ours", handshake{names: []string{"unbound"}, wantsCert: true, heard: heard{closed: true}}, heard{}, exposure.Fail, ""},
		{"another certificate, wants ours", handshake{names: []string{"x"}, wantsCert: true, heard: heard{closed: true}}, heard{}, exposure.Fail, ""},
		{"some TLS", handshake{names: []string{"www.example.net"}}, heard{}, exposure.NotTested, ""},
		{"hangs up", noTLS, heard{closed: true}, exposure.NotTested, ""},
		{"says something else", noTLS, heard{reply: []byte("SSH-2.0-x")}, exposure.NotTested, ""},
		{"silent", noTLS, heard{}, exposure.NotTested, ""},
	} {
		if o := judgeRemoteControl(c, "unbound", tt.h, tt.plain); o.Status != tt.status || o.Severity != tt.severity {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}

func TestJudgeConsole(t *testing.T) {
	c := controls()[3]
	nonce := make([]byte, nonceSize)
	other := append([]byte{1}, nonce[1:]...)
	for _, tt := range []struct {
		name   string
		h      heard
		status exposure.Status
	}{
		{"own nonce", heard{reply: other}, exposure.Fail},
		{"echo", heard{reply: nonce}, exposure.NotTested},
		{"more", heard{reply: append(other, 1)}, exposure.NotTested},
		{"hangs up after it", heard{reply: other, closed: true}, exposure.NotTested},
		{"hangs up", heard{closed: true}, exposure.NotTested},
		{"silent", heard{}, exposure.NotTested},
	} {
		if o := judgeConsole(c, nonce, tt.h); o.Status != tt.status {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}

func TestJudgeWeb(t *testing.T) {
	find := func(path string) page {
		for _, p := range pages() {
			if p.path == path {
				return p
			}
		}
		t.Fatal("no page", path)
		return page{}
	}
	metrics, api, adguard, technitium := find("/metrics"), find("/api/v1/servers"), find("/control/status"), find("/api/user/session/get")
	for _, tt := range []struct {
		name     string
		asked    []page
		visits   []visit
		status   exposure.Status
		severity exposure.Severity
	}{
		{"metrics open, API wants a key", []page{metrics, api}, []visit{{status: 200, body: "pdns_auth_queries 1"}, {status: 401}}, exposure.Fail, ""},
		{"API open", []page{api}, []visit{{status: 200, body: `[{"daemon_type": "authoritative"}]`}}, exposure.Fail, exposure.HighSev},
		{"AdGuard open", []page{adguard}, []visit{{status: 200, body: `{"dns_addresses":[]}`}}, exposure.Fail, exposure.HighSev},
		{"AdGuard login", []page{adguard}, []visit{{status: 403}}, exposure.Pass, ""},
		{"AdGuard set-up", []page{adguard}, []visit{{status: 302, to: "/install.html"}}, exposure.Pass, ""},
		{"Technitium login", []page{technitium}, []visit{{status: 200, body: `{"status":"invalid-token"}`}}, exposure.Pass, ""},
		{"another page", []page{metrics}, []visit{{status: 200, body: "<html>welcome"}}, exposure.NotTested, ""},
		{"another's metrics", []page{metrics}, []visit{{status: 200, body: "node_cpu_seconds 1"}}, exposure.NotTested, ""},
		{"not found", []page{metrics}, []visit{{status: 404, body: "pdns_auth_"}}, exposure.NotTested, ""},
		{"closes", []page{metrics}, []visit{{err: io.EOF}}, exposure.NotTested, ""},
	} {
		out := judgeWeb(8081, tt.asked, tt.visits)
		if len(out) != 1 || out[0].Status != tt.status || out[0].Severity != tt.severity || out[0].Port != 8081 {
			t.Errorf("%s: %+v", tt.name, out)
		}
	}
}

func TestJudgeSetup(t *testing.T) {
	page := visit{status: 200, body: "<title>AdGuard Home</title>"}
	for _, tt := range []struct {
		name           string
		start, install visit
		status         exposure.Status
		confidence     exposure.Confidence
	}{
		{"waits", visit{status: 302, to: "/install.html"}, page, exposure.Fail, ""},
		{"waits, whole address", visit{status: 302, to: "http://192.0.2.1:3000/install.html"}, page, exposure.Fail, ""},
		{"leads to a page of its own", visit{status: 302, to: "/install.html"}, visit{status: 404}, exposure.Fail, exposure.Medium},
		{"login", visit{status: 302, to: "/login.html"}, visit{}, exposure.Pass, ""},
		{"another console", visit{status: 200, body: "AdGuard Home"}, visit{}, exposure.NotTested, ""},
		{"no HTTP", visit{err: io.EOF}, visit{}, exposure.NotTested, ""},
	} {
		if o := judgeSetup(3000, tt.start, tt.install); o.Status != tt.status || o.Confidence != tt.confidence {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}

// detour makes every TCP connection end at one local server and counts them.
type detour struct {
	to    string
	calls []string
}

func (h *detour) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	h.calls = append(h.calls, address)
	return new(net.Dialer).DialContext(ctx, network, h.to)
}

func portsOpen(ports ...uint16) func(context.Context, exposure.Transport, uint16) exposure.Observation {
	return func(_ context.Context, via exposure.Transport, port uint16) exposure.Observation {
		o := exposure.Observation{Target: exposure.Target{Transport: via, Port: port}, State: exposure.Closed}
		for _, p := range ports {
			if p == port {
				o.State = exposure.Open
			}
		}
		return o
	}
}

func webSession(t *testing.T, handler http.Handler, credentials bool, ports ...uint16) (*Session, *detour) {
	t.Helper()
	site := httptest.NewServer(handler)
	t.Cleanup(site.Close)
	h := &detour{to: site.Listener.Addr().String()}
	d := dialogue.New(nil, netip.MustParseAddr("192.0.2.53"), dialogue.Options{})
	return NewSession(d, Server{Observe: portsOpen(ports...)}, Options{Dial: h, Credentials: credentials}), h
}

func TestCredentials(t *testing.T) {
	logins, logouts := 0, 0
	console := func(password string) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<title>Technitium DNS Server</title>")
		})
		mux.HandleFunc("/api/user/login", func(w http.ResponseWriter, r *http.Request) {
			logins++
			if r.FormValue("pass") != password {
				io.WriteString(w, `{"status":"error"}`)
				return
			}
			io.WriteString(w, `{"status":"ok","token":"abc"}`)
		})
		mux.HandleFunc("/api/user/logout", func(_ http.ResponseWriter, r *http.Request) {
			if r.FormValue("token") == "abc" {
				logouts++
			}
		})
		return mux
	}
	s, _ := webSession(t, console("admin"), true, 5380)
	if out := runCredentials(t.Context(), s); out[0].Status != exposure.Fail || out[0].Port != 5380 || logins != 1 || logouts != 1 {
		t.Errorf("default password: %+v, %d logins, %d logouts", out, logins, logouts)
	}
	s, _ = webSession(t, console("changed"), true, 5380)
	if out := runCredentials(t.Context(), s); out[0].Status != exposure.Pass || logins != 2 {
		t.Errorf("changed password: %+v, %d logins", out, logins)
	}
	s, _ = webSession(t, http.NotFoundHandler(), true, 5380)
	if out := runCredentials(t.Context(), s); out[0].Status != exposure.NotTested || logins != 2 {
		t.Errorf("another product: %+v, %d logins", out, logins)
	}
	s, h := webSession(t, console("admin"), false, 5380)
	if out := runCredentials(t.Context(), s); len(out) != 1 || out[0].Status != exposure.NotTested || len(h.calls) != 0 {
		t.Errorf("without opting in: %+v, connections %v", out, h.calls)
	}
}

// TestVisitStaysHere shows that a redirect to another host is not followed.
func TestVisitStaysHere(t *testing.T) {
	s, h := webSession(t, http.RedirectHandler("http://203.0.113.9/elsewhere", http.StatusFound), false, 3000)
	v := s.visitPage(t.Context(), 3000, "/")
	if v.status != http.StatusFound || len(h.calls) != 1 || h.calls[0] != "192.0.2.53:3000" {
		t.Errorf("%+v, connections %v", v, h.calls)
	}
	s, _ = webSession(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 64 {
			w.Write(make([]byte, 64<<10))
		}
	}), false, 3000)
	if v := s.visitPage(t.Context(), 3000, "/"); len(v.body) > maxPage {
		t.Errorf("%d bytes were kept", len(v.body))
	}
}

func TestRunControlPortsNothingOpen(t *testing.T) {
	s, h := webSession(t, http.NotFoundHandler(), false)
	for _, run := range []func(context.Context, *Session) []Outcome{runControlPorts, runWeb} {
		out := run(t.Context(), s)
		if len(out) != 1 || out[0].Status != exposure.Pass || len(h.calls) != 0 {
			t.Errorf("%+v, connections %v", out, h.calls)
		}
	}
	s.Server.Observe = nil
	if out := runControlPorts(t.Context(), s); len(out) != 1 || out[0].Status != exposure.NotTested {
		t.Errorf("unmeasured ports: %+v", out)
	}
}

func testLeaf(t *testing.T, change func(*x509.Certificate), key any) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ns1.example.net"}, DNSNames: []string{"ns1.example.net"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(c)
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer, public := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "authority"}}, any(signer.Public())
	switch k := key.(type) {
	case *rsa.PrivateKey:
		public = k.Public()
	case string: // self-signed
		issuer = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTLSFaults(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := testLeaf(t, nil, nil)
	chain := func(c *x509.Certificate) []*x509.Certificate { return []*x509.Certificate{c} }
	for _, tt := range []struct {
		name  string
		tls   exchange.TLS
		names []string
		want  []exposure.Severity
	}{
		{"good", exchange.TLS{Version: "TLS 1.3", Chain: chain(good)}, []string{"ns1.example.net."}, nil},
		{"no name given", exchange.TLS{Version: "TLS 1.3", Chain: chain(good), Invalid: "x509: certificate is not valid for any names"}, nil, nil},
		{"one name of two", exchange.TLS{Version: "TLS 1.3", Chain: chain(good)}, []string{"a.example.net", "ns1.example.net"}, nil},
		{"another name", exchange.TLS{Version: "TLS 1.3", Chain: chain(good)}, []string{"ns2.example.net"}, []exposure.Severity{exposure.MediumSev}},
		{"unknown authority", exchange.TLS{Version: "TLS 1.3", Chain: chain(good), Invalid: "x509: certificate signed by unknown authority"}, nil, []exposure.Severity{exposure.LowSev}},
		{"self-signed", exchange.TLS{Version: "TLS 1.3", Chain: chain(testLeaf(t, nil, "self")), Invalid: "x509: certificate signed by unknown authority"}, nil, []exposure.Severity{exposure.LowSev}},
		{"expired", exchange.TLS{Version: "TLS 1.3", Chain: chain(testLeaf(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, nil))}, nil, []exposure.Severity{exposure.MediumSev}},
		{"of the future", exchange.TLS{Version: "TLS 1.3", Chain: chain(testLeaf(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, nil))}, nil, []exposure.Severity{exposure.MediumSev}},
		{"weak key", exchange.TLS{Version: "TLS 1.2", Chain: chain(testLeaf(t, nil, small))}, nil, []exposure.Severity{exposure.MediumSev}},
		{"old TLS", exchange.TLS{Version: "TLS 1.0", Chain: chain(good)}, nil, []exposure.Severity{exposure.MediumSev}},
		{"no certificate", exchange.TLS{Version: "TLS 1.3"}, []string{"x"}, nil},
	} {
		got := tlsFaults(tt.tls, tt.names, time.Now())
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			continue
		}
		for i := range got {
			if got[i].severity != tt.want[i] || got[i].says == "" {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	}
}

func TestJudgeMulticast(t *testing.T) {
	at := func(s exposure.State) exposure.Observation { return exposure.Observation{State: s} }
	for _, tt := range []struct {
		name   string
		seen   exposure.Observation
		answer dialogue.Answer
		near   string
		status exposure.Status
	}{
		{"answers strangers", at(exposure.Open), codeAnswer(0), "", exposure.Fail},
		{"answers neighbours", at(exposure.Open), codeAnswer(0), "same link", exposure.NotTested},
		{"silent", at(exposure.OpenFiltered), quietAnswer(), "", exposure.NotTested},
		{"closed after all", at(exposure.OpenFiltered), dialogue.Answer{Reply: exchange.Reply{Reason: exposure.ReasonPortUnreachable}}, "", exposure.Pass},
		{"prohibited after all", at(exposure.OpenFiltered), dialogue.Answer{Reply: exchange.Reply{Reason: exposure.ReasonAdminProhibited}}, "", exposure.Pass},
		{"closed", at(exposure.Closed), dialogue.Answer{}, "", exposure.Pass},
		{"prohibited", at(exposure.Filtered), dialogue.Answer{}, "", exposure.Pass},
		{"unmeasured", at(exposure.Unmeasured), dialogue.Answer{}, "", exposure.NotTested},
	} {
		if o := judgeMulticast(tt.seen, tt.answer, tt.near); o.Status != tt.status || o.Reason == "" {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}

func TestJudgeCarrier(t *testing.T) {
	c := carriers()[0]
	address := codeAnswer(0)
	address.Msg.Answer = addressRecords()
	expired := []tlsFault{{exposure.MediumSev, "expired"}}
	loose := plainAccess{refuses: true, says: "recursion refused"}
	for _, tt := range []struct {
		name     string
		answer   dialogue.Answer
		faults   []tlsFault
		plain    plainAccess
		status   exposure.Status
		severity exposure.Severity
	}{
		{"looser than 53", address, nil, loose, exposure.Fail, exposure.HighSev},
		{"looser and expired", address, expired, loose, exposure.Fail, exposure.HighSev},
		{"as open as 53", address, nil, plainAccess{}, exposure.Pass, ""},
		{"as open as 53, expired", address, expired, plainAccess{}, exposure.Fail, exposure.MediumSev},
		{"refuses too", codeAnswer(5), nil, loose, exposure.Pass, ""},
		{"no answer", quietAnswer(), nil, plainAccess{}, exposure.NotTested, ""},
		{"no answer, expired", quietAnswer(), expired, plainAccess{}, exposure.Fail, exposure.MediumSev},
		{"upstream broken", codeAnswer(2), nil, loose, exposure.Pass, ""},
	} {
		o := judgeCarrier(c, tt.answer, tt.faults, tt.plain)
		if o.Status != tt.status || o.Status == exposure.Fail && o.Severity != tt.severity {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}

func addressRecords() []dnswire.RR {
	return []dnswire.RR{&dnswire.A{Hdr: dnswire.RRHeader{Name: "a.", Rrtype: dnswire.TypeA, Class: dnswire.ClassIN}, A: net.IPv4(192, 0, 2, 1)}}
}
