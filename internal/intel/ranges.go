package intel

import (
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/intel/version"
)

// covers reports whether the row says that the version is affected. What
// cannot be read affects nothing.
func covers(a *Affected, v version.Version) bool {
	edition := v.Edition
	if edition == version.ExtendedSupport && !slices.ContainsFunc(a.Ranges, func(r Range) bool { return editionOf(a.Product, r) == edition }) {
		edition = version.Standard // few rows tell extended support apart; its branch is enough then
	}
	for _, r := range a.Ranges {
		if editionOf(a.Product, r) == edition && holds(a, r, v) && !fixedInBranch(a, r, v) {
			return true
		}
	}
	return false
}

// editionOf is the edition that a range speaks of: that of its end, for some
// begin with the release from which the edition was made.
func editionOf(p exposure.Product, r Range) version.Edition {
	for _, end := range []string{r.Fixed, r.LastAffected, r.Introduced} {
		if end == "" {
			continue
		}
		v, err := version.Endpoint(p, end)
		if err != nil {
			return "unreadable"
		}
		return v.Edition
	}
	return version.Standard
}

// holds reports whether the version is inside the range.
func holds(a *Affected, r Range, v version.Version) bool {
	end, inclusive := r.Fixed, false
	if end == "" {
		end, inclusive = r.LastAffected, true
	}
	last, err := version.Endpoint(a.Product, end)
	if err != nil {
		return false
	}
	if c := v.Compare(last); c > 0 || c == 0 && !inclusive {
		return false
	}
	// Only the first release with the fix is known: what older branches have
	// is anybody's guess.
	if a.Confidence == exposure.Low && !v.SameBranch(last) {
		return false
	}
	if r.Introduced == "" {
		return true
	}
	first, err := version.Endpoint(a.Product, r.Introduced)
	if err != nil {
		return false
	}
	if first.OpensBranch() && v.Prerelease() && v.Final().Compare(first) == 0 {
		return true // what the first release of a branch has, its candidates had
	}
	return v.Compare(first) >= 0
}

// fixedInBranch reports whether the version has a fix of its own branch,
// although the range runs across that branch.
func fixedInBranch(a *Affected, r Range, v version.Version) bool {
	if r.Introduced != "" {
		first, err := version.Endpoint(a.Product, r.Introduced)
		if err == nil && v.SameBranch(first) {
			return false // the range was drawn for this branch
		}
	}
	return slices.ContainsFunc(fixedReleases(a), func(f version.Version) bool { return v.SameBranch(f) && v.Compare(f) >= 0 })
}

// fixedReleases lists the releases that the row names as fixed, in order.
func fixedReleases(a *Affected) []version.Version {
	var out []version.Version
	add := func(text string) {
		v, err := version.Endpoint(a.Product, text)
		if err == nil && text != "" && !slices.ContainsFunc(out, func(o version.Version) bool {
			return o.Edition == v.Edition && o.Compare(v) == 0
		}) {
			out = append(out, v)
		}
	}
	for _, f := range a.FixedIn {
		add(f)
	}
	for _, r := range a.Ranges {
		add(r.Fixed)
	}
	slices.SortStableFunc(out, version.Version.Compare)
	return out
}

// fixes lists the releases with the fix, as text, oldest first.
func fixes(a *Affected) []string {
	out := make([]string, 0, len(a.FixedIn))
	for _, f := range fixedReleases(a) {
		out = append(out, f.Final().Text)
	}
	return slices.Compact(out)
}

// fixesFor lists the releases to which an update brings the fix: the first of
// the version's own branch when there is one, else all newer ones of its
// edition. A pre-release that had it first is named by the release that it
// led to. Empty when none is known.
func fixesFor(a *Affected, v version.Version) []string {
	out := []string{}
	for _, f := range fixedReleases(a) {
		switch {
		case f.Edition != v.Edition && v.Edition != version.ExtendedSupport || v.Compare(f) >= 0:
		case v.SameBranch(f):
			return []string{f.Final().Text}
		default:
			out = append(out, f.Final().Text)
		}
	}
	return slices.Compact(out)
}
