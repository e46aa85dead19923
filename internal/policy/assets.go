package policy

import (
	"net/netip"
	"slices"
	"strings"
)

func (d *decoder) decodeAssets(f field) {
	owners := map[netip.Addr]string{}
	for _, n := range d.list(f, "write - name: ns1 and its addresses below it") {
		m, ok := d.fields(n, "an asset", "write - name: ns1 and its addresses below it",
			"name", "addresses", "names", "role", "owner", "expose", "secondaries", "waiver", "gateway", "firewall")
		if !ok {
			continue
		}
		if len(d.policy.Assets) == maxAssets {
			d.add(d.at(n), "", "more than %d assets", maxAssets)
			return
		}
		a := Asset{At: d.at(n), Name: d.name(m["name"]), Owner: d.text(m["owner"])}
		if m["name"].key == "" {
			d.add(a.At, "add name: ns1", "the asset has no name")
		} else if _, taken := d.assets[a.Name]; taken {
			d.add(d.valueAt(m["name"]), "give each asset its own name", "asset %s is declared twice", quoted(a.Name))
		}
		d.decodeAddresses(&a, m["addresses"], owners)
		d.decodeRole(&a, m)
		d.decodeDNSNames(&a, m["names"])
		a.Gateway = d.truth(m["gateway"])
		if a.Firewall = d.name(m["firewall"]); a.Firewall != strings.ToLower(a.Firewall) {
			d.add(d.valueAt(m["firewall"]), "write "+strings.ToLower(a.Firewall), "firewall %s has capital letters", quoted(a.Firewall))
		}
		d.decodeExposes(&a, m["expose"])
		if a.Name != "" {
			d.assets[a.Name] = len(d.policy.Assets)
		}
		d.policy.Assets = append(d.policy.Assets, a)
	}
}

func (d *decoder) decodeAddresses(a *Asset, f field, owners map[netip.Addr]string) {
	for _, it := range d.items(f, `write a list, such as [192.0.2.53, "2001:db8::53"]`) {
		addr, ok := d.address("address", it)
		if !ok {
			continue
		}
		if other, taken := owners[addr]; taken {
			d.add(it.at, "an address belongs to one asset", "address %s is already of asset %s", addr, quoted(other))
			continue
		}
		owners[addr] = a.Name
		a.Addresses = append(a.Addresses, addr)
	}
	if f.isEmpty() {
		d.add(a.At, `add addresses: [192.0.2.53, "2001:db8::53"]`, "asset %s has no addresses", quoted(a.Name))
	}
}

func (d *decoder) decodeDNSNames(a *Asset, f field) {
	for _, it := range d.items(f, "write a list, such as [ns1.example.net]") {
		name := strings.ToLower(strings.TrimSuffix(it.text, "."))
		switch {
		case !isDNSName(name):
			d.add(it.at, "write it as in DNS, such as ns1.example.net", "%s is no DNS name", quoted(it.text))
		case slices.Contains(a.DNSNames, name):
			d.add(it.at, "keep one of them", "name %s stands twice", quoted(name))
		case len(a.DNSNames) == maxKeys:
			d.add(it.at, "", "more than %d names of one asset", maxKeys)
			return
		default:
			a.DNSNames = append(a.DNSNames, name)
		}
	}
}

// isDNSName allows what host names are made of, and the underscore (RFC 1123
// section 2.1, RFC 8552).
func isDNSName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if !isName(strings.TrimLeft(label, "_")) || len(label) > 63 || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return len(name) <= 253
}

// decodeRole reads the role and what only some roles have.
func (d *decoder) decodeRole(a *Asset, m map[string]field) {
	a.Role = Role(d.text(m["role"]))
	if a.Role == "" {
		a.Role = Host
	}
	known := func(yield func(string) bool) {
		for _, r := range Roles() {
			if !yield(string(r)) {
				return
			}
		}
	}
	if !slices.Contains(Roles(), a.Role) {
		d.add(d.valueAt(m["role"]), didYouMean(string(a.Role), known), "role %s is not known", quoted(string(a.Role)))
		return
	}
	a.Secondaries = d.prefixes(m["secondaries"])
	transfers := a.Role == AuthoritativeDNS || a.Role == HiddenPrimary
	switch {
	case a.Role == HiddenPrimary && m["secondaries"].isEmpty():
		d.add(a.At, "add secondaries: [192.0.2.53]: nobody else may reach it", "asset %s is a hidden primary without secondaries", quoted(a.Name))
	case !transfers && m["secondaries"].key != "":
		d.add(m["secondaries"].at, "remove them or change the role", "an asset of role %s has no secondaries", a.Role)
	}
	d.decodeWaiver(a, m["waiver"])
}

