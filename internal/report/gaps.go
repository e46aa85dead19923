package report

import (
	"slices"
	"strings"

	"reconshield/internal/exposure"
)

// gap is what was not measured for one reason.
type gap struct {
	What   []string // check ids, or what a Gap names
	Why    string
	Remedy string
	On     []string // addresses; empty for the whole run
	All    bool     // On holds every asset of several
	Moot   bool     // nothing is missing: it does not apply to what was found
}

// mootPrefix begins the reason of a check that has nothing to test.
const mootPrefix = "does not apply"

// moot names what does not apply, each once.
func moot(list []gap) []string {
	var out []string
	for _, g := range list {
		for _, w := range g.What {
			if g.Moot && !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	slices.Sort(out)
	return out
}

// gaps gathers all that could not be measured by its reason: the run's own
// gaps and the checks that were not tested or broke. Reasons that have a
// remedy come first, as they can be acted on.
func gaps(a *exposure.Assessment) []gap {
	c := newGapCollector()
	for _, g := range a.Unmeasured {
		c.add(Sanitize(g.What), Sanitize(g.Why), Sanitize(g.Remedy), Sanitize(g.Address))
	}
	for _, asset := range a.Assets {
		on := asset.Address.String()
		for _, r := range asset.Checks {
			switch r.Status {
			case exposure.NotTested:
				c.add(checkName(asset, r), Sanitize(r.Reason), "", on)
			case exposure.Errored:
				c.add(checkName(asset, r), "error: "+Sanitize(r.Reason), "", on)
			case exposure.Pass, exposure.Fail:
			}
		}
	}
	for i := range c.list {
		c.list[i].All = len(a.Assets) > 1 && c.covers(c.list[i].Why, a.Assets)
	}
	slices.SortStableFunc(c.list, func(x, y gap) int {
		switch {
		case x.Remedy != "" && y.Remedy == "":
			return -1
		case x.Remedy == "" && y.Remedy != "":
			return 1
		}
		return 0
	})
	return c.list
}

// gapCollector gathers gaps by reason. It looks names up in a map, as one
// reason may hold for tens of thousands of addresses.
type gapCollector struct {
	list []gap
	at   map[string]int
	seen map[[3]string]bool // reason, kind, name
}

func newGapCollector() *gapCollector {
	return &gapCollector{at: map[string]int{}, seen: map[[3]string]bool{}}
}

func (c *gapCollector) add(what, why, remedy, on string) {
	i, known := c.at[why]
	if !known {
		i = len(c.list)
		c.at[why] = i
		c.list = append(c.list, gap{Why: why, Moot: strings.HasPrefix(why, mootPrefix)})
	}
	g := &c.list[i]
	if g.Remedy == "" {
		g.Remedy = remedy
	}
	if c.first(why, "what", what) {
		g.What = append(g.What, what)
	}
	if c.first(why, "on", on) {
		g.On = append(g.On, on)
	}
}

func (c *gapCollector) first(why, kind, name string) bool {
	k := [3]string{why, kind, name}
	if name == "" || c.seen[k] {
		return false
	}
	c.seen[k] = true
	return true
}

func (c *gapCollector) covers(why string, assets []exposure.Asset) bool {
	for _, a := range assets {
		if !c.seen[[3]string{why, "on", a.Address.String()}] {
			return false
		}
	}
	return true
}

// checkName is the check's id, with the transport when the check did have an
// outcome over another one.
func checkName(asset exposure.Asset, c exposure.CheckResult) string {
	id := Sanitize(c.ID)
	for _, o := range asset.Checks {
		if o.ID == c.ID && o.Transport != c.Transport && c.Transport != "" &&
			(o.Status == exposure.Pass || o.Status == exposure.Fail) {
			return id + "/" + string(c.Transport)
		}
	}
	return id
}

// inapplicable reports whether a check had nothing to test.
func inapplicable(c exposure.CheckResult) bool {
	return c.Status == exposure.NotTested && strings.HasPrefix(c.Reason, mootPrefix)
}

// notTested counts the checks of an asset that gave no verdict at all, although
// they apply.
func notTested(a exposure.Asset) int {
	verdict := map[string]bool{}
	for _, c := range a.Checks {
		verdict[c.ID] = verdict[c.ID] || c.Status == exposure.Pass || c.Status == exposure.Fail ||
			inapplicable(c)
	}
	n := 0
	for _, v := range verdict {
		if !v {
			n++
		}
	}
	return n
}

// interesting reports whether an asset deserves a section of its own.
func interesting(a exposure.Asset, all bool) bool {
	if all || len(a.Findings) > 0 || len(a.Labels) > 0 {
		return true
	}
	rows, _ := splitPorts(a, false)
	return len(rows) > 0 || len(a.Checks) > 0
}
