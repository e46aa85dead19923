// Package feed holds what the readers of public feeds share: a JSON document
// read one member of its long array at a time, text from strangers made fit to
// be shown on one line, CVE identifiers. It fetches nothing.
package feed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits bound what is read.
type Limits struct {
	Bytes   int64 // of the whole document, decompressed
	Members int   // of the array
	Member  int   // bytes of one of them
}

// Document reads a JSON object. The members of the array under key are given to
// member one by one, in order, and every other value to header; what they are
// given is theirs to keep. It fails when the document is not one whole object,
// when the array is missing or exceeds a limit, and with the error of a function.
func Document(r io.Reader, key string, limits Limits, header, member func(key string, value json.RawMessage) error) error {
	limited := &io.LimitedReader{R: r, N: limits.Bytes + 1}
	d := document{dec: json.NewDecoder(limited), key: key, limits: limits, header: header, member: member}
	err := d.read()
	if limited.N <= 0 {
		return fmt.Errorf("it is longer than %d bytes", limits.Bytes)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends before its end: the file is cut off or empty")
	}
	return err
}

type document struct {
	dec            *json.Decoder
	key            string
	limits         Limits
	header, member func(string, json.RawMessage) error
	found          bool
}

func (d *document) read() error {
	if err := d.expect('{'); err != nil {
		return err
	}
	for d.dec.More() {
		token, err := d.dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // only a string can stand here
		if key == d.key {
			err = d.members()
		} else {
			err = d.value(key)
		}
		if err != nil {
			return err
		}
	}
	if err := d.expect('}'); err != nil {
		return err
	}
	if !d.found {
		return fmt.Errorf("it has no array %q", d.key)
	}
	if _, err := d.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end of the document")
	}
	return nil
}

func (d *document) value(key string) error {
	var value json.RawMessage
	if err := d.dec.Decode(&value); err != nil {
		return err
	}
	return d.header(key, value)
}

func (d *document) members() error {
	if d.found {
		return fmt.Errorf("it has the array %q twice", d.key)
	}
	d.found = true
	if err := d.expect('['); err != nil {
		return err
	}
	for n := 0; d.dec.More(); n++ {
		if n == d.limits.Members {
			return fmt.Errorf("%q has more than %d members", d.key, d.limits.Members)
		}
		var value json.RawMessage
		if err := d.dec.Decode(&value); err != nil {
			return err
		}
		if len(value) > d.limits.Member {
			return fmt.Errorf("member %d of %q is longer than %d bytes", n+1, d.key, d.limits.Member)
		}
		if err := d.member(d.key, value); err != nil {
			return fmt.Errorf("member %d of %q: %w", n+1, d.key, err)
		}
	}
	return d.expect(']')
}

func (d *document) expect(want json.Delim) error {
	token, err := d.dec.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("it is not in the expected form: %.20q stands where %q must", fmt.Sprint(token), want.String())
	}
	return nil
}

// Line is text on one line without anything that a terminal could obey or that
// hides or turns text around, cut to at most limit bytes.
func Line(text string, limit int) string {
	if len(text) > 4*limit { // white space may be folded away, but not without end
		text = text[:4*limit]
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= limit {
		return text
	}
	const more = "…"
	cut := max(limit-len(more), 0)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.TrimRight(text[:cut], " ") + more
}

// CVE takes an identifier apart: CVE-2023-50387 is 50387 of 2023. It takes the
// form that the programme gives them only.
func CVE(id string) (year uint16, number uint64, ok bool) {
	const (
		prefix         = "CVE-"
		yearDigits     = 4
		fewest, most   = 4, 14
		first, noneYet = 1999, 2200
	)
	rest, found := strings.CutPrefix(id, prefix)
	y, n, cut := strings.Cut(rest, "-")
	if !found || !cut || len(y) != yearDigits || len(n) < fewest || len(n) > most || len(n) > fewest && n[0] == '0' {
		return 0, 0, false
	}
	if strings.Trim(y+n, "0123456789") != "" {
		return 0, 0, false
	}
	a, errYear := strconv.ParseUint(y, 10, 16)
	b, errNumber := strconv.ParseUint(n, 10, 64)
	if errYear != nil || errNumber != nil || a < first || a >= noneYet {
		return 0, 0, false
	}
	return uint16(a), b, true
}

// Date is the day of a time stamp or day in the forms that feeds use, as
// YYYY-MM-DD or empty when it is none. A day with dots is taken, too.
func Date(text string) string {
	const length = len("2006-01-02")
	if len(text) < length {
		return ""
	}
	day := strings.ReplaceAll(text[:length], ".", "-")
	for i := range length {
		digit := day[i] >= '0' && day[i] <= '9'
		if dash := i == 4 || i == 7; dash == digit || dash && day[i] != '-' {
			return ""
		}
	}
	if day[5:7] < "01" || day[5:7] > "12" || day[8:] < "01" || day[8:] > "31" {
		return ""
	}
	return day
}
