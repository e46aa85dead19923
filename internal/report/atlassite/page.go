package atlassite

import (
	"fmt"
	"html/template"
	"strings"

	"reconshield/internal/atlas"
)

// frame is what every page has.
type frame struct {
	Root        string // from the page to the site: "../../"
	Index       string // the page of a folder: "index.html", or nothing
	Title       string
	Description string
	Canonical   string // empty without an address of the site
	FAQ         *faqPage
	Crumbs      []link
	Wide        bool // a table more than a text
	Foot        string
}

// link is an address, empty when it is the page itself, and its text.
type link struct {
	URL, Text string
}

// To is the address of a folder of the site, "" being the front page.
func (f frame) To(dir string) string { return f.Root + dir + f.Index }

// faqPage is the questions in the words of schema.org.
type faqPage struct {
	Context  string        `json:"@context"`
	Type     string        `json:"@type"`
	Entities []faqQuestion `json:"mainEntity"`
}

type faqQuestion struct {
	Type   string    `json:"@type"`
	Name   string    `json:"name"`
	Answer faqAnswer `json:"acceptedAnswer"`
}

type faqAnswer struct {
	Type string `json:"@type"`
	Text string `json:"text"`
}

func (f *faqPage) add(question, answer string) {
	f.Context, f.Type = "https://schema.org", "FAQPage"
	f.Entities = append(f.Entities, faqQuestion{"Question", question, faqAnswer{"Answer", answer}})
}

// section is a part of a page under a heading.
type section struct {
	ID, Heading string
	Body        template.HTML
}

// question is one with its answer.
type question struct {
	ID       string
	Question template.HTML
	Answer   template.HTML
}

// row is another port in a table.
type row struct {
	URL, Number, Over, Name string
	Text                    template.HTML
}

// fact is a line of the summary.
type fact struct {
	Name, Value string
}

// threat is a record of malicious software.
type threat struct {
	Name, ID, Role, Over, Source, AsOf string
}

// portPage is the page of a port or of a range of ports.
type portPage struct {
	frame
	Word, Numbers, Name string // "Port" "53" "DNS (Domain Name System)"
	Lead                string
	Facts               []fact
	Reach, ReachText    string
	Written             bool
	Sections            []section
	Questions           []question
	Threats             []threat // only where the text does not have all
	Open                bool     // show them at once
	Related, Adjacent   []row
	Sources             []link
	Before, After       *link
}

// kindGroup is the ports of one kind, written by hand.
type kindGroup struct {
	ID, Name string
	Rows     []indexRow
}

// indexRow is a port in a list.
type indexRow struct {
	URL, Number, Name, Over, About, Reach, ReachText string
	Threats, Ports                                   int
	Written, Known, Range                            bool
}

// blockRow is a block of ports in the list of blocks.
type blockRow struct {
	URL, Numbers string
	Known        int // ports of which something is known
}

type indexPage struct {
	frame
	Groups               []kindGroup
	Blocks               []blockRow
	Questions            []question
	Written, Known, Rest int
}

type listPage struct {
	frame
	Heading, Lead string
	Rows          []indexRow
	Blocks        []blockRow
	Before, After *link
}

type licencePage struct {
	frame
	Origins []origin
}

// clip shortens plain text to about n characters, at a word.
func clip(text string, n int) string {
	if len([]rune(text)) <= n {
		return text
	}
	cut := string([]rune(text)[:n])
	if at := strings.LastIndexByte(cut, ' '); at > 0 {
		cut = cut[:at]
	}
	return strings.TrimRight(cut, " ,;:–-(") + "…"
}

// slug makes a name fit for an anchor.
func slug(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s)
}

// thousands writes a number below a million with its comma: 58,994.
func thousands(n int) string {
	const thousand = 1000
	if n < thousand {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/thousand, n%thousand)
}

// heading is a kind as a heading.
func heading(kind atlas.Kind) string {
	name := string(kind)
	if kind == atlas.VPN || name == "" {
		return strings.ToUpper(name)
	}
	return strings.ToUpper(name[:1]) + name[1:]
}
