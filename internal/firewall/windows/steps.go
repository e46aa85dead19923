package windows

import (
	"fmt"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
)

// config adds the script for the way back and what to do with both.
func config(p firewall.Plan, group, script string) firewall.Config {
	name := device.Label(p.Asset, 40)
	file, back := name+".ps1", name+".rollback.ps1"
	task := strings.ReplaceAll(group, " ", "-")
	return firewall.Config{
		Format: "windows",
		Files:  []firewall.File{{Name: file, Text: script}, {Name: back, Text: rollback(group)}},
		Check: []firewall.Step{{
			Text:    "Let PowerShell parse the script without running it.",
			Command: "$e = $null; [void][System.Management.Automation.Language.Parser]::ParseFile((Resolve-Path .\\" + file + "), [ref]$null, [ref]$e); $e",
		}},
		Apply: []firewall.Step{
			{Text: "Keep the whole configuration.", Command: "netsh advfirewall export \"$env:ProgramData\\" + task + ".wfw\""},
			{Text: "Let a task turn the old rules on again in five minutes, in case you shut yourself out.", Command: fmt.Sprintf(
				"Register-ScheduledTask -TaskName '%s-guard' -User SYSTEM -RunLevel Highest -Action (New-ScheduledTaskAction -Execute powershell.exe -Argument ('-ExecutionPolicy Bypass -File \"{0}\"' -f (Resolve-Path .\\%s))) -Trigger (New-ScheduledTaskTrigger -Once -At (Get-Date).AddMinutes(5)) | Out-Null", task, back)},
			{Text: "Run the script as administrator.", Command: ".\\" + file},
			{Text: "Log in anew from where you administer. When that works, remove the guard.", Command: "Unregister-ScheduledTask -TaskName '" + task + "-guard' -Confirm:$false"},
		},
		Rollback: []firewall.Step{{Text: "Remove the rules by their group, and turn on what was on before.", Command: ".\\" + back}},
		Verify: append(device.Verify(p), firewall.Step{
			Text:    "See every rule that lets something in, those of group policy too.",
			Command: "Get-NetFirewallRule -PolicyStore ActiveStore -Direction Inbound -Action Allow -Enabled True | Format-Table DisplayName, Group, PolicyStoreSourceType",
		}),
		Notes: append([]string{
			"Rules from group policy and block rules that exist stay in force: the last command shows the former; change them where they are made.",
			"A host that gets its address by DHCP needs the rule back that lets the answers in: Enable-NetFirewallRule -Name CoreNet-DHCP-In, CoreNet-DHCPV6-In.",
			"It is a host's firewall: what the host forwards (RRAS, connection sharing, virtual machines, containers) passes by these rules. Leave forwarding off: Get-NetIPInterface -Forwarding Enabled lists where it is on.",
			"Programs can add rules of their own when they are installed or first listen: look again after changes.",
		}, append(device.Locked(p, 3389, 5985, 5986, 22), device.Cautions(p)...)...),
	}
}

// rollback is the script that undoes what the first one did.
func rollback(group string) string {
	return fmt.Sprintf(`# Turns the rules of reconshield off and those on that were in force before.
#Requires -RunAsAdministrator
$ErrorActionPreference = 'Stop'
$group = '%s'
$kept = Join-Path $env:ProgramData '%s.json'
$before = Get-Content -Raw $kept | ConvertFrom-Json
foreach ($name in $before.Rules) { Enable-NetFirewallRule -Name $name -ErrorAction Continue }
foreach ($p in $before.Profiles) { Set-NetFirewallProfile -Name $p.Name -Enabled $p.Enabled -DefaultInboundAction $p.In -DefaultOutboundAction $p.Out }
Get-NetFirewallRule -Group $group -ErrorAction SilentlyContinue | Remove-NetFirewallRule
Remove-Item $kept
`, group, strings.ReplaceAll(group, " ", "-"))
}
