package app

import (
	"fmt"
	"strings"
	"time"

	"reconshield/internal/guard"
)

// describe says every step, in their order, and does none.
func (a *applying) describe() {
	for _, f := range a.files {
		a.say(false, "save the rules that are loaded now", f.tool.saveText())
		a.say(false, "see that they could be loaded again", f.tool.checkText())
	}
	for _, f := range a.files {
		a.say(false, "load "+f.File+" into a kernel of its own, on top of those, which checks its syntax", "unshare -n "+f.tool.loadText(f.File))
	}
	if !a.opts.NoRehearsal {
		rest := strings.Join(a.opts.Files, " ") + " --policy " + a.opts.Policy
		if a.opts.Host != "" {
			rest += " --host " + a.opts.Host
		}
		a.say(false, "audit it, with the rules that stay, against the policy", "reconshield firewall audit "+rest)
		if len(a.opts.Assets) > 0 {
			rest += " --asset " + strings.Join(a.opts.Assets, ",")
		}
		a.say(false, "rehearse it on top of them from every zone", "reconshield firewall rehearse "+rest)
	}
	a.say(false, fmt.Sprintf("start a guard in a session of its own (state in %s), which takes everything back after %s", a.opts.StateDir, within(a.opts.ConfirmWithin)), "")
	for _, f := range a.files {
		a.say(false, "load "+f.File+" in one transaction", f.tool.loadText(f.File))
	}
	a.say(false, "see that this machine still reaches itself", "")
	a.say(false, fmt.Sprintf("wait %s for somebody to confirm from a new session", within(a.opts.ConfirmWithin)), "reconshield firewall confirm"+a.stateFlag())
	for _, f := range a.files {
		a.say(false, "unless confirmed: take it back", f.tool.restoreText())
	}
}

// within is a time without what is nothing: "2m".
func within(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if short, ok := strings.CutSuffix(text, nothing); ok {
			text = short + nothing[:1]
		}
	}
	return text
}

func (a *applying) stateFlag() string {
	if a.opts.StateDir == guard.DefaultDir {
		return ""
	}
	return " --state-dir " + a.opts.StateDir
}
