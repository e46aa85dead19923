package atlassite

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// page is what a test reads of one.
type page struct {
	name, title string
	doc         *html.Node
	nodes       []*html.Node
	ids         map[string]bool
	ld          []string
}

func readPage(t *testing.T, name string, data []byte) *page {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	p := &page{name: name, doc: doc, ids: map[string]bool{}}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		p.nodes = append(p.nodes, n)
		if id := attr(n, "id"); id != "" {
			if p.ids[id] {
				t.Errorf("%s: the id %q twice", name, id)
			}
			p.ids[id] = true
		}
		switch n.Data {
		case "title":
			p.title = n.FirstChild.Data
		case "script":
			if attr(n, "type") != "application/ld+json" {
				t.Errorf("%s: a script of type %q", name, attr(n, "type"))
			} else {
				p.ld = append(p.ld, n.FirstChild.Data)
			}
		}
	}
	return p
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func (p *page) count(element string) int {
	n := 0
	for _, node := range p.nodes {
		if node.Data == element {
			n++
		}
	}
	return n
}

func (p *page) check(t *testing.T, files map[string][]byte, base string) {
	t.Helper()
	p.harmless(t)
	for element, want := range map[string]int{"title": 1, "h1": 1, "main": 1, "header": 2, "footer": 1, "style": 0} {
		if got := p.count(element); got != want {
			t.Errorf("%s: %d %s, want %d", p.name, got, element, want)
		}
	}
	description, canonical := "", ""
	for _, n := range p.nodes {
		switch {
		case n.Data == "html" && attr(n, "lang") != "en-GB":
			t.Errorf("%s: lang %q", p.name, attr(n, "lang"))
		case n.Data == "meta" && attr(n, "name") == "description":
			description = attr(n, "content")
		case n.Data == "link" && attr(n, "rel") == "canonical":
			canonical = attr(n, "href")
		case n.Data == "a":
			p.leads(t, attr(n, "href"), files, base)
		case n.Data == "link":
			p.leads(t, attr(n, "href"), files, base)
		}
	}
	if len(description) < 20 {
		t.Errorf("%s: the description %q", p.name, description)
	}
	dir := strings.TrimSuffix(p.name, "index.html")
	if want := base + dir; p.name != "404.html" && (base == "") != (canonical == "") || canonical != "" && canonical != want {
		t.Errorf("%s: canonical %q, want %q", p.name, canonical, want)
	}
	if dir == "" && p.name == "index.html" || strings.HasPrefix(dir, "ports/") && dir != "ports/" {
		p.questions(t)
	} else if len(p.ld) > 0 {
		t.Errorf("%s: questions that it does not show", p.name)
	}
}

// harmless demands that a page runs and loads nothing.
func (p *page) harmless(t *testing.T) {
	t.Helper()
	policy := false
	for _, n := range p.nodes {
		switch n.Data {
		case "img", "iframe", "object", "embed", "form", "base", "svg", "video", "audio", "source":
			t.Errorf("%s: <%s>", p.name, n.Data)
		case "meta":
			policy = policy || attr(n, "http-equiv") == "Content-Security-Policy" && strings.HasPrefix(attr(n, "content"), "default-src 'none'; style-src 'self';")
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || strings.Contains(a.Val, "ZgotmplZ") {
				t.Errorf("%s: <%s %s=%q>", p.name, n.Data, a.Key, a.Val)
			}
			if a.Key == "href" && strings.Contains(a.Val, ":") && !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "http://") {
				t.Errorf("%s: a link to %q", p.name, a.Val)
			}
		}
	}
	if !policy {
		t.Errorf("%s: no policy on content", p.name)
	}
}

// leads demands that a link of the site leads to a file of it.
func (p *page) leads(t *testing.T, href string, files map[string][]byte, base string) {
	t.Helper()
	if rest, ok := strings.CutPrefix(href, "#"); ok {
		if !p.ids[rest] {
			t.Errorf("%s: %q leads nowhere", p.name, href)
		}
		return
	}
	to, whole := strings.CutPrefix(href, base)
	switch {
	case whole && base != "":
	case strings.Contains(href, "://"):
		return
	default:
		to = path.Join(path.Dir(p.name), href)
		if strings.HasSuffix(href, "/") {
			to += "/"
		}
	}
	if to == "" || strings.HasSuffix(to, "/") {
		to = path.Join(to, "index.html")
	}
	if _, ok := files[to]; !ok || href == "" {
		t.Errorf("%s: %q leads nowhere", p.name, href)
	}
}

// questions demands that the data have the questions that the page shows.
func (p *page) questions(t *testing.T) {
	t.Helper()
	if len(p.ld) != 1 {
		t.Errorf("%s: %d blocks of data", p.name, len(p.ld))
		return
	}
	var data struct {
		Context  string `json:"@context"`
		Type     string `json:"@type"`
		Entities []struct {
			Type   string `json:"@type"`
			Name   string `json:"name"`
			Answer struct {
				Type string `json:"@type"`
				Text string `json:"text"`
			} `json:"acceptedAnswer"`
		} `json:"mainEntity"`
	}
	if err := json.Unmarshal([]byte(p.ld[0]), &data); err != nil {
		t.Errorf("%s: %v", p.name, err)
		return
	}
	if data.Context != "https://schema.org" || data.Type != "FAQPage" || len(data.Entities) < 4 {
		t.Errorf("%s: %+v", p.name, data)
	}
	var shown, told []string
	for _, n := range p.nodes {
		if n.Data == "h3" && strings.HasPrefix(attr(n, "id"), "q") {
			shown = append(shown, textOf(n))
		}
	}
	for _, q := range data.Entities {
		told = append(told, q.Name)
		if q.Type != "Question" || q.Answer.Type != "Answer" || q.Answer.Text == "" {
			t.Errorf("%s: %+v", p.name, q)
		}
	}
	if !slices.Equal(shown, told) {
		t.Errorf("%s: shows %q, tells %q", p.name, shown, told)
	}
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
