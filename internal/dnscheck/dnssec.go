package dnscheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

func dnssecChecks() []Check {
	return []Check{{
		ID:    "SEC-3",
		Title: "Weak, broken or expiring DNSSEC",
		Finds: "Signed zones with SHA-1, MD5, DSA or GOST keys, RSA below 2048 bits, NSEC3 with iterations, signatures over SOA and DNSKEY that are expired, not yet valid, about to expire or wrong. The signatures are verified.",
		Why:   "Validating resolvers answer SERVFAIL for a zone whose signatures are expired or wrong: it is down for most users. Weak keys can be computed by others, who then sign what they like.",

		Severity:  exposure.MediumSev,
		Rationale: "Medium: weak algorithms and short keys. High: no valid signature, the zone fails validation now, or RSA below 1024 bits. Low: only NSEC3 iterations up to 100, or less than three days left.",
		Safety:    Safe,
		Fixes:     dnssecFixes(),
		References: []exposure.Reference{
			rfc("8624", "3", "algorithms to use and not to use"), rfc("9905", "", "SHA-1 is deprecated in DNSSEC"),
			rfc("9276", "3.1", "NSEC3: no iterations, no salt"), rfc("4035", "5.3", "validity of a signature"), rfc("6781", "3.4.2", "key sizes"),
		},
		Run: func(ctx context.Context, s *Session) []Outcome {
			return s.eachZone(ctx, func(z Zone) Outcome {
				m := s.signing(ctx, z)
				return judgeSigning(m, z, time.Now())
			})
		},
	}}
}

// signing is what a zone shows of its signatures.
type signing struct {
	keys, soa, absent dialogue.Answer
}

func (s *Session) signing(ctx context.Context, z Zone) signing {
	var m signing
	var wg sync.WaitGroup
	via := s.content()
	wg.Go(func() { m.keys = s.Ask(ctx, via, signedQuery(z.Name, dnswire.TypeDNSKEY)) })
	wg.Go(func() { m.soa = s.Ask(ctx, via, signedQuery(z.Name, dnswire.TypeSOA)) })
	wg.Go(func() { m.absent = s.askAbsent(ctx, z) })
	wg.Wait()
	return m
}

// flaw is one thing wrong, with its weight.
type flaw struct {
	severity exposure.Severity
	text     string
}

func judgeSigning(m signing, z Zone, now time.Time) Outcome {
	for _, a := range []dialogue.Answer{m.keys, m.soa} {
		switch {
		case a.Msg == nil:
			return notTested(a.Via, silence("a question for the zone's keys", a))
		case a.Msg.Truncated:
			return notTested(a.Via, "the zone's keys were cut short and TCP is not spoken")
		case a.Msg.Malformed != nil, !a.Is(dnswire.RcodeNoError):
			return notTested(a.Via, "the answer proves neither: "+a.Msg.Summary())
		}
	}
	via := m.keys.Via
	keys := dnswire.ZoneKeys(m.keys.Msg.Answer, z.Name)
	if len(keys) == 0 {
		return notTested(via, "does not apply: "+z.Name+" is not signed")
	}
	flaws := slices.Concat(keyFlaws(keys), iterationFlaws(m.absent.Msg),
		signatureFlaws(m.keys.Msg, z.Name, dnswire.TypeDNSKEY, keys, now),
		signatureFlaws(m.soa.Msg, z.Name, dnswire.TypeSOA, keys, now))
	if m.absent.Msg != nil {
		flaws = append(flaws, digestFlaws(slices.Concat(m.keys.Msg.Answer, m.soa.Msg.Ns, m.absent.Msg.Ns))...)
	}
	if len(flaws) == 0 {
		return pass(via, "signatures over DNSKEY and SOA verify, "+strings.Join(algorithms(keys), ", "))
	}
	slices.SortStableFunc(flaws, func(a, b flaw) int { return a.severity.Compare(b.severity) })
	texts := make([]string, len(flaws))
	for i, f := range flaws {
		texts[i] = f.text
	}
	o := fail(via, strings.Join(slices.Compact(texts), "; "), m.keys.Evidence(""), m.soa.Evidence(""))
	o.Severity = flaws[0].severity
	if strings.Contains(o.Reason, "iterations") {
		o.Evidence = append(o.Evidence, m.absent.Evidence(""))
	}
	return o
}

