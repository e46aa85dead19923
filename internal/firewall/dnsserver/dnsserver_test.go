package dnsserver_test

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/dnsserver"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/policy"
)

type render func(firewall.Plan) (firewall.Config, error)

// checker is a format whose server can check a file.
type checker struct {
	render  render
	program string
	pkg     string // of Debian
	roles   []policy.Role
	wrong   string // a line that the server must refuse, so that its check means something
}

func checkers() map[string]checker {
	resolvers := []policy.Role{policy.RecursiveDNS, policy.Forwarder, policy.PublicResolver}
	authorities := []policy.Role{policy.AuthoritativeDNS, policy.HiddenPrimary}
	return map[string]checker{
		"bind":     {dnsserver.RenderBIND, "named-checkconf", "bind9-utils", append(authorities, resolvers...), "nonsense;"},
		"unbound":  {dnsserver.RenderUnbound, "unbound-checkconf", "unbound", resolvers, "nonsense: 1"},
		"knot":     {dnsserver.RenderKnot, "knotc", "knot", authorities, "nonsense:\n  - a: b"},
		"powerdns": {dnsserver.RenderPowerDNS, "pdns_server", "pdns-server", authorities[:1], "nonsense=1"},
		"recursor": {dnsserver.RenderPowerDNSRecursor, "pdns_recursor", "pdns-recursor", resolvers, "nonsense=1"},
		"dnsmasq":  {dnsserver.RenderDnsmasq, "dnsmasq", "dnsmasq-base", []policy.Role{policy.Forwarder}, "nonsense=1"},
	}
}

// TestServersAcceptTheirFiles runs the check that the configuration itself
// names, on every plan that the format can express.
func TestServersAcceptTheirFiles(t *testing.T) {
	for name, c := range checkers() {
		t.Run(name, func(t *testing.T) {
			need(t, c.program, c.pkg)
			accepted := 0
			for _, plan := range append(fabrictest.Plans(), limited(100), limited(1<<20)) {
				for _, role := range c.roles {
					config, err := c.render(as(plan.Plan, role))
					if errors.As(err, new(*firewall.UnsupportedError)) {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					accepted++
					if out, err := check(t, config, config.Files[0].Text); err != nil {
						t.Errorf("%s as %s: %v\n%s\n%s", plan.Name, role, err, out, config.Files[0].Text)
					}
					if accepted == 1 {
						if out, err := check(t, config, config.Files[0].Text+"\n"+c.wrong+"\n"); err == nil {
							t.Errorf("the check finds nothing wrong with %q\n%s", c.wrong, out)
						}
					}
				}
			}
			if accepted == 0 {
				t.Error("no plan can be expressed")
			}
		})
	}
}

// limited is a plan with a rate limit.
func limited(rate int) fabrictest.Case {
	p := fabrictest.Authority()
	p.Limit = &firewall.RateLimit{PerSecond: rate, Burst: 2 * rate}
	return fabrictest.Case{Name: "limited", Plan: p}
}

// as gives a plan another role, and a forwarder its resolvers.
func as(p firewall.Plan, role policy.Role) firewall.Plan {
	p.Role = role
	if role == policy.Forwarder {
		p.DNS = firewall.DNSEgress{Control: true, Resolvers: []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:2::1")}}
	}
	return p
}

func check(t *testing.T, c firewall.Config, text string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, c.Files[0].Name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", c.Check[0].Command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func need(t *testing.T, program, pkg string) {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
			return
		}
	}
	t.Fatalf("no program %s: install the Debian package %s", program, pkg)
}

func all() map[string]render {
	return map[string]render{
		"bind": dnsserver.RenderBIND, "unbound": dnsserver.RenderUnbound, "knot": dnsserver.RenderKnot,
		"knot-resolver": dnsserver.RenderKnotResolver, "powerdns": dnsserver.RenderPowerDNS,
		"powerdns-recursor": dnsserver.RenderPowerDNSRecursor, "dnsmasq": dnsserver.RenderDnsmasq,
		"windows-dns": dnsserver.RenderWindowsDNS, "coredns": dnsserver.RenderCoreDNS,
	}
}

