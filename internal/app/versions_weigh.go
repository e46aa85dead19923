package app

import (
	"cmp"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
)

// answer is what a check decided: yes, no, or neither.
type answer struct {
	known, yes bool
	says       string // who decided and what: "REC-1: it resolves for this vantage"
}

func yes(says string) answer { return answer{known: true, yes: true, says: says} }
func no(says string) answer  { return answer{known: true, says: says} }

// circumstances are what the checks found of the things that vulnerabilities
// need.
type circumstances struct {
	validates, recurses, holdsZones, updates, web answer
	https, tls, quic                              answer
}

// learn reads the circumstances out of the asset's checks and ports.
func learn(asset *exposure.Asset) circumstances {
	c := circumstances{
		recurses:  decided(asset, "REC-1", "it resolves for this vantage", "it refuses to resolve for this vantage", exposure.Fail),
		validates: decided(asset, "SEC-1", "it validates DNSSEC", "it does not validate DNSSEC", exposure.Pass),
		updates:   decided(asset, "UPD-1", "it takes dynamic updates without a key", "it refuses dynamic updates without a key", exposure.Fail),
		web:       decided(asset, "CTL-2", "its web page or API can be reached", "no web page or API of it can be reached", exposure.Fail),
		https:     portAnswer(asset, exposure.TCP, 443, "DNS over HTTPS"),
		tls:       portAnswer(asset, exposure.TCP, 853, "DNS over TLS"),
		quic:      portAnswer(asset, exposure.UDP, 853, "DNS over QUIC"),
	}
	if len(asset.Zones) > 0 {
		c.holdsZones = yes("it answers with authority for " + strings.TrimSuffix(asset.Zones[0], "."))
	}
	return c
}

// decided reads one check. The status that means yes outweighs the other, for
// one transport or zone on which it holds is enough.
func decided(asset *exposure.Asset, id, ifYes, ifNo string, meansYes exposure.Status) answer {
	has := func(status exposure.Status) bool {
		return slices.ContainsFunc(asset.Checks, func(c exposure.CheckResult) bool { return c.ID == id && c.Status == status })
	}
	other := exposure.Pass
	if meansYes == exposure.Pass {
		other = exposure.Fail
	}
	switch {
	case has(meansYes):
		return yes(id + ": " + ifYes)
	case has(other):
		return no(id + ": " + ifNo)
	}
	return answer{}
}

// portAnswer says no where the port is shut. An open port is no proof of what
// speaks on it.
func portAnswer(asset *exposure.Asset, via exposure.Transport, port uint16, what string) answer {
	for _, p := range asset.Ports {
		if p.Port != port || p.Transport != via {
			continue
		}
		switch {
		case p.State == exposure.Closed, p.State == exposure.Filtered:
			return no("the port of " + what + " is " + string(p.State))
		case p.State == exposure.Open && p.Service != nil && strings.HasPrefix(p.Service.Protocol, "dns"):
			return yes(what + " is offered")
		}
	}
	return answer{}
}

// weigh gives the severity here, and what decided it, in sentences. What no
// check could decide leaves the severity as it is, and is said.
func (c circumstances) weigh(a intel.Advisory) (exposure.Severity, []string) {
	w := weighing{severity: cmp.Or(a.Severity, exposure.Info), sure: a.Severity != "" && a.Confidence == exposure.High}
	if a.Exploited {
		w.atLeast(exposure.HighSev)
	}
	for _, need := range a.Needs {
		c.need(&w, intel.Need(need))
	}
	if a.Disputed {
		w.atMost(exposure.LowSev)
	}
	return w.severity, w.said
}

