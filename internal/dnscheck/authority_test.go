package dnscheck

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

func TestJudgeReferral(t *testing.T) {
	t.Parallel()
	const up = "ns:. 518400 IN NS a.root-servers.net."
	for _, tt := range []struct {
		name, words string
		records     []string
		want        string
	}{
		{"referral", "NOERROR", []string{up}, "fail"},
		{"large referral", "NOERROR", manyRootServers(13), "fail medium"},
		{"referral with recursion", "NOERROR ra", []string{up}, "not-tested"},
		{"referral to a zone below", "NOERROR", []string{"ns:test. 1 IN NS a.test."}, "pass"},
		{"refused", "REFUSED", nil, "pass"},
		{"refused with recursion", "REFUSED ra", nil, "pass"},
		{"not authoritative", "NOTAUTH", nil, "pass"},
		{"a root server", "NXDOMAIN aa", nil, "pass"},
		{"a resolver", "NXDOMAIN ra", nil, "not-tested"},
		{"nothing", "NOERROR", nil, "pass"},
		{"an address", "NOERROR", []string{"x.invalid. 1 IN A 192.0.2.1"}, "not-tested"},
		{"cut short", "NOERROR tc", nil, "not-tested"},
		{"broken", "SERVFAIL", nil, "not-tested"},
		{"silence", "-", nil, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := answerTo(t, question("x.invalid", dnswire.TypeA), tt.words, tt.records...)
			a.Reply.BytesOut = 27
			shows(t, judgeReferral(exposure.UDP, a), tt.want)
		})
	}
}

func manyRootServers(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("ns:. 518400 IN NS %c.root-servers.net.", 'a'+i))
	}
	return out
}

func TestJudgeWildcard(t *testing.T) {
	t.Parallel()
	const name = "rs-made-up.example.test."
	for _, tt := range []struct {
		name, words string
		records     []string
		want        string
	}{
		{"address", "NOERROR aa", []string{name + " 1 IN A 192.0.2.1"}, "fail"},
		{"alias", "NOERROR aa", []string{name + " 1 IN CNAME www.example.test.", "www.example.test. 1 IN A 192.0.2.1"}, "fail"},
		{"no such name", "NXDOMAIN aa", []string{"ns:" + soaText}, "pass"},
		{"no address", "NOERROR aa", []string{"ns:" + soaText}, "pass"},
		{"not its own", "NOERROR ra", []string{name + " 1 IN A 192.0.2.1"}, "not-tested"},
		{"another name", "NOERROR aa", []string{"www.example.test. 1 IN A 192.0.2.1"}, "pass"},
		{"refused", "REFUSED", nil, "not-tested"},
		{"cut short", "NOERROR aa tc", nil, "not-tested"},
		{"silence", "-", nil, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shows(t, judgeWildcard(answerTo(t, signedQuery(name, dnswire.TypeA), tt.words, tt.records...), name), tt.want)
		})
	}
}

func TestJudgeWalk(t *testing.T) {
	t.Parallel()
	const label = "rs-abcdefghijklmnop"
	const sig = "ns:example.test. 1 IN RRSIG SOA 13 2 300 20300101000000 20200101000000 1 example.test. AAAA"
	for _, tt := range []struct {
		name, words string
		records     []string
		want        string
	}{
		{"NSEC", "NXDOMAIN aa", []string{"ns:mail.example.test. 1 IN NSEC www.example.test. A RRSIG NSEC"}, "fail"},
		{"NSEC at the end", "NXDOMAIN aa", []string{"ns:www.example.test. 1 IN NSEC example.test. A RRSIG NSEC"}, "fail"},
		{"black lie", "NOERROR aa", []string{"ns:" + label + `.example.test. 1 IN NSEC \000.` + label + ".example.test. RRSIG NSEC"}, "pass"},
		{"white lie", "NXDOMAIN aa", []string{`ns:rs-abcdefghijklmno~.example.test. 1 IN NSEC rs-abcdefghijklmnop!.example.test. RRSIG NSEC`, `ns:!.example.test. 1 IN NSEC \000.example.test. RRSIG NSEC`}, "pass"},
		{"NSEC3", "NXDOMAIN aa", []string{"ns:0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.test. 1 IN NSEC3 1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG"}, "pass"},
		{"NSEC3 with opt-out", "NXDOMAIN aa", []string{"ns:0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.test. 1 IN NSEC3 1 1 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG"}, "pass"},
		{"unsigned", "NXDOMAIN aa", []string{"ns:" + soaText}, "not-tested"},
		{"signatures without denial", "NXDOMAIN aa", []string{"ns:" + soaText, sig}, "not-tested"},
		{"not its own", "NXDOMAIN ra", []string{"ns:mail.example.test. 1 IN NSEC www.example.test. A"}, "not-tested"},
		{"refused", "REFUSED", nil, "not-tested"},
		{"silence", "-", nil, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := answerTo(t, signedQuery(label+".example.test", dnswire.TypeA), tt.words, tt.records...)
			shows(t, judgeWalk(a, testZone(t), label), tt.want)
		})
	}
}

