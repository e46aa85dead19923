package kubernetes

import (
	"fmt"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
)

// ciliumPorts is the most port entries that one list of toPorts may have.
const ciliumPorts = 40

// RenderCilium writes a CiliumNetworkPolicy of cilium.io/v2, for Cilium 1.16
// and later (port ranges). It can express no ESP, no rate limits and no
// gateway; ICMP is matched by type without code. With control of DNS, protocols
// other than TCP, UDP and the common ICMP may not leave.
func RenderCilium(p firewall.Plan) (firewall.Config, error) {
	const format = "cilium"
	f, err := fabric.New(fabric.Format{
		Name: format, Lacks: []firewall.Feature{firewall.FeatureESP, firewall.FeatureGateway},
	}, p)
	if err != nil {
		return firewall.Config{}, err
	}
	if err := noPortZero(format, f); err != nil {
		return firewall.Config{}, err
	}
	for _, r := range f.Rules {
		if len(r.Ports) > ciliumPorts {
			return firewall.Config{}, &firewall.UnsupportedError{
				Format: format, Feature: firewall.FeatureSize,
				Where: fmt.Sprintf("%d ranges of ports in one rule, at most %d", len(r.Ports), ciliumPorts),
				Hint:  "join ranges of ports",
			}
		}
	}
	name := fabric.Name(p.Asset, '-', 40) + "-cilium"
	c := steps(format, "ciliumnetworkpolicy", name, p)
	c.Files = []firewall.File{{Name: name + ".yaml", Text: cilium(f)}}
	c.Notes = append(notes(f),
		"Cilium matches CIDRs against addresses outside the cluster only: sources that are pods or nodes need rules of fromEndpoints or fromEntities; \"all\" includes them.",
		"ICMP is matched by type: every code of a type is let in.")
	if !f.Egress.Free {
		c.Notes = append(c.Notes, "An allow list cannot say \"all protocols but\": TCP, UDP, echo requests and ICMP errors may leave, other protocols may not.")
	}
	if strings.Contains(c.Files[0].Text, "endPort") {
		c.Notes = append(c.Notes, "Ranges of ports (endPort) need Cilium 1.16: an older one knows their first port alone.")
	}
	c.Notes = append(c.Notes, f.Notes...)
	return c, nil
}

func cilium(p fabric.Plan) string {
	var d document
	d.head(p, "cilium.io/v2", "CiliumNetworkPolicy")
	d.line(1, "endpointSelector:")
	d.line(2, "matchLabels: {app: %s}", label(p.Asset))
	d.line(1, "ingress:")
	for _, r := range p.Rules {
		d.comment(r.Reason(200))
		if anybody(p, r) {
			d.line(2, "- fromEntities: [all]")
		} else {
			d.line(2, "- fromCIDRSet:")
			for _, b := range blocks(r) {
				d.line(4, "- %s", b)
			}
		}
		d.toPorts(protocol(r.Transport), r.Ports)
	}
	d.comment("ICMP that must pass: RFC 1191, RFC 4890 section 4.3")
	d.line(2, "- icmps:")
	d.line(4, "- fields:")
	for _, m := range fabric.ICMP(p.Families) {
		d.icmp(m.Family, m.Type)
	}
	if !p.Egress.Free {
		d.ciliumEgress(p)
	}
	return d.String()
}

func (d *document) icmp(f firewall.Family, kind int) {
	name := "IPv4"
	if f == firewall.IPv6 {
		name = "IPv6"
	}
	d.line(6, "- {family: %s, type: %d}", name, kind)
}

func (d *document) toPorts(protocol string, ports []firewall.PortRange) {
	d.line(3, "toPorts:")
	d.line(4, "- ports:")
	for _, r := range ports {
		if r.First == r.Last {
			d.line(6, "- {port: \"%d\", protocol: %s}", r.First, protocol)
			continue
		}
		d.line(6, "- {port: \"%d\", endPort: %d, protocol: %s}", r.First, r.Last, protocol)
	}
}

func (d *document) ciliumEgress(p fabric.Plan) {
	transports := []exposure.Transport{exposure.TCP, exposure.UDP}
	d.line(1, "egress:")
	d.comment("everything but DNS, ports 53 and 853")
	for _, t := range transports {
		d.line(2, "- toEntities: [all]")
		d.toPorts(protocol(t), otherPorts())
	}
	d.line(2, "- icmps:")
	d.line(4, "- fields:")
	if p.Has(firewall.IPv4) {
		for _, kind := range []int{3, 8, 11, 12} {
			d.icmp(firewall.IPv4, kind)
		}
	}
	if p.Has(firewall.IPv6) {
		for _, kind := range []int{1, 2, 3, 4, 128} {
			d.icmp(firewall.IPv6, kind)
		}
	}
	if len(p.Egress.Servers) == 0 {
		return
	}
	d.comment(p.Why())
	for _, t := range transports {
		d.line(2, "- toCIDR:")
		for _, n := range p.Egress.Servers {
			d.line(4, "- \"%s\"", n)
		}
		d.toPorts(protocol(t), []firewall.PortRange{{First: 53, Last: 53}, {First: 853, Last: 853}})
	}
}
