package opnsense

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// RenderOPNsense writes a plan for OPNsense. The error is a
// *firewall.UnsupportedError or says that the plan has no addresses.
func RenderOPNsense(p firewall.Plan) (firewall.Config, error) {
	return render(p, product{name: "opnsense", title: "OPNsense", wireguard: "wireguard", yes: "1", separator: "\n"})
}

// RenderPFSense writes a plan for pfSense. The error is as of RenderOPNsense.
func RenderPFSense(p firewall.Plan) (firewall.Config, error) {
	return render(p, product{name: "pfsense", title: "pfSense", wireguard: "WireGuard", yes: "yes", separator: " "})
}

// product is where the two systems differ.
type product struct {
	name, title string
	wireguard   string // the group of all WireGuard tunnels
	yes         string // how "quick" is written
	separator   string // between the members of an alias
}

func render(p firewall.Plan, system product) (firewall.Config, error) {
	can := device.Abilities{Format: system.title, Host: true, Gateway: true, Redirect: true}
	if err := device.Refuse(p, can); err != nil {
		return firewall.Config{}, err
	}
	if err := device.Placed(device.Redirections(p), can.Format); err != nil {
		return firewall.Config{}, err
	}
	w := &writer{p: p, product: system, name: "rs_" + strings.ReplaceAll(device.Tag(p.Asset, 12), "-", "_")}
	if err := w.assign(); err != nil {
		return firewall.Config{}, err
	}
	text, err := w.document()
	if err != nil {
		return firewall.Config{}, fmt.Errorf("write XML: %w", err)
	}
	return w.config(text), nil
}

type writer struct {
	p       firewall.Plan
	product product
	name    string
	ports   map[string]string // zone and interface of the policy to the system's name
	aliases []*etree.Element
	known   map[string]string // members to the alias's name
	rules   int
}

// assign finds the system's name of every interface that a rule matches. Two
// interfaces of the policy may share a group's name only within one zone, or a
// rule for one would hold for the other.
func (w *writer) assign() error {
	w.ports = map[string]string{}
	zones := map[string]string{}
	rows := device.Inbound(w.p)
	if w.p.Place == firewall.OnGateway {
		rows = device.Forward(w.p)
	}
	for _, r := range rows {
		for _, i := range r.Interfaces {
			name := w.system(r, i)
			if before, ok := zones[name]; name == "" || ok && before != r.Zone {
				return &firewall.UnsupportedError{
					Format: w.product.title, Feature: firewall.FeatureInterfaces,
					Where: "zone " + device.Plain(r.Zone, 60) + ", interface " + i,
					Hint:  "write the name that " + w.product.title + " assigned (opt1; see Interfaces, Assignments) as the zone's interface in the policy",
				}
			}
			w.ports[i], zones[name] = name, r.Zone
		}
	}
	return nil
}

func (w *writer) system(r device.Row, iface string) string {
	if iface == "wan" || iface == "lan" || assigned(iface) {
		return iface
	}
	if (r.Zone == "wan" || r.Zone == "lan") && len(r.Interfaces) == 1 {
		return r.Zone
	}
	for _, z := range w.p.Zones {
		if z.Name != r.Zone {
			continue
		}
		switch z.Tunnel {
		case policy.WireGuard:
			return w.product.wireguard
		case policy.OpenVPN:
			return "openvpn"
		case policy.IPsec:
			return "enc0"
		case policy.NoTunnel:
		}
	}
	return ""
}

// assigned reports whether a name is "opt" and a number, or a group's.
func assigned(name string) bool {
	digits, ok := strings.CutPrefix(name, "opt")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == "" || name == "openvpn" || name == "enc0" || strings.EqualFold(name, "wireguard")
}

