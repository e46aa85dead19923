package dnscheck

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
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
		want    string
	}{
		{"ten", []int{40}, []int{400}, "fail"},
		{"just below ten", []int{40}, []int{399}, "fail medium"},
		{"five", []int{40}, []int{200}, "fail medium"},
		{"just below five", []int{40}, []int{199}, "pass"},
		{"refusals", []int{40, 40}, []int{40, 12}, "pass"},
		{"one large among small", []int{40, 30}, []int{40, 600}, "fail"},
		{"one unanswered", []int{40, 40}, []int{40, 0}, "not-tested"},
		{"one large, one unanswered", []int{40, 40}, []int{800, 0}, "fail"},
		{"nothing answered", []int{40, 40}, []int{0, 0}, "not-tested"},
		{"nothing asked", nil, nil, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var all []measure
			for i := range tt.out {
				all = append(all, measured(t, fmt.Sprintf("n%d.test", i), tt.out[i], tt.in[i]))
			}
			shows(t, judgeAmplification(all), tt.want)
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
	shows(t, judgeAmplification(s.amplification(t.Context())), "pass")
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

func TestJudgePrivate(t *testing.T) {
	t.Parallel()
	public, inside := netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("10.0.0.53")
	for _, tt := range []struct {
		name, words, record string
		server              netip.Addr
		want                string
	}{
		{"public", "NOERROR aa", "www.example.test. 1 IN A 192.0.2.1", public, "pass"},
		{"10/8", "NOERROR aa", "www.example.test. 1 IN A 10.1.2.3", public, "fail"},
		{"172.16/12", "NOERROR aa", "www.example.test. 1 IN A 172.31.2.3", public, "fail"},
		{"just outside", "NOERROR aa", "www.example.test. 1 IN A 172.32.2.3", public, "pass"},
		{"192.168/16", "NOERROR aa", "www.example.test. 1 IN A 192.168.1.1", public, "fail"},
		{"shared", "NOERROR aa", "www.example.test. 1 IN A 100.64.0.1", public, "fail"},
		{"loopback", "NOERROR aa", "www.example.test. 1 IN A 127.0.0.1", public, "fail"},
		{"unique local", "NOERROR aa", "www.example.test. 1 IN AAAA fd00::1", public, "fail"},
		{"link-local", "NOERROR aa", "www.example.test. 1 IN AAAA fe80::1", public, "fail"},
		{"mapped", "NOERROR aa", "www.example.test. 1 IN AAAA ::ffff:10.0.0.1", public, "fail"},
		{"domain controllers", "NOERROR aa", "_ldap._tcp.dc._msdcs.example.test. 1 IN SRV 0 1 389 dc1.example.test.", public, "fail medium"},
		{"inside server", "NOERROR aa", "www.example.test. 1 IN A 10.1.2.3", inside, "fail info medium"},
		{"not its own", "NOERROR ra", "www.example.test. 1 IN A 10.1.2.3", public, "pass"},
		{"silence", "-", "", public, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := answerTo(t, question("www.example.test", dnswire.TypeA), "-")
			if tt.words != "-" {
				a = answerTo(t, question("www.example.test", dnswire.TypeA), tt.words, tt.record)
			}
			shows(t, judgePrivate([]dialogue.Answer{a}, testZone(t), tt.server), tt.want)
		})
	}
}

func TestJudgePrivateReverse(t *testing.T) {
	t.Parallel()
	const ten = "10.in-addr.arpa."
	for _, tt := range []struct {
		name, words, record, want string
	}{
		{"kept", "NOERROR aa", ten + " 1 IN SOA dc1.corp.test. admin.corp.test. 9 1 1 1 1", "fail medium"},
		{"empty, as BIND", "NOERROR aa", "10.IN-ADDR.ARPA. 1 IN SOA 10.IN-ADDR.ARPA. . 0 28800 7200 604800 86400", "pass"},
		{"empty, as Unbound", "NOERROR aa", ten + " 1 IN SOA localhost. nobody.invalid. 1 3600 1200 604800 10800", "pass"},
		{"AS112", "NOERROR aa", ten + " 1 IN SOA prisoner.iana.org. hostmaster.root-servers.org. 1 1 1 1 1", "pass"},
		{"not its own", "NOERROR ra", ten + " 1 IN SOA dc1.corp.test. admin.corp.test. 9 1 1 1 1", "pass"},
		{"refused", "REFUSED", "", "pass"},
		{"silence", "-", "", "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var records []string
			if tt.record != "" {
				records = []string{tt.record}
			}
			out := judgePrivateReverse([]dialogue.Answer{answerTo(t, question(ten, dnswire.TypeSOA), tt.words, records...)}, netip.MustParseAddr("192.0.2.53"))
			if len(out) != 1 {
				t.Fatalf("%d outcomes", len(out))
			}
			shows(t, out[0], tt.want)
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
