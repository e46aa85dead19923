// Package portlist writes what a port scan finds, while it finds it: a table
// for people, JSON Lines, JSON, CSV, XML in the structure that readers of Nmap
// files know, and SQLite; and it shows the scan's progress. A file is readable
// at every moment, also after the process was killed. The package measures
// nothing, decides no verdict and chooses no row: what it is given, it writes.
package portlist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"reconshield/internal/exposure"
)

// Format names a form of the output.
type Format string

// Formats.
const (
	Table  Format = "table"
	JSONL  Format = "jsonl"
	JSON   Format = "json"
	CSV    Format = "csv"
	XML    Format = "xml"
	SQLite Format = "sqlite"
)

// Formats lists every format, the default first.
func Formats() []Format { return []Format{Table, JSONL, JSON, CSV, XML, SQLite} }

// ParseFormat reads a format's name, in any case. The error lists the names.
func ParseFormat(s string) (Format, error) {
	f := Format(strings.ToLower(strings.TrimSpace(s)))
	if slices.Contains(Formats(), f) {
		return f, nil
	}
	names := make([]string, 0, len(Formats()))
	for _, known := range Formats() {
		names = append(names, string(known))
	}
	return "", fmt.Errorf("unknown format %q: use one of %s", s, strings.Join(names, ", "))
}

// Row is one verdict.
type Row = exposure.Observation

// Writer takes verdicts as they are reached. Its methods may be called from
// several goroutines. A failed write does not end the run that measures: every
// later call returns the same error, which counts the verdicts that are
// missing in the output.
type Writer interface {
	// Port adds a verdict. It returns at once unless the output is slower than
	// the scan by thousands of verdicts. The labels and the service must not
	// be changed afterwards.
	Port(o exposure.Observation) error
	// End writes everything and the summary. Nothing may be added afterwards.
	End(s Summary) error
	// Close releases the output; without End before, it writes what it has and
	// leaves the form of a run that was cut off. A second call does nothing.
	Close() error
}

// Options say what an output tells of the run, and how a table is shown. The
// zero value is plain text, 100 columns wide.
type Options struct {
	// Width is the number of columns of a table; 0 means 100, and less than 40
	// is taken as 40.
	Width int
	// Color allows ANSI colours in a table. Meaning never rests on colour alone.
	Color bool
	// ASCII replaces the signs of a table by ASCII characters.
	ASCII bool
	// Continue adds to the file of an earlier run of the same scan instead of
	// replacing it. A file that is not there is begun.
	Continue bool
	// Names gives the names of an address; nil when none are known.
	Names func(netip.Addr) []string
	// Registered gives the name that a port is registered under over a transport,
	// "" for none; it says nothing of what listens. It must be safe for
	// concurrent use. Nil knows no name.
	Registered func(port uint16, t exposure.Transport) string

	Tool    string   // "reconshield"
	Version string   // of the tool
	Args    []string // the command line, for the XML
	Started time.Time
	Mode    string   // "raw" or "connect"
	Scope   []string // the expressions given
	TCP     string   // the ports measured, as "1-1024,8080"; "" for none
	UDP     string
}

// registered bounds the name of a port, which may come from a file.
func registered(names func(uint16, exposure.Transport) string, o exposure.Observation) string {
	const longest = 64
	if names == nil {
		return ""
	}
	return cut(names(o.Port, o.Transport), longest)
}

// backend is one format. Its methods are called by one goroutine only, rows
// first, then end at most once, then close once.
type backend interface {
	rows(batch []exposure.Observation) error
	end(s Summary) error
	close() error
}

// New writes to w, which New does not close. A regular file given here (as by a
// shell's redirection) is written from its present position on and is readable
// at every moment as one given to Open is, except that XML is not grouped by
// host. SQLite needs Open.
func New(format Format, w io.Writer, opts Options) (Writer, error) {
	if w == nil {
		return nil, errors.New("nothing to write results to")
	}
	b, err := newBackend(format, newOutput(w), opts)
	if err != nil {
		return nil, err
	}
	return newQueue(string(format), b), nil
}

// Open writes to the file of that name, which it replaces unless
// opts.Continue. "-" is not special.
func Open(format Format, path string, opts Options) (Writer, error) {
	if format == SQLite {
		b, err := openSQLite(path, opts)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
		return newQueue(path, b), nil
	}
	out, err := openOutput(path, opts.Continue)
	if err != nil {
		return nil, err
	}
	b, err := newBackend(format, out, opts)
	if err != nil {
		_ = out.close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return newQueue(path, b), nil
}

func newBackend(format Format, out *output, opts Options) (backend, error) {
	switch format {
	case Table:
		return newTable(out, opts)
	case JSONL:
		return newLines(out, jsonLines{opts.encoder()})
	case CSV:
		return newLines(out, csvLines{opts.Registered})
	case JSON:
		return newDocument(out, jsonDocument{opts.encoder()})
	case XML:
		return newDocument(out, newXMLDocument(opts))
	case SQLite:
		return nil, errors.New("a database needs a file: name it with --output")
	}
	_, err := ParseFormat(string(format))
	return nil, err
}

// output is where the bytes go: a regular file, in which parts can be written
// anew, or a stream.
type output struct {
	w     io.Writer
	file  *os.File // nil for a stream
	path  string   // "" when the file was not opened here
	start int64    // of what is ours in the file
	keep  bool     // go on with what the file holds
}

// newOutput looks whether parts of w can be written anew. A file opened for
// appending cannot: each write goes to its end, wherever it was meant for.
func newOutput(w io.Writer) *output {
	out := &output{w: w}
	f, ok := w.(*os.File)
	if !ok {
		return out
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || appends(f) {
		return out
	}
	if at, err := f.Seek(0, io.SeekCurrent); err == nil {
		out.file, out.start = f, at
	}
	return out
}

func openOutput(path string, keep bool) (*output, error) {
	flags := os.O_RDWR | os.O_CREATE
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		flags = os.O_WRONLY // a device or a named pipe
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return nil, err
	}
	out := &output{w: f, path: path}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	if info.Mode().IsRegular() {
		out.file = f
		out.keep = keep && info.Size() > 0
	}
	return out, nil
}

// holds reports an error when the file to go on with does not begin as ours do.
func (o *output) holds(prefix []byte) error {
	got := make([]byte, len(prefix))
	n, err := o.file.ReadAt(got, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.Equal(got[:n], prefix[:n]) {
		return errors.New("the file holds something else than this format: take another file to go on with")
	}
	return nil
}

func (o *output) close() error {
	if c, ok := o.w.(io.Closer); ok && o.path != "" {
		return c.Close()
	}
	return nil
}
