package analyze

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/policy"
)

// Query limits an audit. Empty parts stand for all.
type Query struct {
	Zone   string
	Source netip.Prefix // instead of a zone's networks; invalid: all of the zone
	Asset  string
	Ports  []policy.Ports
}

// narrow reports whether less than everything is asked.
func (q Query) narrow() bool {
	return q.Zone != "" || q.Asset != "" || q.Source.IsValid() || len(q.Ports) > 0
}

// ParseQuery reads "from wan to udp/53", "from wan to ns1 tcp/22,tcp/8000-8080",
// "from 192.0.2.0/24 to 53" or any part of it. A port without a transport stands
// for TCP and UDP. Zones and assets must be in p.
func ParseQuery(text string, p *policy.Policy) (Query, error) {
	var q Query
	words := strings.Fields(text)
	for len(words) > 0 {
		key := words[0]
		words = words[1:]
		if key != "from" && key != "to" || len(words) == 0 {
			return q, fmt.Errorf("query %q: expected \"from ZONE\", \"to PORT\" or both, such as \"from wan to udp/53\"", text)
		}
		for len(words) > 0 && words[0] != "from" && words[0] != "to" {
			var err error
			if key == "from" {
				err = q.from(words[0], p)
			} else {
				err = q.to(words[0], p)
			}
			if err != nil {
				return q, fmt.Errorf("query %q: %w", text, err)
			}
			words = words[1:]
		}
	}
	return q, nil
}

func (q *Query) from(word string, p *policy.Policy) error {
	if prefix, err := netip.ParsePrefix(word); err == nil {
		q.Source = prefix.Masked()
		return nil
	}
	if a, err := netip.ParseAddr(word); err == nil {
		q.Source = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		return nil
	}
	if _, ok := p.Zone(word); !ok {
		names := make([]string, len(p.Zones))
		for i := range p.Zones {
			names[i] = p.Zones[i].Name
		}
		return fmt.Errorf("no zone %q; the policy has %s", word, strings.Join(names, ", "))
	}
	q.Zone = word
	return nil
}

func (q *Query) to(word string, p *policy.Policy) error {
	if _, ok := p.Asset(word); ok {
		q.Asset = word
		return nil
	}
	for item := range strings.SplitSeq(word, ",") {
		ports, err := parsePorts(item)
		if err != nil {
			return err
		}
		q.Ports = append(q.Ports, ports...)
	}
	return nil
}

// parsePorts reads "udp/53", "53/udp", "8000-8080/tcp" or "53".
func parsePorts(item string) ([]policy.Ports, error) {
	numbers, transports := item, []exposure.Transport{exposure.TCP, exposure.UDP}
	if a, b, ok := strings.Cut(item, "/"); ok {
		if _, err := strconv.Atoi(a[:min(1, len(a))]); err == nil {
			a, b = b, a
		}
		t := exposure.Transport(strings.ToLower(a))
		if t != exposure.TCP && t != exposure.UDP {
			return nil, fmt.Errorf("no asset of the policy and no port: %q; ports are written \"udp/53\"", item)
		}
		numbers, transports = b, []exposure.Transport{t}
	}
	low, high, ranged := strings.Cut(numbers, "-")
	if !ranged {
		high = low
	}
	first, err1 := strconv.ParseUint(low, 10, 16)
	last, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || first > last || first == 0 {
		return nil, fmt.Errorf("no asset of the policy and no port: %q; ports are written \"udp/53\"", item)
	}
	var out []policy.Ports
	for _, t := range transports {
		out = append(out, policy.Ports{Transport: t, First: uint16(first), Last: uint16(last)})
	}
	return out, nil
}
