package dnswire

import (
	"encoding/hex"
	"strings"
)

// NSID is the name server identifier in the message (RFC 5001): as text when
// all of it is printable ASCII, else in hexadecimal; empty when there is none.
func (m *Message) NSID() string {
	opt := m.OPT()
	if opt == nil {
		return ""
	}
	for _, o := range opt.Option {
		n, ok := o.(*NSID)
		if !ok {
			continue
		}
		raw, err := hex.DecodeString(n.Nsid)
		if err != nil || strings.ContainsFunc(string(raw), func(c rune) bool { return c < ' ' || c > '~' }) {
			return n.Nsid
		}
		return string(raw)
	}
	return ""
}
