package dnscheck

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"reconshield/internal/exposure"
)

// maxReply bounds what is read of a control channel, in bytes.
const maxReply = 4096

// patience is how long a control channel may take for one step.
func (s *Session) patience() time.Duration { return min(s.Timeout()/2, time.Second) }

// heard is what a control channel did after it was spoken to.
type heard struct {
	sent   string
	reply  []byte
	closed bool // it hung up
	err    error
}

func (h heard) evidence(note string) exposure.Evidence {
	e := exposure.Evidence{Transport: exposure.TCP, Query: h.sent, Note: note, BytesIn: len(h.reply), Raw: h.reply}
	switch {
	case bytes.ContainsFunc(h.reply, func(c rune) bool { return c < '\t' || c > '~' }):
		const shown = 64
		e.Response = fmt.Sprintf("%d bytes: %x", len(h.reply), h.reply[:min(len(h.reply), shown)])
	case len(h.reply) > 0:
		const shown = 200
		e.Response = strings.Join(strings.Fields(string(h.reply[:min(len(h.reply), shown)])), " ")
	case h.closed:
		e.Response = "connection closed"
	default:
		e.Response = "silence"
	}
	return e
}

// speak sends bytes and reads until the peer hangs up, enough is there, or
// the connection's time is over.
func speak(c net.Conn, sent string, payload []byte, enough int) heard {
	h := heard{sent: sent}
	if len(payload) > 0 {
		if _, h.err = c.Write(payload); h.err != nil {
			h.closed = true
			return h
		}
	}
	h.reply, h.err = io.ReadAll(io.LimitReader(c, int64(enough)))
	h.closed = len(h.reply) < enough && !errors.Is(h.err, os.ErrDeadlineExceeded)
	return h
}

// proveRNDC tells rndc by what it does without a key: it waits for the client,
// waits on in the middle of a message, and hangs up on a message of a version
// that does not exist. Something that takes anything, or nothing, fails one of
// the three.
func proveRNDC(ctx context.Context, s *Session, ch control) Outcome {
	seen, err := s.hearRNDC(ctx, ch.port)
	if err != nil {
		return notTested(exposure.TCP, fmt.Sprintf("tcp/%d was open and then took no connection: %v", ch.port, err))
	}
	return judgeRNDC(ch, seen)
}

// manners is what a control channel did when nothing, part of a message and a
// wrong message was sent.
type manners struct{ waited, half, wrong heard }

func (s *Session) hearRNDC(ctx context.Context, port uint16) (m manners, err error) {
	c, done, err := s.stream(ctx, port, s.patience())
	if err != nil {
		return m, err
	}
	defer done()
	pause := s.patience() / 4
	_ = c.SetReadDeadline(time.Now().Add(pause))
	m.waited = speak(c, "nothing, to see whether it waits", nil, maxReply)
	if m.waited.closed || len(m.waited.reply) > 0 {
		return m, nil
	}
	_ = c.SetReadDeadline(time.Now().Add(pause))
	m.half = speak(c, "the first 8 of 260 bytes of a control message of version 1", []byte{0, 0, 1, 0, 0, 0, 0, 1}, maxReply)
	second, closing, err := s.stream(ctx, port, s.patience())
	if err != nil {
		return m, err
	}
	defer closing()
	m.wrong = speak(second, "a control message of version 99", []byte{0, 0, 0, 4, 0, 0, 0, 99}, maxReply)
	return m, nil
}

func judgeRNDC(ch control, m manners) Outcome {
	switch {
	case len(m.waited.reply)+len(m.half.reply)+len(m.wrong.reply) > 0:
		return notTested(exposure.TCP, fmt.Sprintf("tcp/%d is open, but what it says is not %s", ch.port, ch.name))
	case m.waited.closed:
		o := fail(exposure.TCP, fmt.Sprintf("tcp/%d takes connections and closes them at once, as %s does for addresses outside its list", ch.port, ch.name), m.waited.evidence(""))
		o.Severity, o.Confidence = exposure.LowSev, exposure.Low
		return o
	case m.wrong.closed && !m.half.closed:
		o := fail(exposure.TCP, fmt.Sprintf("tcp/%d behaves as %s: it waits for a whole message and hangs up on a wrong one", ch.port, ch.name),
			m.waited.evidence(""), m.half.evidence(""), m.wrong.evidence(""))
		o.Confidence = exposure.Medium
		return o
	}
	return notTested(exposure.TCP, fmt.Sprintf("tcp/%d is open, but %s could not be proven", ch.port, ch.name))
}

// handshake is what TLS showed on a control port.
type handshake struct {
	err       error
	names     []string // of the server's certificate
	wantsCert bool
	heard     heard
}

// proveRemoteControl is for unbound-control and nsd-control: TLS with
// certificates for both sides, or plain text where certificates are switched
// off. status changes nothing.
func proveRemoteControl(name, status string) func(context.Context, *Session, control) Outcome {
	return func(ctx context.Context, s *Session, ch control) Outcome {
		h := s.controlHandshake(ctx, ch.port, status)
		if h.err == nil {
			return judgeRemoteControl(ch, name, h, heard{})
		}
		c, done, err := s.stream(ctx, ch.port, s.patience())
		if err != nil {
			return notTested(exposure.TCP, fmt.Sprintf("tcp/%d was open and then took no connection: %v", ch.port, err))
		}
		defer done()
		return judgeRemoteControl(ch, name, h, speak(c, strings.TrimSpace(status), []byte(status), maxReply))
	}
}

