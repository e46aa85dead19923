package portlist

import (
	"path/filepath"
	"testing"
)

func TestGolden(t *testing.T) {
	s := sampleSummary()
	ascii, color, narrow := sampleOptions(), sampleOptions(), sampleOptions()
	ascii.ASCII = true
	color.Color = true
	narrow.Width = 50
	for _, c := range []struct {
		name   string
		format Format
		opts   Options
		s      *Summary
	}{
		{"table.txt", Table, sampleOptions(), &s},
		{"table-ascii.txt", Table, ascii, &s},
		{"table-color.txt", Table, color, &s},
		{"table-50.txt", Table, narrow, &s},
		{"rows.jsonl", JSONL, sampleOptions(), &s},
		{"rows.csv", CSV, sampleOptions(), &s},
		{"stream.json", JSON, sampleOptions(), &s},
		{"stream.xml", XML, sampleOptions(), &s},
		{"cut-off.json", JSON, sampleOptions(), nil},
		{"cut-off.xml", XML, sampleOptions(), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			golden(t, c.name, written(t, c.format, sampleRows(), c.opts, c.s))
		})
	}
	// A file is put into its final form.
	golden(t, "file.xml", file(t, XML, filepath.Join(t.TempDir(), "x"), sampleRows(), sampleOptions(), &s))
	golden(t, "file.json", file(t, JSON, filepath.Join(t.TempDir(), "x"), sampleRows(), sampleOptions(), &s))
	golden(t, "none.json", file(t, JSON, filepath.Join(t.TempDir(), "x"), nil, sampleOptions(), &s))
	golden(t, "none.xml", file(t, XML, filepath.Join(t.TempDir(), "x"), nil, sampleOptions(), &s))
}
