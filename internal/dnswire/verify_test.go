package dnswire

import (
	"crypto"
	"crypto/ecdsa"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// signed is an RRset with its key and a signature valid for an hour around now.
func signed(tb testing.TB, alg uint8, bits int, now time.Time) ([]RR, *DNSKEY, *RRSIG) {
	tb.Helper()
	key := &DNSKEY{Hdr: RRHeader{Name: "example.net.", Rrtype: TypeDNSKEY, Class: ClassIN, Ttl: 60}, Flags: FlagsCSK, Protocol: 3, Algorithm: alg}
	private, err := key.Generate(bits)
	if err != nil {
		tb.Fatal(err)
	}
	soa, err := ParseRR("example.net. 60 IN SOA ns. host. 1 2 3 4 5")
	if err != nil {
		tb.Fatal(err)
	}
	rrset := []RR{soa}
	if p, ok := private.(*ecdsa.PrivateKey); ok {
		sig, err := Sign(rrset, key, p, now.Add(-time.Hour), now.Add(time.Hour))
		if err != nil {
			tb.Fatal(err)
		}
		return rrset, key, sig
	}
	sig := &RRSIG{
		Hdr: RRHeader{Ttl: 60}, Algorithm: alg, KeyTag: key.KeyTag(), SignerName: "example.net.",
		Inception: uint32(now.Add(-time.Hour).Unix()), Expiration: uint32(now.Add(time.Hour).Unix()),
	} //nolint:gosec // a date of this century
	signer, ok := private.(crypto.Signer)
	if !ok {
		tb.Fatalf("%T does not sign", private)
	}
	if err := sig.Sign(signer, rrset); err != nil {
		tb.Fatal(err)
	}
	return rrset, key, sig
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		name string
		alg  uint8
		bits int
		spot func(rrset []RR, key *DNSKEY, sig *RRSIG)
		ok   bool
	}{
		{"ECDSA", AlgorithmECDSA, 256, nil, true},
		{"Ed25519", dns.ED25519, 256, nil, true},
		{"RSA-1024 SHA-1", AlgorithmRSASHA1, 1024, nil, true},
		{"other data", AlgorithmECDSA, 256, func(rrset []RR, _ *DNSKEY, _ *RRSIG) { rrset[0].(*SOA).Serial++ }, false},
		{"spoilt", AlgorithmECDSA, 256, func(_ []RR, _ *DNSKEY, sig *RRSIG) { _ = Spoil(sig) }, false},
		{"other key", AlgorithmECDSA, 256, func(_ []RR, key *DNSKEY, _ *RRSIG) { key.Flags = dns.ZONE }, false},
		{"other signer", AlgorithmECDSA, 256, func(_ []RR, _ *DNSKEY, sig *RRSIG) { sig.SignerName = "example.org." }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rrset, key, sig := signed(t, tt.alg, tt.bits, now)
			if tt.spot != nil {
				tt.spot(rrset, key, sig)
			}
			if err := Verify(sig, rrset, []*DNSKEY{key}); (err == nil) != tt.ok {
				t.Errorf("Verify = %v, want ok %v", err, tt.ok)
			}
		})
	}
}

func TestValidity(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		now  time.Time
	}{
		{"this century", time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
		{"over the turn of 2106", time.Date(2106, 2, 7, 6, 28, 0, 0, time.UTC)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sig := &RRSIG{Inception: uint32(tt.now.Unix() - 3600), Expiration: uint32(tt.now.Unix() + 86400)} //nolint:gosec // wraps by design
			from, until := Validity(sig, tt.now)
			if !from.Equal(tt.now.Add(-time.Hour)) || !until.Equal(tt.now.Add(24*time.Hour)) {
				t.Errorf("%v to %v", from, until)
			}
		})
	}
}

func TestRSABits(t *testing.T) {
	t.Parallel()
	_, small, _ := signed(t, AlgorithmRSASHA1, 1024, time.Now())
	for _, tt := range []struct {
		name string
		key  *DNSKEY
		want int
	}{
		{"1024", small, 1024},
		{"not RSA", &DNSKEY{Algorithm: AlgorithmECDSA, PublicKey: small.PublicKey}, 0},
		{"not base64", &DNSKEY{Algorithm: AlgorithmRSASHA256, PublicKey: "?"}, 0},
		{"empty", &DNSKEY{Algorithm: AlgorithmRSASHA256}, 0},
		{"exponent longer than the key", &DNSKEY{Algorithm: AlgorithmRSASHA256, PublicKey: "/wEB"}, 0},
		{"modulus of zeroes", &DNSKEY{Algorithm: AlgorithmRSASHA256, PublicKey: "AQMAAA=="}, 0},
		{"long form of the exponent's length", &DNSKEY{Algorithm: AlgorithmRSASHA256, PublicKey: "AAABAwD/"}, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := RSABits(tt.key); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func FuzzRSABits(f *testing.F) {
	f.Add("AwEAAc==")
	f.Add("AAABAwD/")
	f.Fuzz(func(t *testing.T, key string) {
		if n := RSABits(&DNSKEY{Algorithm: AlgorithmRSASHA256, PublicKey: key}); n < 0 || n > 8*len(key) {
			t.Fatalf("%d bits in %q", n, key)
		}
	})
}
