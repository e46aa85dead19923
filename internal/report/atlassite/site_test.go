package atlassite

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/atlas"
	"reconshield/internal/intel"
)

func content(base string) Content {
	return Content{
		Atlas:     atlas.Default(),
		Knowledge: atlas.Knowledge{Threats: intel.DefaultThreats(), Vulnerabilities: intel.DefaultTable()},
		Version:   "v1.2.3", BaseURL: base,
	}
}

// exportedFiles is the site of the ports up to last, its files by path.
func exportedFiles(t *testing.T, base string, last uint16) map[string][]byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "site")
	if _, err := export(t.Context(), content(base), Options{Dir: dir}, last); err != nil {
		t.Fatal(err)
	}
	return tree(t, dir)
}

func tree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// someLast holds two classes of ports, ranges, and a block without its end.
const someLast = 2300

// Every page is whole, leads nowhere that is not there, runs nothing and loads
// nothing from elsewhere; the sitemap has them all; every port has one page.
func TestAtlasSite(t *testing.T) {
	for _, base := range []string{"", "https://ports.example.net/atlas/"} {
		t.Run("base "+base, func(t *testing.T) {
			files := exportedFiles(t, base, someLast)
			titles := map[string]string{}
			for name, data := range files {
				if strings.HasSuffix(name, ".html") {
					p := readPage(t, name, data)
					p.check(t, files, base)
					if other, twice := titles[p.title]; twice {
						t.Errorf("%s and %s have the title %q", name, other, p.title)
					}
					titles[p.title] = name
				}
			}
			checkSitemap(t, files, base)
			checkCover(t, files)
			if _, ok := files["404.html"]; ok != (base != "") {
				t.Errorf("404.html: %v", ok)
			}
		})
	}
}

func checkSitemap(t *testing.T, files map[string][]byte, base string) {
	t.Helper()
	var read struct {
		XMLName xml.Name `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
		URLs    []string `xml:"url>loc"`
	}
	if err := xml.Unmarshal(files["sitemap.xml"], &read); err != nil {
		t.Fatal(err)
	}
	var want []string
	for name := range files {
		if dir, ok := strings.CutSuffix(name, "index.html"); ok {
			want = append(want, strings.TrimSuffix(base, "/")+"/"+dir)
		}
	}
	slices.Sort(want)
	slices.Sort(read.URLs)
	if !slices.Equal(read.URLs, want) {
		t.Errorf("the sitemap has %d pages, there are %d", len(read.URLs), len(want))
	}
	if has := strings.Contains(string(files["robots.txt"]), "\nSitemap: "+base+"sitemap.xml\n"); has != (base != "") {
		t.Errorf("robots.txt: %s", files["robots.txt"])
	}
}

// checkCover demands that each port is on one page.
func checkCover(t *testing.T, files map[string][]byte) {
	t.Helper()
	on := map[int]string{}
	for name := range files {
		dir, ok := strings.CutPrefix(name, "ports/")
		if !ok || dir == "index.html" {
			continue
		}
		var first, last int
		if n, _ := fmt.Sscanf(dir, "%d-%d/", &first, &last); n < 2 {
			if _, err := fmt.Sscanf(dir, "%d/", &first); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			last = first
		}
		for port := first; port <= last; port++ {
			if on[port] != "" {
				t.Errorf("port %d is on %s and %s", port, on[port], name)
			}
			on[port] = name
		}
		if first/blockSize != last/blockSize || atlas.ClassOf(uint16(first)) != atlas.ClassOf(uint16(last)) {
			t.Errorf("%s crosses a border", name)
		}
	}
	if len(on) != someLast+1 {
		t.Errorf("%d ports have a page", len(on))
	}
	for _, port := range []int{22, 25, 53, 80, 443, 1433} {
		if want := fmt.Sprintf("ports/%d/index.html", port); on[port] != want {
			t.Errorf("port %d is on %q, want %q", port, on[port], want)
		}
	}
}

// The plan of all ports: every one is in it, in order, and dynamic ports, which
// a few records of malicious software cover as a whole, share pages.
func TestAtlasPlan(t *testing.T) {
	c := content("")
	p := newPlan(c.Atlas, c.Knowledge, lastPort)
	next, own, content := 0, 0, 0
	for i := range p.places {
		at := &p.places[i]
		if int(at.first) != next || at.last < at.first || at.content && at.first != at.last {
			t.Fatalf("place %d is %d to %d, want it to begin at %d", i, at.first, at.last, next)
		}
		next = int(at.last) + 1
		if at.content {
			content++
		}
		if at.class == atlas.Dynamic && at.content {
			own++
		}
		for _, port := range []uint16{at.first, at.first + (at.last-at.first)/2, at.last} {
			e := c.Atlas.Entry(port, "", c.Knowledge)
			if !at.content && (e.Name() != "" || e.Note != nil || len(e.Malware) != at.threats || !strings.HasSuffix(e.Title, ": "+at.title)) {
				t.Errorf("%q is on the page of %s, %s", e.Title, at.numbers(), at.title)
			}
		}
	}
	if next != lastPort+1 || len(p.of) != next {
		t.Errorf("the plan ends at %d", next)
	}
	if content < 6000 || content > 9000 {
		t.Errorf("%d ports with content", content)
	}
	if own > 500 {
		t.Errorf("%d dynamic ports have a page of their own", own)
	}
}

// A range says what the ports of it are, and never names a service.
func TestAtlasRangePage(t *testing.T) {
	s, err := newSite(content(""), someLast)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.plan.places, func(p place) bool { return p.ports() > 3 && strings.EqualFold(p.title, "unassigned") })
	if i < 0 {
		t.Fatal("no range")
	}
	data, err := s.port(i)
	if err != nil {
		t.Fatal(err)
	}
	at := &s.plan.places[i]
	for _, want := range []string{
		"Understanding these ports", fmt.Sprintf("Ports %d to %d are unassigned", at.first, at.last), "The ports share this page",
		fmt.Sprintf("th dport %d-%d drop", at.first, at.last), fmt.Sprintf("--ports T:%d-%d,U:%d-%d", at.first, at.last, at.first, at.last),
	} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("no %q on the page of %s", want, at.numbers())
		}
	}
}
