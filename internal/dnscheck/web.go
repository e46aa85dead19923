package dnscheck

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"reconshield/internal/exposure"
)

// maxPage bounds what is read of a page, in bytes.
const maxPage = 64 << 10

// visit is what came of one HTTP request.
type visit struct {
	url    string
	status int // 0 when there was no HTTP answer
	to     string
	body   string
	login  string // the WWW-Authenticate header
	err    error
}

// evidence is the visit as evidence.
func (v visit) evidence(note string) exposure.Evidence {
	e := exposure.Evidence{Transport: exposure.TCP, Query: "GET " + v.url, Note: note, BytesIn: len(v.body)}
	const shown = 200
	if v.status == 0 {
		e.Response = v.err.Error()
	} else {
		e.Response = strings.Join(append([]string{strconv.Itoa(v.status), http.StatusText(v.status)}, strings.Fields(v.body[:min(len(v.body), shown)])...), " ")
	}
	return e
}

// visitPage gets one page of the server itself, in plain HTTP, or inside TLS
// on port 443. Redirects are told, not followed; no proxy, no cookie, no
// compression; at most 64 KiB are read. The certificate is not trusted and not judged.
func (s *Session) visitPage(ctx context.Context, port uint16, path string, headers ...string) visit {
	scheme := "http"
	if port == 443 {
		scheme = "https"
	}
	v := visit{url: scheme + "://" + netip.AddrPortFrom(s.Addr(), port).String() + path}
	if s.Opts.Dial == nil {
		v.err = errors.New("this run opens no streams")
		return v
	}
	if v.err = s.Pace(ctx); v.err != nil {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	transport := &http.Transport{
		DialContext: s.Opts.Dial.DialContext, DisableKeepAlives: true, DisableCompression: true,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}, //nolint:gosec // a scanner looks at bad servers too
		MaxResponseHeaderBytes: maxPage,
	}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url, nil)
	if err != nil {
		v.err = err
		return v
	}
	r.Header.Set("User-Agent", "reconshield")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := client.Do(r)
	if err != nil {
		v.err = err
		return v
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxPage))
	v.status, v.to, v.login, v.body, v.err = answer.StatusCode, answer.Header.Get("Location"), answer.Header.Get("WWW-Authenticate"), string(body), err
	return v
}

// refused reports whether the page exists but wants a login or another address.
func (v visit) refused() bool {
	return v.status == http.StatusUnauthorized || v.status == http.StatusForbidden || v.status == http.StatusProxyAuthRequired
}

// closedUnanswered reports whether the server hung up instead of answering.
func (v visit) closedUnanswered() bool {
	return v.status == 0 && v.err != nil && (errors.Is(v.err, io.EOF) || errors.Is(v.err, io.ErrUnexpectedEOF) || strings.Contains(v.err.Error(), "connection reset"))
}

// stream opens a TCP connection to a port of the server that lives no longer
// than patience and ctx. The caller calls done.
func (s *Session) stream(ctx context.Context, port uint16, patience time.Duration) (c net.Conn, done func(), err error) {
	if s.Opts.Dial == nil {
		return nil, nil, errors.New("this run opens no streams")
	}
	if err := s.Pace(ctx); err != nil {
		return nil, nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err = s.Opts.Dial.DialContext(dialing, "tcp", netip.AddrPortFrom(s.Addr(), port).String())
	if err != nil {
		return nil, nil, err
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return c, func() { stop(); _ = c.Close() }, nil
}
