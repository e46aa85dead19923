package feeds

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// folder holds files for Options.From.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFrom(t *testing.T) {
	whole := samples(t)
	from := folder(t, map[string]string{
		"known_exploited_vulnerabilities.json": whole[KEV], "epss_scores-2026-11-23.csv.gz": packed(t, whole[EPSS]),
		"epss_scores-2020-01-01.csv": "an old file", "nvd-1.json": whole[NVD], "nvd-2.json.gz": packed(t, whole[NVD]),
		"service-names-port-numbers.csv": whole[IANA], "enterprise-attack-18.1.json": whole[ATTACK], "README": "",
	})
	o := Options{Dir: t.TempDir(), From: from}
	for name, one := range update(t, o) {
		if one.Status != Updated {
			t.Errorf("%s: %+v", name, one)
		}
	}
	store, err := Open(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := store.Vulnerabilities(); err != nil || len(d.Rows) != 6 {
		t.Errorf("%+v, %v", d, err)
	}
	if got := store.Stored()[0].Origin; got != "known_exploited_vulnerabilities.json" {
		t.Errorf("origin %q", got)
	}
}

func TestFromLacksSome(t *testing.T) {
	whole := samples(t)
	from := folder(t, map[string]string{"kev.json": whole[KEV], "epss.csv": whole[EPSS][:200] + "x"})
	o := Options{Dir: t.TempDir(), From: from}
	got := map[string]Status{}
	for name, one := range update(t, o) {
		got[name] = one.Status
	}
	if d := cmp.Diff(map[string]Status{KEV: Updated, EPSS: Failed, NVD: Absent, IANA: Absent, ATTACK: Absent}, got); d != "" {
		t.Error(d)
	}
	for name, c := range map[string]struct {
		o    Options
		says string
	}{
		"a source that is not there": {Options{Dir: t.TempDir(), From: from, Sources: []string{NVD}}, "no file for nvd; it must be named nvd*.json"},
		"an empty directory":         {Options{Dir: t.TempDir(), From: t.TempDir()}, "no file of a feed"},
		"no directory":               {Options{Dir: t.TempDir(), From: filepath.Join(from, "missing")}, "no such directory"},
	} {
		if _, err := Update(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedStore(t *testing.T) {
	whole := samples(t)
	from := folder(t, map[string]string{"kev.json": whole[KEV], "epss.csv": whole[EPSS]})
	fresh := func(t *testing.T) (Options, map[string]string) {
		t.Helper()
		o := Options{Dir: t.TempDir(), From: from}
		update(t, o)
		names := map[string]string{"manifest": filepath.Join(o.Dir, manifestName)}
		for name := range kept(t, o.Dir) {
			if source, _, ok := strings.Cut(name, "-"); ok {
				names[source] = filepath.Join(o.Dir, name)
			}
		}
		return o, names
	}
	manifest := func(file string) string {
		return `{"layout":1,"sources":{"kev":{"file":"` + file + `","sha256":"x"}}}`
	}
	for _, c := range []struct{ name, file, data, opening, reading string }{
		{"cut", KEV, "\x1f\x8b", "", "stored feed kev"},
		{"gone", KEV, "", "", "stored feed kev"},
		{"other scores", EPSS, "RSEPSS1\n", "", "stored feed epss"},
		{"a manifest of rubbish", "manifest", "{", "damaged and not used", ""},
		{"an older manifest", "manifest", `{"layout":0}`, "its layout is 0", ""},
		{"a path up", "manifest", manifest("../../etc/passwd"), "names files that no update writes", ""},
		{"a path down", "manifest", manifest("kev-0000000000000000.json.gz/../x"), "names files that no update writes", ""},
		{"another hash", KEV, "another", "", "stored feed kev"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, names := fresh(t)
			var err error
			if c.data == "" {
				err = os.Remove(names[c.file])
			} else {
				err = os.WriteFile(names[c.file], []byte(c.data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			store, err := Open(o.Dir)
			if (err != nil) != (c.opening != "") || err != nil && !strings.Contains(err.Error(), c.opening) {
				t.Errorf("open: %v, want %q", err, c.opening)
			}
			damaged := store.Damaged()
			if (len(damaged) == 1) != (c.reading != "") || len(damaged) == 1 && !strings.Contains(damaged[c.file].Error(), c.reading) {
				t.Errorf("damaged: %v, want %q", damaged, c.reading)
			}
			// An update heals it.
			for _, one := range update(t, o) {
				if one.Status == Failed {
					t.Error(one.Err)
				}
			}
			if store, err = Open(o.Dir); err != nil || len(store.Damaged()) != 0 {
				t.Errorf("after another update: %v, %v", err, store.Damaged())
			}
		})
	}
}

// A link out of the directory is not followed.
func TestLinkOut(t *testing.T) {
	o := Options{Dir: t.TempDir(), From: folder(t, map[string]string{"kev.json": samples(t)[KEV]})}
	update(t, o)
	outside := filepath.Join(t.TempDir(), "file")
	for name, data := range kept(t, o.Dir) {
		if strings.HasPrefix(name, "kev-") {
			path := filepath.Join(o.Dir, name)
			if err := os.WriteFile(outside, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	store, err := Open(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := store.Catalogue(); c != nil || err == nil {
		t.Errorf("read %v, %v", c, err)
	}
}

// What an update left that was killed before it wrote the manifest is as if it
// had never been, and goes with the next.
func TestKilledUpdate(t *testing.T) {
	whole := samples(t)
	o := Options{Dir: t.TempDir(), From: folder(t, map[string]string{"kev.json": whole[KEV]})}
	update(t, o)
	before := kept(t, o.Dir)
	d, err := openDisk(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	k := kinds()[0]
	c, err := k.read([]io.Reader{strings.NewReader(strings.Replace(whole[KEV], "CVE-2020-1350", "CVE-2021-1350", 1))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.store(k, fetched{content: c}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.scratch(); err != nil { // half a download
		t.Fatal(err)
	}
	d.close()
	if n := len(kept(t, o.Dir)); n != len(before)+2 {
		t.Fatalf("%d files", n)
	}
	store, err := Open(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := store.Catalogue(); err != nil || c.Entries[0].ID != "CVE-2020-1350" {
		t.Errorf("%+v, %v", c, err)
	}
	mine := filepath.Join(o.Dir, "kev-mine.txt")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Now = func() time.Time { return time.Now().Add(time.Hour) }
	update(t, o)
	if n := len(kept(t, o.Dir)); n != len(before)+1 {
		t.Errorf("%d files are left, %d were there and one is not ours", n, len(before))
	}
}

// A reader that opened the store before an update replaced it reads the new one.
func TestReadWhileReplaced(t *testing.T) {
	whole := samples(t)
	o := Options{Dir: t.TempDir(), From: folder(t, map[string]string{"kev.json": whole[KEV]})}
	update(t, o)
	store, err := Open(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	o.From = folder(t, map[string]string{"kev.json": strings.Replace(whole[KEV], "CVE-2020-1350", "CVE-2021-1350", 1)})
	update(t, o)
	if c, _, err := store.Catalogue(); err != nil || c.Entries[0].ID != "CVE-2021-1350" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestNothingStored(t *testing.T) {
	store, err := Open(filepath.Join(t.TempDir(), "missing"))
	if err != nil || store.Stored() != nil || len(store.Damaged()) != 0 {
		t.Errorf("%v", err)
	}
	if c, _, err := store.Catalogue(); c != nil || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(`{"layout":1,"sources":{"kev":{"file":"kev-0123456789abcdef.json.gz","sha256":"","bytes":1}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, manifestName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := Open(dir)
		if err == nil && len(store.Stored()) != len(store.Damaged()) {
			t.Errorf("%d stored, %d damaged", len(store.Stored()), len(store.Damaged()))
		}
	})
}

// What a newer program has stored is neither used nor touched.
func TestNewerStore(t *testing.T) {
	o := Options{Dir: t.TempDir(), From: folder(t, map[string]string{"kev.json": samples(t)[KEV]})}
	update(t, o)
	if err := os.WriteFile(filepath.Join(o.Dir, manifestName), []byte(`{"layout":9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	before := kept(t, o.Dir)
	if _, err := Open(o.Dir); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("open: %v", err)
	}
	if _, err := Update(t.Context(), o); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("update: %v", err)
	}
	if d := cmp.Diff(before, kept(t, o.Dir)); d != "" {
		t.Error(d)
	}
}

// An update of which everything fails takes nothing away from a damaged store.
func TestFailedUpdateOfDamagedStore(t *testing.T) {
	o := Options{Dir: t.TempDir(), From: folder(t, map[string]string{"kev.json": samples(t)[KEV]})}
	update(t, o)
	if err := os.WriteFile(filepath.Join(o.Dir, manifestName), []byte(`{`), 0o600); err != nil {
		t.Fatal(err)
	}
	before := kept(t, o.Dir)
	o.From = folder(t, map[string]string{"kev.json": "{"})
	if got := update(t, o)[KEV]; got.Status != Failed {
		t.Errorf("%+v", got)
	}
	if d := cmp.Diff(before, kept(t, o.Dir)); d != "" {
		t.Error(d)
	}
}
