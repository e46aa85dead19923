package dnscheck

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

const soaText = "example.test. 300 IN SOA ns1.example.test. host.example.test. 7 3600 900 604800 300"

func testZone(tb testing.TB) Zone {
	tb.Helper()
	rr, err := dnswire.ParseRR(soaText)
	if err != nil {
		tb.Fatal(err)
	}
	soa, ok := rr.(*dnswire.SOA)
	if !ok {
		tb.Fatal("not a SOA")
	}
	return Zone{Name: "example.test.", SOA: soa}
}

// shows compares an outcome with "status", or "fail severity" and
// "fail severity confidence".
func shows(tb testing.TB, o Outcome, want string) {
	tb.Helper()
	got := string(o.Status)
	if o.Severity != "" {
		got += " " + string(o.Severity)
	}
	if o.Confidence != "" {
		got += " " + string(o.Confidence)
	}
	if got != want {
		tb.Errorf("%s, want %s: %s", got, want, o.Reason)
	}
	if o.Reason == "" || o.Status == exposure.Fail && len(o.Evidence) == 0 {
		tb.Errorf("no reason or no evidence: %+v", o)
	}
}

func TestJudgeTransfer(t *testing.T) {
	t.Parallel()
	z := testZone(t)
	for _, tt := range []struct {
		name, words string
		records     []string
		want        string
	}{
		{"allowed, as BIND", "NOERROR aa", []string{soaText}, "fail"},
		{"allowed, as Knot", "NOERROR", []string{soaText}, "fail"},
		{"the zone begins", "NOERROR aa", []string{soaText, "example.test. 300 IN NS ns1.example.test.", soaText}, "fail"},
		{"letter case", "NOERROR", []string{"EXAMPLE.test. 1 IN SOA a. b. 7 1 1 1 1"}, "fail"},
		{"refused", "REFUSED", nil, "pass"},
		{"not authoritative", "NOTAUTH", nil, "pass"},
		{"not known", "NOTIMP", nil, "not-tested"},
		{"format", "FORMERR", nil, "not-tested"},
		{"empty, as dnsmasq", "NOERROR aa", []string{"ns:" + soaText}, "not-tested"},
		{"another zone's SOA", "NOERROR", []string{"test. 1 IN SOA a. b. 7 1 1 1 1"}, "not-tested"},
		{"no SOA first", "NOERROR", []string{"example.test. 300 IN NS ns1.example.test.", soaText}, "not-tested"},
		{"broken", "SERVFAIL", nil, "not-tested"},
		{"silence", "-", nil, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shows(t, judgeTransfer(answerTo(t, ixfr(z), tt.words, tt.records...), z), tt.want)
		})
	}
}

func TestJudgeFullTransfer(t *testing.T) {
	t.Parallel()
	z := testZone(t)
	for _, tt := range []struct {
		name, words string
		records     []string
		want        string
	}{
		{"SOA alone, as PowerDNS", "NOERROR", []string{soaText}, "fail"},
		{"many records", "NOERROR aa", []string{soaText, "secret.example.test. 1 IN A 192.0.2.1"}, "fail"},
		{"refused", "REFUSED", nil, "pass"},
		{"not authoritative", "NOTAUTH", nil, "pass"},
		{"not known", "NOTIMP", nil, "pass"},
		{"empty", "NOERROR", nil, "not-tested"},
		{"silence", "-", nil, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := judgeFullTransfer(answerTo(t, dnswire.Query{Name: z.Name, Type: dnswire.TypeAXFR}, tt.words, tt.records...), z)
			shows(t, o, tt.want)
			for _, e := range o.Evidence {
				if e.Raw != nil {
					t.Error("content of the zone was kept")
				}
			}
		})
	}
}

