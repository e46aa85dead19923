package routeros

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device/devicetest"
	"reconshield/internal/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestRender(t *testing.T) {
	for name, place := range map[string]firewall.Place{"host": firewall.OnAsset, "gateway": firewall.OnGateway} {
		for _, tt := range devicetest.Plans(place) {
			t.Run(name+"/"+tt.Name, func(t *testing.T) {
				prove(t, name+"-"+tt.Name, tt.Plan)
			})
		}
	}
}

func TestRandom(t *testing.T) {
	for _, place := range []firewall.Place{firewall.OnAsset, firewall.OnGateway} {
		devicetest.ProveRandom(t, place, 30, func(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
			t.Helper()
			c, err := Render(p)
			if err != nil {
				t.Fatal(err)
			}
			return read(t, c.Files[0].Text).accepts
		})
	}
}

func TestLimitAndRedirect(t *testing.T) {
	plan := devicetest.Plans(firewall.OnGateway)[0].Plan
	plan.Limit = &firewall.RateLimit{PerSecond: 50, Burst: 100}
	plan.DNS.Redirect = true
	c := prove(t, "limit-redirect", plan)
	for _, want := range []string{"dst-limit=50,100,src-address/1m", "to-addresses=10.0.0.53 to-ports=53", "to-addresses=2001:db8:1::53/128"} {
		if !strings.Contains(c.Files[0].Text, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestManyPorts(t *testing.T) {
	plan := devicetest.Plans(firewall.OnGateway)[0].Plan
	plan.Allows[0].Ports = nil
	for i := range uint16(40) {
		plan.Allows[0].Ports = append(plan.Allows[0].Ports, firewall.PortRange{First: 100 * i, Last: 100*i + i%2})
	}
	c, err := Render(plan)
	if err != nil {
		t.Fatal(err)
	}
	devicetest.Prove(t, plan, read(t, c.Files[0].Text).accepts)
}

func TestUnsupported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"redirect", func(p *firewall.Plan) { p.DNS.Redirect = true }, firewall.FeatureRedirect},
		{"docker", func(p *firewall.Plan) { p.Docker = true }, firewall.FeatureDocker},
		{"interface", func(p *firewall.Plan) { p.Zones[0].Interfaces = []string{"ether1\"; /system reset"} }, firewall.FeatureInterfaces},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := devicetest.Plans(firewall.OnAsset)[0].Plan
			tt.change(&plan)
			_, err := Render(plan)
			var e *firewall.UnsupportedError
			if !errors.As(err, &e) || e.Feature != tt.feature {
				t.Errorf("error %v, want feature %s", err, tt.feature)
			}
		})
	}
}

func prove(t *testing.T, name string, plan firewall.Plan) firewall.Config {
	t.Helper()
	c, err := Render(plan)
	if err != nil {
		t.Fatal(err)
	}
	devicetest.Golden(t, name, c, *update, os.ReadFile, os.WriteFile)
	devicetest.Prove(t, plan, read(t, c.Files[0].Text).accepts)
	return c
}

type script struct {
	t      *testing.T
	chains map[string][]map[string]string // menu and chain to rules
	lists  map[string][]string
}

var (
	addLine = regexp.MustCompile(`^(/ip firewall|/ipv6 firewall|/interface list)( filter| nat| address-list| member)? add (.*)$`)
	field   = regexp.MustCompile(`([a-z-]+)=("[^"\\$]*"|[^ "]+)`)
	topLine = regexp.MustCompile(`^:if \(\[:len \[(/ip(?:v6)? firewall (?:filter|nat)) find where dynamic=no chain=[a-z]+\]\] = 0\) do=\{ (\S.*?) \} else=\{ (.*) place-before=\[:pick \[.*\] 0\] \}$`)
	ignored = regexp.MustCompile(`^(#.*|/(ip|ipv6) firewall (filter|nat|address-list) remove \[find where comment~"\^rs-[A-Za-z0-9-]+:"( action=jump)?\]|/interface list (member )?remove \[find where (list|name)~"\^rs-[A-Za-z0-9-]+-if-"\])?$`)
)

