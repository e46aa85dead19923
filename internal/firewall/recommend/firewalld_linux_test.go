package recommend_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reconshield/internal/firewall"
)

// startFirewalld runs firewalld with a message bus of its own in the host's
// namespace, and waits until its rules are loaded.
func startFirewalld(t *testing.T, r *rig, c firewall.Config) {
	t.Helper()
	folder := t.TempDir()
	put(t, filepath.Join(folder, "etc", "firewalld.conf"), "DefaultZone=rs-closed\n")
	placeFirewalld(t, filepath.Join(folder, "etc"), c)
	socket := filepath.Join(folder, "bus")
	put(t, filepath.Join(folder, "bus.conf"), `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=`+socket+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>
`)
	daemon(t, r, socket, "dbus-daemon", "--config-file="+filepath.Join(folder, "bus.conf"), "--nofork", "--nopidfile")
	daemon(t, r, socket, "firewalld", "--nofork", "--nopid", "--system-config", filepath.Join(folder, "etc"))
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		cmd := command(t, r, socket, "firewall-cmd", "--state")
		out, err := cmd.CombinedOutput()
		if err == nil && strings.TrimSpace(string(out)) == "running" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("firewalld does not get ready: %v %s", err, out)
		}
	}
}

func daemon(t *testing.T, r *rig, socket, name string, args ...string) {
	t.Helper()
	cmd := command(t, r, socket, name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func command(t *testing.T, r *rig, socket, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd, err := r.spaces["host"].Command(t.Context(), name, args...)
	if err != nil {
		t.Fatalf("%v (Debian packages firewalld and dbus-daemon)", err)
	}
	cmd.Env = append(cmd.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+socket)
	return cmd
}
