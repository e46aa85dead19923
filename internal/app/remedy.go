package app

import (
	"reconshield/internal/dialogue"
	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/firewall/nft"
	"reconshield/internal/netset"
)

// addFirewall gives every finding of the asset the firewall rule that closes
// it. There is one rule for the asset, covering all ports that should be shut,
// so that loading it once is enough.
func addFirewall(asset *exposure.Asset) {
	var ports []netset.Port
	for _, f := range asset.Findings {
		if closable(asset, f) {
			for _, t := range f.Transports {
				ports = append(ports, netset.Port{Transport: t, Number: f.Port})
			}
		}
	}
	var rules []exposure.Fix
	if len(ports) > 0 {
		d, _ := detectFirewall(asset)
		rules = append(d.advice(), closures(asset, ports)...)
	}
	for i := range asset.Findings {
		f := &asset.Findings[i]
		switch {
		case f.Severity == exposure.Info: // a fact, not something to shut out
		case asset.Address.IsLoopback():
			f.Fix = append(f.Fix, exposure.Fix{
				Kind: "firewall", For: "any firewall",
				Text: "A loopback address cannot be reached from another machine, so there is nothing to close; assess the machine's other addresses to see what the network reaches.",
			})
		case !closable(asset, *f):
			f.Fix = append(f.Fix, exposure.Fix{
				Kind: "firewall", For: "any firewall",
				Text: "This server holds zones that it answers for with authority, so the Internet needs its port 53 over UDP and TCP: mend the configuration rather than close the port. Where the zones are for your own networks only, close it to everyone else.",
			})
		default:
			f.Fix = append(f.Fix, rules...)
		}
	}
}

// closable reports whether shutting the port to strangers is a way to close
// the finding: not for the DNS port of a server that holds zones.
func closable(asset *exposure.Asset, f exposure.Finding) bool {
	if asset.Address.IsLoopback() || len(f.Transports) == 0 || f.Severity == exposure.Info {
		return false
	}
	return f.Port != dialogue.DNSPort || len(asset.Zones) == 0
}

func closures(asset *exposure.Asset, ports []netset.Port) []exposure.Fix {
	if len(ports) == 0 {
		return nil
	}
	c := firewall.Close(asset.Address, ports, nil)
	const text = "Drops the ports for everyone but private networks; put your own networks in their place, then "
	return []exposure.Fix{
		{Kind: "firewall", For: "nftables", Text: text + "check it with nft -c -f FILE and load it with nft -f FILE.", Lines: nft.Closure(c)},
		{Kind: "firewall", For: "iptables", Text: text + "load it with " + iptables.Command(c) + " < FILE (add --test to check it first).", Lines: iptables.Closure(c)},
	}
}
