package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/atlas"
	"reconshield/internal/intel"
)

// Reference answers what is known of ports. It is immutable and safe for
// concurrent use.
type Reference struct {
	Atlas     *atlas.Atlas
	Knowledge atlas.Knowledge
}

// NewReference is the reference of the embedded data.
func NewReference() *Reference {
	return &Reference{
		Atlas:     atlas.Default(),
		Knowledge: atlas.Knowledge{Threats: intel.DefaultThreats(), Vulnerabilities: intel.DefaultTable()},
	}
}

// PortQuery is a port, or a range of ports, over one transport or over all.
type PortQuery struct {
	First, Last uint16
	Transport   string // tcp, udp, sctp, dccp; empty for all
}

// Entry composes a port.
func (r *Reference) Entry(port uint16, transport string) atlas.Entry {
	return r.Atlas.Entry(port, transport, r.Knowledge)
}

// ParsePortQuery reads "53", "53/udp", "50-60", "T:53", "dns", "dns/udp" or
// several of them with commas between. A
// name may stand for several ports. The error is one line and suggests names.
func (r *Reference) ParsePortQuery(text string) ([]PortQuery, error) {
	if strings.Contains(text, ",") {
		var all []PortQuery
		for part := range strings.SplitSeq(text, ",") {
			found, err := r.ParsePortQuery(part)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
		return all, nil
	}
	const longest = 64 // letters; no service is called by more
	if len(text) > longest {
		return nil, fmt.Errorf("%q…: a port is a number, a range or a service's name, such as 53, 50-60 or dns", text[:longest])
	}
	word := strings.ToLower(strings.TrimSpace(text))
	word, transport, given := strings.Cut(word, "/")
	switch {
	case strings.HasPrefix(word, "t:"):
		word, transport, given = word[2:], "tcp", true
	case strings.HasPrefix(word, "u:"):
		word, transport, given = word[2:], "udp", true
	}
	if given && !slices.Contains([]string{"tcp", "udp", "sctp", "dccp"}, transport) {
		return nil, fmt.Errorf("%q: the transport is tcp, udp, sctp or dccp, such as 53/udp", text)
	}
	if word == "" {
		return nil, fmt.Errorf("%q: name a port, such as 53, 53/udp, 50-60 or dns", text)
	}
	if word[0] >= '0' && word[0] <= '9' && !strings.ContainsFunc(word, letter) {
		first, last, ranged := strings.Cut(word, "-")
		if !ranged {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		switch {
		case err != nil || err2 != nil:
			return nil, fmt.Errorf("%q: a port is a number from 0 to 65535", text)
		case from > to:
			return nil, fmt.Errorf("%q: the range begins above its end; write %d-%d", text, to, from)
		}
		return []PortQuery{{uint16(from), uint16(to), transport}}, nil
	}
	return r.named(text, word, transport)
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' }

// named are the ports of a service, each once.
func (r *Reference) named(text, word, transport string) ([]PortQuery, error) {
	var out []PortQuery
	add := func(first, last uint16, over string) {
		q := PortQuery{first, last, transport}
		if (transport == "" || transport == over) && !slices.Contains(out, q) {
			out = append(out, q)
		}
	}
	for _, row := range r.Atlas.ByName(word) {
		add(row.First, row.Last, row.Transport)
	}
	if len(out) == 0 {
		for _, p := range r.Atlas.Ports(word) {
			add(p.Number, p.Number, string(p.Transport))
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	hint := "; \"reconshield port search " + strings.ReplaceAll(word, "\"", "") + "\" looks in descriptions, too"
	if near := r.Atlas.Nearest(word); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, ", ") + "?"
	}
	return nil, fmt.Errorf("%q: no service is called so%s", text, hint)
}