// read knows the lines that the renderer writes and fails on every other.
func read(t *testing.T, text string) *script {
	t.Helper()
	s := &script{t: t, chains: map[string][]map[string]string{}, lists: map[string][]string{}}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		top := false
		if m := topLine.FindStringSubmatch(line); m != nil {
			if m[2] != m[3] {
				t.Fatalf("the two halves differ: %s", line)
			}
			line, top = m[2], true
		}
		m := addLine.FindStringSubmatch(line)
		if m == nil {
			if !ignored.MatchString(line) {
				t.Fatalf("unknown line %q", line)
			}
			continue
		}
		if rest := strings.TrimSpace(field.ReplaceAllString(m[3], "")); rest != "" {
			t.Fatalf("unknown words %q in %q", rest, line)
		}
		f := map[string]string{}
		for _, kv := range field.FindAllStringSubmatch(m[3], -1) {
			f[kv[1]] = strings.Trim(kv[2], `"`)
		}
		key := m[1] + m[2] + " " + f["chain"]
		switch m[2] {
		case " address-list":
			s.lists[m[1]+" "+f["list"]] = append(s.lists[m[1]+" "+f["list"]], f["address"])
		case " member":
			s.lists["interface "+f["list"]] = append(s.lists["interface "+f["list"]], f["interface"])
		case " filter", " nat":
			if top {
				s.chains[key] = append([]map[string]string{f}, s.chains[key]...)
			} else {
				s.chains[key] = append(s.chains[key], f)
			}
		}
	}
	return s
}

func (s *script) accepts(k devicetest.Packet) bool {
	chain := "input"
	if k.In == "" {
		chain = "output"
	} else if len(s.chains["/ip firewall filter input"]) == 0 {
		chain = "forward"
	}
	menu := "/ip firewall"
	if k.Src.Is6() {
		menu = "/ipv6 firewall"
	}
	return s.walk(menu, chain, k) != "drop"
}

// walk gives accept, drop, or return for a chain that ends or says so.
func (s *script) walk(menu, chain string, k devicetest.Packet) string {
	for _, f := range s.chains[menu+" filter "+chain] {
		if !s.matches(menu, f, k) {
			continue
		}
		switch f["action"] {
		case "accept", "drop", "return":
			return f["action"]
		case "jump":
			if v := s.walk(menu, f["jump-target"], k); v != "return" {
				return v
			}
		default:
			s.t.Fatalf("unknown action in %v", f)
		}
	}
	return "return"
}

func (s *script) matches(menu string, f map[string]string, k devicetest.Packet) bool {
	for name, v := range f {
		ok := true
		switch name {
		case "chain", "action", "comment", "jump-target", "dst-limit": // a first packet is within the limit
		case "connection-state":
			ok = false // a new one is neither established nor invalid
		case "protocol":
			ok = v == string(k.Transport) || v == "ipsec-esp" && k.Transport == policy.ESP
		case "icmp-options":
			ok = false
		case "in-interface":
			ok = v == k.In
		case "in-interface-list":
			ok = slices.Contains(s.lists["interface "+v], k.In)
		case "src-address":
			ok = within([]string{v}, k.Src)
		case "dst-address":
			ok = within([]string{v}, k.Dst)
		case "src-address-list":
			ok = within(s.lists[menu+" "+v], k.Src)
		case "dst-address-list":
			ok = within(s.lists[menu+" "+v], k.Dst)
		case "dst-port":
			if n := len(strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == '-' })); n > 15 {
				s.t.Fatalf("%d ports in one rule", n)
			}
			ok = port(v, k.Port)
		default:
			s.t.Fatalf("unknown match %s", name)
		}
		if !ok {
			return false
		}
	}
	return true
}

func within(list []string, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(w string) bool {
		p, err := netip.ParsePrefix(w)
		return w == a.String() || err == nil && p.Contains(a)
	})
}

func port(list string, p uint16) bool {
	for w := range strings.SplitSeq(list, ",") {
		first, last, ok := strings.Cut(w, "-")
		if !ok {
			last = first
		}
		a, _ := strconv.Atoi(first)
		b, _ := strconv.Atoi(last)
		if a <= int(p) && int(p) <= b {
			return true
		}
	}
	return false
}
