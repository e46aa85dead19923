package nft

import (
	"bytes"
	"strings"
)

// Sniff tells from the first bytes of a file, at best 4 KiB or more, whether it
// is nft's JSON or nft's text; neither may be.
func Sniff(head []byte) (isJSON, isText bool) {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	if bytes.HasPrefix(trimmed, []byte("{")) {
		rest := bytes.TrimLeft(trimmed[1:], " \t\r\n")
		return bytes.HasPrefix(rest, []byte(`"nftables"`)), false
	}
	if line, _, _ := bytes.Cut(head, []byte("\n")); bytes.HasPrefix(line, []byte("#!")) && bytes.Contains(line, []byte("nft")) {
		return false, true
	}
	for line := range bytes.Lines(head) {
		words := strings.Fields(string(line))
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		return false, textLine(words)
	}
	return false, false
}

// textLine reports whether the first line that says something is nft's.
func textLine(words []string) bool {
	second := ""
	if len(words) > 1 {
		second = words[1]
	}
	switch words[0] {
	case "table":
		return second != "" && !strings.HasPrefix(second, "<")
	case "define", "redefine":
		return len(words) > 2 && (words[2] == "=" || strings.HasPrefix(words[2], "="))
	case "include":
		return strings.HasPrefix(second, `"`)
	case "flush", "delete", "destroy":
		return second == "ruleset" || second == "table" || second == "ruleset;"
	case "add", "create", "insert":
		switch second {
		case "table", "chain", "rule", "set", "map", "element":
			return true
		}
	}
	return false
}
