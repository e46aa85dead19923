package dnscheck

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"reconshield/internal/exposure"
)

func webCheck() Check {
	return Check{
		ID:        "CTL-2",
		Elsewhere: true,
		Title:     "Web API, metrics or statistics of the name server without a login",
		Finds:     "Pages of DNS products that answer with data and no login: BIND's statistics channel, PowerDNS and dnsdist metrics and API, AdGuard Home and Pi-hole API, CoreDNS metrics. Proven by content that only the product gives.",
		Why:       "Statistics tell zones, clients, query volumes and the exact version; an API without a login changes zones and settings.",

		Severity:  exposure.MediumSev,
		Rationale: "Medium: it tells the inside of the server. High where what answers is an API that also changes settings.",
		Safety:    Standard,
		Fixes:     webFixes(),
		References: []exposure.Reference{
			{Title: "BIND 9 manual: statistics-channels", URL: "https://bind9.readthedocs.io/en/stable/reference.html#statistics-channels-block-definition-and-usage"},
			{Title: "PowerDNS manual: built-in webserver and HTTP API", URL: "https://doc.powerdns.com/authoritative/http-api/"},
			{Title: "PowerDNS Recursor manual: webserver and HTTP API", URL: "https://doc.powerdns.com/recursor/http-api/"},
		},
		Run: runWeb,
	}
}

// page is one page of a product that answers with data when it is unprotected.
type page struct {
	product  string
	ports    []uint16
	path     string
	contains []string // any of them proves product and data
	tells    string
	severity exposure.Severity // of the check when empty
}

func pages() []page {
	return []page{
		{"the statistics channel of BIND", []uint16{8053, 8080}, "/json/v1/status", []string{`"json-stats-version"`}, "server version, start time, zones and traffic", ""},
		{"the statistics channel of BIND", []uint16{8053, 8080}, "/xml/v3/status", []string{"<statistics version="}, "server version, start time, zones and traffic", ""},
		{"the metrics of PowerDNS", []uint16{8081, 8082, 8083}, "/metrics", []string{"pdns_auth_", "pdns_recursor_"}, "query volumes, cache and backend figures", ""},
		{"the metrics of dnsdist", []uint16{8083, 8082}, "/metrics", []string{"dnsdist_"}, "query volumes and the servers behind it", ""},
		{"the API of PowerDNS", []uint16{8081, 8082, 8083}, "/api/v1/servers", []string{`"daemon_type"`}, "zones and configuration, and it changes them", exposure.HighSev},
		{"the API of AdGuard Home", []uint16{3000, 80, 443}, "/control/status", []string{`"dns_addresses"`, `"protection_enabled"`}, "settings and the query log, and it changes them", exposure.HighSev},
		{"the API of Technitium DNS", []uint16{5380}, "/api/user/session/get", []string{`"username"`}, "settings and zones, and it changes them", exposure.HighSev},
		{"the API of Pi-hole", []uint16{80, 443, 8080}, "/api/stats/summary", []string{`"gravity"`}, "clients, query volumes and settings", exposure.HighSev},
		{"the metrics of CoreDNS", []uint16{9153}, "/metrics", []string{"coredns_"}, "query volumes, zones and version", ""},
	}
}

