package dnsserver

import (
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

// RenderWindowsDNS writes a PowerShell script for the DNS server of Windows
// Server 2016 and later. It knows every role but host.
func RenderWindowsDNS(p firewall.Plan) (firewall.Config, error) {
	a, err := server{name: "windows-dns", limits: true, roles: []policy.Role{
		policy.AuthoritativeDNS, policy.HiddenPrimary, policy.RecursiveDNS, policy.Forwarder, policy.PublicResolver,
	}}.access(p)
	if err != nil {
		return firewall.Config{}, err
	}
	hosts, err := a.hosts()
	if err != nil {
		return firewall.Config{}, err
	}
	var t text
	t.begin(a, "# ", "Windows DNS server access control")
	t.line("#Requires -Modules DnsServer\n$ErrorActionPreference = 'Stop'")
	if own := a.own(); len(own) > 0 { // the server listens on loopback anyway
		t.line("$settings = Get-DnsServerSetting -All")
		t.line("$settings.ListeningIPAddress = @(%s)", psList(own))
		t.line("Set-DnsServerSetting -InputObject $settings")
	}
	if a.recursive {
		t.line("Set-DnsServerRecursion -Enable $true")
	} else {
		t.line("Set-DnsServerRecursion -Enable $false")
	}
	if len(a.forward) > 0 {
		t.line("Set-DnsServerForwarder -IPAddress %s -UseRootHint $false", psList(fabric.Strings(a.forward)))
	}
	t.windowsClients(a)
	t.windowsTransfers(hosts)
	if a.limit != nil {
		t.line("Set-DnsServerResponseRateLimiting -Mode Enable -ResponsesPerSec %[1]d -ErrorsPerSec %[1]d -WindowInSec 5 -TruncateRate 2 "+
			"-IPv4PrefixLength 32 -IPv6PrefixLength 64 -Force", max(a.limit.PerSecond, 1))
		a.notes = append(a.notes, "Windows limits responses over UDP, an IPv6 /64 as one source; the burst is its window of 5 seconds, and every second dropped answer is sent truncated.")
	}
	if a.recursive {
		a.notes = append(a.notes, "Zones that the resolver has itself are transferred to nobody: where they have secondaries, give it a role of servers of zones.")
	}
	a.notes = append(a.notes, "Dynamic updates of zones stay as they are: set them to None or Secure by Set-DnsServerPrimaryZone.")
	return windowsConfig(p, a, t.String()), nil
}

// windowsClients replaces the policy that ignores everybody who may not ask.
func (t *text) windowsClients(a access) {
	t.line("Get-DnsServerQueryResolutionPolicy | Where-Object Name -eq 'reconshield-clients' | Remove-DnsServerQueryResolutionPolicy -Force")
	t.line("Get-DnsServerClientSubnet | Where-Object Name -eq 'reconshield-clients' | Remove-DnsServerClientSubnet -Force")
	if a.everybody {
		return
	}
	var v4, v6 []netip.Prefix
	for _, p := range a.allowed() {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	t.line("Add-DnsServerClientSubnet -Name 'reconshield-clients' -IPv4Subnet %s -IPv6Subnet %s",
		psList(fabric.Strings(v4)), psList(fabric.Strings(v6)))
	t.line("Add-DnsServerQueryResolutionPolicy -Name 'reconshield-clients' -Action IGNORE -ClientSubnet 'NE,reconshield-clients' -ProcessingOrder 1")
}

func (t *text) windowsTransfers(hosts []string) {
	t.line("Get-DnsServerZone | Where-Object { $_.ZoneType -eq 'Primary' -and -not $_.IsAutoCreated -and $_.ZoneName -ne 'TrustAnchors' } | ForEach-Object {")
	if len(hosts) == 0 {
		t.line("    Set-DnsServerPrimaryZone -Name $_.ZoneName -SecureSecondaries NoTransfer")
	} else {
		t.line("    Set-DnsServerPrimaryZone -Name $_.ZoneName -SecureSecondaries TransferToSecureServers -SecondaryServers %s", psList(hosts))
	}
	t.line("}")
}

// psList quotes addresses, which hold no quotes, for PowerShell.
func psList(values []string) string { return "'" + strings.Join(values, "', '") + "'" }

func windowsConfig(p firewall.Plan, a access, script string) firewall.Config {
	file := base(p) + "-dns.ps1"
	return firewall.Config{
		Format: a.server,
		Files:  []firewall.File{{Name: file, Text: script}},
		Check: []firewall.Step{{
			Text:    "Let PowerShell parse the script without running it.",
			Command: "$null = [scriptblock]::Create((Get-Content -Raw ./" + file + "))",
		}},
		Apply: []firewall.Step{
			{Text: "Save the settings and the zones' settings.", Command: "Get-DnsServer | Export-Clixml ./" + base(p) + "-dns.before.xml"},
			{Text: "Run the script as an administrator.", Command: "./" + file},
			{Text: "Restart the service, for the addresses to listen on.", Command: "Restart-Service DNS"},
		},
		Rollback: []firewall.Step{{
			Text:    "Restore the settings.",
			Command: "Set-DnsServer -InputObject (Import-Clixml ./" + base(p) + "-dns.before.xml) -Force\nRestart-Service DNS",
		}},
		Verify: []firewall.Step{
			{Text: "Assess the server from every zone.", Command: "reconshield assess " + strings.Join(fabric.Strings(p.Addresses), " ")},
			device.Verify(p)[0],
		},
		Notes: a.notes,
	}
}
