package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"reconshield/internal/exposure"
)

// Format names a form of the report.
type Format string

// Formats.
const (
	Terminal Format = "terminal"
	JSON     Format = "json"
	JSONL    Format = "jsonl"
	CSV      Format = "csv"
	HTML     Format = "html"
	SARIF    Format = "sarif"
)

// Formats lists every format, the default first.
func Formats() []Format {
	return []Format{Terminal, JSON, JSONL, CSV, HTML, SARIF}
}

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

// Options say how a report is shown. The zero value is plain text 100 columns
// wide, concise, without the line on the exit code.
type Options struct {
	// Width is the number of columns; 0 means 100, and less than 40 is taken
	// as 40. Only the terminal format reads it, as it does Color and ASCII.
	Width int
	// Color allows ANSI colours. Meaning never rests on colour alone.
	Color bool
	// ASCII replaces icons and arrows by ASCII characters.
	ASCII bool
	// Verbose shows all evidence, every port and every check.
	Verbose bool
	// FailOn is the threshold of exit code 1. When it is empty, the report
	// does not speak of the exit code.
	FailOn exposure.Severity
	// ExitCode is what the process is going to return: 0, 1 or 3.
	ExitCode int
}

// Write writes the assessment in the format given. It does not change a,
// which may not be nil. Errors are those of w, or an unknown format.
func Write(w io.Writer, format Format, a *exposure.Assessment, opts Options) error {
	if a == nil {
		return errors.New("nothing to report: the assessment is missing")
	}
	out := bufio.NewWriterSize(w, 64<<10)
	err := write(out, format, arrange(a), opts)
	if err != nil {
		return fmt.Errorf("write %s report: %w", format, err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write %s report: %w", format, err)
	}
	return nil
}

func write(w io.Writer, format Format, a *exposure.Assessment, opts Options) error {
	switch format {
	case Terminal:
		return writeTerminal(w, a, opts)
	case JSON:
		return writeJSON(w, a)
	case JSONL:
		return writeJSONL(w, a)
	case CSV:
		return writeCSV(w, a)
	case HTML:
		return writeHTML(w, a, opts)
	case SARIF:
		return writeSARIF(w, a)
	}
	_, err := ParseFormat(string(format))
	return err
}

// exitMeaning explains an exit code of the assess command in one sentence.
func exitMeaning(code int, failOn exposure.Severity) string {
	switch code {
	case 0:
		if failOn == exposure.NoSeverity {
			return "findings do not change the exit code (--fail-on none)"
		}
		return fmt.Sprintf("nothing found at or above %s", failOn)
	case 1:
		return fmt.Sprintf("findings at or above %s (--fail-on %s)", failOn, failOn)
	case 3:
		return "not everything could be measured; what is missing proves nothing"
	}
	return "the run did not complete"
}
