package atlassite

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One block is enough here.
const fewPorts = 60

func TestAtlasExportIsDeterministic(t *testing.T) {
	const base = "https://ports.example.net/"
	first := exportedFiles(t, base, 1100)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	second := exportedFiles(t, base, 1100)
	if !maps.EqualFunc(first, second, bytes.Equal) {
		t.Error("not the same bytes")
	}
}

func TestAtlasExportSummary(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	sum, err := export(t.Context(), content(""), Options{Dir: dir}, fewPorts)
	if err != nil {
		t.Fatal(err)
	}
	files := tree(t, dir)
	pages, size := 0, int64(0)
	for name, data := range files {
		size += int64(len(data))
		if strings.HasSuffix(name, ".html") {
			pages++
		}
	}
	if sum.Files != len(files) || sum.Pages != pages || sum.Bytes != size || sum.Sitemaps != 1 || sum.Dir != dir || sum.Handwritten == 0 || sum.Ports < sum.Handwritten {
		t.Errorf("%+v; there are %d files, %d pages, %d bytes", sum, len(files), pages, size)
	}
}

// What may be written to, and what stays there.
func TestAtlasExportPlaces(t *testing.T) {
	tests := []struct {
		name  string
		dir   string            // below a folder of the test's own
		have  map[string]string // files beforehand
		force bool
		kept  []string // of have, as they were
		gone  []string
		fail  string
	}{
		{name: "new", dir: "site"},
		{name: "slash", dir: "site/"},
		{name: "empty", dir: "site", have: map[string]string{"site/": ""}},
		{name: "no parent", dir: "no/site", fail: "cannot write beside it: no such file or directory"},
		{name: "a file", dir: "site", have: map[string]string{"site": "x"}, fail: "is a file; name a folder"},
		{name: "below a file", dir: "file/site", have: map[string]string{"file": "x"}, fail: "not a directory"},
		{name: "others' files", dir: "site", have: map[string]string{"site/a.txt": "a"}, fail: "holds files that no export wrote"},
		{name: "others' manifest", dir: "site", have: map[string]string{"site/atlas.json": `{"site":"else"}`}, fail: "holds files that no export wrote"},
		{
			name: "forced", dir: "site", force: true, kept: []string{"site/a.txt", "site/.git/config"},
			have: map[string]string{"site/a.txt": "a", "site/.git/config": "b", "site/index.html": "mine"},
		},
		{
			name: "earlier export", dir: "site", kept: []string{"site/CNAME"}, gone: []string{"site/ports/70000/index.html", "site/sitemap-9.xml"},
			have: map[string]string{"site/atlas.json": `{"site":"reconshield-atlas"}`, "site/CNAME": "c", "site/ports/70000/index.html": "old", "site/sitemap-9.xml": "old"},
		},
		{name: "here", dir: ".", fail: "you are in it"},
		{name: "above", dir: "..", fail: "you are in it"},
		{name: "nothing", dir: "", fail: "name a folder"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for name, text := range tt.have {
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(name, "/") {
					continue
				}
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, ".")
			_, err := export(t.Context(), content(""), Options{Dir: tt.dir, Force: tt.force}, fewPorts)
			if tt.fail != "" {
				if _, ok := errors.AsType[*PlaceError](err); !ok || !strings.Contains(err.Error(), tt.fail) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want %q", err, tt.fail)
				}
				if diff := cmp.Diff(before, tree(t, ".")); diff != "" {
					t.Error(diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			after := tree(t, ".")
			for _, name := range append(tt.kept, "site/index.html", "site/ports/53/index.html") {
				if slices.Contains(tt.kept, name) && string(after[name]) != tt.have[name] || len(after[name]) == 0 {
					t.Errorf("%s: %q", name, after[name])
				}
			}
			for name := range after {
				if slices.Contains(tt.gone, name) || !strings.HasPrefix(name, "site/") || string(after[name]) == "mine" {
					t.Errorf("%s is there", name)
				}
			}
		})
	}
}

// A link to a folder stays one.
func TestAtlasExportThroughLink(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("real", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", "site"); err != nil {
		t.Fatal(err)
	}
	if _, err := export(t.Context(), content(""), Options{Dir: "site"}, fewPorts); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat("site"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", info, err)
	}
	if _, err := os.Stat("real/index.html"); err != nil {
		t.Error(err)
	}
}

// An export that is interrupted changes nothing and leaves nothing.
func TestAtlasExportInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := export(t.Context(), content(""), Options{Dir: "site"}, fewPorts); err != nil {
		t.Fatal(err)
	}
	before := tree(t, ".")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := export(ctx, content("https://ports.example.net/"), Options{Dir: "site"}, fewPorts); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, tree(t, ".")); diff != "" {
		t.Error(diff)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestAtlasSitemapsSplit(t *testing.T) {
	files := sitemaps("https://a.example/x/", []string{"", "ports/1/", "ports/2/"}, 2)
	got := map[string]string{}
	for _, f := range files {
		got[f.path] = string(f.data)
	}
	head := `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	space := ` xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">` + "\n"
	want := map[string]string{
		"sitemap-1.xml": head + "<urlset" + space + "<url><loc>https://a.example/x/</loc></url>\n<url><loc>https://a.example/x/ports/1/</loc></url>\n</urlset>\n",
		"sitemap-2.xml": head + "<urlset" + space + "<url><loc>https://a.example/x/ports/2/</loc></url>\n</urlset>\n",
		"sitemap.xml":   head + "<sitemapindex" + space + "<sitemap><loc>https://a.example/x/sitemap-1.xml</loc></sitemap>\n<sitemap><loc>https://a.example/x/sitemap-2.xml</loc></sitemap>\n</sitemapindex>\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAtlasParseBaseURL(t *testing.T) {
	tests := []struct{ in, want string }{
		{"https://a.example", "https://a.example/"},
		{"https://a.example/x", "https://a.example/x/"},
		{"http://[2001:db8::1]:8080/x/", "http://[2001:db8::1]:8080/x/"},
		{"", ""},
		{"a.example", ""},
		{"/x", ""},
		{"ftp://a.example/", ""},
		{"https://", ""},
		{"https:///x", ""},
		{"https://u:p@a.example/", ""},
		{"https://a.example/?q", ""},
		{"https://a.example/#f", ""},
		{"javascript:alert(1)", ""},
		{"https://a b/", ""},
	}
	for _, tt := range tests {
		got, err := ParseBaseURL(tt.in)
		if got != tt.want && tt.want != "" || (err == nil) != (tt.want != "") {
			t.Errorf("ParseBaseURL(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

// Every source that the data name is on the page of licences, and the texts are
// those that the data came with.
func TestAtlasLicences(t *testing.T) {
	c := content("")
	all := origins(c.Atlas, c.Knowledge)
	for _, p := range c.Knowledge.Threats.Data().Ports {
		for _, m := range p.Malware {
			if !slices.ContainsFunc(all, func(o origin) bool { return strings.HasPrefix(m.Source, o.Name) && o.AsOf >= m.AsOf }) {
				t.Fatalf("no licence for %q of %s", m.Source, m.AsOf)
			}
		}
	}
	for mine, origin := range map[string]string{
		"attack": "LICENSE.attack.txt", "carbonblack": "LICENSE.carbonblack", "et-open": "LICENSE.et-open", "maltrail": "LICENSE.maltrail",
	} {
		want, err := os.ReadFile("../../intel/sources/" + origin)
		if err != nil {
			t.Fatal(err)
		}
		if licence(mine) != string(want) {
			t.Errorf("licences/%s.txt is not %s", mine, origin)
		}
	}
	if licence("cve") == "" {
		t.Error("no terms of use of CVE")
	}
}

func TestAtlasWords(t *testing.T) {
	for in, want := range map[string]string{"c2": "command and control", "c2-proxy": "command and control, proxy", "scan-target": "scan target"} {
		if got := roleText(in); got != want {
			t.Errorf("roleText(%q) = %q, want %q", in, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 58994: "58,994"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
	if got := clip("one two, three", 10); got != "one two…" {
		t.Errorf("clip = %q", got)
	}
}
