package app

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"

	"reconshield/internal/atlas"
	"reconshield/internal/exposure"
	"reconshield/internal/netset"
	"reconshield/internal/scan"
)

// ScanOptions is what the user asked of a scan. Zero values mean the defaults
// named.
type ScanOptions struct {
	Targets      []string  // target expressions
	TargetFiles  []string  // files of them, or earlier results; "-" is Stdin
	Stdin        io.Reader // nil: no standard input
	Exclude      []string  // expressions taken away again
	ExcludeFiles []string  // files of them; "-" is Stdin
	MaxAddrs     uint64    // netset.ScanLimit, of them netset.ScanLimitIPv6 of IPv6, when 0
	Ports        string    // port expression; DefaultScanPorts when empty
	Shard        string    // "3/16"; empty: all of it
	Seed         *uint64   // nil: that of the checkpoint, else ShardSeed for a shard, else a random one

	Mode       string // auto, raw or connect; auto when empty
	SourceIP   string
	Interface  string
	GatewayMAC string // raw mode: where every Ethernet frame goes

	Show     string  // open, maybe or all; open when empty
	Rate     float64 // packets a second; 0: found out
	PerHost  float64 // packets a second to one address; 0: found out
	PerNet   float64 // to one /24 or /64; 0: no limit
	Retries  int     // for silent targets; negative: found out
	Discover bool    // look first which hosts answer at all

	// MinCompleteness is a share, 0 to 1; below it the summary says that the
	// run is incomplete.
	MinCompleteness float64
	Prove           bool   // talk to open TCP ports, and label those that prove nothing
	Service         bool   // also talk to open UDP ports, and name DNS servers; implies Prove
	Resume          string // the checkpoint file; empty: none
	Vantage         string
	Version         string
	// Atlas names ports in the outputs; the embedded one when nil.
	Atlas *atlas.Atlas

	// Lookup resolves names; the system's resolver when nil.
	Lookup netset.Lookup
}

// DefaultScanPorts is scanned when no ports are named.
const DefaultScanPorts = "top100"

// ShardSeed is the seed of a shard when none is named: only runs with the same
// seed divide the targets alike.
const ShardSeed uint64 = 1

// ScanModes lists how a scan can send, the default first.
func ScanModes() []string { return []string{modeAuto, modeRaw, modeConnect} }

// ScanShows lists which verdicts a scan can give, the default first.
func ScanShows() []string { return []string{"open", "maybe", "all"} }

const (
	modeAuto    = "auto"
	modeRaw     = "raw"
	modeConnect = "connect"

	maxRetries = 15
)

// scanPlan is the validated form of ScanOptions.
type scanPlan struct {
	opts     ScanOptions
	scope    netset.Scope
	ports    netset.PortSet
	shard    netset.Shard
	source   netip.Addr
	gateway  net.HardwareAddr
	want     scan.Want
	seed     uint64
	warnings []string
	given    []string
}

// newScanPlan validates everything that can be validated without a packet,
// then resolves the names.
func newScanPlan(ctx context.Context, o ScanOptions) (*scanPlan, error) {
	p := &scanPlan{opts: o}
	for _, step := range []func() error{p.readModes, p.readNumbers, p.readShard} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p, p.readScope(ctx)
}

func (p *scanPlan) readModes() error {
	o := &p.opts
	switch o.Mode {
	case "":
		o.Mode = modeAuto
	case modeAuto, modeRaw, modeConnect:
	default:
		return fmt.Errorf("--mode %q: use one of %s", o.Mode, strings.Join(ScanModes(), ", "))
	}
	switch o.Show {
	case "", "open":
		o.Show, p.want = "open", scan.WantOpen
	case "maybe":
		p.want = scan.WantMaybe
	case "all":
		p.want = scan.WantAll
	default:
		return fmt.Errorf("--show %q: use one of %s", o.Show, strings.Join(ScanShows(), ", "))
	}
	if o.GatewayMAC == "" {
		return nil
	}
	mac, err := net.ParseMAC(o.GatewayMAC)
	const ethernet, group = 6, 1
	if err != nil || len(mac) != ethernet || mac[0]&group != 0 || strings.Trim(mac.String(), "0:") == "" {
		return fmt.Errorf("--gateway-mac %q: not the hardware address of one host, such as 02:00:5e:10:00:01", o.GatewayMAC)
	}
	if o.Mode == modeConnect {
		return errors.New("--gateway-mac needs raw mode: ordinary sockets go where the system sends them")
	}
	p.gateway = mac
	return nil
}

