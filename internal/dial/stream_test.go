package dial_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
)

// readFrame is the server's side of DNS over TCP.
func readFrame(c io.Reader) []byte {
	var n [2]byte
	if _, err := io.ReadFull(c, n[:]); err != nil {
		return nil
	}
	m := make([]byte, binary.BigEndian.Uint16(n[:]))
	if _, err := io.ReadFull(c, m); err != nil {
		return nil
	}
	return m
}

func framed(m []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...) }

func answerFrames(c io.ReadWriter) {
	for m := readFrame(c); m != nil; m = readFrame(c) {
		c.Write(framed(refused(m)))
	}
}

func TestTCPEnds(t *testing.T) {
	tests := []struct {
		name    string
		serve   func(net.Conn)
		timeout time.Duration
		reason  exposure.Reason
		detail  string
	}{
		{"answer", func(c net.Conn) { answerFrames(c) }, long, exposure.ReasonDNSResponse, ""},
		{"answer byte by byte", func(c net.Conn) {
			for _, b := range framed(refused(readFrame(c))) {
				c.Write([]byte{b})
			}
		}, long, exposure.ReasonDNSResponse, ""},
		{"closed at once", func(c net.Conn) { readFrame(c) }, long, exposure.ReasonSynAck, "closed the connection"},
		{"closed within a message", func(c net.Conn) { readFrame(c); c.Write([]byte{0, 12, 1}) }, long, exposure.ReasonSynAck, "within a message"},
		{"empty message", func(c net.Conn) { readFrame(c); c.Write([]byte{0, 0}) }, long, exposure.ReasonSynAck, "empty message"},
		{"silence", func(c net.Conn) { readFrame(c); readFrame(c) }, 2 * short, exposure.ReasonTimeout, "no answer in time"},
		{"a banner of another protocol", func(c net.Conn) { c.Write([]byte("SSH-2.0-x\r\n")); readFrame(c); readFrame(c) }, 2 * short, exposure.ReasonTimeout, ""},
	}
	for _, host := range loopbacks() {
		for _, tt := range tests {
			t.Run(host+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				r := request(serveTCP(t, host, tt.serve), exposure.TCP, tt.timeout)
				got := dial.New(dial.Options{}).Exchange(t.Context(), r)
				if got.Reason != tt.reason || !strings.Contains(got.Detail, tt.detail) || got.Attempts != 1 {
					t.Fatalf("got %s: %q", got.Reason, got.Detail)
				}
				if got.Answered() && (!cmp.Equal(got.Payload, refused(r.Payload)) || got.From != r.Server || got.RTT <= 0) {
					t.Errorf("got %x from %s in %s", got.Payload, got.From, got.RTT)
				}
			})
		}
	}
}

func TestTCPPipeline(t *testing.T) {
	r := request(serveTCP(t, "127.0.0.1", func(c net.Conn) { answerFrames(c) }), exposure.TCP, long)
	r.Pipeline = [][]byte{query(2), query(3)}
	r.Messages = 3
	got := dial.New(dial.Options{}).Exchange(t.Context(), r)
	if len(got.More) != 2 || !cmp.Equal(got.More[1].Payload, refused(query(3))) {
		t.Fatalf("got %s and %d more: %s", got.Reason, len(got.More), got.Detail)
	}
}

func TestTCPFewerMessagesThanWanted(t *testing.T) {
	r := request(serveTCP(t, "127.0.0.1", func(c net.Conn) { c.Write(framed(refused(readFrame(c)))) }), exposure.TCP, long)
	r.Messages = 5
	got := dial.New(dial.Options{}).Exchange(t.Context(), r)
	if !got.Answered() || len(got.More) != 0 || got.Reason != exposure.ReasonDNSResponse || got.Detail == "" {
		t.Fatalf("got %s: %q", got.Reason, got.Detail)
	}
}

func TestTCPClosedPort(t *testing.T) {
	for _, via := range []exposure.Transport{exposure.TCP, exposure.TLS, exposure.HTTPS} {
		got := dial.New(dial.Options{}).Exchange(t.Context(), request(freePort(t, "::1", exposure.TCP), via, long))
		if got.Reason != exposure.ReasonReset || got.Answered() || got.Attempts != 1 {
			t.Errorf("%s: got %s after %d attempts", via, got.Reason, got.Attempts)
		}
	}
}

func TestTCPMessageTooLong(t *testing.T) {
	r := request(serveTCP(t, "127.0.0.1", func(net.Conn) {}), exposure.TCP, long)
	r.Payload = make([]byte, 65536)
	if got := dial.New(dial.Options{}).Exchange(t.Context(), r); got.Reason != exposure.ReasonLocalError {
		t.Errorf("got %s", got.Reason)
	}
}
