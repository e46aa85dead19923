package main

import (
	"strings"
	"testing"
)

// TestNotes reads the notes as they are committed.
func TestNotes(t *testing.T) {
	notes, err := readNotes("../notes")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]uint16{}
	for _, n := range notes {
		for name, text := range n.Sections.All() {
			for paragraph := range strings.SplitSeq(text, "\n\n") {
				paragraph = strings.Join(strings.Fields(paragraph), " ")
				if len(paragraph) < 60 {
					continue
				}
				if other, ok := seen[paragraph]; ok && other != n.Port {
					t.Errorf("%s of port %d says what port %d says: %.60s…", name, n.Port, other, paragraph)
				}
				seen[paragraph] = n.Port
			}
		}
	}
}
