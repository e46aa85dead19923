//go:build linux

package iptables

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
)

// The kernel is the oracle: a fixture loaded in a namespace of its own and
// saved again must give the same model as the fixture.
func TestParseAgainstKernel(t *testing.T) {
	need(t, "unshare", "util-linux")
	need(t, "ipset", "ipset")
	for _, flavour := range []string{"nft", "legacy"} {
		for _, name := range fixtures(t) {
			t.Run(flavour+"/"+name, func(t *testing.T) {
				tool := "iptables-" + flavour
				if familyOf(name) == firewall.IPv6 {
					tool = "ip6tables-" + flavour
				}
				need(t, tool+"-restore", "iptables")
				rules := absolute(t, name)
				script := `set -e; if [ -f "$2" ]; then ipset restore < "$2"; fi; ` + tool + `-restore < "$1"; ` + tool + `-save`
				sets := strings.TrimSuffix(rules, filepath.Ext(rules)) + ".ipset"
				cmd := exec.CommandContext(t.Context(), "unshare", "-Urn", "sh", "-c", script, "sh", rules, sets)
				var stderr strings.Builder
				cmd.Stderr = &stderr
				saved, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v: %s", err, stderr.String())
				}
				again, err := Parse(name, strings.NewReader(string(saved)), familyOf(name), fixtureSets(t, name))
				if err != nil {
					t.Fatal(err)
				}
				// The tool adds defaults to what is not decided, and prints it in
				// its own way.
				reason := regexp.MustCompile(`\?\([^)]*\)`)
				want := reason.ReplaceAllString(show(fixture(t, name)), "?")
				if diff := cmp.Diff(want, reason.ReplaceAllString(show(again), "?")); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// ipset save of what was restored gives the same sets.
func TestParseIPSetsAgainstKernel(t *testing.T) {
	need(t, "unshare", "util-linux")
	need(t, "ipset", "ipset")
	const rules = "*raw\n-A OUTPUT -m set --match-set f2b-web src\n-A OUTPUT -m set --match-set allow dst\n" +
		"-A OUTPUT -m set --match-set services dst,dst\n-A OUTPUT -m set --match-set blocked src\nCOMMIT\n"
	for _, name := range []string{"fail2ban.ipset", "firewalld.ipset"} {
		path := absolute(t, name)
		saved, err := exec.CommandContext(t.Context(), "unshare", "-Urn", "sh", "-c", `ipset restore < "$1" && ipset save`, "sh", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var shown []string
		for _, source := range []string{string(text), string(saved)} {
			sets, err := ParseIPSets("s", strings.NewReader(source))
			if err != nil || len(sets.Unparsed) > 0 {
				t.Fatal(err, sets.Unparsed)
			}
			rs, err := Parse("f", strings.NewReader(rules), firewall.IPv4, sets)
			if err != nil {
				t.Fatal(err)
			}
			shown = append(shown, show(rs))
		}
		if diff := cmp.Diff(shown[0], shown[1]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The kernel says of every address whether it is in a set of random networks
// with exceptions.
func TestMatchSetAgainstKernel(t *testing.T) {
	need(t, "unshare", "util-linux")
	need(t, "ipset", "ipset")
	random := rand.New(rand.NewPCG(5, 6))
	for range 4 {
		var text strings.Builder
		text.WriteString("create x hash:net\n")
		for range 25 {
			fmt.Fprintf(&text, "-exist add x 192.0.2.%d/%d%s\n", random.IntN(256), 24+random.IntN(9), []string{"", " nomatch"}[random.IntN(2)])
		}
		const script = `ipset restore; i=0; while [ $i -lt 256 ]; do ipset -q test x 192.0.2.$i && echo 192.0.2.$i; i=$((i+1)); done; exit 0`
		cmd := exec.CommandContext(t.Context(), "unshare", "-Urn", "sh", "-c", script)
		cmd.Stdin = strings.NewReader(text.String())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sets, err := ParseIPSets("s", strings.NewReader(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		rs, err := Parse("f", strings.NewReader("*raw\n-A OUTPUT -m set --match-set x src\nCOMMIT\n"), firewall.IPv4, sets)
		if err != nil {
			t.Fatal(err)
		}
		m := rs.Chains[0].Rules[0].Matches[0]
		var members []string
		for i := range 256 {
			if a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}); m.Addrs.Contains(a) {
				members = append(members, a.String())
			}
		}
		if len(members) == 0 {
			t.Error("no address is in the set")
		}
		if diff := cmp.Diff(strings.Fields(string(out)), members); diff != "" {
			t.Errorf("%s%s", text.String(), diff)
		}
	}
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func need(t *testing.T, program, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is missing: install the Debian package %s", program, debianPackage)
	}
}
