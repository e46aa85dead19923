package nonce

import (
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Report is a query as it reached the collector. Its text is what the TXT
// record of a reporting name says.
type Report struct {
	Source netip.AddrPort
	ID     uint16
	// Sequence counts the collector's queries, so that samples can be put into
	// the order of their arrival.
	Sequence uint64
	Time     time.Time // to the second
	Stream   bool      // it came over TCP
	EDNS     uint16    // UDP size offered; 0: no EDNS
	DO       bool      // DNSSEC OK (RFC 3225)
	Cookie   bool      // it carried a cookie option (RFC 7873)
	Mixed    bool      // the name came in mixed case, as an additional secret
	// Subnet is the client subnet option (RFC 7871); invalid: none.
	Subnet netip.Prefix
}

// macLen is how many bytes of the digest guard a report's text.
const macLen = 6

// ErrReport is returned by ParseReport for text that is not a report.
var ErrReport = errors.New("not a report of the collector")

// Text is the report as the collector writes it for the name, guarded by a
// keyed digest.
func (r Report) Text(z Zone, name string) string {
	var b strings.Builder
	var flags strings.Builder
	for _, f := range []struct {
		on   bool
		name string
	}{{r.Stream, "t"}, {r.DO, "d"}, {r.Cookie, "c"}, {r.Mixed, "m"}} {
		if f.on {
			flags.WriteString(f.name)
		}
	}
	fmt.Fprintf(&b, "r1 s=%s p=%d i=%d q=%d t=%d e=%d f=%s",
		r.Source.Addr().Unmap().WithZone(""), r.Source.Port(), r.ID, r.Sequence, max(0, r.Time.Unix()), r.EDNS, flags.String())
	if r.Subnet.IsValid() {
		fmt.Fprintf(&b, " x=%s", r.Subnet)
	}
	text := b.String()
	return text + " h=" + hex.EncodeToString(z.Sum(name, text)[:macLen])
}

// ParseReport reads the text of a report that was made for the name, and
// refuses one that was altered or made for another name or zone.
func ParseReport(z Zone, name, text string) (Report, error) {
	const longest = 255
	if len(text) > longest {
		return Report{}, ErrReport
	}
	body, mac, ok := strings.Cut(text, " h=")
	want := hex.EncodeToString(z.Sum(name, body)[:macLen])
	if !ok || subtle.ConstantTimeCompare([]byte(mac), []byte(want)) != 1 {
		return Report{}, fmt.Errorf("%w: its digest is wrong (is --collector-key that of the collector?)", ErrReport)
	}
	fields := strings.Split(body, " ")
	if fields[0] != "r1" {
		return Report{}, fmt.Errorf("%w: version %q, want r1", ErrReport, fields[0])
	}
	values := map[string]string{}
	for _, f := range fields[1:] {
		key, value, _ := strings.Cut(f, "=")
		values[key] = value
	}
	return report(values)
}

func report(values map[string]string) (Report, error) {
	var failed error
	number := func(key string, bits int) uint64 {
		n, err := strconv.ParseUint(values[key], 10, bits)
		if err != nil {
			failed = fmt.Errorf("%w: field %s is %q", ErrReport, key, values[key])
		}
		return n
	}
	addr, err := netip.ParseAddr(values["s"])
	if err != nil {
		return Report{}, fmt.Errorf("%w: field s is %q", ErrReport, values["s"])
	}
	flags := values["f"]
	r := Report{
		Source: netip.AddrPortFrom(addr, uint16(number("p", 16))), ID: uint16(number("i", 16)),
		Sequence: number("q", 64), Time: time.Unix(int64(number("t", 63)), 0), EDNS: uint16(number("e", 16)),
		Stream: strings.Contains(flags, "t"), DO: strings.Contains(flags, "d"),
		Cookie: strings.Contains(flags, "c"), Mixed: strings.Contains(flags, "m"),
	}
	if x, ok := values["x"]; ok {
		if r.Subnet, err = netip.ParsePrefix(x); err != nil {
			return Report{}, fmt.Errorf("%w: field x is %q", ErrReport, x)
		}
	}
	return r, failed
}
