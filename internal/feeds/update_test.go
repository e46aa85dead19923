package feeds

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUpdate(t *testing.T) {
	s := serve(t)
	o := s.options(t)
	got := update(t, o)
	for name, want := range map[string]Outcome{
		KEV: {KEV, Updated, 2, "2026-07-23", nil}, EPSS: {EPSS, Updated, 4, "2026-11-23", nil}, NVD: {NVD, Updated, 6, "2026-11-20", nil},
		IANA: {IANA, Updated, 2, "2026-01-15", nil}, ATTACK: {ATTACK, Updated, 6, "2025-11-13", nil},
	} {
		if d := cmp.Diff(want, got[name]); d != "" {
			t.Error(d)
		}
	}
	store, err := Open(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(store.Stored()); n != 5 {
		t.Errorf("%d feeds stored", n)
	}
	if c, date, err := store.Catalogue(); err != nil || len(c.Entries) != 2 || date != "2026-07-23" || c.Version != "2026.07.23" {
		t.Errorf("catalogue %+v of %s, %v", c, date, err)
	}
	if scores, err := store.Scores(); err != nil || scores.Len() != 4 {
		t.Errorf("scores: %v", err)
	}
	if d, err := store.Vulnerabilities(); err != nil || len(d.Rows) != 6 || d.Rows[0].ID != "CVE-2015-5477" {
		t.Errorf("vulnerabilities %+v, %v", d, err)
	}
	if rows, date, err := store.Registry(); err != nil || len(rows) != 2 || rows[0].Name != "domain" || date != "2026-01-15" {
		t.Errorf("registry %+v of %s, %v", rows, date, err)
	}
	if n, err := store.Names(); err != nil || n.Software["S0149"] != "MoonWind" {
		t.Errorf("names %+v, %v", n, err)
	}
	if damaged := store.Damaged(); len(damaged) != 0 {
		t.Error(damaged)
	}
}

func TestUnchanged(t *testing.T) {
	s := serve(t)
	o := s.options(t)
	update(t, o)
	before := kept(t, o.Dir)
	for name, one := range update(t, o) {
		if one.Status != Unchanged || one.Records == 0 {
			t.Errorf("%s: %+v", name, one)
		}
		if r := s.requests(name); name != NVD && r[len(r)-1].Header.Get("If-Modified-Since") == "" {
			t.Errorf("%s: asked without a condition", name)
		}
	}
	if d := cmp.Diff(before, kept(t, o.Dir)); d != "" {
		t.Error(d)
	}
	// A file that is not there any more must come anew, whatever the manifest says.
	for name := range before {
		if strings.HasPrefix(name, "kev-") {
			if err := os.Remove(filepath.Join(o.Dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := update(t, o)[KEV]; got.Status != Updated {
		t.Errorf("%+v", got)
	}
}

func TestWrongCertificate(t *testing.T) {
	s := serve(t)
	o := s.options(t)
	o.Roots = x509.NewCertPool()
	for name, one := range update(t, o) {
		if one.Status != Failed || !strings.Contains(one.Err.Error(), "certificate") {
			t.Errorf("%s: %+v", name, one)
		}
	}
	if files := kept(t, o.Dir); len(files) != 0 {
		t.Errorf("kept %v", files)
	}
	if len(s.requests(KEV)) != 0 {
		t.Error("the request was sent")
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	s := serve(t)
	for _, at := range []string{"http://example.invalid/kev", "ftp://127.0.0.1/kev", "file:///etc/passwd", "kev.json", "http://localhost.example.invalid/", "https:///kev", "http://127.0.0.1.example.invalid/"} {
		o := s.options(t)
		o.Sources, o.URLs = []string{KEV}, map[string]string{KEV: at}
		if got := update(t, o)[KEV]; got.Status != Failed {
			t.Errorf("%s: %+v", at, got)
		}
	}
}

func TestRedirectWithinReach(t *testing.T) {
	s := serve(t)
	other := serve(t)
	s.answer[KEV] = redirect("/elsewhere")
	s.answer["elsewhere"] = text(s.files[KEV])
	s.answer[NVD] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/nvd?"+r.URL.RawQuery, http.StatusFound)
	}
	o := s.options(t)
	o.Roots.AddCert(other.Certificate())
	o.Sources, o.APIKey = []string{KEV, NVD}, "a secret"
	for name, one := range update(t, o) {
		if one.Status != Updated {
			t.Errorf("%s: %+v", name, one)
		}
	}
	if r := s.requests(NVD); r[0].Header.Get(keyHeader) != "a secret" {
		t.Error("the key was not sent")
	}
	if r := other.requests(NVD); len(r) == 0 || r[0].Header.Get(keyHeader) != "" {
		t.Error("the key went to another host")
	}
	for name, data := range kept(t, o.Dir) {
		if strings.Contains(data, "a secret") {
			t.Errorf("the key is in %s", name)
		}
	}
}

func TestPlausibility(t *testing.T) {
	s := serve(t)
	o := s.options(t)
	o.Sources = []string{EPSS}
	update(t, o)
	few := "cve,epss,percentile\nCVE-2020-1350,0.5,0.5\n"
	s.files[EPSS] = few
	if got := update(t, o)[EPSS]; got.Status != Failed || !strings.Contains(got.Err.Error(), "less than half of the 4") || got.Records != 4 {
		t.Errorf("%+v", got)
	}
	o.Force = true
	if got := update(t, o)[EPSS]; got.Status != Updated || got.Records != 1 {
		t.Errorf("%+v", got)
	}
	o.Force = false
	s.files[EPSS] = few + "CVE-2020-1351,0.5,0.5\n"
	if got := update(t, o)[EPSS]; got.Status != Updated || got.Records != 2 {
		t.Errorf("%+v", got)
	}
}

func TestSlowServer(t *testing.T) {
	s := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.answer[EPSS] = func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, "cve,epss\n")
		w.(http.Flusher).Flush() //nolint:forcetypeassert // a test server's
		cancel()
		<-r.Context().Done()
	}
	o := s.options(t)
	outcomes, err := Update(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Status{Updated, Failed, Failed, Failed, Failed} {
		if outcomes[i].Status != want {
			t.Errorf("%+v, want %s", outcomes[i], want)
		}
	}
	if !errors.Is(outcomes[1].Err, context.Canceled) {
		t.Error(outcomes[1].Err)
	}
	if files := kept(t, o.Dir); len(files) != 2 {
		t.Errorf("kept %d files: what came before the interruption and the manifest are wanted", len(files))
	}
}

func TestTimeout(t *testing.T) {
	s := serve(t)
	s.answer[KEV] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	o := s.options(t)
	o.Sources, o.Timeout = []string{KEV}, 50*time.Millisecond
	if got := update(t, o)[KEV]; got.Status != Failed || !strings.Contains(got.Err.Error(), "too long") {
		t.Errorf("%+v", got)
	}
}

func TestPacing(t *testing.T) {
	for key, want := range map[string]time.Duration{"": 6 * time.Second, "key": 700 * time.Millisecond} {
		s := serve(t)
		var busy atomic.Int32
		inner := s.files[NVD]
		s.answer[NVD] = func(w http.ResponseWriter, r *http.Request) {
			switch busy.Add(1) {
			case 1:
				w.WriteHeader(http.StatusForbidden)
			case 2:
				w.Header().Set("Retry-After", "40")
				w.WriteHeader(http.StatusTooManyRequests)
			case 3:
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				if r.URL.Query().Get("virtualMatchString") != "cpe:2.3:a:isc:bind" {
					inner = emptyPage
				}
				_, _ = fmt.Fprint(w, inner)
			}
		}
		var waits []time.Duration
		o := s.options(t)
		o.Sources, o.APIKey = []string{NVD}, key
		o.Wait = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
		if got := update(t, o)[NVD]; got.Status != Updated {
			t.Fatalf("%+v", got)
		}
		if d := cmp.Diff([]time.Duration{6 * time.Second, 40 * time.Second, 24 * time.Second, want}, waits[:4]); d != "" {
			t.Error(d)
		}
	}
}

func TestPages(t *testing.T) {
	s := serve(t)
	record := func(id string) string {
		return `{"cve":{"id":"` + id + `","configurations":[{"nodes":[{"cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:a:isc:bind:9.18.1:*:*:*:*:*:*:*"}]}]}]}}`
	}
	s.answer[NVD] = func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("virtualMatchString") != "cpe:2.3:a:isc:bind" {
			_, _ = fmt.Fprint(w, emptyPage)
			return
		}
		ids := map[string]string{"0": record("CVE-2024-0001") + "," + record("CVE-2024-0002"), "2": record("CVE-2024-0003")}
		_, _ = fmt.Fprintf(w, `{"format":"NVD_CVE","resultsPerPage":2,"totalResults":3,"startIndex":%s,"vulnerabilities":[%s]}`, q.Get("startIndex"), ids[q.Get("startIndex")])
	}
	o := s.options(t)
	o.Sources = []string{NVD}
	if got := update(t, o)[NVD]; got.Status != Updated || got.Records != 3 {
		t.Errorf("%+v", got)
	}
}

func TestUnknownProductOfNVD(t *testing.T) {
	s := serve(t)
	o := s.options(t)
	o.Sources = []string{NVD}
	s.answer[NVD] = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("virtualMatchString") != "cpe:2.3:a:isc:bind" {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprint(w, s.files[NVD])
	}
	if got := update(t, o)[NVD]; got.Status != Updated || got.Records != 6 {
		t.Errorf("%+v", got)
	}
	s.answer[NVD] = http.NotFound
	if got := update(t, o)[NVD]; got.Status != Failed || !strings.Contains(got.Err.Error(), "404") {
		t.Errorf("%+v", got)
	}
}

func TestProxy(t *testing.T) {
	var through atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "127.0.0.1:9" {
			through.Add(1)
		}
		_, _ = fmt.Fprint(w, samples(t)[KEV])
	}))
	defer proxy.Close()
	o := Options{Dir: t.TempDir(), Sources: []string{KEV}, URLs: map[string]string{KEV: "http://127.0.0.1:9/kev"}, Proxy: proxy.URL}
	if got := update(t, o)[KEV]; got.Status != Updated || through.Load() != 1 {
		t.Errorf("%+v, %d requests through the proxy", got, through.Load())
	}
	o.Proxy = "proxy.example.net"
	if _, err := Update(t.Context(), o); err == nil || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("error %v", err)
	}
}

func TestTwoUpdatesAtOnce(t *testing.T) {
	s := serve(t)
	o := s.options(t)
	var second error
	s.answer[KEV] = func(w http.ResponseWriter, _ *http.Request) {
		_, second = Update(t.Context(), o)
		_, _ = fmt.Fprint(w, s.files[KEV])
	}
	for name, one := range update(t, o) {
		if one.Status != Updated {
			t.Errorf("%s: %+v", name, one)
		}
	}
	if second == nil || !strings.Contains(second.Error(), "another update") {
		t.Errorf("the second update: %v", second)
	}
}

func TestUnknownSource(t *testing.T) {
	for _, o := range []Options{
		{Dir: t.TempDir(), Sources: []string{"nmap"}},
		{Dir: t.TempDir(), URLs: map[string]string{"nmap": "https://127.0.0.1/"}},
	} {
		if _, err := Update(t.Context(), o); err == nil || !strings.Contains(err.Error(), `unknown source "nmap": use kev, epss`) {
			t.Errorf("error %v", err)
		}
	}
}
