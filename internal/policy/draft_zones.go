package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// draftZone is a zone as the draft writes it.
type draftZone struct {
	name, why  string
	interfaces []string
	networks   []netip.Prefix
	tunnel     Tunnel
}

// writeZones writes the zones that the interfaces show, and examples of those
// that they do not.
func (d *draft) writeZones(own []Interface) {
	zones, left := draftZones(own)
	if !slices.ContainsFunc(zones, func(z draftZone) bool { return z.name == d.zone }) {
		zones = append(zones, draftZone{name: d.zone, why: "The side that the assessment was made from. TODO: add its interfaces and networks."})
	}
	d.line("\n# Zones: the sides from which something can be reached. interfaces are the firewall's own,\n# networks the addresses behind them. A zone without networks holds anybody.\nzones:")
	for _, z := range zones {
		d.line("  # %s", z.why)
		var parts []string
		if len(z.interfaces) > 0 {
			parts = append(parts, "interfaces: "+list(z.interfaces))
		}
		if len(z.networks) > 0 {
			var texts []string
			for _, n := range z.networks {
				texts = append(texts, n.String())
			}
			parts = append(parts, "networks: "+list(texts))
		}
		if z.tunnel != NoTunnel {
			parts = append(parts, "tunnel: "+string(z.tunnel))
			d.vpn = cmp.Or(d.vpn, z.name)
		}
		d.line("  %s: {%s}", scalar(z.name), strings.Join(parts, ", "))
	}
	if !slices.ContainsFunc(zones, func(z draftZone) bool { return z.name != WAN && z.tunnel == NoTunnel }) {
		d.line("  # Your own network, whose clients a resolver may serve.\n  # lan: {interfaces: [eth1], networks: [10.0.0.0/16]}")
	}
	if d.vpn == "" {
		d.line("  # The way in for administration: wireguard, openvpn or ipsec. Wan may reach the tunnel's own port on the\n  # asset with gateway: true, or on the only asset.\n  # vpn: {interfaces: [wg0], networks: [10.8.0.0/24], tunnel: wireguard}")
	}
	for _, text := range left {
		d.line("  # %s", text)
	}
}

// draftZones sorts interfaces into wan, lan and tunnels by name and address;
// left says which were left out, and why.
func draftZones(own []Interface) (zones []draftZone, left []string) {
	wan := draftZone{name: WAN, why: "Everybody: the Internet."}
	lan := draftZone{name: "lan", why: "Interfaces with private addresses only (RFC 1918, RFC 4193)."}
	var tunnelZones []draftZone
	taken, seen := map[netip.Prefix]bool{}, map[string]bool{}
	for _, i := range own {
		if seen[i.Name] {
			continue
		}
		seen[i.Name] = true
		if !isInterface(i.Name) || len(left) >= maxZones || len(tunnelZones) >= maxListed {
			left = append(left, "Left out: an interface whose name cannot be written.")
			continue
		}
		networks, private := usable(i.Networks, taken)
		kind := tunnelKind(i.Name)
		switch {
		case i.Name == "lo" || strings.HasPrefix(i.Name, "lo0"):
		case isContainer(i.Name):
			left = append(left, fmt.Sprintf("Left out: %s, which looks like a network of containers on this host.", i.Name))
		case kind != NoTunnel && len(networks) > 0:
			name := "vpn"
			if len(tunnelZones) > 0 {
				name = fmt.Sprintf("vpn-%d", len(tunnelZones)+1)
			}
			tunnelZones = append(tunnelZones, draftZone{name, fmt.Sprintf("%s looks like a tunnel by its name. The way in for administration.", i.Name), []string{i.Name}, networks, kind})
		case kind != NoTunnel:
			left = append(left, fmt.Sprintf("Left out: %s looks like a tunnel, but its network is not known.", i.Name))
		case len(networks) > 0 && private:
			lan.interfaces = append(lan.interfaces, i.Name)
			lan.networks = append(lan.networks, networks...)
		default:
			wan.interfaces = append(wan.interfaces, i.Name)
			continue // networks stay free: wan holds everybody
		}
		for _, n := range networks {
			taken[n] = true
		}
	}
	if len(wan.interfaces) == 0 {
		wan.why += " TODO: add the interfaces on that side."
	}
	zones = append(zones, wan)
	if len(lan.networks) > 0 {
		zones = append(zones, lan)
	}
	return append(zones, tunnelZones...), left
}

// usable are networks that a zone may have, each once; private is true when
// no global address is among them.
func usable(all []netip.Prefix, taken map[netip.Prefix]bool) (out []netip.Prefix, private bool) {
	private = true
	for _, n := range all {
		n = n.Masked()
		switch {
		case !n.IsValid() || n.Addr().IsLinkLocalUnicast() || n.Addr().IsLoopback() || n.Addr().IsMulticast() || n.Addr().Is4In6():
			continue
		case !n.Addr().IsPrivate():
			private = false
		}
		if n.Bits() > 0 && n.Bits() < n.Addr().BitLen() && !taken[n] && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out, private
}

func tunnelKind(name string) Tunnel {
	for _, known := range []struct {
		prefix string
		kind   Tunnel
	}{{"wg", WireGuard}, {"tun", OpenVPN}, {"tap", OpenVPN}, {"ovpn", OpenVPN}, {"ipsec", IPsec}, {"xfrm", IPsec}, {"vti", IPsec}} {
		if strings.HasPrefix(name, known.prefix) {
			return known.kind
		}
	}
	return NoTunnel
}

func isContainer(name string) bool {
	return slices.ContainsFunc([]string{"docker", "br-", "veth", "cni", "flannel", "cali", "podman", "virbr", "lxc", "lxd"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

// scalar is text as YAML takes it for text.
func scalar(text string) string {
	plain := isName(text) && (text[0] >= 'a' && text[0] <= 'z' || text[0] >= 'A' && text[0] <= 'Z')
	if plain && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	if _, err := netip.ParseAddr(text); err == nil && !strings.Contains(text, ":") {
		return text
	}
	if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is4() {
		return text
	}
	return quotedYAML(text)
}

// quotedYAML escapes so that both YAML and this package's reader see the text.
func quotedYAML(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		if r == '"' || r == '\\' {
			b.WriteByte('\\')
		}
		if unprintable(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

func list(texts []string) string {
	out := make([]string, len(texts))
	for i := range texts {
		out[i] = scalar(texts[i])
	}
	return "[" + strings.Join(out, ", ") + "]"
}
