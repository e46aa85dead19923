package ios

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device/devicetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestRender(t *testing.T) {
	for _, tt := range devicetest.Plans(firewall.OnGateway) {
		t.Run(tt.Name, func(t *testing.T) {
			c, err := Render(tt.Plan)
			if err != nil {
				t.Fatal(err)
			}
			devicetest.Golden(t, tt.Name, c, *update, os.ReadFile, os.WriteFile)
			r := loadRendered(t, c.Files[0].Text)
			devicetest.Prove(t, tt.Plan, func(k devicetest.Packet) bool { return r.accepts(k, 40000) })
		})
	}
}

// TestReplies sends the answer of an accepted conversation in by the asset's
// own interface, and an answer to nothing.
func TestRandom(t *testing.T) {
	devicetest.ProveRandom(t, firewall.OnGateway, 60, func(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
		t.Helper()
		c, err := Render(p)
		if err != nil {
			t.Fatal(err)
		}
		r := loadRendered(t, c.Files[0].Text)
		return func(k devicetest.Packet) bool { return r.accepts(k, 40000) }
	})
}

func TestReplies(t *testing.T) {
	c, err := Render(devicetest.Plans(firewall.OnGateway)[0].Plan)
	if err != nil {
		t.Fatal(err)
	}
	asset, client := netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("198.51.100.8")
	query := devicetest.Packet{In: "eth0", Src: client, Dst: asset, Transport: exposure.UDP, Port: 53}
	answer := devicetest.Packet{In: "dmz0", Src: asset, Dst: client, Transport: exposure.UDP, Port: 853}
	r := loadRendered(t, c.Files[0].Text)
	if r.accepts(answer, 53) {
		t.Error("an answer to no query passes by its source port")
	}
	// The client asks from port 853, which the asset may not ask anybody at.
	if !r.accepts(query, 853) || !r.accepts(answer, 53) {
		t.Error("the answer to a query does not pass")
	}
}

func TestRenderUnsupported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"host", func(p *firewall.Plan) { p.Place = firewall.OnAsset }, firewall.FeatureHost},
		{"limit", func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 50, Burst: 100} }, firewall.FeatureRateLimit},
		{"redirect", func(p *firewall.Plan) { p.DNS.Redirect = true }, firewall.FeatureRedirect},
		{"interface", func(p *firewall.Plan) { p.Zones[0].Interfaces = []string{"Gi0/0\nno ip access-group"} }, firewall.FeatureInterfaces},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := devicetest.Plans(firewall.OnGateway)[0].Plan
			tt.change(&plan)
			_, err := Render(plan)
			var e *firewall.UnsupportedError
			if !errors.As(err, &e) || e.Feature != tt.feature {
				t.Errorf("error %v, want feature %s", err, tt.feature)
			}
		})
	}
}

type renderedConversation struct {
	transport exposure.Transport
	from, to  netip.AddrPort
}

type renderedRouter struct {
	t        *testing.T
	lists    map[string][][]string
	bound    map[string]string // family and interface to list
	other    map[string]string // family to the list for other interfaces
	recorded map[renderedConversation]bool
}

// loadRendered knows the commands that the renderer writes and fails on every other.
func loadRendered(t *testing.T, text string) *renderedRouter {
	t.Helper()
	r := &renderedRouter{t: t, lists: map[string][][]string{}, bound: map[string]string{}, other: map[string]string{}, recorded: map[renderedConversation]bool{}}
	list, iface := "", ""
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		w := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "! ip access-group "), strings.HasPrefix(line, "! ipv6 traffic-filter "):
			r.other[w[1]] = w[3]
		case w[0] == "!", w[0] == "end":
		case strings.HasPrefix(line, "ip access-list extended "):
			list = w[3]
		case strings.HasPrefix(line, "ipv6 access-list "):
			list = w[2]
		case w[0] == "interface":
			iface = w[1]
		case strings.HasPrefix(line, " ip access-group "), strings.HasPrefix(line, " ipv6 traffic-filter "):
			r.bound[w[0]+" "+iface] = w[2]
		case strings.HasPrefix(line, " remark "):
			if len(line) > 108 {
				t.Errorf("remark too long: %s", line)
			}
		case strings.HasPrefix(line, " permit "), strings.HasPrefix(line, " deny "), strings.HasPrefix(line, " evaluate "):
			r.lists[list] = append(r.lists[list], w)
		default:
			t.Fatalf("unknown command %q", line)
		}
	}
	return r
}

// accepts runs a packet through the list of its interface, and writes its
// conversation down when the entry says so.
func (r *renderedRouter) accepts(k devicetest.Packet, source uint16) bool {
	family := "ip"
	if k.Src.Is6() {
		family = "ipv6"
	}
	list := r.bound[family+" "+k.In]
	if list == "" {
		list = r.other[family]
	}
	this := renderedConversation{k.Transport, netip.AddrPortFrom(k.Src, source), netip.AddrPortFrom(k.Dst, k.Port)}
	for _, e := range r.lists[list] {
		if e[0] == "evaluate" {
			if r.recorded[renderedConversation{this.transport, this.to, this.from}] {
				return true
			}
			continue
		}
		matched, reflects := r.matches(e[1:], k)
		if !matched {
			continue
		}
		if reflects {
			// Only the test of replies wants memory; the grid's packets are all new.
			if source != 40000 {
				r.recorded[this] = true
			}
		}
		return e[0] == "permit"
	}
	return false
}

func (r *renderedRouter) matches(w []string, k devicetest.Packet) (matched, reflects bool) {
	if w[0] != "ip" && w[0] != "ipv6" && w[0] != string(k.Transport) {
		return false, false
	}
	from, w := address4or6(w[1:], k.Src)
	to, w := address4or6(w, k.Dst)
	matched = from && to
	for len(w) > 0 {
		switch w[0] {
		case "eq":
			matched = matched && w[1] == strconv.Itoa(int(k.Port))
			w = w[2:]
		case "range":
			lo, _ := strconv.Atoi(w[1])
			hi, _ := strconv.Atoi(w[2])
			matched = matched && lo <= int(k.Port) && int(k.Port) <= hi
			w = w[3:]
		case "reflect":
			reflects = true
			w = w[4:]
		default:
			r.t.Fatalf("unknown words %q", w)
		}
	}
	return matched, reflects
}

func address4or6(w []string, a netip.Addr) (ok bool, rest []string) {
	switch {
	case w[0] == "any":
		return true, w[1:]
	case w[0] == "host":
		return w[1] == a.String(), w[2:]
	case strings.Contains(w[0], "/"):
		return netip.MustParsePrefix(w[0]).Contains(a), w[1:]
	}
	net, inverse := netip.MustParseAddr(w[0]).As4(), netip.MustParseAddr(w[1]).As4()
	ok = a.Is4()
	for i, octet := range a.AsSlice()[:4] {
		ok = ok && octet&^inverse[i] == net[i]
	}
	return ok, w[2:]
}
