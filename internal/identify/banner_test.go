package identify

import (
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/intel/recog"
)

func testIdentifier() *Identifier { return New(nil, nil, recog.New(), Options{}) }

func TestBanner(t *testing.T) {
	i := testIdentifier()
	for _, c := range []struct{ text, protocol, name, version string }{
		{"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "ssh", "OpenBSD OpenSSH", "9.2p1"},
		{"SSH-1.99-Cisco-1.25\n", "ssh", "Cisco SSH", "1.25"},
		{"SSH-2.0-\n", "ssh", "", ""},
		{"220 mail.example.test ESMTP Postfix (Debian/GNU)\r\n", "smtp", "Postfix", ""},
		{"220-FileZilla Server 1.8.1\r\n", "ftp", "", ""},
		{"220 (vsFTPd 3.0.3)\r\n", "ftp", "vsFTPd Project vsFTPd", "3.0.3"},
		{"554 no service smtp\r\n", "smtp", "", ""},
		{"220 hello\r\n", "smtp", "", ""},
		{"+OK Dovecot ready.\r\n", "pop3", "Dovecot", ""},
		{"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", "imap", "Dovecot", ""},
		{"* BYE\r\n", "imap", "", ""},
		{"RFB 003.008\n", "vnc", "", ""},
		{"\x4a\x00\x00\x00\x0a8.0.36\x00rest", "mysql", "Oracle MySQL", "8.0.36"},
		{"\x1c\x00\x00\x00\xff\x6a\x04Host '192.0.2.1' is not allowed", "mysql", "", ""},
		{"\x15\x03\x01\x00\x02\x02\x46", "tls", "", ""},
		{"\xff\xfb\x01\xff\xfd\x03", "telnet", "", ""},
		{"HTTP/1.1 400 Bad Request\r\n", "http", "", ""},
		{"@RSYNCD: 31.0\n", "rsync", "", ""},
	} {
		s, ok := i.banner([]byte(c.text))
		if !ok || s.Protocol != c.protocol || c.name != "" && s.Name != c.name || c.version != "" && s.Version != c.version {
			t.Errorf("%q: %v %q %q %q, want %q %q %q", c.text, ok, s.Protocol, s.Name, s.Version, c.protocol, c.name, c.version)
		}
	}
	for _, text := range []string{"", "x", "hello\n", "\x00\x00\x00\x00\x00", "22", "220", "\x05\x00\x00\x00\xff", "\x05\x00\x00\x00\x0a\x00", "\xff\x00\x00", "\x16\x02\x00\x00\x01"} {
		if s, ok := i.banner([]byte(text)); ok {
			t.Errorf("%q taken for %s", text, s.Protocol)
		}
	}
}

func TestVerbatim(t *testing.T) {
	for _, c := range []struct{ text, version, want string }{
		{"9.18.49-1~deb12u3-Debian", "9.18.49", "9.18.49-1~deb12u3-Debian"},
		{"PowerDNS Recursor 4.8.8 (built May 1)", "4.8.8", "4.8.8"},
		{"dnsmasq-2.90", "2.90", "2.90"},
		{"unbound", "", ""},
		{"x", "9", "9"},
	} {
		if got := verbatim(c.text, c.version); got != c.want {
			t.Errorf("%q, %q = %q, want %q", c.text, c.version, got, c.want)
		}
	}
}

func TestHTTPAnswer(t *testing.T) {
	i := testIdentifier()
	s, ok := i.httpAnswer([]byte("HTTP/1.1 302 Found\r\nServer: nginx/1.22.1\r\nLocation: /login\r\n\r\n<html><title>\n A  page </title>"))
	if !ok || s.Protocol != HTTP || s.Version != "1.22.1" || len(s.Details) != 3 || s.Details[2] != "title A page" {
		t.Errorf("%v %+v", ok, s)
	}
	for _, text := range []string{"", "HTTP", "HTTP/2 200", "HTTP/1.1 abc", "nonsense\n\n"} {
		if s, ok := i.httpAnswer([]byte(text)); ok {
			t.Errorf("%q taken for %+v", text, s)
		}
	}
}

func FuzzBanner(f *testing.F) {
	i := testIdentifier()
	for _, s := range []string{"SSH-2.0-x\n", "220 x\n", "\x4a\x00\x00\x00\x0a8.0\x00", "\x05\x00\x00\x00\xff\x6a\x04", "HTTP/1.1 200 OK\r\n\r\n<title>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		complete(b)
		for _, read := range []func([]byte) (exposure.Service, bool){i.banner, i.httpAnswer} {
			if s, ok := read(b); ok && (s.Protocol == "" || s.How == "" || len(s.Banner) > maxBanner) {
				t.Errorf("%q: incomplete %+v", b, s)
			}
		}
	})
}
