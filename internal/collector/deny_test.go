package collector

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/dnswire"
	"reconshield/internal/nonce"
)

// compare is the canonical order of names (RFC 4034 section 6.1).
func compare(a, b string) int {
	la, lb := dnswire.RawLabels(dnswire.CanonicalName(a)), dnswire.RawLabels(dnswire.CanonicalName(b))
	slices.Reverse(la)
	slices.Reverse(lb)
	return slices.Compare(la, lb)
}

func covers(rr dnswire.RR, name string) bool {
	n, ok := rr.(*dnswire.NSEC)
	return ok && compare(n.Hdr.Name, name) < 0 && compare(name, n.NextDomain) < 0
}

func TestDenialCoversTheNameAndItsWildcard(t *testing.T) {
	s := start(t, nil)
	missing := s.zone.Name(nonce.Missing)
	existing := []string{"probe.test.", "ns.probe.test.", s.zone.Name(nonce.Plain), s.zone.Name(nonce.Who)}
	for _, k := range nonce.Kinds() {
		existing = append(existing, string(k)+".probe.test.")
	}
	for _, c := range []struct{ name, wildcard string }{
		{missing, "*.nx.probe.test."},
		{"www." + missing, "*.nx.probe.test."},
		{"x.probe.test.", "*.probe.test."},
		{"*.probe.test.", "*.probe.test."},
		{`\255.probe.test.`, "*.probe.test."},
		{`\091.probe.test.`, "*.probe.test."},
		{`\046.a.probe.test.`, "*.a.probe.test."},
		{"0.probe.test.", "*.probe.test."},
		{"a-.probe.test.", "*.probe.test."},
		{strings.Repeat("m", 63) + ".probe.test.", "*.probe.test."},
		{strings.Repeat("q", 63) + ".who.probe.test.", "*.who.probe.test."},
		{"deep.er." + existing[2], "*." + existing[2]},
	} {
		m := ask(t, s, dnswire.Query{Name: c.name, Type: dnswire.TypeA, EDNS: do()})
		if m.Rcode != dnswire.RcodeNXDomain {
			t.Errorf("%s: %s", c.name, m.Summary())
			continue
		}
		for _, name := range []string{c.name, c.wildcard} {
			if !slices.ContainsFunc(m.Ns, func(rr dnswire.RR) bool { return covers(rr, name) }) {
				t.Errorf("%s: nothing covers %s: %v", c.name, name, m.Ns)
			}
		}
		for _, name := range existing {
			if i := slices.IndexFunc(m.Ns, func(rr dnswire.RR) bool { return covers(rr, name) }); i >= 0 {
				t.Errorf("%s: %v denies %s, which exists", c.name, m.Ns[i], name)
			}
		}
	}
}

func TestSignatures(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct {
		name  string
		qtype uint16
		valid bool
	}{
		{s.zone.Name(nonce.Plain), dnswire.TypeA, true},
		{strings.ToUpper(s.zone.Name(nonce.Plain)), dnswire.TypeAAAA, true},
		{s.zone.Name(nonce.Who), dnswire.TypeTXT, true},
		{s.zone.Name(nonce.Bogus), dnswire.TypeA, false},
		{s.zone.Name(nonce.Bogus), dnswire.TypeAAAA, false},
		{s.zone.Name(nonce.Private10), dnswire.TypeA, true},
		{"probe.test", dnswire.TypeDNSKEY, true},
		{"probe.test", dnswire.TypeSOA, true},
		{s.zone.Name(nonce.Plain), dnswire.TypeNSEC, true},
		{s.zone.Name(nonce.Missing), dnswire.TypeA, true},
		{s.zone.Name(nonce.Plain), dnswire.TypeMX, true},
		{s.zone.Name(nonce.Bogus), dnswire.TypeMX, true},
	} {
		m := ask(t, s, dnswire.Query{Name: c.name, Type: c.qtype, EDNS: do()})
		sets, err := verify(s, slices.Concat(m.Answer, m.Ns))
		if (err == nil) != c.valid || sets == 0 {
			t.Errorf("%s %s: %d sets, %v, want valid %t", c.name, dnswire.TypeName(c.qtype), sets, err, c.valid)
		}
	}
}

// verify checks the signature of every RRset and counts them.
func verify(s *Server, section []dnswire.RR) (sets int, err error) {
	groups := map[string][]dnswire.RR{}
	sigs := map[string]*dnswire.RRSIG{}
	for _, rr := range section {
		if sig, ok := rr.(*dnswire.RRSIG); ok {
			sigs[fmt.Sprint(sig.Hdr.Name, sig.TypeCovered)] = sig
			continue
		}
		key := fmt.Sprint(rr.Header().Name, rr.Header().Rrtype)
		groups[key] = append(groups[key], rr)
	}
	for key, set := range groups {
		if sigs[key] == nil {
			return 0, fmt.Errorf("%s is not signed", key)
		}
		if err := sigs[key].Verify(s.key, set); err != nil {
			return len(groups), fmt.Errorf("%s: %w", key, err)
		}
	}
	return len(groups), nil
}

func TestNothingIsSignedUnasked(t *testing.T) {
	s := start(t, nil)
	for _, k := range nonce.Kinds() {
		m := ask(t, s, dnswire.Query{Name: s.zone.Name(k), Type: dnswire.TypeA})
		if dnswire.Has(slices.Concat(m.Answer, m.Ns), dnswire.TypeRRSIG) {
			t.Errorf("%s: signed without DO", k)
		}
	}
}

func TestUnprovableNamesAreLeftUnproven(t *testing.T) {
	s := start(t, nil)
	m := ask(t, s, dnswire.Query{Name: `a\000.probe.test.`, Type: dnswire.TypeA, EDNS: do()})
	if m.Rcode != dnswire.RcodeNXDomain || dnswire.Has(m.Ns, dnswire.TypeNSEC) {
		t.Error(m.Summary())
	}
}