func (d *decoder) decodeWaiver(a *Asset, f field) {
	const form = "add waiver: {why: ..., owner: ..., until: 2027-03-31}"
	switch {
	case f.key == "" && a.Role == PublicResolver:
		d.add(a.At, form, "asset %s is a public resolver without a waiver", quoted(a.Name))
	case f.key != "" && a.Role != PublicResolver:
		d.add(f.at, "write an exception for what else is to be reached", "a waiver is for role %s only, and %s has role %s", PublicResolver, quoted(a.Name), a.Role)
	case f.key != "":
		m, ok := d.fields(f.value, "a waiver", form, "why", "owner", "until")
		if !ok {
			return
		}
		a.Waiver = &Waiver{Why: d.text(m["why"]), Owner: d.text(m["owner"]), Until: d.date(m["until"])}
		for _, key := range []string{"why", "owner"} {
			if m[key].key == "" {
				d.add(f.at, form, "the waiver has no %s", key)
			}
		}
	}
}

func (d *decoder) decodeExposes(a *Asset, f field) {
	const form = "write - {ports: [22/tcp], to: [vpn]}"
	for _, n := range d.list(f, form) {
		m, ok := d.fields(n, "an expose rule", form, "ports", "to", "from", "why")
		if !ok {
			continue
		}
		e, places := d.decodeExpose(m, d.at(n), "the expose rule")
		d.checkExpose(a, e, places)
		a.Expose = append(a.Expose, e)
	}
}

// checkExpose refuses what only an exception or another role may open.
func (d *decoder) checkExpose(a *Asset, e Expose, places []Position) {
	for i, p := range e.Ports {
		public := a.Role.publishes(p)
		admin, isAdmin := a.Role.Administration(p)
		if !public && !isAdmin {
			continue
		}
		for _, name := range e.To {
			z := &d.policy.Zones[d.zones[name]]
			switch {
			case z.Tunnel != NoTunnel:
			case public && z.open():
				d.add(places[i], a.Role.publicHint(), "%s of a %s cannot be exposed to zone %s, where anybody may be", p, a.Role, quoted(name))
			case isAdmin:
				d.add(places[i], "expose it to a zone with a tunnel, or write an exception with why, owner and until", "%s is an administration port (%s) and zone %s has no tunnel", admin.Ports, admin.What, quoted(name))
			}
		}
	}
}

// checkException lets everything pass but a public resolver in disguise.
func (d *decoder) checkException(a *Asset, e Expose, places []Position) {
	if len(e.From) > 0 {
		return
	}
	for i, p := range e.Ports {
		if a.Role == Host || a.Role == HiddenPrimary || !a.Role.publishes(p) {
			continue
		}
		for _, name := range e.To {
			if d.policy.Zones[d.zones[name]].open() {
				d.add(places[i], "add from: [...], or use role public-resolver with a waiver", "the exception lets anybody in zone %s use the %s on %s", quoted(name), a.Role, p)
			}
		}
	}
}

// maxWork bounds the comparisons of sources with networks in one file.
const maxWork = 50_000_000

// checkFrom refuses sources that no zone of the rule holds, and zones that
// hold no source of it.
func (d *decoder) checkFrom(e *Expose, f field) {
	if f.key != "" && f.isEmpty() {
		d.add(f.at, "name sources, or remove from if all of the zone are meant", "from is empty")
	}
	if len(e.From) == 0 {
		return
	}
	inside := make([]bool, len(e.From))
	for _, name := range e.To {
		z := &d.policy.Zones[d.zones[name]]
		if d.work += len(e.From) * len(z.Networks); d.work > maxWork {
			d.add(d.valueAt(f), "use fewer or larger networks", "too many sources for too many networks")
			return
		}
		some := false
		for i, p := range e.From {
			if z.holds(p) {
				inside[i], some = true, true
			}
		}
		if !some {
			d.add(d.valueAt(f), "its networks are "+listed(z.Networks), "no source of from is in zone %s", quoted(name))
		}
	}
	for i, p := range e.From {
		if !inside[i] && slices.Contains(inside, true) {
			d.add(d.valueAt(f), "remove it or name its zone in to", "source %s is in no zone of the rule", p)
		}
	}
}

// listed shows a few networks.
func listed(all []netip.Prefix) string {
	var out []string
	for _, p := range all[:min(len(all), 5)] {
		out = append(out, p.String())
	}
	if len(all) > len(out) {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}
