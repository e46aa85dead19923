package dnsserver_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/dnsserver"
	"reconshield/internal/policy"
)

// house is a server with its rendered access control in a namespace of its own.
type house struct {
	render  render
	plan    firewall.Plan
	program string
	pkg     string
	start   string            // a shell command; {rendered} is the rendered file
	files   map[string]string // beside it
	asks    []ask
}

// ask is a query and what becomes of it: an rcode, "transferred" or "silence".
type ask struct{ from, to, question, want string }

const zoneText = `$ORIGIN example.net.
@ 3600 SOA ns1 dns 1 3600 900 604800 300
@ 3600 NS ns1
ns1 3600 A 192.0.2.53
www 3600 A 192.0.2.80
`

// TestServersObey starts the real servers and asks them from the addresses of
// every zone.
func TestServersObey(t *testing.T) {
	need(t, "unshare", "util-linux")
	need(t, "dig", "bind9-dnsutils")
	need(t, "ip", "iproute2")
	for name, h := range houses(t) {
		t.Run(name, func(t *testing.T) {
			need(t, h.program, h.pkg)
			h.run(t)
		})
	}
}

func houses(t *testing.T) map[string]house {
	t.Helper()
	wanOnly, resolver := plan(t, "wan only"), plan(t, "resolver")
	authority := []ask{
		{"198.51.100.9", "192.0.2.53", "www.example.net", "NOERROR"},
		{"2001:db8:ffff::9", "2001:db8::53", "www.example.net", "NOERROR"},
		{"10.8.0.9", "192.0.2.53", "www.example.net", "REFUSED"},
		{"10.0.0.9", "192.0.2.53", "www.example.net", "REFUSED"},
		{"fd00:1::9", "2001:db8::53", "www.example.net", "REFUSED"},
		{"127.0.0.1", "127.0.0.1", "www.example.net", "NOERROR"},
		{"198.51.100.9", "192.0.2.53", "www.example.org", "REFUSED"},
		{"198.51.100.53", "192.0.2.53", "example.net AXFR", "transferred"},
		{"198.51.100.9", "192.0.2.53", "example.net AXFR", "refused"},
	}
	open := []ask{ // of a server without a list of clients
		authority[0], authority[1],
		{"10.8.0.9", "192.0.2.53", "www.example.net", "NOERROR"},
		authority[6], authority[7], authority[8],
	}
	clients := []ask{
		{"10.0.0.9", "10.0.0.53", "www.example.net", "NOERROR"},
		{"10.8.0.9", "10.0.0.53", "www.example.net", "NOERROR"},
		{"fd00:1::9", "fd00:1::53", "www.example.net", "NOERROR"},
		{"198.51.100.9", "10.0.0.53", "www.example.net", "REFUSED"},
		{"2001:db8:ffff::9", "fd00:1::53", "www.example.net", "REFUSED"},
	}
	silent := []ask{
		clients[0], clients[1], clients[2],
		{"198.51.100.9", "10.0.0.53", "www.example.net", "silence"},
		{"2001:db8:ffff::9", "fd00:1::53", "www.example.net", "silence"},
	}
	bindFiles := map[string]string{
		"zone":       zoneText,
		"named.conf": "include \"{rendered}\";\ncontrols { };\nzone \"example.net\" { type primary; file \"{dir}/zone\"; };\n",
	}
	forwarder := as(resolver, policy.Forwarder)
	notauth := slices.Clone(authority) // which is what Knot's module answers
	for i := range notauth {
		if notauth[i].want == "REFUSED" && notauth[i].question == "www.example.net" {
			notauth[i].want = "NOTAUTH"
		}
	}
	return map[string]house{
		"bind":          {dnsserver.RenderBIND, wanOnly, "named", "bind9", "named -g -c named.conf", bindFiles, authority},
		"bind resolver": {dnsserver.RenderBIND, resolver, "named", "bind9", "named -g -c named.conf", bindFiles, clients},
		"knot": {dnsserver.RenderKnot, wanOnly, "knotd", "knot", "knotd -c knot.conf", map[string]string{
			"zone":      zoneText,
			"knot.conf": "database:\n    storage: \"{dir}\"\ninclude: \"{rendered}\"\nzone:\n  - domain: example.net\n    file: \"{dir}/zone\"\n",
		}, notauth},
		"unbound": {dnsserver.RenderUnbound, resolver, "unbound", "unbound", "unbound -d -p -c unbound.conf", map[string]string{
			"unbound.conf": "server:\n\tusername: \"\"\n\tchroot: \"\"\n\tuse-syslog: no\n\tlocal-data: \"www.example.net. A 192.0.2.80\"\ninclude: \"{rendered}\"\nremote-control:\n\tcontrol-enable: no\n",
		}, clients},
		"knot resolver": {dnsserver.RenderKnotResolver, resolver, "kresd", "knot-resolver", "kresd -n -c kresd.conf {dir}", map[string]string{
			"kresd.conf": "trust_anchors.remove('.')\nmodules.load('hints > iterate')\nhints['www.example.net'] = '192.0.2.80'\ndofile('{rendered}')\n",
		}, clients},
		"powerdns": {dnsserver.RenderPowerDNS, plan(t, "authority"), "pdns_server", "pdns-backend-bind", "pdns_server --config-dir=.", map[string]string{
			"zone": zoneText, "zones": "zone \"example.net\" { type native; file \"{dir}/zone\"; };\n",
			"pdns.conf": "launch=bind\nbind-config={dir}/zones\nsocket-dir={dir}\nsecurity-poll-suffix=\ninclude-dir={dir}/rendered\n",
		}, open},
		"powerdns recursor": {dnsserver.RenderPowerDNSRecursor, resolver, "pdns_recursor", "pdns-recursor", "pdns_recursor --config-dir=.", map[string]string{
			"zone": zoneText, "recursor.conf": "socket-dir={dir}\nsecurity-poll-suffix=\nauth-zones=example.net={dir}/zone\ninclude-dir={dir}/rendered\n",
		}, silent},
		"unbound forwarder": {dnsserver.RenderUnbound, forwarder, "unbound", "unbound", upstream + "unbound -d -p -c unbound.conf", withUpstream("unbound.conf",
			"server:\n\tusername: \"\"\n\tchroot: \"\"\n\tuse-syslog: no\ninclude: \"{rendered}\"\nremote-control:\n\tcontrol-enable: no\n"), clients},
		"knot resolver forwarder": {
			dnsserver.RenderKnotResolver, forwarder, "kresd", "knot-resolver", upstream + "kresd -n -c kresd.conf {dir}",
			withUpstream("kresd.conf", "trust_anchors.remove('.')\ndofile('{rendered}')\n"), clients,
		},
		"powerdns recursor forwarder": {
			dnsserver.RenderPowerDNSRecursor, forwarder, "pdns_recursor", "pdns-recursor", upstream + "pdns_recursor --config-dir=.",
			withUpstream("recursor.conf", "socket-dir={dir}\nsecurity-poll-suffix=\ndont-query=\ndnssec=off\ninclude-dir={dir}/rendered\n"), silent,
		},
		"bind forwarder": {dnsserver.RenderBIND, as(resolver, policy.Forwarder), "named", "bind9", "named -g -c named.conf", bindFiles, clients},
	}
}

