package windows

import (
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// Render writes a plan as a PowerShell script. The error is a
// *firewall.UnsupportedError or says that the plan has no addresses.
func Render(p firewall.Plan) (firewall.Config, error) {
	can := device.Abilities{Format: "Windows Firewall", Host: true, Interface: alias, InterfaceWas: "the alias of an adapter as Get-NetAdapter shows it: letters, digits, blanks and . _ - ( ) of at most 256 bytes"}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	group := "reconshield " + device.Tag(p.Asset, 60)
	w := &writer{p: p, group: group}
	return config(p, group, w.script()), nil
}

func alias(name string) bool {
	for _, r := range name {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" ._-()", r) {
			continue
		}
		return false
	}
	return strings.TrimSpace(name) == name && name != "" && len(name) <= 256
}

type writer struct {
	p     firewall.Plan
	group string
	text  strings.Builder
	rules int
}

func (w *writer) script() string {
	b := &w.text
	b.WriteString(device.Commented("# ", device.Header(w.p)...))
	fmt.Fprintf(b, `#Requires -RunAsAdministrator
$ErrorActionPreference = 'Stop'
$group = '%s'
$kept = Join-Path $env:ProgramData '%s.json'

# What is in force now, for the way back. An earlier version's note is kept.
if (-not (Test-Path $kept)) {
    @{
        Profiles = @(Get-NetFirewallProfile | Select-Object Name, @{n='Enabled';e={"$($_.Enabled)"}}, @{n='In';e={"$($_.DefaultInboundAction)"}}, @{n='Out';e={"$($_.DefaultOutboundAction)"}})
        Rules = @(Get-NetFirewallRule -Direction Inbound -Action Allow -Enabled True | Where-Object Group -ne $group | ForEach-Object Name)
    } | ConvertTo-Json -Depth 4 | Set-Content -Encoding UTF8 $kept
}

# An earlier version goes first.
Get-NetFirewallRule -Group $group -ErrorAction SilentlyContinue | Remove-NetFirewallRule
`, w.group, strings.ReplaceAll(w.group, " ", "-"))
	w.icmp()
	b.WriteString("\n# What may reach the asset.\n")
	w.inbound()
	w.outbound()
	b.WriteString(`
# Every other rule that lets something in is turned off, and whatever no rule allows is blocked.
Get-NetFirewallRule -Direction Inbound -Action Allow -Enabled True | Where-Object Group -ne $group | Disable-NetFirewallRule
Set-NetFirewallProfile -All -Enabled True -DefaultInboundAction Block -DefaultOutboundAction Allow -AllowInboundRules True
`)
	return b.String()
}

func (w *writer) add(why string, fields ...string) {
	w.rules++
	fmt.Fprintf(&w.text, "New-NetFirewallRule -Group $group -DisplayName '%s %d: %s' -Profile Any %s | Out-Null\n", w.group, w.rules, why, strings.Join(fields, " "))
}

// icmp allows what RFC 1191 and RFC 4890 ask for.
func (w *writer) icmp() {
	w.text.WriteString("\n# Path MTU discovery, errors and neighbour discovery (RFC 1191, RFC 4890).\n")
	w.add("ICMP that must pass", "-Direction Inbound", "-Action Allow", "-Protocol ICMPv4", "-IcmpType 3,8,11,12")
	w.add("ICMPv6 that must pass", "-Direction Inbound", "-Action Allow", "-Protocol ICMPv6",
		"-IcmpType 1,2,3,4,128,129,130,131,132,133,134,135,136,141,142,143,148,149,151,152,153")
}

// inbound writes one rule for both families: addresses of one never match those
// of the other.
func (w *writer) inbound() {
	for _, a := range w.p.Allows {
		var usable bool
		for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
			sources, anybody := a.Of(f)
			usable = usable || len(device.Addresses(w.p, f)) > 0 && (anybody || len(sources) > 0)
		}
		if !usable {
			continue
		}
		fields := []string{"-Direction Inbound", "-Action Allow", "-Protocol " + protocol(a.Transport)}
		if a.Transport != policy.ESP {
			fields = append(fields, "-LocalPort "+ports(a.Ports))
		}
		fields = append(fields, "-LocalAddress "+hosts(w.p.Addresses))
		if len(a.Sources) > 0 {
			fields = append(fields, "-RemoteAddress "+prefixes(a.Sources))
		}
		if len(a.Interfaces) > 0 {
			fields = append(fields, "-InterfaceAlias "+quoted(a.Interfaces))
		}
		w.add(device.Remark(device.Row{Why: a.Why, Until: a.Until}, 120), fields...)
	}
}

// outbound blocks DNS to all addresses but the resolvers'. Loopback is left
// out: a resolver on the host itself is asked there.
func (w *writer) outbound() {
	if !w.p.DNS.Control || w.p.DNS.Self {
		return
	}
	w.text.WriteString("\n# DNS leaves to the approved resolvers only. A block beats any allow, so the blocks name all other addresses.\n")
	if len(w.p.DNS.Peers) > 0 {
		w.text.WriteString("# Left out as well are the asset's secondaries and primaries: notifications and transfers.\n")
	}
	if len(w.p.DNS.Resolvers) == 0 {
		w.text.WriteString("# There is no approved resolver.\n")
	}
	for _, t := range []string{"UDP", "TCP"} {
		w.add("no other DNS leaves", "-Direction Outbound", "-Action Block", "-Protocol "+t, "-RemotePort 53,853", "-RemoteAddress "+others(w.p))
	}
}

// others gives all addresses but those of the resolvers, the peers and loopback. The
// first and last of each family are left out: they are no host's.
func others(p firewall.Plan) string {
	span := func(first, last string) firewall.Span[netip.Addr] {
		return firewall.Span[netip.Addr]{First: netip.MustParseAddr(first), Last: netip.MustParseAddr(last)}
	}
	all := firewall.NewSet(span("1.0.0.0", "126.255.255.255"), span("128.0.0.0", "255.255.255.254"), span("::2", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"))
	var own []netip.Prefix
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		own = append(append(own, device.Resolvers(p, f)...), p.DNS.PeersOf(f)...)
	}
	var words []string
	for _, s := range all.Subtract(firewall.AddrsOf(own...)).Spans() {
		if s.First == s.Last {
			words = append(words, s.First.String())
			continue
		}
		words = append(words, s.First.String()+"-"+s.Last.String())
	}
	return quoted(words)
}

func protocol(t exposure.Transport) string {
	if t == policy.ESP {
		return "50"
	}
	return strings.ToUpper(string(t))
}

func ports(ranges []firewall.PortRange) string {
	words := make([]string, len(ranges))
	for i, r := range ranges {
		words[i] = r.String()
	}
	return quoted(words)
}

func hosts(addrs []netip.Addr) string {
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.Unmap().WithZone("").String()
	}
	return quoted(words)
}

func prefixes(list []netip.Prefix) string {
	var words []string
	for _, p := range list {
		switch {
		case p.Bits() > 0:
			words = append(words, p.String())
		case p.Addr().Is4():
			words = append(words, "0.0.0.0/1", "128.0.0.0/1") // a length of zero is not taken
		default:
			words = append(words, "::/1", "8000::/1")
		}
	}
	return quoted(words)
}

// quoted is an array of strings; the words have no quotation marks.
func quoted(words []string) string { return "'" + strings.Join(words, "','") + "'" }
