package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"reconshield/internal/dnscheck"
	"reconshield/internal/dnswire"
	"reconshield/internal/intel"
	"reconshield/internal/netset"
	"reconshield/internal/nonce"
)

// Options is what the user asked for. Zero values mean the defaults named.
type Options struct {
	Targets     []string  // target expressions
	TargetFiles []string  // files of them; "-" is Stdin
	Stdin       io.Reader // nil: no standard input
	Exclude     []string  // expressions taken away again
	MaxAddrs    uint64    // netset.DefaultLimit when 0

	Ports   string // port expression; "dns" when empty
	Profile string // safe, standard, intrusive; standard when empty
	Only    []string
	Skip    []string
	Zones   []string

	Collector    string // the collector's zone; empty: none
	CollectorKey string
	// CollectorAnchored says that the resolvers hold the collector's key as a
	// trust anchor, so that SEC-1 needs no DS record in the parent zone.
	CollectorAnchored bool
	StableName        string // for REC-1 without a collector
	Control           string // an address outside the scope that may be asked to expose interception

	Timeout   time.Duration // patience for one question; 2 s when 0
	Rate      int           // packets a second in all; DefaultRate when 0
	SourceIP  string
	Interface string
	Vantage   string
	Version   string

	Policy   string // file of the exposure policy to compare with; "-" is Stdin, empty: none
	FromZone string // of the policy, in which the vantage stands; empty: by Vantage, else wan

	// Reference is what is known of ports and vulnerabilities; the embedded data
	// when nil.
	Reference *Reference
	// Advisor knows the vulnerabilities of versions; the Reference when nil.
	Advisor intel.Advisor
	// Lookup resolves target names; the system's resolver when nil.
	Lookup netset.Lookup
	// LookupPTR gives the names of an address; the system's resolver when nil.
	LookupPTR func(ctx context.Context, addr netip.Addr) []string
	Progress  Progress // nil: none
}

// DefaultRate is in packets a second over the whole run.
const DefaultRate = 4000

// Progress is told how far the run is. Its methods are called from several goroutines.
type Progress interface {
	Stage(name string, total int)
	Add(n int)
	Note(text string)
}

// FailureError is returned when the run itself could not be carried out, as
// against a command line that cannot be used.
type FailureError struct{ Err error }

func (e *FailureError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *FailureError) Unwrap() error { return e.Err }

// plan is the validated form of Options.
type plan struct {
	opts     Options
	spec     netset.Spec
	scope    netset.Scope
	ports    netset.PortSet
	profile  dnscheck.Safety
	checks   []dnscheck.Check
	versions bool // whether versions are matched to vulnerabilities
	zones    []string
	nonces   *nonce.Zone
	control  netip.Addr
	source   netip.Addr
	judge    *judge // nil without a policy
	warnings []string
	given    []string
}

// newPlan validates everything that can be validated without a packet, then
// resolves the names.
func newPlan(ctx context.Context, o Options) (*plan, error) {
	p := &plan{opts: withDefaults(o)}
	steps := []func() error{p.readTargets, p.readChecks, p.readNames, p.readAddresses, p.readLimits, p.readPolicy}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	var err error
	p.scope, err = p.spec.Resolve(ctx, p.opts.Lookup)
	if err != nil {
		return nil, err
	}
	return p, p.checkScope()
}

// checkScope refuses what makes no sense for the addresses that were named.
func (p *plan) checkScope() error {
	if p.scope.Contains(p.control) {
		return fmt.Errorf("--control %s: it is one of the targets; name an unused address of the same network", p.control)
	}
	if !p.source.IsValid() {
		return nil
	}
	for _, prefix := range p.scope.Prefixes() {
		if prefix.Addr().Is4() != p.source.Is4() {
			return fmt.Errorf("--source-ip %s cannot reach %s, which is of the other address family", p.source, prefix)
		}
	}
	return nil
}

