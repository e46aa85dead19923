package feeds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// childDir and childURL make the test's binary an update, which can be killed.
const (
	childDir = "FEEDS_TEST_DIR"
	childURL = "FEEDS_TEST_URL"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		at := os.Getenv(childURL)
		_, _ = Update(context.Background(), Options{Dir: dir, Sources: []string{KEV, EPSS}, URLs: map[string]string{KEV: at + "/kev", EPSS: at + "/epss"}})
		return
	}
	goleak.VerifyTestMain(m)
}

// An update whose process is killed after one feed was written and in the
// middle of the next leaves what was stored before, and no lock.
func TestKilledProcess(t *testing.T) {
	whole := samples(t)
	dir := t.TempDir()
	update(t, Options{Dir: dir, From: folder(t, map[string]string{"kev.json": whole[KEV], "epss.csv": whole[EPSS]})})
	before := kept(t, dir)

	reached := make(chan struct{})
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/kev" {
			_, _ = io.WriteString(w, strings.Replace(whole[KEV], "CVE-2020-1350", "CVE-2021-1350", 1))
			return
		}
		_, _ = io.WriteString(w, whole[EPSS])
		w.(http.Flusher).Flush() //nolint:forcetypeassert // a test server's
		close(reached)
		<-r.Context().Done()
	}))
	defer at.Close()
	child := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test's own binary
	child.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+at.URL)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-reached:
	case <-t.Context().Done():
		t.Fatal("the update never came to its second feed")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*exec.ExitError](child.Wait()); !ok {
		t.Fatal("the update was not killed")
	}
	after := kept(t, dir)
	if len(after) < len(before)+2 {
		t.Errorf("%d files: the update had not begun to write", len(after))
	}
	for name, data := range before {
		if after[name] != data {
			t.Errorf("%s was changed", name)
		}
	}
	store, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := store.Catalogue(); err != nil || c.Entries[0].ID != "CVE-2020-1350" {
		t.Errorf("%+v, %v", c, err)
	}
	update(t, Options{Dir: dir, From: folder(t, map[string]string{"kev.json": whole[KEV], "epss.csv": whole[EPSS]})})
	if len(kept(t, dir)) != len(before) {
		t.Error("the next update did not clean up")
	}
}

// A feed that cannot be written leaves the old one, and the others go on.
func TestWriteFails(t *testing.T) {
	whole := samples(t)
	dir := t.TempDir()
	update(t, Options{Dir: dir, From: folder(t, map[string]string{"kev.json": whole[KEV]})})
	newer := strings.Replace(whole[KEV], "CVE-2020-1350", "CVE-2021-1350", 1)
	c, err := readKEV(strings.NewReader(newer))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(c.data)
	inTheWay := filepath.Join(dir, "kev-"+hex.EncodeToString(sum[:8])+".json.gz", "x")
	if err := os.MkdirAll(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	got := map[string]Status{}
	for name, one := range update(t, Options{Dir: dir, From: folder(t, map[string]string{"kev.json": newer, "epss.csv": whole[EPSS]})}) {
		got[name] = one.Status
	}
	if d := cmp.Diff(map[string]Status{KEV: Failed, EPSS: Updated, NVD: Absent, IANA: Absent, ATTACK: Absent}, got); d != "" {
		t.Error(d)
	}
	store, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := store.Catalogue(); err != nil || c.Entries[0].ID != "CVE-2020-1350" {
		t.Errorf("%+v, %v", c, err)
	}
	if leftovers, _ := filepath.Glob(filepath.Join(dir, scratchName)); len(leftovers) != 0 {
		t.Errorf("left behind: %v", leftovers)
	}
}
