package app

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/dnscheck"
	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// gaps fills in what the run could not measure, and how to make it measurable.
func (a *App) gaps(out *exposure.Assessment, r *run) {
	if out.Partial {
		out.Unmeasured = append(out.Unmeasured, exposure.Gap{
			What: "everything that the run had not reached", Why: "it was interrupted", Remedy: "run it again to the end",
		})
	}
	out.Unmeasured = append(out.Unmeasured, r.notes...)
	for _, asset := range out.Assets {
		out.Unmeasured = append(out.Unmeasured, portGaps(asset)...)
	}
	out.Unmeasured = append(out.Unmeasured, a.checkGaps(out)...)
	if a.versions {
		out.Unmeasured = append(out.Unmeasured, versionGap(out, a.advisor)...)
	}
}

// portGaps tells of the host's ports whose state is not certain.
func portGaps(asset exposure.Asset) []exposure.Gap {
	type cause struct {
		reason exposure.Reason
		detail string
	}
	byCause := map[cause][]netset.Port{}
	var silent bool
	for _, p := range asset.Ports {
		if p.State == exposure.Unmeasured {
			c := cause{p.Reason, p.Detail}
			byCause[c] = append(byCause[c], netset.Port{Transport: p.Transport, Number: p.Port})
		}
		silent = silent || p.State == exposure.OpenFiltered && p.Port == dnsPort && p.Transport == exposure.UDP
	}
	var gaps []exposure.Gap
	if silent {
		gaps = append(gaps, exposure.Gap{
			What: "whether udp/53 is open", Address: asset.Address.String(),
			Why:    "nothing came back: it is closed to this vantage, or a server drops strangers without a word",
			Remedy: "assess it again from a network that it serves",
		})
	}
	for c, ports := range byCause {
		gaps = append(gaps, exposure.Gap{
			What: "the state of " + netset.NewPortSet(ports...).String(), Address: asset.Address.String(),
			Why: unmeasuredWhy(c.reason, c.detail), Remedy: unmeasuredRemedy(c.reason),
		})
	}
	slices.SortFunc(gaps, func(a, b exposure.Gap) int { return strings.Compare(a.What, b.What) })
	return gaps
}

func unmeasuredWhy(reason exposure.Reason, detail string) string {
	switch reason {
	case exposure.ReasonNoRoute:
		return "this machine has no route to the address"
	case exposure.ReasonCancelled:
		return "the run ended before it"
	default:
		return "the measurement failed on this machine: " + cmp.Or(detail, string(reason))
	}
}

func unmeasuredRemedy(reason exposure.Reason) string {
	switch reason {
	case exposure.ReasonNoRoute:
		return "assess it from a machine with a route to it (for IPv6: one with IPv6)"
	case exposure.ReasonCancelled:
		return "run it again to the end"
	default:
		return "mend what it names and run it again; too few descriptors are mended with ulimit -n or a lower --rate"
	}
}

// checkGaps sums up the checks that were left out of this run, and those that
// had what they need on no server.
func (a *App) checkGaps(out *exposure.Assessment) []exposure.Gap {
	var gaps []exposure.Gap
	if len(out.Assets) == 0 {
		return nil
	}
	if len(a.opts.Only) > 0 {
		return nil
	}
	for _, id := range leftOut(a.checks, a.opts.Skip) {
		gaps = append(gaps, exposure.Gap{
			What: id, Why: fmt.Sprintf("not part of the %s profile, because it sends what a server may take for an attack, or logs in", a.profile),
			Remedy: "name it with --check",
		})
	}
	return gaps
}

func leftOut(ran []dnscheck.Check, skip []string) []string {
	var ids []string
	for _, c := range dnscheck.Catalogue() {
		if !slices.Contains(skip, c.ID) && !slices.ContainsFunc(ran, func(o dnscheck.Check) bool { return o.ID == c.ID }) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
