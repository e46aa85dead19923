package app

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/policy"
)

// LoadPolicy reads a policy file; "-" is stdin. The error is policy.Errors for
// what is wrong in the file, else one line.
func LoadPolicy(path string, stdin io.Reader) (*policy.Policy, error) {
	text, err := readBounded(path, stdin, policy.MaxSize)
	if err != nil {
		return nil, err
	}
	return policy.Parse(shownName(path), text)
}

// shownName is how messages call a file.
func shownName(path string) string {
	if path == "-" {
		return "(standard input)"
	}
	return path
}

// readBounded reads a file of at most most bytes; "-" is stdin. The error is
// one line that names the file.
func readBounded(path string, stdin io.Reader, most int64) ([]byte, error) {
	in := stdin
	var text bytes.Buffer
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, unreadable(path, err)
		}
		defer func() { _ = file.Close() }() // it was only read
		info, err := file.Stat()
		if err == nil && info.IsDir() {
			return nil, fmt.Errorf("%s: is a directory; name a file", path)
		}
		if err == nil && info.Mode().IsRegular() { // else reading doubles what it needs
			text.Grow(int(min(info.Size(), most)) + bytes.MinRead)
		}
		in = file
	}
	if in == nil {
		return nil, errors.New("standard input: there is none")
	}
	n, err := io.Copy(&text, io.LimitReader(in, most+1))
	switch {
	case err != nil:
		return nil, unreadable(path, err)
	case n > most:
		return nil, fmt.Errorf("%s: larger than %s; expected a smaller file", shownName(path), sizeText(most))
	}
	return text.Bytes(), nil
}

func unreadable(path string, err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("%s: cannot be read: %w", shownName(path), err)
}

func sizeText(bytes int64) string {
	const mebibyte, kibibyte = 1 << 20, 1 << 10
	if bytes >= mebibyte {
		return fmt.Sprintf("%d MiB", bytes/mebibyte)
	}
	return fmt.Sprintf("%d KiB", bytes/kibibyte)
}

// PolicyDraft says what a first policy is written from.
type PolicyDraft struct {
	From       string   // file of "assess --format json"; "-" is Stdin, empty: a skeleton
	Zone       string   // in which the assessment's vantage stood; empty: wan
	Interfaces []string // "NAME=PREFIX,PREFIX" or "NAME", each an interface of the firewall
	Detect     bool     // take this machine's interfaces
	At         time.Time
	Stdin      io.Reader
}

// nameRunes are what names in a policy are made of.
const nameRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// DraftPolicy writes a first policy with comments. Its errors are one line.
func DraftPolicy(o PolicyDraft) (string, error) {
	if strings.ContainsFunc(o.Zone, func(r rune) bool { return !strings.ContainsRune(nameRunes, r) }) {
		return "", fmt.Errorf("--zone %q: expected letters, digits, hyphen, underscore and dot", cut(o.Zone))
	}
	in := policy.DraftInput{Zone: o.Zone, At: o.At}
	if o.From != "" {
		a, err := loadAssessment(o.From, o.Stdin)
		if err != nil {
			return "", err
		}
		in.Assessment = a
	}
	if o.Detect {
		own, err := ownInterfaces()
		if err != nil {
			return "", err
		}
		in.Interfaces = own
	}
	for _, text := range o.Interfaces {
		i, err := parseInterface(text)
		if err != nil {
			return "", err
		}
		in.Interfaces = append(in.Interfaces, i)
	}
	return policy.Draft(in), nil
}

// maxAssessment is far above what the largest scope gives.
const maxAssessment = 1 << 30

func loadAssessment(path string, stdin io.Reader) (*exposure.Assessment, error) {
	text, err := readBounded(path, stdin, maxAssessment)
	if err != nil {
		return nil, err
	}
	var a exposure.Assessment
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("%s: expected the output of \"reconshield assess --format json\": %w", jsonPlace(shownName(path), text, err), err)
	}
	if a.Schema != exposure.SchemaVersion {
		return nil, fmt.Errorf("%s:1: expected the output of \"reconshield assess --format json\" with schema %q, not %q", shownName(path), exposure.SchemaVersion, cut(a.Schema))
	}
	return &a, nil
}

// jsonPlace is file:line of what is wrong with a JSON text.
func jsonPlace(file string, text []byte, err error) string {
	offset := int64(0)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	}
	return fmt.Sprintf("%s:%d", file, 1+bytes.Count(text[:min(max(offset, 0), int64(len(text)))], []byte("\n")))
}

func cut(text string) string {
	const most = 60
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// parseInterface reads "eth1=10.0.0.0/16,2001:db8::/48" or "eth0".
func parseInterface(text string) (policy.Interface, error) {
	name, list, _ := strings.Cut(text, "=")
	networks, err := parseNetworks(list)
	if name == "" || err != nil {
		return policy.Interface{}, fmt.Errorf("--interface %q: %w", cut(text), cmp.Or(err, errors.New(`expected NAME=PREFIX, such as eth1=10.0.0.0/16`)))
	}
	return policy.Interface{Name: name, Networks: networks}, nil
}

func parseNetworks(list string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for part := range strings.SplitSeq(list, ",") {
		if part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is no prefix; write it as 10.0.0.0/16 or 2001:db8::/48", cut(part))
		}
		out = append(out, p)
	}
	return out, nil
}

// ownInterfaces are this machine's, without loopback and those that are down.
func ownInterfaces() ([]policy.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("--detect: the interfaces cannot be listed: %w", err)
	}
	var out []policy.Interface
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("--detect: the addresses of %s cannot be listed: %w", i.Name, err)
		}
		own := policy.Interface{Name: i.Name}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
				own.Networks = append(own.Networks, p)
			}
		}
		out = append(out, own)
	}
	if len(out) == 0 {
		return nil, errors.New("--detect: no interface is up; name them with --interface")
	}
	return out, nil
}
