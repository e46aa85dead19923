package feeds

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"time"
)

const (
	maxRedirects = 3
	keyHeader    = "apiKey" // of the NVD
	agent        = "reconshield"
)

// allowed reports whether an address may be asked: over https, or over http
// when it does not leave this machine.
func allowed(u *url.URL) error {
	switch u.Scheme {
	case "https":
		if u.Hostname() == "" {
			return errors.New("the address names no host")
		}
		return nil
	case "http":
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.IsLoopback() {
			return nil
		}
		return errors.New("feeds are fetched over https only")
	}
	return fmt.Errorf("feeds are fetched over https only, not %.12q", u.Scheme)
}

// client fetches one file after the other.
type client struct {
	opts *Options
	http *http.Client
}

func newClient(opts *Options) (*client, error) {
	proxy := http.ProxyFromEnvironment
	if opts.Proxy != "" {
		u, err := url.Parse(opts.Proxy)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
			return nil, errors.New("proxy: not an address such as http://proxy.example.net:3128")
		}
		proxy = http.ProxyURL(u)
	}
	const connect, handshake = 30 * time.Second, 15 * time.Second
	transport := &http.Transport{
		Proxy:               proxy,
		DialContext:         (&net.Dialer{Timeout: connect}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: opts.Roots},
		TLSHandshakeTimeout: handshake,
		ForceAttemptHTTP2:   true,
	}
	return &client{opts: opts, http: &http.Client{Transport: transport, CheckRedirect: follow}}, nil
}

// follow allows a few redirects, to addresses that may be asked only, and takes
// the key to no other host.
func follow(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if err := allowed(req.URL); err != nil {
		return fmt.Errorf("redirected to %s: %w", req.URL.Redacted(), err)
	}
	if req.URL.Scheme == "http" && via[0].URL.Scheme == "https" {
		return fmt.Errorf("redirected from https to %s", req.URL.Redacted())
	}
	if req.URL.Host != via[0].URL.Host {
		req.Header.Del(keyHeader)
	}
	return nil
}

// validators say which version of a file is at hand.
type validators struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

// request is one file to fetch.
type request struct {
	source string
	url    *url.URL
	have   validators
	key    string // of the NVD's API
	most   int64  // bytes
	// again lists further statuses, beside 429 and 503, after which it is worth
	// asking again.
	again int
}

// statusError is an answer that is no file.
type statusError struct {
	code int
	wait time.Duration // that the server asks for; 0 when it does not
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the server answered %d %s", e.code, http.StatusText(e.code))
}

// errUnchanged is the answer that the file at hand is the newest.
var errUnchanged = errors.New("not modified")

// fetch writes a file to w and asks again, ever more slowly, while the server
// has too much to do. w is emptied before.
func (c *client) fetch(ctx context.Context, r request, w *os.File) (validators, error) {
	const (
		attempts = 5
		first    = 6 * time.Second
		longest  = 2 * time.Minute
	)
	pause := first
	for n := 1; ; n++ {
		v, err := c.once(ctx, r, w)
		e, ok := errors.AsType[*statusError](err)
		if !ok || n == attempts || e.code != http.StatusTooManyRequests && e.code != http.StatusServiceUnavailable && e.code != r.again {
			return v, err
		}
		d := min(max(pause, e.wait), longest)
		c.opts.Progress(Progress{Source: r.source, Doing: fmt.Sprintf("%v: asking again in %v", e, d)})
		if err := c.opts.Wait(ctx, d); err != nil {
			return v, err
		}
		pause *= 2
	}
}

// once makes one request.
func (c *client) once(ctx context.Context, r request, w *os.File) (validators, error) {
	if err := empty(w); err != nil {
		return validators{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), nil)
	if err != nil {
		return validators{}, errors.New("the address cannot be asked")
	}
	req.Header.Set("User-Agent", agent)
	for name, value := range map[string]string{"If-None-Match": r.have.ETag, "If-Modified-Since": r.have.LastModified, keyHeader: r.key} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return validators{}, plain(err)
	}
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode == http.StatusNotModified && r.have != validators{}:
		return r.have, errUnchanged
	case res.StatusCode != http.StatusOK:
		return validators{}, &statusError{code: res.StatusCode, wait: retryAfter(res)}
	case res.ContentLength > r.most:
		return validators{}, tooLong(r.most)
	}
	if err := c.copy(w, res, r); err != nil {
		return validators{}, err
	}
	if err := ctx.Err(); err != nil {
		return validators{}, plain(err) // the end may be that of the interruption
	}
	return validatorsOf(res), nil
}

// copy takes the body, which is unpacked here when it came packed, so that the
// limit is one on what it unpacks to.
func (c *client) copy(w io.Writer, res *http.Response, r request) error {
	p := Progress{Source: r.source, Doing: "fetching " + r.url.Host, Size: max(res.ContentLength, 0)}
	body := &io.LimitedReader{R: res.Body, N: r.most + 1}
	const chunk = 256 << 10
	for {
		n, err := io.CopyN(w, body, chunk)
		p.Bytes += n
		c.opts.Progress(p)
		switch {
		case p.Bytes > r.most:
			return tooLong(r.most)
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("the file was cut off on the way")
		case err != nil:
			return plain(err)
		}
	}
}

func tooLong(most int64) error {
	return fmt.Errorf("the file is longer than %d bytes", most)
}

// plain leaves the address out of an error, which names the source already.
func plain(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the server took too long: %w", context.DeadlineExceeded)
	}
	return err
}

// validatorsOf takes those that are short enough to send back.
func validatorsOf(res *http.Response) validators {
	const longest = 200
	v := validators{ETag: res.Header.Get("ETag"), LastModified: res.Header.Get("Last-Modified")}
	if len(v.ETag) > longest {
		v.ETag = ""
	}
	if _, err := http.ParseTime(v.LastModified); err != nil {
		v.LastModified = ""
	}
	return v
}

// retryAfter is the pause that a server asks for in seconds, RFC 9110 section 10.2.3.
func retryAfter(res *http.Response) time.Duration {
	const most = 3600
	n, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || n < 0 || n > most {
		return 0
	}
	return time.Duration(n) * time.Second
}

func empty(f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return f.Truncate(0)
}
