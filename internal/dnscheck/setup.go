package dnscheck

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"reconshield/internal/exposure"
)

func setupCheck() Check {
	return Check{
		ID:        "CTL-3",
		Elsewhere: true,
		Title:     "Administration that nobody has set up yet",
		Finds:     "An AdGuard Home whose start page leads to its installation page: the first visitor chooses the administrator's password. Nothing is submitted.",
		Why:       "Whoever comes first owns the resolver, and with it every name that its clients look up.",

		Severity:  exposure.Critical,
		Rationale: "Critical: complete control for the first visitor, without any attack.",
		Safety:    Standard,
		Fixes: Fixes{
			"": advice("Finish the installation now from the local host, check that nobody else did (users in AdGuardHome.yaml), and bind the console to a management address."),
		},
		References: []exposure.Reference{
			{Title: "AdGuard Home: getting started, and the installation page on port 3000", URL: "https://github.com/AdguardTeam/AdGuardHome/wiki/Getting-Started"},
		},
		Run: runSetup,
	}
}

func runSetup(ctx context.Context, s *Session) []Outcome {
	var out []Outcome
	var observed []exposure.Observation
	for _, port := range []uint16{3000, 80} {
		seen := s.observe(ctx, exposure.TCP, port)
		if !trusted(seen) {
			observed = append(observed, seen)
			continue
		}
		start := s.visitPage(ctx, port, "/")
		var install visit
		if leadsToSetup(start) {
			install = s.visitPage(ctx, port, "/install.html")
		}
		out = append(out, judgeSetup(port, start, install))
	}
	return append(out, s.unreachable(ctx, usual(observed))...)
}

// leadsToSetup reports whether the start page sends the visitor to the
// installation page of the same server.
func leadsToSetup(v visit) bool {
	to, err := url.Parse(v.to)
	return err == nil && v.status >= 300 && v.status < 400 && strings.HasSuffix(to.Path, "/install.html")
}

func judgeSetup(port uint16, start, install visit) Outcome {
	var o Outcome
	switch {
	case leadsToSetup(start) && install.status == 200 && strings.Contains(install.body, "AdGuard Home"):
		o = fail(exposure.TCP, fmt.Sprintf("AdGuard Home on tcp/%d waits for its first administrator", port), start.evidence("redirects to "+quoted(start.to)), install.evidence("the page was read, nothing was submitted"))
	case leadsToSetup(start):
		o = fail(exposure.TCP, fmt.Sprintf("the console on tcp/%d leads to an installation page", port), start.evidence("redirects to "+quoted(start.to)))
		o.Confidence = exposure.Medium
	case start.status == 0:
		o = notTested(exposure.TCP, fmt.Sprintf("tcp/%d is open, but gives no HTTP answer: %v", port, start.err))
	case strings.HasSuffix(start.to, "/login.html"):
		o = pass(exposure.TCP, fmt.Sprintf("the console on tcp/%d asks for a login", port))
	default:
		o = notTested(exposure.TCP, fmt.Sprintf("does not apply: there is no AdGuard Home on tcp/%d", port))
	}
	o.Port = port
	return o
}
