package identify

import (
	"bytes"
	"context"
	"io"
	"net"
	"regexp"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/intel/recog"
)

// bindStatistics is how BIND's statistics channel names itself.
const bindStatistics = "libisc"

// page asks for the start page in plain HTTP.
func (i *Identifier) page(ctx context.Context, t exposure.Target) (exposure.Service, string) {
	c, closing, err := i.connect(ctx, t, i.opts.Answer)
	if err != nil {
		return exposure.Service{}, err.Error()
	}
	defer closing()
	if s, ok := i.request(c, t); ok {
		return s, ""
	}
	return exposure.Service{}, "no HTTP answer"
}

// request sends one GET and reads what fits into maxRead. Redirects are noted,
// never followed.
func (i *Identifier) request(c net.Conn, t exposure.Target) (exposure.Service, bool) {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+t.AddrPort().String()+"\r\nUser-Agent: reconshield\r\nAccept: */*\r\nConnection: close\r\n\r\n"); err != nil {
		return exposure.Service{}, false
	}
	b, _ := io.ReadAll(io.LimitReader(c, maxRead))
	return i.httpAnswer(b)
}

// httpAnswer reads a response's status line, headers and title.
func (i *Identifier) httpAnswer(b []byte) (exposure.Service, bool) {
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	if !regexp.MustCompile(`^HTTP/1\.[01] [1-5][0-9][0-9]`).Match(line) {
		return exposure.Service{}, false
	}
	s := exposure.Service{Protocol: HTTP, Confidence: exposure.High, How: "an HTTP answer", Banner: clip(bytes.TrimSpace(line))}
	head, body := rest, []byte(nil)
	if at := bytes.Index(rest, []byte("\r\n\r\n")); at >= 0 {
		head, body = rest[:at], rest[at:]
	}
	for h := range bytes.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(h)), ":")
		value = cut(strings.TrimSpace(value))
		switch strings.ToLower(name) {
		case "server":
			i.fingerprint(&s, recog.HTTPServer, value)
			s.Details = append(s.Details, "server "+value)
			if value == bindStatistics {
				s.Name = "BIND 9 statistics"
			}
			if s.Name == "" {
				s.Name = value
			}
		case "location":
			s.Details = append(s.Details, "redirects to "+value)
		case "www-authenticate":
			s.Details = append(s.Details, "asks for a login")
		}
	}
	if m := regexp.MustCompile(`(?is)<title[^>]*>(.{0,200}?)</title>`).FindSubmatch(body); m != nil {
		s.Details = append(s.Details, "title "+cut(strings.Join(strings.Fields(string(m[1])), " ")))
	}
	return s, true
}
