// Package dnscheck is the catalogue of configuration-abuse checks for DNS
// servers: what each looks for, how it is proven, how grave it is and how it
// is fixed for each product. One file holds one family. The package asks
// through a dialogue.Dialogue and opens no socket; it does not decide which
// addresses are assessed and prints nothing.
package dnscheck

import (
	"context"

	"reconshield/internal/exposure"
)

// Safety says what a check sends, and so which profile runs it.
type Safety string

// Safety classes; a profile of the same name runs its class and those before it.
const (
	// Safe checks send what any ordinary client sends.
	Safe Safety = "safe"
	// Standard checks send unusual messages that change nothing: odd opcodes,
	// IXFR, prerequisite-only UPDATE, connections to control ports.
	Standard Safety = "standard"
	// Intrusive checks log in, transfer, notify or send bursts; each runs only
	// when named or with the intrusive profile.
	Intrusive Safety = "intrusive"
)

// Rank orders the classes: 0 safe, 1 standard, 2 intrusive, -1 unknown.
func (s Safety) Rank() int {
	for i, v := range []Safety{Safe, Standard, Intrusive} {
		if s == v {
			return i
		}
	}
	return -1
}

// Check is one entry of the catalogue.
type Check struct {
	ID        string
	Title     string // the finding's title: what is wrong, not what is tested
	Finds     string // one sentence for the catalogue: what it finds and how it is proven
	Why       string // why it matters to the owner
	Severity  exposure.Severity
	Rationale string // why that severity, and when it is raised or lowered
	Safety    Safety
	// OptIn keeps a check out of every profile: it must be named with --check.
	OptIn bool
	// Elsewhere marks a check that does not need DNS on the DNS port.
	Elsewhere  bool
	Fixes      Fixes
	References []exposure.Reference
	// Run carries the check out. It returns at least one outcome, one for each
	// transport and subject tested. It must honour ctx.
	Run func(ctx context.Context, s *Session) []Outcome
}

// Fixes maps a product to what its operator does; the entry of the empty
// product is for every other server.
type Fixes map[exposure.Product]exposure.Fix

// Outcome is what a check says of one transport and subject.
type Outcome struct {
	Status    exposure.Status
	Transport exposure.Transport
	Port      uint16 // 0 means the server's DNS port
	Subject   string // zone or name
	Reason    string // one line

	// The rest is read for Fail only.
	Summary    string              // what was found here, one or two sentences; Reason when empty
	Severity   exposure.Severity   // overrides the check's when set
	Confidence exposure.Confidence // High when empty
	Evidence   []exposure.Evidence
}

func pass(via exposure.Transport, reason string) Outcome {
	return Outcome{Status: exposure.Pass, Transport: via, Reason: reason}
}

func notTested(via exposure.Transport, reason string) Outcome {
	return Outcome{Status: exposure.NotTested, Transport: via, Reason: reason}
}

func fail(via exposure.Transport, reason string, evidence ...exposure.Evidence) Outcome {
	return Outcome{Status: exposure.Fail, Transport: via, Reason: reason, Evidence: evidence}
}