func TestJudgeCookie(t *testing.T) {
	t.Parallel()
	const client = "0102030405060708"
	for _, tt := range []struct {
		name, words, cookie, want string
	}{
		{"server cookie", "NOERROR aa", client + "1112131415161718", "pass"},
		{"bad cookie", "NOERROR aa", client + strings.Repeat("ab", 32), "pass"},
		{"too long", "NOERROR aa", client + strings.Repeat("ab", 33), "fail"},
		{"client cookie alone", "NOERROR aa", client, "fail"},
		{"another client's", "NOERROR aa", "ff" + client[2:] + "1112131415161718", "fail"},
		{"none", "NOERROR aa", "", "fail"},
		{"none, no such name", "NXDOMAIN aa", "", "fail"},
		{"refused", "REFUSED", "", "not-tested"},
		{"refused with cookie", "REFUSED", client + "1112131415161718", "pass"},
		{"silence", "-", "", "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := answerTo(t, question("example.test", dnswire.TypeSOA), tt.words)
			if tt.cookie != "" {
				a.Msg.SetEdns0(1232, false)
				a.Msg.IsEdns0().Option = []dnswire.Option{&dnswire.Cookie{Code: dnswire.OptionCookie, Cookie: tt.cookie}}
			}
			shows(t, judgeCookie(a, client), tt.want)
		})
	}
}

func TestJudgeNoStream(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state     exposure.State
		datagrams bool
		want      string
	}{
		{exposure.Closed, true, "fail"},
		{exposure.Filtered, true, "fail medium"},
		{exposure.Open, true, "fail medium"},
		{exposure.Unmeasured, true, "not-tested"},
		{exposure.Closed, false, "not-tested"},
	} {
		t.Run(fmt.Sprint(tt.state, tt.datagrams), func(t *testing.T) {
			t.Parallel()
			shows(t, judgeNoStream(exposure.Observation{State: tt.state}, tt.datagrams), tt.want)
		})
	}
}

func TestJudgePipeline(t *testing.T) {
	t.Parallel()
	q := question("example.test", dnswire.TypeSOA)
	pack := func(id uint16) []byte {
		m := reply(t, dnswire.Question{Name: "example.test.", Qtype: dnswire.TypeSOA, Qclass: dnswire.ClassIN}, "NOERROR aa")
		m.Id = id
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const first, second = 0x1234, ^uint16(0x1234)
	for _, tt := range []struct {
		name string
		ids  []uint16
		want string
	}{
		{"in order", []uint16{first, second}, "pass"},
		{"out of order", []uint16{second, first}, "pass"},
		{"first only", []uint16{first}, "fail"},
		{"first twice", []uint16{first, first}, "fail"},
		{"a stranger", []uint16{first, 7}, "fail"},
		{"nothing", nil, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := dialogue.Answer{Query: q, Via: exposure.TCP}
			for i, id := range tt.ids {
				if i == 0 {
					a.Reply.Payload = pack(id)
				} else {
					a.Reply.More = append(a.Reply.More, exchange.Datagram{Payload: pack(id)})
				}
			}
			wire, err := q.Pack(second)
			if err != nil {
				t.Fatal(err)
			}
			shows(t, judgePipeline(a, wire), tt.want)
		})
	}
}

// TestRunAuthorityInSilence: with a server that falls silent no check of this
// side passes, fails or takes longer than two questions.
func TestRunAuthorityInSilence(t *testing.T) {
	t.Parallel()
	s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
		if question := q.Question[0]; question.Name == "example.test." && question.Qtype == dnswire.TypeSOA && q.IsEdns0() == nil && q.Opcode == dnswire.OpQuery {
			return reply(t, question, "NOERROR aa", soaText)
		}
		return nil
	}, Options{Zones: []string{"example.test"}})
	start := time.Now()
	for _, f := range []func() []Check{
		transferChecks, updateChecks, notifyChecks, referralChecks, amplifyChecks, walkChecks, dnssecChecks,
		ednsChecks, cookieChecks, wildcardChecks, privateChecks,
	} {
		for _, c := range f() {
			for _, o := range runOne(t.Context(), s, c) {
				if o.Status != exposure.NotTested || o.Reason == "" {
					t.Errorf("%s says %s of silence: %s", c.ID, o.Status, o.Reason)
				}
			}
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}
