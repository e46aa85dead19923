// Package identify finds out what really listens on a port: it lets a server
// speak first, asks it DNS questions, offers TLS and HTTP, OpenVPN and QUIC, and
// names a DNS server by its own words and by its behaviour. It opens no socket
// itself, judges no configuration and never guesses: what nothing proves is
// "unknown".
package identify

import (
	"context"
	"net"
	"net/netip"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/intel/recog"
)

// Dialer opens TCP connections; *net.Dialer is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Exchanger carries one datagram exchange. It never fails as a call.
type Exchanger interface {
	Exchange(ctx context.Context, r exchange.Request) exchange.Reply
}

// Asker asks one server DNS questions and remembers the answers;
// *dialogue.Dialogue is one.
type Asker interface {
	Addr() netip.Addr
	Ask(ctx context.Context, via exposure.Transport, q dnswire.Query) dialogue.Answer
}

// Protocols that a Service names. Others carry the name of what was proven.
const (
	DNS     = "dns"
	TLS     = "tls"
	HTTP    = "http"
	HTTPS   = "https"
	DoT     = "dns-over-tls" // RFC 7858
	QUIC    = "quic"
	OpenVPN = "openvpn"
	Unknown = "unknown"
)

// Options are the patience of the probes; zero values mean the defaults.
type Options struct {
	Banner time.Duration // how long a server may take to speak first; 600 ms
	Answer time.Duration // how long one probe waits for its answer; 1 s
	// Wait is called before every connection and datagram; it blocks as the
	// pacing of the whole run demands. nil means no pacing.
	Wait func(ctx context.Context) error
}

// Identifier is safe for concurrent use and keeps nothing between calls but
// the parsed fingerprints.
type Identifier struct {
	dial   Dialer
	x      Exchanger
	prints *recog.Database
	opts   Options
}

// New makes an Identifier. dial is needed for TCP, x for UDP.
func New(dial Dialer, x Exchanger, prints *recog.Database, opts Options) *Identifier {
	if opts.Banner == 0 {
		opts.Banner = 600 * time.Millisecond
	}
	if opts.Answer == 0 {
		opts.Answer = time.Second
	}
	return &Identifier{dial: dial, x: x, prints: prints, opts: opts}
}

func (i *Identifier) pace(ctx context.Context) error {
	if i.opts.Wait == nil {
		return ctx.Err()
	}
	return i.opts.Wait(ctx)
}

// unproven is the service of a port on which nothing was proven.
func unproven(how string, details ...string) exposure.Service {
	return exposure.Service{Protocol: Unknown, Confidence: exposure.Low, How: how, Details: details}
}

// maxBanner bounds the text kept of a server, in bytes.
const maxBanner = 512

func clip(b []byte) string { return string(b[:min(len(b), maxBanner)]) }
