//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"reconshield/internal/oracle"
)

// BenchmarkFirewallAudit measures the whole process: all questions of a policy
// of 50 assets and 3 zones, and the most memory that it held.
func BenchmarkFirewallAudit(b *testing.B) {
	dir := b.TempDir()
	program, policy := filepath.Join(dir, "reconshield"), filepath.Join(dir, "policy.yaml")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	writeBench(b, policy, oracle.GatewayPolicy())
	for _, kind := range []struct {
		name string
		make func(int) string
	}{{"grown", oracle.GrownGateway}, {"random", oracle.RandomGateway}} {
		for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				rules := filepath.Join(dir, "rules.save")
				writeBench(b, rules, kind.make(n))
				forgetPeak(b)
				most := int64(0)
				for b.Loop() {
					cmd := exec.CommandContext(b.Context(), program, "firewall", "audit", rules, "--policy", policy, "--fail-on", "none")
					var said strings.Builder
					cmd.Stderr = &said
					if err := cmd.Run(); err != nil {
						b.Fatalf("%v\n%s", err, said.String())
					}
					if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
						most = max(most, usage.Maxrss)
					}
				}
				b.ReportMetric(float64(most)/1024, "MiB")
			})
		}
	}
}

func writeBench(b *testing.B, name, text string) {
	b.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// forgetPeak resets our own peak of memory, which Linux counts as that of every
// process we start (proc_pid_clear_refs(5)).
func forgetPeak(b *testing.B) {
	b.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
}