func (c circumstances) need(w *weighing, need intel.Need) {
	switch need {
	case intel.NeedsValidation:
		switch {
		case c.validates.known:
			w.decide(c.validates, exposure.Info)
		case c.recurses.known && !c.recurses.yes:
			w.decide(c.recurses, exposure.LowSev)
		default:
			w.say("Whether it validates DNSSEC, which this needs, could not be told (SEC-1).")
		}
	case intel.NeedsRecursion:
		w.decideOr(c.recurses, exposure.LowSev, "Whether it resolves for strangers, which decides how grave this is, could not be told (REC-1).")
	case intel.NeedsZones:
		if c.holdsZones.known {
			w.say(sentence(c.holdsZones.says + ", which this needs"))
		} else {
			w.say("It needs a server that holds zones; no zone of this one is known.")
		}
	case intel.NeedsUpdate:
		w.decideOr(c.updates, exposure.LowSev, "Whether it accepts dynamic updates, which this needs, could not be told (UPD-1).")
	case intel.NeedsHTTPS:
		w.shut(c.https, "Whether it offers DNS over HTTPS, which this needs, could not be told.")
	case intel.NeedsTLS:
		w.shut(c.tls, "Whether it offers DNS over TLS, which this needs, could not be told.")
	case intel.NeedsQUIC:
		w.shut(c.quic, "Whether it offers DNS over QUIC, which this needs, could not be told.")
	case intel.NeedsWeb:
		w.shut(c.web, "It is reached through a web page, an API or a statistics port, not through port 53.")
	default:
		c.unseen(w, need)
	}
}

// unseen treats the needs that no check can decide.
func (c circumstances) unseen(w *weighing, need intel.Need) {
	switch need { //nolint:exhaustive // need has the others
	case intel.NeedsKey:
		w.lower()
		w.say("It needs a key, or GSS-TSIG set up, so it counts one step less.")
	case intel.NeedsDHCP:
		w.atMost(exposure.LowSev)
		w.say("It is reached over DHCP, TFTP or router advertisement, not over port 53, so it counts as low here.")
	case intel.NeedsDNSCrypt:
		w.say("It needs DNSCrypt to be offered, which was not looked for.")
	case intel.NeedsConfiguration:
		w.say("It needs a setting that cannot be seen from outside.")
	case intel.NeedsLocal:
		w.atMost(exposure.Info)
		w.say("It cannot be used over the network through this port.")
	}
}

// weighing gathers the severity and its reasons.
type weighing struct {
	severity exposure.Severity
	sure     bool // scored, and the range beyond doubt: only then is anything raised
	said     []string
}

func (w *weighing) say(text string) { w.said = append(w.said, text) }

// decide raises the severity by a step where the answer is yes and lowers it to
// the floor where it is no.
func (w *weighing) decide(a answer, floor exposure.Severity) {
	before := w.severity
	if a.yes {
		w.raise()
	} else {
		w.atMost(floor)
	}
	switch c := w.severity.Compare(before); {
	case c < 0:
		w.say(sentence(a.says + ", so it counts as " + string(w.severity) + " here"))
	case c > 0:
		w.say(sentence(a.says + ", so it only counts as " + string(w.severity) + " here"))
	default:
		w.say(sentence(a.says))
	}
}

func (w *weighing) decideOr(a answer, floor exposure.Severity, unknown string) {
	if a.known {
		w.decide(a, floor)
	} else {
		w.say(unknown)
	}
}

// shut lowers where the way to the flaw is shut and leaves it where it is open.
func (w *weighing) shut(a answer, unknown string) {
	switch {
	case !a.known:
		w.say(unknown)
	case a.yes:
		w.say(sentence(a.says + ", which this needs"))
	default:
		w.decide(a, exposure.LowSev)
	}
}

func (w *weighing) atMost(s exposure.Severity) {
	if w.severity.Rank() > s.Rank() {
		w.severity = s
	}
}

func (w *weighing) atLeast(s exposure.Severity) {
	if w.severity.Rank() < s.Rank() {
		w.severity = s
	}
}

// raise goes one step up, never to critical.
func (w *weighing) raise() {
	if !w.sure {
		return
	}
	switch w.severity { //nolint:exhaustive // the others stay
	case exposure.LowSev:
		w.severity = exposure.MediumSev
	case exposure.MediumSev:
		w.severity = exposure.HighSev
	}
}

func (w *weighing) lower() {
	switch w.severity { //nolint:exhaustive // the others stay
	case exposure.Critical:
		w.severity = exposure.HighSev
	case exposure.HighSev:
		w.severity = exposure.MediumSev
	case exposure.MediumSev:
		w.severity = exposure.LowSev
	}
}
