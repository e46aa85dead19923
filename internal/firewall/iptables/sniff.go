package iptables

import (
	"bytes"
	"strings"

	"reconshield/internal/firewall"
)

// Sniff tells from the beginning of a file whether it is of iptables-save or
// for iptables-restore, and of which family: by the tool's comment, else by
// what only one family has. The family is 0 when nothing tells. why says in a
// few words by what it was told, or what it was missing.
func Sniff(head []byte) (isSave bool, family firewall.Family, why string) {
	const most = 256 << 10
	lines := 0
	for line := range bytes.Lines(clip(head, most)) {
		text := strings.TrimSpace(string(clip(line, 1000)))
		switch {
		case text == "":
			continue
		case strings.HasPrefix(text, "#"):
			if f, _, ok := generator(text); ok {
				return true, f, "the comment of the tool that wrote it"
			}
			if strings.HasPrefix(text, "# Warning: ip") && strings.Contains(text, "tables-legacy tables present") {
				isSave = true
			}
			continue
		case strings.HasPrefix(text, "*") && !strings.ContainsAny(text, " \t/"):
			isSave = true
			continue
		}
		if !isSave {
			return false, 0, `expected a line such as "*filter" first`
		}
		if lines++; strings.HasPrefix(text, ":") || text == "COMMIT" {
			continue
		}
		if f, why := ruleFamily(text); f != 0 {
			return true, f, why
		}
	}
	if !isSave {
		return false, 0, `no line such as "*filter"`
	}
	return true, 0, "no rule tells IPv4 from IPv6"
}

// ruleFamily looks for what only one family has.
func ruleFamily(line string) (f firewall.Family, why string) {
	words, _ := tokenize(line, nil)
	for i, w := range words {
		next := ""
		if i+1 < len(words) {
			next = words[i+1].text
			if next == "!" && i+2 < len(words) {
				next = words[i+2].text
			}
		}
		switch w.text {
		case "--icmpv6-type", "--hl-eq", "--hl-lt", "--hl-gt", "--rt-type":
			return firewall.IPv6, "the option " + w.text
		case "--icmp-type", "--ttl-eq", "--ttl-lt", "--ttl-gt":
			return firewall.IPv4, "the option " + w.text
		case "-p", "--protocol":
			switch next {
			case "ipv6-icmp", "icmpv6":
				return firewall.IPv6, "the protocol " + next
			case "icmp":
				return firewall.IPv4, "the protocol " + next
			}
		case "--reject-with":
			if strings.HasPrefix(next, "icmp6-") {
				return firewall.IPv6, "--reject-with " + clip(next, 40)
			}
			if strings.HasPrefix(next, "icmp-") {
				return firewall.IPv4, "--reject-with " + clip(next, 40)
			}
		case "-s", "--source", "--src", "-d", "--destination", "--dst", "--to-destination", "--to-source":
			if f := addressFamily(next); f != 0 {
				return f, "the address " + clip(next, 64)
			}
		}
	}
	return 0, ""
}

// addressFamily looks at the first address of "a/24,b", "a-b:80" or "[a]:80".
func addressFamily(s string) firewall.Family {
	if inside, ok := strings.CutPrefix(s, "["); ok {
		s, _, _ = strings.Cut(inside, "]")
	} else if strings.Contains(s, ".") && !strings.Contains(s, "::") {
		s, _, _ = strings.Cut(s, ":")
	}
	if end := strings.IndexAny(s, ",/-"); end >= 0 {
		s = s[:end]
	}
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		if _, ok := parseAddr(s, f); ok && strings.ContainsAny(s, ".:") {
			return f
		}
	}
	return 0
}

// SniffIPSets tells from the beginning of a file whether it is of ipset save.
func SniffIPSets(head []byte) bool {
	for line := range bytes.Lines(head) {
		words := strings.Fields(string(clip(line, 1000)))
		for len(words) > 0 && (words[0] == "-exist" || words[0] == "-!") {
			words = words[1:]
		}
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) < 2 {
			return false
		}
		switch setVerb(words[0]) {
		case "create":
			return len(words) > 2 && strings.Contains(words[2], ":")
		case "flush", "destroy":
			continue
		}
		return false
	}
	return false
}
