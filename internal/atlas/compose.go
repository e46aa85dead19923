package atlas

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
)

// Knowledge is what an entry takes from elsewhere: threats and vulnerabilities
// change more often than ports do.
type Knowledge struct {
	Threats         *intel.Threats // nil: nothing is known
	Vulnerabilities *intel.Table   // nil: nothing is known
}

// mostCVEs bounds what an entry lists for the software of one port.
const mostCVEs = 25

// Entry composes all that is known of a port: over one transport, or over all
// when transport is empty. It never fails and leaves no section empty.
func (a *Atlas) Entry(port uint16, transport string, k Knowledge) Entry {
	e := Entry{
		Port: port, Transport: transport, Class: ClassOf(port), Registrations: a.Registrations(port), Note: a.note(port),
		Adjacent: a.Neighbours(port),
	}
	if transport != "" {
		e.Registrations = slices.DeleteFunc(slices.Clone(e.Registrations), func(r Registration) bool { return r.Transport != transport })
	}
	if k.Threats != nil {
		e.Malware = k.Threats.OnPort(port)
	}
	if transport != "" {
		e.Malware = slices.DeleteFunc(slices.Clone(e.Malware), func(m intel.Malware) bool {
			_, of := rankOf(m.Transport)
			return m.Transport != "" && of && m.Transport != transport
		})
	}
	e.Title = e.title()
	e.Commands, e.Rules = e.commands(), e.rules()
	e.Techniques = e.techniques(k.Threats)
	e.CVEs = e.cves(k.Vulnerabilities)
	e.Related = e.related(a)
	e.Sources = e.sources()
	e.Sections = e.sections()
	e.FAQ = e.questions()
	return e
}

// Name is what people call the port's service; empty when it has none.
func (e *Entry) Name() string {
	if e.Note != nil {
		return e.Note.Name
	}
	for _, r := range e.Registrations {
		if r.Name != "" {
			return r.Name
		}
	}
	for _, r := range e.Registrations {
		if !vacant(r) {
			return r.Description
		}
	}
	return ""
}

// About is the service in a few words: the note's title, the registry's
// description, or that there is none.
func (e *Entry) About() string {
	switch {
	case e.Note != nil:
		return e.Note.Title
	case e.Name() == "":
		return e.vacancy()
	}
	for _, r := range e.Registrations {
		if r.Description != "" {
			return strings.Join(strings.Fields(r.Description), " ")
		}
	}
	return e.Name()
}

// vacant reports a row that gives the port to nobody.
func vacant(r Registration) bool {
	if r.Name != "" {
		return false
	}
	d := strings.TrimPrefix(strings.ToLower(r.Description), "(")
	return d == "" || slices.ContainsFunc([]string{
		"unassigned", "reserved", "removed", "deprecated", "de-registered", "de-commissioned", "decom", "possibly",
	}, func(word string) bool { return strings.HasPrefix(d, word) })
}

// vacancy is why nobody has the port.
func (e *Entry) vacancy() string {
	switch {
	case e.Class == Dynamic:
		return "dynamic, never assigned"
	case slices.ContainsFunc(e.Registrations, func(r Registration) bool {
		return strings.HasPrefix(strings.ToLower(r.Description), "reserved")
	}):
		return "reserved"
	}
	return "unassigned"
}

func (e *Entry) title() string {
	name := e.Name()
	if name == "" {
		return fmt.Sprintf("Port %d: %s", e.Port, e.vacancy())
	}
	if e.Note == nil || e.Note.Title == "" || e.Note.Title == name {
		return fmt.Sprintf("Port %d: %s", e.Port, name)
	}
	switch title := e.Note.Title; {
	case strings.HasPrefix(strings.ToLower(title), strings.ToLower(name)): // which says the name itself
		return fmt.Sprintf("Port %d: %s", e.Port, title)
	case strings.Contains(name+title, "("):
		return fmt.Sprintf("Port %d: %s, %s", e.Port, name, title)
	default:
		return fmt.Sprintf("Port %d: %s (%s)", e.Port, name, title)
	}
}

// Transports are those that matter for the port, the usual one first: the one
// asked for, else those of the note, else those registered, else TCP and UDP.
func (e *Entry) Transports() []string {
	if e.Transport != "" {
		return []string{e.Transport}
	}
	if e.Note != nil {
		return e.Note.Transports
	}
	var out []string
	for _, r := range e.Registrations {
		if !vacant(r) && r.Transport != "" && !slices.Contains(out, r.Transport) {
			out = append(out, r.Transport)
		}
	}
	if len(out) == 0 {
		return []string{"tcp", "udp"}
	}
	return out
}

