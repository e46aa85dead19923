// Package nonce computes the names that the checks ask resolvers for and what
// the collector answers to them, so that both sides agree without speaking to
// each other. It does no I/O.
//
// A nonce name is LABEL.KIND.APEX: the label is random, the kind says what the
// collector does with it. Answers are computed from name and key, so that the
// assessor can tell the collector's answer from one made up on the way.
package nonce

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Zone is the collector's zone and the key from which answers are computed.
type Zone struct {
	Apex string // "probe.example.net."
	Key  []byte // shared by collector and assessor; empty is allowed and then derived from Apex
	// Anchored says that the resolvers under test hold the zone's key as a
	// trust anchor of their own. Otherwise its signatures are only held against
	// a resolver when a chain of DS records leads from the root to the zone.
	Anchored bool
}

// Kind is what the collector does with a name.
type Kind string

// Kinds. A and AAAA are served for all but Missing, TXT for Who,
// Who4 and Who6 only.
const (
	Plain      Kind = "a"       // computed addresses
	Who        Kind = "who"     // TXT: the query as the collector saw it, see Report
	Who4       Kind = "who4"    // as Who, but refused unless it is asked for over IPv4
	Who6       Kind = "who6"    // as Who, but refused unless it is asked for over IPv6
	Missing    Kind = "nx"      // NXDOMAIN
	Bogus      Kind = "bogus"   // computed addresses with broken signatures
	Private10  Kind = "priv10"  // A in 10.0.0.0/8
	Private172 Kind = "priv172" // A in 172.16.0.0/12
	Private192 Kind = "priv192" // A in 192.168.0.0/16
	Loopback   Kind = "priv127" // A in 127.0.0.0/8
	PrivateFD  Kind = "privfd"  // AAAA in fd00::/8
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{Plain, Who, Who4, Who6, Missing, Bogus, Private10, Private172, Private192, Loopback, PrivateFD}
}

// Reports reports whether names of the kind have a TXT record that tells how
// the query came.
func (k Kind) Reports() bool { return k == Who || k == Who4 || k == Who6 }

// Private lists the kinds that answer addresses of private networks.
func Private() []Kind { return []Kind{Private10, Private172, Private192, Loopback, PrivateFD} }

const (
	labelBytes = 8
	// LabelLen is the length of the random label.
	LabelLen = 13
	alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	// maxApex leaves room for the labels in front, and for those of negative answers.
	maxApex = 150
)

// New checks the apex and returns the zone.
func New(apex string, key []byte) (Zone, error) {
	z := Zone{Apex: canonical(apex), Key: key}
	labels := strings.Split(strings.TrimSuffix(z.Apex, "."), ".")
	if len(labels) < 2 || len(z.Apex) > maxApex {
		return Zone{}, fmt.Errorf("zone %q: want a name of two labels or more and at most %d bytes, such as probe.example.net", apex, maxApex)
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, alphabet+"0189-_") != "" {
			return Zone{}, fmt.Errorf("zone %q: label %q is not made of letters, digits and hyphens", apex, l)
		}
	}
	return z, nil
}

// Name makes a fresh name of the kind, never used before.
func (z Zone) Name(k Kind) string {
	var b [labelBytes]byte
	rand.Read(b[:]) // never fails (Go 1.24)
	return encoding().EncodeToString(b[:]) + "." + string(k) + "." + canonical(z.Apex)
}

// ErrForeign is returned by Parse for names that are not nonce names of the zone.
var ErrForeign = errors.New("not a nonce name of this zone")

// Parse takes a nonce name apart. Case does not matter.
func (z Zone) Parse(name string) (label string, k Kind, err error) {
	front, ok := strings.CutSuffix(canonical(name), "."+canonical(z.Apex))
	if !ok {
		return "", "", ErrForeign
	}
	label, kind, ok := strings.Cut(front, ".")
	if !ok || !ValidLabel(label) || !slices.Contains(Kinds(), Kind(kind)) {
		return "", "", ErrForeign
	}
	return label, Kind(kind), nil
}

// ValidLabel reports whether a label, in lower case, has the form of the random one.
func ValidLabel(label string) bool {
	return len(label) == LabelLen && strings.Trim(label, alphabet) == ""
}

// Addr4 is the A record of a name; invalid for kinds that have none. Ordinary
// kinds live in 198.18.0.0/15, which is reserved for benchmarks (RFC 2544).
func (z Zone) Addr4(name string) netip.Addr {
	_, k, err := z.Parse(name)
	if err != nil {
		return netip.Addr{}
	}
	switch k {
	case Missing, PrivateFD:
		return netip.Addr{}
	case Private10:
		return z.fill(name, netip.MustParsePrefix("10.0.0.0/8"))
	case Private172:
		return z.fill(name, netip.MustParsePrefix("172.16.0.0/12"))
	case Private192:
		return z.fill(name, netip.MustParsePrefix("192.168.0.0/16"))
	case Loopback:
		return z.fill(name, netip.MustParsePrefix("127.0.0.0/8"))
	case Plain, Who, Who4, Who6, Bogus:
	}
	return z.fill(name, netip.MustParsePrefix("198.18.0.0/15"))
}

// Addr6 is the AAAA record of a name; invalid for kinds that have none.
// Ordinary kinds live in 2001:2::/48, reserved for benchmarks (RFC 5180).
func (z Zone) Addr6(name string) netip.Addr {
	_, k, err := z.Parse(name)
	if err != nil {
		return netip.Addr{}
	}
	switch k {
	case Plain, Who, Who4, Who6, Bogus:
		return z.fill(name, netip.MustParsePrefix("2001:2::/48"))
	case PrivateFD:
		return z.fill(name, netip.MustParsePrefix("fd00::/8"))
	case Missing, Private10, Private172, Private192, Loopback:
	}
	return netip.Addr{}
}

// Sum is the keyed digest of a text that belongs to a name.
func (z Zone) Sum(name, text string) []byte {
	key := z.Key
	if len(key) == 0 {
		key = []byte(canonical(z.Apex))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(canonical(name)))
	mac.Write([]byte{0})
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// fill keeps the prefix and takes the host part from the name's digest.
func (z Zone) fill(name string, p netip.Prefix) netip.Addr {
	out, sum := p.Addr().AsSlice(), z.Sum(name, "address")
	for i := range out {
		network := max(0, min(8, p.Bits()-8*i)) // bits of this octet that belong to the prefix
		out[i] |= sum[i] & (0xff >> network)
	}
	addr, _ := netip.AddrFromSlice(out)
	return addr
}

func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, ".")) + "."
}

func encoding() *base32.Encoding {
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)
}
