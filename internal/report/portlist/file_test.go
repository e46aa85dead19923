package portlist

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
)

func many(n int) []exposure.Observation {
	rows := make([]exposure.Observation, n)
	for i := range rows {
		rows[i] = numbered(i)
	}
	return rows
}

// TestWholeAfterEachFlush: between any two batches the file holds every row of
// the batches before, also while it outgrows its room several times.
func TestWholeAfterEachFlush(t *testing.T) {
	for _, format := range []Format{JSONL, JSON, CSV, XML, SQLite} {
		t.Run(string(format), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			var b backend
			var err error
			if format == SQLite {
				b, err = openSQLite(path, sampleOptions())
			} else {
				out, openErr := openOutput(path, false)
				if openErr != nil {
					t.Fatal(openErr)
				}
				b, err = newBackend(format, out, sampleOptions())
			}
			if err != nil {
				t.Fatal(err)
			}
			sent := 0
			for _, size := range []int{1, 1, 2, 17, 40, 300, 1, 2000, 1} {
				batch := make([]exposure.Observation, size)
				for i := range batch {
					batch[i] = numbered(sent + i)
				}
				if err := b.rows(batch); err != nil {
					t.Fatal(err)
				}
				sent += size
				if got := readRows(t, format, path); got != sent {
					t.Fatalf("%d rows after %d", got, sent)
				}
			}
			if err := b.end(sampleSummary().normal()); err != nil {
				t.Fatal(err)
			}
			if err := b.close(); err != nil {
				t.Fatal(err)
			}
			if got := readRows(t, format, path); got != sent {
				t.Errorf("%d rows at the end, want %d", got, sent)
			}
			left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
			hidden, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
			if n := len(left) + len(hidden); n != 1 {
				t.Errorf("files left behind: %v %v", left, hidden)
			}
		})
	}
}

// TestRedirected: a shell's ">" gives a file that is not ours to replace.
func TestRedirected(t *testing.T) {
	for _, format := range []Format{JSONL, JSON, CSV, XML} {
		for _, before := range []string{"", "printed before\n"} {
			t.Run(string(format)+"/"+strings.TrimSpace(before), func(t *testing.T) {
				f, err := os.Create(filepath.Join(t.TempDir(), "out"))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if _, err := f.WriteString(before); err != nil {
					t.Fatal(err)
				}
				w, err := New(format, f, sampleOptions())
				if err != nil {
					t.Fatal(err)
				}
				s := sampleSummary()
				fill(t, w, many(500), &s)
				if _, err := f.WriteString("\n"); err != nil { // whoever writes next
					t.Fatal(err)
				}
				text, ok := strings.CutPrefix(content(t, f.Name()), before)
				if !ok {
					t.Fatal("what stood in the file is gone")
				}
				copied := filepath.Join(t.TempDir(), "copy")
				if err := os.WriteFile(copied, []byte(strings.TrimSuffix(text, "\n\n")+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				if got := readRows(t, format, copied); got != 500 {
					t.Errorf("%d rows", got)
				}
			})
		}
	}
}

// TestContinue: a second run adds to what the first left, ended or not.
func TestContinue(t *testing.T) {
	s := sampleSummary()
	s.Partial = true
	for _, format := range []Format{JSONL, JSON, CSV, XML, SQLite} {
		for name, first := range map[string]*Summary{"cut off": nil, "stopped": &s} {
			t.Run(string(format)+"/"+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "out")
				opts := sampleOptions()
				opts.Continue = true // of a file that is not there
				rows := many(300)
				file(t, format, path, rows[:200], opts, first)
				text := file(t, format, path, rows[200:], opts, &s)
				if got := readRows(t, format, path); got != 300 {
					t.Errorf("%d rows", got)
				}
				if format == JSONL && strings.Count(text, `"type":"summary"`) != 1 {
					t.Error("the first summary is not the last line and stayed")
				}
				opts.Continue = false
				file(t, format, path, rows[:7], opts, &s)
				if got := readRows(t, format, path); got != 7 {
					t.Errorf("%d rows after a new run", got)
				}
			})
		}
	}
}

// TestLastVerdictStands where one was reached twice, as after a kill.
func TestLastVerdictStands(t *testing.T) {
	rows := []exposure.Observation{numbered(1), numbered(2), numbered(1)}
	rows[0].State, rows[0].Reason = exposure.Filtered, exposure.ReasonTimeout
	s := sampleSummary()
	dir := t.TempDir()
	doc := readXML(t, file(t, XML, filepath.Join(dir, "x"), rows, sampleOptions(), &s))
	if got := doc.Hosts[0].Ports; len(got) != 1 || got[0].State.State != "open" {
		t.Errorf("xml: %+v", got)
	}
	path := filepath.Join(dir, "db")
	file(t, SQLite, path, rows, sampleOptions(), &s)
	if got := readSQLite(t, path); got != 2 {
		t.Errorf("sqlite: %d rows", got)
	}
}

