package feeds

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const registryCSV = `Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,Registration Date,Modification Date,Reference,Service Code,Unauthorized Use Reported,Assignment Notes
domain,53,tcp,Domain Name Server,[Paul_Mockapetris],[Paul_Mockapetris],,,[RFC1035],,,
domain,53,udp,Domain Name Server,[Paul_Mockapetris],[Paul_Mockapetris],,2026-01-15,[RFC1035],,,
`

// samples are the feeds in their true form, small.
func samples(t *testing.T) map[string]string {
	t.Helper()
	read := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	return map[string]string{
		KEV: read("../intel/kev/testdata/kev.json"), EPSS: read("../intel/epss/testdata/epss.csv"),
		NVD: read("../intel/nvd/testdata/page.json"), IANA: registryCSV, ATTACK: read("../intel/stix/testdata/bundle.json"),
	}
}

const emptyPage = `{"resultsPerPage":0,"startIndex":0,"totalResults":0,"format":"NVD_CVE","version":"2.0","timestamp":"2026-11-20T08:15:00.123","vulnerabilities":[]}`

// site serves feeds over TLS. What a test puts into answer stands in for the
// usual answer of a source.
type site struct {
	*httptest.Server
	files  map[string]string
	answer map[string]http.HandlerFunc

	mu    sync.Mutex
	asked []*http.Request
}

func serve(t *testing.T) *site {
	t.Helper()
	s := &site{files: samples(t), answer: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Clone(context.Background()))
	s.mu.Unlock()
	name := strings.Trim(r.URL.Path, "/")
	if answer, ok := s.answer[name]; ok {
		answer(w, r)
		return
	}
	text, ok := s.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if name == NVD && r.URL.Query().Get("virtualMatchString") != "cpe:2.3:a:isc:bind" {
		text = emptyPage
	}
	etag := `"` + strconv.Itoa(len(text)) + `"`
	w.Header().Set("ETag", etag)
	w.Header().Set("Last-Modified", "Fri, 20 Nov 2026 08:00:00 GMT")
	if name != NVD && r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = fmt.Fprint(w, text)
}

// requests are those of a source so far.
func (s *site) requests(name string) []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*http.Request
	for _, r := range s.asked {
		if strings.Trim(r.URL.Path, "/") == name {
			out = append(out, r)
		}
	}
	return out
}

// options fetch everything from the site, into a directory of the test, with a
// clock that waits for nobody.
func (s *site) options(t *testing.T) Options {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	o := Options{
		Dir: filepath.Join(t.TempDir(), "intel"), Roots: roots, URLs: map[string]string{},
		Now:  func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) },
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	for name := range s.files {
		o.URLs[name] = s.URL + "/" + name
	}
	return o
}

// update runs one and gives the statuses by source.
func update(t *testing.T, o Options) map[string]Outcome {
	t.Helper()
	outcomes, err := Update(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Outcome{}
	for _, one := range outcomes {
		out[one.Source] = one
	}
	return out
}

// kept is every file of a directory but the lock, with what is in it.
func kept(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}
