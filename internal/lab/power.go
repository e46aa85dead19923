//go:build linux

package lab

import (
	"fmt"
	"os"
)

// powerAuth starts every pdns.conf. The security poll would ask a name
// outside the lab.
const powerAuth = `
daemon=no
guardian=no
local-address=0.0.0.0, ::
socket-dir={dir}
security-poll-suffix=
receiver-threads=1
distributor-threads=1
loglevel=4
`

const powerRecursor = `
daemon=no
local-address=0.0.0.0, ::
query-local-address=0.0.0.0, ::
socket-dir={dir}
hint-file={dir}/hints
lua-config-file={dir}/trust.lua
security-poll-suffix=
dont-query=
threads=1
max-cache-entries=10000
`

// powerSchema is part of the Debian package.
const powerSchema = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"

func powerKinds() []Kind {
	needs := []string{"root", "ns1"}
	return []Kind{
		{
			Name: "pdns-auth-safe", Packages: []string{"pdns-server", "pdns-backend-bind"},
			start: powerAuthSafe,
		},
		{
			Name: "pdns-auth-abused", Packages: []string{"pdns-server", "pdns-backend-sqlite3", "sqlite3"},
			Abused: "transfer and update open to all, version shown, private data, wildcard, web server without a password",
			start:  powerAuthAbused,
		},
		{
			Name: "pdns-recursor-safe", Packages: []string{"pdns-recursor"}, needs: needs,
			start: recursor("allow-from=127.0.0.0/8, ::1/128\ndnssec=validate\nversion-string=\nserver-id=disabled\n"),
		},
		{
			Name: "pdns-recursor-validating", Packages: []string{"pdns-recursor"}, needs: needs,
			Abused: "open recursion, no rebinding filter; it validates",
			start:  recursor("allow-from=0.0.0.0/0, ::/0\ndnssec=validate\nversion-string=\nserver-id=disabled\n"),
		},
		{
			Name: "pdns-recursor-abused", Packages: []string{"pdns-recursor"}, needs: needs,
			Abused: "open recursion, no validation, version and identity shown, web server without a password",
			start: recursor(`allow-from=0.0.0.0/0, ::/0
dnssec=off
server-id=pdns-recursor-abused
webserver=yes
webserver-address=::
webserver-port=8082
webserver-allow-from=0.0.0.0/0,::/0
`, "8082"),
		},
	}
}

func powerAuthSafe(s *setup) error {
	zones := each(publicZones(), func(zone string) string {
		return fmt.Sprintf("zone %q { type native; file \"{dir}/%s\"; };\n", zone, zoneFile(zone))
	})
	return server{
		zones: publicZones(),
		files: map[string]string{
			"pdns.conf":  powerAuth + "launch=bind\nbind-config={dir}/zones.conf\nversion-string=anonymous\n",
			"zones.conf": zones,
		},
		argv: []string{"pdns_server", "--config-dir={dir}"},
	}.start(s)
}

// powerAuthAbused needs a database, because updates do.
func powerAuthAbused(s *setup) error {
	return server{
		zones: abusedZones(),
		files: map[string]string{"pdns.conf": powerAuth + `launch=gsqlite3
gsqlite3-database={dir}/pdns.db
gsqlite3-pragma-synchronous=0
allow-axfr-ips=0.0.0.0/0,::/0
dnsupdate=yes
allow-dnsupdate-from=0.0.0.0/0,::/0
server-id=pdns-auth-abused
webserver=yes
webserver-address=::
webserver-port=8081
webserver-allow-from=0.0.0.0/0,::/0
`},
		before: func(s *setup) error {
			if _, err := os.Stat(powerSchema); err != nil {
				return fmt.Errorf("%w: install the Debian package pdns-backend-sqlite3", err)
			}
			if _, err := s.tool("sqlite3", "{dir}/pdns.db", ".read "+powerSchema); err != nil {
				return err
			}
			for _, zone := range abusedZones() {
				if _, err := s.tool("pdnsutil", "--config-dir={dir}", "load-zone", zone, "{dir}/"+zoneFile(zone)); err != nil {
					return err
				}
			}
			return nil
		},
		argv:  []string{"pdns_server", "--config-dir={dir}"},
		ports: []string{"8081"},
	}.start(s)
}

// recursor runs PowerDNS Recursor. The root of the lab is not signed, so the
// trust anchor that it has built in must go.
func recursor(options string, ports ...string) func(*setup) error {
	return func(s *setup) error {
		trust := "clearTA(\".\")\n"
		if ds := s.lab.anchor; ds != nil {
			trust += fmt.Sprintf("addTA(%q, \"%d %d %d %s\")\n", ds.Hdr.Name, ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest)
		}
		return server{
			files: map[string]string{
				"recursor.conf": powerRecursor + options,
				"trust.lua":     trust,
				"hints":         rootHints,
			},
			argv:  []string{"pdns_recursor", "--config-dir={dir}"},
			ports: ports,
		}.start(s)
	}
}
