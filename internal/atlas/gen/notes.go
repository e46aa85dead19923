package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"reconshield/internal/atlas"
)

// readNotes reads every file of dir, each the note of the port that names it,
// in order of ports. All faults are reported, not only the first.
func readNotes(dir string) ([]atlas.Note, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var (
		notes  []atlas.Note
		faults []error
	)
	for _, path := range paths {
		n, err := readNote(path)
		if err == nil {
			err = errors.Join(faultsOf(&n)...)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", path, err))
			continue
		}
		notes = append(notes, n)
	}
	slices.SortFunc(notes, func(a, b atlas.Note) int { return int(a.Port) - int(b.Port) })
	return notes, errors.Join(faults...)
}

func readNote(path string) (atlas.Note, error) {
	var n atlas.Note
	text, err := os.ReadFile(path) //nolint:gosec // a file of this repository
	if err != nil {
		return n, err
	}
	encoded, err := yaml.YAMLToJSON(text)
	if err != nil {
		return n, err
	}
	d := json.NewDecoder(bytes.NewReader(encoded))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		return n, err
	}
	if want := strconv.Itoa(int(n.Port)) + ".yaml"; filepath.Base(path) != want {
		return n, fmt.Errorf("the note of port %d belongs into %s", n.Port, want)
	}
	return n, nil
}

// Least numbers of words of a section, and most.
const (
	fewestWords = 30
	mostWords   = 1200
)

// faultsOf says what a note lacks.
func faultsOf(n *atlas.Note) []error {
	var faults []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for name, text := range map[string]string{
		"name": n.Name, "title": n.Title, "traits.authentication": n.Traits.Authentication,
		"traits.encryption": n.Traits.Encryption, "traits.credentials": n.Traits.Credentials,
		"traits.patching": n.Traits.Patching, "traits.abuse": n.Traits.Abuse,
	} {
		need(strings.TrimSpace(text) != "", "%s is empty", name)
	}
	for name, text := range n.Sections.All() {
		words := len(strings.Fields(text))
		need(words >= fewestWords && words <= mostWords, "sections.%s has %d words; it takes %d to %d", name, words, fewestWords, mostWords)
		need(!strings.HasPrefix(text, "#") && !strings.Contains(text, "\n#"), "sections.%s has a heading", name)
	}
	need(slices.Contains(kinds(), n.Kind), "kind %q is none of %q", n.Kind, kinds())
	need(slices.Contains(reaches(), n.Reach), "reach %q is none of %q", n.Reach, reaches())
	need(len(n.Transports) > 0, "transports is empty")
	for _, t := range n.Transports {
		need(slices.Contains([]string{"tcp", "udp", "sctp", "dccp"}, t), "transport %q", t)
	}
	need(len(n.FAQ) >= 3, "faq has %d questions; it takes 3", len(n.FAQ))
	for _, q := range n.FAQ {
		need(strings.HasSuffix(q.Question, "?") && len(strings.Fields(q.Answer)) >= 8, "faq %q is no question with an answer", q.Question)
	}
	need(len(n.Related) >= 2, "related has %d ports; it takes 2", len(n.Related))
	for _, r := range n.Related {
		need(r.Name != "" && r.Relation != "" && r.Transport != "", "related port %d lacks a transport, name or relation", r.Port)
	}
	for _, t := range n.Techniques {
		need(strings.HasPrefix(t.ID, "T") && t.Why != "", "technique %q lacks an id or a reason", t.ID)
	}
	for _, c := range n.CVEs {
		need(strings.HasPrefix(c.ID, "CVE-") && c.About != "", "%q lacks an id or a sentence", c.ID)
	}
	need(len(n.Sources) > 0, "sources is empty")
	return faults
}

func kinds() []atlas.Kind {
	return []atlas.Kind{
		atlas.NameService, atlas.RemoteAdmin, atlas.Database, atlas.FileSharing, atlas.Mail, atlas.Web, atlas.VPN,
		atlas.Directory, atlas.Industrial, atlas.Messaging, atlas.Monitoring, atlas.Voice, atlas.TimeService,
		atlas.Printing, atlas.Virtualisation, atlas.Discovery, atlas.RPC, atlas.Proxy, atlas.Backup, atlas.Gaming,
		atlas.IoT, atlas.Legacy, atlas.NetworkControl, atlas.Development, atlas.SmallService, atlas.PeerToPeer,
		atlas.RemoteDesktop, atlas.Authentication, atlas.FileTransfer, atlas.MalwareFavorite,
	}
}

func reaches() []atlas.Reach {
	return []atlas.Reach{atlas.ReachInternet, atlas.ReachVPN, atlas.ReachLAN, atlas.ReachHost, atlas.ReachNobody}
}
