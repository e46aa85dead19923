package portlist

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/exposure"
)

// writerEnv makes the test binary the process that is killed: "format path".
const writerEnv = "PORTLIST_TEST_WRITER"

func TestMain(m *testing.M) {
	if job := os.Getenv(writerEnv); job != "" {
		format, path, _ := strings.Cut(job, " ")
		fmt.Fprintln(os.Stderr, writeForever(Format(format), path, os.Stdout))
		return
	}
	m.Run()
}

// writeForever writes rows as fast as it can, and a line to said for each step
// of some rows.
func writeForever(format Format, path string, said io.Writer) error {
	opts := sampleOptions()
	opts.Continue = true
	w, err := Open(format, path, opts)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		if err := w.Port(numbered(n)); err != nil {
			return err
		}
		if n%64 == 0 {
			if _, err := fmt.Fprintln(said, n); err != nil {
				return err
			}
		}
	}
}

// numbered is a row whose length varies with n, and that says n.
func numbered(n int) exposure.Observation {
	o := row(n, numberedAddr(n).String(), uint16(n), exposure.TCP, exposure.Open, exposure.ReasonSynAck, 0)
	if n%3 == 0 {
		o.Detail = strings.Repeat("détail, \"quoted\" ", n%40)
	}
	return o
}

func numberedAddr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// TestKill: whenever the writer is killed, the file is whole, says no row
// wrongly, and a later run can go on with it.
func TestKill(t *testing.T) {
	for _, format := range Formats() {
		if format == Table {
			continue
		}
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(tearingDir(t), "out")
			rows := 0
			for round := range 10 {
				killWriter(t, format, path, rand.IntN(1<<(2+round)))
				got := readRows(t, format, path)
				if got < rows {
					t.Fatalf("round %d: %d rows, %d before", round, got, rows)
				}
				rows = got
			}
			if rows == 0 {
				t.Fatal("no row survived any kill: the test kills too early to mean anything")
			}
			t.Logf("%d rows", rows)
		})
	}
}

// tearingDir is on a memory file system where there is one: a kill ends a write
// there after any page, which disks do in larger steps only.
func tearingDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "portlist-test-") //nolint:usetesting // another file system is the point
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// killWriter kills a writer after it said so many lines.
func killWriter(t *testing.T, format Format, path string, after int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s", writerEnv, format, path))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range after + 1 {
		if !lines.Scan() {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the writer ended by itself: %v %s", err, stderr.String())
	}
}

// readRows reads a file strictly and counts its rows; the rows must be right.
func readRows(t *testing.T, format Format, path string) int {
	t.Helper()
	switch format {
	case JSONL:
		return readJSONL(t, content(t, path))
	case JSON:
		return len(readJSON(t, content(t, path)).Ports)
	case CSV:
		return readCSV(t, content(t, path))
	case XML:
		n := 0
		for _, h := range readXML(t, content(t, path)).Hosts {
			n += len(h.Ports)
		}
		return n
	case SQLite:
		return readSQLite(t, path)
	case Table:
	}
	t.Fatalf("no reader for %s", format)
	return 0
}

type jsonPort struct {
	Type, Address, Transport, State, Reason, Time, Detail string
	Port                                                  int
	RTT                                                   *float64 `json:"rtt_ms"`
}

func (p jsonPort) check(t *testing.T) {
	t.Helper()
	if a, err := netip.ParseAddr(p.Address); p.Type != "port" || err != nil || p.State == "" || p.Reason == "" || p.Time == "" || p.Transport == "" {
		t.Fatalf("not a row (%s): %+v", a, p)
	}
}

func readJSONL(t *testing.T, text string) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			t.Fatalf("cut line: %q", line)
		}
		var p jsonPort
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if p.Type == "port" {
			p.check(t)
			n++
		}
	}
	return n
}

type jsonFile struct {
	Ports   []jsonPort
	Summary *struct {
		Completeness *float64
		Seed         string
	}
}

func readJSON(t *testing.T, text string) (doc jsonFile) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		t.Fatalf("%v in %d bytes", err, len(text))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("something follows the document: %v", err)
	}
	for _, p := range doc.Ports {
		p.check(t)
	}
	return doc
}

func readCSV(t *testing.T, text string) int {
	t.Helper()
	if text == "" {
		return 0 // killed before it began
	}
	if !strings.HasSuffix(text, "\n") {
		t.Fatalf("cut line: %q", text[max(len(text)-200, 0):])
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows[1:] {
		if _, err := netip.ParseAddr(r[0]); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
	}
	return len(rows) - 1
}

type xmlFile struct {
	XMLName xml.Name `xml:"nmaprun"`
	Scanner string   `xml:"scanner,attr"`
	Hosts   []struct {
		Address struct {
			Addr string `xml:"addr,attr"`
			Type string `xml:"addrtype,attr"`
		} `xml:"address"`
		Status struct {
			State string `xml:"state,attr"`
		} `xml:"status"`
		Ports []xmlPort `xml:"ports>port"`
	} `xml:"host"`
	Stats struct {
		Finished struct {
			Exit string `xml:"exit,attr"`
		} `xml:"finished"`
	} `xml:"runstats"`
}

type xmlPort struct {
	Port     int    `xml:"portid,attr"`
	Protocol string `xml:"protocol,attr"`
	State    struct {
		State  string `xml:"state,attr"`
		Reason string `xml:"reason,attr"`
	} `xml:"state"`
}

func readXML(t *testing.T, text string) (doc xmlFile) {
	t.Helper()
	if text == "" {
		return doc
	}
	dec := xml.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if chars, ok := tok.(xml.CharData); err != nil || !ok || strings.TrimSpace(string(chars)) != "" {
			t.Fatalf("something follows the document: %v %v", tok, err)
		}
	}
	for _, h := range doc.Hosts {
		if _, err := netip.ParseAddr(h.Address.Addr); err != nil || len(h.Ports) == 0 {
			t.Fatalf("host %+v: %v", h, err)
		}
	}
	return doc
}

func readSQLite(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var check string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Fatalf("integrity: %s %v", check, err)
	}
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM port").Scan(&n); err != nil {
		if strings.Contains(err.Error(), "no such table") {
			return 0 // killed before it began
		}
		t.Fatal(err)
	}
	return n
}
