package portlist

import (
	"bufio"
	"bytes"
	"io"

	"reconshield/internal/exposure"
)

// jsonDocument writes {"ports":[…],"summary":{…}}, one verdict a line, with
// the objects of JSON Lines. The summary of a run that was cut off is null.
type jsonDocument struct {
	encode encoder
}

func (jsonDocument) head() []byte { return []byte("{\"ports\":[\n") }

func (f jsonDocument) row(b []byte, o exposure.Observation, first bool) []byte {
	if !first {
		b = append(b, ',')
	}
	return append(appendFitting(b, o, f.encode), '\n')
}

func (jsonDocument) tail() []byte { return []byte("],\"summary\":null}\n") }

func (jsonDocument) end(s Summary) []byte {
	return append(appendSummary([]byte("],\"summary\":"), s), "}\n"...)
}

func (jsonDocument) reread(old io.Reader, add func([]byte) error) error {
	first := true
	return eachLine(old, func(line []byte) error {
		line = bytes.Trim(line, ",")
		if !bytes.HasPrefix(line, []byte(`{"type":"port"`)) {
			return nil
		}
		var row []byte
		if !first {
			row = append(row, ',')
		}
		first = false
		return add(append(append(row, line...), '\n'))
	})
}

func (f jsonDocument) assemble(w *bufio.Writer, body *io.SectionReader, s *Summary) error {
	_, _ = w.Write(f.head()) // the writer keeps its first error
	first := true
	err := eachLine(body, func(line []byte) error {
		if !first {
			_, _ = w.WriteString(",\n")
		}
		first = false
		_, err := w.Write(bytes.TrimPrefix(line, []byte(",")))
		return err
	})
	if !first {
		_ = w.WriteByte('\n')
	}
	closing := f.tail()
	if s != nil {
		closing = f.end(*s)
	}
	_, _ = w.Write(closing)
	return err
}