// TestTransferOneByOne: never two transfer questions at once.
func TestTransferOneByOne(t *testing.T) {
	t.Parallel()
	var now, asked atomic.Int32
	s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
		question := q.Question[0]
		if question.Qtype != dnswire.TypeIXFR {
			return reply(t, question, "NOERROR aa", question.Name+" 1 IN SOA a. b. 7 1 1 1 1")
		}
		asked.Add(1)
		if now.Add(1) > 1 {
			t.Error("two at once")
		}
		defer now.Add(-1)
		return reply(t, question, "REFUSED")
	}, Options{Zones: []string{"a.test", "b.test", "c.test"}})
	out := runTransfer(t.Context(), s)
	for _, o := range out {
		shows(t, o, "pass")
	}
	if int(asked.Load()) != len(out) || len(out) < 3 {
		t.Errorf("%d zones, %d questions", len(out), asked.Load())
	}
}

func TestJudgeUpdate(t *testing.T) {
	t.Parallel()
	const yes, no = "YXDOMAIN", "REFUSED"
	for _, tt := range []struct {
		first, second string
		product       exposure.Product
		version       string
		want          string
	}{
		{yes, "NOERROR", exposure.BIND, "9.18.49-1~deb12u3-Debian", "fail"},
		{yes, "NOERROR", exposure.BIND, "9.20.4", "fail"},
		{yes, "NOERROR", exposure.BIND, "9.18.10", "fail high medium"},
		{yes, "NOERROR", exposure.BIND, "9.16.36", "fail high medium"},
		{yes, "NOERROR", exposure.BIND, "9.16.50", "fail"},
		{yes, "NOERROR", exposure.BIND, "9.11.5-P4-5.1-Debian", "fail high medium"},
		{yes, "NOERROR", exposure.BIND, "", "fail"},
		{yes, "NOERROR", exposure.WindowsDNS, "", "fail high medium"},
		{yes, "NOERROR", exposure.Knot, "3.2.6", "fail"},
		{yes, "NOERROR", "", "", "fail"},
		{yes, no, exposure.BIND, "9.11.5", "pass"},
		{yes, "NOTAUTH", "", "", "pass"},
		{yes, "-", "", "", "not-tested"},
		{yes, "SERVFAIL", "", "", "not-tested"},
		{no, "", "", "", "pass"},
		{"NOTAUTH", "", exposure.Knot, "", "pass"},
		{"NOTIMP", "", exposure.NSD, "", "pass"},
		{"NOERROR", "", "", "", "not-tested"},
		{"FORMERR", "", "", "", "not-tested"},
		{"-", "", exposure.Dnsmasq, "", "not-tested"},
	} {
		t.Run(fmt.Sprintf("%s %s %s%s", tt.first, tt.second, tt.product, tt.version), func(t *testing.T) {
			t.Parallel()
			u := updateAnswers{via: exposure.UDP, prerequisite: answerTo(t, prerequisiteOnly(testZone(t)), tt.first)}
			if tt.second != "" {
				u.empty = answerTo(t, emptyUpdate(testZone(t)), tt.second)
			}
			shows(t, judgeUpdate(u, tt.product, tt.version), tt.want)
		})
	}
}

// TestUpdateOverTCPAlone is BIND with update-policy: the empty update passes
// over TCP only, and that must not be called open.
func TestUpdateOverTCPAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		udp, tcp, wantUDP, wantTCP string
	}{
		{"REFUSED", "NOERROR", "pass", "not-tested"},
		{"NOERROR", "NOERROR", "fail", "fail"},
		{"-", "NOERROR", "not-tested", "fail high medium"},
		{"NOERROR", "REFUSED", "fail", "pass"},
	} {
		t.Run(tt.udp+" "+tt.tcp, func(t *testing.T) {
			t.Parallel()
			s := fakeSession(func(q *dnswire.Message, r exchange.Request) *dnswire.Msg {
				words := tt.udp
				if r.Transport == exposure.TCP {
					words = tt.tcp
				}
				if len(q.Ns) > 0 || q.Question[0].Qclass != dnswire.ClassIN {
					t.Errorf("content was sent: %s", &q.Msg)
				}
				switch {
				case words == "-":
					return nil
				case len(q.Answer) > 0 && words == "NOERROR":
					words = "YXDOMAIN"
				}
				m := reply(t, q.Question[0], words)
				m.Opcode = q.Opcode
				return m
			}, Options{})
			out := updatesOf(t.Context(), s, testZone(t))
			shows(t, out[0], tt.wantUDP)
			shows(t, out[1], tt.wantTCP)
		})
	}
}

