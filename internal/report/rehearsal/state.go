package rehearsal

import (
	"strings"

	"reconshield/internal/report"
)

// word is what a reader sees.
func (s State) word() string {
	switch s {
	case "":
		return ""
	case Exposed:
		return "EXPOSED"
	case Bypassed:
		return "BYPASSED"
	case Starved:
		return "BLOCKED"
	case OneWay:
		return "ONE-WAY"
	case Closed, Silent, Open, Unmeasured, Refused:
	}
	return string(s)
}

// meaning explains the word.
func (s State) meaning(k Kind) string {
	switch s {
	case Closed:
		if k == Verification {
			return "denied by the policy, and it is not open"
		}
		return "denied by the policy, and nothing gets through"
	case Silent:
		return "nothing answered, which over UDP does not tell whether the packet got through"
	case Open:
		if k == Rehearsal {
			return "allowed by the policy: the packet arrives and the answer comes back"
		}
		return "allowed by the policy, and it answers"
	case Unmeasured:
		return "not known: nothing is said of it"
	case Refused:
		return "allowed by the policy, and refused: nobody listens, or a rule refuses"
	case Starved:
		return "allowed by the policy, and nothing gets through"
	case OneWay:
		return "allowed by the policy; the packet arrives, but the answer does not come back"
	case Exposed:
		return "denied by the policy, and it gets through"
	case Bypassed:
		return "ALARM: the ruleset blocks it, and it answers: the rules are not loaded, or packets go around them"
	}
	return ""
}

// icon is the sign of a state, and its likeness in ASCII.
func (s State) icon() (sign, ascii string) {
	switch s {
	case Closed:
		return "✓", "+"
	case Silent:
		return "◌", "="
	case Open:
		return "●", "o"
	case Unmeasured:
		return "?", "?"
	case Refused:
		return "○", "0"
	case Starved:
		return "▽", "v"
	case OneWay:
		return "◁", "<"
	case Exposed:
		return "▲", "!"
	case Bypassed:
		return "✖", "X"
	}
	return "·", "-"
}

func (s State) color(t report.Signs) func(string) string {
	switch s {
	case Closed:
		return t.Good
	case Open:
		return t.Strong
	case Unmeasured, Refused, Starved, OneWay:
		return t.Warn
	case Exposed, Bypassed:
		return t.Bad
	case Silent:
	}
	return t.Faint
}

// title says what a difference is.
func (r *Result) title() string {
	switch r.State {
	case Exposed:
		return "Gets through against the policy"
	case Bypassed:
		return "ALARM: open although the ruleset blocks it"
	case Starved:
		return "Blocked although the policy allows it"
	case OneWay:
		return "Answers are lost on the way back"
	case Refused:
		return "Refused although the policy allows it"
	case Closed, Silent, Open, Unmeasured:
	}
	return strings.ToUpper(string(r.State))
}

// id is the stable name of a kind of difference.
func (s State) id() string {
	switch s {
	case Exposed:
		return "FWR-1"
	case Starved:
		return "FWR-2"
	case OneWay:
		return "FWR-3"
	case Refused:
		return "FWR-4"
	case Bypassed:
		return "FWR-5"
	case Closed, Silent, Open, Unmeasured:
	}
	return "FWR-0"
}
