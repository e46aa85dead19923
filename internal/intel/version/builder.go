package version

import (
	"regexp"
	"strings"

	"reconshield/internal/exposure"
)

// unknownBuilder stands for marks that tell of a build but not of whose.
const unknownBuilder = "a packager"

// Builder is who built the software from sources of its own, so that fixes may
// be in it although the number is old.
type Builder struct {
	Name string // "Debian"; empty: nothing tells of one
	// Tracker is where the builder says which packages have which fix, empty
	// when none is known. "%s" stands for the CVE's id.
	Tracker string
	Fork    bool // a project of its own rather than a distribution
}

// Distribution reports whether a distribution, or somebody unknown, built it.
func (b Builder) Distribution() bool { return b.Name != "" && !b.Fork }

// TrackerFor is the tracker's page of the CVE, or of everything when the
// tracker has no page for each; empty when no tracker is known.
func (b Builder) TrackerFor(cve string) string { return strings.ReplaceAll(b.Tracker, "%s", cve) }

// Trackers, all public.
const (
	debianTracker  = "https://security-tracker.debian.org/tracker/%s"
	ubuntuTracker  = "https://ubuntu.com/security/%s"
	redHatTracker  = "https://access.redhat.com/security/cve/%s"
	suseTracker    = "https://www.suse.com/security/cve/%s.html"
	alpineTracker  = "https://security.alpinelinux.org/vuln/%s"
	freeBSDTracker = "https://vuxml.freebsd.org/freebsd/index.html"
	amazonTracker  = "https://explore.alas.aws.amazon.com/%s.html"
	fedoraTracker  = "https://bodhi.fedoraproject.org/updates/?search=%s"
	piHoleTracker  = "https://github.com/pi-hole/FTL/releases"
)

// mark is how a builder shows in what follows the release.
type mark struct {
	pattern *regexp.Regexp
	builder Builder
}

// marks are tried in order: derivatives before what they derive from.
//
//nolint:gochecknoglobals // read-only table
var marks = []mark{
	{regexp.MustCompile(`raspbian|\+rpi\d|\+rpt\d`), Builder{Name: "Raspberry Pi OS", Tracker: debianTracker}},
	{regexp.MustCompile(`zentyal`), Builder{Name: "Zentyal", Tracker: ubuntuTracker}},
	{regexp.MustCompile(`ubuntu`), Builder{Name: "Ubuntu", Tracker: ubuntuTracker}},
	{regexp.MustCompile(`univention|a~\d+\.\d+\.\d+\.\d{12}`), Builder{Name: "Univention", Tracker: debianTracker}},
	{regexp.MustCompile(`debian|[+~.]deb\d+|~bpo\d+|[+.~-]dfsg|wheezy|squeeze|jessie|stretch|buster|bullseye|bookworm|trixie`), Builder{Name: "Debian", Tracker: debianTracker}},
	{regexp.MustCompile(`amzn\d*|\.amazon`), Builder{Name: "Amazon Linux", Tracker: amazonTracker}},
	{regexp.MustCompile(`alios\d*`), Builder{Name: "Alibaba Cloud Linux"}},
	{regexp.MustCompile(`[.-]fc\d{1,2}(?:\b|_)|fedora`), Builder{Name: "Fedora", Tracker: fedoraTracker}},
	{regexp.MustCompile(`red ?hat|-rh\b|\.el\d{1,2}(?:\b|_)|centos|rocky|almalinux|\.oe\d{4}`), Builder{Name: "Red Hat", Tracker: redHatTracker}},
	{regexp.MustCompile(`suse|-(?:lp|bp)?15\d{4}\.|[.-](?:lp|bp)15\d\.`), Builder{Name: "SUSE", Tracker: suseTracker}},
	{regexp.MustCompile(`alpine|^-r\d+$`), Builder{Name: "Alpine", Tracker: alpineTracker}},
	{regexp.MustCompile(`freebsd|^_\d+(?:,\d+)?$`), Builder{Name: "FreeBSD", Tracker: freeBSDTracker}},
	{regexp.MustCompile(`openwrt`), Builder{Name: "OpenWrt"}},
	{regexp.MustCompile(`ubnt`), Builder{Name: "Ubiquiti"}},
	{regexp.MustCompile(`opendns`), Builder{Name: "OpenDNS"}},
	{regexp.MustCompile(`gentoo|^-r\d+-gentoo`), Builder{Name: "Gentoo"}},
}

// builderOf reads the builder's mark, zero when there is none.
func builderOf(product exposure.Product, tail string) Builder {
	lower := strings.ToLower(tail)
	if product == exposure.Dnsmasq && strings.Contains(lower, "pi-hole") {
		return piHole()
	}
	for _, m := range marks {
		if m.pattern.MatchString(lower) {
			return m.builder
		}
	}
	return Builder{}
}

// piHole builds a dnsmasq of its own into its resolver FTL.
func piHole() Builder { return Builder{Name: "Pi-hole", Tracker: piHoleTracker, Fork: true} }
