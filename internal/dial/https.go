package dial

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

const (
	dnsMessageType = "application/dns-message" // RFC 8484 section 6
	defaultDoHPath = "/dns-query"
	httpsPort      = 443
	maxHeaderBytes = 64 << 10
	minMessage     = 12 // a DNS header, RFC 1035 section 4.1.1
)

// overHTTPS is DNS over HTTPS by POST (RFC 8484), over HTTP/2 or, when the
// server does not take it, HTTP/1.1. Whatever the URL's name, the connection
// goes to r.Server and nowhere else: redirects are not followed, proxies not
// used. Only a response of status 200 and the DNS media type is a Payload;
// any other is in HTTP alone, with reason syn-ack.
func (d *Dialer) overHTTPS(ctx context.Context, r exchange.Request) exchange.Reply {
	ctx, cancel := context.WithTimeout(ctx, total(r.Timeouts))
	defer cancel()
	conn, reply, ok := d.openTCP(ctx, r)
	if !ok {
		return reply
	}
	defer conn.Close() //nolint:errcheck // the answer is already there
	defer interrupt(ctx, conn)()
	request, err := dohRequest(ctx, r)
	if err != nil {
		reply.Reason, reply.Detail = exposure.ReasonLocalError, err.Error()
		return reply
	}
	transport := d.httpTransport(r, conn)
	defer transport.CloseIdleConnections()
	start := time.Now()
	response, err := transport.RoundTrip(request)
	if err != nil {
		ended(ctx, &reply, "HTTPS", err)
		return reply
	}
	defer response.Body.Close() //nolint:errcheck // read as far as it is wanted
	if response.TLS != nil {
		reply.TLS = d.sawTLS(*response.TLS, r)
	}
	readHTTP(ctx, response, r, &reply)
	reply.RTT = time.Since(start)
	return reply
}

// httpTransport speaks HTTP over the one connection that is there already.
func (d *Dialer) httpTransport(r exchange.Request, conn net.Conn) *http.Transport {
	once := make(chan net.Conn, 1)
	once <- conn
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			default:
				return nil, io.ErrClosedPipe // no second connection, nor another place
			}
		},
		TLSClientConfig:        d.clientTLS(r, "h2", "http/1.1"),
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    -1,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

func dohRequest(ctx context.Context, r exchange.Request) (*http.Request, error) {
	path := r.Path
	if path == "" {
		path = defaultDoHPath
	}
	host := strings.TrimSuffix(r.ServerName, ".")
	if host == "" {
		host = r.Server.Addr().WithZone("").String()
		if r.Server.Addr().Is6() {
			host = "[" + host + "]"
		}
	}
	if r.Server.Port() != httpsPort {
		host = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(int(r.Server.Port())))
	}
	u := url.URL{Scheme: "https", Host: host, Path: path}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(r.Payload))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", dnsMessageType)
	request.Header.Set("Accept", dnsMessageType)
	request.Header.Set("User-Agent", "reconshield")
	return request, nil
}

// readHTTP copies the response, the body up to exchange.MaxStream.
func readHTTP(ctx context.Context, response *http.Response, r exchange.Request, reply *exchange.Reply) {
	seen := &exchange.HTTP{
		Status:      response.StatusCode,
		ContentType: response.Header.Get("Content-Type"),
		Server:      response.Header.Get("Server"),
	}
	reply.HTTP, reply.Reason = seen, exposure.ReasonSynAck
	body, err := io.ReadAll(io.LimitReader(response.Body, exchange.MaxStream))
	seen.Body = body
	if err != nil {
		ended(ctx, reply, "HTTPS", err)
		return
	}
	kind, _, err := mime.ParseMediaType(seen.ContentType)
	if err != nil || kind != dnsMessageType || seen.Status != http.StatusOK || len(body) < minMessage {
		reply.Detail = "HTTP status " + strconv.Itoa(seen.Status) + " and no DNS message"
		return
	}
	reply.Payload, reply.From, reply.Reason = body, r.Server, exposure.ReasonDNSResponse
}
