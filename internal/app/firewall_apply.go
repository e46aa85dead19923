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
	"slices"
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
	Assets        []string // only these are audited and rehearsed; empty: all that Host has to do with
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
	Mind bool   // nothing is done, but somebody should know
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
	files  []*applied // nft's first
	now    *standing
}

// applied is one file with what loads it and what takes it back.
type applied struct {
	rehearse.Ruleset
	tool  firewallTool
	saved []byte // what restores the rules loaded now
	undo  []guard.Step
}

// ApplyFirewall checks rules, loads them in one transaction for each file, and
// has them taken back by a guard unless somebody confirms them in time. Its
// errors are the user's to mend, a *FailureError is this machine's. Nothing has
// been loaded when there is an error and the outcome is empty.
func ApplyFirewall(ctx context.Context, o ApplyOptions) (ApplyResult, error) {
	var err error
	// The guard and whoever confirms stand elsewhere.
	if o.StateDir, err = filepath.Abs(cmp.Or(o.StateDir, guard.DefaultDir)); err != nil {
		return ApplyResult{}, &FailureError{Err: err}
	}
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
		a.opts.Say(ApplyStep{Done: done, Text: text, Code: code})
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
		if line := includes(text); tool.isNFT() && line > 0 {
			return fmt.Errorf("%s:%d: an include: what is loaded must be what was checked, so give all rules in one file", name, line)
		}
		for _, other := range a.files {
			if other.tool.dialect == tool.dialect {
				return fmt.Errorf("%s and %s are both for %s; give one file for each tool", other.File, name, tool.dialect)
			}
		}
		a.files = append(a.files, &applied{Ruleset: rehearse.Ruleset{Dialect: tool.dialect, File: name, Text: text}, tool: tool})
	}
	// A script of nft may flush what iptables loads.
	slices.SortStableFunc(a.files, func(x, y *applied) int { return cmp.Compare(x.order(), y.order()) })
	return nil
}

func (f *applied) order() int {
	if f.tool.isNFT() {
		return 0
	}
	return 1
}

// mayChange refuses ordinary users.
func mayChange() error {
	if os.Geteuid() != 0 {
		return errors.New("only root may load firewall rules: run it with sudo (--dry-run shows everything without)")
	}
	return nil
}

// save reads the rules that are loaded now, and sees that they can be restored.
func (a *applying) save(ctx context.Context) error {
	a.say(false, "saving the rules that are loaded now", "")
	if err := a.saveAll(ctx); err != nil {
		return err
	}
	n := 0
	for _, f := range a.files {
		for _, s := range f.undo {
			n += bytes.Count(s.Input, []byte("\n"))
		}
	}
	a.say(true, fmt.Sprintf("saved %s, which can be loaded again", counted(n, "line")), "")
	a.warn()
	return nil
}

func (a *applying) saveAll(ctx context.Context) error {
	var err error
	if a.now, err = readStanding(ctx); err != nil {
		return err
	}
	for _, f := range a.files {
		if err := a.saveFor(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) saveFor(ctx context.Context, f *applied) error {
	if f.tool.isNFT() {
		if err := a.now.unrestorable(); err != nil {
			return err
		}
		if f.Dialect == rehearse.NFTJSON && len(a.now.foreign) > 0 {
			return fmt.Errorf("%s: beside the tables of iptables that are loaded now (%s), give the rules as text for nft, not as JSON", f.File, a.now.foreign[0].name)
		}
		f.saved = a.now.undo(f.Text)
	} else {
		out, err := guard.Run(ctx, f.tool.save)
		if err != nil {
			return unsaved(err)
		}
		f.saved = f.tool.restorable(out, f.Text)
	}
	var err error
	if f.undo, err = a.backup(f); err != nil {
		return err
	}
	for _, s := range f.undo {
		if _, err := guard.Run(ctx, tried(s)); err != nil {
			return &FailureError{Err: fmt.Errorf("the rules that are loaded now could not be restored as they are, so nothing was changed: %w", err)}
		}
	}
	return nil
}

// change loads the rules under guard and waits for the outcome.
func (a *applying) change(ctx context.Context, res ApplyResult) (ApplyResult, error) {
	c := guard.Change{Within: a.opts.ConfirmWithin, Made: "reconshield firewall apply " + strings.Join(a.opts.Files, " ")}
	// The rehearsal took its time, and other programs change rules as well.
	if err := a.saveAll(ctx); err != nil {
		return res, err
	}
	for _, f := range a.files {
		load := f.tool.load(f.Text)
		load.Of = f.File
		c.Load, c.Restore = append(c.Load, load), append(c.Restore, f.undo...)
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
	before := reachesItself()
	for _, f := range a.files {
		a.say(false, "loading "+f.File, f.tool.loadText(f.File))
	}
	switch outcome, why, err := g.Begin(c); {
	case err != nil:
		return a.instead(res, "the guard was killed")
	case outcome != "":
		res.Outcome, res.Why = outcome, why
		return res, nil
	}
	switch err := reachesItself(); {
	case before != nil:
		a.say(true, "loaded", "")
		a.mind("this machine did not reach itself over loopback before either, so that proves nothing")
	case err != nil:
		return a.takeBack(g, res, err.Error())
	default:
		a.say(true, "loaded; this machine still reaches itself", "")
	}
	if ctx.Err() != nil {
		return a.takeBack(g, res, "interrupted")
	}
	select {
	case <-a.opts.Confirmed: // before there was anything to confirm
	default:
	}
	a.say(false, fmt.Sprintf("open a NEW session to this machine and confirm there within %s, until %s; otherwise everything is taken back",
		within(a.opts.ConfirmWithin), time.Now().Add(a.opts.ConfirmWithin).Format(time.TimeOnly)),
		"reconshield firewall confirm"+a.stateFlag())
	return a.wait(ctx, g, res)
}

func (a *applying) takeBack(g *guard.Guard, res ApplyResult, why string) (ApplyResult, error) {
	err := g.TakeBack()
	if err == nil {
		res.Outcome, res.Why, err = g.Wait()
	}
	if err != nil {
		return a.instead(res, why)
	}
	res.Why = strings.TrimSuffix(why+"; "+res.Why, "; ")
	return res, nil
}

// instead takes the change back when somebody has killed the guard: nobody else
// would.
func (a *applying) instead(res ApplyResult, why string) (ApplyResult, error) {
	var err error
	res.Outcome, res.Why, err = guard.TakeBack(a.opts.StateDir)
	switch {
	case errors.Is(err, guard.ErrNothing):
		return res, &FailureError{Err: fmt.Errorf("%s; the guard ended without a word, how is told by guard.log in %s", why, a.opts.StateDir)}
	case err != nil:
		return res, &FailureError{Err: fmt.Errorf("%s; THE NEW RULES STAND AND NOBODY WATCHES THEM (%w): see reconshield firewall confirm --take-back%s", why, err, a.stateFlag())}
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
			if e.err != nil {
				return a.instead(res, "the guard was killed")
			}
			res.Outcome, res.Why = e.outcome, e.text
			if res.Outcome == guard.Restored && res.Why == "" {
				res.Why = "nobody confirmed within " + within(a.opts.ConfirmWithin)
				if ctx.Err() != nil {
					res.Why = "interrupted"
				}
			}
			return res, nil
		case <-confirmed:
			confirmed = nil
			_ = g.Confirm() // when the guard is gone, Wait tells
		case <-done:
			done = nil
			_ = g.TakeBack()
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
