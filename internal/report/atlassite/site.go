package atlassite

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"strings"

	"reconshield/internal/atlas"
)

//go:embed assets
var assets embed.FS

// Content is what a site is made of. Version and BaseURL may be empty.
type Content struct {
	Atlas     *atlas.Atlas
	Knowledge atlas.Knowledge
	Version   string // of the program
	// BaseURL is where the site is going to be: canonical links and a valid
	// sitemap need it. ParseBaseURL makes it.
	BaseURL string
}

// ParseBaseURL reads the address of a site and ends it with a slash. The error
// is one line.
func ParseBaseURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return "", fmt.Errorf("%q: the address of a web site, such as https://ports.example.net/", text)
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u.String(), nil
}

// site makes the pages. Safe for concurrent use once it is made.
type site struct {
	Content
	plan   plan
	markup *markup
	pages  map[string]*template.Template
	foot   string
}

// newSite prepares the pages of the ports up to last.
func newSite(c Content, last uint16) (*site, error) {
	s := &site{Content: c, plan: newPlan(c.Atlas, c.Knowledge, last), markup: newMarkup(), pages: map[string]*template.Template{}}
	for _, name := range []string{"port", "index", "list", "licences"} {
		t, err := template.New("layout").Funcs(template.FuncMap{"thousands": thousands}).
			ParseFS(assets, "assets/layout.html", "assets/"+name+".html")
		if err != nil {
			return nil, err
		}
		s.pages[name] = t
	}
	editions := []string{"IANA's registry of " + c.Atlas.Edition()}
	if c.Knowledge.Threats != nil {
		editions = append(editions, "threats of "+c.Knowledge.Threats.Edition())
	}
	if c.Knowledge.Vulnerabilities != nil {
		editions = append(editions, "vulnerabilities of "+c.Knowledge.Vulnerabilities.Date())
	}
	s.foot = strings.Join(editions, " · ")
	return s, nil
}

// file is one file of the site, its path with slashes.
type file struct {
	path string
	data []byte
}

// job makes one file. page is its address below the site when it belongs in
// the sitemap.
type job struct {
	path string
	page bool
	make func() ([]byte, error)
}

// jobs lists every file but the sitemaps, in order.
func (s *site) jobs() []job {
	var out []job
	page := func(dir string, build func() ([]byte, error)) {
		out = append(out, job{path: dir + "index.html", page: true, make: build})
	}
	page("", s.index)
	page("licences/", s.licences)
	page("ports/", s.overview)
	for first := 0; first < len(s.plan.of); first += blockSize {
		page(block(uint16(first)), func() ([]byte, error) { return s.list(first) }) //nolint:gosec // below 65,536
	}
	for i := range s.plan.places {
		page(s.plan.places[i].dir(), func() ([]byte, error) { return s.port(i) })
	}
	out = append(out, job{path: "style.css", make: func() ([]byte, error) { return assets.ReadFile("assets/style.css") }})
	if s.BaseURL != "" {
		out = append(out, job{path: "404.html", make: s.missing})
	}
	return out
}

// frame begins a page; dir is its folder and depth how far below the site.
func (s *site) frame(dir, title, description string) frame {
	f := frame{
		Root: strings.Repeat("../", strings.Count(dir, "/")), Index: "index.html", Title: title,
		Description: clip(description, 158), Foot: s.foot, //nolint:mnd // what search engines show
	}
	if s.BaseURL != "" {
		f.Index = "" // a server adds it
		f.Canonical = s.BaseURL + dir
		if f.Root == "" {
			f.Root = "./"
		}
	}
	return f
}

func (s *site) render(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout", data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// linker gives the addresses of ports, as seen from a page; none for the page's
// own. The related ports are known by their bare numbers.
func (s *site) linker(f *frame, own *place, related []atlas.Related) targets {
	t := targets{bare: map[int]bool{}, page: func(port int) string {
		if at := s.plan.at(port); at != nil && at != own {
			return f.To(at.dir())
		}
		return ""
	}}
	for _, r := range related {
		t.bare[int(r.Port)] = true
	}
	return t
}
