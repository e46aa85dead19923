package ruleset

import (
	"testing"

	"reconshield/internal/exposure"
)

func TestGolden(t *testing.T) {
	narrow, wide, ascii, color, answers, verbose, plain := usual(), usual(), usual(), usual(), usual(), usual(), Options{}
	narrow.Width, wide.Width, ascii.ASCII, color.Color, answers.Answers, verbose.Verbose = 50, 200, true, true, true, true
	passing := usual()
	passing.ExitCode, passing.FailOn = 0, exposure.Critical
	for _, c := range []struct {
		name   string
		format Format
		doc    *Document
		opts   Options
	}{
		{"text.txt", Text, sample(), usual()},
		{"text-50.txt", Text, sample(), narrow},
		{"text-200.txt", Text, sample(), wide},
		{"text-ascii.txt", Text, sample(), ascii},
		{"text-color.txt", Text, sample(), color},
		{"text-answers.txt", Text, sample(), answers},
		{"text-verbose.txt", Text, sample(), verbose},
		{"text-clean.txt", Text, clean(), passing},
		{"text-unread.txt", Text, unread(), plain},
		{"text-compared.txt", Text, compared(), usual()},
		{"audit.json", JSON, compared(), usual()},
		{"audit.html", HTML, compared(), usual()},
		{"unread.html", HTML, unread(), plain},
		{"audit.sarif", SARIF, sample(), usual()},
		{"audit.junit", JUnit, sample(), usual()},
		{"passing.junit", JUnit, sample(), passing},
		{"unread.junit", JUnit, unread(), usual()},
	} {
		t.Run(c.name, func(t *testing.T) { golden(t, c.name, written(t, c.format, c.doc, c.opts)) })
	}
}
