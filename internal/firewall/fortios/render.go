package fortios

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// most is how many policies one plan may make: numbers are kept free for them.
const most = 1000

// Render writes a plan as commands. Policies are read in the order of the list,
// not of their numbers; the first that matches decides, and what none matches
// is dropped. New ones go to the end, so the steps move them to the front.
// Policies leave the interface that a packet goes out by open: the asset's
// address says that better. Policies that deny match addresses that a virtual
// IP translates as well, which they do not by themselves.
//
// The error is a *firewall.UnsupportedError or says that the plan has no
// addresses.
func Render(p firewall.Plan) (firewall.Config, error) {
	can := device.Abilities{
		Format: "FortiOS", Gateway: true, InterfaceWas: "the name of an interface or zone of the device of at most 35 bytes",
		Interface: func(n string) bool { return device.Word(n, 35) && n != "any" },
	}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	w := &writer{p: p, name: "rs-" + device.Tag(p.Asset, 20), known: map[string]string{}, first: first(p.Asset)}
	w.icmp()
	for _, r := range device.Forward(p) {
		w.policy(r, w.service(r))
	}
	if w.count > most {
		return firewall.Config{}, &firewall.UnsupportedError{
			Format: can.Format, Feature: firewall.FeatureSize, Where: fmt.Sprintf("%d policies for asset %s", w.count, device.Plain(p.Asset, 60)),
			Hint: fmt.Sprintf("merge rules of the policy: at most %d", most),
		}
	}
	text := device.Commented("# ", device.Header(p)...) +
		block("firewall address", w.four.String()) + block("firewall address6", w.six.String()) +
		block("firewall service custom", w.services.String()) + block("firewall policy", w.policies.String())
	return config(w, text), nil
}

// first is the number of an asset's first policy: the same every time, so that
// loading again replaces.
func first(asset string) int {
	h := fnv.New32a()
	h.Write([]byte(asset))
	return 1_000_000 + int(h.Sum32()%1000)*most
}

func block(name, body string) string {
	if body == "" {
		return ""
	}
	return "config " + name + "\n" + body + "end\n"
}

type writer struct {
	p                             firewall.Plan
	name                          string
	four, six, services, policies strings.Builder
	known                         map[string]string // what an object holds to its name
	fours, sixes, names           []string          // of objects, in order
	first, count                  int
}

func (w *writer) icmp() {
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		proto, types := "ICMP", []int{3, 8, 11, 12}
		if f == firewall.IPv6 {
			proto, types = "ICMP6", []int{1, 2, 3, 4, 128, 129}
		}
		var names []string
		for _, t := range types {
			names = append(names, w.custom(fmt.Sprintf("%s-%d", strings.ToLower(proto), t), fmt.Sprintf("set protocol %s", proto), fmt.Sprintf("set icmptype %d", t)))
		}
		w.pinged(f, names)
		w.policy(device.Row{Family: f, Why: "ICMP that must pass (RFC 1122, RFC 1191, RFC 4890)"}, names)
	}
}

// pinged writes the policies for echo requests of private addresses, which have
// to be translated on their way outside and only there.
func (w *writer) pinged(f firewall.Family, services []string) {
	var inside []netip.Prefix
	for _, z := range w.p.Inside() {
		inside = append(inside, z.Networks...)
	}
	all := firewall.Prefixes(firewall.AddrsOf(inside...).Intersect(firewall.AllOf(f)))
	private := slices.DeleteFunc(slices.Clone(all), func(p netip.Prefix) bool { return !p.Addr().IsPrivate() })
	if f != firewall.IPv4 || len(private) == 0 {
		return
	}
	row := device.Row{Family: f, Sources: private, Targets: slices.Concat(all, device.Addresses(w.p, f)), Why: "ICMP within (RFC 1122, RFC 1191)"}
	w.policy(row, services)
	row.Targets, row.Why = nil, "ICMP to the outside (RFC 1122, RFC 1191)"
	w.policy(row, services)
}

