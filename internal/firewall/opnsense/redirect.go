package opnsense

import (
	"strings"

	"github.com/beevik/etree"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
)

// redirect sends queries to other servers to the first resolver. Queries to
// the asset and to approved resolvers, and queries of theirs, stay as they are.
func (w *writer) redirect(nat *etree.Element) {
	outbound := etree.NewElement("outbound")
	set(outbound, "mode", "hybrid")
	for _, r := range device.Redirections(w.p) {
		own, all := r.Row, r.Row
		own.Ports = []firewall.PortRange{{First: 53, Last: 53}}
		all.Ports = own.Ports
		own.Sources, own.Targets = r.Except, nil
		own.Why = "DNS of the resolvers and the asset goes where it was sent"
		set(w.translation(nat, own), "nordr", "1")
		all.Targets = r.Except
		all.Why = "other DNS of zone " + r.Zone + " goes to the approved resolver"
		e := w.translation(nat, all)
		set(e.SelectElement("destination"), "not", "1")
		set(e, "target", r.To.String())
		set(e, "local-port", "53")
		if r.Hairpin {
			w.hairpin(outbound, r)
		}
	}
	if len(outbound.ChildElements()) > 1 {
		nat.AddChild(outbound)
	}
}

// hairpin puts the interface's address in the place of the clients', one rule
// for each interface and network.
func (w *writer) hairpin(outbound *etree.Element, r device.Redirection) {
	for iface := range strings.SplitSeq(w.interfaces(r.Row), ",") {
		for _, from := range r.Sources {
			e := outbound.CreateElement("rule")
			set(e, "interface", iface)
			set(e, "ipprotocol", family(r.Family))
			set(e, "protocol", "tcp/udp")
			set(e.CreateElement("source"), "network", from.String())
			to := e.CreateElement("destination")
			if w.product.name == "opnsense" {
				set(to, "network", r.To.String())
			} else {
				set(to, "address", r.To.String())
			}
			set(e, "dstport", "53")
			set(e, "target", "")
			set(e, "descr", w.name+": a resolver among the clients answers by way of this gateway")
		}
	}
}

func (w *writer) translation(nat *etree.Element, r device.Row) *etree.Element {
	e := nat.CreateElement("rule")
	set(e, "interface", w.interfaces(r))
	set(e, "ipprotocol", family(r.Family))
	set(e, "protocol", "tcp/udp")
	set(e, "descr", w.name+": "+device.Remark(r, 150))
	w.ends(e, r)
	return e
}
