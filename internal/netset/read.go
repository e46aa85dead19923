package netset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ReadTargets reads target expressions from a file, one a line. Empty lines
// and text from # to the end of a line are skipped. Errors start with
// "name:line: ". It stops at the first error and reads no line longer than
// MaxExpression into memory. It does not close r. A file that starts as JSON is
// read by ReadResults.
func ReadTargets(r io.Reader, name string) (Spec, error) {
	buffered := bufio.NewReader(r)
	// A short or broken file gives what there is; reading on tells the error.
	start, _ := buffered.Peek(64)
	trimmed := bytes.TrimPrefix(start, []byte("\ufeff"))
	if !looksLikeJSON(trimmed) {
		return readAll(target, buffered, name)
	}
	if _, err := buffered.Discard(len(start) - len(trimmed)); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", name, err)
	}
	return ReadResults(buffered, name)
}

// ReadExclusions is ReadTargets for the expressions of ParseExclusions.
func ReadExclusions(r io.Reader, name string) (Spec, error) {
	return readAll(exclusion, r, name)
}

func readAll(k kind, r io.Reader, name string) (Spec, error) {
	var s Spec
	lines := bufio.NewScanner(r)
	// A comment may stand after the expression, so a line is allowed more.
	lines.Buffer(make([]byte, 0, 4096), 4*MaxExpression)
	number := 0
	for lines.Scan() {
		number++
		if number > MaxLines {
			return Spec{}, fmt.Errorf("%s:%d: more than %d lines", name, number, MaxLines)
		}
		line := lines.Text()
		if number == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		expr, _, _ := strings.Cut(line, "#")
		expr = strings.TrimSpace(expr)
		if expr == "" {
			continue
		}
		if err := s.parse(k, expr); err != nil {
			return Spec{}, fmt.Errorf("%s:%d: %s %s: %w", name, number, k, quote(expr), err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Spec{}, fmt.Errorf("%s:%d: line is too long", name, number+1)
	case err != nil:
		return Spec{}, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}