func TestBINDBelow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		version string
		want    bool
	}{
		{"9.18.10", true},
		{"9.18.11", false},
		{"9.18.11-1~deb12u3", false},
		{"9.9.5-9+deb8u6", true},
		{"9.20.0", false},
		{"10.0", false},
		{"9.18", true},
		{"9.17.22", true},
		{"", false},
		{"nine", false},
		{"9", false},
	} {
		t.Run(tt.version, func(t *testing.T) {
			t.Parallel()
			if got := bindBelow(tt.version, 18, 11); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestJudgeNotify(t *testing.T) {
	t.Parallel()
	q := dnswire.Query{Name: "example.test", Type: dnswire.TypeSOA, Opcode: dnswire.OpNotify}
	for _, tt := range []struct {
		words   string
		is      role
		product exposure.Product
		want    string
	}{
		{"NOERROR", roleSecondary, exposure.BIND, "fail"},
		{"NOERROR", roleSecondary, "", "fail"},
		{"NOERROR", rolePrimary, exposure.BIND, "not-tested"},
		{"NOERROR", roleUnknown, exposure.BIND, "not-tested"},
		{"NOERROR", roleUnknown, "", "not-tested"},
		{"NOERROR", roleUnknown, exposure.NSD, "fail medium"},
		{"REFUSED", roleSecondary, exposure.BIND, "pass"},
		{"NOTAUTH", roleUnknown, exposure.Knot, "pass"},
		{"NOTIMP", roleUnknown, "", "pass"},
		{"SERVFAIL", roleSecondary, "", "not-tested"},
		{"-", roleSecondary, "", "not-tested"},
	} {
		t.Run(fmt.Sprint(tt.words, tt.is, tt.product), func(t *testing.T) {
			t.Parallel()
			shows(t, judgeNotify(answerTo(t, q, tt.words), tt.is, tt.product), tt.want)
		})
	}
}

func TestRoleOf(t *testing.T) {
	t.Parallel()
	z := testZone(t)
	for _, tt := range []struct {
		name   string
		option *dnswire.Expire
		want   role
	}{
		{"counting down", &dnswire.Expire{Code: dnswire.OptionExpire, Expire: 604799}, roleSecondary},
		{"the SOA's own", &dnswire.Expire{Code: dnswire.OptionExpire, Expire: 604800}, rolePrimary},
		{"empty", &dnswire.Expire{Code: dnswire.OptionExpire, Empty: true}, roleUnknown},
		{"none", nil, roleUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := &dnswire.Message{}
			m.SetEdns0(1232, false)
			if tt.option != nil {
				m.IsEdns0().Option = []dnswire.Option{tt.option}
			}
			if got := roleOf(dialogue.Answer{Msg: m}, z); got != tt.want {
				t.Errorf("got %d", got)
			}
		})
	}
	if roleOf(dialogue.Answer{}, z) != roleUnknown {
		t.Error("silence shows a role")
	}
}

// TestBegunTransferIsNotKept: a server may answer an IXFR by sending the zone.
func TestBegunTransferIsNotKept(t *testing.T) {
	t.Parallel()
	z := testZone(t)
	a := answerTo(t, ixfr(z), "NOERROR aa", soaText, "secret.example.test. 1 IN A 192.0.2.1", soaText)
	for _, e := range judgeTransfer(a, z).Evidence {
		if e.Raw != nil || strings.Contains(e.Response, "secret") {
			t.Errorf("content of the zone was kept: %+v", e)
		}
	}
}
