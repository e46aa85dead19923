package portlist

import (
	"bytes"
	"io"
)

// pageSize is the unit of writing. The kernel may end a write when the process
// is killed, but only between pages; and POSIX promises that a write of so
// many bytes to a pipe is not torn (PIPE_BUF is 4096 on Linux).
const pageSize = 4096

// pager packs whole records into pages and writes each page in one call. In a
// regular file no record crosses a page, so a kill leaves only whole records:
// what remains of a page is padded. A stream gets the same pieces, unpadded.
type pager struct {
	out *output
	// pad makes page longer by n bytes without changing what it means.
	pad func(page []byte, n int) []byte
	// next, if set, is called before a page that begins at the offset is
	// written for the first time.
	next func(at int64) error

	at    int64  // of page in the file
	page  []byte // what is in it
	clean int    // bytes of page that are written
}

func newPager(out *output, pad func([]byte, int) []byte) *pager {
	return &pager{out: out, pad: pad, at: out.start, page: make([]byte, 0, pageSize)}
}

// room is how much more fits into the page.
func (p *pager) room() int {
	if p.out.file == nil {
		return pageSize - len(p.page)
	}
	return pageSize - int(p.at%pageSize) - len(p.page)
}

// end is the offset behind the last record.
func (p *pager) end() int64 { return p.at + int64(len(p.page)) }

// add appends one record. One that is larger than a page is written in several.
func (p *pager) add(record []byte) error {
	if len(record) > p.room() && len(p.page) > 0 {
		if err := p.turn(); err != nil {
			return err
		}
	}
	for len(record) > p.room() {
		n := p.room()
		p.page = append(p.page, record[:n]...)
		record = record[n:]
		if err := p.turn(); err != nil {
			return err
		}
	}
	p.page = append(p.page, record...)
	return nil
}

// turn writes the page, filled up, and begins the next.
func (p *pager) turn() error {
	if room := p.room(); p.out.file != nil && room > 0 {
		p.page = p.pad(p.page, room)
	}
	if err := p.flush(); err != nil {
		return err
	}
	p.at = p.end()
	p.page, p.clean = p.page[:0], 0
	if p.next != nil && p.out.file != nil {
		return p.next(p.at)
	}
	return nil
}

// flush writes what is not written yet. A page that grew is written whole: the
// bytes before are the same, or its last record was padded.
func (p *pager) flush() error {
	if len(p.page) == p.clean {
		return nil
	}
	if p.out.file == nil {
		_, err := p.out.w.Write(p.page)
		p.page = p.page[:0]
		return err
	}
	_, err := p.out.file.WriteAt(p.page, p.at)
	if err == nil {
		p.clean = len(p.page)
	}
	return err
}

// settle leaves the file's position behind the end, for whoever writes next to
// a file that was not opened here.
func (p *pager) settle() error {
	if p.out.file == nil {
		return nil
	}
	_, err := p.out.file.Seek(p.end(), io.SeekStart)
	return err
}

// padBlank adds blanks at the end.
func padBlank(page []byte, n int) []byte {
	return append(page, bytes.Repeat([]byte(" "), n)...)
}

// padLine adds blanks at the end of the last line, before its newline.
func padLine(page []byte, n int) []byte {
	end := len(page) - 1
	if end < 0 || page[end] != '\n' {
		return padBlank(page, n) // a piece of a longer record
	}
	return append(padBlank(page[:end], n), '\n')
}

// resume finds where to go on in a file of lines: behind the last whole line,
// or before it when drop says so. What follows is cut off.
func (p *pager) resume(drop func(line []byte) bool) error {
	info, err := p.out.file.Stat()
	if err != nil {
		return err
	}
	const window = 64 << 10 // more than the longest line
	from := max(info.Size()-window, 0) / pageSize * pageSize
	text := make([]byte, info.Size()-from)
	if _, err := p.out.file.ReadAt(text, from); err != nil && err != io.EOF {
		return err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	if n := len(text); n > 0 {
		last := bytes.LastIndexByte(text[:n-1], '\n') + 1
		if drop(text[last:]) {
			text = text[:last]
		}
	}
	if err := p.out.file.Truncate(from + int64(len(text))); err != nil {
		return err
	}
	begin := len(text) / pageSize * pageSize
	p.at = from + int64(begin)
	p.page = append(p.page[:0], text[begin:]...)
	p.clean = len(p.page)
	return nil
}
