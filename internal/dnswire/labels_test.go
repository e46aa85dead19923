package dnswire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRawLabels(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
	}{
		{"www.example.net.", []string{"www", "example", "net"}},
		{`a\.b.net.`, []string{"a.b", "net"}},
		{`\000\255.net.`, []string{"\x00\xff", "net"}},
		{`x\\y.net`, []string{`x\y`, "net"}},
		{".", nil},
	} {
		if diff := cmp.Diff(c.want, RawLabels(c.name)); diff != "" {
			t.Errorf("RawLabels(%q): %s", c.name, diff)
		}
	}
}

func FuzzEscapeLabel(f *testing.F) {
	f.Add("www")
	f.Add("\x00.\\\xff")
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) == 0 || len(raw) > 63 {
			return
		}
		name := EscapeLabel(raw) + ".net."
		if got := RawLabels(name); len(got) != 2 || got[0] != raw {
			t.Errorf("RawLabels(%q) = %q, want %q", name, got, raw)
		}
	})
}

func TestSignAndSpoil(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewDNSKEY("probe.test.", 60, &private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	rr, err := ParseRR("A.probe.test. 60 IN A 192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sig, err := Sign([]RR{rr}, key, private, now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := sig.Verify(key, []RR{rr}); err != nil {
		t.Errorf("fresh signature: %v", err)
	}
	if err := Spoil(sig); err != nil {
		t.Fatal(err)
	}
	if sig.Verify(key, []RR{rr}) == nil {
		t.Error("a spoilt signature verifies")
	}
	if ds := NewDS(key); ds.KeyTag != key.KeyTag() || len(ds.Digest) != 64 {
		t.Errorf("DS = %v", ds)
	}
}
