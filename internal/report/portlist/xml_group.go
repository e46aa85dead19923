package portlist

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"html"
	"io"
	"net/netip"
	"slices"
	"strconv"
)

// maxGrouped is how many ports are put in order, to bound memory (48 bytes
// each). A file with more keeps one host element a port.
const maxGrouped = 500_000

// xmlPiece is where a port element stands.
type xmlPiece struct {
	addr   netip.Addr
	at     uint32 // Unix seconds
	offset int64
	size   int32
	port   uint16
	udp    bool
	up     bool
}

// assemble gathers the ports by host, in the order of addresses and ports.
func (d xmlDocument) assemble(w *bufio.Writer, body *io.SectionReader, s *Summary) error {
	_, _ = w.Write(d.head()) // the writer keeps its first error
	pieces, err := xmlPieces(body)
	if err != nil {
		return err
	}
	if pieces == nil {
		_, _ = body.Seek(0, io.SeekStart)
		err = eachLine(body, func(line []byte) error {
			_, _ = w.Write(line)
			return w.WriteByte('\n')
		})
	} else {
		err = d.writeGrouped(w, body, pieces)
	}
	closing := d.tail()
	if s != nil {
		closing = d.end(*s)
	}
	_, _ = w.Write(closing)
	return err
}

// xmlPieces finds every port element; nil when there are none or too many.
func xmlPieces(body *io.SectionReader) ([]xmlPiece, error) {
	var pieces []xmlPiece
	in := bufio.NewReaderSize(body, 256<<10)
	for offset := int64(0); ; {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			pieces = appendPieces(pieces, line, offset)
			offset += int64(len(line))
		}
		if len(pieces) > maxGrouped {
			return nil, nil
		}
		if errors.Is(err, io.EOF) {
			return pieces, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

// appendPieces reads a host element that this package wrote.
func appendPieces(pieces []xmlPiece, line []byte, offset int64) []xmlPiece {
	addr, err := netip.ParseAddr(string(attrOf(line, "addr")))
	if err != nil {
		return pieces
	}
	at, _ := strconv.ParseUint(string(attrOf(line, "endtime")), 10, 32)
	up := bytes.Contains(line, []byte(`<status state="up"`))
	for from := 0; ; {
		i := bytes.Index(line[from:], []byte("<port "))
		if i < 0 {
			return pieces
		}
		from += i
		n := bytes.Index(line[from:], []byte("</port>"))
		if n < 0 {
			return pieces
		}
		n += len("</port>")
		element := line[from : from+n]
		port, _ := strconv.ParseUint(string(attrOf(element, "portid")), 10, 16)
		pieces = append(pieces, xmlPiece{
			addr: addr, at: uint32(at), offset: offset + int64(from), size: int32(n),
			port: uint16(port), udp: bytes.Contains(element, []byte(`protocol="udp"`)), up: up,
		})
		from += n
	}
}

// attrOf is the value of the first attribute of that name.
func attrOf(element []byte, name string) []byte {
	_, rest, ok := bytes.Cut(element, []byte(" "+name+`="`))
	if !ok {
		return nil
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return value
}

func (d xmlDocument) writeGrouped(w *bufio.Writer, body *io.SectionReader, pieces []xmlPiece) error {
	slices.SortStableFunc(pieces, func(a, b xmlPiece) int {
		return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(btoi(a.udp), btoi(b.udp)), cmp.Compare(a.port, b.port))
	})
	var buf []byte
	for i := 0; i < len(pieces); {
		end := i
		h := xmlHost{addr: pieces[i].addr, start: int64(pieces[i].at), reason: "no-response"}
		for ; end < len(pieces) && pieces[end].addr == h.addr; end++ {
			p := pieces[end]
			h.start, h.end = min(h.start, int64(p.at)), max(h.end, int64(p.at))
			if p.up && !h.up {
				h.up, h.reason = true, ""
			}
		}
		var ports []byte
		for j, p := range pieces[i:end] {
			if next := i + j + 1; next < end && pieces[next].port == p.port && pieces[next].udp == p.udp {
				continue // measured again after a kill: the later verdict stands
			}
			buf = slices.Grow(buf[:0], int(p.size))[:p.size]
			if _, err := body.ReadAt(buf, p.offset); err != nil {
				return err
			}
			if p.up && h.reason == "" {
				h.reason = html.UnescapeString(string(attrOf(buf, "reason")))
			}
			ports = append(append(ports, buf...), '\n')
		}
		_, _ = w.Write(h.open(nil, knownNames(d.opts.Names, h.addr)))
		_ = w.WriteByte('\n')
		_, _ = w.Write(ports)
		if _, err := w.WriteString(xmlHostEnd + "\n"); err != nil {
			return err
		}
		i = end
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// reread takes the host elements of an earlier file: one a line in a run that
// was cut off, spread over lines by assemble.
func (xmlDocument) reread(old io.Reader, add func([]byte) error) error {
	var host []byte
	return eachLine(old, func(line []byte) error {
		switch {
		case bytes.HasPrefix(line, []byte("<host ")) && bytes.HasSuffix(line, []byte(xmlHostEnd)):
			return add(append(bytes.Clone(line), '\n'))
		case bytes.HasPrefix(line, []byte("<host ")):
			host = bytes.Clone(line)
		case bytes.HasPrefix(line, []byte("<port ")) && host != nil:
			return add(slices.Concat(host, line, []byte(xmlHostEnd+"\n")))
		}
		return nil
	})
}
