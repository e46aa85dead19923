//go:build linux

package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// pollEvery is the pause between two questions whether a server is up.
const pollEvery = 25 * time.Millisecond

// answers waits until the host's DNS server, asked over its own loopback,
// gives an answer with records, and until it accepts TCP over both families.
// "name type" is the question.
func (s *setup) answers(p *Process, question string) error {
	name, kind, _ := strings.Cut(question, " ")
	query := newQuery(name, kind)
	err := s.poll(p, func() error {
		conn, err := s.host.Dial(s.ctx, "udp", "127.0.0.1:53")
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		reply, err := roundTrip(conn, query, time.Second)
		if err != nil {
			return err
		}
		return judge(query, reply)
	})
	if err != nil {
		return fmt.Errorf("no answer to %s: %w", question, err)
	}
	return s.accepts(p, "53")
}

// judge accepts a reply to the query that carries records.
func judge(query, reply []byte) error {
	if len(reply) < 12 || reply[0] != query[0] || reply[1] != query[1] {
		return errors.New("not a reply to the query")
	}
	if rcode := reply[3] & 0x0f; rcode != 0 {
		return fmt.Errorf("rcode %d", rcode)
	}
	if binary.BigEndian.Uint16(reply[6:]) == 0 {
		return errors.New("empty answer")
	}
	return nil
}

// accepts waits until both addresses of the host accept TCP on the ports.
func (s *setup) accepts(p *Process, ports ...string) error {
	for _, port := range ports {
		for _, addr := range []string{s.host.V4.String(), s.host.V6.String()} {
			err := s.poll(p, func() error {
				conn, err := s.host.Dial(s.ctx, "tcp", net.JoinHostPort(addr, port))
				if err != nil {
					return err
				}
				return conn.Close()
			})
			if err != nil {
				return fmt.Errorf("TCP port %s of %s: %w", port, addr, err)
			}
		}
	}
	return nil
}

// poll repeats try until it succeeds, the process ends (nil: never) or the
// start's time is up.
func (s *setup) poll(p *Process, try func() error) error {
	ended, log := (<-chan struct{})(nil), func() string { return "" }
	if p != nil {
		ended, log = p.done, p.tail
	}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("the server ended; end of its log:\n%s", log())
		case <-s.ctx.Done():
			return fmt.Errorf("%w, last: %w; end of its log:\n%s", context.Cause(s.ctx), err, log())
		case <-ticker.C:
		}
	}
}
