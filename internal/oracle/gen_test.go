package oracle_test

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/oracle"
)

// settled takes the rules out of a file that nft refuses, such as those that
// name two families: what is drawn rule by rule need not fit together.
func settled(ctx context.Context, text string) (string, error) {
	at := regexp.MustCompile(`(?m)^/dev/stdin:(\d+):`)
	for range 30 {
		cmd := exec.CommandContext(ctx, "unshare", "-Urn", "nft", "-c", "-f", "-")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		if err == nil {
			return text, nil
		}
		lines := strings.Split(text, "\n")
		var gone []int
		for _, m := range at.FindAllStringSubmatch(string(out), -1) {
			n, _ := strconv.Atoi(m[1])
			gone = append(gone, n-1)
		}
		if len(gone) == 0 {
			return "", fmt.Errorf("nft (Debian package nftables): %w\n%s\n%s", err, out, text)
		}
		for _, i := range slices.Backward(slices.Compact(slices.Sorted(slices.Values(gone)))) {
			lines = slices.Delete(lines, i, i+1)
		}
		text = strings.Join(lines, "\n")
	}
	return "", fmt.Errorf("nft refuses too much of\n%s", text)
}

// Most of what is drawn must be rules that nft takes.
func TestNFTTakesMost(t *testing.T) {
	drawn, kept := 0, 0
	for seed := range uint64(20) {
		text := oracle.New(seed).NFT()
		left, err := settled(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		drawn, kept = drawn+strings.Count(text, "\n"), kept+strings.Count(left, "\n")
	}
	if kept*10 < drawn*7 {
		t.Errorf("nft takes %d of %d lines", kept, drawn)
	}
}
