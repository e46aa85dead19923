package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/exposure"
)

// An open port is a finding when the policy denies it, and is marked when the
// policy allows it.
func TestAssessWithPolicy(t *testing.T) {
	port := greeting(t, "hello\r\n")
	file := filepath.Join(t.TempDir(), "p.yaml")
	asset := "assets:\n  - {name: me, addresses: [127.0.0.1], owner: me@example.net, expose: [{ports: [" + port + "/tcp], to: [ZONE]}]}\n"
	tests := []struct {
		name, policy string
		args         []string
		code         int
		findings     int
		marked       bool
	}{
		{"denied", strings.ReplaceAll(asset, "ZONE", "lan") + "zones: {lan: {networks: [10.0.0.0/16]}}\n", nil, exitFindings, 1, false},
		{"allowed to the other zone", strings.ReplaceAll(asset, "ZONE", "lan") + "zones: {lan: {networks: [10.0.0.0/16]}}\n", []string{"--from-zone", "lan"}, exitClean, 0, true},
		{"the vantage tells the zone", strings.ReplaceAll(asset, "ZONE", "lan") + "zones: {lan: {networks: [10.0.0.0/16], vantage: probe}}\n", []string{"--vantage", "probe"}, exitClean, 0, true},
		{"allowed", strings.ReplaceAll(asset, "ZONE", "wan"), nil, exitClean, 0, true},
		{"of no asset", "assets: [{name: other, addresses: [192.0.2.1], owner: me@example.net}]\n", nil, exitFindings, 1, false},
	}
	for _, tt := range tests {
		if err := os.WriteFile(file, []byte(tt.policy), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		args := append([]string{"assess", "127.0.0.1", "--ports", "T:" + port, "--policy", file, "--format", "json", "-q"}, tt.args...)
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != tt.code {
			t.Errorf("%s: exit code %d, want %d: %s%s", tt.name, code, tt.code, &errs, &out)
			continue
		}
		var a exposure.Assessment
		if err := json.Unmarshal(out.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, f := range a.Assets[0].Findings {
			if f.ID == "POL-1" {
				found++
			}
		}
		if found != tt.findings || strings.Contains(a.Assets[0].Ports[0].Detail, "expected: ") != tt.marked {
			t.Errorf("%s: %d findings, %q", tt.name, found, a.Assets[0].Ports[0].Detail)
		}
	}
}

func TestAssessRefusesPolicies(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	for name, text := range map[string]string{good: "assets: []\n", bad: "zones: {lan: {intrfaces: [eth1]}}\nassets: [{nme: x}]\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--policy", filepath.Join(dir, "none.yaml")}, "none.yaml: cannot be read: no such file or directory"},
		{[]string{"--policy", bad}, "bad.yaml:1:15: zone \"lan\" has no key \"intrfaces\""},
		{[]string{"--policy", ""}, "--policy is empty"},
		{[]string{"--policy", good, "--from-zone", "dmz"}, "--from-zone \"dmz\": no such zone; the policy has wan"},
		{[]string{"--from-zone", "lan"}, "--from-zone names a zone of a policy"},
	}
	for _, tt := range tests {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"assess", "127.0.0.1"}, tt.args...), strings.NewReader(""), &out, &errs)
		if code != exitUsage || !strings.Contains(errs.String(), tt.want) || out.Len() > 0 {
			t.Errorf("%v: exit code %d, %s, want %q", tt.args, code, &errs, tt.want)
		}
	}
}