func withDefaults(o Options) Options {
	if o.Ports == "" {
		o.Ports = "dns"
	}
	if o.Profile == "" {
		o.Profile = string(dnscheck.Standard)
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Rate == 0 {
		o.Rate = DefaultRate
	}
	if o.Lookup == nil {
		o.Lookup = systemLookup
	}
	if o.LookupPTR == nil {
		o.LookupPTR = systemPTR
	}
	if o.Progress == nil {
		o.Progress = noProgress{}
	}
	return o
}

func (p *plan) readTargets() error {
	spec, err := netset.ParseTargets(p.opts.Targets)
	if err != nil {
		return err
	}
	for _, name := range p.opts.TargetFiles {
		more, err := p.readTargetFile(name)
		if err != nil {
			return err
		}
		spec = spec.And(more)
	}
	if len(p.opts.Exclude) > 0 {
		excluded, err := netset.ParseExclusions(p.opts.Exclude)
		if err != nil {
			return err
		}
		spec = spec.Without(excluded)
	}
	spec.Limit = p.opts.MaxAddrs
	p.spec = spec
	p.given = append(append(p.given, p.opts.Targets...), p.opts.TargetFiles...)
	for _, w := range spec.Warnings {
		p.warnings = append(p.warnings, w.String())
	}
	p.ports, err = ParsePorts(p.opts.Ports)
	return err
}

func (p *plan) readTargetFile(name string) (netset.Spec, error) {
	if name == "-" {
		if p.opts.Stdin == nil {
			return netset.Spec{}, errors.New("--targets-from -: there is no standard input")
		}
		return netset.ReadTargets(p.opts.Stdin, "standard input")
	}
	f, err := os.Open(name)
	if err != nil {
		return netset.Spec{}, fmt.Errorf("--targets-from: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	return netset.ReadTargets(f, name)
}

func (p *plan) readChecks() error {
	p.profile = dnscheck.Safety(p.opts.Profile)
	if p.profile.Rank() < 0 {
		return fmt.Errorf("--profile %q: safe, standard or intrusive", p.opts.Profile)
	}
	if slices.Contains(p.opts.Only, VersionCheck) {
		return fmt.Errorf("--check %s: it sends nothing of its own; it is left out by --skip %[1]s only", VersionCheck)
	}
	// It is no check of the catalogue, but findings name it as one.
	skip := slices.DeleteFunc(slices.Clone(p.opts.Skip), func(id string) bool { return id == VersionCheck })
	p.versions = len(p.opts.Only) == 0 && len(skip) == len(p.opts.Skip) // whoever names checks wants these and no others
	var err error
	p.checks, err = dnscheck.Select(dnscheck.Catalogue(), p.profile, p.opts.Only, skip)
	return err
}

func (p *plan) readNames() error {
	for _, z := range p.opts.Zones {
		if !dnswire.ValidName(z) || z == "" || z == "." {
			return fmt.Errorf("--zone %q: not a domain name", z)
		}
		p.zones = append(p.zones, dnswire.CanonicalName(z))
	}
	if s := p.opts.StableName; s != "" && !dnswire.ValidName(s) {
		return fmt.Errorf("--stable-name %q: not a domain name", s)
	}
	if c := p.opts.Collector; c != "" {
		if !dnswire.ValidName(c) || c == "." {
			return fmt.Errorf("--collector %q: give the zone that the collector serves, such as probe.example.net", c)
		}
		zone, err := nonce.New(c, []byte(p.opts.CollectorKey))
		if err != nil {
			return fmt.Errorf("--collector: %w", err)
		}
		zone.Anchored = p.opts.CollectorAnchored
		p.nonces = &zone
	}
	return nil
}

func (p *plan) readAddresses() error {
	for _, a := range []struct {
		flag, text string
		into       *netip.Addr
	}{{"--control", p.opts.Control, &p.control}, {"--source-ip", p.opts.SourceIP, &p.source}} {
		if a.text == "" {
			continue
		}
		addr, err := netip.ParseAddr(a.text)
		if err != nil || addr.IsMulticast() || addr.IsUnspecified() {
			return fmt.Errorf("%s %q: not an address of one host", a.flag, a.text)
		}
		*a.into = addr.Unmap()
	}
	return p.checkDeparture()
}

// checkDeparture refuses a source address or an interface that this machine
// does not have, which would otherwise make every measurement fail.
func (p *plan) checkDeparture() error {
	if name := p.opts.Interface; name != "" {
		if _, err := net.InterfaceByName(name); err != nil {
			return fmt.Errorf("--interface %q: this machine has no such interface", name)
		}
	}
	if !p.source.IsValid() || p.source.IsLoopback() {
		return nil
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("--source-ip: %w", err)
	}
	for _, a := range own {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == p.source {
			return nil
		}
	}
	return fmt.Errorf("--source-ip %s: this machine has no such address", p.source)
}

func (p *plan) readLimits() error {
	const shortest, longest = 50 * time.Millisecond, time.Minute
	if p.opts.Timeout < shortest || p.opts.Timeout > longest {
		return fmt.Errorf("--timeout %s: from %s to %s", p.opts.Timeout, shortest, longest)
	}
	if p.opts.Rate < 1 {
		return fmt.Errorf("--rate %d: at least 1 packet a second", p.opts.Rate)
	}
	return nil
}
