package identify

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
	"testing"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/intel/recog"
)

type responder func(payload []byte) []byte

func (f responder) Exchange(_ context.Context, r exchange.Request) exchange.Reply {
	b := f(r.Payload)
	if b == nil || !r.Accept(b) {
		return exchange.Reply{Reason: exposure.ReasonTimeout}
	}
	return exchange.Reply{Payload: b, From: r.Server, Reason: exposure.ReasonUDPResponse}
}

func answerDNS(q []byte) []byte {
	if len(q) > 100 || len(q) < 17 || q[0] == vpnClientReset && len(q) == 14 {
		return nil
	}
	b := bytes.Clone(q)
	b[2] |= 0x80
	return b
}

func answerVPN(q []byte) []byte {
	if len(q) != 14 || q[0] != vpnClientReset {
		return nil
	}
	b := append([]byte{vpnServerReset}, "12345678"...)
	b = append(b, 1, 0, 0, 0, 0)
	b = append(b, q[1:9]...)
	return append(b, 0, 0, 0, 0)
}

func answerQUIC(q []byte) []byte {
	if len(q) != quicInitial {
		return nil
	}
	b := append([]byte{0x80, 0, 0, 0, 0, quicID}, q[15:23]...)
	b = append(append(b, quicID), q[6:14]...)
	b = binary.BigEndian.AppendUint32(b, 1)
	return binary.BigEndian.AppendUint32(b, 0xdeadbeef)
}

func TestUDP(t *testing.T) {
	for _, c := range []struct {
		name     string
		answer   responder
		port     uint16
		protocol string
	}{
		{"dns", answerDNS, 53, DNS},
		{"mdns", answerDNS, 5353, "mdns"},
		{"openvpn", answerVPN, 53, OpenVPN},
		{"quic", answerQUIC, 53, QUIC},
		{"silence", func([]byte) []byte { return nil }, 53, Unknown},
		{"echo", func(q []byte) []byte { return q }, 53, Unknown},
		{"another's reset", func([]byte) []byte { return answerVPN(make([]byte, 14)) }, 53, Unknown},
	} {
		i := New(nil, c.answer, recog.New(), quick())
		for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
			s := i.UDP(t.Context(), exposure.Target{Addr: netip.MustParseAddr(addr), Transport: exposure.UDP, Port: c.port})
			if s.Protocol != c.protocol || s.How == "" {
				t.Errorf("%s: %+v", c.name, s)
			}
		}
	}
}

func TestQUICVersions(t *testing.T) {
	to, from := []byte("12345678"), []byte("abcdefgh")
	good := answerQUIC(append(append(append([]byte{0xc0, 0, 0, 0, 0, 8}, to...), append([]byte{8}, from...)...), make([]byte, quicInitial-23)...))
	if v, ok := quicVersions(good, to, from); !ok || len(v) != 2 || versionName(v[0]) != "1" || versionName(v[1]) != "0xdeadbeef" {
		t.Errorf("%v %v", v, ok)
	}
	for n := range good {
		if v, ok := quicVersions(good[:n], to, from); ok && len(v) > 1 {
			t.Errorf("cut at %d: %v", n, v)
		}
	}
	if _, ok := quicVersions(good, from, to); ok {
		t.Error("connection ids that are not ours were accepted")
	}
}

func FuzzDatagrams(f *testing.F) {
	f.Add([]byte{vpnServerReset, 0, 0, 0, 0, 0, 0, 0, 0, 255})
	f.Add([]byte{0x80, 0, 0, 0, 0, 8})
	f.Fuzz(func(_ *testing.T, b []byte) {
		vpnAnswers(b, []byte("12345678"))
		quicVersions(b, []byte("12345678"), []byte("abcdefgh"))
	})
}
