package nvd

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
	"reconshield/internal/intel/version"
)

const maxRanges = 4_000 // of one CVE; old ones list every release by itself

// names are the vendors and products of CPE names, some of which changed.
func names() []struct {
	cpe     string
	product exposure.Product
} {
	return []struct {
		cpe     string
		product exposure.Product
	}{
		{"isc:bind", exposure.BIND},
		{"nlnetlabs:unbound", exposure.Unbound},
		{"nlnetlabs:nsd", exposure.NSD},
		{"nlnetlabs:name_server_daemon", exposure.NSD},
		{"nic:knot_dns", exposure.Knot},
		{"knot-dns:knot_dns", exposure.Knot},
		{"nic:knot_resolver", exposure.KnotRes},
		{"powerdns:authoritative", exposure.PDNSAuth},
		{"powerdns:authoritative_server", exposure.PDNSAuth},
		{"powerdns:recursor", exposure.PDNSRec},
		{"powerdns:dnsdist", version.Dnsdist},
		{"thekelleys:dnsmasq", exposure.Dnsmasq},
		{"coredns.io:coredns", exposure.CoreDNS},
		{"linuxfoundation:coredns", exposure.CoreDNS},
		{"technitium:dns_server", version.Technitium},
		{"technitium:dnsserver", version.Technitium},
		{"pi-hole:pi-hole", version.PiHole},
		{"pi-hole:ftldns", version.PiHoleFTL},
		{"adguard:adguard_home", version.AdGuardHome},
		{"adguard:adguardhome", version.AdGuardHome},
		{"maradns:maradns", version.MaraDNS},
	}
}

func products() map[string]exposure.Product {
	out := map[string]exposure.Product{}
	for _, n := range names() {
		out[n.cpe] = n.product
	}
	return out
}

// Queries lists the values of virtualMatchString that together bring every CVE
// of the products, one request or more each.
func Queries() []string {
	var out []string
	for _, n := range names() {
		out = append(out, "cpe:2.3:a:"+n.cpe)
	}
	return out
}

// criteria is one CPE match of a configuration.
type criteria struct {
	Vulnerable     bool   `json:"vulnerable"`
	Criteria       string `json:"criteria"`
	StartIncluding string `json:"versionStartIncluding"`
	StartExcluding string `json:"versionStartExcluding"`
	EndIncluding   string `json:"versionEndIncluding"`
	EndExcluding   string `json:"versionEndExcluding"`
}

// rows gives one row for each known product that the record calls vulnerable.
func (r *reader) rows(about intel.Affected, rec *record) ([]intel.Affected, error) {
	var out []intel.Affected
	count := 0
	for _, conf := range rec.CVE.Configurations {
		for _, node := range conf.Nodes {
			for i := range node.Matches {
				m := &node.Matches[i]
				name, ok := parseCPE(m.Criteria)
				product, known := r.products[name.vendor+":"+name.product]
				if !ok || !known || !m.Vulnerable || node.Negate {
					continue
				}
				if count++; count > maxRanges {
					return nil, fmt.Errorf("it has more than %d ranges", maxRanges)
				}
				at := slices.IndexFunc(out, func(a intel.Affected) bool { return a.Product == product })
				if at < 0 {
					row := about
					row.Product = product
					at, out = len(out), append(out, row)
				}
				add(&out[at], m, name)
			}
		}
	}
	return out, nil
}

// add takes a range that can be read and has an end. A name without a version
// means all releases there ever were or will be, and is no statement about one.
func add(row *intel.Affected, m *criteria, name cpe) {
	g, ok := m.span(row.Product, name)
	if !ok || slices.Contains(row.Ranges, g) {
		return
	}
	for _, end := range []string{g.Introduced, g.Fixed, g.LastAffected} {
		if end == "" {
			continue
		}
		if _, err := version.Endpoint(row.Product, end); err != nil {
			return
		}
	}
	row.Ranges = append(row.Ranges, g)
	if g.Fixed != "" && !slices.Contains(row.FixedIn, g.Fixed) {
		row.FixedIn = append(row.FixedIn, g.Fixed)
	}
}

func (m *criteria) span(product exposure.Product, name cpe) (intel.Range, bool) {
	if name.version != "*" && name.version != "-" {
		v, ok := name.release(product)
		return intel.Range{Introduced: v, LastAffected: v}, ok
	}
	// The release that an excluded beginning excludes cannot be told in a Range,
	// and to include it would be wrong.
	if name.version == "-" || m.StartExcluding != "" || m.EndExcluding == "" && m.EndIncluding == "" {
		return intel.Range{}, false
	}
	g := intel.Range{Introduced: m.StartIncluding, Fixed: m.EndExcluding}
	if g.Fixed == "" {
		g.LastAffected = m.EndIncluding
	}
	if product == exposure.BIND && name.edition == preview {
		for _, end := range []*string{&g.Introduced, &g.Fixed, &g.LastAffected} {
			if *end != "" && !strings.Contains(*end, "-S") {
				*end += "-S1" // the first of a release, and nearly always the only one
			}
		}
	}
	return g, true
}
