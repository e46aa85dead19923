package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/atlas"
)

// TestRunIsDeterministic makes the data twice and compares them with those that
// are committed.
func TestRunIsDeterministic(t *testing.T) {
	var made [2]map[string][]byte
	for i := range made {
		dir := t.TempDir()
		for _, from := range []string{"sources", "notes"} {
			if err := os.CopyFS(filepath.Join(dir, from), os.DirFS(filepath.Join("..", from))); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := run(dir, io.Discard); err != nil {
			t.Fatal(err)
		}
		made[i] = map[string][]byte{}
		for _, name := range []string{"registry.bin", "notes.json.gz"} {
			text, err := os.ReadFile(filepath.Join(dir, "data", name))
			if err != nil {
				t.Fatal(err)
			}
			made[i][name] = text
		}
	}
	for name, text := range made[0] {
		if !bytes.Equal(text, made[1][name]) {
			t.Errorf("%s is another each time", name)
		}
	}
	committed, err := os.ReadFile("../data/registry.bin")
	if err != nil || !bytes.Equal(committed, made[0]["registry.bin"]) {
		t.Errorf("data/registry.bin is not what its sources give: run go generate ./internal/atlas (%v)", err)
	}
}

func TestApplyDelta(t *testing.T) {
	rows := func() []atlas.Registration {
		return []atlas.Registration{
			{First: 1, Last: 1, Transport: "tcp", Description: "Reserved", Notes: "old"},
			{First: 2, Last: 4, Transport: "udp", Name: "two"},
			{First: 5, Last: 5, Transport: "tcp", Name: "a"},
			{First: 5, Last: 5, Transport: "tcp", Name: "b"},
		}
	}
	changed := rows()
	changed[0] = atlas.Registration{First: 1, Last: 1, Transport: "tcp", Name: "one", Description: "First"}
	tests := []struct {
		delta string
		want  []atlas.Registration
		fault string
	}{
		{`{"changed":[{"key":"1/tcp","new":["one","First"],"old":[["","Reserved"]]}]}`, changed, ""},
		{`{"added":[{"port":3,"transport":"tcp","name":"x","description":"X"}]}`, append(rows(), atlas.Registration{First: 3, Last: 3, Transport: "tcp", Name: "x", Description: "X"}), ""},
		{`{"added":[{"port":3,"transport":"udp","name":"x"}]}`, nil, "3/udp is in the registry already"},
		{`{"changed":[{"key":"5/tcp","new":["x","X"]}]}`, nil, "5/tcp: not one row"},
		{`{"changed":[{"key":"9/tcp","new":["x","X"]}]}`, nil, "9/tcp: not one row"},
		{`{"changed":[{"key":"x/tcp","new":["x","X"]}]}`, nil, "x/tcp: "},
		{`{"changed":[{"key":"1/tcp","new":["x"]}]}`, nil, "1/tcp: not a name and a description"},
		{`[`, nil, "unexpected end"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "delta.json")
		if err := os.WriteFile(path, []byte(tt.delta), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := applyDelta(rows(), path)
		if tt.fault == "" && err == nil {
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s: %s", tt.delta, diff)
			}
			continue
		}
		if err == nil || tt.fault == "" || !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s: error %v, want %q", tt.delta, err, tt.fault)
		}
	}
}
