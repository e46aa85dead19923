package nft

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The kernel and nft are the oracle: a file is loaded in a namespace of its
// own and listed in each form; all must lower to the same model, and to that
// of the file itself.
func TestListingsAgree(t *testing.T) {
	files, err := filepath.Glob("testdata/*.nft")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, numeric, js := listings(t, "nft -f "+file)
			want := mustText(t, text)
			if diff := cmp.Diff(want, mustText(t, numeric)); diff != "" {
				t.Errorf("nft -n -a differs (-text +numeric):\n%s", diff)
			}
			got, err := ParseJSON("json", strings.NewReader(js))
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range got.Unparsed {
				t.Errorf("JSON unparsed: %s: %s: %s", u.Pos, u.Text, u.Why)
			}
			if diff := cmp.Diff(want, dump(got)); diff != "" {
				t.Errorf("nft -j differs (-text +json):\n%s", diff)
			}
			own, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(own), "# as listed") {
				if diff := cmp.Diff(want, mustText(t, string(own))); diff != "" {
					t.Errorf("the file itself differs (-listing +file):\n%s", diff)
				}
			}
		})
	}
}

func mustText(t *testing.T, text string) string {
	t.Helper()
	rs, err := ParseText("text", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range rs.Unparsed {
		t.Errorf("unparsed: %s: %s: %s", u.Pos, u.Text, u.Why)
	}
	return dump(rs)
}

// listings loads a ruleset in a new namespace and gives nft's three forms.
func listings(t *testing.T, load string) (text, numeric, js string) {
	t.Helper()
	for program, pkg := range map[string]string{"nft": "nftables", "unshare": "util-linux"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: install Debian's package %s", program, pkg)
		}
	}
	script := "ip link add eth0 type dummy 2>/dev/null; " + load +
		" && nft list ruleset && echo @@@@ && nft -n -a list ruleset && echo @@@@ && nft -j list ruleset"
	cmd := exec.CommandContext(t.Context(), "unshare", "-Urn", "sh", "-c", script)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", load, err, stderr.String())
	}
	parts := strings.Split(string(out), "@@@@")
	if len(parts) != 3 {
		t.Fatalf("%d listings", len(parts))
	}
	return parts[0], parts[1], parts[2]
}
