package collector

import (
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/dnswire"
	"reconshield/internal/nonce"
)

// Times to live in seconds. Reports must not be cached; everything else is
// short because no name is asked for long.
const (
	reportTTL     = 0
	answerTTL     = 60
	negativeTTL   = 60
	delegationTTL = 3600
)

// node gives the records at a name with owner, the name as it was asked for,
// and whether the name exists: an inner name exists without records.
func (s *Server) node(owner, name string, r nonce.Report) (records []dnswire.RR, exists bool) {
	if name == s.apex {
		records = append(records, s.soa(owner))
		records = append(records, s.nsRecords(owner, answerTTL)...)
		if s.key != nil {
			key := *s.key
			key.Hdr.Name = owner
			records = append(records, &key)
		}
		return records, true
	}
	if slices.Contains(s.nameservers, name) {
		return s.glue(owner, answerTTL), true
	}
	if _, k, err := s.zone.Parse(name); err == nil {
		return s.nonce(owner, name, k, r), k != nonce.Missing
	}
	return nil, s.inner(name)
}

// inner reports whether the name stands between apex and nonce names. "_" is
// what resolvers ask for that minimise names (RFC 9156 section 2.3).
func (s *Server) inner(name string) bool {
	front, _ := strings.CutSuffix(name, "."+s.apex)
	return slices.Contains(nonce.Kinds(), nonce.Kind(strings.TrimPrefix(front, "_."))) || front == "_"
}

// nonce computes the records of a nonce name.
func (s *Server) nonce(owner, name string, k nonce.Kind, r nonce.Report) []dnswire.RR {
	var out []dnswire.RR
	if k.Reports() {
		out = append(out, &dnswire.TXT{Hdr: header(owner, dnswire.TypeTXT, reportTTL), Txt: []string{r.Text(s.zone, name)}})
	}
	if v4 := s.zone.Addr4(name); v4.IsValid() {
		out = append(out, &dnswire.A{Hdr: header(owner, dnswire.TypeA, answerTTL), A: v4.AsSlice()})
	}
	if v6 := s.zone.Addr6(name); v6.IsValid() {
		out = append(out, &dnswire.AAAA{Hdr: header(owner, dnswire.TypeAAAA, answerTTL), AAAA: v6.AsSlice()})
	}
	return out
}

func (s *Server) soa(owner string) *dnswire.SOA {
	return &dnswire.SOA{
		Hdr: header(owner, dnswire.TypeSOA, negativeTTL), Ns: s.nameservers[0], Mbox: "hostmaster." + s.apex,
		Serial: s.serial, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: negativeTTL,
	}
}

func (s *Server) nsRecords(owner string, ttl uint32) []dnswire.RR {
	out := make([]dnswire.RR, 0, len(s.nameservers))
	for _, n := range s.nameservers {
		out = append(out, &dnswire.NS{Hdr: header(owner, dnswire.TypeNS, ttl), Ns: n})
	}
	return out
}

func (s *Server) glue(owner string, ttl uint32) []dnswire.RR {
	var out []dnswire.RR
	for _, a := range s.addresses {
		if a.Is4() {
			out = append(out, &dnswire.A{Hdr: header(owner, dnswire.TypeA, ttl), A: a.AsSlice()})
		} else {
			out = append(out, &dnswire.AAAA{Hdr: header(owner, dnswire.TypeAAAA, ttl), AAAA: a.AsSlice()})
		}
	}
	return out
}

func header(owner string, rrtype uint16, ttl uint32) dnswire.RRHeader {
	return dnswire.RRHeader{Name: owner, Rrtype: rrtype, Class: dnswire.ClassIN, Ttl: ttl}
}

// spoilt reports whether answers of the name carry wrong signatures.
func spoilt(z nonce.Zone, name string) bool {
	_, k, err := z.Parse(name)
	return err == nil && k == nonce.Bogus
}

// wrongFamily reports whether the name is only for the other address family.
// The refusal sends a resolver to the collector's other address, so that its
// own address can be compared with the one it was asked under.
func wrongFamily(z nonce.Zone, name string, from netip.Addr) bool {
	_, k, err := z.Parse(name)
	return err == nil && (k == nonce.Who4 && !from.Is4() || k == nonce.Who6 && from.Is4())
}
