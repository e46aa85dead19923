package portlist

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/exposure"
)

// wideRows hold all that makes a line long, in batches as they would come.
func wideRows() [][]exposure.Observation {
	long := row(0, "2001:db8:1234:5678:9abc:def0:1234:5678", 65535, exposure.TCP, exposure.Open, exposure.ReasonSynAck, 431_000)
	long.Service = &exposure.Service{Protocol: "http", Name: "Apache Tomcat/Coyote JSP engine of the old kind", Version: "10.1.19-beta2+build7"}
	zoned := row(1, "fe80::a8bb:ccff:fedd:eeff%enp0s31f6np1", 53, exposure.UDP, exposure.OpenFiltered, exposure.ReasonTimeout, 0)
	labelled := row(2, "192.168.100.100", 8080, exposure.TCP, exposure.Open, exposure.ReasonSynAck, 1_200_000)
	labelled.Labels = []exposure.Label{exposure.LabelAcceptsAll, exposure.LabelUnproven}
	labelled.Detail = "all of 12 ports that nobody uses accepted a connection"
	ssh := row(3, "10.1.2.3", 22, exposure.TCP, exposure.Open, exposure.ReasonSynAck, 38_000_000)
	ssh.Service = &exposure.Service{Protocol: "ssh", Name: "OpenSSH", Version: "9.2p1 Debian-2+deb12u7"}
	return [][]exposure.Observation{{labelled, ssh}, {long}, {zoned}, sampleRows()}
}

// TestTableWidths: however narrow, every address, port, state, protocol and
// label is there whole, and no line is longer than the terminal.
func TestTableWidths(t *testing.T) {
	for width := minWidth; width <= 220; width++ {
		var shown strings.Builder
		opts := Options{Width: width}
		if width%4 < 2 {
			opts.Registered = registry
		}
		w, err := newTable(&output{w: &shown}, opts)
		if err != nil {
			t.Fatal(err)
		}
		batches := wideRows()
		if width%2 == 1 { // whichever comes first
			slices.Reverse(batches)
		}
		for _, batch := range batches {
			if err := w.rows(batch); err != nil {
				t.Fatal(err)
			}
		}
		text := shown.String()
		for line := range strings.Lines(text) {
			if n := ansi.StringWidth(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns of %d: %q", n, width, line)
			}
		}
		for _, batch := range batches {
			for _, o := range batch {
				wanted := []string{o.Addr.String(), fmt.Sprintf(" %d/%s ", o.Port, o.Transport), string(o.State)}
				for _, l := range o.Labels {
					wanted = append(wanted, labelWords(l))
				}
				if o.Service != nil {
					wanted = append(wanted, " "+o.Service.Protocol)
				}
				for _, part := range wanted {
					if !strings.Contains(text, part) {
						t.Fatalf("no %q in %d columns:\n%s", part, width, text)
					}
				}
			}
		}
	}
}

// TestTableNarrow shows what a narrow terminal shows.
func TestTableNarrow(t *testing.T) {
	for _, width := range []int{60, 80, 120, 200} {
		var shown strings.Builder
		w, err := newTable(&output{w: &shown}, Options{Width: width, Registered: registry})
		if err != nil {
			t.Fatal(err)
		}
		for _, batch := range wideRows() {
			if err := w.rows(batch); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, fmt.Sprintf("table-wide-%d.txt", width), shown.String())
	}
}

// TestTableKeepsItsColumns: what comes later stands under what came before,
// unless its address is too long for the column.
func TestTableKeepsItsColumns(t *testing.T) {
	var shown strings.Builder
	w, err := newTable(&output{w: &shown}, Options{Width: 60})
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range wideRows()[:2] {
		if err := w.rows(batch); err != nil {
			t.Fatal(err)
		}
	}
	at := -1
	for line := range strings.Lines(shown.String()) {
		i := strings.Index(line, "/tcp")
		if i < 0 {
			continue
		}
		i = ansi.StringWidth(line[:strings.LastIndex(line[:i], " ")+1])
		if at >= 0 && i != at {
			t.Errorf("a port in column %d, not %d:\n%s", i, at, &shown)
		}
		at = i
	}
	if at < 0 {
		t.Error("no port")
	}
}
