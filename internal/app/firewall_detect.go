package app

import (
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/recommend"
)

// detected is the firewall that an asset is taken to have.
type detected struct {
	format string // as firewall recommend names it
	why    string // what tells so, for people
}

// detectFirewall tells the firewall of an asset: of this machine from what is
// switched on here, of others from what their services say of the system. ok is
// false when nothing tells.
func detectFirewall(a *exposure.Asset) (d detected, ok bool) {
	if ownAddress(a.Address) {
		return localFirewall(os.DirFS("/"), runtime.GOOS)
	}
	for i := range a.Ports {
		p := &a.Ports[i]
		if p.State != exposure.Open || p.Service == nil {
			continue
		}
		if format := platformFirewall(p.Service); format != "" {
			return detected{format, "by what " + portName(p.Transport, p.Port) + " says of itself"}, true
		}
	}
	return d, false
}

// platformFirewall is the firewall of the system that a service names.
func platformFirewall(s *exposure.Service) string {
	if s.Product == exposure.WindowsDNS {
		return "windows"
	}
	said := strings.ToLower(strings.Join([]string{s.CPE, s.Name, s.Banner}, "\n"))
	for _, t := range []struct{ word, format string }{
		{"routeros", "routeros"},
		{"mikrotik", "routeros"},
		{"fortios", "fortios"},
		{"fortigate", "fortios"},
		{"opnsense", "opnsense"},
		{"pfsense", "pfsense"},
		{"pan-os", "panos"},
		{"junos", "junos"},
		{"adaptive_security_appliance", "asa"},
		{"cisco:ios", "ios"},
		{"cisco ios", "ios"},
		{"microsoft:windows", "windows"},
		{"microsoft windows", "windows"},
		{"openssh_for_windows", "windows"},
		{"freebsd", "pf"},
		{"openbsd:openbsd", "pf"}, // not its OpenSSH, which runs everywhere
	} {
		if strings.Contains(said, t.word) {
			return t.format
		}
	}
	return ""
}

// localFirewall tells which firewall is switched on, by its own files and by
// what runs. root is the file system of the machine.
func localFirewall(root fs.FS, goos string) (detected, bool) {
	switch goos {
	case "windows", "openbsd", "darwin":
		return detected{map[string]string{"windows": "windows", "openbsd": "pf", "darwin": "pf"}[goos], "the firewall of this system"}, true
	case "freebsd":
		if slices.Contains(words(root, "etc/rc.conf"), `firewall_enable="YES"`) {
			return detected{"ipfw", "switched on in /etc/rc.conf"}, true
		}
		return detected{"pf", "the firewall of this system"}, true
	}
	if slices.Contains(words(root, "etc/ufw/ufw.conf"), "ENABLED=yes") {
		return detected{"ufw", "switched on in /etc/ufw/ufw.conf"}, true
	}
	// The pattern is good, so there is no error.
	running, _ := fs.Glob(root, "proc/[0-9]*/comm")
	for _, name := range running {
		if slices.Contains(words(root, name), "firewalld") {
			return detected{"firewalld", "it runs here"}, true
		}
	}
	return detected{}, false
}

// words of a small file; none when it cannot be read.
func words(root fs.FS, name string) []string {
	const most = 64 << 10
	text, err := fs.ReadFile(root, name)
	if err != nil || len(text) > most {
		return nil
	}
	return strings.Fields(string(text))
}

func ownAddress(a netip.Addr) bool {
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(own, func(x net.Addr) bool {
		prefix, err := netip.ParsePrefix(x.String())
		return err == nil && prefix.Addr().Unmap() == a.Unmap().WithZone("")
	})
}

// advice tells how to get rules for a firewall that no general rules are
// written for.
func (d detected) advice() []exposure.Fix {
	f, err := recommend.Find(d.format)
	if err != nil || d.format == "nftables" || d.format == "iptables" {
		return nil // general rules speak their language
	}
	return []exposure.Fix{{
		Kind: "firewall", For: f.Title,
		Text: fmt.Sprintf("It seems to be the firewall here (%s). Have a policy written from this assessment and its rules from the policy: reconshield policy init, then reconshield firewall recommend --policy policy.yaml --asset NAME --for %s.", d.why, d.format),
	}}
}
