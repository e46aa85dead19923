package dnscheck

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"reconshield/internal/exposure"
)

func controlChecks() []Check {
	return []Check{controlPortCheck(), webCheck(), setupCheck(), credentialsCheck()}
}

func controlPortCheck() Check {
	return Check{
		ID:        "CTL-1",
		Elsewhere: true,
		Title:     "Control port of the name server is reachable",
		Finds:     "A control channel that answers here: rndc (953), unbound-control (8953), nsd-control (8952), the dnsdist console (5199). The protocol is proven as far as it goes without a key; the only command sent is status, and only where no key is asked for.",
		Why:       "Whoever holds or guesses the key stops the server, empties it or changes its data; and the channel itself is code that was written for the local host.",

		Severity:  exposure.MediumSev,
		Rationale: "Medium: a key still protects it. Critical when it obeys without one. Low when connections are closed at once, as by an address list.",
		Safety:    Standard,
		Fixes:     controlFixes(),
		References: []exposure.Reference{
			{Title: "BIND 9 manual: controls statement", URL: "https://bind9.readthedocs.io/en/stable/reference.html#controls-block-definition-and-usage"},
			{Title: "unbound.conf manual: remote control options", URL: "https://unbound.docs.nlnetlabs.nl/en/latest/manpages/unbound.conf.html#remote-control-options"},
			{Title: "nsd.conf manual: remote control", URL: "https://nsd.docs.nlnetlabs.nl/en/latest/manpages/nsd.conf.html"},
			{Title: "dnsdist manual: console", URL: "https://www.dnsdist.org/guides/console.html"},
		},
		Run: runControlPorts,
	}
}

// control is one kind of control channel.
type control struct {
	port  uint16
	name  string
	prove func(ctx context.Context, s *Session, c control) Outcome
}

func controls() []control {
	return []control{
		{953, "rndc, the control channel of BIND", proveRNDC},
		{8953, "unbound-control", proveRemoteControl("unbound", "UBCT1 status\n")},
		{8952, "nsd-control", proveRemoteControl("nsd", "NSDCT1 status\n")},
		{5199, "the console of dnsdist", proveConsole},
	}
}

func runControlPorts(ctx context.Context, s *Session) []Outcome {
	kinds := controls()
	found := make([]*Outcome, len(kinds))
	observed := make([]exposure.Observation, len(kinds))
	var wg sync.WaitGroup
	for i, c := range kinds {
		wg.Go(func() {
			observed[i] = s.observe(ctx, exposure.TCP, c.port)
			if trusted(observed[i]) {
				o := c.prove(ctx, s, c)
				o.Port = c.port
				found[i] = &o
			}
		})
	}
	wg.Wait()
	var out []Outcome
	for _, o := range found {
		if o != nil {
			out = append(out, *o)
		}
	}
	return append(out, s.unreachable(ctx, observed)...)
}

// trusted reports whether a port is open and the answer is the host's own.
func trusted(o exposure.Observation) bool {
	for _, l := range o.Labels {
		if l == exposure.LabelAcceptsAll || l == exposure.LabelIntercepted {
			return false
		}
	}
	return o.State == exposure.Open
}

// unreachable sums up the ports that did not answer.
func (s *Session) unreachable(ctx context.Context, observed []exposure.Observation) []Outcome {
	alive := len(s.Server.Spoken) > 0 || slices.ContainsFunc(observed, heardOf)
	for _, via := range vias() {
		alive = alive || heardOf(s.observe(ctx, via, s.Port()))
	}
	if slices.ContainsFunc(observed, func(o exposure.Observation) bool { return o.State == exposure.Closed }) {
		observed = s.lookAgain(ctx, observed)
	}
	return judgeUnreachable(observed, alive)
}

