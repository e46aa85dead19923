package atlassite

import (
	"fmt"
	"strings"

	"reconshield/internal/atlas"
	"reconshield/internal/intel"
	"reconshield/internal/report/portpage"
)

// port makes the page of a place.
func (s *site) port(i int) ([]byte, error) {
	at := &s.plan.places[i]
	e := s.Atlas.Entry(at.first, "", s.Knowledge)
	if at.first != at.last {
		spreadOut(&e, at)
	}
	p := s.portPage(at, &e)
	before, after := s.plan.beside(i)
	p.Before, p.After = s.step(&p.frame, before), s.step(&p.frame, after)
	if at.first != at.last {
		for _, near := range []*place{before, after} {
			if near != nil {
				p.Adjacent = append(p.Adjacent, row{URL: p.To(near.dir()), Number: near.numbers(), Name: near.name, Text: "the nearest port with something known"})
			}
		}
	}
	return s.render("port", p)
}

// spreadOut makes the entry of a range's first port speak for the range.
func spreadOut(e *atlas.Entry, at *place) {
	text := newSpread(at, e)
	e.Title = fmt.Sprintf("Ports %s: %s", at.numbers(), at.title)
	e.Sections, e.FAQ = text.sections(), text.questions()
	e.Related, e.Adjacent = nil, nil
}

func (s *site) step(f *frame, p *place) *link {
	if p == nil {
		return nil
	}
	return &link{f.To(p.dir()), strings.TrimSpace(p.numbers() + " " + p.name)}
}

// portPage shows an entry, which may say anything.
func (s *site) portPage(at *place, e *atlas.Entry) *portPage {
	first, _, _ := strings.Cut(e.Sections.Understanding, "\n\n")
	p := &portPage{frame: s.frame(at.dir(), e.Title+" – ReconShield", s.markup.plain(first)), Numbers: at.numbers(), Word: "Port"}
	if at.first != at.last {
		p.Word = "Ports"
	}
	_, p.Name, _ = strings.Cut(e.Title, ": ")
	p.Written = e.Note != nil
	p.Crumbs = []link{{p.To(""), "Port atlas"}, {p.To("ports/"), "All ports"}, {p.To(block(at.first)), blockName(at.first)}, {"", at.numbers()}}
	p.Facts = facts(at, e)
	if e.Note != nil {
		p.Reach, p.ReachText = string(e.Note.Reach), portpage.ReachText(e.Note.Reach)
	}
	to := s.linker(&p.frame, at, e.Related)
	for key, text := range e.Sections.All() {
		heading := portpage.Heading(key)
		if at.first != at.last {
			heading = plural(heading)
		}
		p.Sections = append(p.Sections, section{strings.ReplaceAll(key, "_", "-"), heading, s.markup.html(text, to)})
	}
	p.FAQ = &faqPage{}
	for i, q := range e.FAQ {
		p.Questions = append(p.Questions, question{fmt.Sprintf("q%d", i+1), s.markup.inline(q.Question, targets{}), s.markup.html(q.Answer, to)})
		p.FAQ.add(s.markup.plain(q.Question), s.markup.plain(q.Answer))
	}
	const inText = 20 // what the text lists of them
	if len(e.Malware) > inText || at.first != at.last {
		p.Open = at.first != at.last
		for _, m := range e.Malware {
			p.Threats = append(p.Threats, threatOf(m))
		}
	}
	for _, r := range e.Related {
		p.Related = append(p.Related, row{to.url(int(r.Port)), fmt.Sprint(r.Port), r.Transport, r.Name, s.markup.inline(r.Relation, to)})
	}
	for _, n := range e.Adjacent {
		p.Adjacent = append(p.Adjacent, row{to.url(int(n.Port)), fmt.Sprint(n.Port), "", n.Name, s.markup.inline(n.Relation, targets{})})
	}
	for _, source := range e.Sources {
		p.Sources = append(p.Sources, link{web(source.URL), source.Title})
	}
	return p
}

// plural makes a section's heading speak of several ports.
func plural(heading string) string {
	return strings.NewReplacer("the port", "these ports", " its ", " their ", " it", " them").Replace(heading)
}

// web is the address when it is one of the web; html/template would make
// "#ZgotmplZ" of others.
func web(url string) string {
	if strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") {
		return url
	}
	return ""
}

func facts(at *place, e *atlas.Entry) []fact {
	out := []fact{{"Transport", strings.ToUpper(strings.Join(e.Transports(), ", "))}, {"Class", string(e.Class)}}
	if at.first != at.last {
		out = append(out, fact{"Ports", fmt.Sprint(at.ports())})
	}
	var names []string
	for _, r := range e.Registrations {
		if r.Name != "" && !contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	const most = 3
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	if len(names) > 0 {
		out = append(out, fact{"Registered as", strings.Join(names, ", ")})
	} else {
		out = append(out, fact{"Registered as", "nothing"})
	}
	if e.Note != nil {
		out = append(out, fact{"Kind", string(e.Note.Kind)})
	}
	if n := len(e.Malware); n > 0 {
		out = append(out, fact{"Threat records", fmt.Sprint(n)})
	}
	if n := len(e.CVEs); n > 0 {
		exploited := 0
		for _, v := range e.CVEs {
			if v.KEV {
				exploited++
			}
		}
		text := fmt.Sprintf("%d listed", n)
		if exploited > 0 {
			text += fmt.Sprintf(", %d exploited", exploited)
		}
		out = append(out, fact{"Vulnerabilities", text})
	}
	return out
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if strings.EqualFold(have, s) {
			return true
		}
	}
	return false
}

func threatOf(m intel.Malware) threat {
	t := threat{Name: m.Name, ID: m.ID, Role: roleText(m.Role), Over: strings.ToUpper(m.Transport), Source: m.Source, AsOf: m.AsOf}
	if m.Count > 0 {
		t.Role += fmt.Sprintf(" (%d)", m.Count)
	}
	return t
}

// roleText is what a source claims: "c2-proxy" is "command and control, proxy".
func roleText(role string) string {
	if rest, ok := strings.CutPrefix(role, "c2"); ok {
		role = "command and control" + strings.Replace(rest, "-", ", ", 1)
	}
	return strings.ReplaceAll(role, "-", " ")
}
