package dnswire

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// DNSSEC algorithm and digest numbers that are no longer to be used for
// signing (RFC 8624 section 3, RFC 9905).
const (
	AlgorithmRSAMD5        = dns.RSAMD5
	AlgorithmDSA           = dns.DSA
	AlgorithmRSASHA1       = dns.RSASHA1
	AlgorithmDSANSEC3      = dns.DSANSEC3SHA1
	AlgorithmRSASHA1NSEC3  = dns.RSASHA1NSEC3SHA1
	AlgorithmRSASHA256     = dns.RSASHA256
	AlgorithmRSASHA512     = dns.RSASHA512
	AlgorithmECCGOST       = dns.ECCGOST
	DigestSHA1             = dns.SHA1
	flagZoneKey, flagRevok = dns.ZONE, dns.REVOKE
)

// AlgorithmName is "RSASHA1", "ALGORITHM99".
func AlgorithmName(a uint8) string {
	if s, ok := dns.AlgorithmToString[a]; ok {
		return s
	}
	return "ALGORITHM" + itoa(int(a))
}

// RRset gives the records of the section with the owner and type.
func RRset(section []RR, owner string, rrtype uint16) []RR {
	var out []RR
	for _, rr := range section {
		if rr.Header().Rrtype == rrtype && strings.EqualFold(rr.Header().Name, owner) {
			out = append(out, rr)
		}
	}
	return out
}

// Signatures gives the RRSIG records of the section that cover the type at the
// owner.
func Signatures(section []RR, owner string, covered uint16) []*RRSIG {
	var out []*RRSIG
	for _, rr := range RRset(section, owner, TypeRRSIG) {
		if sig, ok := rr.(*dns.RRSIG); ok && sig.TypeCovered == covered {
			out = append(out, sig)
		}
	}
	return out
}

// ZoneKeys gives the keys of the section that may sign the zone: flag ZONE
// set and not revoked (RFC 4034 section 2.1.1, RFC 5011 section 3).
func ZoneKeys(section []RR, zone string) []*DNSKEY {
	var out []*DNSKEY
	for _, rr := range RRset(section, zone, TypeDNSKEY) {
		if k, ok := rr.(*dns.DNSKEY); ok && k.Flags&flagZoneKey != 0 && k.Flags&flagRevok == 0 {
			out = append(out, k)
		}
	}
	return out
}

// Verify checks the signature over the RRset with the keys of the zone: nil
// when one of them made it. Its times are not looked at.
func Verify(sig *RRSIG, rrset []RR, keys []*DNSKEY) error {
	var last error
	for _, k := range keys {
		if k.KeyTag() != sig.KeyTag || k.Algorithm != sig.Algorithm {
			continue
		}
		if last = sig.Verify(k, rrset); last == nil {
			return nil
		}
	}
	if last != nil {
		return fmt.Errorf("signature of key %d: %w", sig.KeyTag, last)
	}
	return fmt.Errorf("no key %d with algorithm %s in the zone", sig.KeyTag, AlgorithmName(sig.Algorithm))
}

// Validity is the time span of a signature. The 32-bit times are serial
// numbers and are read as those nearest to now (RFC 4034 section 3.1.5).
func Validity(sig *RRSIG, now time.Time) (from, until time.Time) {
	near := func(t uint32) time.Time {
		delta := int32(t - uint32(now.Unix())) //nolint:gosec // serial arithmetic wraps by design
		return now.Add(time.Duration(delta) * time.Second).Truncate(time.Second)
	}
	return near(sig.Inception), near(sig.Expiration)
}

// RSABits is the size of an RSA key's modulus in bits (RFC 3110 section 2); 0
// for keys of other algorithms and for malformed keys.
func RSABits(k *DNSKEY) int {
	switch k.Algorithm {
	case dns.RSAMD5, dns.RSASHA1, dns.RSASHA1NSEC3SHA1, dns.RSASHA256, dns.RSASHA512:
	default:
		return 0
	}
	raw, err := base64.StdEncoding.DecodeString(k.PublicKey)
	if err != nil || len(raw) < 3 {
		return 0
	}
	exponent, head := int(raw[0]), 1
	if exponent == 0 {
		exponent, head = int(binary.BigEndian.Uint16(raw[1:])), 3
	}
	if head+exponent >= len(raw) {
		return 0
	}
	modulus := raw[head+exponent:]
	for len(modulus) > 0 && modulus[0] == 0 {
		modulus = modulus[1:]
	}
	if len(modulus) == 0 {
		return 0
	}
	bits := len(modulus) * 8
	for top := modulus[0]; top < 0x80; top <<= 1 {
		bits--
	}
	return bits
}
