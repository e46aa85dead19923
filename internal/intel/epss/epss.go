// Package epss reads the scores of FIRST's Exploit Prediction Scoring System in
// the form in which they are published, a CSV with a line about the model above
// its head, gzip or not, and keeps them so that hundreds of thousands load at
// once. It fetches nothing.
package epss

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/intel/feed"
)

// Limits of a file. That of 2026 has 320,000 scores, 10 MB unpacked.
const (
	MaxBytes  = 64 << 20 // unpacked
	maxScores = 1_500_000
	maxLine   = 512
)

// unit is the step of a score, which is published with five decimals or more.
const unit = 1e-6

// Scores are the probabilities that a vulnerability will be exploited within 30
// days. Immutable and safe for concurrent use; the zero value knows none.
type Scores struct {
	date    string
	records string // see encode.go
}

// score is a record that was read.
type score struct {
	key   uint64
	value uint32 // in units
}

// keyOf orders CVE identifiers by year and number.
func keyOf(id string) (uint64, bool) {
	const numberBits = 48
	year, number, ok := feed.CVE(id)
	return uint64(year)<<numberBits | number, ok
}

// Parse reads a file. On an error nothing that was read can be relied on.
func Parse(r io.Reader) (*Scores, error) {
	s, err := parse(r)
	if err != nil {
		return nil, fmt.Errorf("EPSS scores: %w", err)
	}
	return s, nil
}

func parse(r io.Reader) (*Scores, error) {
	plain, err := unpacked(r)
	if err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: plain, N: MaxBytes + 1}
	f := file{}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	for n := 1; lines.Scan(); n++ {
		if err := f.line(lines.Text()); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	switch err := lines.Err(); {
	case limited.N <= 0:
		return nil, fmt.Errorf("they are longer than %d bytes", MaxBytes)
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("the file is cut off")
	case err != nil:
		return nil, err
	case len(f.scores) == 0:
		return nil, errors.New("there are none in the file")
	}
	return f.done()
}

// unpacked sees whether r is compressed.
func unpacked(r io.Reader) (io.Reader, error) {
	const magic = "\x1f\x8b"
	b := bufio.NewReader(r)
	if head, err := b.Peek(len(magic)); err != nil || string(head) != magic {
		return b, nil //nolint:nilerr // a file of one byte is read as text and refused there
	}
	return gzip.NewReader(b)
}

// file is what was read of one so far.
type file struct {
	date   string
	headed bool
	// columns: their number and where they stand; -1 for one that is missing
	width, cve, epss, percentile int
	scores                       []score
}

func (f *file) line(line string) error {
	line = strings.TrimSpace(line)
	switch {
	case line == "":
		return nil
	case strings.HasPrefix(line, "#"):
		return f.about(line[1:])
	case !f.headed:
		return f.head(line)
	}
	if n := strings.Count(line, ",") + 1; n != f.width {
		return fmt.Errorf("it has %d columns and the head has %d: the file is cut off or damaged", n, f.width)
	}
	id := column(line, f.cve)
	key, ok := keyOf(id)
	if !ok {
		return fmt.Errorf("%.30q is no CVE identifier", id)
	}
	p, ok := share(column(line, f.epss))
	if !ok {
		return fmt.Errorf("%s: the score %.30q is no number from 0 to 1", id, column(line, f.epss))
	}
	if f.percentile >= 0 {
		if _, ok := share(column(line, f.percentile)); !ok {
			return fmt.Errorf("%s: the percentile %.30q is no number from 0 to 1", id, column(line, f.percentile))
		}
	}
	if len(f.scores) == maxScores {
		return fmt.Errorf("there are more than %d scores", maxScores)
	}
	f.scores = append(f.scores, score{key, uint32(math.Round(p / unit))})
	return nil
}

// about reads "model_version:v2025.03.14,score_date:2026-11-23T12:00:00Z".
func (f *file) about(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if stamp, ok := strings.CutPrefix(strings.TrimSpace(part), "score_date:"); ok {
			if f.date = feed.Date(stamp); f.date == "" {
				return fmt.Errorf("score_date %.30q is no date", stamp)
			}
		}
	}
	return nil
}

func (f *file) head(line string) error {
	names := strings.Split(strings.TrimPrefix(line, "\ufeff"), ",")
	f.width, f.cve, f.epss, f.percentile = len(names), slices.Index(names, "cve"), slices.Index(names, "epss"), slices.Index(names, "percentile")
	if f.cve < 0 || f.epss < 0 {
		return errors.New("the head must name the columns cve and epss")
	}
	f.headed = true
	return nil
}

// column is the n-th cell of a line; no cell of these files is quoted.
func column(line string, n int) string {
	for range n {
		_, line, _ = strings.Cut(line, ",")
	}
	cell, _, _ := strings.Cut(line, ",")
	return cell
}

func share(text string) (float64, bool) {
	p, err := strconv.ParseFloat(text, 64)
	return p, err == nil && p >= 0 && p <= 1
}

func (f *file) done() (*Scores, error) {
	slices.SortFunc(f.scores, func(a, b score) int { return cmp.Compare(a.key, b.key) })
	for i := 1; i < len(f.scores); i++ {
		if f.scores[i].key == f.scores[i-1].key {
			return nil, errors.New("a CVE has two scores")
		}
	}
	return &Scores{date: f.date, records: pack(f.scores)}, nil
}
