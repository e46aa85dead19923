package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"reconshield/internal/guard"
	"reconshield/internal/policy"
	"reconshield/internal/rehearse"
	"reconshield/internal/report/rehearsal"
)

// ApplyOptions say what is loaded and under what watch.
type ApplyOptions struct {
	Files         []string // of nft, iptables-save or ip6tables-save
	Policy        string   // its file; may be empty with NoRehearsal
	Host          string   // the asset that this machine is; empty: found out
	ConfirmWithin time.Duration
	DryRun        bool
	NoRehearsal   bool   // neither audit nor rehearsal
	StateDir      string // guard.DefaultDir when empty
	At            time.Time
	Stdin         io.Reader // of the policy "-"; the answer comes from Confirmed

	// Say tells of each step as it begins, and of what came of it.
	Say func(ApplyStep)
	// Confirmed tells that somebody at this terminal confirmed; nil: nobody can.
	Confirmed <-chan struct{}
}

// ApplyStep is a step of applying, for people.
type ApplyStep struct {
	Done bool   // it came off; false: it begins, or of a dry run would be done
	Text string // one line
	Code string // the command, if there is one
}

// ApplyResult is how it ended.
type ApplyResult struct {
	Outcome   guard.Outcome       // empty: nothing was loaded
	Rehearsal *rehearsal.Document // when it was rehearsed
	Why       string              // when the rules were not kept, or not loaded
}

// maxConfirm bounds the time in which a change may stand unconfirmed.
const maxConfirm = 24 * time.Hour

// applying is a change on its way.
type applying struct {
	opts   ApplyOptions
	policy *policy.Policy
	files  []*applied
}

// applied is one file with what loads it and what takes it back.
type applied struct {
	rehearse.Ruleset
	tool  firewallTool
	saved []byte
}

// ApplyFirewall checks rules, loads them in one transaction for each file, and
// has them taken back by a guard unless somebody confirms them in time. Its
// errors are the user's to mend, a *FailureError is this machine's. Nothing has
// been loaded when there is an error and the outcome is empty.
func ApplyFirewall(ctx context.Context, o ApplyOptions) (ApplyResult, error) {
	o.StateDir = cmp.Or(o.StateDir, guard.DefaultDir)
	a := &applying{opts: o}
	if err := a.prepare(); err != nil {
		return ApplyResult{}, err
	}
	if o.DryRun {
		a.describe()
		return ApplyResult{}, nil
	}
	if err := mayChange(); err != nil {
		return ApplyResult{}, err
	}
	if err := a.save(ctx); err != nil {
		return ApplyResult{}, err
	}
	res, err := a.prove(ctx)
	if err != nil || res.Why != "" {
		return res, err
	}
	return a.change(ctx, res)
}

func (a *applying) say(done bool, text, code string) {
	if a.opts.Say != nil {
		a.opts.Say(ApplyStep{done, text, code})
	}
}

// prepare reads everything and finds the programs.
func (a *applying) prepare() error {
	o := a.opts
	if o.ConfirmWithin < time.Second || o.ConfirmWithin > maxConfirm {
		return fmt.Errorf("--confirm-within %s: between 1s and 24h, such as 60s", o.ConfirmWithin)
	}
	if o.Policy == "" && !o.NoRehearsal {
		return errors.New("--policy: name the policy that the rules are checked against, or leave the check out with --no-rehearse")
	}
	if o.Policy != "" {
		p, err := LoadPolicy(o.Policy, o.Stdin)
		if err != nil {
			return err
		}
		a.policy = p
		if _, err := ownAsset(p, o.Host); err != nil && !o.NoRehearsal {
			return err
		}
	}
	for _, name := range o.Files {
		if name == "-" {
			return errors.New("name a file: rules that are loaded under guard are not taken from standard input, where the confirmation is read")
		}
		text, err := readBounded(name, nil, maxRuleset)
		if err != nil {
			return err
		}
		tool, err := toolFor(name, text)
		if err != nil {
			return err
		}
		for _, other := range a.files {
			if other.tool.dialect == tool.dialect {
				return fmt.Errorf("%s and %s are both for %s; give one file for each tool", other.File, name, tool.dialect)
			}
		}
		a.files = append(a.files, &applied{Ruleset: rehearse.Ruleset{Dialect: tool.dialect, File: name, Text: text}, tool: tool})
	}
	return nil
}

// mayChange refuses ordinary users.
func mayChange() error {
	if os.Geteuid() != 0 {
		return &FailureError{Err: errors.New("only root may load firewall rules: run it with sudo (--dry-run shows everything without)")}
	}
	return nil
}

// describe says every step and does none.
func (a *applying) describe() {
	for _, f := range a.files {
		a.say(false, "check the syntax of "+f.File+" and load it into a kernel of its own", f.tool.loadText(f.File))
	}
	if !a.opts.NoRehearsal {
		a.say(false, "audit it against the policy", "reconshield firewall audit "+strings.Join(a.opts.Files, " ")+" --policy "+a.opts.Policy)
		a.say(false, "rehearse it from every zone", "reconshield firewall rehearse "+strings.Join(a.opts.Files, " ")+" --policy "+a.opts.Policy)
	}
	for _, f := range a.files {
		a.say(false, "save the rules that are loaded now", f.tool.saveText())
		a.say(false, "see that they could be loaded again", f.tool.checkText())
	}
	a.say(false, fmt.Sprintf("start a guard in a session of its own (state in %s), which takes everything back after %s", a.opts.StateDir, a.opts.ConfirmWithin), "")
	for _, f := range a.files {
		a.say(false, "load "+f.File+" in one transaction", f.tool.loadText(f.File))
	}
	a.say(false, "see that this machine still reaches itself", "")
	a.say(false, fmt.Sprintf("wait %s for somebody to confirm from a new session", a.opts.ConfirmWithin), "reconshield firewall confirm"+a.stateFlag())
	for _, f := range a.files {
		a.say(false, "unless confirmed: take it back", f.tool.restoreText())
	}
}

