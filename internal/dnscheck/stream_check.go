package dnscheck

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

func streamChecks() []Check {
	return []Check{{
		ID:    "TCP-1",
		Title: "DNS over TCP missing or without pipelining",
		Finds: "A server that answers over UDP but not over TCP, or that answers only the first of two questions sent at once on one connection (in any order).",
		Why:   "Large answers, DNSSEC, transfers and clients behind a rate limit need TCP. Without it names fail for some users, and UDP answers must grow, which helps attackers.",

		Severity:  exposure.LowSev,
		Rationale: "Low: availability. Medium confidence where TCP is filtered, because the filter may be on the way.",
		Safety:    Safe,
		Fixes: Fixes{
			"":                  advice("Let the server listen on TCP port 53 and let the firewall pass it, also from outside where UDP is passed."),
			exposure.BIND:       configure(exposure.BIND, "named always listens on TCP too: open the firewall, and look at the limits.", "options {\n    tcp-clients 150;\n};"),
			exposure.Unbound:    configure(exposure.Unbound, "Let Unbound take TCP, with places enough.", "server:\n    do-tcp: yes\n    incoming-num-tcp: 100"),
			exposure.Knot:       configure(exposure.Knot, "Knot always listens on TCP too: name every address, and leave places enough.", "server:\n    listen: [ 0.0.0.0@53, ::@53 ]\n    tcp-max-clients: 1000"),
			exposure.NSD:        configure(exposure.NSD, "NSD always listens on TCP too: leave places enough.", "server:\n    do-ip4: yes\n    tcp-count: 100"),
			exposure.PDNSAuth:   configure(exposure.PDNSAuth, "PowerDNS always listens on TCP too: leave places enough.", "max-tcp-connections=100"),
			exposure.PDNSRec:    configure(exposure.PDNSRec, "The recursor always listens on TCP too: leave places enough.", "max-tcp-clients=128\nmax-tcp-per-client=0"),
			exposure.Dnsmasq:    adviseFor(exposure.Dnsmasq, "dnsmasq always listens on TCP too: open the firewall for tcp/53 on the inside."),
			exposure.WindowsDNS: configure(exposure.WindowsDNS, "Open the firewall rule that comes with the role.", "Enable-NetFirewallRule -Name DNSSrv-DNS-TCP-In"),
			exposure.CoreDNS:    adviseFor(exposure.CoreDNS, "CoreDNS listens on TCP for every dns:// block: publish the port for TCP too (in Kubernetes: the Service's ports)."),
		},
		References: []exposure.Reference{
			rfc("7766", "5", "TCP is required"), rfc("7766", "6.2.1.1", "pipelining"), rfc("9210", "3", "operational requirements for TCP"),
		},
		Run: func(ctx context.Context, s *Session) []Outcome {
			if !s.Speaks(exposure.TCP) {
				seen := s.observeStream(ctx)
				if s.Speaks(exposure.UDP) && (seen.State == exposure.Open || seen.State == exposure.Filtered) && s.streamAfterAll(ctx) {
					return []Outcome{s.pipelining(ctx)}
				}
				return []Outcome{judgeNoStream(seen, s.Speaks(exposure.UDP))}
			}
			return []Outcome{s.pipelining(ctx)}
		},
	}}
}

func (s *Session) observeStream(ctx context.Context) exposure.Observation {
	if s.Server.Observe == nil {
		return exposure.Observation{State: exposure.Unmeasured}
	}
	return s.Server.Observe(ctx, exposure.TCP, s.Port())
}

// streamAfterAll tries TCP over a few more connections at once: on a path that
// loses packets one connection is easily lost.
func (s *Session) streamAfterAll(ctx context.Context) bool {
	const tries = 3
	var answered atomic.Bool
	var wg sync.WaitGroup
	for range tries {
		wg.Go(func() {
			if s.Fresh(ctx, exposure.TCP, s.Port(), question(".", dnswire.TypeSOA), nil).Msg != nil {
				answered.Store(true)
			}
		})
	}
	wg.Wait()
	return answered.Load()
}

func judgeNoStream(seen exposure.Observation, datagrams bool) Outcome {
	evidence := exposure.Evidence{Transport: exposure.TCP, Note: fmt.Sprintf("TCP port 53 is %s (%s) while UDP port 53 answers", seen.State, seen.Reason)}
	switch {
	case !datagrams:
		return notTested(exposure.TCP, noDNS)
	case seen.State == exposure.Closed:
		return fail(exposure.TCP, "DNS is answered over UDP, but TCP port 53 is closed", evidence)
	case seen.State == exposure.Filtered:
		o := fail(exposure.TCP, "DNS is answered over UDP, but TCP port 53 is filtered on the way or by the host", evidence)
		o.Confidence = exposure.Medium
		return o
	case seen.State == exposure.Open:
		o := fail(exposure.TCP, "TCP port 53 is open, but no DNS is spoken there", evidence)
		o.Confidence = exposure.Medium
		return o
	}
	return notTested(exposure.TCP, "TCP port 53 was not measured ("+string(seen.Reason)+")")
}

// pipelining sends two questions at once; what looks like a failure is tried again.
func (s *Session) pipelining(ctx context.Context) Outcome {
	first := question(s.probeName(ctx), dnswire.TypeSOA)
	second := question(s.probeName(ctx), dnswire.TypeNS)
	var o Outcome
	for range 2 {
		wire, err := second.Pack(0)
		if err != nil {
			return Outcome{Status: exposure.Errored, Transport: exposure.TCP, Reason: err.Error()}
		}
		a := s.Fresh(ctx, exposure.TCP, s.Port(), first, func(r *exchange.Request) {
			dnswire.SetID(wire, ^binary.BigEndian.Uint16(r.Payload)) // certainly another ID
			r.Pipeline, r.Messages = [][]byte{wire}, 2
		})
		noteTrouble(ctx, a)
		if o = judgePipeline(a, wire); o.Status == exposure.Pass {
			return o
		}
	}
	return o
}

// judgePipeline looks at the answers to two questions of which second was the
// pipelined one.
func judgePipeline(a dialogue.Answer, second []byte) Outcome {
	if !a.Reply.Answered() {
		return notTested(exposure.TCP, silence("two questions on one connection", a))
	}
	firstID := ^binary.BigEndian.Uint16(second)
	got := map[uint16]bool{}
	payloads := [][]byte{a.Reply.Payload}
	for _, d := range a.Reply.More {
		payloads = append(payloads, d.Payload)
	}
	for _, p := range payloads {
		if m, err := dnswire.Parse(p); err == nil && m.Response {
			got[m.Id] = true
		}
	}
	if got[firstID] && got[binary.BigEndian.Uint16(second)] {
		return pass(exposure.TCP, "two questions on one connection are both answered")
	}
	if a.Reply.Detail == "" {
		a.Reply.Detail = "one answer came"
	}
	return fail(exposure.TCP, "of two questions sent at once on one connection only one is answered ("+a.Reply.Detail+")", a.Evidence(a.Reply.Detail))
}
