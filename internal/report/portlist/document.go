package portlist

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"reconshield/internal/exposure"
)

// documentFormat is a format whose file is one document with a beginning and
// an end. Each row is a line that needs no other. Blanks between lines mean
// nothing.
type documentFormat interface {
	head() []byte
	row(b []byte, o exposure.Observation, first bool) []byte // appends one line
	tail() []byte                                            // closes a document that was cut off; below a page
	end(s Summary) []byte                                    // closes a whole one
	// reread gives the rows of an earlier file, cut off or whole, as row
	// writes them.
	reread(old io.Reader, add func(row []byte) error) error
	// assemble writes the final form, from head to end; a nil summary is that
	// of a run that was cut off.
	assemble(w *bufio.Writer, body *io.SectionReader, s *Summary) error
}

// document keeps the file a whole document at every moment: behind the rows
// stands a stretch of blanks, then the tail. Rows are written over the blanks,
// page by page. When they are used up, the tail moves on: two small writes,
// between which a document is broken for some microseconds, each time the
// rows have doubled. At the end the rows are copied into their final form,
// which takes the file's place in one step where the system allows.
type document struct {
	format documentFormat
	out    *output
	pager  *pager
	body   int64 // offset of the first row
	tailAt int64 // offset of the tail
	some   bool  // there is a row
	buf    []byte
}

const (
	firstRoom = 4 * pageSize
	mostRoom  = 32 << 20 // by which the room for rows grows at once
)

func newDocument(out *output, format documentFormat) (*document, error) {
	d := &document{format: format, out: out}
	if out.file == nil {
		d.pager = newPager(out, padBlank)
		return d, errors.Join(d.pager.add(format.head()), d.pager.flush())
	}
	if out.path == "" {
		return d, d.begin(nil)
	}
	if out.keep {
		if err := out.holds(format.head()[:len("<?xml ver")]); err != nil {
			return nil, err
		}
	}
	old, target := out.file, *out
	temp, err := createBeside(out.path)
	if err == nil {
		out.file, out.w, out.start = temp, temp, 0
		var rows io.Reader
		if out.keep {
			rows = io.NewSectionReader(old, 0, 1<<62)
		}
		if err = d.begin(rows); err == nil {
			err = os.Rename(temp.Name(), resolved(out.path))
		}
		if err == nil {
			return d, old.Close()
		}
		_ = temp.Close()
		_ = os.Remove(temp.Name())
		*out = target
	}
	// The directory or the system does not let files be replaced.
	if out.keep {
		return nil, fmt.Errorf("cannot add to %s: %w; take another file, or the format jsonl", out.path, err)
	}
	*d = document{format: format, out: out}
	if err := old.Truncate(0); err != nil {
		return nil, err
	}
	return d, d.begin(nil)
}

// begin writes a document without rows, or with those of an earlier file.
func (d *document) begin(old io.Reader) error {
	head := d.format.head()
	d.pager = newPager(d.out, padBlank)
	d.pager.next = d.makeRoom
	d.body = d.out.start + int64(len(head))
	d.tailAt = (d.body + firstRoom) / pageSize * pageSize
	first := append(bytes.Clone(head), bytes.Repeat([]byte(" "), int(d.tailAt-d.body))...)
	if _, err := d.out.file.WriteAt(append(first, d.format.tail()...), d.out.start); err != nil {
		return err
	}
	if err := d.pager.add(head); err != nil {
		return err
	}
	if old == nil {
		return nil
	}
	err := d.format.reread(old, func(row []byte) error {
		d.some = true
		return d.pager.add(row)
	})
	return errors.Join(err, d.pager.flush())
}

// makeRoom moves the tail on when the page at the offset would overwrite it.
func (d *document) makeRoom(at int64) error {
	if at+pageSize <= d.tailAt {
		return nil
	}
	tail := d.format.tail()
	grow := min(max(d.tailAt-d.out.start, firstRoom), mostRoom) / pageSize * pageSize
	next := d.tailAt + grow
	// Blanks behind the tail do no harm, so they come first.
	blank := bytes.Repeat([]byte(" "), 64*pageSize)
	for off := d.tailAt + int64(len(tail)); off < next; {
		n, err := d.out.file.WriteAt(blank[:min(int64(len(blank)), next-off)], off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	// A disk that is full tells so before the first of the two writes.
	if _, err := d.out.file.WriteAt(blank[:len(tail)], next); err != nil {
		return err
	}
	if _, err := d.out.file.WriteAt(tail, next); err != nil {
		return err
	}
	if _, err := d.out.file.WriteAt(blank[:len(tail)], d.tailAt); err != nil {
		return err
	}
	d.tailAt = next
	return nil
}

func (d *document) rows(batch []exposure.Observation) error {
	for _, o := range batch {
		d.buf = d.format.row(d.buf[:0], o, !d.some)
		d.some = true
		if err := d.pager.add(d.buf); err != nil {
			return err
		}
	}
	return d.pager.flush()
}

func (d *document) end(s Summary) error { return d.finish(&s) }

// finish writes the final form.
func (d *document) finish(s *Summary) error {
	closing := d.format.tail()
	if s != nil {
		closing = d.format.end(*s)
	}
	defer func() { d.pager = nil }()
	if d.out.file == nil {
		return errors.Join(d.pager.add(closing), d.pager.flush())
	}
	if err := d.pager.flush(); err != nil {
		return err
	}
	if d.out.path != "" && d.replace(s) == nil {
		return nil
	}
	if _, err := d.out.file.WriteAt(closing, d.pager.end()); err != nil {
		return err
	}
	if err := d.out.file.Truncate(d.pager.end() + int64(len(closing))); err != nil {
		return err
	}
	_, err := d.out.file.Seek(0, io.SeekEnd)
	return err
}

// replace puts the final form in the file's place. When it fails, the file is
// as it was.
func (d *document) replace(s *Summary) error {
	temp, err := createBeside(d.out.path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(temp, 256<<10)
	err = d.format.assemble(w, io.NewSectionReader(d.out.file, d.body, d.pager.end()-d.body), s)
	err = errors.Join(err, w.Flush(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), resolved(d.out.path))
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}

func (d *document) close() error {
	var err error
	if d.pager != nil {
		err = d.finish(nil)
	}
	return errors.Join(err, d.out.close())
}

// createBeside creates a file that can take the place of the one at path, with
// its permissions.
func createBeside(path string) (*os.File, error) {
	path = resolved(path)
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err == nil {
		err = temp.Chmod(info.Mode().Perm())
	}
	if err != nil {
		_ = temp.Close()
		_ = os.Remove(temp.Name())
		return nil, err
	}
	return temp, nil
}

// resolved follows links, for a link must not be replaced by a file.
func resolved(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// eachLine gives each line of r without its newline and without the blanks
// around it; empty lines are left out. The slice is valid until f returns.
func eachLine(r io.Reader, f func(line []byte) error) error {
	in := bufio.NewReaderSize(r, 256<<10)
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, part...)
			continue
		}
		if len(long) > 0 {
			part = append(long, part...)
			long = nil
		}
		if line := bytes.Trim(part, " \n"); len(line) > 0 {
			if err := f(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