func (a *applying) stateFlag() string {
	if a.opts.StateDir == guard.DefaultDir {
		return ""
	}
	return " --state-dir " + a.opts.StateDir
}

// save reads the rules that are loaded now, and sees that they can be restored.
func (a *applying) save(ctx context.Context) error {
	for _, f := range a.files {
		a.say(false, "saving the rules that are loaded now", f.tool.saveText())
		if err := f.save(ctx); err != nil {
			return err
		}
		a.say(true, fmt.Sprintf("saved %d lines, which can be loaded again", bytes.Count(f.saved, []byte("\n"))), "")
	}
	return nil
}

func (f *applied) save(ctx context.Context) error {
	out, err := guard.Run(ctx, f.tool.save)
	if err != nil {
		return &FailureError{Err: fmt.Errorf("the rules that are loaded now cannot be saved, so nothing was changed: %w", err)}
	}
	if f.saved, err = f.tool.restorable(out, f.Text); err != nil {
		return err
	}
	if _, err := guard.Run(ctx, f.tool.check(f.saved)); err != nil {
		return &FailureError{Err: fmt.Errorf("the rules that are loaded now could not be restored as they are, so nothing was changed: %w", err)}
	}
	return nil
}

// change loads the rules under guard and waits for the outcome.
func (a *applying) change(ctx context.Context, res ApplyResult) (ApplyResult, error) {
	c := guard.Change{Within: a.opts.ConfirmWithin, Made: "reconshield firewall apply " + strings.Join(a.opts.Files, " ")}
	for _, f := range a.files {
		// The rehearsal took its time, and other programs change rules as well.
		if err := f.save(ctx); err != nil {
			return res, err
		}
		c.Restore = append(c.Restore, f.tool.restore(f.saved))
	}
	g, err := guard.Arm(a.opts.StateDir, c)
	if err != nil {
		if _, ok := errors.AsType[*guard.BusyError](err); ok {
			return res, err
		}
		return res, &FailureError{Err: err}
	}
	defer g.Close() //nolint:errcheck // the guard goes on
	a.say(true, fmt.Sprintf("a guard is on watch (process %d, state in %s)", g.PID, a.opts.StateDir), "")
	if err := g.Begin(); err != nil {
		return res, &FailureError{Err: fmt.Errorf("nothing was loaded: %w", err)}
	}
	if why := a.load(ctx); why != "" {
		return a.takeBack(g, res, why)
	}
	if err := reachesItself(); err != nil {
		return a.takeBack(g, res, err.Error())
	}
	a.say(true, "loaded; this machine still reaches itself", "")
	select {
	case <-a.opts.Confirmed: // before there was anything to confirm
	default:
	}
	a.say(false, fmt.Sprintf("open a NEW session to this machine and confirm within %s there; otherwise everything is taken back", a.opts.ConfirmWithin),
		"reconshield firewall confirm"+a.stateFlag())
	return a.wait(ctx, g, res)
}

// load loads every file; the text says what went wrong.
func (a *applying) load(ctx context.Context) (why string) {
	for _, f := range a.files {
		a.say(false, "loading "+f.File, f.tool.loadText(f.File))
		if _, err := guard.Run(ctx, f.tool.load(f.Text)); err != nil {
			return f.File + ": " + err.Error()
		}
	}
	return ""
}

func (a *applying) takeBack(g *guard.Guard, res ApplyResult, why string) (ApplyResult, error) {
	if err := g.TakeBack(); err != nil {
		return res, &FailureError{Err: fmt.Errorf("%s; the guard cannot be told to take it back at once: %w", why, err)}
	}
	var err error
	res.Outcome, res.Why, err = g.Wait()
	if err != nil {
		return res, &FailureError{Err: err}
	}
	res.Why = strings.TrimSuffix(why+"; "+res.Why, "; ")
	return res, nil
}

// wait waits until somebody confirms, the time is over, or this program is told
// to end.
func (a *applying) wait(ctx context.Context, g *guard.Guard, res ApplyResult) (ApplyResult, error) {
	type ending struct {
		outcome guard.Outcome
		text    string
		err     error
	}
	ended := make(chan ending, 1)
	go func() {
		o, text, err := g.Wait()
		ended <- ending{o, text, err}
	}()
	confirmed, done := a.opts.Confirmed, ctx.Done()
	for {
		select {
		case e := <-ended:
			res.Outcome, res.Why = e.outcome, e.text
			if res.Outcome == guard.Restored && res.Why == "" {
				res.Why = "nobody confirmed within " + a.opts.ConfirmWithin.String()
				if ctx.Err() != nil {
					res.Why = "interrupted"
				}
			}
			if e.err != nil {
				return res, &FailureError{Err: e.err}
			}
			return res, nil
		case <-confirmed:
			confirmed = nil
			if err := g.Confirm(); err != nil {
				return res, &FailureError{Err: err}
			}
		case <-done:
			done = nil
			if err := g.TakeBack(); err != nil {
				return res, &FailureError{Err: err}
			}
		}
	}
}

// findTool gives the path of a program, also where Debian keeps it from ordinary
// users.
func findTool(name, debian string) (string, error) {
	for _, path := range []string{name, filepath.Join("/usr/sbin", name), filepath.Join("/sbin", name)} {
		if found, err := exec.LookPath(path); err == nil {
			return filepath.Abs(found)
		}
	}
	return "", &FailureError{Err: fmt.Errorf("%s is missing: install the Debian package %s", name, debian)}
}
