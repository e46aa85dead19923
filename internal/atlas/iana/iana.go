// Package iana reads the registry of service names and port numbers in the form
// in which IANA publishes it, service-names-port-numbers.csv. It reads text that
// it is given and does not fetch it.
package iana

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"reconshield/internal/atlas"
)

// Limits of a file. The registry of 2026 has 1.2 MB, 14,500 rows and names of up
// to 15 characters; its longest field has 1,600.
const (
	MaxBytes = 16 << 20
	maxRows  = 60_000
	maxField = 8 << 10
	maxName  = 64
	// Ports that the rows hold together, those of ranges counted: 13,500 in 2026.
	maxPorts = 1 << 18
)

// File is what was read.
type File struct {
	// Rows are those that say something of a port, in the order of the file.
	// Texts are on one line; references are without brackets, joined by ", ".
	Rows []atlas.Registration
	// Skipped counts the rows that name no port, that name a transport which no
	// port can be asked over, or that only say that nobody has the ports.
	Skipped int
	// Newest is the latest date of a registration or change, YYYY-MM-DD; empty
	// when no row has one.
	Newest string
}

// builder is a File on its way in.
type builder struct {
	File
	ports int // that the rows hold
}

// Parse reads a registry. Columns are found by their names, in any order, and
// columns that it does not know are passed over. An error names the line; then
// nothing that was read can be relied on.
func Parse(r io.Reader) (File, error) {
	limited := &io.LimitedReader{R: r, N: MaxBytes + 1}
	table := csv.NewReader(limited)
	table.ReuseRecord = true
	f, err := read(table)
	if limited.N <= 0 {
		return File{}, fmt.Errorf("the registry is longer than %d bytes", MaxBytes)
	}
	if err != nil {
		return File{}, err
	}
	return f, nil
}

func read(table *csv.Reader) (File, error) {
	header, err := table.Read()
	if errors.Is(err, io.EOF) {
		return File{}, errors.New("the registry is empty")
	}
	if err != nil {
		return File{}, fmt.Errorf("not a registry of port numbers: %w", err)
	}
	columns, err := columnsOf(header)
	if err != nil {
		return File{}, err
	}
	var f builder
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return File{}, err // it names the line
		}
		line, _ := table.FieldPos(0)
		if err := f.add(columns, record); err != nil {
			return File{}, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if len(f.Rows) == 0 {
		return File{}, errors.New("the registry has no row with a port")
	}
	return f.File, nil
}

// columns is where each column stands; -1 for one that the file lacks.
type columns struct {
	name, port, transport, description, registered, modified, reference, unauthorized, notes int
}

func columnsOf(header []string) (columns, error) {
	at := func(name string) int {
		return slices.IndexFunc(header, func(cell string) bool {
			return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(cell, "\ufeff")), name)
		})
	}
	c := columns{
		name: at("Service Name"), port: at("Port Number"), transport: at("Transport Protocol"),
		description: at("Description"), registered: at("Registration Date"), modified: at("Modification Date"),
		reference: at("Reference"), unauthorized: at("Unauthorized Use Reported"), notes: at("Assignment Notes"),
	}
	if c.name < 0 || c.port < 0 || c.transport < 0 || c.description < 0 {
		return c, errors.New("not a registry of port numbers: line 1 must name the columns " +
			"Service Name, Port Number, Transport Protocol and Description")
	}
	return c, nil
}

// add takes one row, unless it is one to skip.
func (f *builder) add(c columns, record []string) error {
	for _, cell := range record {
		if len(cell) > maxField {
			return fmt.Errorf("a field is longer than %d bytes", maxField)
		}
	}
	cell := func(i int) string {
		if i < 0 {
			return ""
		}
		return oneLine(record[i])
	}
	row := atlas.Registration{
		Transport: strings.ToLower(cell(c.transport)), Name: cell(c.name), Description: cell(c.description),
		Registered: cell(c.registered), Modified: cell(c.modified),
		Unauthorized: cell(c.unauthorized), Notes: cell(c.notes),
	}
	ports := cell(c.port)
	if ports == "" || !askable(row.Transport) {
		f.Skipped++
		return nil
	}
	if len(row.Name) > maxName {
		return fmt.Errorf("the service name is longer than %d bytes", maxName)
	}
	var err error
	if row.First, row.Last, err = portsOf(ports); err != nil {
		return err
	}
	if vacant(row) {
		f.Skipped++
		return nil
	}
	if f.ports += int(row.Last) - int(row.First) + 1; f.ports > maxPorts {
		return fmt.Errorf("the rows hold more than %d ports together", maxPorts)
	}
	if c.reference >= 0 {
		row.Reference = references(record[c.reference])
	}
	if len(f.Rows) == maxRows {
		return fmt.Errorf("the registry has more than %d rows", maxRows)
	}
	f.Rows = append(f.Rows, row)
	f.Newest = max(f.Newest, date(row.Registered), date(row.Modified))
	return nil
}

// askable reports a transport that has ports here; some rows name none and mean
// the port as such.
func askable(transport string) bool {
	return slices.Contains([]string{"", "tcp", "udp", "sctp", "dccp"}, transport)
}

// vacant reports a row that closes a gap of the list and says nothing else.
func vacant(row atlas.Registration) bool {
	return row.Transport == "" && row.Name == "" && row.Unauthorized == "" && row.Notes == "" &&
		strings.EqualFold(row.Description, "Unassigned")
}

// portsOf reads "53" or "6000-6063".
func portsOf(text string) (first, last uint16, err error) {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	a, err := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	if err != nil {
		return 0, 0, fmt.Errorf("%.20q is no port number", text)
	}
	z, err := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	if err != nil {
		return 0, 0, fmt.Errorf("%.20q is no port number", text)
	}
	if z < a {
		return 0, 0, fmt.Errorf("the range %.20q ends before it starts", text)
	}
	return uint16(a), uint16(z), nil
}

// references turns "[RFC3501][RFC9051]" into "RFC3501, RFC9051".
func references(text string) string {
	var parts []string
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "][", "]\x00["), "\x00") {
		part = oneLine(part)
		if inner, ok := strings.CutPrefix(part, "["); ok {
			part = strings.TrimSpace(strings.TrimSuffix(inner, "]"))
		}
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// oneLine folds white space and drops what cannot be shown.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsSpace(r) && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	return strings.Join(strings.Fields(text), " ")
}

// date gives text back when it is a whole date, else nothing.
func date(text string) string {
	const form = "2006-01-02"
	if len(text) != len(form) || strings.Trim(text, "0123456789-") != "" {
		return ""
	}
	return text
}
