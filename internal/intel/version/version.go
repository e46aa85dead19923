// Package version reads what DNS servers say of their version: product,
// release, edition, pre-release, patch level and the marks of whoever built
// it. It orders the releases of a product. It does not know which releases are
// vulnerable, and it never guesses: what does not read as a full release is
// refused.
package version

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
)

// Products that exposure does not name, because no fixes are written for them.
const (
	AdGuardHome exposure.Product = "adguardhome"
	Dnsdist     exposure.Product = "dnsdist"
	MaraDNS     exposure.Product = "maradns"
	PiHole      exposure.Product = "pihole"
	PiHoleFTL   exposure.Product = "pihole-ftl"
	Technitium  exposure.Product = "technitium"
)

// Errors of this package; callers test with errors.Is.
var (
	ErrProduct = errors.New("no DNS server is known by this name")
	ErrVersion = errors.New("no full release number")
)

// Edition sets releases apart that share numbers but not a line of development.
type Edition string

// Editions. BIND's Supported Preview carries an -S suffix, its old extended
// support releases an -ESV; everything else is Standard.
const (
	Standard         Edition = ""
	SupportedPreview Edition = "S"
	ExtendedSupport  Edition = "ESV"
)

// stage orders what comes before a release.
type stage uint8

const (
	alpha stage = iota
	beta
	candidate
	released
)

// most is the number of components that a release number may have.
const most = 6

// Version is one release as a banner or a package names it. The zero value
// compares lower than every release.
type Version struct {
	Product exposure.Product
	Text    string // the release alone: "9.18.49", "9.16.50-S1", "2.93rc1"
	Edition Edition
	Builder Builder // who marked the build as their own; zero for none
	// Snapshot says that it was built between releases, so that it may hold
	// fixes of the next.
	Snapshot bool

	numbers  [most]uint32
	count    int
	revision uint32 // of the edition: 2 of -S2, 7 of -ESV-R7
	stage    stage
	attempt  uint32 // 1 of rc1
	patch    [2]uint32
}

// Parse reads a version of the product: the bare release, or the release with
// the suffixes of its builder, as in "9.18.49-1~deb12u3-Debian". Its error
// wraps ErrVersion.
func Parse(product exposure.Product, text string) (Version, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxText {
		text = text[:maxText]
	}
	s := scanner{rest: strings.TrimPrefix(strings.TrimPrefix(text, "v"), "V"), v: Version{Product: product, stage: released}}
	whole := s.rest
	if !s.numbers() {
		return Version{}, fmt.Errorf("%q: %w", short(text), ErrVersion)
	}
	if product == exposure.BIND {
		s.bind()
	} else {
		s.plain()
	}
	s.v.Text = strings.TrimRight(whole[:len(whole)-len(s.rest)], ".-")
	s.suffix()
	if !s.v.full() {
		return Version{}, fmt.Errorf("%q: %w", short(text), ErrVersion)
	}
	return s.v, nil
}

// Endpoint reads one end of a published range, which may name a branch only:
// "9.18" stands for its first release. Its error wraps ErrVersion.
func Endpoint(product exposure.Product, text string) (Version, error) {
	s := scanner{rest: strings.TrimSpace(text), v: Version{Product: product, stage: released, Text: text}}
	if !s.numbers() {
		return Version{}, fmt.Errorf("%q: %w", short(text), ErrVersion)
	}
	if product == exposure.BIND {
		s.bind()
	} else {
		s.plain()
	}
	if s.rest != "" || s.v.Snapshot {
		return Version{}, fmt.Errorf("%q: %w", short(text), ErrVersion)
	}
	return s.v, nil
}

// Compare orders two versions of one product, -1 when v is the older. Only
// versions of the same edition have an order that means anything.
func (v Version) Compare(o Version) int {
	return cmp.Or(
		slices.Compare(v.numbers[:], o.numbers[:]), cmp.Compare(v.revision, o.revision),
		cmp.Compare(v.stage, o.stage), cmp.Compare(v.attempt, o.attempt), slices.Compare(v.patch[:], o.patch[:]))
}

// SameBranch reports whether both belong to one branch, which for all these
// products is named by the first two numbers, and to the same edition.
func (v Version) SameBranch(o Version) bool {
	return v.Edition == o.Edition && v.numbers[0] == o.numbers[0] && v.numbers[1] == o.numbers[1]
}

// Branch is the branch as people write it: "9.18".
func (v Version) Branch() string { return fmt.Sprintf("%d.%d", v.numbers[0], v.numbers[1]) }

// OpensBranch reports whether v is the first release of its branch, as 9.18.0 is.
func (v Version) OpensBranch() bool {
	return v.stage == released && v.numbers[2] == 0 && v.patch[0] == 0 && v.revision == 0
}

// Prerelease reports whether v came before a release: a candidate or a beta.
func (v Version) Prerelease() bool { return v.stage != released }

// Final is the release that a pre-release led to; a release is its own.
func (v Version) Final() Version {
	if v.stage == released {
		return v
	}
	v.stage, v.attempt = released, 0
	mark := strings.TrimRight(strings.TrimRight(v.Text, "0123456789"), ".")
	v.Text = strings.TrimRight(strings.TrimRightFunc(mark, func(r rune) bool { return r < 0x80 && letter(byte(r)) }), "-~.")
	return v
}

// String is the release alone.
func (v Version) String() string { return v.Text }

// full reports whether the numbers name one release and not a branch, and
// whether the product ever had such numbers.
func (v Version) full() bool {
	switch v.Product { //nolint:exhaustive // the others have three numbers
	case exposure.BIND:
		known := v.numbers[0] == 9 || v.numbers[0] == 8 || v.numbers[0] == 4
		return known && (v.count >= 3 || v.Edition == ExtendedSupport)
	case exposure.PDNSAuth, exposure.PDNSRec:
		return v.count >= 3 && v.numbers[0] > 0 || v.count == 2 && (v.numbers[0] == 2 || v.numbers[0] == 3)
	case exposure.Dnsmasq, Technitium, PiHole, PiHoleFTL, exposure.WindowsDNS:
		return v.count >= 2 && v.numbers[0] > 0
	}
	return v.count >= 3 && (v.numbers[0] > 0 || v.numbers[1] > 0)
}

// short is a text for an error, bounded.
func short(s string) string {
	const limit = 80
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}
