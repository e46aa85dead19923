package dnscheck

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"reconshield/internal/exposure"
)

func credentialsCheck() Check {
	return Check{
		ID:        "CTL-4",
		Elsewhere: true,
		Title:     "Administration with the password it came with",
		Finds:     "A console or API that accepts the credentials its maker ships or prints as an example. One login each is tried, after the product was proven by its own page; a session that opens is closed again.",
		Why:       "Lists of such passwords are the first thing an attacker tries, and the console changes every answer that the server gives.",

		Severity:  exposure.Critical,
		Rationale: "Critical: complete control of the server for anyone who reads its manual.",
		Safety:    Intrusive,
		OptIn:     true,
		Fixes: Fixes{
			"":                advice("Set a password of your own, and look through the log of logins for visits that were not yours."),
			exposure.PDNSAuth: configure(exposure.PDNSAuth, "Choose a key of your own and bind the web server to the local host.", "api-key=long-random-key\nwebserver-address=127.0.0.1"),
			exposure.PDNSRec:  configure(exposure.PDNSRec, "Choose a key of your own and bind the web server to the local host.", "api-key=long-random-key\nwebserver-address=127.0.0.1"),
		},
		References: []exposure.Reference{
			{Title: "Technitium DNS Server: API documentation, login", URL: "https://github.com/TechnitiumSoftware/DnsServer/blob/master/APIDOCS.md"},
			{Title: "MITRE ATT&CK T1078.001: default accounts", URL: "https://attack.mitre.org/techniques/T1078/001/"},
		},
		Run: runCredentials,
	}
}

// account is a product and the credentials it comes with.
type account struct {
	product string
	port    uint16
	page    string   // a page that proves the product without a login
	proves  []string // any of them in its body or headers
	told    string   // the credentials as people write them
	login   string   // path that logs in with them
	headers []string // names and values for the login
	opened  func(visit) bool
	logout  func(visit) string // path that ends the session, empty for none
}

func accounts() []account {
	apiKey := func(port uint16) account {
		return account{
			product: "the API of PowerDNS", port: port, page: "/api/v1/servers", proves: []string{"Unauthorized", "X-API-Key"},
			told: "the manual's example key changeme", login: "/api/v1/servers", headers: []string{"X-API-Key", "changeme"},
			opened: func(v visit) bool { return v.status == 200 && strings.Contains(v.body, `"daemon_type"`) },
		}
	}
	return []account{
		{
			product: "Technitium DNS Server", port: 5380, page: "/", proves: []string{"Technitium DNS Server"},
			told: "admin with password admin", login: "/api/user/login?user=admin&pass=admin",
			opened: func(v visit) bool { return technitiumToken(v) != "" },
			logout: func(v visit) string { return "/api/user/logout?token=" + url.QueryEscape(technitiumToken(v)) },
		},
		apiKey(8081), apiKey(8082),
	}
}

func technitiumToken(v visit) string {
	var answer struct{ Status, Token string }
	if json.Unmarshal([]byte(v.body), &answer) != nil || answer.Status != "ok" {
		return ""
	}
	return answer.Token
}

func runCredentials(ctx context.Context, s *Session) []Outcome {
	if !s.Opts.Credentials {
		return []Outcome{notTested(exposure.TCP, "logins are tried only when asked for: --check CTL-4")}
	}
	var out []Outcome
	var observed []exposure.Observation
	for _, a := range accounts() {
		seen := s.observe(ctx, exposure.TCP, a.port)
		if !trusted(seen) {
			observed = append(observed, seen)
			continue
		}
		o := s.tryAccount(ctx, a)
		o.Port = a.port
		out = append(out, o)
	}
	return append(out, s.unreachable(ctx, observed)...)
}

// tryAccount proves the product and then makes the one attempt.
func (s *Session) tryAccount(ctx context.Context, a account) Outcome {
	front := s.visitPage(ctx, a.port, a.page)
	if !a.isIt(front) {
		return notTested(exposure.TCP, fmt.Sprintf("does not apply: %s was not proven on tcp/%d, so no login was tried", a.product, a.port))
	}
	v := s.visitPage(ctx, a.port, a.login, a.headers...)
	o := judgeAccount(a, v)
	if o.Status == exposure.Fail && a.logout != nil {
		s.visitPage(ctx, a.port, a.logout(v))
	}
	return o
}

func (a account) isIt(v visit) bool {
	for _, p := range a.proves {
		if strings.Contains(v.body, p) || strings.Contains(v.login, p) {
			return true
		}
	}
	return false
}

func judgeAccount(a account, v visit) Outcome {
	switch {
	case a.opened(v):
		// The answer carries a session token, which is no business of a report.
		e := exposure.Evidence{Transport: exposure.TCP, Query: "one login as " + a.told, Response: "accepted"}
		return fail(exposure.TCP, fmt.Sprintf("%s on tcp/%d accepts %s", a.product, a.port, a.told), e)
	case v.status == 0:
		return notTested(exposure.TCP, fmt.Sprintf("the login to %s on tcp/%d met no answer: %v", a.product, a.port, v.err))
	}
	return pass(exposure.TCP, fmt.Sprintf("%s on tcp/%d does not accept %s", a.product, a.port, a.told))
}
