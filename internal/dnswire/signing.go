package dnswire

import (
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

// Constants of signed zones.
const (
	// AlgorithmECDSA is ECDSA with P-256 and SHA-256 (RFC 6605 section 2).
	AlgorithmECDSA = dns.ECDSAP256SHA256
	// FlagsCSK marks a zone key that is also the entry point: ZONE and SEP
	// (RFC 4034 section 2.1.1).
	FlagsCSK = dns.ZONE | dns.SEP
	// dnssecProtocol is the only value allowed (RFC 4034 section 2.1.2).
	dnssecProtocol = 3
)

// NewDNSKEY gives the DNSKEY record of a P-256 key that signs the whole zone.
func NewDNSKEY(zone string, ttl uint32, key *ecdsa.PublicKey) (*DNSKEY, error) {
	point, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	const uncompressed, coordinates = 4, 64
	if len(point) != 1+coordinates || point[0] != uncompressed {
		return nil, errors.New("signing key: want an ECDSA key on curve P-256")
	}
	return &DNSKEY{
		Hdr:   RRHeader{Name: zone, Rrtype: TypeDNSKEY, Class: ClassIN, Ttl: ttl},
		Flags: FlagsCSK, Protocol: dnssecProtocol, Algorithm: AlgorithmECDSA,
		// RFC 6605 section 4: the point without the leading octet.
		PublicKey: base64.StdEncoding.EncodeToString(point[1:]),
	}, nil
}

// NewDS is the SHA-256 delegation signer record of a key (RFC 4509).
func NewDS(key *DNSKEY) *DS { return key.ToDS(dns.SHA256) }

// Sign signs one RRset, whose records must share name, type, class and TTL.
// Times are truncated to seconds (RFC 4034 section 3.1.5).
func Sign(rrset []RR, key *DNSKEY, private *ecdsa.PrivateKey, from, until time.Time) (*RRSIG, error) {
	if len(rrset) == 0 {
		return nil, errors.New("sign: empty RRset")
	}
	sig := &RRSIG{
		Hdr:       RRHeader{Ttl: rrset[0].Header().Ttl},
		Algorithm: key.Algorithm, KeyTag: key.KeyTag(), SignerName: CanonicalName(key.Hdr.Name),
		Inception: uint32(from.Unix()), Expiration: uint32(until.Unix()), //nolint:gosec // serial arithmetic wraps by design
	}
	if err := sig.Sign(private, rrset); err != nil {
		return nil, fmt.Errorf("sign %s %s: %w", rrset[0].Header().Name, TypeName(rrset[0].Header().Rrtype), err)
	}
	return sig, nil
}

// Spoil turns a signature into a wrong one of the same length.
func Spoil(sig *RRSIG) error {
	raw, err := base64.StdEncoding.DecodeString(sig.Signature)
	if err != nil || len(raw) == 0 {
		return errors.New("spoil: not a signature")
	}
	raw[len(raw)/2] ^= 0xff
	sig.Signature = base64.StdEncoding.EncodeToString(raw)
	return nil
}
