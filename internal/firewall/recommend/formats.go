package recommend

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/asa"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/azure"
	"reconshield/internal/firewall/dnsserver"
	"reconshield/internal/firewall/firewalld"
	"reconshield/internal/firewall/fortios"
	"reconshield/internal/firewall/gcp"
	"reconshield/internal/firewall/ios"
	"reconshield/internal/firewall/ipfw"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/firewall/junos"
	"reconshield/internal/firewall/kubernetes"
	"reconshield/internal/firewall/nft"
	"reconshield/internal/firewall/opnsense"
	"reconshield/internal/firewall/panos"
	"reconshield/internal/firewall/pf"
	"reconshield/internal/firewall/routeros"
	"reconshield/internal/firewall/ufw"
	"reconshield/internal/firewall/windows"
)

// Format is something that plans can be written in. Render gives the whole
// configuration or none: what it cannot express is a
// *firewall.UnsupportedError.
type Format struct {
	Name    string // as in "--for nftables"
	Aliases []string
	Title   string // for people
	Render  func(firewall.Plan) (firewall.Config, error)
}

// Formats are all formats: those of hosts, of firewalls and routers, of clouds
// and clusters, and of DNS servers.
func Formats() []Format { return slices.Concat(hosts(), devices(), clouds(), servers()) }

func hosts() []Format {
	return []Format{
		{"nftables", []string{"nft"}, "nftables", nft.Render},
		{"iptables", []string{"iptables-restore", "ip6tables", "ip6tables-restore"}, "iptables and ip6tables", iptables.Render},
		{"ufw", nil, "Uncomplicated Firewall (ufw)", ufw.Render},
		{"firewalld", []string{"firewall-cmd"}, "firewalld", firewalld.Render},
		{"pf", []string{"openbsd", "pfctl"}, "PF of OpenBSD and FreeBSD", pf.Render},
		{"ipfw", []string{"freebsd"}, "FreeBSD ipfw", ipfw.Render},
		{"windows", []string{"powershell", "windows-firewall"}, "Windows Defender Firewall (PowerShell)", windows.Render},
	}
}

func devices() []Format {
	return []Format{
		{"opnsense", nil, "OPNsense", opnsense.RenderOPNsense},
		{"pfsense", nil, "pfSense", opnsense.RenderPFSense},
		{"routeros", []string{"mikrotik"}, "MikroTik RouterOS", routeros.Render},
		{"asa", []string{"cisco-asa"}, "Cisco ASA", asa.Render},
		{"ios", []string{"cisco-ios", "ios-xe"}, "Cisco IOS", ios.Render},
		{"junos", []string{"srx", "juniper"}, "Juniper SRX (Junos)", junos.Render},
		{"fortios", []string{"fortigate", "fortinet"}, "FortiGate (FortiOS)", fortios.Render},
		{"panos", []string{"pan-os", "paloalto"}, "Palo Alto Networks PAN-OS", panos.Render},
	}
}

func clouds() []Format {
	return []Format{
		{"aws-sg", []string{"aws", "security-group"}, "AWS security group", aws.RenderSecurityGroup},
		{"aws-nacl", []string{"nacl", "network-acl"}, "AWS network ACL", aws.RenderNetworkACL},
		{"azure", []string{"nsg", "azure-nsg"}, "Azure network security group", azure.Render},
		{"gcp", []string{"google", "gce"}, "Google Cloud VPC firewall", gcp.Render},
		{"kubernetes", []string{"k8s", "networkpolicy"}, "Kubernetes NetworkPolicy", kubernetes.RenderNetworkPolicy},
		{"cilium", []string{"ciliumnetworkpolicy"}, "Cilium network policy", kubernetes.RenderCilium},
	}
}

func servers() []Format {
	return []Format{
		{"bind", []string{"named", "bind9"}, "BIND access control", dnsserver.RenderBIND},
		{"unbound", nil, "Unbound access control", dnsserver.RenderUnbound},
		{"knot", nil, "Knot DNS access control", dnsserver.RenderKnot},
		{"knot-resolver", []string{"kresd"}, "Knot Resolver access control", dnsserver.RenderKnotResolver},
		{"powerdns", []string{"pdns"}, "PowerDNS Authoritative Server access control", dnsserver.RenderPowerDNS},
		{"powerdns-recursor", []string{"pdns-recursor"}, "PowerDNS Recursor access control", dnsserver.RenderPowerDNSRecursor},
		{"dnsmasq", nil, "dnsmasq access control", dnsserver.RenderDnsmasq},
		{"windows-dns", nil, "Windows DNS Server access control (PowerShell)", dnsserver.RenderWindowsDNS},
		{"coredns", nil, "CoreDNS access control", dnsserver.RenderCoreDNS},
	}
}

// Find gives a format by its name or an alias, in any case. The error names
// all of them and the nearest.
func Find(name string) (Format, error) {
	all := Formats()
	var names, near []string
	for _, f := range all {
		if strings.EqualFold(f.Name, name) || slices.ContainsFunc(f.Aliases, func(a string) bool { return strings.EqualFold(a, name) }) {
			return f, nil
		}
		names = append(names, f.Name)
		near = append(append(near, f.Name), f.Aliases...)
	}
	hint := ""
	if best, ok := nearest(name, near); ok {
		hint = fmt.Sprintf(", did you mean %q?", best)
	}
	return Format{}, fmt.Errorf("format %q is unknown%s (known are %s)", short(name), hint, strings.Join(names, ", "))
}