func (w *writer) document() (string, error) {
	w.known = map[string]string{}
	doc := etree.NewDocument()
	doc.CreateProcInst("xml", `version="1.0"`)
	for _, l := range device.Header(w.p) {
		doc.CreateComment(" " + strings.ReplaceAll(l, "--", "__") + " ")
	}
	root := doc.CreateElement(w.product.name)
	filter := etree.NewElement("filter")
	nat := etree.NewElement("nat")
	w.icmp(filter)
	if w.p.Place == firewall.OnAsset {
		w.filter(filter, device.Inbound(w.p), "in")
		w.filter(filter, []device.Row{{Deny: true, Why: "nothing else comes in"}}, "in")
		w.filter(filter, device.Outbound(w.p), "out")
		// The rule that keeps the pages open to the LAN is not the plan's.
		root.CreateElement("system").CreateElement("webgui").CreateElement("noantilockout").SetText("1")
	} else {
		rows, opened := device.Forward(w.p), device.Opened(w.p)
		w.filter(filter, rows[:len(rows)-len(opened)], "in")
		w.opened(filter, opened)
		w.redirect(nat)
	}
	w.addAliases(root)
	root.AddChild(filter)
	if len(nat.ChildElements()) > 0 {
		root.AddChild(nat)
	}
	doc.Indent(2)
	return doc.WriteToString()
}

func (w *writer) addAliases(root *etree.Element) {
	if len(w.aliases) == 0 {
		return
	}
	parent := root
	path := []string{"aliases"}
	if w.product.name == "opnsense" {
		path = []string{"OPNsense", "Firewall", "Alias", "aliases"}
	}
	for _, name := range path {
		parent = parent.CreateElement(name)
	}
	for _, a := range w.aliases {
		parent.AddChild(a)
	}
}

// opened writes what the zones inside open without "quick": the last that
// matches decides, so that the order is turned round, and only when no rule of
// the other tabs, which come after and are for the gateway itself and for other
// hosts, matches at all.
func (w *writer) opened(parent *etree.Element, rows []device.Row) {
	from := len(parent.ChildElements())
	slices.Reverse(rows)
	w.filter(parent, rows, "in")
	if len(rows) > 0 {
		own := w.rule(parent, device.Row{Deny: true, Why: "the zones inside open nothing on the gateway itself"}, "in")
		set(own.SelectElement("destination"), "network", "(self)")
		own.SelectElement("destination").RemoveChild(own.FindElement("destination/any"))
	}
	for _, e := range parent.ChildElements()[from:] {
		e.RemoveChild(e.SelectElement("quick"))
	}
}

// icmp passes what must pass. Both systems have such rules for themselves and
// for errors of known conversations; these hold for the plan whatever they do.
func (w *writer) icmp(filter *etree.Element) {
	for _, t := range []string{"echoreq", "unreach", "timex", "paramprob"} {
		r := w.rule(filter, device.Row{Family: firewall.IPv4, Why: "ICMP that must pass (RFC 1191)"}, "in")
		set(r, "protocol", "icmp")
		set(r, "icmptype", t)
	}
	six := []string{"unreach", "toobig", "timex", "paramprob", "echoreq", "echorep"}
	if w.p.Place == firewall.OnAsset {
		six = append(six, "routersol", "routeradv", "neighbrsol", "neighbradv", "listqry", "listenrep", "listendone")
	}
	for _, t := range six {
		r := w.rule(filter, device.Row{Family: firewall.IPv6, Why: "ICMPv6 that must pass (RFC 4890)"}, "in")
		if w.product.name == "opnsense" {
			set(r, "protocol", "ipv6-icmp")
			set(r, "icmp6-type", t)
		} else {
			set(r, "protocol", "icmp")
			set(r, "icmptype", t)
		}
	}
}

func (w *writer) filter(parent *etree.Element, rows []device.Row, direction string) {
	for _, r := range rows {
		e := w.rule(parent, r, direction)
		if t := transports(r.Transports); t != "" {
			set(e, "protocol", t)
		}
		w.ends(e, r)
	}
}