// TestReplacesNoLink: the file behind a link is written, with its permissions.
func TestReplacesNoLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	s := sampleSummary()
	readJSON(t, file(t, JSON, link, sampleRows(), sampleOptions(), &s))
	info, err := os.Lstat(target)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("-rw-r-----", info.Mode().String()); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v %v", info, err)
	}
}

// TestContinueWrongFile: what somebody else wrote is not touched.
func TestContinueWrongFile(t *testing.T) {
	opts := sampleOptions()
	opts.Continue = true
	for _, format := range []Format{JSONL, JSON, CSV, XML, SQLite} {
		path := filepath.Join(t.TempDir(), "letter.txt")
		if err := os.WriteFile(path, []byte("Dear reader,\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(format, path, opts); err == nil {
			t.Errorf("%s went on with a letter", format)
		}
		if got := content(t, path); got != "Dear reader,\n" {
			t.Errorf("%s: %q", format, got)
		}
	}
}

// TestTableInFile: a table is replaced as a whole, or added to.
func TestTableInFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	opts := sampleOptions()
	first := file(t, Table, path, sampleRows(), opts, nil)
	if got := file(t, Table, path, sampleRows()[:1], opts, nil); len(got) >= len(first) {
		t.Errorf("the earlier table shows through: %s", got)
	}
	opts.Continue = true
	if got := file(t, Table, path, sampleRows()[:2], opts, nil); strings.Count(got, "ADDRESS") != 2 {
		t.Errorf("not added: %s", got)
	}
}

// TestDevice: named pipes and other files that cannot be rewritten get a stream.
func TestDevice(t *testing.T) {
	for _, format := range []Format{Table, JSONL, JSON, CSV, XML} {
		w, err := Open(format, os.DevNull, sampleOptions())
		if err != nil {
			t.Fatal(err)
		}
		s := sampleSummary()
		fill(t, w, sampleRows(), &s)
	}
}

func TestSQLiteSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "name with?query#and %41.db")
	s := sampleSummary()
	file(t, SQLite, path, sampleRows(), sampleOptions(), &s)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	plainName := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(plainName, []byte(content(t, path)), 0o600); err != nil {
		t.Fatal(err)
	}
	golden(t, "sqlite.txt", dump(t, plainName))
}

func TestSQLiteOfAnotherVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	file(t, SQLite, path, nil, sampleOptions(), nil)
	exec1(t, path, "PRAGMA user_version=99")
	opts := sampleOptions()
	opts.Continue = true
	if _, err := Open(SQLite, path, opts); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("error %v", err)
	}
}

// TestSQLiteOfVersion1: a file of an earlier release is continued.
func TestSQLiteOfVersion1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	file(t, SQLite, path, sampleRows()[:2], sampleOptions(), nil)
	exec1(t, path, "ALTER TABLE port DROP COLUMN registered; PRAGMA user_version=1")
	opts := sampleOptions()
	opts.Continue = true
	file(t, SQLite, path, sampleRows()[2:], opts, nil)
	text := dump(t, path)
	if !strings.Contains(text, `user_version="2"`) || strings.Count(text, `registered="`) != 3 || strings.Count(text, `address_key="`) != len(sampleRows()) {
		t.Errorf("the file holds\n%s", text)
	}
}

// TestWithoutReplacing: where no second file can stand beside the first, the
// document is closed in place. A name that leaves no room for a longer one
// makes it so.
func TestWithoutReplacing(t *testing.T) {
	s := sampleSummary()
	for _, format := range []Format{JSON, XML} {
		path := filepath.Join(t.TempDir(), strings.Repeat("n", 250))
		if err := os.WriteFile(path, []byte(strings.Repeat("an older and longer file\n", 1e5)), 0o600); err != nil {
			t.Fatal(err)
		}
		text := file(t, format, path, many(700), sampleOptions(), &s)
		if got := readRows(t, format, path); got != 700 {
			t.Errorf("%s: %d rows", format, got)
		}
		opts := sampleOptions()
		opts.Continue = true
		if _, err := Open(format, path, opts); err == nil || !strings.Contains(err.Error(), "another file") {
			t.Errorf("%s: %v", format, err)
		}
		if content(t, path) != text {
			t.Errorf("%s: a run that could not go on changed the file", format)
		}
	}
}