// TestHostileTextStaysInComments renders with a name and reasons that try to
// get out, and with harmless ones: but for comments both must be the same.
func TestHostileTextStaysInComments(t *testing.T) {
	mark := map[string]string{"bind": "//", "knot-resolver": "--"}
	for name, f := range all() {
		for _, role := range []policy.Role{policy.AuthoritativeDNS, policy.Forwarder} {
			good, errGood := f(as(plan(t, "authority"), role))
			bad, errBad := f(as(plan(t, "hostile"), role))
			if (errGood == nil) != (errBad == nil) {
				t.Errorf("%s: errors %v and %v", name, errGood, errBad)
			}
			if errGood != nil {
				continue
			}
			comment := mark[name]
			if comment == "" {
				comment = "#"
			}
			g, b := bare(good.Files[0].Text, comment), bare(bad.Files[0].Text, comment)
			if g != b || g == "" {
				t.Errorf("%s as %s differs outside of comments:\n%s\n---\n%s", name, role, g, b)
			}
		}
	}
}

// bare leaves comments out.
func bare(text, mark string) string {
	var out []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), mark) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func plan(t *testing.T, name string) firewall.Plan {
	t.Helper()
	return fabrictest.Named(t, name)
}

func TestUnsupported(t *testing.T) {
	some := as(plan(t, "resolver"), policy.Forwarder)
	some.Allows = some.Allows[:1]
	some.Allows[0].Sources = some.Allows[0].Sources[:1]
	star := as(plan(t, "authority"), policy.Forwarder)
	star.Allows[0].Interfaces = []string{"eth*\nno-daemon"}
	wide := fabrictest.Authority()
	wide.Secondaries = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	nobody := as(fabrictest.Authority(), policy.Forwarder)
	nobody.DNS.Resolvers = nil
	unknown := as(plan(t, "resolver"), policy.RecursiveDNS)
	unknown.Allows[0].Sources = nil
	for _, c := range []struct {
		name    string
		render  render
		plan    firewall.Plan
		feature firewall.Feature
	}{
		{"host", dnsserver.RenderBIND, as(fabrictest.Authority(), policy.Host), dnsserver.FeatureRole},
		{"unbound as authority", dnsserver.RenderUnbound, fabrictest.Authority(), dnsserver.FeatureRole},
		{"knot as resolver", dnsserver.RenderKnot, plan(t, "resolver"), dnsserver.FeatureRole},
		{"coredns as resolver", dnsserver.RenderCoreDNS, plan(t, "resolver"), dnsserver.FeatureRole},
		{"forwarder to nobody", dnsserver.RenderUnbound, nobody, dnsserver.FeatureRole},
		{"limit of powerdns", dnsserver.RenderPowerDNS, limited(100).Plan, firewall.FeatureRateLimit},
		{"limit of coredns", dnsserver.RenderCoreDNS, limited(100).Plan, firewall.FeatureRateLimit},
		{"some clients of powerdns", dnsserver.RenderPowerDNS, plan(t, "wan only"), dnsserver.FeatureSources},
		{"part of a zone for dnsmasq", dnsserver.RenderDnsmasq, some, dnsserver.FeatureSources},
		{"zone without interfaces for dnsmasq", dnsserver.RenderDnsmasq, as(plan(t, "host with resolvers"), policy.Forwarder), dnsserver.FeatureSources},
		{"no interface's name", dnsserver.RenderDnsmasq, star, dnsserver.FeatureSources},
		{"transfers to a prefix of windows", dnsserver.RenderWindowsDNS, wide, dnsserver.FeatureTransfers},
		{"transfers to a prefix of coredns", dnsserver.RenderCoreDNS, wide, dnsserver.FeatureTransfers},
		{"zone by interface", dnsserver.RenderUnbound, unknown, firewall.FeatureInterfaces},
	} {
		t.Run(c.name, func(t *testing.T) {
			var u *firewall.UnsupportedError
			_, err := c.render(c.plan)
			if !errors.As(err, &u) || u.Feature != c.feature || u.Hint == "" || strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error %v, want %s", err, c.feature)
			}
		})
	}
}

