package policy

import (
	"net/netip"
	"slices"
	"strings"
)

// tunnels are the kinds of tunnels that a zone may name.
func tunnels() []string { return []string{string(WireGuard), string(OpenVPN), string(IPsec)} }

// Entry is what outsiders must reach for the tunnel to work; nil for NoTunnel.
func (t Tunnel) Entry() []Ports {
	switch t {
	case WireGuard:
		return []Ports{{"udp", 51820, 51820}}
	case OpenVPN:
		return []Ports{{"udp", 1194, 1194}}
	case IPsec:
		return []Ports{{"udp", 500, 500}, {"udp", 4500, 4500}, {ESP, 0, 0}}
	case NoTunnel:
	}
	return nil
}

func (d *decoder) decodeZones(f field) {
	all, _ := d.pairs(f.value, "zones", "write wan: {interfaces: [eth0]} and the like below it")
	owner := map[netip.Prefix]string{}
	for _, entry := range all {
		z, ok := d.decodeZone(entry)
		if !ok {
			continue
		}
		for _, p := range z.Networks {
			if other, taken := owner[p]; taken {
				d.add(z.At, "give it to one of them; of nested networks the longer one decides", "network %s is in zone %s and in zone %s", p, quoted(other), quoted(z.Name))
			}
			owner[p] = z.Name
		}
		if len(d.policy.Zones) == maxZones {
			d.add(z.At, "", "more than %d zones", maxZones)
			return
		}
		d.zones[z.Name] = len(d.policy.Zones)
		d.policy.Zones = append(d.policy.Zones, z)
	}
	if _, declared := d.zones[WAN]; !declared {
		d.zones[WAN] = len(d.policy.Zones)
		d.policy.Zones = append(d.policy.Zones, Zone{Name: WAN})
	}
}

// decodeZone reads one zone; ok is false when not even its name can be used.
func (d *decoder) decodeZone(entry field) (z Zone, ok bool) {
	m, _ := d.fields(entry.value, "zone "+quoted(entry.key), "write {interfaces: [eth1], networks: [10.0.0.0/16]}",
		"interfaces", "networks", "vantage", "tunnel")
	if !isName(entry.key) {
		d.add(entry.at, "use letters, digits, hyphen, underscore and dot, at most 63", "zone name %s cannot be used", quoted(entry.key))
		return Zone{}, false
	}
	z = Zone{Name: entry.key, At: entry.at, Vantage: d.name(m["vantage"]), Tunnel: Tunnel(d.text(m["tunnel"]))}
	for _, it := range d.items(m["interfaces"], "write a list, such as [eth0]") {
		switch {
		case !isInterface(it.text):
			d.add(it.at, "write the name as the system shows it", "%s is no interface's name", quoted(it.text))
		case slices.Contains(z.Interfaces, it.text):
			d.add(it.at, "keep one of them", "interface %s stands twice", quoted(it.text))
		case len(z.Interfaces) == maxKeys:
			d.add(it.at, "", "more than %d interfaces in one zone", maxKeys)
			return z, true
		default:
			z.Interfaces = append(z.Interfaces, it.text)
		}
	}
	if z.Networks = d.prefixes(m["networks"]); m["networks"].key != "" && m["networks"].isEmpty() {
		d.add(m["networks"].at, "name its networks, or remove the key if anybody may stand in the zone", "networks is empty")
	}
	if z.Tunnel != NoTunnel && !slices.Contains(tunnels(), string(z.Tunnel)) {
		d.add(d.valueAt(m["tunnel"]), didYouMean(string(z.Tunnel), slices.Values(tunnels())), "tunnel %s is not known", quoted(string(z.Tunnel)))
		z.Tunnel = WireGuard // as good as any for the checks that follow
	}
	switch {
	case z.Tunnel == NoTunnel:
	case z.Name == WAN:
		d.add(entry.at, "make the tunnel a zone of its own", "zone wan cannot be a tunnel")
	case m["networks"].isEmpty():
		d.add(entry.at, "add networks: [10.8.0.0/24]: rules match its interface and its network", "tunnel zone %s has no networks", quoted(z.Name))
	}
	return z, true
}

// isInterface is true for what systems call interfaces, "eth0.5", "Ethernet 2"
// and "GigabitEthernet0/0" among them, and for nothing that a configuration
// could take for its own syntax.
func isInterface(text string) bool {
	for i, r := range []byte(text) {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		inner := i > 0 && i < len(text)-1
		if !letter && (!inner || !strings.ContainsRune("._-/:@ ", rune(r))) && (i == 0 || !strings.ContainsRune("+*", rune(r)) || inner) {
			return false
		}
	}
	return text != "" && len(text) <= 63
}

// within cuts sources to the zone's networks. A zone without networks keeps
// them all, empty from stands for everybody, and so does an empty result with
// ok true; ok false says that nobody is left.
func (z *Zone) within(from []netip.Prefix) (sources []netip.Prefix, ok bool) {
	switch {
	case len(z.Networks) == 0:
		return from, true
	case len(from) == 0:
		return z.Networks, true
	}
	for _, f := range from {
		for _, n := range z.Networks {
			switch {
			case !f.Overlaps(n):
			case f.Bits() >= n.Bits():
				sources = append(sources, f)
			default:
				sources = append(sources, n)
			}
		}
	}
	slices.SortFunc(sources, netip.Prefix.Compare)
	return slices.Compact(sources), len(sources) > 0
}

// holds reports whether the zone and a network have an address in common.
func (z *Zone) holds(p netip.Prefix) bool {
	return len(z.Networks) == 0 || slices.ContainsFunc(z.Networks, p.Overlaps)
}

// open is true when strangers may stand in the zone: wan, and any zone that
// does not say whose addresses it holds.
func (z *Zone) open() bool { return z.Name == WAN || len(z.Networks) == 0 }