func algorithms(keys []*dnswire.DNSKEY) []string {
	var out []string
	for _, k := range keys {
		name := dnswire.AlgorithmName(k.Algorithm)
		if n := dnswire.RSABits(k); n > 0 {
			name = fmt.Sprintf("%s with %d bits", name, n)
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func keyFlaws(keys []*dnswire.DNSKEY) []flaw {
	const goodRSA, brokenRSA = 2048, 1024
	var out []flaw
	for _, k := range keys {
		name := fmt.Sprintf("key %d", k.KeyTag())
		switch k.Algorithm {
		case dnswire.AlgorithmRSASHA1, dnswire.AlgorithmRSASHA1NSEC3:
			out = append(out, flaw{exposure.MediumSev, name + " uses SHA-1 (" + dnswire.AlgorithmName(k.Algorithm) + ")"})
		case dnswire.AlgorithmRSAMD5, dnswire.AlgorithmDSA, dnswire.AlgorithmDSANSEC3, dnswire.AlgorithmECCGOST:
			out = append(out, flaw{exposure.MediumSev, name + " uses " + dnswire.AlgorithmName(k.Algorithm) + ", which validators no longer support"})
		}
		if bits := dnswire.RSABits(k); bits > 0 && bits < goodRSA {
			f := flaw{exposure.MediumSev, fmt.Sprintf("%s has %d bits of RSA, 2048 are needed", name, bits)}
			if bits < brokenRSA {
				f.severity = exposure.HighSev
			}
			out = append(out, f)
		}
	}
	return out
}

// iterationFlaws reads the NSEC3 parameters from a denial; nil finds nothing.
func iterationFlaws(denial *dnswire.Message) []flaw {
	if denial == nil {
		return nil
	}
	const refusedByMany = 100 // RFC 9276 section 3.2 and the limits of validators
	for _, rr := range denial.Ns {
		n, ok := rr.(*dnswire.NSEC3)
		if !ok || n.Iterations == 0 {
			continue
		}
		f := flaw{exposure.LowSev, fmt.Sprintf("NSEC3 has %d extra iterations, 0 is right", n.Iterations)}
		if n.Iterations > refusedByMany {
			f.severity = exposure.MediumSev
		}
		return []flaw{f}
	}
	return nil
}

func digestFlaws(seen []dnswire.RR) []flaw {
	for _, rr := range seen {
		if ds, ok := rr.(*dnswire.DS); ok && ds.DigestType == dnswire.DigestSHA1 {
			return []flaw{{exposure.MediumSev, fmt.Sprintf("DS of %s has a SHA-1 digest", ds.Hdr.Name)}}
		}
	}
	return nil
}

// signatureFlaws verifies the signatures over one RRset of the apex. One good
// signature is enough for a validator; the others are then not counted.
func signatureFlaws(m *dnswire.Message, zone string, rrtype uint16, keys []*dnswire.DNSKEY, now time.Time) []flaw {
	const soon = 3 * 24 * time.Hour
	what := dnswire.TypeName(rrtype)
	sigs := dnswire.Signatures(m.Answer, zone, rrtype)
	if len(sigs) == 0 {
		return []flaw{{exposure.HighSev, what + " is not signed"}}
	}
	rrset := dnswire.RRset(m.Answer, zone, rrtype)
	var best time.Duration
	good := false
	var wrong []string
	for _, sig := range sigs {
		from, until := dnswire.Validity(sig, now)
		if err := dnswire.Verify(sig, rrset, keys); err != nil {
			wrong = append(wrong, "the signature over "+what+" is wrong: "+err.Error())
			continue
		}
		switch {
		case now.After(until):
			wrong = append(wrong, "the signature over "+what+" expired on "+until.UTC().Format(time.DateOnly))
		case now.Before(from):
			wrong = append(wrong, "the signature over "+what+" is not valid before "+from.UTC().Format(time.DateTime)+" UTC")
		default:
			good = true
			best = max(best, until.Sub(now))
		}
	}
	switch {
	case !good:
		return []flaw{{exposure.HighSev, strings.Join(wrong, "; ")}}
	case best < soon:
		return []flaw{{exposure.LowSev, fmt.Sprintf("the signature over %s expires in %d hours", what, int(best.Hours()))}}
	}
	return nil
}

func dnssecFixes() Fixes {
	return Fixes{
		"":                  advice("Sign with ECDSA P-256 (13) or Ed25519 (15), NSEC or NSEC3 with 0 iterations and no salt, and let the server renew signatures by itself; when the key changes, change the DS at the registrar."),
		exposure.BIND:       configure(exposure.BIND, "Let BIND keep keys and signatures. Changing the policy rolls the keys; watch the DS with rndc dnssec -status.", "dnssec-policy \"modern\" {\n    keys { csk lifetime unlimited algorithm ecdsap256sha256; };\n    nsec3param iterations 0 optout no salt-length 0;\n};\nzone \"example.net\" {\n    dnssec-policy \"modern\";\n    inline-signing yes;\n};"),
		exposure.Knot:       configure(exposure.Knot, "Let Knot keep keys and signatures.", "policy:\n  - id: modern\n    algorithm: ecdsap256sha256\n    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\nzone:\n  - domain: example.net\n    dnssec-signing: on\n    dnssec-policy: modern"),
		exposure.NSD:        configure(exposure.NSD, "NSD serves what the signer made: sign anew, and by a timer before the signatures expire.", "ldns-keygen -a ECDSAP256SHA256 -k example.net\nldns-signzone -n -t 0 -s - example.net.zone Kexample.net.+013+12345\nnsd-control reload example.net"),
		exposure.PDNSAuth:   configure(exposure.PDNSAuth, "PowerDNS signs live, so expired signatures come from presigned zones; change the key and NSEC3 like this.", "pdnsutil add-zone-key example.net csk active ecdsa256\npdnsutil set-nsec3 example.net '1 0 0 -'\npdnsutil rectify-zone example.net\npdnsutil show-zone example.net   # new DS for the registrar, then deactivate the old key"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Sign again with modern parameters.", "Add-DnsServerSigningKey -ZoneName example.net -CryptoAlgorithm ECDsaP256Sha256\nSet-DnsServerDnsSecZoneSetting -ZoneName example.net -DenialOfExistence NSec3 -NSec3Iterations 0\nInvoke-DnsServerZoneSign -ZoneName example.net -DoResign"),
		exposure.CoreDNS:    configure(exposure.CoreDNS, "Sign live with a modern key.", "example.net {\n    dnssec {\n        key file /etc/coredns/Kexample.net.+013+12345\n    }\n    file /etc/coredns/example.net.zone\n}"),
	}
}
