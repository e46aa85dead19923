package dial

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"reconshield/internal/exposure"
)

// extended builds a control message as the kernel would.
func extended(origin, kind, code byte, offender netip.Addr) []byte {
	b := make([]byte, extendedErrLen)
	b[4], b[5], b[6] = origin, kind, code
	switch {
	case offender.Is4():
		b = binary.NativeEndian.AppendUint16(b, familyIPv4)
		b = append(append(b, 0, 0), offender.AsSlice()...)
		return append(b, make([]byte, 8)...)
	case offender.Is6():
		b = binary.NativeEndian.AppendUint16(b, familyIPv6)
		b = append(append(b, make([]byte, 6)...), offender.AsSlice()...)
		return append(b, make([]byte, 4)...)
	}
	return b
}

func TestParseExtendedError(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	tests := []struct {
		name               string
		origin, kind, code byte
		offender           netip.Addr
		want               exposure.Reason
	}{
		{"network", originICMP, 3, 0, v4, exposure.ReasonNetUnreachable},
		{"host", originICMP, 3, 1, v4, exposure.ReasonHostUnreachable},
		{"protocol", originICMP, 3, 2, v4, exposure.ReasonProtoUnreach},
		{"port", originICMP, 3, 3, v4, exposure.ReasonPortUnreachable},
		{"fragmentation needed says nothing", originICMP, 3, 4, v4, ""},
		{"network prohibited", originICMP, 3, 9, v4, exposure.ReasonAdminProhibited},
		{"host prohibited", originICMP, 3, 10, v4, exposure.ReasonAdminProhibited},
		{"prohibited", originICMP, 3, 13, v4, exposure.ReasonAdminProhibited},
		{"unknown code", originICMP, 3, 99, v4, ""},
		{"time exceeded", originICMP, 11, 0, v4, exposure.ReasonTimeExceeded},
		{"parameter problem", originICMP, 12, 0, v4, ""},
		{"v6 no route", originICMP6, 1, 0, v6, exposure.ReasonNetUnreachable},
		{"v6 prohibited", originICMP6, 1, 1, v6, exposure.ReasonAdminProhibited},
		{"v6 address", originICMP6, 1, 3, v6, exposure.ReasonHostUnreachable},
		{"v6 port", originICMP6, 1, 4, v6, exposure.ReasonPortUnreachable},
		{"v6 source policy", originICMP6, 1, 5, v6, exposure.ReasonAdminProhibited},
		{"v6 reject route", originICMP6, 1, 6, v6, exposure.ReasonAdminProhibited},
		{"v6 too big says nothing", originICMP6, 2, 0, v6, ""},
		{"v6 time exceeded", originICMP6, 3, 0, v6, exposure.ReasonTimeExceeded},
		{"v6 next header", originICMP6, 4, 1, v6, exposure.ReasonProtoUnreach},
		{"of this host, no ICMP", 1, 3, 3, v4, ""},
		{"without offender", originICMP, 3, 3, netip.Addr{}, exposure.ReasonPortUnreachable},
	}
	for _, tt := range tests {
		got, ok := parseExtendedError(extended(tt.origin, tt.kind, tt.code, tt.offender))
		if ok != (tt.want != "") || got.reason != tt.want || ok && got.offender != tt.offender {
			t.Errorf("%s: got %q from %v", tt.name, got.reason, got.offender)
		}
	}
}

func TestConcerns(t *testing.T) {
	server := netip.MustParseAddrPort("192.0.2.1:53")
	payload := []byte("0123456789abcdef")
	tests := []struct {
		name   string
		dest   string
		quoted string
		want   bool
	}{
		{"only the UDP header is quoted", "192.0.2.1:53", "", true},
		{"all is quoted", "192.0.2.1:53", "0123456789abcdef", true},
		{"padding behind", "192.0.2.1:53", "0123456789abcdef\x00\x00\x00", true},
		{"another payload", "192.0.2.1:53", "x123456789abcdef", false},
		{"another port", "192.0.2.1:54", "0123456789abcdef", false},
		{"another host", "192.0.2.2:53", "0123456789abcdef", false},
	}
	for _, tt := range tests {
		e := icmpError{dest: netip.MustParseAddrPort(tt.dest), quoted: []byte(tt.quoted)}
		if got := e.concerns(server, payload); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func FuzzExtendedError(f *testing.F) {
	f.Add(extended(originICMP, 3, 3, netip.MustParseAddr("192.0.2.1")))
	f.Add(extended(originICMP6, 1, 4, netip.MustParseAddr("2001:db8::1")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := parseExtendedError(b)
		if ok == (e.reason == "") {
			t.Errorf("ok %v with reason %q", ok, e.reason)
		}
		if ok && len(b) < extendedErrLen {
			t.Errorf("an error read from %d bytes", len(b))
		}
	})
}