// lookAgain knocks once more at ports that were silent while others said that
// they are closed: such a host does not drop everything, so packets may have
// been lost. One that opens now was not measured right.
func (s *Session) lookAgain(ctx context.Context, observed []exposure.Observation) []exposure.Observation {
	out := slices.Clone(observed)
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	var wg sync.WaitGroup
	for i, o := range out {
		if o.State != exposure.Filtered || heardOf(o) || s.Opts.Dial == nil {
			continue
		}
		wg.Go(func() {
			if s.Pace(ctx) != nil {
				return
			}
			c, err := s.Opts.Dial.DialContext(ctx, "tcp", netip.AddrPortFrom(s.Addr(), o.Port).String())
			if err == nil {
				_ = c.Close()
				out[i].State, out[i].Reason = exposure.Unmeasured, ""
			}
		})
	}
	wg.Wait()
	return out
}

// heardOf reports whether anything came back from the port, if only an error.
func heardOf(o exposure.Observation) bool {
	return o.State == exposure.Open || o.State == exposure.Closed || o.State == exposure.Filtered && o.Reason != exposure.ReasonTimeout
}

// judgeUnreachable gives one outcome for the ports that were measured, one for
// those that could not be, and one for those that were not to be. Silence is a
// filter only where the host answers elsewhere: else it may be down, or out of
// reach.
func judgeUnreachable(observed []exposure.Observation, alive bool) []Outcome {
	var measured, unknown, unmeasured, silent []string
	for _, o := range observed {
		switch {
		case trusted(o):
		case o.State == exposure.Open:
			unknown = append(unknown, fmt.Sprintf("%d (%s)", o.Port, fmt.Sprint(o.Labels)))
		case o.State == exposure.Filtered && !alive && !heardOf(o):
			silent = append(silent, fmt.Sprintf("%d", o.Port))
		case o.State == exposure.Closed || o.State == exposure.Filtered:
			measured = append(measured, fmt.Sprintf("%d %s", o.Port, o.State))
		case unasked(o):
			unmeasured = append(unmeasured, fmt.Sprintf("%d", o.Port))
		case o.Reason != "":
			unknown = append(unknown, fmt.Sprintf("%d (%s)", o.Port, o.Reason))
		default:
			unknown = append(unknown, fmt.Sprintf("%d", o.Port))
		}
	}
	var out []Outcome
	if len(measured) > 0 {
		out = append(out, pass(exposure.TCP, "not reachable from here: tcp "+strings.Join(measured, ", ")))
	}
	if len(silent) > 0 {
		out = append(out, notTested(exposure.TCP, "no answer from tcp "+strings.Join(silent, ", ")+", nor from any other port: the host may be down or out of reach; assess it from a network that reaches it"))
	}
	if len(unknown) > 0 {
		out = append(out, notTested(exposure.TCP, "could not be measured, or not every time alike: tcp "+strings.Join(unknown, ", ")+"; run again"))
	}
	if len(unmeasured) > 0 {
		out = append(out, notTested(exposure.TCP, "not measured: tcp "+strings.Join(unmeasured, ", ")+"; add them with --ports"))
	}
	return out
}

func controlFixes() Fixes {
	return Fixes{
		"":                advice("Bind the control channel to the local host or to a socket file, and let no other zone reach its port."),
		exposure.BIND:     configure(exposure.BIND, "Let rndc talk to the local host only.", "controls {\n    inet 127.0.0.1 port 953 allow { 127.0.0.1; } keys { \"rndc-key\"; };\n    inet ::1 port 953 allow { ::1; } keys { \"rndc-key\"; };\n};"),
		exposure.Unbound:  configure(exposure.Unbound, "Use a socket file, or the local host with certificates.", "remote-control:\n    control-enable: yes\n    control-interface: /run/unbound.ctl\n    control-use-cert: yes"),
		exposure.NSD:      configure(exposure.NSD, "Use a socket file, or the local host.", "remote-control:\n    control-enable: yes\n    control-interface: /run/nsd/nsd.ctl"),
		exposure.Knot:     configure(exposure.Knot, "Knot DNS is controlled by a socket file only; find what else listens.", "control:\n    listen: knot.sock"),
		exposure.PDNSAuth: configure(exposure.PDNSAuth, "PowerDNS is controlled by socket files; for dnsdist in front of it keep the console local.", "-- dnsdist.conf\ncontrolSocket('127.0.0.1:5199')\nsetConsoleACL({'127.0.0.1/32', '::1/128'})"),
	}
}
