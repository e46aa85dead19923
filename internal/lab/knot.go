//go:build linux

package lab

import "fmt"

// knotServer starts every knot.conf. Further server options follow directly.
const knotServer = `
log:
  - target: stderr
    any: info
control:
    listen: "{dir}/knot.sock"
database:
    storage: "{dir}"
server:
    rundir: "{dir}"
    listen: [ 0.0.0.0@53, ::@53 ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 2
    automatic-acl: off
`

// knotZones opens the zone clause; the template has to come before it.
const knotZones = `
template:
  - id: default
    storage: "{dir}/zones"
    file: "%s.zone"
    zonefile-sync: -1
zone:
`

func knotKinds() []Kind {
	return []Kind{
		{
			Name: "knot-safe", Packages: []string{"knot"},
			start: knot(publicZones(), "    version: \"\"\n    identity: \"\"\n    nsid: \"\"\n", "", ""),
		},
		{
			Name: "knot-abused", Packages: []string{"knot"}, needs: []string{"ns1"},
			Abused: "transfer, update and notify open to all, version and identity shown, private data, wildcard; " +
				"ed.test on it is signed as it should be (Ed25519, NSEC3 without iterations)",
			start: knot(abusedZones(), "    identity: \"knot-abused\"\n", `
acl:
  - id: everyone
    action: [ transfer, notify, update ]
remote:
  - id: ns1
    address: {ns1.4}
policy:
  - id: modern
    algorithm: ed25519
    single-type-signing: on
    nsec3: on
    nsec3-iterations: 0
    nsec3-salt-length: 0
`, "    acl: everyone\n", "ed.test", "notify.test"),
		},
	}
}

// knot runs Knot DNS with the zones. options go into the server clause,
// clauses after it, zoneOptions into every zone; signed is signed by the
// server, secondary is transferred from ns1.
func knot(zones []string, options, clauses, zoneOptions string, extra ...string) func(*setup) error {
	conf := knotServer + options + clauses + knotZones + each(zones, func(zone string) string {
		return "  - domain: " + zone + "\n" + zoneOptions
	})
	d := server{zones: zones, argv: []string{"knotd", "-c", "{dir}/knot.conf"}}
	if len(extra) == 2 {
		signed, secondary := extra[0], extra[1]
		conf += fmt.Sprintf("  - domain: %s\n%s    dnssec-signing: on\n    dnssec-policy: modern\n", signed, zoneOptions)
		conf += fmt.Sprintf("  - domain: %s\n%s    master: ns1\n", secondary, zoneOptions)
		d.zones = append(d.zones, signed)
		d.ask = signed + " DNSKEY"
	}
	d.files = map[string]string{"knot.conf": conf}
	return d.start
}
