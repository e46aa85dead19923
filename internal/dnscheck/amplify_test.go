package dnscheck

import (
	"fmt"
	"sync"
	"testing"

	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
)

func TestJudgeAny(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, words string
		records     []string
		want        string
	}{
		{"everything", "NOERROR aa", []string{soaText, "example.test. 1 IN NS a.test."}, "fail"},
		{"HINFO", "NOERROR aa", []string{`example.test. 1 IN HINFO "RFC8482" ""`}, "pass"},
		{"one RRset", "NOERROR aa", []string{"example.test. 1 IN NS a.test.", "example.test. 1 IN NS b.test."}, "pass"},
		{"cut short", "NOERROR aa tc", nil, "pass"},
		{"refused", "REFUSED", nil, "pass"},
		{"not known", "NOTIMP", nil, "pass"},
		{"nothing", "NOERROR aa", nil, "not-tested"},
		{"silence", "-", nil, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shows(t, judgeAny(answerTo(t, sized(question("example.test", dnswire.TypeANY), 4096), tt.words, tt.records...)), tt.want)
		})
	}
}

// measured is one measurement of a question with so many bytes out and in.
func measured(t *testing.T, name string, out, in int) measure {
	t.Helper()
	if in == 0 {
		return measureOf(answerTo(t, question(name, dnswire.TypeANY), "-"))
	}
	a := answerTo(t, question(name, dnswire.TypeANY), "NOERROR aa")
	a.Reply.BytesOut, a.Reply.Payload = out, make([]byte, in)
	return measureOf(a)
}

func TestJudgeAmplification(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		out, in []int
		open    bool
		want    string
	}{
		{"ten, resolves", []int{40}, []int{400}, true, "fail"},
		{"ten, own data", []int{40}, []int{400}, false, "fail medium"},
		{"just below ten, resolves", []int{40}, []int{399}, true, "fail low"},
		{"just below ten", []int{40}, []int{399}, false, "fail low"},
		{"five", []int{40}, []int{200}, false, "fail low"},
		{"just below five", []int{40}, []int{199}, true, "pass"},
		{"refusals", []int{40, 40}, []int{40, 12}, false, "pass"},
		{"one large among small", []int{40, 30}, []int{40, 600}, true, "fail"},
		{"one unanswered", []int{40, 40}, []int{40, 0}, false, "not-tested"},
		{"one large, one unanswered", []int{40, 40}, []int{800, 0}, true, "fail"},
		{"nothing answered", []int{40, 40}, []int{0, 0}, false, "not-tested"},
		{"nothing asked", nil, nil, false, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var all []measure
			for i := range tt.out {
				all = append(all, measured(t, fmt.Sprintf("n%d.test", i), tt.out[i], tt.in[i]))
			}
			shows(t, judgeAmplification(all, tt.open), tt.want)
		})
	}
}

// TestDuplicatesCount: bytes of every reply enter the factor.
func TestDuplicatesCount(t *testing.T) {
	t.Parallel()
	a := answerTo(t, question("example.test", dnswire.TypeANY), "NOERROR aa")
	a.Reply.BytesOut, a.Reply.Payload = 40, make([]byte, 100)
	for range 9 {
		a.Reply.More = append(a.Reply.More, exchange.Datagram{Payload: make([]byte, 100)})
	}
	if m := measureOf(a); m.in != 1000 || m.messages != 10 {
		t.Errorf("%d bytes in %d messages, want 1000 in 10", m.in, m.messages)
	}
}

// TestAmplificationIsModest: where the server refuses, sizes are not tried.
func TestAmplificationIsModest(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
		question := q.Question[0]
		mu.Lock()
		asked[question.Name+dnswire.TypeName(question.Qtype)]++
		mu.Unlock()
		if question.Name == "example.test." && question.Qtype == dnswire.TypeSOA {
			return reply(t, question, "NOERROR aa", soaText)
		}
		return reply(t, question, "REFUSED")
	}, Options{Zones: []string{"example.test"}})
	shows(t, judgeAmplification(s.amplification(t.Context()), false), "pass")
	for _, name := range []string{".NS", "example.test.ANY", "example.test.TXT"} {
		if asked[name] != 1 {
			t.Errorf("%s was asked %d times", name, asked[name])
		}
	}
}

func TestJudgeRateLimit(t *testing.T) {
	t.Parallel()
	first := answerTo(t, question("example.test", dnswire.TypeNS), "NOERROR aa")
	for _, tt := range []struct {
		name           string
		control, burst tally
		want           string
	}{
		{"all answered", tally{answered: 20}, tally{answered: 20}, "fail medium"},
		{"all truncated, the control as well", tally{truncated: 20}, tally{truncated: 20}, "not-tested"},
		{"limited in the third step", tally{answered: 20}, tally{answered: 52, truncated: 4, dropped: 4}, "pass"},
		{"all answered, lossy control", tally{answered: 10, dropped: 10}, tally{answered: 20}, "fail medium"},
		{"limited", tally{answered: 20}, tally{answered: 5, truncated: 7, dropped: 8}, "pass"},
		{"limited by truncation", tally{answered: 20}, tally{answered: 5, truncated: 15}, "pass"},
		{"one control lost", tally{answered: 19, dropped: 1}, tally{answered: 5, dropped: 15}, "pass"},
		{"lossy path", tally{answered: 15, dropped: 5}, tally{answered: 14, dropped: 6}, "not-tested"},
		{"few missing", tally{answered: 20}, tally{answered: 18, dropped: 2}, "not-tested"},
		{"nothing sent", tally{}, tally{}, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.burst.first = first
			shows(t, judgeRateLimit(tt.control, tt.burst), tt.want)
		})
	}
}
