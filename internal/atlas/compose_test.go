package atlas

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/intel"
)

func knowledge() Knowledge { return Knowledge{Threats: intel.DefaultThreats()} }

// TestEveryPortRenders walks all ports, over each transport and over all.
func TestEveryPortRenders(t *testing.T) {
	a, k := Default(), knowledge()
	for port := range 1 << 16 {
		for _, transport := range []string{"", "tcp", "udp"} {
			e := a.Entry(uint16(port), transport, k)
			for name, text := range e.Sections.All() {
				if strings.TrimSpace(text) == "" {
					t.Fatalf("%d/%s: %s is empty", port, transport, name)
				}
			}
			if len(e.FAQ) < 6 || len(e.Commands) == 0 || len(e.Rules) < 3 || e.Title == "" || len(e.Sources) == 0 || len(e.Techniques) == 0 {
				t.Fatalf("%d/%s: something is missing: %+v", port, transport, e)
			}
			for _, q := range e.FAQ {
				if q.Question == "" || q.Answer == "" {
					t.Fatalf("%d/%s: a question without words: %+v", port, transport, q)
				}
			}
			truthful(t, a, &e)
		}
		if t.Failed() {
			return
		}
	}
}

// truthful holds the text against the data.
func truthful(t *testing.T, a *Atlas, e *Entry) {
	t.Helper()
	text := e.Sections.Understanding
	for _, r := range e.Registrations {
		if r.Name != "" && !strings.Contains(text, "`"+r.Name+"`") {
			t.Errorf("%d: the text leaves %s out", e.Port, r.Name)
		}
	}
	if len(a.Registrations(e.Port)) == 0 && e.Note == nil {
		if strings.Contains(text, "is registered for") || !strings.Contains(text, "no row for this port") {
			t.Errorf("%d: the text claims a registration: %s", e.Port, text)
		}
	}
	if got := len(e.Malware) > 0; got == strings.Contains(e.Sections.ThreatIntelligence, "None of the sources") {
		t.Errorf("%d: malware %v, and the text says the opposite", e.Port, got)
	}
	for _, c := range e.Commands {
		if !strings.Contains(c.Line, fmt.Sprint(e.Port)) && e.Port != 53 {
			t.Errorf("%d: the command %q is of another port", e.Port, c.Line)
		}
	}
	if e.Transport == "udp" && strings.Contains(e.Rules[0].Text, "tcp") {
		t.Errorf("%d: a rule for UDP names TCP", e.Port)
	}
}

func TestEntryOfPorts(t *testing.T) {
	a, k := Default(), knowledge()
	for _, tt := range []struct {
		port  uint16
		class Class
		title string
		has   string // somewhere in the sections
	}{
		{53, System, "Port 53: DNS (Domain Name System)", "Ebury"},
		{0, System, "Port 0: reserved", "Port 0 is reserved"},
		{4, System, "Port 4: unassigned", "no standard service"},
		{50001, Dynamic, "Port 50001: dynamic, never assigned", "dynamic range of RFC 6335"},
		{31850, User, "Port 31850: unassigned", "Derusbi"},
		{6010, User, "Port 6010: x11", "ports 6000 to 6063"},
		{1109, User, "Port 1109: reserved", "gives it to nobody"},
		{2925, User, "Port 2925: unassigned", "FRP-Released"},
		{15, System, "Port 15: unassigned", "was netstat"},
		{1008, System, "Port 1008: unassigned", "Possibly used by"},
		{65535, Dynamic, "Port 65535: dynamic, never assigned", "no row for this port"},
	} {
		e := a.Entry(tt.port, "", k)
		if e.Class != tt.class || e.Title != tt.title {
			t.Errorf("%d: class %s, title %q; want %s, %q", tt.port, e.Class, e.Title, tt.class, tt.title)
		}
		all := ""
		for _, text := range e.Sections.All() {
			all += text
		}
		if !strings.Contains(strings.ToLower(all), strings.ToLower(tt.has)) {
			t.Errorf("%d: nothing of %q in\n%s", tt.port, tt.has, all)
		}
	}
}

// TestUsualQuestions: what everybody asks is asked of each port, unless the note
// asks just that.
func TestUsualQuestions(t *testing.T) {
	a := Default()
	for port := range 1 << 16 {
		e := a.Entry(uint16(port), "", Knowledge{})
		for _, want := range []string{"How do I check whether port %d is open?", "Should port %d be open to the Internet?", "Which ports are related to %d?"} {
			if want = fmt.Sprintf(want, port); !slices.ContainsFunc(e.FAQ, func(q Question) bool { return q.Question == want }) {
				t.Errorf("%d: nobody asks %q", port, want)
			}
		}
		seen := map[uint16]bool{}
		for _, r := range e.Related {
			if e.Note == nil && (seen[r.Port] || r.Transport == "" || r.Name == "") {
				t.Errorf("%d: related to %+v, again or without a name", port, r)
			}
			seen[r.Port] = true
		}
	}
}

// TestOneTransport: what is registered or documented for the other transport
// is not told of this one.
func TestOneTransport(t *testing.T) {
	for _, tt := range []struct {
		port      uint16
		transport string
		answer    string // to the question of the transport
	}{
		{48049, "tcp", "It is registered for TCP, over which"},
		{48049, "udp", "Over UDP, as described here, nobody has registered it."},
		{48049, "", "It is registered for TCP."},
		{50001, "", "Neither is registered."},
		{7310, "", "The registry gives it to `swx` and names no transport"},
	} {
		e := Default().Entry(tt.port, tt.transport, knowledge())
		if !slices.ContainsFunc(e.FAQ, func(q Question) bool { return strings.HasPrefix(q.Answer, tt.answer) }) {
			t.Errorf("%d/%s: no answer %q in %+v", tt.port, tt.transport, tt.answer, e.FAQ)
		}
		for _, m := range e.Malware {
			if tt.transport != "" && (m.Transport == "tcp" || m.Transport == "udp") && m.Transport != tt.transport {
				t.Errorf("%d/%s: %s is on record for %s", tt.port, tt.transport, m.Name, m.Transport)
			}
		}
	}
}

func BenchmarkEntry(b *testing.B) {
	a, k := Default(), knowledge()
	for b.Loop() {
		_ = a.Entry(53, "", k)
	}
}
