package recommend_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// TestTools has the real tools read every plan. What they do is TestKernel's,
// and ufw is TestUFW's.
func TestTools(t *testing.T) {
	t.Parallel()
	all := plans(t)
	all["hostile"] = hostile(all["authoritative"])
	for name, plan := range variants(t) {
		if strings.Contains(name, "both "+string(policy.IPsec)) {
			all[name] = plan
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name+"/nftables", func(t *testing.T) {
			f := render(t, "nftables", all[name]).Files[0]
			tool(t, nil, "nft", "-c", "-f", filepath.Join(write(t, f.Name, f.Text), f.Name))
		})
		t.Run(name+"/iptables", func(t *testing.T) {
			for i, program := range []string{"iptables-restore", "ip6tables-restore"} {
				f := render(t, "iptables", all[name]).Files[i]
				tool(t, nil, program, "--test", filepath.Join(write(t, f.Name, f.Text), f.Name))
			}
		})
		t.Run(name+"/firewalld", func(t *testing.T) {
			c := render(t, "firewalld", all[name])
			if len(c.Files) == 0 {
				return
			}
			folder := t.TempDir()
			put(t, filepath.Join(folder, "firewalld.conf"), "DefaultZone=rs-closed\n")
			placeFirewalld(t, folder, c)
			if out := tool(t, nil, "firewall-offline-cmd", "--system-config", folder, "--check-config"); strings.TrimSpace(out) != "" {
				t.Errorf("firewalld complains: %s", out) // it says nothing to what is well
			}
		})
	}
}

// placeFirewalld puts the files where firewalld looks for them.
func placeFirewalld(t *testing.T, folder string, c firewall.Config) {
	t.Helper()
	for _, f := range c.Files {
		kind, file := "zones", strings.TrimSuffix(f.Name, ".zone.xml")
		if file == f.Name {
			kind, file = "policies", strings.TrimSuffix(f.Name, ".policy.xml")
		}
		put(t, filepath.Join(folder, kind, file+".xml"), f.Text)
	}
}

func write(t *testing.T, name, text string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	put(t, filepath.Join(folder, name), text)
	return folder
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as the tool has it
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil { //nolint:gosec // as the tool has it
		t.Fatal(err)
	}
}

// tool runs a program that has to succeed, in the test's own namespaces.
func tool(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	packages := map[string]string{"firewall-offline-cmd": "firewalld", "sh": "dash and ufw", "nft": "nftables", "iptables-restore": "iptables", "ip6tables-restore": "iptables"}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: install the Debian package %s", err, packages[name])
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	cmd.Env = append(os.Environ(), append(env, "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