func (w *writer) policy(r device.Row, services []string) {
	family := ""
	if r.Family == firewall.IPv6 {
		family = "6"
	}
	interfaces := r.Interfaces
	if len(interfaces) == 0 {
		interfaces = []string{"any"}
	}
	action := "accept"
	if r.Deny {
		action = "deny"
	}
	fmt.Fprintf(&w.policies, "    edit %d\n", w.first+w.count)
	w.count++
	line := func(format string, args ...any) { fmt.Fprintf(&w.policies, "        set "+format+"\n", args...) }
	line("name \"%s-%d\"", w.name, w.count)
	line("srcintf %s", quoted(interfaces))
	line("dstintf \"any\"")
	line("srcaddr%s %s", family, quoted(w.addresses(r.Family, r.Sources)))
	line("dstaddr%s %s", family, quoted(w.addresses(r.Family, r.Targets)))
	line("action %s", action)
	line("schedule \"always\"")
	line("service %s", quoted(services))
	if r.Deny && r.Family == firewall.IPv4 {
		line("match-vip enable")
	}
	if w.translated(r) {
		line("nat enable")
	}
	line("logtraffic all")
	if why := device.Remark(r, 200); why != "" {
		line("comments \"%s\"", why)
	}
	w.policies.WriteString("    next\n")
}

// translated reports whether a policy has to translate what it accepts: who has
// a private address reaches the outside by the device's own only, and in FortiOS
// it is the policy that says so. These come before those that did it until now.
func (w *writer) translated(r device.Row) bool {
	private := func(p netip.Prefix) bool { return p.Addr().IsPrivate() }
	outside := func(p netip.Prefix) bool { return !private(p) && !slices.Contains(w.p.Addresses, p.Addr()) }
	from := len(r.Sources) > 0 && !slices.ContainsFunc(r.Sources, func(p netip.Prefix) bool { return !private(p) })
	return !r.Deny && r.Family == firewall.IPv4 && from && (len(r.Targets) == 0 || slices.ContainsFunc(r.Targets, outside))
}

func (w *writer) addresses(f firewall.Family, prefixes []netip.Prefix) []string {
	if len(prefixes) == 0 {
		return []string{"all"}
	}
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		key := p.String()
		if w.known[key] == "" {
			w.known[key] = fmt.Sprintf("%s-net-%d", w.name, len(w.fours)+len(w.sixes)+1)
			if f == firewall.IPv4 {
				w.fours = append(w.fours, w.known[key])
				fmt.Fprintf(&w.four, "    edit \"%s\"\n        set subnet %s %s\n    next\n", w.known[key], p.Addr(), mask(p.Bits()))
			} else {
				w.sixes = append(w.sixes, w.known[key])
				fmt.Fprintf(&w.six, "    edit \"%s\"\n        set ip6 %s\n    next\n", w.known[key], p)
			}
		}
		out[i] = w.known[key]
	}
	return out
}

func mask(bits int) string {
	m := ^uint32(0) << (32 - bits)
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

func (w *writer) service(r device.Row) []string {
	var out []string
	for _, t := range r.Transports {
		if t == policy.ESP {
			out = append(out, w.custom("esp", "set protocol IP", "set protocol-number 50"))
			continue
		}
		out = append(out, w.ports(t, r.Ports))
	}
	if len(out) == 0 {
		return []string{"ALL"}
	}
	return out
}

func (w *writer) ports(t exposure.Transport, ranges []firewall.PortRange) string {
	words := make([]string, len(ranges))
	for i, r := range ranges {
		words[i] = r.String()
	}
	return w.custom(string(t), fmt.Sprintf("set %s-portrange %s", t, strings.Join(words, " ")))
}

func (w *writer) custom(hint string, lines ...string) string {
	key := hint + strings.Join(lines, "\n")
	if w.known[key] == "" {
		w.known[key] = fmt.Sprintf("%s-svc-%d-%s", w.name, len(w.names)+1, hint)
		w.names = append(w.names, w.known[key])
		fmt.Fprintf(&w.services, "    edit \"%s\"\n        %s\n    next\n", w.known[key], strings.Join(lines, "\n        "))
	}
	return w.known[key]
}

func quoted(words []string) string { return "\"" + strings.Join(words, "\" \"") + "\"" }
