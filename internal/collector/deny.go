package collector

import (
	"slices"
	"strings"
	"time"

	"reconshield/internal/dnswire"
	"reconshield/internal/nonce"
)

// withSignature appends the RRset's signature. A spoilt one has the right form
// and the wrong bytes, so that only those who verify it notice.
func (s *Server) withSignature(rrset []dnswire.RR, spoil bool) []dnswire.RR {
	const skew, life = time.Hour, 24 * time.Hour
	now := s.now()
	sig, err := dnswire.Sign(rrset, s.key, s.private, now.Add(-skew), now.Add(life))
	if err == nil && spoil {
		err = dnswire.Spoil(sig)
	}
	if err != nil {
		return rrset // left unsigned, a validator refuses it: the safe side
	}
	return append(slices.Clip(rrset), sig)
}

// denial proves that a name has no such type, or that it does not exist and no
// wildcard stands for it, with the smallest possible NSEC records made for the
// occasion (RFC 4470): nobody can walk the zone, and no resolver can conclude
// from one nonce name to another (RFC 8198).
func (s *Server) denial(name string, records []dnswire.RR, exists bool) []dnswire.RR {
	if exists {
		return []dnswire.RR{atName(name, records, true)}
	}
	labels := dnswire.Labels(name)
	split := 1 // labels[split:] is the closest encloser, labels[split-1] the next closer
	for ; split < len(labels); split++ {
		if _, ok := s.node("", join(labels[split:]), nonce.Report{}); ok {
			break
		}
	}
	encloser, closer := join(labels[split:]), dnswire.RawLabels(labels[split-1] + ".")[0]
	first := before(closer)
	if first == "" {
		return nil // unproven, a validator refuses it: the safe side
	}
	covers := []dnswire.RR{between(first, after(closer), encloser)}
	if closer != "*" {
		covers = append(covers, between(before("*"), after("*"), encloser))
	}
	return covers
}

// atName is the NSEC of an existing name; its next name is the first possible
// below it (RFC 4470 section 4).
func atName(owner string, records []dnswire.RR, signed bool) dnswire.RR {
	var types []uint16
	for _, rr := range records {
		types = append(types, rr.Header().Rrtype)
	}
	if signed {
		types = append(types, dnswire.TypeRRSIG, dnswire.TypeNSEC)
	}
	slices.Sort(types)
	return nsec(owner, `\000.`+dnswire.CanonicalName(owner), slices.Compact(types))
}

func between(first, next, encloser string) dnswire.RR {
	return nsec(dnswire.EscapeLabel(first)+"."+encloser, dnswire.EscapeLabel(next)+"."+encloser, []uint16{dnswire.TypeRRSIG, dnswire.TypeNSEC})
}

func nsec(owner, next string, types []uint16) dnswire.RR {
	return &dnswire.NSEC{Hdr: header(owner, dnswire.TypeNSEC, negativeTTL), NextDomain: next, TypeBitMap: types}
}

// longLabel is the length from which a label is covered by its beginning: no
// name of the zone is as long, and the proof stays within 63 bytes.
const longLabel = 40

// before is a label that sorts before l with nothing of the zone between
// them; empty when there is none to be had.
func before(l string) string {
	if len(l) > longLabel {
		return l[:longLabel]
	}
	last := l[len(l)-1]
	switch {
	case last == 0: // the next smaller label may exist, and its NSEC would deny all below it
		return ""
	case last > 'A' && last <= 'Z'+1: // capitals sort as small letters (RFC 4034 section 6.1)
		last = 'A'
	}
	return l[:len(l)-1] + string([]byte{last - 1, '~'})
}

// after is a label that sorts after l and all names below it, with nothing of
// the zone between them.
func after(l string) string {
	if len(l) > longLabel {
		return l[:longLabel] + "\xff"
	}
	return l + "\x00"
}

func join(labels []string) string { return strings.Join(labels, ".") + "." }