func (w *writer) rule(parent *etree.Element, r device.Row, direction string) *etree.Element {
	e := parent.CreateElement("rule")
	if w.product.name == "opnsense" {
		e.CreateAttr("uuid", w.uuid())
	} else {
		// pfSense tells rules apart by this number.
		set(e, "tracker", fmt.Sprint(1700000000+w.rules))
	}
	w.rules++
	action := "pass"
	if r.Deny {
		action = "block"
	}
	set(e, "type", action)
	set(e, "interface", w.interfaces(r))
	set(e, "ipprotocol", family(r.Family))
	if !r.Deny {
		set(e, "statetype", "keep state")
	}
	set(e, "floating", "yes")
	set(e, "quick", w.product.yes)
	set(e, "direction", direction)
	set(e, "descr", w.name+": "+device.Remark(r, 150))
	if r.Transports == nil && len(r.Sources)+len(r.Targets) == 0 {
		w.ends(e, r)
	}
	return e
}

// ends writes source and destination once.
func (w *writer) ends(e *etree.Element, r device.Row) {
	if e.SelectElement("source") != nil {
		return
	}
	w.end(e.CreateElement("source"), r, r.Sources)
	to := e.CreateElement("destination")
	w.end(to, r, r.Targets)
	if len(r.Ports) > 0 {
		set(to, "port", w.portNames(r.Ports))
	}
}

func (w *writer) end(e *etree.Element, r device.Row, prefixes []netip.Prefix) {
	switch len(prefixes) {
	case 0:
		set(e, "any", "1")
	case 1:
		set(e, "address", address(prefixes[0]))
	default:
		members := make([]string, len(prefixes))
		for i, p := range prefixes {
			members[i] = address(p)
		}
		hint := "set"
		if r.Zone != "" {
			hint = strings.ReplaceAll(device.Label(r.Zone, 8), "-", "_")
		}
		set(e, "address", w.alias("network", hint, members))
	}
}

func (w *writer) portNames(ranges []firewall.PortRange) string {
	if len(ranges) == 1 {
		return ranges[0].String()
	}
	members := make([]string, len(ranges))
	for i, r := range ranges {
		members[i] = strings.ReplaceAll(r.String(), "-", ":")
	}
	return w.alias("port", "ports", members)
}

func (w *writer) alias(kind, hint string, members []string) string {
	key := kind + " " + strings.Join(members, " ")
	if name := w.known[key]; name != "" {
		return name
	}
	name := fmt.Sprintf("%s_%s_%d", w.name, hint, len(w.known)+1)
	w.known[key] = name
	e := etree.NewElement("alias")
	content := strings.Join(members, w.product.separator)
	if w.product.name == "opnsense" {
		e.CreateAttr("uuid", w.uuid())
		w.rules++
		set(e, "enabled", "1")
		set(e, "name", name)
		set(e, "type", kind)
		set(e, "content", content)
		set(e, "description", "made by reconshield")
	} else {
		set(e, "name", name)
		set(e, "type", kind)
		set(e, "address", content)
		set(e, "descr", "made by reconshield")
	}
	w.aliases = append(w.aliases, e)
	return name
}

// interfaces is empty for any, as both systems write it.
func (w *writer) interfaces(r device.Row) string {
	var names []string
	for _, i := range r.Interfaces {
		if n := w.ports[i]; !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// uuid is the same for the same rule of the same asset (RFC 9562, version 8).
func (w *writer) uuid() string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", w.p.Asset, w.rules, len(w.known)))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// family is both for a row about everything.
func family(f firewall.Family) string {
	switch f {
	case firewall.IPv4:
		return "inet"
	case firewall.IPv6:
		return "inet6"
	default:
		return "inet46"
	}
}

func set(e *etree.Element, name, text string) { e.CreateElement(name).SetText(text) }

func transports(t []exposure.Transport) string {
	switch len(t) {
	case 0:
		return ""
	case 1:
		return string(t[0])
	}
	return "tcp/udp"
}

func address(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
