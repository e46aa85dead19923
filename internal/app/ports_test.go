package app

import "testing"

func TestParsePorts(t *testing.T) {
	tests := []struct{ in, want, fault string }{
		{"53", "T:53,U:53", ""},
		{"domain", "T:53,U:53", ""},
		{"T:ssh", "T:22", ""},
		{"ssh,https", "T:22,443,U:443", ""},
		{"domain-s", "T:853,U:853", ""},
		{"U:domain-s", "U:853", ""},
		{"ms-wbt-server/tcp", "T:3389", ""},
		{"http-alt", "T:591,8008,8080,U:591,8008,8080", ""},
		{"ircu", "T:6665-6669", ""},
		{"whois", "T:43", ""},
		{"T:gopher,finger", "T:70,79,U:79", ""},
		{"htps", "", `ports "htps": not a port, a range, a group (dns, top100, all) or a known service; did you mean https or ftps?`},
		{"53,T:postgress", "", `ports "t:postgress": not a port, a range, a group (dns, top100, all) or a known service; did you mean postgres or postgresql?`},
		{"qqqqzzzz", "", `ports "qqqqzzzz": not a port, a range, a group (dns, top100, all) or a known service`},
		{"1-2-3", "", `ports "1-2-3": not a port, a range, a group (dns, top100, all) or a known service`},
		{"U:ircu", "", `ports "u:ircu": ircu has no port over that transport; its ports are T:6665-6669`},
		{"65536", "", `ports "65536": port 65536 is over 65535`},
	}
	for _, tt := range tests {
		set, err := ParsePorts(tt.in)
		if tt.fault == "" && (err != nil || set.String() != tt.want) {
			t.Errorf("%s: %s, %v, want %s", tt.in, set, err, tt.want)
		}
		if tt.fault != "" && (err == nil || err.Error() != tt.fault) {
			t.Errorf("%s: %s, error %v, want %s", tt.in, set, err, tt.fault)
		}
	}
}
