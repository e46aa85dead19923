package ios

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// Render writes a plan as configuration commands for Cisco IOS and IOS XE
// routers.
//
// IOS's lists know no state of their own. "established" looks at flags that
// anybody can set, and answers over UDP would have to be told by their source
// port, which no plan allows. So the lists are reflexive: every permit writes
// down its conversation, and every list first accepts what belongs to one that
// was written down. The other way, zone-based firewalling, needs to know in
// which zone the asset stands, and takes interfaces into zones, after which
// they reach no other; a plan knows the former not always and must not do the
// latter.
//
// All is decided where packets come in. Each interface of the policy gets a
// list for each family, and there is one of each for every other interface,
// which must be bound by hand: IOS has no list for all. The lists' names end in
// a hash of their text, so that a changed plan binds new lists in the place of
// the old ones.
//
// The error is a *firewall.UnsupportedError or says that the plan has no
// addresses.
func Render(p firewall.Plan) (firewall.Config, error) {
	can := device.Abilities{
		Format: "Cisco IOS", Gateway: true, InterfaceWas: "an interface's name as GigabitEthernet0/0",
		Interface: func(name string) bool { return device.Word(name, 40) },
	}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	w := &listWriter{p: p, name: "rs-" + device.Tag(p.Asset, 20)}
	rows := device.Forward(p)
	var bind strings.Builder
	for i, iface := range append(device.Interfaces(rows), "") {
		list := fmt.Sprintf("%s-%d", w.name, i+1)
		if iface == "" {
			list = w.name + "-other"
		}
		w.list(list, firewall.IPv4, device.For(rows, iface))
		w.list(list, firewall.IPv6, device.For(rows, iface))
		commands := fmt.Sprintf(" ip access-group %s in\n ipv6 traffic-filter %s6 in\n", list+renderVersion, list+renderVersion)
		if iface == "" {
			bind.WriteString("!\n! Bind to every other interface, the asset's own too:\n" + device.Commented("!", strings.Split(strings.TrimSuffix(commands, "\n"), "\n")...))
			continue
		}
		fmt.Fprintf(&bind, "interface %s\n%s", iface, commands)
	}
	text := device.Commented("! ", device.Header(p)...) + w.text.String() + "!\n! Binding replaces the list that was bound before.\n" + bind.String() + "end\n"
	sum := sha256.Sum256([]byte(text))
	return renderConfig(p, w.name, strings.ReplaceAll(text, renderVersion, fmt.Sprintf("-%x", sum[:3]))), nil
}

// renderVersion stands for the hash until the text is known; no name has it.
const renderVersion = "\x00"

type listWriter struct {
	p    firewall.Plan
	name string
	text strings.Builder
}

func (w *listWriter) list(name string, f firewall.Family, rows []device.Row) {
	head, ip := "ip access-list extended "+name+renderVersion, "ip"
	if f == firewall.IPv6 {
		head, ip = "ipv6 access-list "+name+renderVersion+"6", "ipv6"
	}
	w.text.WriteString("!\n" + head + "\n")
	entry := func(s string) { w.text.WriteString(" " + s + "\n") }
	entry("remark Replies of conversations that a list accepted")
	entry("evaluate " + w.replies(f))
	entry("remark Errors, path MTU and neighbour discovery (RFC 1122, RFC 1191, RFC 4890)")
	for _, m := range icmp(f) {
		entry(m)
	}
	entry("remark Your own entries for this router and for other hosts: here")
	last := ""
	for _, r := range rows {
		if r.Family != f {
			continue
		}
		if why := device.Remark(r, 100); why != last && why != "" {
			entry("remark " + why)
			last = why
		}
		for _, m := range w.entries(r, ip) {
			entry(m)
		}
	}
	entry("remark Everything else is dropped")
	entry("deny " + ip + " any any")
}

// replies names the reflexive list of a family; all lists of it share one.
func (w *listWriter) replies(f firewall.Family) string {
	if f == firewall.IPv6 {
		return w.name + "-replies" + renderVersion + "6"
	}
	return w.name + "-replies" + renderVersion
}

func icmp(f firewall.Family) []string {
	types := []string{"echo", "unreachable", "time-exceeded", "parameter-problem"}
	if f == firewall.IPv6 {
		// The router itself needs its neighbours; an explicit deny ends the implicit permit for them.
		types = []string{
			"nd-ns", "nd-na", "router-solicitation", "router-advertisement",
			"destination-unreachable", "packet-too-big", "time-exceeded", "parameter-problem", "echo-request", "echo-reply",
		}
	}
	for i, t := range types {
		types[i] = "permit icmp any any " + t
	}
	return types
}

// entries writes one line for each source, target, transport and port: IOS has
// groups of objects for one family only.
func (w *listWriter) entries(r device.Row, ip string) []string {
	var out []string
	for _, from := range renderAddresses(r.Sources) {
		for _, to := range renderAddresses(r.Targets) {
			ends := " " + from + " " + to
			switch {
			case len(r.Transports) == 0 && r.Deny:
				out = append(out, "deny "+ip+ends)
			case len(r.Transports) == 0:
				for _, t := range []string{"tcp", "udp", "icmp"} {
					out = append(out, "permit "+t+ends+w.reflect(r.Family, t))
				}
				out = append(out, "permit "+ip+ends)
			default:
				for _, t := range r.Transports {
					out = append(out, w.transport(r, t, ends)...)
				}
			}
		}
	}
	return out
}

func (w *listWriter) transport(r device.Row, t exposure.Transport, ends string) []string {
	if t == policy.ESP {
		// Its packets back have another SPI and no ports: they are what the asset begins.
		return []string{renderAction(r) + " esp" + ends}
	}
	var out []string
	for _, p := range r.Ports {
		port := fmt.Sprintf(" eq %d", p.First)
		if p.First != p.Last {
			port = fmt.Sprintf(" range %d %d", p.First, p.Last)
		}
		line := renderAction(r) + " " + string(t) + ends + port
		if !r.Deny {
			line += w.reflect(r.Family, string(t))
		}
		out = append(out, line)
	}
	return out
}

// reflect writes the conversation down for as many seconds of silence.
func (w *listWriter) reflect(f firewall.Family, transport string) string {
	timeout := 60
	if transport == string(exposure.TCP) {
		timeout = 3600
	}
	return fmt.Sprintf(" reflect %s timeout %d", w.replies(f), timeout)
}

func renderAction(r device.Row) string {
	if r.Deny {
		return "deny"
	}
	return "permit"
}

func renderAddresses(prefixes []netip.Prefix) []string {
	if len(prefixes) == 0 {
		return []string{"any"}
	}
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = renderAddress(p)
	}
	return out
}

// renderAddress is with the inverse mask that IOS wants in lists of IPv4.
func renderAddress(p netip.Prefix) string {
	switch {
	case p.IsSingleIP():
		return "host " + p.Addr().String()
	case p.Addr().Is4():
		m := ^(^uint32(0) << (32 - p.Bits()))
		return p.Addr().String() + " " + netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
	}
	return p.String()
}