// upstream starts the approved resolver of a forwarder, which knows one zone.
const upstream = `named -g -c upstream.conf > upstream.log 2>&1 &
n=0
until dig +time=1 +tries=1 @198.51.100.1 www.example.net 2>&1 | grep -q 'status: NOERROR'; do
	n=$((n+1))
	test $n -lt 200 || { cat upstream.log; exit 7; }
	sleep 0.05
done
`

// withUpstream gives the files of a forwarder and of the resolver it asks.
func withUpstream(name, text string) map[string]string {
	return map[string]string{
		name: text, "zone": zoneText,
		"root": ". 3600 SOA a. dns. 1 3600 900 604800 300\n. 3600 NS a.\na. 3600 A 198.51.100.1\n",
		"upstream.conf": "options { directory \"{dir}\"; listen-on { 198.51.100.1; }; listen-on-v6 { 2001:db8:2::1; }; recursion yes; dnssec-validation no; };\n" +
			"controls { };\nzone \".\" { type primary; file \"{dir}/root\"; };\nzone \"example.net\" { type primary; file \"{dir}/zone\"; };\n",
	}
}

// run starts the server in namespaces that die with it, where the addresses of
// all zones are on the loopback interface.
func (h house) run(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	config, err := h.render(h.plan)
	if err != nil {
		t.Fatal(err)
	}
	rendered := filepath.Join(dir, "rendered", "reconshield.conf")
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(rendered, config.Files[0].Text)
	places := strings.NewReplacer("{dir}", dir, "{rendered}", rendered)
	for name, text := range h.files {
		write(filepath.Join(dir, name), places.Replace(text))
	}
	write(filepath.Join(dir, "run.sh"), h.script(places.Replace(h.start)))
	cmd := exec.CommandContext(t.Context(), "unshare", "-Urnmpf", "--kill-child", "sh", "run.sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := cmd.Output()
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, log)
	}
	var want []string
	for _, a := range h.asks {
		want = append(want, fmt.Sprintf("%s from %s: %s", a.question, a.from, a.want))
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
		t.Errorf("the server does not obey (-want +got):\n%s\n%s\n%s", diff, config.Files[0].Text, log)
	}
}

// script asks until the server answers at all, then every question.
func (h house) script(start string) string {
	var b strings.Builder
	b.WriteString(`mount -t tmpfs none /run || exit 9
mount -t tmpfs none /var/cache || exit 9
mkdir -p /run/named /run/knot /var/cache/bind
ip link set lo up
for a in 192.0.2.53/32 10.0.0.53/32 10.0.0.9/32 10.8.0.9/32 198.51.100.9/32 198.51.100.53/32 198.51.100.1/32 2001:db8:2::1/128 \
	2001:db8::53/128 fd00:1::53/128 fd00:1::9/128 2001:db8:ffff::9/128; do
	ip addr add $a dev lo nodad 2>/dev/null || ip addr add $a dev lo || exit 9
done
`)
	fmt.Fprintf(&b, "%s > log 2>&1 &\n", start)
	b.WriteString(`n=0
until dig +time=1 +tries=1 @127.0.0.1 www.example.net > ready 2>&1 && grep -q 'status: NOERROR' ready; do
	n=$((n+1))
	test $n -lt 200 || { echo "the server does not answer"; cat ready log; exit 8; }
	sleep 0.05
done
ask() {
	from=$1 to=$2
	shift 2
	dig +time=1 +tries=1 -b $from @$to "$@" > answer 2>&1
	if grep -q 'Transfer failed' answer; then got=refused
	elif grep -q 'XFR size' answer; then got=transferred
	else got=$(sed -n 's/.*status: \([A-Z]*\),.*/\1/p' answer); fi
	echo "$* from $from: ${got:-silence}"
}
`)
	for _, a := range h.asks {
		fmt.Fprintf(&b, "ask %s %s %s\n", a.from, a.to, a.question)
	}
	return b.String()
}
