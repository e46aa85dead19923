package firewall

import "net/netip"

// translate gives packets their new destination.
func (p *path) translate(s state, d destination) state {
	s.h.settled = true
	if p.rest != nil {
		p.rest.porty = true
	}
	before := s.h
	switch {
	case d.self:
		s.h.dstLocal = Yes
		s.h.dst, s.h.dstKnown = p.ownAddress(s.h.family)
	case d.to.First.IsValid():
		s.h.dst, s.h.dstKnown = Span[netip.Addr]{d.to.First.Unmap(), d.to.Last.Unmap()}, true
		s.h.dstLocal = p.IsLocal(s.h.dst.First)
		if last := p.IsLocal(s.h.dst.Last); last != s.h.dstLocal || s.h.dst.First != s.h.dst.Last && s.h.dstLocal == No {
			s.h.dstLocal = Maybe
		}
	}
	if d.to.FirstPort != 0 {
		s.h.dport, s.h.mapped = Span[Number]{Number(d.to.FirstPort), Number(d.to.LastPort)}, true
	}
	s.h.dnat = changed(&before, &s.h)
	return s
}

// changed says whether translation gave another destination. Linux marks a
// conversation as translated only then (nf_nat_setup_info).
func changed(before, after *header) Tri {
	ports := !after.mapped || after.dport == before.dport && after.dport.First == after.dport.Last
	switch {
	case after.mapped && (after.dport.Last < before.dport.First || before.dport.Last < after.dport.First):
		return Yes
	case !before.dstKnown || !after.dstKnown:
		return Maybe
	case before.dst == after.dst && before.dst.First == before.dst.Last && ports:
		return No
	case after.dst.Last.Less(before.dst.First) || before.dst.Last.Less(after.dst.First):
		return Yes
	}
	return Maybe
}

// ownAddress is where a redirection sends packets: the first address of the
// interface they came in on. It is known when the host has only one.
func (p *path) ownAddress(f Family) (Span[netip.Addr], bool) {
	own := p.local.Intersect(AllOf(f)).Spans()
	if len(own) == 1 && own[0].First == own[0].Last && !p.rules.Host.Partial {
		return own[0], true
	}
	return AllOf(f).Spans()[0], false
}
