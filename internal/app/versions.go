package app

import (
	"cmp"
	"fmt"
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
)

// versionCheck is the id of findings that rest on a version alone.
const versionCheck = "VER-1"

// matchVersions adds a finding for each known vulnerability that a version on
// one of the asset's ports falls under.
func matchVersions(asset *exposure.Asset, table intel.Advisor) {
	for _, p := range asset.Ports {
		if p.Service == nil || p.Service.Version == "" {
			continue
		}
		for _, a := range table.Advisories(*p.Service) {
			f := advisoryFinding(p, a)
			i := slices.IndexFunc(asset.Findings, func(o exposure.Finding) bool { return o.Fingerprint == f.Fingerprint })
			if i < 0 {
				asset.Findings = append(asset.Findings, f)
				continue
			}
			asset.Findings[i].Transports = append(asset.Findings[i].Transports, p.Transport)
		}
	}
	slices.SortStableFunc(asset.Findings, exposure.CompareFindings)
}

func advisoryFinding(p exposure.PortState, a intel.Advisory) exposure.Finding {
	f := exposure.Finding{
		ID: versionCheck, Fingerprint: exposure.Fingerprint(versionCheck, p.Addr, p.Port, a.ID),
		Severity: cmp.Or(a.Severity, exposure.Info), Title: a.ID + ": " + a.Title, Subject: a.ID,
		Summary:    fmt.Sprintf("%s %s falls under %s", p.Service.Name, p.Service.Version, a.ID),
		Why:        "The version that the server shows is among those that the advisory names.",
		Confidence: a.Confidence, Address: p.Addr, Port: p.Port, Transports: []exposure.Transport{p.Transport},
		Evidence:   []exposure.Evidence{{Transport: p.Transport, Note: p.Service.How, Response: p.Service.Banner}},
		References: a.References,
	}
	text := "Update to a release with the fix."
	if a.Fixed != "" {
		text = "Update to " + a.Fixed + " or later."
	}
	if a.Exploited {
		f.Why += " It is known to be exploited."
	}
	f.Fix = []exposure.Fix{{Kind: "advice", For: p.Service.Name, Text: text}}
	return f
}

// versionGap says that versions were not matched, where there were any.
func versionGap(out *exposure.Assessment, table intel.Advisor) []exposure.Gap {
	if table.Edition() != "" {
		return nil
	}
	for _, asset := range out.Assets {
		for _, p := range asset.Ports {
			if p.Service != nil && p.Service.Version != "" {
				return []exposure.Gap{{
					What: "known vulnerabilities of the versions found", Why: "this release holds no table of vulnerable versions",
					Remedy: "compare the versions with the vendors' advisories",
				}}
			}
		}
	}
	return nil
}
