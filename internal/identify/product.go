package identify

import (
	"reconshield/internal/exposure"
	"reconshield/internal/intel/recog"
)

// productCPE is the CPE 2.3 name of a product whose version is not known.
func productCPE(p exposure.Product) string {
	var vendor, product string
	switch p {
	case exposure.BIND:
		vendor, product = "isc", "bind"
	case exposure.Unbound:
		vendor, product = "nlnetlabs", "unbound"
	case exposure.Knot:
		vendor, product = "knot-dns", "knot_dns"
	case exposure.KnotRes:
		vendor, product = "nic", "knot_resolver"
	case exposure.NSD:
		vendor, product = "nlnetlabs", "name_server_daemon"
	case exposure.PDNSAuth:
		vendor, product = "powerdns", "authoritative_server"
	case exposure.PDNSRec:
		vendor, product = "powerdns", "recursor"
	case exposure.Dnsmasq:
		vendor, product = "thekelleys", "dnsmasq"
	case exposure.CoreDNS:
		vendor, product = "coredns.io", "coredns"
	case exposure.WindowsDNS: // named by the build of Windows, see recog's os.cpe23
		return ""
	default:
		return ""
	}
	return recog.FormatCPE("a", vendor, product, "")
}
