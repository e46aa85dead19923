//go:build linux

package lab

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// lyingAddress is where lying resolvers send people. Nothing answers there.
const lyingAddress = "198.51.100.99"

// resolverKinds are resolvers with one thing wrong each.
func resolverKinds() []Kind {
	needs := []string{"root", "ns1"}
	return []Kind{
		{
			Name: "lying-resolver", Packages: []string{"dnsmasq-base"},
			Abused: "answers every name with one address of its own",
			start: server{
				argv: []string{
					"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=", "--group=",
					"--pid-file=", "--log-facility=-", "--no-hosts", "--no-resolv", "--address=/#/" + lyingAddress,
				},
				ask: "example.test A",
			}.start,
		},
		{
			Name: "nxdomain-hijacker", needs: []string{"unbound-abused"},
			Abused: "answers truthfully, except that names that do not exist get an address",
			start:  proxy(hijackNXDomain),
		},
		{
			Name: "fixed-port-resolver", Packages: []string{"bind9"}, needs: needs,
			Abused: "open recursion, and every query of its own leaves from port 10053",
			start: bindResolver(`
	recursion yes; allow-recursion { any; }; allow-query-cache { any; }; dnssec-validation no;
	query-source address * port 10053; query-source-v6 address * port 10053;
` + bindHints),
		},
		{
			Name:   "sequential-id-resolver",
			Abused: "open, knows probe.test only, and numbers its own queries one after the other",
			start:  sequential,
		},
		{
			Name: "ecs-resolver", Packages: []string{"unbound"}, needs: needs,
			Abused: "open recursion, and passes on any client subnet that a client claims",
			start: unbound(unboundOpen + `	module-config: "subnetcache iterator"
	send-client-subnet: {collector.4}
	send-client-subnet: {collector.6}
	client-subnet-always-forward: yes
` + unboundNoControl),
		},
		{
			Name: "doh", Packages: []string{"unbound"}, needs: needs,
			Abused: "refuses strangers on port 53 and resolves for them over DNS over HTTPS on 443, with a good certificate",
			start: withCertificate(true, unbound(`	module-config: "validator iterator"
	interface: 0.0.0.0@443
	interface: ::0@443
	interface-action: 0.0.0.0@443 allow
	interface-action: ::0@443 allow
	https-port: 443
	tls-service-key: "{dir}/key.pem"
	tls-service-pem: "{dir}/cert.pem"
`+unboundNoControl, "", "443")),
		},
	}
}

// proxy answers with what unbound-abused says, changed by edit.
func proxy(edit func(question, []byte) []byte) func(*setup) error {
	return func(s *setup) error {
		upstream, _ := addressOf("unbound-abused")
		return s.respond(func(query []byte, _ netip.AddrPort) []byte {
			q, err := parseQuestion(query)
			if err != nil {
				return nil
			}
			reply, err := s.host.exchange(query, netip.AddrPortFrom(upstream, 53))
			if err != nil {
				return nil
			}
			return edit(q, reply)
		})
	}
}

// sequential forwards straight to the collector with IDs that count up.
func sequential(s *setup) error {
	collector, _ := addressOf("collector")
	var id atomic.Uint32
	return s.respond(func(query []byte, _ netip.AddrPort) []byte {
		q, err := parseQuestion(query)
		if err != nil || q.opcode() != 0 {
			return nil
		}
		if q.name != "probe.test" && !strings.HasSuffix(q.name, ".probe.test") {
			return q.reply(rcodeRefused)
		}
		own := slices.Clone(query)
		binary.BigEndian.PutUint16(own, uint16(id.Add(1))) //nolint:gosec // wraps around, as intended
		reply, err := s.host.exchange(own, netip.AddrPortFrom(collector, 53))
		if err != nil || len(reply) < 12 {
			return q.reply(flagAvailable | rcodeServFail)
		}
		binary.BigEndian.PutUint16(reply, q.id)
		reply[3] |= flagAvailable
		return reply
	})
}

// hijackNXDomain turns "no such name" into an address.
func hijackNXDomain(q question, reply []byte) []byte {
	if len(reply) < 12 || reply[3]&0x0f != rcodeNXDomain {
		return reply
	}
	if q.kind != typeA {
		return q.reply(flagAvailable)
	}
	return q.reply(flagAvailable, addressRecord(netip.MustParseAddr(lyingAddress)))
}

// exchange sends a query from the host and returns the first reply.
func (h *Host) exchange(query []byte, to netip.AddrPort) ([]byte, error) {
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, err := h.Dial(ctx, "udp", to.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return roundTrip(conn, query, limit)
}

func roundTrip(conn net.Conn, query []byte, limit time.Duration) ([]byte, error) {
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	reply := make([]byte, 65535)
	n, err := conn.Read(reply)
	return reply[:n], err
}
