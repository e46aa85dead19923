package netset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// maxMember is the longest part of an earlier result that is held at once, in
// bytes: one object of a list, with all its evidence.
const maxMember = 16 << 20

// firstLine is how long the first line may be, in bytes, for a result to be
// told as one of lines: it is a port, or an asset with its names.
const firstLine = 64 << 10

// maxDepth is how deep lists and objects may stand in each other.
const maxDepth = 1000

// ReadResults reads targets from an earlier result of this program in one of
// its JSON forms, an object a line or one document:
//
//   - of a scan, the addresses that have a port in state "open";
//   - of an assessment, every asset.
//
// Each address counts once, and as if it had been written in a list, so the
// addresses that ParseTargets refuses are refused here. A result without any
// such address leaves a warning. Errors start with "name: ". It stops at the
// first error, holds no more than one object of the result at a time, and does
// not close r. ReadTargets calls it for what looks like JSON.
func ReadResults(r io.Reader, name string) (Spec, error) {
	return readResults(r, name, MaxLines)
}

// readResults refuses a result of more addresses than most.
func readResults(r io.Reader, name string, most int) (Spec, error) {
	buffered := bufio.NewReaderSize(r, firstLine)
	bounded := &allowance{r: buffered}
	in := &results{in: json.NewDecoder(bounded), bounded: bounded, most: most, seen: map[netip.Addr]struct{}{}}
	// A short or broken file gives what there is; reading on tells the error.
	start, _ := buffered.Peek(firstLine)
	read := in.document
	if isLine(start) {
		read = in.lines
	}
	if err := read(); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("ends in the middle; the run that wrote it may have been cut off")
		}
		return Spec{}, fmt.Errorf("%s: %w", name, err)
	}
	if !in.known {
		return Spec{}, fmt.Errorf("%s: JSON, but no result of a scan or an assessment", name)
	}
	if in.spec.Empty() {
		in.spec.Warnings = append(in.spec.Warnings, Warning{Expr: name, Text: "a result without an open port"})
	}
	return in.spec, nil
}

// results collects the addresses of an earlier result.
type results struct {
	in      *json.Decoder
	bounded *allowance
	most    int
	spec    Spec
	seen    map[netip.Addr]struct{}
	known   bool // something in it was written by this program
}

// member is what matters of an object in a result.
type member struct {
	Type    string  `json:"type"`
	Address *string `json:"address"`
	State   *string `json:"state"`
}

// isLine reports whether start, the beginning of a result, holds a whole line
// that is an object by itself rather than a document.
func isLine(start []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(start, space), []byte("\n"))
	var lists struct{ Ports, Assets json.RawMessage }
	if json.Unmarshal(line, &lists) != nil {
		return false
	}
	holdsList := func(value json.RawMessage) bool {
		return len(value) > 0 && value[0] != '"' // a line may describe ports in words
	}
	return !holdsList(lists.Ports) && !holdsList(lists.Assets)
}

// lines reads objects that follow each other.
func (in *results) lines() error {
	for {
		in.bounded.renew()
		var m member
		switch err := in.in.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return plain(err)
		}
		if err := in.take(m); err != nil {
			return err
		}
	}
}

// document reads one value: an object with a list of ports or assets, or such
// a list by itself.
func (in *results) document() error {
	token, err := in.in.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	case token == json.Delim('{'):
		err = in.object()
	case token == json.Delim('['):
		err = in.list()
	default:
		err = errors.New("not a result: a value that is no object")
	}
	if err != nil {
		return err
	}
	if _, err := in.in.Token(); !errors.Is(err, io.EOF) {
		return errors.New("not a result: something follows its end")
	}
	return nil
}

// object reads the rest of an object, passing over all but its lists.
func (in *results) object() error {
	for in.in.More() {
		in.bounded.renew()
		name, err := in.in.Token()
		if err != nil {
			return err
		}
		if name == "ports" || name == "assets" {
			err = in.members()
		} else {
			err = in.skip()
		}
		if err != nil {
			return err
		}
	}
	_, err := in.in.Token()
	return err
}

// members reads the value of "ports" or "assets": a list, or null when there
// are none.
func (in *results) members() error {
	token, err := in.in.Token()
	switch {
	case err != nil:
		return err
	case token == nil:
		in.known = true
		return nil
	case token != json.Delim('['):
		return errors.New("not a result: no list where the ports or assets should be")
	}
	in.known = true
	return in.list()
}

// list reads the rest of a list of objects.
func (in *results) list() error {
	for in.in.More() {
		in.bounded.renew()
		var m member
		if err := in.in.Decode(&m); err != nil {
			return plain(err)
		}
		if err := in.take(m); err != nil {
			return err
		}
	}
	_, err := in.in.Token()
	return err
}

// skip passes over one value without holding it.
func (in *results) skip() error {
	for depth := 0; ; {
		in.bounded.renew()
		token, err := in.in.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > maxDepth {
			return errors.New("not a result: nested too deeply")
		}
		if depth == 0 {
			return nil
		}
	}
}

// take adds the address of m when it is one to measure again: an asset, or a
// port that is open.
func (in *results) take(m member) error {
	switch m.Type {
	case "port", "asset":
		in.known = true
	case "":
	default: // a finding, a gap, a summary …
		in.known = true
		return nil
	}
	if m.Address == nil {
		return nil
	}
	in.known = true
	if m.State != nil && *m.State != "open" {
		return nil
	}
	addr, err := netip.ParseAddr(*m.Address)
	if err != nil {
		// A result of ours holds addresses only. A name or a prefix was put
		// there by somebody else, and would widen what is scanned.
		return fmt.Errorf("target %s: not an address", quote(*m.Address))
	}
	if _, again := in.seen[addr.Unmap()]; again {
		return nil
	}
	if len(in.spec.entries) >= in.most {
		return fmt.Errorf("more than %d addresses", in.most)
	}
	in.seen[addr.Unmap()] = struct{}{}
	if err := in.spec.parse(target, *m.Address); err != nil {
		return fmt.Errorf("target %s: %w", quote(*m.Address), err)
	}
	return nil
}

// plain says in the words of a user that a field has a type that no result of
// ours gives it.
func plain(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("not a result: %s where the %s should be", e.Value, clip(e.Field))
	}
	return err
}

// allowance is a reader that gives a bounded number of bytes between two calls
// of renew.
type allowance struct {
	r    io.Reader
	used int
}

func (a *allowance) renew() { a.used = 0 }

func (a *allowance) Read(p []byte) (int, error) {
	if a.used >= maxMember {
		return 0, fmt.Errorf("not a result: a part of it is longer than %d bytes", maxMember)
	}
	n, err := a.r.Read(p[:min(len(p), maxMember-a.used)])
	a.used += n
	return n, err
}

// space is what may stand between the values of JSON, RFC 8259 section 2.
const space = " \t\r\n"

// looksLikeJSON reports whether a file that starts so is an earlier result
// rather than a list of targets, which may start with a bracketed address.
func looksLikeJSON(start []byte) bool {
	start = bytes.TrimLeft(start, space)
	if rest, ok := bytes.CutPrefix(start, []byte("[")); ok {
		start = bytes.TrimLeft(rest, space)
	}
	return bytes.HasPrefix(start, []byte("{"))
}