// webPorts are the ports on which a page may be, in order.
func webPorts() []uint16 {
	var out []uint16
	for _, p := range pages() {
		out = append(out, p.ports...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func runWeb(ctx context.Context, s *Session) []Outcome {
	ports := webPorts()
	observed := make([]exposure.Observation, len(ports))
	found := make([][]Outcome, len(ports))
	var wg sync.WaitGroup
	for i, port := range ports {
		wg.Go(func() {
			observed[i] = s.observe(ctx, exposure.TCP, port)
			if trusted(observed[i]) {
				found[i] = s.webPort(ctx, port)
			}
		})
	}
	wg.Wait()
	out := slices.Concat(found...)
	return append(out, s.unreachable(ctx, usual(observed))...)
}

// usual leaves out the ports that this run was not asked to measure and that
// belong to the web at large.
func usual(observed []exposure.Observation) []exposure.Observation {
	return slices.DeleteFunc(observed, func(o exposure.Observation) bool {
		return o.State == exposure.Unmeasured && slices.Contains([]uint16{80, 443, 8080, 9153}, o.Port)
	})
}

// webPort visits the pages that may be on the port, one after another and all
// within the patience for one question, and ends when the port turns out not
// to speak HTTP.
func (s *Session) webPort(ctx context.Context, port uint16) []Outcome {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	var visits []visit
	var asked []page
	known := map[string]visit{} // two products may share a path
	for _, p := range pages() {
		if !slices.Contains(p.ports, port) {
			continue
		}
		v, ok := known[p.path]
		if !ok {
			v = s.visitPage(ctx, port, p.path)
			known[p.path] = v
		}
		visits, asked = append(visits, v), append(asked, p)
		if v.status == 0 {
			break
		}
	}
	return judgeWeb(port, asked, visits)
}

// judgeWeb gives one outcome for the port: the pages that answered with data,
// or why none did.
func judgeWeb(port uint16, asked []page, visits []visit) []Outcome {
	worst := Outcome{Status: exposure.Fail, Transport: exposure.TCP, Port: port}
	var told, refused []string
	for i, v := range visits {
		p := asked[i]
		proven := slices.ContainsFunc(p.contains, func(c string) bool { return strings.Contains(v.body, c) })
		switch {
		case v.status == http.StatusOK && proven:
			told = append(told, fmt.Sprintf("%s gives %s without a login: %s", p.path, p.product, p.tells))
			worst.Evidence = append(worst.Evidence, v.evidence(""))
			if p.severity != "" {
				worst.Severity = p.severity
			}
		case v.refused() || wantsToken(v):
			refused = append(refused, p.path+" asks for a login")
		case v.status >= 300 && v.status < 400:
			refused = append(refused, p.path+" redirects to "+quoted(v.to))
		}
	}
	switch {
	case len(told) > 0:
		worst.Reason = strings.Join(told, "; ")
		return []Outcome{worst}
	case len(refused) > 0:
		o := pass(exposure.TCP, fmt.Sprintf("tcp/%d: %s", port, strings.Join(refused, ", ")))
		o.Port = port
		return []Outcome{o}
	}
	why := "no page of a known DNS product"
	if len(visits) > 0 && visits[len(visits)-1].status == 0 {
		why = "no HTTP answer: " + visits[len(visits)-1].err.Error()
		if visits[len(visits)-1].closedUnanswered() {
			why = "connections are closed without an answer, as by an address list"
		}
	}
	o := notTested(exposure.TCP, fmt.Sprintf("tcp/%d is open, but there is %s", port, why))
	o.Port = port
	return []Outcome{o}
}

// wantsToken knows APIs that answer 200 to say that a login is missing.
func wantsToken(v visit) bool {
	return v.status == http.StatusOK && strings.Contains(v.body, `"invalid-token"`)
}

func webFixes() Fixes {
	return Fixes{
		"":                advice("Bind the web server to the local host or to a management network, set a password or an API key (AdGuard Home: Settings, or AdGuardHome.yaml users; Pi-hole: pihole setpassword), and let no other zone reach its port."),
		exposure.BIND:     configure(exposure.BIND, "Give the statistics to the local host only.", "statistics-channels {\n    inet 127.0.0.1 port 8053 allow { 127.0.0.1; };\n};"),
		exposure.PDNSAuth: configure(exposure.PDNSAuth, "Listen on the local host, for named addresses, with a password; the API key is a second secret.", "webserver-address=127.0.0.1\nwebserver-allow-from=127.0.0.1,::1\nwebserver-password=long-random-password\napi-key=long-random-key"),
		exposure.PDNSRec:  configure(exposure.PDNSRec, "Listen on the local host, for named addresses, with a password; the API key is a second secret.", "webserver-address=127.0.0.1\nwebserver-allow-from=127.0.0.1,::1\nwebserver-password=long-random-password\napi-key=long-random-key"),
		exposure.CoreDNS:  configure(exposure.CoreDNS, "Let the metrics listen on the local host.", ".:53 {\n    prometheus 127.0.0.1:9153\n}"),
	}
}
