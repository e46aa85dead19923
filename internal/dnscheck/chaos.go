package dnscheck

import (
	"context"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

// Chaos gives the answer to the CH TXT question of one name. The names are
// asked one after another at the dialogue's pace, the most telling for the
// product first, until the CHAOS budget is used up; asked is false for a name
// that the budget did not reach.
func (s *Session) Chaos(ctx context.Context, name string) (a dialogue.Answer, asked bool) {
	all := s.chaos.get(func() map[string]dialogue.Answer { return s.askChaos(ctx) })
	a, asked = all[name]
	return a, asked
}

// ChaosQuery is the CH TXT question of a name (RFC 4892).
func ChaosQuery(name string) dnswire.Query {
	return dnswire.Query{Name: name, Type: dnswire.TypeTXT, Class: dnswire.ClassCH}
}

func (s *Session) askChaos(ctx context.Context) map[string]dialogue.Answer {
	out := map[string]dialogue.Answer{}
	via := s.Any()
	if via == "" {
		return out
	}
	for _, name := range chaosOrder(s.Product()) {
		a := s.Ask(ctx, via, ChaosQuery(name))
		if a.Err != nil {
			break
		}
		out[name] = a
	}
	return out
}

// chaosOrder puts the names first that tell most for the product: with the
// usual budget of three only the first three are asked.
func chaosOrder(p exposure.Product) []string {
	const version, versionServer, host, id, authors = "version.bind", "version.server", "hostname.bind", "id.server", "authors.bind"
	switch p {
	case exposure.BIND: // id.server equals NSID, which costs no CHAOS question
		return []string{version, host, authors, id, versionServer}
	case exposure.Dnsmasq:
		return []string{version, "servers.bind", "cachesize.bind", "hits.bind", "misses.bind", "insertions.bind", "evictions.bind", "auth.bind", authors}
	case exposure.Unbound:
		return []string{version, id, "trustanchor.unbound", host, versionServer}
	case exposure.PDNSAuth, exposure.PDNSRec:
		return []string{version, id, "version.pdns", host}
	default:
		return []string{version, id, authors, host, versionServer, "servers.bind", "cachesize.bind"}
	}
}
