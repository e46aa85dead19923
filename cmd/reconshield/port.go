package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/report"
	"reconshield/internal/report/portpage"
)

type portFlags struct {
	format, color string
	all, noPager  bool
	limit         int
}

func newPortCommand() *cobra.Command {
	var flags portFlags
	cmd := &cobra.Command{
		Use:   "port PORT",
		Short: "Explain ports, and what exposing them means",
		Long: `It explains ports: what is registered and what really listens there, what its
exposure means, how to defend it with rules to load, why and how to scan it,
which malicious software meets it, and the questions people ask.

A port is a number (53), one transport of it (53/udp), a service's name (dns),
or a range (50-60), which is shown as a table. Nothing is sent anywhere.`,
		Example: `reconshield port 53
reconshield port 53/udp --format markdown
reconshield port dns ssh
reconshield port 50-60
reconshield port search "remote desktop"
reconshield port --all --format jsonl > ports.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPort(cmd, args, flags)
		},
	}
	cmd.PersistentFlags().StringVar(&flags.format, "format", "text", "the form: text, markdown, json or jsonl")
	cmd.PersistentFlags().StringVar(&flags.color, "color", "auto", "colours: auto, always or never")
	cmd.Flags().BoolVar(&flags.all, "all", false, "every port from 0 to 65535")
	cmd.Flags().BoolVar(&flags.noPager, "no-pager", false, "do not page long text on a terminal")
	cmd.AddCommand(newPortSearchCommand(&flags))
	return cmd
}

func newPortSearchCommand(flags *portFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "search WORDS",
		Short: "Find ports by name, description or number",
		Long: `It finds ports by the names of services, registered or not, and by the words
of their descriptions, the best first. Slips of the keyboard are forgiven. The
exit code is 1 when nothing is found.`,
		Example: "reconshield port search \"remote desktop\"\nreconshield port search postgress --format json",
		RunE: func(cmd *cobra.Command, words []string) error {
			return searchPorts(cmd, cmd.OutOrStdout(), strings.Join(words, " "), flags)
		},
	}
	cmd.Flags().IntVar(&flags.limit, "limit", 20, "how many ports at most")
	return cmd
}

func searchPorts(cmd *cobra.Command, w io.Writer, query string, flags *portFlags) error {
	if strings.TrimSpace(query) == "" {
		return errors.New(`port search: name what to look for, such as "remote desktop"`)
	}
	if flags.limit < 1 {
		return fmt.Errorf("--limit \"%d\": at least 1", flags.limit)
	}
	if err := colorError(flags.color); err != nil {
		return err
	}
	hits := registry(cmd).Search(query, flags.limit)
	switch flags.format {
	case "text", "markdown":
		if len(hits) == 0 {
			return &exitError{exitFindings, fmt.Errorf("nothing known is like %q", query)}
		}
		return unwritten(portpage.Hits(w, hits, appearance(w, flags.color)))
	case "json":
		return unwritten(portpage.List(w, hits))
	case "jsonl":
		return unwritten(portpage.Lines(w, hits))
	}
	return wrongPortFormat(flags.format)
}

// colorError refuses what is no choice of colours.
func colorError(color string) error {
	if !slices.Contains([]string{"auto", "always", "never"}, color) {
		return fmt.Errorf("--color %q: auto, always or never", color)
	}
	return nil
}

// unwritten marks that the answer is known and could not be written.
func unwritten(err error) error {
	if err == nil {
		return nil
	}
	return &app.FailureError{Err: err}
}

func wrongPortFormat(format string) error {
	return fmt.Errorf("--format %q: text, markdown, json or jsonl", format)
}

func runPort(cmd *cobra.Command, args []string, flags portFlags) error {
	if err := colorError(flags.color); err != nil {
		return err
	}
	if !slices.Contains([]string{"text", "markdown", "json", "jsonl"}, flags.format) {
		return wrongPortFormat(flags.format)
	}
	known := reference(cmd)
	queries, err := portQueries(known, args, flags.all)
	if err != nil {
		return err
	}
	return unwritten(writePorts(cmd, known, queries, flags))
}

// writePorts shows ports in the form asked for.
func writePorts(cmd *cobra.Command, known *app.Reference, queries []app.PortQuery, flags portFlags) error {
	one := len(queries) == 1 && queries[0].First == queries[0].Last
	w := cmd.OutOrStdout()
	switch {
	case flags.format == "jsonl" || flags.format == "json" && one:
		return eachPort(queries, func(port uint16, transport string) error {
			e := known.Entry(port, transport)
			return portpage.JSON(w, &e)
		})
	case flags.format == "json":
		return portArray(w, known, queries)
	case flags.format == "markdown":
		return eachPort(queries, func(port uint16, transport string) error {
			e := known.Entry(port, transport)
			_, err := io.WriteString(w, portpage.Markdown(&e))
			return err
		})
	case wide(queries):
		return portTable(w, known, queries, flags.color)
	}
	return portPages(cmd, known, queries, flags)
}

func portQueries(known *app.Reference, args []string, all bool) ([]app.PortQuery, error) {
	switch {
	case all && len(args) > 0:
		return nil, errors.New("--all shows every port; leave the ports out, or --all")
	case all:
		return []app.PortQuery{{Last: 65535}}, nil
	case len(args) == 0:
		return nil, errors.New("name a port, such as 53, 53/udp, 50-60 or dns; or give --all")
	}
	var queries []app.PortQuery
	for _, arg := range args {
		found, err := known.ParsePortQuery(arg)
		if err != nil {
			return nil, err
		}
		queries = append(queries, found...)
	}
	return queries, nil
}

// wide reports queries that a table shows better than pages do.
func wide(queries []app.PortQuery) bool {
	const mostPages = 5
	ports := 0
	for _, q := range queries {
		ports += int(q.Last) - int(q.First) + 1
		if q.First != q.Last {
			return true
		}
	}
	return ports > mostPages
}

func eachPort(queries []app.PortQuery, do func(port uint16, transport string) error) error {
	for _, q := range queries {
		for port := int(q.First); port <= int(q.Last); port++ {
			if err := do(uint16(port), q.Transport); err != nil {
				return err
			}
		}
	}
	return nil
}

func portArray(w io.Writer, known *app.Reference, queries []app.PortQuery) error {
	begin := "["
	err := eachPort(queries, func(port uint16, transport string) error {
		if _, err := io.WriteString(w, begin); err != nil {
			return err
		}
		begin = ","
		e := known.Entry(port, transport)
		return portpage.JSON(w, &e)
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "]\n")
	return err
}

func portTable(w io.Writer, known *app.Reference, queries []app.PortQuery, color string) error {
	table := portpage.NewTable(w, appearance(w, color))
	return eachPort(queries, func(port uint16, transport string) error {
		e := known.Entry(port, transport)
		return table.Row(&e)
	})
}

// portPages shows pages, through a pager when they are longer than the terminal.
func portPages(cmd *cobra.Command, known *app.Reference, queries []app.PortQuery, flags portFlags) error {
	w := cmd.OutOrStdout()
	look := appearance(w, flags.color)
	var text bytes.Buffer
	err := eachPort(queries, func(port uint16, transport string) error {
		e := known.Entry(port, transport)
		return portpage.Terminal(&text, &e, look)
	})
	if err != nil {
		return err
	}
	if f, ok := w.(*os.File); ok && report.IsTerminal(f) && !flags.noPager {
		if page(cmd, text.Bytes(), f) {
			return nil
		}
	}
	_, err = w.Write(text.Bytes())
	return err
}

// page shows text in the reader's pager, and reports whether it could.
func page(cmd *cobra.Command, text []byte, to *os.File) bool {
	words := strings.Fields(cmp.Or(os.Getenv("RECONSHIELD_PAGER"), os.Getenv("PAGER"), "less"))
	if len(words) == 0 || words[0] == "cat" {
		return false
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		return false
	}
	// An interrupt is the pager's to handle: killed, it would leave the terminal
	// without echo.
	ctx := context.WithoutCancel(cmd.Context())
	pager := exec.CommandContext(ctx, path, words[1:]...) //nolint:gosec // the reader's own choice
	pager.Stdin, pager.Stdout, pager.Stderr = bytes.NewReader(text), to, os.Stderr
	pager.Env = os.Environ()
	if os.Getenv("LESS") == "" {
		pager.Env = append(pager.Env, "LESS=FRX") // colours, and no page for a short text
	}
	if err := pager.Start(); err != nil {
		return false
	}
	_ = pager.Wait() // a reader who leaves early is no failure
	return true
}
