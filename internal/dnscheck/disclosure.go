package dnscheck

import (
	"context"
	"regexp"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

func disclosureCheck() Check {
	return Check{
		ID:    "ID-2",
		Title: "Version or identity disclosed",
		Finds: "Software version or host identity told to anyone who asks: version.bind, version.server, hostname.bind and id.server in class CHAOS, and NSID. Class CHAOS is asked once a second and at most three times, so the outcome names what was not asked.",
		Why:   "A version tells an attacker which known vulnerabilities to try, and a host name tells how the inside is named.",

		Severity:  exposure.LowSev,
		Rationale: "Low: it opens nothing by itself. Info when only a product name or an identifier is told, which anycast operators do on purpose.",
		Safety:    Safe,
		Fixes:     disclosureFixes(),
		References: []exposure.Reference{
			rfc("4892", "2", "existing conventions: version.bind, hostname.bind, id.server"),
			rfc("5001", "", "the name server identifier option"),
		},
		Run: runDisclosure,
	}
}

// disclosers are the CHAOS names that may tell something of the server.
func disclosers() []string {
	return []string{"version.bind", "version.server", "hostname.bind", "id.server"}
}

func runDisclosure(ctx context.Context, s *Session) []Outcome {
	via := s.Any()
	if via == "" {
		return []Outcome{notTested("", noDNS)}
	}
	// The question is word for word the one that identification asks.
	nsid := s.Ask(ctx, via, dnswire.Query{Name: ".", Type: dnswire.TypeSOA, EDNS: &dnswire.EDNS{
		UDPSize: 1232, Options: []dnswire.Option{&dnswire.NSID{Code: dnswire.OptionNSID}},
	}})
	answers := map[string]dialogue.Answer{}
	for _, name := range disclosers() {
		if a, asked := s.Chaos(ctx, name); asked {
			answers[name] = a
		}
	}
	o := judgeDisclosure(via, answers, nsid)
	if len(o.Evidence) == 1 && nsid.Msg != nil && nsid.Msg.NSID() != "" && s.forwards(ctx) {
		o.Confidence = exposure.Low
		o.Reason += "; forwarders pass NSID on, so it may be the name of the server behind this one"
	}
	return []Outcome{o}
}

// judgeDisclosure merges what was told under all names into one outcome;
// answers holds only the names that were asked.
func judgeDisclosure(via exposure.Transport, answers map[string]dialogue.Answer, nsid dialogue.Answer) Outcome {
	var told, unasked, unanswered []string
	o := Outcome{Status: exposure.Fail, Transport: via, Severity: exposure.Info}
	for _, name := range disclosers() {
		a, asked := answers[name]
		switch {
		case !asked:
			unasked = append(unasked, name)
			continue
		case a.Msg == nil || a.Msg.Truncated || a.Msg.Malformed != nil:
			unanswered = append(unanswered, name)
			continue
		}
		text := strings.Join(a.Msg.TXT(), " ")
		version := strings.HasPrefix(name, "version")
		if text == "" || version && !namesSoftware(text) {
			continue
		}
		if version && versionNumber().MatchString(text) {
			o.Severity = exposure.LowSev
		}
		told = append(told, name+" says "+quoted(text))
		o.Evidence = append(o.Evidence, a.Evidence(""))
	}
	if nsid.Msg != nil && nsid.Msg.NSID() != "" {
		told = append(told, "NSID says "+quoted(nsid.Msg.NSID()))
		o.Evidence = append(o.Evidence, nsid.Evidence("NSID "+quoted(nsid.Msg.NSID())))
	}
	rest := ""
	if len(unasked) > 0 {
		rest = "; not asked, to keep to three CHAOS questions: " + strings.Join(unasked, ", ")
	}
	if len(unanswered) > 0 {
		rest += "; no whole answer to " + strings.Join(unanswered, ", ")
	}
	switch {
	case len(told) > 0:
		o.Reason = strings.Join(told, ", ") + rest
		return o
	case len(answers) == 0:
		return notTested(via, "no CHAOS question was asked"+rest)
	case len(unanswered) > 0:
		return notTested(via, "nothing is told in what was answered"+rest+"; a rate limit may have dropped it: ask again later")
	}
	return pass(via, "nothing is told"+rest)
}

// versionNumber is what makes a text worth a vulnerability search.
func versionNumber() *regexp.Regexp { return regexp.MustCompile(`\d+\.\d+`) }

// namesSoftware reports whether a version text tells anything: jokes and words
// such as "none" do not.
func namesSoftware(text string) bool {
	product := regexp.MustCompile(`(?i)\b(bind|named|unbound|knot|nsd|powerdns|pdns|dnsmasq|dnsdist|coredns|microsoft dns|djbdns|tinydns|gdnsd|rbldnsd|vantio|ultradns|bluecat|infoblox|akamai|technitium|simple dns|yadifa|maradns|deadwood)\b`)
	return versionNumber().MatchString(text) || product.MatchString(text)
}

func quoted(text string) string {
	const most = 100
	if len(text) > most {
		text = text[:most] + "…"
	}
	return `"` + text + `"`
}

func disclosureFixes() Fixes {
	return Fixes{
		"":                  advice("Hide version and identity, except where an anycast operator needs the identity; and keep the software patched, which matters more."),
		exposure.BIND:       configure(exposure.BIND, "Answer nothing to version.bind, hostname.bind, id.server and NSID.", "options {\n    version none;\n    hostname none;\n    server-id none;\n};"),
		exposure.Unbound:    configure(exposure.Unbound, "Hide version, identity and trust anchors; leave nsid unset.", "server:\n    hide-version: yes\n    hide-identity: yes\n    hide-trustanchor: yes"),
		exposure.Knot:       configure(exposure.Knot, "Empty values switch the answers off.", "server:\n    version: \"\"\n    identity: \"\"\n    nsid: \"\""),
		exposure.NSD:        configure(exposure.NSD, "Hide version and identity; leave nsid unset.", "server:\n    hide-version: yes\n    hide-identity: yes"),
		exposure.PDNSAuth:   configure(exposure.PDNSAuth, "Anonymous answers to version queries with SERVFAIL; a disabled server-id answers neither id.server nor NSID.", "version-string=anonymous\nserver-id=disabled"),
		exposure.PDNSRec:    configure(exposure.PDNSRec, "Give a text that names nothing, and no identity.", "version-string=none\nserver-id=disabled"),
		exposure.Dnsmasq:    configure(exposure.Dnsmasq, "Do not answer names of class CHAOS at all.", "no-ident"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Switch version answers off and restart the service.", "dnscmd /config /EnableVersionQuery 0\nRestart-Service DNS"),
		exposure.CoreDNS:    configure(exposure.CoreDNS, "Remove the chaos and nsid plugins from the Corefile.", ".:53 {\n    # chaos\n    # nsid\n}"),
	}
}
