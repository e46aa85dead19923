package device

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"

	"reconshield/internal/firewall"
)

// Plain makes text safe to stand in a comment, a remark or a quoted string of
// every format: one line of ASCII letters, digits, blanks and .,:/()_+=@- of at
// most so many bytes. Quotation marks go, a semicolon becomes a comma, and
// anything else "_".
func Plain(text string, most int) string {
	var b strings.Builder
	blank := true // none at the start
	for _, r := range text {
		switch {
		case r <= ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029:
			if !blank {
				b.WriteByte(' ')
			}
			blank = true
			continue
		case strings.ContainsRune("\"'`", r):
			continue
		case r == ';':
			b.WriteByte(',')
		case r < 0x80 && (alphanumeric(r) || strings.ContainsRune(".,:/()_+=@-", r)):
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
		blank = false
		if b.Len() >= most {
			break
		}
	}
	out := b.String()
	return strings.TrimSpace(out[:min(len(out), most)])
}

// Remark is what a row's comment says: its reason, and its last day when it has
// one, in at most so many bytes. The day is never cut off.
func Remark(r Row, most int) string {
	if r.Until.IsZero() {
		return Plain(r.Why, most)
	}
	date := r.Until.UTC().Format("2006-01-02")
	if why := Plain(r.Why, most); strings.Contains(why, "until "+date) {
		return why
	}
	day := " (until " + date + ")"
	return strings.TrimSpace(Plain(r.Why, most-len(day)) + day)
}

// Label makes an identifier of a name: letters, digits and "-", beginning with
// a letter, of 1 to most bytes.
func Label(name string, most int) string {
	out := strings.Map(func(r rune) rune {
		if r < 0x80 && alphanumeric(r) {
			return r
		}
		return '-'
	}, name)
	out = strings.Trim(out[:min(len(out), most)], "-")
	if out == "" {
		return "x"
	}
	if out[0] >= '0' && out[0] <= '9' {
		out = "x" + out
	}
	return strings.TrimRight(out[:min(len(out), most)], "-")
}

// Tag is a Label that no other name has: one that does not hold the whole name
// ends in a hash of it. most is 6 at least.
func Tag(name string, most int) string {
	label := Label(name, most)
	if label == name {
		return label
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("%s-%04x", Label(name, most-5), h.Sum32()&0xffff)
}

// Header is the lines that begin every file, without comment signs.
func Header(p firewall.Plan) []string {
	who := Plain(p.Asset, 100) + ", role " + Plain(string(p.Role), 40)
	if p.Owner != "" {
		who += ", owner " + Plain(p.Owner, 100)
	}
	from := "Made by reconshield of an exposure policy."
	if p.Policy != "" {
		from = "Made by reconshield of the exposure policy " + Plain(p.Policy, 200) + "."
	}
	return []string{
		"Firewall rules for " + who + ".", from,
		"New conversations that no rule here allows are dropped; replies pass by their state, never by a source port.",
	}
}

// Commented puts a comment sign before each line.
func Commented(sign string, lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(sign + l + "\n")
	}
	return b.String()
}

// Quote makes one word of a POSIX shell, on one line: what cannot be printed
// becomes a blank.
func Quote(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	plain := s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		return r >= 0x80 || !alphanumeric(r) && !strings.ContainsRune("-_./:=@", r)
	})
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Verify is how every configuration is proven after it was loaded.
func Verify(p firewall.Plan) []firewall.Step {
	return []firewall.Step{{
		Text:    "Scan from a vantage in each zone, the Internet's first, and compare with the policy.",
		Command: fmt.Sprintf("reconshield firewall verify --policy %s --asset %s", Quote(PolicyFile(p)), Quote(p.Asset)),
	}}
}

// PolicyFile is the policy's name for commands: "policy.yaml" when it has none.
func PolicyFile(p firewall.Plan) string {
	if p.Policy == "" {
		return "policy.yaml"
	}
	return p.Policy
}

// Word reports whether a name is one plain word of at most so many bytes:
// letters, digits and ._:/- , as names of interfaces and zones are.
func Word(name string, most int) bool {
	for _, r := range name {
		if r >= 0x80 || !alphanumeric(r) && !strings.ContainsRune("._:/-", r) {
			return false
		}
	}
	return name != "" && len(name) <= most && name[0] != '-'
}

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
