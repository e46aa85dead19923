package app

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
)

// VersionCheck is the id of findings that rest on a version alone.
const VersionCheck = "VER-1"

// matchVersions adds a finding for each known vulnerability that a version on
// one of the asset's ports falls under, weighed by what the checks found. What
// a distribution built, and may have mended, gets one finding in all.
func matchVersions(asset *exposure.Asset, table intel.Advisor) {
	seen := learn(asset)
	for _, p := range asset.Ports {
		if p.Service == nil || p.Service.Version == "" {
			continue
		}
		found := table.Advisories(*p.Service)
		if len(found) > 0 && found[0].Builder != "" {
			addVersionFinding(asset, builtFinding(p, found))
			continue
		}
		for _, a := range found {
			addVersionFinding(asset, advisoryFinding(p, a, seen))
		}
	}
	slices.SortStableFunc(asset.Findings, exposure.CompareFindings)
}

// addVersionFinding adds the finding, or its transport to the same one of
// another transport.
func addVersionFinding(asset *exposure.Asset, f exposure.Finding) {
	for i := range asset.Findings {
		if o := &asset.Findings[i]; o.Fingerprint == f.Fingerprint {
			if !slices.Contains(o.Transports, f.Transports[0]) {
				o.Transports = append(o.Transports, f.Transports[0])
			}
			return
		}
	}
	asset.Findings = append(asset.Findings, f)
}

func advisoryFinding(p exposure.PortState, a intel.Advisory, seen circumstances) exposure.Finding {
	severity, decided := seen.weigh(a)
	f := exposure.Finding{
		ID: VersionCheck, Fingerprint: exposure.Fingerprint(VersionCheck, p.Addr, p.Port, a.ID),
		Severity: severity, Title: a.ID + ": " + a.Title, Subject: a.ID,
		Summary: strings.Join(append([]string{fmt.Sprintf("%s falls under %s, %s.", softwareOf(p.Service), a.ID, scoreOf(a))}, decided...), " "),
		Why:     "The version that the server shows is among those that the advisory names.",

		Confidence: a.Confidence, Address: p.Addr, Port: p.Port, Transports: []exposure.Transport{p.Transport},
		Evidence:   []exposure.Evidence{{Transport: p.Transport, Note: p.Service.How, Response: p.Service.Banner}},
		References: a.References,
	}
	if a.Exploited {
		f.Why += " It is known to be exploited."
	}
	if a.Note != "" {
		f.Summary += " " + sentence(a.Note)
	}
	f.Fix = []exposure.Fix{{Kind: "advice", For: p.Service.Name, Text: updateText(a.Fixed)}}
	return f
}

func updateText(fixed string) string {
	switch {
	case fixed == "":
		return "Update to a release with the fix; which one has it is not in the table, so see the vendor's advisory."
	case strings.Contains(fixed, ", "):
		return "Update to one of " + fixed + ", or later. Its own branch has no fix."
	}
	return "Update to " + fixed + " or later."
}

// softwareOf is name and version as a sentence begins with them.
func softwareOf(s *exposure.Service) string {
	return strings.TrimSpace(cmp.Or(s.Name, string(s.Product)) + " " + s.Version)
}

// scoreOf says how grave others call it.
func scoreOf(a intel.Advisory) string {
	text := "without a published score"
	if a.Severity != "" && a.CVSS > 0 {
		text = fmt.Sprintf("CVSS %.1f (%s)", a.CVSS, a.Severity)
	} else if a.Severity != "" {
		text = string(a.Severity)
	}
	if a.EPSS > 0 {
		text += fmt.Sprintf(", EPSS %.1f %%", a.EPSS*100)
	}
	return text
}

func sentence(s string) string {
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// builtFinding sums up what is known of a release that somebody built anew and
// may have mended: the number that it shows proves little.
func builtFinding(p exposure.PortState, found []intel.Advisory) exposure.Finding {
	const subject = "build" // the same finding however many vulnerabilities come and go
	severity := exposure.Info
	var exploited []string
	evidence := []exposure.Evidence{{Transport: p.Transport, Note: p.Service.How, Response: p.Service.Banner}}
	for _, a := range found {
		if a.Exploited {
			exploited = append(exploited, a.ID)
		}
		if a.Exploited || !a.Disputed && a.Severity != "" && a.Severity.Rank() >= exposure.HighSev.Rank() {
			severity = exposure.LowSev
		}
		fixed := ""
		if a.Fixed != "" {
			fixed = "; fixed upstream in " + a.Fixed
		}
		evidence = append(evidence, exposure.Evidence{Note: a.ID + ": " + a.Title + " (" + scoreOf(a) + fixed + ")"})
	}
	builder := found[0].Builder
	f := exposure.Finding{
		ID: VersionCheck, Fingerprint: exposure.Fingerprint(VersionCheck, p.Addr, p.Port, subject),
		Severity: severity, Title: fmt.Sprintf("The number stands for %s, which %s may have mended in its build", count(len(found), "known vulnerability", "known vulnerabilities"), builder), Subject: subject,
		Summary: fmt.Sprintf("%s by its number falls under %s, but it was built by %s: %s. Gravest by score: %s.",
			softwareOf(p.Service), count(len(found), "known vulnerability", "known vulnerabilities"), builder, caution(found[0]), gravest(found)),
		Why:        "Packages carry fixes under an old number. Where updates are not installed, each of these is open.",
		Confidence: exposure.Low, Address: p.Addr, Port: p.Port, Transports: []exposure.Transport{p.Transport}, Evidence: evidence,
		Fix: []exposure.Fix{{Kind: "advice", For: p.Service.Name, Text: "On the server, compare the installed package with the tracker of " + builder + ", and install all updates."}},
	}
	if len(exploited) > 0 {
		f.Why += " Known to be exploited: " + strings.Join(exploited, ", ") + "."
	}
	for _, a := range found[:min(len(found), mostNamed)] {
		f.References = append(f.References, exposure.Reference{Title: a.ID, URL: cmp.Or(a.Tracker, intel.URL(a.ID))})
	}
	return f
}

// caution says why a build of somebody's own cannot be judged by its number.
func caution(a intel.Advisory) string {
	if a.Fork {
		return "it may have taken the fixes into its own build"
	}
	return "the distribution may have backported the fix: check its tracker"
}

// mostNamed is how many vulnerabilities a summary names.
const mostNamed = 4

func gravest(found []intel.Advisory) string {
	ids := make([]string, 0, mostNamed)
	for _, a := range found[:min(len(found), mostNamed)] {
		ids = append(ids, a.ID)
	}
	if more := len(found) - len(ids); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids, ", "), more)
	}
	return strings.Join(ids, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// versionGap says what matching versions cannot tell, where there were any.
func versionGap(out *exposure.Assessment, table intel.Advisor) []exposure.Gap {
	versions := slices.ContainsFunc(out.Assets, func(a exposure.Asset) bool {
		return slices.ContainsFunc(a.Ports, func(p exposure.PortState) bool { return p.Service != nil && p.Service.Version != "" })
	})
	switch {
	case !versions:
		return nil
	case table.Edition() == "":
		return []exposure.Gap{{
			What: "known vulnerabilities of the versions found", Why: "this release holds no table of vulnerable versions",
			Remedy: "compare the versions with the vendors' advisories",
		}}
	}
	return []exposure.Gap{{
		What:   "vulnerabilities that became known after the table was made",
		Why:    "the versions found were compared with: " + table.Edition(),
		Remedy: "reconshield intel update, and run it again",
	}}
}
