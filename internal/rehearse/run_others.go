//go:build !linux

package rehearse

import (
	"context"
	"net/netip"

	"reconshield/internal/exposure"
)

func main(Tasks) (int, bool) { return 0, false }

func run(context.Context, Job) ([]byte, error) { return nil, unavailable() }

func unavailable() error {
	return &UnavailableError{"rulesets can be rehearsed on Linux only: run it on the machine they are for, or on any other with Linux"}
}

// Stage is a built scene; there is none on this system.
type Stage struct{}

// Open gives an *UnavailableError.
func Open(context.Context, Scene) (*Stage, error) { return nil, unavailable() }

// Scene is what the stage was built of.
func (*Stage) Scene() Scene { return Scene{} }

// Notes are what the tools had to say.
func (*Stage) Notes() []string { return nil }

// Load gives an *UnavailableError.
func (*Stage) Load(context.Context, ...Ruleset) error { return unavailable() }

// Flush gives an *UnavailableError.
func (*Stage) Flush(context.Context) error { return unavailable() }

// Forget gives an *UnavailableError.
func (*Stage) Forget() error { return unavailable() }

// Listen gives an *UnavailableError.
func (*Stage) Listen(...exposure.Target) error { return unavailable() }

// Probe gives an *UnavailableError.
func (*Stage) Probe(context.Context, []Probe) ([]Outcome, error) { return nil, unavailable() }

// In gives an *UnavailableError.
func (*Stage) In(string, func() error) error { return unavailable() }

// Zone gives an *UnavailableError.
func (*Stage) Zone(context.Context, string, []byte) ([]byte, error) { return nil, unavailable() }

// AddSource gives an *UnavailableError.
func (*Stage) AddSource(context.Context, string, netip.Addr) error { return unavailable() }

// Close does nothing.
func (*Stage) Close() error { return nil }
