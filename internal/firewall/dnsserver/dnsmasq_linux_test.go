package dnsserver_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall/dnsserver"
	"reconshield/internal/policy"
)

// dnsmasqScript has a client in the house's network and one outside of it, each
// in a namespace of its own.
const dnsmasqScript = `set -e
mount -t tmpfs none /run
ip link set lo up
for z in lan:eth1:10.0.0 wan:eth0:192.0.2; do
	name=${z%%:*} rest=${z#*:}
	link=${rest%%:*} net=${rest#*:}
	ip netns add $name
	ip link add $link type veth peer name client netns $name
	ip addr add $net.53/24 dev $link
	ip link set $link up
	nsenter --net=/run/netns/$name ip addr add $net.9/24 dev client
	nsenter --net=/run/netns/$name ip link set client up
done
dnsmasq --keep-in-foreground --user=root --group= --pid-file= --conf-file=main.conf > log 2>&1 &
n=0
until dig +time=1 +tries=1 @127.0.0.1 www.example.net 2>&1 | grep -q 'status: NOERROR'; do
	n=$((n+1))
	test $n -lt 200 || { echo "dnsmasq does not answer"; cat log; exit 8; }
	sleep 0.05
done
for z in lan:10.0.0.53 wan:192.0.2.53; do
	nsenter --net=/run/netns/${z%%:*} dig +time=1 +tries=1 @${z#*:} www.example.net > answer 2>&1 || true
	got=$(sed -n 's/.*status: \([A-Z]*\),.*/\1/p' answer)
	echo "${z%%:*} ${got:-silence}"
done
`

// TestDnsmasqObeysInterfaces asks the real dnsmasq from inside and outside.
func TestDnsmasqObeysInterfaces(t *testing.T) {
	for program, pkg := range map[string]string{"unshare": "util-linux", "dig": "bind9-dnsutils", "ip": "iproute2", "dnsmasq": "dnsmasq-base"} {
		need(t, program, pkg)
	}
	config, err := dnsserver.RenderDnsmasq(as(plan(t, "resolver"), policy.Forwarder))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"rendered.conf": config.Files[0].Text, "run.sh": dnsmasqScript,
		"main.conf": "conf-file=" + filepath.Join(dir, "rendered.conf") + "\nno-hosts\naddress=/www.example.net/192.0.2.80\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-Urnmpf", "--kill-child", "sh", "run.sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if diff := cmp.Diff("lan NOERROR\nwan silence\n", string(out)); diff != "" {
		t.Errorf("dnsmasq does not obey (-want +got):\n%s\n%s", diff, config.Files[0].Text)
	}
}
