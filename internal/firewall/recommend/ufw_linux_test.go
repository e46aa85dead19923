package recommend_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
)

// TestUFW has everything of ufw in it, one after the other: its folders are the
// system's, which the process has once.
func TestUFW(t *testing.T) {
	t.Parallel()
	all := plans(t)
	all["hostile"] = hostile(all["authoritative"])
	own := func(t *testing.T) {
		t.Helper()
		ownFolder(t, "/etc/ufw")
		ownFolder(t, "/etc/default")
	}
	t.Run("again", func(t *testing.T) {
		own(t)
		// ufw takes its time a rule once it is on; the other plans have all rules.
		plan := all["v4only"]
		plan.Allows = slices.Clip(plan.Allows[:2])
		prove(t, "ufw", plan, true)
	})
	for _, name := range []string{"v6only", "docker"} {
		t.Run(name, func(t *testing.T) {
			own(t)
			prove(t, "ufw", all[name], false)
		})
	}
	t.Run("rollback", func(t *testing.T) {
		own(t)
		rollbackUFW(t)
	})
	t.Run("read", func(t *testing.T) {
		own(t)
		scripts := map[string]bool{} // plans that differ in the rule files alone have the same
		for _, name := range slices.Sorted(maps.Keys(all)) {
			c := render(t, "ufw", all[name])
			if len(c.Files) == 0 || scripts[c.Files[0].Text] {
				continue // TestUnsupported has the reason for none
			}
			scripts[c.Files[0].Text] = true
			t.Run(name, func(t *testing.T) { readUFW(t, c) })
		}
	})
}

// readUFW has ufw read the commands without carrying them out.
func readUFW(t *testing.T, c firewall.Config) {
	t.Helper()
	folder := write(t, c.Files[0].Name, c.Files[0].Text)
	conf, err := os.ReadFile("/etc/ufw/ufw.conf")
	if err != nil {
		t.Fatalf("%v: install the Debian package ufw", err)
	}
	out := tool(t, []string{"UFW=ufw --dry-run"}, "sh", filepath.Join(folder, c.Files[0].Name))
	if strings.Contains(out, "ERROR") || strings.Count(out, "Skipping") > 0 {
		t.Errorf("ufw complains:\n%s", out)
	}
	if after, err := os.ReadFile("/etc/ufw/ufw.conf"); err != nil || string(after) != string(conf) {
		t.Errorf("reading the commands changes ufw.conf: %v", err)
	}
}

// loadUFW runs the script on copies of ufw's folders, which only this process's
// mount namespace sees.
func loadUFW(t *testing.T, r *rig, c firewall.Config) {
	t.Helper()
	folder := t.TempDir()
	for _, f := range c.Files {
		target := filepath.Join(folder, f.Name)
		if strings.HasSuffix(f.Name, ".rules") {
			target = filepath.Join("/etc/ufw", f.Name)
		}
		if err := os.WriteFile(target, []byte(f.Text), 0o640); err != nil { //nolint:gosec // as ufw has it
			t.Fatal(err)
		}
	}
	out := r.run(t, "host", "", "sh", filepath.Join(folder, c.Files[0].Name))
	if strings.Contains(out, "ERROR") || strings.Contains(out, "problem") {
		t.Fatalf("ufw complains:\n%s", out)
	}
}

// ownFolder puts a copy in memory over a folder of the system.
func ownFolder(t *testing.T, path string) {
	t.Helper()
	kept := filepath.Join(t.TempDir(), "kept")
	err := errors.Join(
		os.CopyFS(kept, os.DirFS(path)),
		unix.Mount("tmpfs", path, "tmpfs", 0, "mode=755"),
		os.CopyFS(path, os.DirFS(kept)),
	)
	if err != nil {
		t.Fatalf("%v (ufw is of the Debian package ufw)", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) })
}

// rollbackUFW begins with ufw switched off.
func rollbackUFW(t *testing.T) {
	t.Helper()
	plan := plans(t)["v4only"]
	plan.Allows = plan.Allows[:1]
	r := newRig(t, plan.Place)
	r.serve(t, "host", "asset", []string{asset4}, []uint16{5353})
	c := render(t, "ufw", plan)
	folder := t.TempDir()
	for _, f := range c.Files {
		put(t, filepath.Join(folder, f.Name), f.Text)
	}
	closed := probe{from: "wan", to: asset4, port: 5353, proto: exposure.TCP}
	open := closed
	open.want = "asset"
	r.attempt(t, []probe{open})
	steps(t, r, folder, []firewall.Step{c.Apply[0], c.Apply[2]})
	r.attempt(t, []probe{closed})
	steps(t, r, folder, c.Rollback)
	r.attempt(t, []probe{open})
}