func (p *scanPlan) readNumbers() error {
	o := &p.opts
	for _, n := range []struct {
		flag  string
		value float64
	}{{"--rate", o.Rate}, {"--max-rate-per-host", o.PerHost}, {"--max-rate-per-network", o.PerNet}} {
		if !(n.value >= 0) || math.IsInf(n.value, 0) { // NaN is neither
			return fmt.Errorf("%s %v: packets a second, 0 for no fixed limit", n.flag, n.value)
		}
	}
	if o.Retries > maxRetries {
		return fmt.Errorf("--retries %d: at most %d, or -1 for as many as the loss asks for", o.Retries, maxRetries)
	}
	if !(o.MinCompleteness >= 0 && o.MinCompleteness <= 1) {
		return fmt.Errorf("--min-completeness %v: a percentage from 0 to 100", o.MinCompleteness*100) //nolint:mnd // per cent
	}
	return nil
}

func (p *scanPlan) readShard() error {
	if p.opts.Shard == "" {
		return nil
	}
	shard, err := netset.ParseShard(p.opts.Shard)
	if err != nil {
		return fmt.Errorf("--shard: %w", err)
	}
	p.shard = shard
	return nil
}

// readScope reads targets, ports and addresses as an assessment does, under a
// scan's limits.
func (p *scanPlan) readScope(ctx context.Context) error {
	o := p.opts
	if o.Ports == "" {
		o.Ports = DefaultScanPorts
	}
	base := &plan{opts: withDefaults(Options{
		Targets: o.Targets, TargetFiles: o.TargetFiles, Stdin: o.Stdin, Exclude: o.Exclude, Ports: o.Ports,
		SourceIP: o.SourceIP, Interface: o.Interface, Lookup: o.Lookup,
	})}
	for _, step := range []func() error{base.readTargets, base.readAddresses} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, name := range o.ExcludeFiles {
		excluded, err := readExclusions(name, o.Stdin)
		if err != nil {
			return err
		}
		base.spec = base.spec.Without(excluded)
	}
	base.spec.Limit, base.spec.LimitIPv6 = o.MaxAddrs, 0
	if o.MaxAddrs == 0 {
		base.spec.Limit, base.spec.LimitIPv6 = netset.ScanLimit, netset.ScanLimitIPv6
	}
	p.warnings = nil
	for _, w := range base.spec.Warnings {
		p.warnings = append(p.warnings, w.String())
	}
	var err error
	if base.scope, err = base.spec.Resolve(ctx, base.opts.Lookup); err != nil {
		return err
	}
	p.scope, p.ports, p.source, p.given = base.scope, base.ports, base.source, base.given
	return base.checkScope()
}

func readExclusions(name string, stdin io.Reader) (netset.Spec, error) {
	if name == "-" {
		if stdin == nil {
			return netset.Spec{}, errors.New("--exclude-file -: there is no standard input")
		}
		return netset.ReadExclusions(stdin, "standard input")
	}
	f, err := os.Open(name)
	if err != nil {
		return netset.Spec{}, fmt.Errorf("--exclude-file: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	return netset.ReadExclusions(f, name)
}

// portNumbers is the ports of one transport as "1-1024,8080".
func portNumbers(ports netset.PortSet, t exposure.Transport) string {
	_, numbers, _ := strings.Cut(ports.Only(t).String(), ":")
	return numbers
}

func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}
