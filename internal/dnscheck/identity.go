package dnscheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
)

func identityChecks() []Check {
	return []Check{foreignCheck(), disclosureCheck(), behaviourCheck(), statisticsCheck()}
}

func foreignCheck() Check {
	return Check{
		ID:        "ID-1",
		Elsewhere: true,
		Title:     "Something other than DNS listens on the DNS port",
		Finds:     "A port 53 on which another protocol was proven (SSH, TLS, HTTP, SMTP, OpenVPN, QUIC and others) and no DNS. A port that merely takes connections is not enough.",
		Why:       "Firewalls let port 53 through almost everywhere, so a tunnel, a remote shell or a command-and-control channel hides there to pass them.",

		Severity:  exposure.MediumSev,
		Rationale: "Medium: a service in a place where nobody looks for it. High for protocols that carry a shell or a tunnel (SSH, Telnet, VNC, OpenVPN, QUIC, TLS).",
		Safety:    Safe,
		Fixes: Fixes{
			"": advice("Find the process that owns the port (ss -lntup 'sport = :53' on the host) and stop it or move it to its own port; then let port 53 through the firewall only to servers that are meant to speak DNS."),
		},
		References: []exposure.Reference{
			{Title: "MITRE ATT&CK T1572: protocol tunneling", URL: "https://attack.mitre.org/techniques/T1572/"},
			{Title: "MITRE ATT&CK T1571: non-standard port", URL: "https://attack.mitre.org/techniques/T1571/"},
			rfc("6335", "8.1", "the assignment of port 53 to DNS and what an assignment means"),
		},
		Run: runForeign,
	}
}

func runForeign(ctx context.Context, s *Session) []Outcome {
	var out []Outcome
	for _, via := range vias() {
		if s.Speaks(via) {
			out = append(out, pass(via, "DNS was proven on the port"))
			continue
		}
		out = append(out, judgeForeign(via, s.observe(ctx, via, s.Port())))
	}
	return out
}

// observe is the observation of a port; Unmeasured when there is no observer.
func (s *Session) observe(ctx context.Context, via exposure.Transport, port uint16) exposure.Observation {
	if s.Server.Observe == nil {
		return exposure.Observation{
			Target: exposure.Target{Addr: s.Addr(), Transport: via, Port: port},
			State:  exposure.Unmeasured, Detail: "ports were not measured in this run",
		}
	}
	return s.Server.Observe(ctx, via, port)
}

func judgeForeign(via exposure.Transport, o exposure.Observation) Outcome {
	at := fmt.Sprintf("%s/%d", via, o.Port)
	switch {
	case o.State == exposure.Closed:
		return pass(via, at+" is closed: nothing listens")
	case o.State != exposure.Open:
		return notTested(via, at+" is "+string(o.State)+" ("+string(o.Reason)+"): nothing can be said of what is behind it; assess from a vantage that reaches it")
	case slices.Contains(o.Labels, exposure.LabelAcceptsAll), slices.Contains(o.Labels, exposure.LabelIntercepted):
		return notTested(via, at+" cannot be judged: "+fmt.Sprint(o.Labels)+" says that the answer may not be this host's")
	case o.Service == nil, o.Service.Protocol == "", o.Service.Protocol == "unknown":
		return notTested(via, at+" is open, but no protocol could be proven; look at the host itself (ss -lntup 'sport = :53')")
	case o.Service.Protocol == "dns", o.Service.Protocol == "mdns":
		return pass(via, "DNS was proven on "+at)
	}
	service := *o.Service
	what := service.Protocol
	if service.Name != "" {
		what += " (" + strings.TrimSpace(service.Name+" "+service.Version) + ")"
	}
	f := fail(via, what+" listens on "+at, exposure.Evidence{
		Transport: via, Response: service.Banner, Note: strings.Join(append([]string{service.How}, service.Details...), "; "),
	})
	f.Confidence = service.Confidence
	if slices.Contains(tunnels(), service.Protocol) {
		f.Severity = exposure.HighSev
	}
	return f
}

// tunnels are the protocols that give a shell or carry anything.
func tunnels() []string {
	return []string{"ssh", "telnet", "vnc", "openvpn", "quic", "tls", "https"}
}

func behaviourCheck() Check {
	return Check{
		ID:    "ID-3",
		Title: "Server software recognised although it is hidden",
		Finds: "The product behind a server that does not tell its version, recognised by how it answers an unknown class, opcode STATUS and EDNS version 1.",
		Why:   "Hiding the version does not hide the product: an attacker narrows the list of vulnerabilities all the same, so patching cannot be replaced by hiding.",

		Severity:  exposure.Info,
		Rationale: "Info: the behaviour of a product cannot be configured away, and the version stays hidden.",
		Safety:    Standard,
		Fixes: Fixes{
			"": advice("Nothing has to be changed. Keep the software patched, for a hidden version protects nothing by itself."),
		},
		References: []exposure.Reference{rfc("6891", "6.1.3", "every EDNS responder answers BADVERS to a version it does not know")},
		Run: func(_ context.Context, s *Session) []Outcome {
			return []Outcome{judgeHidden(s.Any(), s.Server.Identity)}
		},
	}
}

// unanswered is what identification asked in vain, empty when nothing was.
func unanswered(identity *exposure.Service) string {
	i := slices.IndexFunc(identity.Details, func(d string) bool { return strings.HasPrefix(d, "no answer to ") })
	if i < 0 {
		return ""
	}
	return identity.Details[i]
}

func judgeHidden(via exposure.Transport, identity *exposure.Service) Outcome {
	switch {
	case identity == nil || via == "":
		return notTested(via, "no DNS was proven, so there was nothing to identify")
	case strings.HasPrefix(identity.How, "version.bind"):
		return notTested(via, "does not apply: the server tells its software itself, see ID-2")
	case namesSoftware(identity.Banner):
		return notTested(via, "does not apply: version.bind names software, see ID-2")
	case unanswered(identity) != "":
		return notTested(via, unanswered(identity)+", so it is not known whether the software is hidden: run again")
	case identity.Product == "" && identity.Name == "":
		return pass(via, "neither words nor behaviour tell the software: "+identity.How)
	}
	o := fail(via, "it is "+identity.Name+": "+identity.How, exposure.Evidence{Transport: via, Response: identity.Banner, Note: strings.Join(append([]string{identity.How}, identity.Details...), "; ")})
	o.Confidence = identity.Confidence
	return o
}
