package dnscheck

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
)

// signedZone is a zone signed with one P-256 key.
type signedZone struct {
	key     *dnswire.DNSKEY
	private *ecdsa.PrivateKey
}

func newSignedZone(tb testing.TB) signedZone {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := dnswire.NewDNSKEY("example.test.", 300, &private.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	return signedZone{key, private}
}

// answer is the records with a signature of the given times; the given span
// may be empty for none.
func (z signedZone) answer(tb testing.TB, rrtype uint16, rrset []dnswire.RR, from, until time.Time, spoil bool) dialogue.Answer {
	tb.Helper()
	sig, err := dnswire.Sign(rrset, z.key, z.private, from, until)
	if err != nil {
		tb.Fatal(err)
	}
	if spoil {
		if err := dnswire.Spoil(sig); err != nil {
			tb.Fatal(err)
		}
	}
	a := answerTo(tb, signedQuery("example.test", rrtype), "NOERROR aa")
	a.Msg.Answer = append(slices.Clone(rrset), sig)
	return a
}

func TestJudgeSigning(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	zone := newSignedZone(t)
	z := testZone(t)
	nsec3 := func(iterations int) string {
		return fmt.Sprintf("ns:0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.test. 1 IN NSEC3 1 0 %d - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A", iterations)
	}
	for _, tt := range []struct {
		name        string
		from, until time.Duration
		spoil       bool
		denial      string
		want, says  string
	}{
		{"good", -day, 10 * day, false, "", "pass", "verify"},
		{"good with NSEC3", -day, 10 * day, false, nsec3(0), "pass", "verify"},
		{"iterations", -day, 10 * day, false, nsec3(10), "fail low", "10 extra iterations"},
		{"many iterations", -day, 10 * day, false, nsec3(150), "fail medium", "150 extra iterations"},
		{"expired", -10 * day, -day, false, "", "fail high", "expired on 2026-05-31"},
		{"not yet valid", day, 10 * day, false, "", "fail high", "not valid before 2026-06-02"},
		{"two days left", -day, 2 * day, false, "", "fail low", "expires in 48 hours"},
		{"wrong", -day, 10 * day, true, "", "fail high", "is wrong"},
		{"expired and iterations", -10 * day, -day, false, nsec3(5), "fail high", "expired"},
		{"SHA-1 DS below", -day, 10 * day, false, "ns:sub.example.test. 1 IN DS 1 13 1 da39a3ee5e6b4b0d3255bfef95601890afd80709", "fail medium", "SHA-1 digest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := signing{
				keys:   zone.answer(t, dnswire.TypeDNSKEY, []dnswire.RR{zone.key}, now.Add(tt.from), now.Add(tt.until), tt.spoil),
				soa:    zone.answer(t, dnswire.TypeSOA, []dnswire.RR{z.SOA}, now.Add(tt.from), now.Add(tt.until), tt.spoil),
				absent: answerTo(t, signedQuery("x.example.test", dnswire.TypeA), "NXDOMAIN aa", denials(tt.denial)...),
			}
			o := judgeSigning(m, z, now)
			shows(t, o, tt.want)
			if !strings.Contains(o.Reason, tt.says) {
				t.Errorf("reason %q, want %q in it", o.Reason, tt.says)
			}
		})
	}
}

func denials(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

func TestJudgeSigningWithoutKeys(t *testing.T) {
	t.Parallel()
	zone := newSignedZone(t)
	key := zone.key.String()
	for _, tt := range []struct {
		name, keys string
		records    []string
		soa, want  string
	}{
		{"unsigned", "NOERROR aa", []string{"ns:" + soaText}, "NOERROR aa", "not-tested"},
		{"refused", "REFUSED", nil, "NOERROR aa", "not-tested"},
		{"silence", "-", nil, "NOERROR aa", "not-tested"},
		{"silence to SOA", "NOERROR aa", nil, "-", "not-tested"},
		{"cut short", "NOERROR aa tc", nil, "NOERROR aa", "not-tested"},
		{"key without signature", "NOERROR aa", []string{key}, "NOERROR aa", "fail high"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shows(t, judgeSigning(signing{
				keys: answerTo(t, signedQuery("example.test", dnswire.TypeDNSKEY), tt.keys, tt.records...),
				soa:  answerTo(t, signedQuery("example.test", dnswire.TypeSOA), tt.soa),
			}, testZone(t), time.Now()), tt.want)
		})
	}
}

func TestKeyFlaws(t *testing.T) {
	t.Parallel()
	rsa := func(bytes int) string { // exponent 3, modulus of so many bytes
		raw := append([]byte{1, 3, 0x80}, make([]byte, bytes-1)...)
		return base64Of(raw)
	}
	for _, tt := range []struct {
		name      string
		algorithm uint8
		key       string
		want      []string
	}{
		{"ECDSA", dnswire.AlgorithmECDSA, "AAAA", nil},
		{"RSA 2048", dnswire.AlgorithmRSASHA256, rsa(256), nil},
		{"RSA 1024", dnswire.AlgorithmRSASHA256, rsa(128), []string{"medium"}},
		{"RSA 512", dnswire.AlgorithmRSASHA256, rsa(64), []string{"high"}},
		{"SHA-1", dnswire.AlgorithmRSASHA1, rsa(256), []string{"medium"}},
		{"SHA-1, NSEC3", dnswire.AlgorithmRSASHA1NSEC3, rsa(128), []string{"medium", "medium"}},
		{"MD5", dnswire.AlgorithmRSAMD5, rsa(256), []string{"medium"}},
		{"GOST", dnswire.AlgorithmECCGOST, "AAAA", []string{"medium"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range keyFlaws([]*dnswire.DNSKEY{{Flags: dnswire.FlagsCSK, Protocol: 3, Algorithm: tt.algorithm, PublicKey: tt.key}}) {
				got = append(got, string(f.severity))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
