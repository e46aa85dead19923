//go:build linux

package lab

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// Kind is one server of the catalogue.
type Kind struct {
	// Name starts the server ([Lab.Start]) and names its host.
	Name string
	// Packages are the Debian packages it needs.
	Packages []string
	// Abused says what is deliberately wrong with it; empty: nothing is.
	Abused string

	needs       []string // kinds that must run first
	intercepted bool     // lives behind the middlebox
	start       func(*setup) error
}

// Numbers of the fixed hosts in the servers segment. Catalogue servers are
// numbered in the order of [Kinds], other hosts as they come.
const (
	numberRoot      = 10
	numberCollector = 11
	numberNS1       = 12
	numberNS2       = 13 // a second address of ns1
	firstKind       = 20
	firstFree       = 150
)

// Kinds returns the catalogue.
func Kinds() []Kind {
	return slices.Concat(
		bindKinds(), unboundKinds(), knotKinds(), nsdKinds(), powerKinds(), dnsmasqKinds(),
		forwarderKinds(), resolverKinds(), portKinds(), hostileKinds(), consoleKinds(),
		// Later additions go to the end so that addresses stay.
		infrastructure(), authorityKinds(),
	)
}

// infrastructure is what every resolver of the lab needs.
func infrastructure() []Kind {
	return []Kind{
		{Name: "root", Packages: []string{"nsd"}, start: nsdRoot},
		{Name: "ns1", Packages: []string{"nsd"}, start: nsdNS1},
	}
}

// number is the host part of a fixed host's address.
func number(name string) (int, bool) {
	switch name {
	case "root":
		return numberRoot, true
	case "collector":
		return numberCollector, true
	case "ns1":
		return numberNS1, true
	}
	i := slices.IndexFunc(Kinds(), func(k Kind) bool { return k.Name == name })
	return firstKind + i, i >= 0
}

// addressOf is the servers-segment address of a fixed host, running or not.
func addressOf(name string) (v4, v6 netip.Addr) {
	n, ok := number(name)
	if !ok {
		panic("lab: no fixed address for " + name)
	}
	return servers().address(n)
}

// setup is what the start function of a kind works with.
type setup struct {
	ctx  context.Context //nolint:containedctx // lives as long as one start
	lab  *Lab
	host *Host
}

// server describes a kind that is one daemon with files.
type server struct {
	zones  []string          // zone files to write to zones/
	files  map[string]string // templates, see expand
	before func(*setup) error
	argv   []string
	// ask is the query that must have an answer before the server counts as
	// started, "name type"; example.test SOA when empty, "-" for none.
	ask   string
	ports []string // further TCP ports that must accept
}

// start writes the files, runs the daemon and waits until it answers.
func (d server) start(s *setup) error {
	for _, zone := range d.zones {
		if _, err := s.host.write(zoneFile(zone), zoneText(zone)); err != nil {
			return err
		}
	}
	for name, text := range d.files {
		if _, err := s.host.write(name, s.expand(text)); err != nil {
			return err
		}
	}
	if d.before != nil {
		if err := d.before(s); err != nil {
			return err
		}
	}
	p, err := s.daemon(d.argv...)
	if err != nil {
		return err
	}
	if d.ask != "-" {
		question := d.ask
		if question == "" {
			question = "example.test SOA"
		}
		if err := s.answers(p, question); err != nil {
			return err
		}
	}
	return s.accepts(p, d.ports...)
}

// daemon starts a process that lives as long as the lab.
func (s *setup) daemon(argv ...string) (*Process, error) {
	expanded := make([]string, len(argv))
	for i, arg := range argv {
		expanded[i] = s.expand(arg)
	}
	p, err := s.host.run(expanded...)
	if err != nil {
		return nil, err
	}
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	s.lab.running = append(s.lab.running, p)
	return p, nil
}

// tool runs a program to its end in the host's directory.
func (s *setup) tool(argv ...string) (string, error) {
	expanded := make([]string, len(argv))
	for i, arg := range argv {
		expanded[i] = s.expand(arg)
	}
	return s.host.exec(s.ctx, expanded...)
}

// expand fills the placeholders of configuration templates: {dir}, {v4} and
// {v6} of the host itself, {name}, {scanner4}, {scanner6}, {root4}, {root6}
// (the root server) and {NAME.4}, {NAME.6} for other fixed hosts.
func (s *setup) expand(text string) string {
	h := s.host
	text = strings.NewReplacer(
		"{dir}", h.dir, "{v4}", h.V4.String(), "{v6}", h.V6.String(), "{name}", h.Name,
		"{scanner4}", scannerOutside4, "{scanner6}", scannerOutside6,
		"{root4}", rootServer4, "{root6}", rootServer6,
	).Replace(text)
	for _, name := range append([]string{"collector", "ns1"}, kindNames()...) {
		if !strings.Contains(text, "{"+name+".") {
			continue
		}
		v4, v6 := addressOf(name)
		text = strings.NewReplacer("{"+name+".4}", v4.String(), "{"+name+".6}", v6.String()).Replace(text)
	}
	return text
}

func kindNames() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// zoneFile is the path of a zone below the host's directory.
func zoneFile(zone string) string {
	return filepath.Join("zones", strings.TrimPrefix(zone+".zone", "."))
}

// certificates writes cert.pem and key.pem into the host's directory.
func (s *setup) certificates(trusted bool) error {
	if _, _, err := certificate(s.host.dir, s.host, trusted); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	return nil
}
