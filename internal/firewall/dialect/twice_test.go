package dialect_test

import (
	"strings"
	"testing"
)

// A chain in two files is one in the kernel; which rules it has then, the files
// do not tell.
func TestTwice(t *testing.T) {
	const old = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
	more := "table inet filter {\n chain input {\n  tcp dport 80 accept\n }\n}\n"
	tests := []struct {
		name, files string
		texts       []string
		again       bool
	}{
		{"nft adds to a chain", "a b", []string{table, more}, true},
		{"nft twice", "a b", []string{table, table}, true},
		{"other tables", "a b", []string{table, strings.ReplaceAll(more, "filter", "other")}, false},
		{"both families", "a b.v6", []string{old, old}, false},
		{"both flavours", "a b", []string{save4, old}, false},
		{"one flavour", "a b", []string{old, old}, true},
		{"nft and iptables", "a b c", []string{table, save4, save6}, false},
	}
	for _, tt := range tests {
		r, err := load(t, tt.files, tt.texts...)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := len(r.Unparsed) > 0 && strings.Contains(r.Unparsed[0].Why, "a has a chain of this name, too"); got != tt.again {
			t.Errorf("%s: %+v", tt.name, r.Unparsed)
		}
	}
}

func TestFamilyIsAssumedAloud(t *testing.T) {
	r, err := load(t, "rules", plain)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Assumed) != 1 || !strings.Contains(r.Assumed[0], "rules is taken as rules for IPv4") {
		t.Errorf("assumed %q", r.Assumed)
	}
}
