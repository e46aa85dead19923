package collector

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reconshield/internal/dnswire"
	"reconshield/internal/nonce"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const asker = "198.51.100.7:40000"

func start(tb testing.TB, adjust func(*Options)) *Server {
	tb.Helper()
	key, err := NewKey()
	if err != nil {
		tb.Fatal(err)
	}
	opts := Options{
		Zone: nonce.Zone{Apex: "probe.test", Key: []byte("k")}, Key: key,
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::11")},
	}
	if adjust != nil {
		adjust(&opts)
	}
	s, err := New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func ask(t *testing.T, s *Server, q dnswire.Query) *dnswire.Message {
	t.Helper()
	wire, err := q.Pack(77)
	if err != nil {
		t.Fatal(err)
	}
	out := s.respond(wire, netip.MustParseAddrPort(asker), false)
	if !dnswire.Answers(out, wire) {
		t.Fatalf("%s: % x does not answer it", q, out)
	}
	m, err := dnswire.Parse(out)
	if err != nil || m.Malformed != nil {
		t.Fatalf("%s: %v, %v", q, err, m.Malformed)
	}
	return m
}

func do() *dnswire.EDNS { return &dnswire.EDNS{UDPSize: 1232, DO: true} }

func TestNewRefuses(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.11")}
	for _, c := range []struct {
		name string
		opts Options
	}{
		{"no zone", Options{Addresses: addrs}},
		{"top-level zone", Options{Zone: nonce.Zone{Apex: "test"}, Addresses: addrs}},
		{"in-zone server without address", Options{Zone: nonce.Zone{Apex: "probe.test"}}},
		{"server too deep", Options{Zone: nonce.Zone{Apex: "probe.test"}, Addresses: addrs, Nameservers: []string{"a.b.probe.test"}}},
		{"server named root", Options{Zone: nonce.Zone{Apex: "probe.test"}, Nameservers: []string{"."}}},
		{"nine servers", Options{Zone: nonce.Zone{Apex: "probe.test"}, Nameservers: strings.Split("abcdefghi", "")}},
	} {
		if _, err := New(c.opts); err == nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
}

func TestAnswers(t *testing.T) {
	s := start(t, nil)
	plain, missing := s.zone.Name(nonce.Plain), s.zone.Name(nonce.Missing)
	for _, c := range []struct {
		name  string
		qtype uint16
		rcode int
		first string // beginning of the first answer's data; "-" for none
	}{
		{plain, dnswire.TypeA, dnswire.RcodeNoError, s.zone.Addr4(plain).String()},
		{plain, dnswire.TypeAAAA, dnswire.RcodeNoError, s.zone.Addr6(plain).String()},
		{strings.ToUpper(plain), dnswire.TypeA, dnswire.RcodeNoError, s.zone.Addr4(plain).String()},
		{plain, dnswire.TypeTXT, dnswire.RcodeNoError, "-"},
		{plain, dnswire.TypeANY, dnswire.RcodeNoError, s.zone.Addr4(plain).String()},
		{"x." + plain, dnswire.TypeA, dnswire.RcodeNXDomain, "-"},
		{missing, dnswire.TypeA, dnswire.RcodeNXDomain, "-"},
		{"www." + missing, dnswire.TypeA, dnswire.RcodeNXDomain, "-"},
		{"nx.probe.test", dnswire.TypeA, dnswire.RcodeNoError, "-"},
		{"_.nx.probe.test", dnswire.TypeA, dnswire.RcodeNoError, "-"},
		{"_.probe.test", dnswire.TypeNS, dnswire.RcodeNoError, "-"},
		{"other.probe.test", dnswire.TypeA, dnswire.RcodeNXDomain, "-"},
		{"probe.test", dnswire.TypeSOA, dnswire.RcodeNoError, "ns.probe.test."},
		{"probe.test", dnswire.TypeNS, dnswire.RcodeNoError, "ns.probe.test."},
		{"probe.test", dnswire.TypeDNSKEY, dnswire.RcodeNoError, "257 3 13"},
		{"probe.test", dnswire.TypeDS, dnswire.RcodeNoError, "-"},
		{"ns.probe.test", dnswire.TypeA, dnswire.RcodeNoError, "192.0.2.11"},
		{"ns.probe.test", dnswire.TypeAAAA, dnswire.RcodeNoError, "2001:db8::11"},
		{"probe.test", dnswire.TypeAXFR, dnswire.RcodeRefused, "-"},
		{"probe.test", dnswire.TypeIXFR, dnswire.RcodeRefused, "-"},
		{plain, dnswire.TypeRRSIG, dnswire.RcodeRefused, "-"},
		{"test", dnswire.TypeSOA, dnswire.RcodeRefused, "-"},
		{".", dnswire.TypeNS, dnswire.RcodeRefused, "-"},
		{"xprobe.test", dnswire.TypeA, dnswire.RcodeRefused, "-"},
		{s.zone.Name(nonce.Who4), dnswire.TypeTXT, dnswire.RcodeNoError, "\"r1 "},
		{s.zone.Name(nonce.Who6), dnswire.TypeTXT, dnswire.RcodeRefused, "-"},
		{s.zone.Name(nonce.Private10), dnswire.TypeA, dnswire.RcodeNoError, "10."},
		{s.zone.Name(nonce.Private172), dnswire.TypeA, dnswire.RcodeNoError, "172."},
		{s.zone.Name(nonce.Private192), dnswire.TypeA, dnswire.RcodeNoError, "192.168."},
		{s.zone.Name(nonce.Loopback), dnswire.TypeA, dnswire.RcodeNoError, "127."},
		{s.zone.Name(nonce.PrivateFD), dnswire.TypeAAAA, dnswire.RcodeNoError, "fd"},
		{s.zone.Name(nonce.PrivateFD), dnswire.TypeA, dnswire.RcodeNoError, "-"},
	} {
		m := ask(t, s, dnswire.Query{Name: c.name, Type: c.qtype})
		if m.Rcode != c.rcode || (len(m.Answer) == 0) != (c.first == "-") {
			t.Errorf("%s %s: %s", c.name, dnswire.TypeName(c.qtype), m.Summary())
			continue
		}
		if len(m.Answer) > 0 {
			data := strings.TrimPrefix(m.Answer[0].String(), m.Answer[0].Header().String())
			if !strings.HasPrefix(data, c.first) {
				t.Errorf("%s %s: %s, want %s…", c.name, dnswire.TypeName(c.qtype), data, c.first)
			}
		}
		if m.RecursionAvailable {
			t.Errorf("%s: recursion offered", c.name)
		}
		if m.Rcode != dnswire.RcodeRefused && len(m.Answer) == 0 && !dnswire.Has(m.Ns, dnswire.TypeSOA) {
			t.Errorf("%s %s: negative answer without SOA", c.name, dnswire.TypeName(c.qtype))
		}
	}
}

func TestReportSaysHowTheQueryCame(t *testing.T) {
	now := time.Unix(1767225600, 0)
	s := start(t, func(o *Options) { o.Now = func() time.Time { return now } })
	name := s.zone.Name(nonce.Who)
	m := ask(t, s, dnswire.Query{Name: strings.ToUpper(name[:3]) + name[3:], Type: dnswire.TypeTXT, EDNS: &dnswire.EDNS{
		UDPSize: 1400, DO: true, Options: []dnswire.Option{
			&dnswire.Subnet{Code: dnswire.OptionSubnet, Family: 1, SourceNetmask: 24, Address: net.IPv4(198, 51, 100, 0)},
			&dnswire.Cookie{Code: dnswire.OptionCookie, Cookie: "0011223344556677"},
		},
	}})
	r, err := nonce.ParseReport(s.zone, name, m.TXT()[0])
	if err != nil {
		t.Fatal(err)
	}
	want := nonce.Report{
		Source: netip.MustParseAddrPort(asker), ID: 77, Sequence: 1, Time: now, EDNS: 1400, DO: true, Cookie: true, Mixed: true,
		Subnet: netip.MustParsePrefix("198.51.100.0/24"),
	}
	if r != want {
		t.Errorf("report %+v, want %+v", r, want)
	}
	if m.Answer[0].Header().Ttl != 0 {
		t.Error("a report may be cached")
	}
	label, _, _ := strings.Cut(name, ".")
	if seen := s.Seen(label); len(seen) != 1 || seen[0].Report != want || seen[0].Name != name {
		t.Errorf("Seen = %+v", seen)
	}
}

func TestSubnetIsEchoedForEveryNetwork(t *testing.T) {
	s := start(t, nil)
	m := ask(t, s, dnswire.Query{Name: s.zone.Name(nonce.Plain), Type: dnswire.TypeA, EDNS: &dnswire.EDNS{
		UDPSize: 1232, Options: []dnswire.Option{&dnswire.Subnet{Code: dnswire.OptionSubnet, Family: 1, SourceNetmask: 24, Address: net.IPv4(198, 51, 100, 0)}},
	}})
	sub, ok := m.OPT().Option[0].(*dnswire.Subnet)
	if !ok || sub.SourceScope != 0 || sub.SourceNetmask != 24 {
		t.Errorf("OPT %v", m.OPT())
	}
}

func TestRefusesWhatIsNoQuestion(t *testing.T) {
	s := start(t, nil)
	good, err := dnswire.Query{Name: "probe.test", Type: dnswire.TypeSOA}.Pack(1)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(at int, b byte) []byte { w := bytes.Clone(good); w[at] = b; return w }
	for _, c := range []struct {
		name  string
		wire  []byte
		rcode int // -1: no answer at all
	}{
		{"empty", nil, -1},
		{"eleven bytes", good[:11], -1},
		{"a response", edit(2, 0x80), -1},
		{"header only", good[:12], dnswire.RcodeFormErr},
		{"two questions promised", edit(5, 2), dnswire.RcodeFormErr},
		{"no question", edit(5, 0)[:12], dnswire.RcodeFormErr},
		{"cut question", good[:len(good)-1], dnswire.RcodeFormErr},
		{"status", edit(2, 2<<3), dnswire.RcodeNotImp},
		{"notify", edit(2, 4<<3), dnswire.RcodeNotImp},
		{"update", edit(2, 5<<3), dnswire.RcodeNotImp},
		{"class CH", edit(len(good)-1, 3), dnswire.RcodeRefused},
	} {
		out := s.respond(c.wire, netip.MustParseAddrPort(asker), false)
		if c.rcode < 0 {
			if out != nil {
				t.Errorf("%s: answered % x", c.name, out)
			}
			continue
		}
		if len(out) < 12 || int(out[3]&0x0f) != c.rcode || len(out) > len(c.wire) {
			t.Errorf("%s: % x", c.name, out)
		}
	}
	if m := ask(t, s, dnswire.Query{Name: "probe.test", Type: dnswire.TypeSOA, EDNS: &dnswire.EDNS{UDPSize: 1232, Version: 1}}); m.Rcode != dnswire.RcodeBadVers {
		t.Errorf("EDNS version 1: %s", m.Summary())
	}
}

func TestAnswersAreCutToWhatTheAskerTakes(t *testing.T) {
	s := start(t, nil)
	q := dnswire.Query{Name: s.zone.Name(nonce.Missing), Type: dnswire.TypeA, EDNS: do()}
	whole := ask(t, s, q)
	q.EDNS = &dnswire.EDNS{UDPSize: 512, DO: true}
	cut := ask(t, s, q)
	if whole.Truncated || len(whole.Ns) == 0 || !cut.Truncated || len(cut.Ns) != 0 || cut.Size > 512 {
		t.Errorf("whole: %s; cut: %s", whole.Summary(), cut.Summary())
	}
}

func TestBudgetSendsAskersToTCP(t *testing.T) {
	s := start(t, func(o *Options) {
		o.Limits = Limits{SourceRate: 1, SourceBurst: 1000}
		o.Now = func() time.Time { return time.Unix(1, 0) }
	})
	sent, cut := 0, 0
	for range 50 {
		m := ask(t, s, dnswire.Query{Name: s.zone.Name(nonce.Plain), Type: dnswire.TypeA, EDNS: do()})
		if m.Truncated {
			cut++
			continue
		}
		sent += m.Size
	}
	if sent > 1000 || cut < 40 {
		t.Errorf("%d bytes sent, %d answers cut", sent, cut)
	}
	wire, _ := dnswire.Query{Name: s.zone.Name(nonce.Plain), Type: dnswire.TypeA, EDNS: do()}.Pack(5)
	if out := s.respond(wire, netip.MustParseAddrPort(asker), false); len(out) > len(wire) {
		t.Errorf("a cut answer of %d bytes to %d", len(out), len(wire))
	}
	for what, from := range map[string]string{"over TCP": asker, "for another source": "198.51.100.8:1"} {
		out := s.respond(wire, netip.MustParseAddrPort(from), what == "over TCP")
		if m, err := dnswire.Parse(out); err != nil || m.Truncated {
			t.Errorf("%s: cut as well", what)
		}
	}
}

func TestBudgetIsBounded(t *testing.T) {
	b := newBudget(Limits{})
	now := time.Unix(1, 0)
	addr := netip.MustParseAddr("10.0.0.0")
	for range 3 * maxSources {
		b.take(addr, 1, now)
		addr = addr.Next()
	}
	if len(b.sources) > maxSources {
		t.Errorf("%d sources remembered", len(b.sources))
	}
}

func TestJournalForgetsTheOldest(t *testing.T) {
	var out bytes.Buffer
	s := start(t, func(o *Options) { o.Remember, o.Log = 3, &out })
	var names []string
	for range 5 {
		names = append(names, s.zone.Name(nonce.Plain))
		ask(t, s, dnswire.Query{Name: names[len(names)-1], Type: dnswire.TypeA})
	}
	if len(s.Seen(names[1])) != 0 || len(s.Seen(names[4])) != 1 || len(s.Seen("probe")) != 3 {
		t.Error("the journal does not hold the last three")
	}
	if seen := s.Seen("probe"); seen[0].Name != names[2] || seen[2].Name != names[4] {
		t.Errorf("order: %v", seen)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var line struct{ Name, Source, Rcode string }
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil || len(lines) != 5 || line.Name != names[0] || line.Source != "198.51.100.7" {
		t.Errorf("log %q: %v", lines, err)
	}
}

func TestKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.pem")
	made, err := LoadKey(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if again, err := LoadKey(file); err != nil || !again.Equal(made) {
		t.Errorf("read back: %v", err)
	}
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(file); err == nil {
		t.Error("nonsense accepted")
	}
}

func TestDelegation(t *testing.T) {
	var text []string
	for _, rr := range start(t, nil).Delegation() {
		text = append(text, strings.Join(strings.Fields(rr.String()), " "))
	}
	want := []string{
		"probe.test. 3600 IN NS ns.probe.test.", "ns.probe.test. 3600 IN A 192.0.2.11",
		"ns.probe.test. 3600 IN AAAA 2001:db8::11", "probe.test. 3600 IN DS ",
	}
	for i, w := range want {
		if i >= len(text) || !strings.HasPrefix(text[i], w) {
			t.Errorf("delegation %q, want %q", text, want)
		}
	}
}

func FuzzRespond(f *testing.F) {
	s := start(f, nil)
	for _, q := range []dnswire.Query{
		{Name: "probe.test", Type: dnswire.TypeSOA, EDNS: do()},
		{Name: "aaaaaaaaaaaaa.who.probe.test", Type: dnswire.TypeTXT, EDNS: do()},
		{Name: `\000.probe.test`, Type: dnswire.TypeA, EDNS: do()},
	} {
		wire, err := q.Pack(1)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire, false)
	}
	f.Fuzz(func(t *testing.T, wire []byte, stream bool) {
		if len(wire) > maxQuery {
			return
		}
		out := s.respond(wire, netip.MustParseAddrPort(asker), stream)
		if out == nil {
			return
		}
		if len(out) < headerLen || out[0] != wire[0] || out[1] != wire[1] || out[2]&0x80 == 0 {
			t.Errorf("% x is no answer to % x", out, wire)
		}
		if !stream && len(out) > ednsUDP {
			t.Errorf("%d bytes over UDP", len(out))
		}
	})
}