// techniques are the note's, then those that the documented malware brings.
func (e *Entry) techniques(t *intel.Threats) []Technique {
	var out []Technique
	add := func(id, why string) {
		if id == "" || slices.ContainsFunc(out, func(o Technique) bool { return o.ID == id }) {
			return
		}
		n := Technique{ID: id, Why: why}
		if t != nil {
			n.Name = t.TechniqueName(id)
		}
		out = append(out, n)
	}
	if e.Note != nil {
		for _, n := range e.Note.Techniques {
			add(n.ID, n.Why)
		}
	}
	for _, m := range e.Malware {
		add(m.Technique, fmt.Sprintf("Documented for %s on this port.", m.Name))
	}
	if len(out) == 0 {
		why := "A service on a port that nothing usual uses is how command and control hides from rules by port."
		if s := e.subject(); s != "" {
			why = "Something other than " + s + " on this port is how command and control hides from rules by port."
		}
		add("T1571", why)
		add("T1046", "Scanners of every kind try this port as they try all others.")
	}
	return out
}

// cves are those that the note names, then those of the software that listens.
func (e *Entry) cves(table *intel.Table) []intel.Vulnerability {
	var out []intel.Vulnerability
	if e.Note != nil {
		for _, c := range e.Note.CVEs {
			var v intel.Vulnerability
			if table != nil {
				if known := table.Vulnerability(c.ID); len(known) > 0 {
					v = known[0]
				}
			}
			v.ID, v.Title = c.ID, c.About
			out = append(out, v)
		}
	}
	if table == nil {
		return out
	}
	var more []intel.Vulnerability
	at := map[string]int{} // in more; -1 for what the note names
	for _, v := range out {
		at[v.ID] = -1
	}
	for _, product := range products(e.Port) {
		for _, v := range table.ForProduct(product) {
			switch i, known := at[v.ID]; {
			case !known:
				at[v.ID] = len(more)
				more = append(more, v)
			case i >= 0:
				more[i].Product += ", " + v.Product
			}
		}
	}
	slices.SortStableFunc(more, worseFirst)
	return append(out, more[:min(len(more), mostCVEs)]...)
}

// worseFirst puts what is exploited first, then what is scored highest.
func worseFirst(a, b intel.Vulnerability) int {
	if a.KEV != b.KEV {
		if a.KEV {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.CVSS, a.CVSS), cmp.Compare(b.ID, a.ID))
}

// products are the DNS servers that listen on a port by default.
func products(port uint16) []exposure.Product {
	switch port {
	case 53:
		return []exposure.Product{
			exposure.BIND, exposure.Unbound, exposure.Knot, exposure.KnotRes, exposure.NSD, exposure.PDNSAuth,
			exposure.PDNSRec, exposure.Dnsmasq, exposure.WindowsDNS, exposure.CoreDNS, "dnsdist", "technitium",
			"maradns", "adguardhome", "pihole-ftl",
		}
	case 853, 784, 8853:
		return []exposure.Product{exposure.Unbound, exposure.KnotRes, "dnsdist", "technitium", "adguardhome"}
	case 953:
		return []exposure.Product{exposure.BIND}
	case 5380:
		return []exposure.Product{"technitium"}
	}
	return nil
}

// related are the note's, or what derives from the registry: other ports of
// the same service.
func (e *Entry) related(a *Atlas) []Related {
	if e.Note != nil {
		return e.Note.Related
	}
	var out []Related
	for _, r := range e.Registrations {
		if r.First == r.Last || vacant(r) {
			continue
		}
		for _, edge := range []uint16{r.First, r.Last} {
			if edge != e.Port && !slices.ContainsFunc(out, func(o Related) bool { return o.Port == edge }) {
				out = append(out, Related{
					Port: edge, Transport: cmp.Or(r.Transport, "tcp"), Name: cmp.Or(r.Name, r.Description),
					Relation: fmt.Sprintf("the same registration covers %d to %d", r.First, r.Last),
				})
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, n := range e.Adjacent {
		out = append(out, Related{Port: n.Port, Transport: a.registeredOver(n.Port), Name: n.Name, Relation: n.Relation + "; nothing else ties the two together"})
	}
	return out
}

// registeredOver is the first transport over which a port has a name; TCP when
// the registry names none.
func (a *Atlas) registeredOver(port uint16) string {
	for _, r := range a.Registrations(port) {
		if r.Name != "" && r.Transport != "" {
			return r.Transport
		}
	}
	return "tcp"
}

func (e *Entry) sources() []Source {
	var out []Source
	if e.Note != nil {
		out = append(out, e.Note.Sources...)
	}
	out = append(out, Source{
		Title: "IANA Service Name and Transport Protocol Port Number Registry",
		URL:   "https://www.iana.org/assignments/service-names-port-numbers/",
	})
	seen := map[string]bool{}
	for _, m := range e.Malware {
		if seen[m.Source] {
			continue
		}
		seen[m.Source] = true
		out = append(out, Source{Title: m.Source + ", as of " + m.AsOf})
	}
	return out
}
