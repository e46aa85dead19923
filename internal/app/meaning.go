package app

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
)

// mostThreats bounds the names that a report shows of a port.
const mostThreats = 12

// explain adds to open ports what is known of their numbers.
func (r *Reference) explain(ports []exposure.PortState) {
	known := map[uint16]*exposure.Meaning{}
	for i := range ports {
		p := &ports[i]
		if p.State != exposure.Open {
			continue
		}
		if known[p.Port] == nil {
			known[p.Port] = r.meaning(p.Port)
		}
		p.Meaning = known[p.Port]
	}
}

func (r *Reference) meaning(port uint16) *exposure.Meaning {
	e := r.Entry(port, "")
	m := &exposure.Meaning{Name: e.Name(), Title: e.About(), More: fmt.Sprintf("reconshield port %d", port)}
	if e.Note != nil {
		m.Reach, m.Abuse = string(e.Note.Reach), strings.ReplaceAll(e.Note.Traits.Abuse, "`", "")
	}
	for _, threat := range e.Malware {
		if len(m.Threats) < mostThreats && threat.Role != "rule" && !slices.Contains(m.Threats, threat.Name) {
			m.Threats = append(m.Threats, threat.Name)
		}
	}
	for _, t := range e.Techniques {
		m.Techniques = append(m.Techniques, t.ID)
	}
	return m
}
