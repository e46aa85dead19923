package fabric

import (
	"fmt"
	"strings"
	"unicode"

	"reconshield/internal/firewall"
)

// Bounds of texts taken from the policy.
const (
	lineMax = 200
	nameMax = 60
)

// Line makes one printable line of at most limit runes of any text: control
// and format characters, line ends and invalid bytes become spaces.
func Line(s string, limit int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) || r == ' ' {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		if n >= limit {
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}

// Reason is the comment of a rule, one line of at most limit runes.
func (r Rule) Reason(limit int) string {
	if len(r.Why) == 0 {
		return Line("from "+strings.Join(r.Zones, ", "), limit)
	}
	return Line(strings.Join(r.Why, "; "), limit)
}

// Title is "tcp 22, 953"; of ESP, "esp".
func (r Rule) Title() string {
	return strings.TrimSpace(string(r.Transport) + " " + Ports(r.Ports, ", "))
}

// Ports lists port ranges.
func Ports(ports []firewall.PortRange, separator string) string {
	out := make([]string, len(ports))
	for i, r := range ports {
		out[i] = r.String()
	}
	return strings.Join(out, separator)
}

// Header is what every file says first, one line an element.
func (p Plan) Header(what string) []string {
	lines := []string{what + " for " + Line(p.Asset, nameMax)}
	about := "role " + Line(string(p.Role), nameMax)
	if p.Owner != "" {
		about += ", owner " + Line(p.Owner, nameMax)
	}
	if p.Policy != "" {
		about += ", policy " + Line(p.Policy, nameMax)
	}
	return append(lines, about, "Everything that is not allowed here is dropped. Made by reconshield: change the policy, not this file.")
}

// Commented puts each line behind a mark such as "# ".
func Commented(mark string, lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(mark+Line(l, 400), " ") + "\n")
	}
	return b.String()
}

// Name makes an identifier of any text: lower case letters, digits and single
// separators, beginning with a letter, at most limit bytes.
func Name(s string, separator byte, limit int) string {
	var b strings.Builder
	pending := false
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if pending && b.Len() > 0 {
				b.WriteByte(separator)
			}
			pending = false
			if b.Len() == 0 && r <= '9' {
				b.WriteString("a" + string(separator))
			}
			b.WriteRune(r)
			continue
		}
		pending = true
	}
	out := b.String()
	if out == "" {
		return "asset"
	}
	return strings.TrimRight(out[:min(len(out), limit)], string(separator))
}

// Names gives each thing of a file its own name. The zero value is not ready.
type Names struct {
	separator byte
	limit     int
	used      map[string]bool
}

// NewNames gives names of at most limit bytes.
func NewNames(separator byte, limit int) *Names {
	return &Names{separator, limit, map[string]bool{}}
}

// Of makes a name of the words that was not given before; a number ends it
// when the words alone are taken.
func (n *Names) Of(words ...string) string {
	base := Name(strings.Join(words, "-"), n.separator, n.limit)
	out := base
	for i := 2; n.used[out]; i++ {
		end := fmt.Sprintf("%c%d", n.separator, i)
		out = strings.TrimRight(base[:min(len(base), n.limit-len(end))], string(n.separator)) + end
	}
	n.used[out] = true
	return out
}
