package kubernetes

import (
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
)

// RenderNetworkPolicy writes a NetworkPolicy of networking.k8s.io/v1. It holds
// only where the cluster's network plugin enforces policies. It can express no
// ESP, no rate limits and no gateway; ICMP is left to the plugin by its
// specification, which a note says. With control of DNS, protocols other than
// TCP, UDP and SCTP may not leave, because an allow list cannot subtract.
func RenderNetworkPolicy(p firewall.Plan) (firewall.Config, error) {
	const format = "kubernetes"
	f, err := fabric.New(fabric.Format{
		Name: format, Lacks: []firewall.Feature{firewall.FeatureESP, firewall.FeatureGateway},
	}, p)
	if err != nil {
		return firewall.Config{}, err
	}
	if err := noPortZero(format, f); err != nil {
		return firewall.Config{}, err
	}
	name := fabric.Name(p.Asset, '-', 40) + "-networkpolicy"
	c := steps(format, "networkpolicy", name, p)
	c.Files = []firewall.File{{Name: name + ".yaml", Text: networkPolicy(f)}}
	c.Notes = append(notes(f),
		"The cluster's network plugin must enforce network policies; some do not, and say nothing.",
		"What becomes of ICMP is up to the plugin: most pass the errors of accepted conversations, see that fragmentation needed and packet too big arrive.",
		"Some plugins match ipBlock against addresses outside the cluster only: rules without \"from\" let in everybody, those with it may leave pods out.")
	if !f.Egress.Free {
		c.Notes = append(c.Notes, "An allow list cannot say \"all protocols but\": TCP, UDP and SCTP may leave, what becomes of others is up to the plugin.")
	}
	if strings.Contains(c.Files[0].Text, "endPort") {
		c.Notes = append(c.Notes, "Ranges of ports (endPort) need Kubernetes 1.25 and a plugin that knows them (Cilium since 1.16): others know their first port alone, and some say nothing.")
	}
	c.Notes = append(c.Notes, f.Notes...)
	return c, nil
}

func networkPolicy(p fabric.Plan) string {
	var d document
	d.head(p, "networking.k8s.io/v1", "NetworkPolicy")
	d.line(1, "podSelector:")
	d.line(2, "matchLabels: {app: %s}", label(p.Asset))
	if p.Egress.Free {
		d.line(1, "policyTypes: [Ingress]")
	} else {
		d.line(1, "policyTypes: [Ingress, Egress]")
	}
	if len(p.Rules) == 0 {
		d.line(1, "ingress: []")
	} else {
		d.line(1, "ingress:")
	}
	for _, r := range p.Rules {
		d.comment(r.Reason(200))
		d.line(2, "- ports:")
		for _, ports := range r.Ports {
			d.port(protocol(r.Transport), ports)
		}
		if anybody(p, r) {
			continue
		}
		d.line(3, "from:")
		for _, b := range blocks(r) {
			d.line(4, "- ipBlock: %s", b)
		}
	}
	if !p.Egress.Free {
		d.egress(p)
	}
	return d.String()
}

func (d *document) port(protocol string, r firewall.PortRange) {
	if r.First == r.Last {
		d.line(4, "- {protocol: %s, port: %d}", protocol, r.First)
		return
	}
	d.line(4, "- {protocol: %s, port: %d, endPort: %d}", protocol, r.First, r.Last)
}

func (d *document) egress(p fabric.Plan) {
	d.line(1, "egress:")
	d.comment("everything but DNS, ports 53 and 853")
	d.line(2, "- ports:")
	for _, t := range []exposure.Transport{exposure.TCP, exposure.UDP} {
		for _, r := range otherPorts() {
			d.port(protocol(t), r)
		}
	}
	d.port("SCTP", firewall.PortRange{First: 1, Last: 65535})
	if len(p.Egress.Servers) == 0 {
		return
	}
	d.comment(p.Why())
	d.line(2, "- ports:")
	for _, t := range []exposure.Transport{exposure.TCP, exposure.UDP} {
		for _, port := range []uint16{53, 853} {
			d.port(protocol(t), firewall.PortRange{First: port, Last: port})
		}
	}
	d.line(3, "to:")
	for _, n := range p.Egress.Servers {
		d.line(4, "- ipBlock: {cidr: \"%s\"}", n)
	}
}
