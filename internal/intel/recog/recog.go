// Package recog tells software from the text it shows, by the Recog
// fingerprints of Rapid7, which it embeds unchanged (compressed) together with
// their BSD-2-Clause notice. It reads no network and no file; what it returns is
// what the fingerprint says, graded by nobody: callers decide how far they
// trust a banner.
package recog

import (
	"compress/gzip"
	"embed"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed data/*.xml.gz
var data embed.FS

//go:embed COPYING
var notice string

// Notice is the licence text that goes with the fingerprints.
func Notice() string { return notice }

// Set names one collection of fingerprints by what its texts are.
type Set string

// Sets.
const (
	DNSVersion Set = "dns_versionbind" // TXT of version.bind
	SSH        Set = "ssh_banners"     // identification string without "SSH-2.0-"
	SMTP       Set = "smtp_banners"    // greeting without the reply code
	FTP        Set = "ftp_banners"     // greeting without the reply code
	MySQL      Set = "mysql_banners"   // version string of the handshake, or the error text
	HTTPServer Set = "http_servers"    // value of the Server header
	IMAP       Set = "imap_banners"    // greeting without "* OK "
	POP3       Set = "pop_banners"     // greeting without "+OK "
)

// Sets lists every collection.
func Sets() []Set {
	return []Set{DNSVersion, SSH, SMTP, FTP, MySQL, HTTPServer, IMAP, POP3}
}

// maxText bounds the text that is matched, in bytes.
const maxText = 2048

// Database holds the collections, each parsed when it is first asked for. It is
// safe for concurrent use; New makes one.
type Database struct {
	sets map[Set]func() ([]fingerprint, error)
}

// New prepares the collections without parsing any.
func New() *Database {
	d := &Database{sets: map[Set]func() ([]fingerprint, error){}}
	for _, s := range Sets() {
		d.sets[s] = sync.OnceValues(func() ([]fingerprint, error) { return load(s) })
	}
	return d
}

// Match gives what the first fitting fingerprint of the set says of text; ok is
// false when none fits, or the one that fits asserts nothing. Only the first
// 2048 bytes are looked at. A set that does not exist matches nothing.
func (d *Database) Match(set Set, text string) (m Match, ok bool) {
	get, known := d.sets[set]
	if !known {
		return Match{}, false
	}
	prints, err := get()
	if err != nil {
		return Match{}, false // embedded and tested: cannot fail in a build that passed its tests
	}
	if len(text) > maxText {
		text = text[:maxText]
	}
	for _, f := range prints {
		if groups := f.pattern.FindStringSubmatch(text); groups != nil {
			m = Match{Description: f.description, Fields: f.fields(groups)}
			return m, m.Product() != ""
		}
	}
	return Match{}, false
}

type fingerprint struct {
	pattern     *regexp.Regexp
	description string
	params      []param
	examples    []example
}

type param struct {
	Pos   int    `xml:"pos,attr"`
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type example struct {
	Attrs []xml.Attr `xml:",any,attr"`
	Text  string     `xml:",chardata"`
}

func load(s Set) ([]fingerprint, error) {
	file, err := data.Open("data/" + string(s) + ".xml.gz")
	if err != nil {
		return nil, fmt.Errorf("open fingerprints %s: %w", s, err)
	}
	defer file.Close() //nolint:errcheck // embedded
	text, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("unpack fingerprints %s: %w", s, err)
	}
	prints, err := parse(text)
	if s == DNSVersion {
		prints = slices.Concat(corrections(), prints, supplement())
	}
	return prints, err
}

func parse(r io.Reader) ([]fingerprint, error) {
	var doc struct {
		Prints []struct {
			Pattern     string    `xml:"pattern,attr"`
			Flags       string    `xml:"flags,attr"`
			Description string    `xml:"description"`
			Examples    []example `xml:"example"`
			Params      []param   `xml:"param"`
		} `xml:"fingerprint"`
	}
	if err := xml.NewDecoder(r).Decode(&doc); err != nil {
		return nil, fmt.Errorf("read fingerprints: %w", err)
	}
	out := make([]fingerprint, 0, len(doc.Prints))
	for _, p := range doc.Prints {
		re, err := regexp.Compile(inline(p.Flags) + p.Pattern)
		if err != nil {
			return nil, fmt.Errorf("fingerprint %q: %w", strings.TrimSpace(p.Description), err)
		}
		out = append(out, fingerprint{re, strings.Join(strings.Fields(p.Description), " "), p.Params, p.Examples})
	}
	return out, nil
}

// inline translates Recog's flag names to Go's.
func inline(flags string) string {
	var b strings.Builder
	for f := range strings.SplitSeq(flags, ",") {
		switch strings.TrimSpace(f) {
		case "REG_ICASE":
			b.WriteByte('i')
		case "REG_DOT_NEWLINE":
			b.WriteByte('s')
		case "REG_MULTILINE": // the dot matches a newline, and ^ and $ hold at lines, as always in Ruby
			b.WriteString("sm")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "(?" + b.String() + ")"
}
