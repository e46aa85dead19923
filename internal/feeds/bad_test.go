package feeds

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// text answers with a text.
func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, s) }
}

func gzipped(t *testing.T, zeros int) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	line := bytes.Repeat([]byte("\n"), 1<<20)
	for range zeros >> 20 {
		if _, err := z.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

// A bad feed changes nothing, says so, and does not keep the others from coming.
func TestBadFeedChangesNothing(t *testing.T) {
	whole := samples(t)
	bomb := gzipped(t, 80<<20)
	plainSite := httptest.NewServer(text(whole[KEV]))
	defer plainSite.Close()
	for _, c := range []struct {
		name, source string
		answer       http.HandlerFunc
		says         string
	}{
		{"truncated", KEV, text(whole[KEV][:500]), "cut off"},
		{"truncated on the way", KEV, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = fmt.Fprint(w, whole[KEV])
		}, "cut off on the way"},
		{"connection lost", KEV, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, whole[KEV][:500])
			w.(http.Flusher).Flush() //nolint:forcetypeassert // a test server's
			panic(http.ErrAbortHandler)
		}, "kev: "},
		{"declared too long", KEV, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99999999999")
			w.WriteHeader(http.StatusOK)
		}, "longer than 33554432 bytes"},
		{"too long", IANA, func(w http.ResponseWriter, _ *http.Request) {
			chunk := strings.Repeat("x", 1<<20)
			for range 40 {
				if _, err := fmt.Fprint(w, chunk); err != nil {
					return
				}
			}
		}, "longer than"},
		{"packed on the way, too long unpacked", KEV, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = fmt.Fprint(w, bomb)
		}, "longer than"},
		{"a bomb", EPSS, text(bomb), "longer than"},
		{"empty", EPSS, text(""), "none in the file"},
		{"a page", EPSS, text("<!DOCTYPE html><title>Sorry</title>"), "must name the columns"},
		{"another feed", IANA, text(whole[KEV]), "iana: "},
		{"deep", ATTACK, text(`{"type":"bundle","objects":[` + strings.Repeat(`[`, 1<<20)), "max depth"},
		{"huge numbers", NVD, text(`{"format":"NVD_CVE","totalResults":1e999,"vulnerabilities":[]}`), "cannot unmarshal"},
		{"a page that was not asked for", NVD, text(strings.Replace(whole[NVD], `"startIndex": 0, "totalResults": 5`, `"startIndex": 5, "totalResults": 10`, 1)), "the one from 5 came"},
		{"a message", NVD, text(`{"message":"no"}`), "no array"},
		{"missing", KEV, status(http.StatusNotFound), "404 Not Found"},
		{"forbidden", KEV, status(http.StatusForbidden), "403 Forbidden"},
		{"never well", KEV, status(http.StatusServiceUnavailable), "503 Service Unavailable"},
		{"nothing was at hand to be unchanged", KEV, status(http.StatusNotModified), "304 Not Modified"},
		{"redirected to http", KEV, redirect(plainSite.URL + "/kev"), "redirected from https"},
		{"redirected to http elsewhere", KEV, redirect("http://example.invalid/kev"), "https only"},
		{"redirected to a file", KEV, redirect("file:///etc/passwd"), "https only"},
		{"redirected in a circle", KEV, redirect("/kev"), "more than 3 redirects"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t)
			o := s.options(t)
			update(t, o)
			before := kept(t, o.Dir)
			s.answer[c.source] = c.answer
			s.files[IANA] += "a,1,tcp,new,,,,,,,,\n"
			if c.name == "nothing was at hand to be unchanged" {
				before = map[string]string{}
				o.Dir += "-other"
			}
			for name, one := range update(t, o) {
				if name != c.source {
					if one.Err != nil || name == IANA && one.Status != Updated {
						t.Errorf("%s: %+v", name, one)
					}
					continue
				}
				if one.Status != Failed || one.Err == nil || !strings.Contains(one.Err.Error(), c.says) || strings.Contains(one.Err.Error(), "\n") {
					t.Errorf("%s: %s, error %v, want %q", name, one.Status, one.Err, c.says)
				}
			}
			after := kept(t, o.Dir)
			for name, data := range before {
				if strings.HasPrefix(name, c.source+"-") && after[name] != data {
					t.Errorf("%s was changed", name)
				}
			}
			if len(after) != len(before) && len(before) > 0 {
				t.Errorf("left behind: %d files, before %d", len(after), len(before))
			}
		})
	}
}
