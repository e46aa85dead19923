package dial

import (
	"strings"
	"testing"
	"time"
)

func TestTrialJudge(t *testing.T) {
	const s = time.Second
	open, small, tiny := backlog{known: true, window: 64240}, backlog{known: true, window: 1152}, backlog{known: true, window: 40}
	shut := backlog{known: true, outstanding: true, unsent: true}
	held, probed := shut, shut
	held.window, probed.probed = 10, true
	lost := backlog{known: true, outstanding: true, window: 64240}
	for _, c := range []struct {
		name    string
		t       trial
		b       backlog
		now     time.Duration
		want    Outcome
		mention string
	}{
		{"early", trial{}, open, 2 * s, Untried, ""},
		{"silent", trial{}, open, 3 * s, Silent, "says nothing"},
		{"silent where servers greet", trial{patient: true}, open, 24 * s, Untried, ""},
		{"silent there to the end", trial{patient: true}, open, 25 * s, Silent, ""},
		{"small window", trial{}, small, 24 * s, Untried, ""},
		{"small window, silent to the end", trial{}, small, 25 * s, Silent, ""},
		{"a line each ten seconds", trial{pieces: 2, bytes: 40, first: 10 * s, last: 20 * s}, small, 25 * s, Tarpit, "40 bytes in 20 s"},
		{"the same, no small window", trial{patient: true, pieces: 2, bytes: 40, first: 10 * s, last: 20 * s}, open, 25 * s, Tarpit, ""},
		{"two lines of a greeting", trial{pieces: 2, bytes: 40, last: s}, open, 4 * s, Spoke, ""},
		{"dribbles", trial{pieces: 4, bytes: 4, last: 2 * s}, open, 2 * s, Tarpit, "4 bytes"},
		{"much in pieces", trial{pieces: 9, bytes: 9000, last: 3 * s}, open, 4 * s, Untried, ""},
		{"as much without end", trial{pieces: 90, bytes: 9000, last: 25 * s}, open, 25 * s, Spoke, ""},
		{"much in pieces, then nothing", trial{pieces: 9, bytes: 9000, last: 3 * s}, open, 6 * s, Spoke, ""},
		{"a little in pieces without end", trial{pieces: 90, bytes: 5000, last: 25 * s}, open, 25 * s, Tarpit, ""},
		{"not taken so far", trial{}, shut, 2 * s, Untried, ""},
		{"shut", trial{}, shut, 3 * s, Tarpit, "or a SYN proxy"},
		{"shut, but alive", trial{}, probed, 3 * s, Tarpit, "of 0 bytes, which lets nothing through"},
		{"nearly shut", trial{}, held, 3 * s, Tarpit, "of 10 bytes"},
		{"of no use", trial{}, tiny, 25 * s, Tarpit, "of 40 bytes"},
		{"lost", trial{}, lost, 3 * s, Untaken, "SYN proxy"},
		{"untold", trial{}, backlog{known: true, outstanding: true}, 3 * s, Untaken, ""},
		{"system that tells nothing", trial{}, backlog{}, 3 * s, Silent, ""},
	} {
		got := c.t.judge(c.now, c.b)
		if got.Outcome != c.want || !strings.Contains(got.Detail, c.mention) || (got.Detail == "") != (c.want == Untried) {
			t.Errorf("%s: %+v, want %d", c.name, got, c.want)
		}
	}
}
