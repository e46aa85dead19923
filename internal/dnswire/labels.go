package dnswire

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// RawLabels are the labels of a name in presentation form as the bytes they
// have on the wire, without the root.
func RawLabels(name string) []string {
	labels := dns.SplitDomainName(name)
	for i, l := range labels {
		if strings.IndexByte(l, '\\') >= 0 {
			labels[i] = unescape(l)
		}
	}
	return labels
}

func unescape(label string) string {
	out := make([]byte, 0, len(label))
	for i := 0; i < len(label); i++ {
		c := label[i]
		if c != '\\' || i+1 == len(label) {
			out = append(out, c)
			continue
		}
		if i+3 < len(label) && digit(label[i+1]) && digit(label[i+2]) && digit(label[i+3]) {
			c = (label[i+1]-'0')*100 + (label[i+2]-'0')*10 + label[i+3] - '0'
			i += 3
		} else {
			i++
			c = label[i]
		}
		out = append(out, c)
	}
	return string(out)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// EscapeLabel is the presentation form of one label's bytes.
func EscapeLabel(raw string) string {
	var b strings.Builder
	for i := range len(raw) {
		c := raw[i]
		if c == '-' || c == '_' || c == '*' || digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03d`, c)
		}
	}
	return b.String()
}
