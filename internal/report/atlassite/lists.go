package atlassite

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/atlas"
	"reconshield/internal/report/portpage"
)

const hostName = "ReconShield port atlas"

// index is the front page: what was written by hand, by kind, and the blocks.
func (s *site) index() ([]byte, error) {
	p := indexPage{frame: s.frame("", hostName, "Every TCP and UDP port from 0 to 65535: what it is, what its exposure means, how to close it, and which malicious software meets it.")}
	p.Blocks = s.blocks(&p.frame)
	groups := map[atlas.Kind][]indexRow{}
	for i := range s.plan.places {
		at := &s.plan.places[i]
		switch {
		case at.written:
			p.Written++
			groups[at.kind] = append(groups[at.kind], s.row(&p.frame, at))
		case !at.content:
			p.Rest += at.ports()
		}
		if at.content {
			p.Known++
		}
	}
	for kind, rows := range groups {
		p.Groups = append(p.Groups, kindGroup{slug(string(kind)), heading(kind), rows})
	}
	// Names of hosts are what everything else rests on, and what this knows best.
	slices.SortFunc(p.Groups, func(a, b kindGroup) int {
		first := slug(string(atlas.NameService))
		if (a.ID == first) != (b.ID == first) {
			if a.ID == first {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	p.FAQ = &faqPage{}
	to := s.linker(&p.frame, nil, nil)
	for i, q := range frontQuestions() {
		p.Questions = append(p.Questions, question{fmt.Sprintf("q%d", i+1), s.markup.inline(q.Question, targets{}), s.markup.html(q.Answer, to)})
		p.FAQ.add(s.markup.plain(q.Question), s.markup.plain(q.Answer))
	}
	return s.render("index", p)
}

func frontQuestions() []atlas.Question {
	return []atlas.Question{
		{Question: "What is a port?", Answer: "A number from 0 to 65535 that tells which program on a host a packet is for. TCP and UDP each have all of them: 53/tcp and 53/udp are two ports."},
		{Question: "What do system, user and dynamic mean?", Answer: "The three ranges of RFC 6335. IANA assigns system ports (0 to 1023) after review and registers user ports (1024 to 49151) on request. Dynamic ports (49152 to 65535) are never assigned: systems hand them out for a while."},
		{Question: "Does a registered name tell what listens on a port?", Answer: "No. It keeps the number free for one protocol; nothing makes that protocol listen there, and nothing stops other software from using it. Only an answer proves a service: `reconshield scan --service` asks."},
		{Question: "Which ports should be open to the Internet?", Answer: "Those that serve the public on purpose, each with an owner and a reason; the firewall drops all others. The table above says for each service how far a well-kept network exposes it."},
	}
}

func (s *site) row(f *frame, at *place) indexRow {
	r := indexRow{
		URL: f.To(at.dir()), Number: at.numbers(), Name: at.name, Over: strings.ToUpper(strings.Join(at.transports, ", ")), About: at.about,
		Threats: at.threats, Ports: at.ports(), Written: at.written, Known: at.content, Range: at.first != at.last,
	}
	if r.Name == "" {
		r.Name = at.title
	}
	if r.About == r.Name {
		r.About = ""
	}
	if at.reach != "" {
		r.Reach, r.ReachText = string(at.reach), portpage.ReachText(at.reach)
	}
	return r
}

// blocks lists the lists of ports.
func (s *site) blocks(f *frame) []blockRow {
	var out []blockRow
	for first := 0; first < len(s.plan.of); first += blockSize {
		b := blockRow{URL: f.To(block(uint16(first))), Numbers: blockName(uint16(first))} //nolint:gosec // below 65,536
		for i := s.plan.of[first]; i < len(s.plan.places) && int(s.plan.places[i].first) < first+blockSize; i++ {
			if s.plan.places[i].content {
				b.Known++
			}
		}
		out = append(out, b)
	}
	return out
}

func blockName(port uint16) string {
	first := int(port) / blockSize * blockSize
	return fmt.Sprintf("%d–%d", first, first+blockSize-1)
}

// overview is the list of the blocks.
func (s *site) overview() ([]byte, error) {
	p := listPage{frame: s.frame("ports/", "All ports, 0 to 65535 – ReconShield", "Every port from 0 to 65535 in blocks of 1,024, each with its services and the ranges that nothing is known of."), Heading: "All ports"}
	p.Lead = "Every port has a page, or shares one with its neighbours where nothing tells them apart. Choose the block that holds the number."
	p.Crumbs = []link{{p.To(""), "Port atlas"}, {"", "All ports"}}
	p.Blocks = s.blocks(&p.frame)
	return s.render("list", p)
}

// list is one block of ports.
func (s *site) list(first int) ([]byte, error) {
	port := uint16(first) //nolint:gosec // below 65,536
	name := blockName(port)
	p := listPage{Heading: "Ports " + name, frame: s.frame(block(port), "Ports "+name+" – ReconShield", "What is known of the ports "+name+": services, registrations and records of malicious software, one by one.")}
	p.Wide = true
	p.Crumbs = []link{{p.To(""), "Port atlas"}, {p.To("ports/"), "All ports"}, {"", name}}
	known := 0
	for i := s.plan.of[first]; i < len(s.plan.places) && int(s.plan.places[i].first) < first+blockSize; i++ {
		if s.plan.places[i].content {
			known++
		}
		p.Rows = append(p.Rows, s.row(&p.frame, &s.plan.places[i]))
	}
	p.Lead = fmt.Sprintf("Of %d of these ports something is known. The others share pages, range by range.", known)
	if first >= blockSize {
		p.Before = &link{p.To(block(port - blockSize)), "Ports " + blockName(port-blockSize)}
	}
	if first+blockSize < len(s.plan.of) {
		p.After = &link{p.To(block(port + blockSize)), "Ports " + blockName(port+blockSize)}
	}
	return s.render("list", p)
}

// licences tells where everything comes from.
func (s *site) licences() ([]byte, error) {
	p := licencePage{frame: s.frame("licences/", "Sources and licences – ReconShield", "Where the texts and data of this port atlas come from, of when they are, and on which terms they may be used."), Origins: origins(s.Atlas, s.Knowledge)}
	p.Crumbs = []link{{p.To(""), "Port atlas"}, {"", "Sources and licences"}}
	return s.render("licences", p)
}

// missing is what servers show for an address that is not there; its links
// have to work from anywhere.
func (s *site) missing() ([]byte, error) {
	p := listPage{frame: s.frame("", "No such page – ReconShield", "This page does not exist."), Heading: "No such page"}
	p.Root, p.Canonical = s.BaseURL, ""
	p.Lead = "A port of which nothing is known shares a page with its neighbours. Choose the block that holds the number."
	p.Crumbs = []link{{p.To(""), "Port atlas"}, {"", "No such page"}}
	p.Blocks = s.blocks(&p.frame)
	return s.render("list", p)
}
