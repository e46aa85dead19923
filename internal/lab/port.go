//go:build linux

package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"
)

// portKinds are hosts whose port 53 carries something else than DNS, or
// nothing at all.
func portKinds() []Kind {
	return []Kind{
		{
			Name: "ssh53", Packages: []string{"openssh-server", "openssh-client"},
			Abused: "SSH listens on TCP port 53", start: ssh53,
		},
		{Name: "tls53", Abused: "TLS that is not DNS listens on TCP port 53", start: tls53},
		{Name: "http53", Abused: "a web server listens on TCP port 53", start: web(53, http.HandlerFunc(plainPage))},
		{
			Name: "smtp53", Abused: "a mail server listens on TCP port 53",
			start: banner("220 mail.example.test ESMTP Postfix\r\n"),
		},
		{
			Name: "silent", Packages: []string{"nftables"},
			start: filtered("drop"),
		},
		{Name: "closed", start: func(*setup) error { return nil }},
		{
			Name: "prohibited", Packages: []string{"nftables"},
			start: filtered("reject with icmpx type admin-prohibited"),
		},
		{
			Name: "acceptall", Packages: []string{"nftables"},
			Abused: "accepts connections to every TCP port and says nothing",
			start:  acceptAll,
		},
		{Name: "mdns", Abused: "answers multicast DNS questions that come from off-link", start: mdns},
		{Name: "openvpn53", Abused: "OpenVPN listens on UDP port 53", start: udp53(openVPN)},
		{Name: "quic53", Abused: "a QUIC server that is not DNS listens on UDP port 53", start: udp53(quicVersions)},
	}
}

// both opens a listener on both addresses of the host and serves them until
// the lab closes.
func (s *setup) both(port uint16, fn func(net.Conn)) error {
	for _, addr := range []netip.Addr{s.host.V4, s.host.V6} {
		listener, err := s.host.Listen("tcp", netip.AddrPortFrom(addr, port).String())
		if err != nil {
			return err
		}
		s.lab.onClose(func() { _ = listener.Close() })
		go serve(listener, fn)
	}
	return nil
}

// banner speaks first on TCP port 53 and then listens.
func banner(text string) func(*setup) error {
	return func(s *setup) error {
		return s.both(53, func(c net.Conn) {
			_, _ = io.WriteString(c, text)
			_, _ = io.Copy(io.Discard, c)
		})
	}
}

func ssh53(s *setup) error {
	// sshd insists on an empty directory here; /run is the lab's own.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		return err
	}
	return server{
		files: map[string]string{"sshd_config": `
ListenAddress {v4}
ListenAddress {v6}
Port 53
HostKey {dir}/key
PidFile none
StrictModes no
`},
		before: func(s *setup) error {
			_, err := s.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "{dir}/key")
			return err
		},
		argv:  []string{"sshd", "-D", "-e", "-f", "{dir}/sshd_config"},
		ask:   "-",
		ports: []string{"53"},
	}.start(s)
}

func tls53(s *setup) error {
	conf, err := s.tlsConfig()
	if err != nil {
		return err
	}
	return s.both(53, func(c net.Conn) {
		secure := tls.Server(c, conf)
		if secure.HandshakeContext(context.WithoutCancel(s.ctx)) == nil {
			_, _ = io.Copy(io.Discard, secure)
		}
	})
}

// tlsConfig has a certificate of the lab's authority for the host.
func (s *setup) tlsConfig(protocols ...string) (*tls.Config, error) {
	certFile, keyFile, err := certificate(s.host.dir, s.host, true)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: protocols, MinVersion: tls.VersionTLS12}, nil
}

// web serves HTTP on both addresses until the lab closes.
func web(port uint16, handler http.Handler) func(*setup) error {
	return func(s *setup) error {
		for _, addr := range []netip.Addr{s.host.V4, s.host.V6} {
			listener, err := s.host.Listen("tcp", netip.AddrPortFrom(addr, port).String())
			if err != nil {
				return err
			}
			site := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
			s.lab.onClose(func() { _ = site.Close() })
			go func() { _ = site.Serve(listener) }()
		}
		return nil
	}
}

func plainPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Server", "lab")
	_, _ = io.WriteString(w, "<title>not a name server</title>\n")
}

// filtered treats everything the same way, except what IPv6 needs to find the
// host at all.
func filtered(verdict string) func(*setup) error {
	return func(s *setup) error {
		return s.host.ns.nft(s.ctx, fmt.Sprintf(`
table inet filter {
	chain input {
		type filter hook input priority 0
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
		%s
	}
}
`, verdict))
	}
}

// acceptAll redirects every TCP port to one listener that never speaks.
func acceptAll(s *setup) error {
	const port = 7000
	if err := s.both(port, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }); err != nil {
		return err
	}
	return s.host.ns.nft(s.ctx, fmt.Sprintf(`
table inet everything {
	chain prerouting {
		type nat hook prerouting priority -100
		meta l4proto tcp redirect to :%d
	}
}
`, port))
}

// udp53 answers UDP datagrams on port 53 with what fn returns; nil is silence.
func udp53(fn func([]byte) []byte) func(*setup) error {
	return func(s *setup) error { return s.udp(53, fn) }
}

func (s *setup) udp(port uint16, fn func([]byte) []byte) error {
	for _, addr := range []netip.Addr{s.host.V4, s.host.V6} {
		conn, err := s.host.ListenPacket("udp", netip.AddrPortFrom(addr, port).String())
		if err != nil {
			return err
		}
		s.lab.onClose(func() { _ = conn.Close() })
		go serveUDP(conn, func(datagram []byte, _ netip.AddrPort) []byte { return fn(datagram) })
	}
	return nil
}

// openVPN answers a client's hard reset with the server's: opcode 8, an own
// session, and an acknowledgement of packet 0 of the client's session.
func openVPN(datagram []byte) []byte {
	const clientReset, serverReset, least = 7 << 3, 8 << 3, 14
	if len(datagram) < least || datagram[0] != clientReset {
		return nil
	}
	reply := append([]byte{serverReset}, "labvpn53"...)
	reply = append(reply, 1)
	reply = append(reply, 0, 0, 0, 0)
	reply = append(reply, datagram[1:9]...)
	return append(reply, 0, 0, 0, 0)
}

// quicVersions answers full-size long-header packets of unknown versions with
// a version negotiation packet (RFC 9000 section 17.2.1) and nothing else.
func quicVersions(datagram []byte) []byte {
	const leastInitial, version1 = 1200, 1
	if len(datagram) < leastInitial || datagram[0]&0x80 == 0 {
		return nil
	}
	if datagram[1] == 0 && datagram[2] == 0 && datagram[3] == 0 && datagram[4] <= version1 {
		return nil
	}
	rest := datagram[5:]
	to := rest[1 : 1+int(rest[0])]
	rest = rest[1+len(to):]
	from := rest[1 : 1+int(rest[0])]
	reply := []byte{0x80 | 0x2a, 0, 0, 0, 0, byte(len(from))}
	reply = append(reply, from...)
	reply = append(append(reply, byte(len(to))), to...)
	return append(reply, 0, 0, 0, version1)
}

// mdns answers service enumeration (RFC 6763 section 9) to anybody who asks
// by unicast, as appliances without an off-link check do (RFC 6762 section
// 5.5 and 11).
func mdns(s *setup) error {
	return s.udp(5353, func(query []byte) []byte {
		q, err := parseQuestion(query)
		if err != nil {
			return nil
		}
		switch {
		case q.name == "_services._dns-sd._udp.local" && q.kind == typePTR:
			return q.reply(flagAuthoritative,
				record(typePTR, 10, appendName(nil, "_http._tcp.local")),
				record(typePTR, 10, appendName(nil, "_ipp._tcp.local")))
		case q.name == "_http._tcp.local" && q.kind == typePTR:
			return q.reply(flagAuthoritative, record(typePTR, 10, appendName(nil, "printer._http._tcp.local")))
		case q.name == "printer.local" && q.kind == typeA:
			return q.reply(flagAuthoritative, addressRecord(s.host.V4))
		}
		return nil
	})
}