func TestHiddenPrimaryServesItsSecondaries(t *testing.T) {
	p := fabrictest.Authority()
	p.Role, p.Secondaries = policy.HiddenPrimary, nil
	p.Allows = []firewall.Allow{{
		Zone: "wan", Sources: []netip.Prefix{netip.MustParsePrefix("198.51.100.53/32")}, Transport: "tcp",
		Ports: []firewall.PortRange{{First: 53, Last: 53}}, Why: "role hidden-primary",
	}}
	config, err := dnsserver.RenderBIND(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`acl "reconshield-secondaries" { 198.51.100.53/32; };`,
		`acl "reconshield-clients" { 127.0.0.0/8; 198.51.100.53/32; ::1/128; };`,
	} {
		if !strings.Contains(config.Files[0].Text, want) {
			t.Errorf("no %s in\n%s", want, config.Files[0].Text)
		}
	}
}

// TestLimitsAreWritten makes sure that a limit is never dropped.
func TestLimitsAreWritten(t *testing.T) {
	for name, c := range map[string]struct {
		render render
		role   policy.Role
		want   string
	}{
		"bind":    {dnsserver.RenderBIND, policy.AuthoritativeDNS, "rate-limit { all-per-second 100;"},
		"unbound": {dnsserver.RenderUnbound, policy.PublicResolver, "ip-ratelimit: 100"},
		"knot":    {dnsserver.RenderKnot, policy.AuthoritativeDNS, "rate-limit: 100"},
		"windows": {dnsserver.RenderWindowsDNS, policy.AuthoritativeDNS, "-ResponsesPerSec 100"},
	} {
		config, err := c.render(as(limited(100).Plan, c.role))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(config.Files[0].Text, c.want) {
			t.Errorf("%s: no %q in\n%s", name, c.want, config.Files[0].Text)
		}
	}
}

// TestWindowsScript looks at what cannot be run here.
func TestWindowsScript(t *testing.T) {
	for _, c := range []struct {
		plan firewall.Plan
		want []string
	}{
		{plan(t, "wan only"), []string{
			"Set-DnsServerRecursion -Enable $false", "'NE,reconshield-clients'", "-IPv4Subnet '0.0.0.0/5', ",
			"TransferToSecureServers -SecondaryServers '198.51.100.53', '2001:db8:1::53'",
		}},
		{plan(t, "resolver"), []string{
			"Set-DnsServerRecursion -Enable $true", "-IPv4Subnet '10.0.0.0/16', '10.8.0.0/24', '127.0.0.0/8' -IPv6Subnet '::1/128', 'fd00:1::/48'",
			"ListeningIPAddress = @('10.0.0.53', 'fd00:1::53')",
		}},
		{as(fabrictest.Authority(), policy.Forwarder), []string{"Set-DnsServerForwarder -IPAddress '198.51.100.1', '2001:db8:2::1' -UseRootHint $false"}},
	} {
		config, err := dnsserver.RenderWindowsDNS(c.plan)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(config.Files[0].Text, want) {
				t.Errorf("no %s in\n%s", want, config.Files[0].Text)
			}
		}
	}
}

var update = flag.Bool("update", false, "write the goldens anew")

// TestGoldens keeps one text of each format and role as it was read over.
func TestGoldens(t *testing.T) {
	disk := fabrictest.Disk{Read: os.ReadFile}
	if *update {
		disk.Write = os.WriteFile
	}
	written := 0
	for name, f := range all() {
		for _, role := range []policy.Role{policy.AuthoritativeDNS, policy.RecursiveDNS, policy.Forwarder} {
			p := fabrictest.Authority()
			if role != policy.AuthoritativeDNS {
				p = plan(t, "resolver")
			}
			if _, err := f(as(p, role)); errors.As(err, new(*firewall.UnsupportedError)) {
				continue
			}
			written++
			disk.Golden(t, name+"-"+string(role), fabrictest.Complete(t, name, as(p, role), f))
		}
	}
	if written < 15 {
		t.Errorf("%d texts were rendered", written)
	}
}