func (s *Session) controlHandshake(ctx context.Context, port uint16, status string) handshake {
	c, done, err := s.stream(ctx, port, s.patience())
	if err != nil {
		return handshake{err: err}
	}
	defer done()
	var h handshake
	secure := tls.Client(c, &tls.Config{
		InsecureSkipVerify: true,             //nolint:gosec // the certificate is looked at, not trusted
		MinVersion:         tls.VersionTLS10, //nolint:gosec // old servers are to be seen
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			h.wantsCert = true
			return &tls.Certificate{}, nil
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) > 0 {
				h.names = certificateNames(state.PeerCertificates[0])
			}
			return nil
		},
	})
	if h.err = secure.HandshakeContext(ctx); h.err != nil {
		if h.names != nil { // it went far enough: the server refused us for want of a certificate
			h.err = nil
			h.heard = heard{sent: "TLS hello without a client certificate", closed: true}
		}
		return h
	}
	h.heard = speak(secure, "TLS hello without a client certificate, then "+strings.TrimSpace(status), []byte(status), maxReply)
	return h
}

// certificateNames are the names of a certificate, each once, in order.
func certificateNames(c *x509.Certificate) []string {
	names := slices.DeleteFunc(slices.Concat([]string{c.Subject.CommonName}, c.DNSNames), func(n string) bool { return n == "" })
	slices.Sort(names)
	return slices.Compact(names)
}

func judgeRemoteControl(ch control, name string, h handshake, plain heard) Outcome {
	obeyed := plain
	if h.err == nil {
		obeyed = h.heard
	}
	if obeysStatus(obeyed.reply) {
		o := fail(exposure.TCP, fmt.Sprintf("%s on tcp/%d obeys without a key: it answered status", ch.name, ch.port), obeyed.evidence("status only reads; no other command was sent"))
		o.Severity = exposure.Critical
		return o
	}
	named := false
	for _, n := range h.names {
		named = named || strings.EqualFold(n, name)
	}
	switch {
	case h.err == nil && (named || h.wantsCert):
		o := fail(exposure.TCP, fmt.Sprintf("tcp/%d is %s: its certificate names %s and it asks for a client certificate", ch.port, ch.name, strings.Join(h.names, ", ")), h.heard.evidence(""))
		if !named {
			o.Confidence = exposure.Medium
			o.Reason = fmt.Sprintf("tcp/%d speaks TLS and asks for a client certificate, as %s does; its own certificate names %s", ch.port, ch.name, strings.Join(h.names, ", "))
		}
		return o
	case h.err == nil:
		return notTested(exposure.TCP, fmt.Sprintf("tcp/%d speaks TLS for %s, which does not prove %s", ch.port, strings.Join(h.names, ", "), ch.name))
	case plain.closed && len(plain.reply) == 0:
		return notTested(exposure.TCP, fmt.Sprintf("tcp/%d is open and hangs up; %s could not be proven", ch.port, ch.name))
	}
	return notTested(exposure.TCP, fmt.Sprintf("tcp/%d is open, but what it says is not %s", ch.port, ch.name))
}

// obeysStatus knows the answer to status of unbound-control and nsd-control.
func obeysStatus(reply []byte) bool {
	return bytes.Contains(reply, []byte("version:")) && bytes.Contains(reply, []byte("verbosity:"))
}

// nonceSize is the size of the nonces that open dnsdist's console.
const nonceSize = 24

// proveConsole is for dnsdist: each side sends a nonce of 24 bytes, and then
// everything is encrypted with the console's key.
func proveConsole(ctx context.Context, s *Session, ch control) Outcome {
	c, done, err := s.stream(ctx, ch.port, s.patience())
	if err != nil {
		return notTested(exposure.TCP, fmt.Sprintf("tcp/%d was open and then took no connection: %v", ch.port, err))
	}
	defer done()
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	return judgeConsole(ch, nonce, speak(c, "a nonce of 24 bytes", nonce, nonceSize+1))
}

func judgeConsole(ch control, nonce []byte, h heard) Outcome {
	switch {
	case len(h.reply) == nonceSize && !h.closed && !bytes.Equal(h.reply, nonce):
		o := fail(exposure.TCP, fmt.Sprintf("tcp/%d behaves as %s: it answers a nonce with one of its own and waits", ch.port, ch.name), h.evidence(""))
		o.Confidence = exposure.Medium
		return o
	case len(h.reply) == 0 && h.closed:
		return notTested(exposure.TCP, fmt.Sprintf("tcp/%d is open and hangs up; %s could not be proven", ch.port, ch.name))
	}
	return notTested(exposure.TCP, fmt.Sprintf("tcp/%d is open, but %s could not be proven", ch.port, ch.name))
}
