package payload_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/payload"
)

// recordedCookie is what the answers in testdata were asked with.
const recordedCookie = 0x0123456789abcdef

// recorded is one line of testdata/answers.txt.
type recorded struct {
	protocol string
	port     uint16
	source   string
	answer   []byte
}

func readRecorded(tb testing.TB) []recorded {
	tb.Helper()
	file, err := os.Open("testdata/answers.txt")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	var all []recorded
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Split(lines.Text(), " | ")
		if len(fields) != 4 {
			tb.Fatalf("%d fields in %q, want 4", len(fields), lines.Text())
		}
		port, err := strconv.ParseUint(fields[1], 10, 16)
		if err != nil {
			tb.Fatal(err)
		}
		answer, err := hex.DecodeString(fields[3])
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, recorded{fields[0], uint16(port), fields[2], answer})
	}
	return all
}

func TestRecordedAnswers(t *testing.T) {
	table := payload.New()
	answered := map[string]bool{}
	for _, r := range readRecorded(t) {
		p := table.For(r.port)
		answered[r.protocol] = true
		if p.Protocol != r.protocol {
			t.Errorf("port %d is %q, recorded as %q", r.port, p.Protocol, r.protocol)
		}
		if !p.Answers(r.answer, recordedCookie) {
			t.Errorf("%s: the answer of %s is not accepted: %x", r.protocol, r.source, r.answer)
		}
		if cut := r.answer[:min(len(r.answer), payload.Captured)]; !p.Answers(cut, recordedCookie) {
			t.Errorf("%s: the answer of %s is not accepted when it is cut", r.protocol, r.source)
		}
		if len(r.answer)*3 > p.Answer*4+16 && p.Answer > 0 {
			t.Errorf("%s: the answer of %s has %d bytes, the table says %d", r.protocol, r.source, len(r.answer), p.Answer)
		}
	}
	for _, p := range table.All() {
		if p.Protocol != "" && !answered[p.Protocol] {
			t.Errorf("%s: no answer is recorded", p.Title)
		}
	}
}

// TestEchoedBits turns the cookie's bits one by one: an answer must fail for
// as many of them as the table claims.
func TestEchoedBits(t *testing.T) {
	table := payload.New()
	most := map[string]int{}
	for _, r := range readRecorded(t) {
		p := table.For(r.port)
		bits := 0
		for bit := range 64 {
			if !p.Answers(r.answer, recordedCookie^1<<bit) {
				bits++
			}
		}
		most[r.protocol] = max(most[r.protocol], bits)
	}
	for _, p := range table.All() {
		if p.Protocol != "" && most[p.Protocol] != p.Echoed {
			t.Errorf("%s: answers prove %d bits of the cookie, the table says %d", p.Title, most[p.Protocol], p.Echoed)
		}
	}
}

// TestReflection: a port that sends our bytes back proves nothing but echo.
func TestReflection(t *testing.T) {
	for _, p := range payload.New().All() {
		for _, cookie := range cookies() {
			question := p.Append(nil, cookie)
			cut := question[:min(len(question), payload.Captured)]
			want := p.Protocol == "echo"
			if p.Answers(question, cookie) != want || p.Answers(cut, cookie) != want {
				t.Errorf("%s: its question sent back with cookie %x: not %t", p.Title, cookie, want)
			}
		}
	}
}

// TestNoiseIsNoAnswer asks every protocol about what belongs to none.
func TestNoiseIsNoAnswer(t *testing.T) {
	// Nothing but readable text and a length tells these.
	formless := []string{"daytime", "qotd", "chargen", "time"}
	for _, p := range payload.New().All() {
		if slices.Contains(formless, p.Protocol) {
			continue
		}
		for name, noise := range map[string][]byte{
			"nothing": nil, "a byte": {0}, "zeros": make([]byte, 1400), "ones": bytes.Repeat([]byte{0xff}, 1400),
			"text": []byte(strings.Repeat("hello, who is there? ", 40)), "http": []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
			"xml": []byte("<?xml version=\"1.0\"?><a>" + strings.Repeat("b", 500) + "</a>"),
		} {
			if p.Answers(noise, recordedCookie) {
				t.Errorf("%s: accepts %s", p.Title, name)
			}
		}
	}
}

// TestForeignAnswers hands every recorded answer to every other protocol.
func TestForeignAnswers(t *testing.T) {
	family := map[string]string{ // these share a format on purpose
		"dns": "names", "mdns": "names", "llmnr": "names", "netbios-ns": "names",
		"rpcbind": "rpc", "nfs": "rpc", "mountd": "rpc", "nlockmgr": "rpc", "wdb": "rpc",
		"gtp-c": "gtp", "gtp-u": "gtp", "pfcp": "gtp",
	}
	formless := []string{"daytime", "qotd", "chargen", "time"}
	answers := readRecorded(t)
	for _, p := range payload.New().All() {
		for _, r := range answers {
			same := p.Protocol == r.protocol || family[p.Protocol] != "" && family[p.Protocol] == family[r.protocol]
			if same || slices.Contains(formless, p.Protocol) {
				continue
			}
			if p.Answers(r.answer, recordedCookie) {
				t.Errorf("%s: accepts the answer of %s", p.Title, r.source)
			}
		}
	}
}

func TestTruncatedAnswers(t *testing.T) {
	table := payload.New()
	short := []string{"daytime", "qotd"} // a character is text
	for _, r := range readRecorded(t) {
		p := table.For(r.port)
		for n := range r.answer {
			if ok := p.Answers(r.answer[:n:n], recordedCookie); ok && n < 4 && !slices.Contains(short, r.protocol) {
				t.Errorf("%s: accepts the first %d bytes of an answer", r.protocol, n)
			}
		}
	}
}

func FuzzAnswers(f *testing.F) {
	table := payload.New()
	for _, r := range readRecorded(f) {
		f.Add(r.answer, uint64(recordedCookie))
	}
	for _, p := range table.All() {
		f.Add(p.Append(nil, recordedCookie), uint64(recordedCookie))
	}
	f.Fuzz(func(t *testing.T, reply []byte, cookie uint64) {
		kept := bytes.Clone(reply)
		for _, p := range table.All() {
			ok := p.Answers(reply, cookie)
			if ok && p.Protocol == "" {
				t.Error("the empty datagram's answer proves nothing")
			}
			if ok && p.Protocol != "echo" && p.MaxSize > 0 && bytes.Equal(reply, p.Append(nil, cookie)) {
				t.Errorf("%s: accepts its own question", p.Title)
			}
		}
		if !bytes.Equal(kept, reply) {
			t.Error("the reply was changed")
		}
	})
}
