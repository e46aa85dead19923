package dnswire

import "testing"

func TestNSID(t *testing.T) {
	for _, c := range []struct{ hex, want string }{
		{"6e7331", "ns1"}, {"", ""}, {"00ff", "00ff"}, {"6e0a", "6e0a"}, {"zz", "zz"},
	} {
		m := &Message{}
		m.Extra = []RR{&OPT{Hdr: RRHeader{Name: ".", Rrtype: TypeOPT}, Option: []Option{&NSID{Code: OptionNSID, Nsid: c.hex}}}}
		if got := m.NSID(); got != c.want {
			t.Errorf("NSID %q = %q, want %q", c.hex, got, c.want)
		}
	}
	if got := (&Message{}).NSID(); got != "" {
		t.Errorf("no OPT gives %q", got)
	}
}
