//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// lookup finds a program also where only root's path leads, and names the
// Debian package of one that is missing.
func lookup(program string) (string, error) {
	if filepath.IsAbs(program) {
		return program, nil
	}
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	pkg, ok := packages()[program]
	if !ok {
		return "", errors.New(program + " is not installed")
	}
	return "", fmt.Errorf("%s is not installed: install the Debian package %s", program, pkg)
}

// packages names the Debian package of every program the lab runs.
func packages() map[string]string {
	return map[string]string{
		"named":           "bind9",
		"dnssec-keygen":   "bind9-utils",
		"dnssec-signzone": "bind9-utils",
		"dig":             "bind9-dnsutils",
		"kdig":            "knot-dnsutils",
		"unbound":         "unbound",
		"knotd":           "knot",
		"nsd":             "nsd",
		"pdns_server":     "pdns-server",
		"pdnsutil":        "pdns-server",
		"pdns_recursor":   "pdns-recursor",
		"sqlite3":         "sqlite3",
		"dnsmasq":         "dnsmasq-base",
		"dnsdist":         "dnsdist",
		"nft":             "nftables",
		"iptables":        "iptables",
		"sshd":            "openssh-server",
		"ssh-keygen":      "openssh-client",
		"openssl":         "openssl",
		"setpriv":         "util-linux",
		"nsenter":         "util-linux",
		"ip":              "iproute2",
		"tcpdump":         "tcpdump",

		// Firewalls and resolvers whose configurations are written and read.
		"firewall-offline-cmd": "firewalld",
		"ipset":                "ipset",
		"kresd":                "knot-resolver",
		"ufw":                  "ufw",

		// Servers whose answers the UDP payloads are tried on.
		"chronyd":             "chrony",
		"coap-server-openssl": "libcoap3-bin",
		"in.tftpd":            "tftpd-hpa",
		"memcached":           "memcached",
		"rpcbind":             "rpcbind",
		"snmpd":               "snmpd",
		"xinetd":              "xinetd",
		"xl2tpd":              "xl2tpd",
	}
}

// confined reports whether AppArmor is on. Its profiles name programs by path
// and keep name servers out of the lab's directories.
func confined() bool {
	state, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.TrimSpace(string(state)) == "Y"
}

// unconfined copies a program to where no profile applies to it.
func unconfined(program string) (string, error) {
	dir := filepath.Join(labRoot, "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	copied := filepath.Join(dir, filepath.Base(program))
	if _, err := os.Stat(copied); err == nil {
		return copied, nil
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	// Servers start in parallel, so the copy must appear in one piece.
	file, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Chmod(0o755), file.Close()); err != nil { //nolint:gosec // a program
		return "", err
	}
	return copied, os.Rename(file.Name(), copied)
}
