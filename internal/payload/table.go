package payload

import "slices"

// entries is the table's content. The first serves every port that no other
// names.
func entries() []Payload {
	elsewhere := dns()
	elsewhere.Ports, elsewhere.Slow = nil, false
	elsewhere.Title = "DNS, on every port not listed here"
	return slices.Concat(
		[]Payload{elsewhere},
		names(), transports(), tunnels(), mobile(), voice(), games(), discovery(),
		files(), directory(), management(), industry(), clocks(), small(),
		[]Payload{silent()},
	)
}

// silent is for ports whose service stores, shows or acts upon whatever it
// gets and answers nothing: an empty datagram still brings the ICMP error of a
// closed port.
func silent() Payload {
	return Payload{
		Title: "nothing: an empty datagram",
		Ports: []uint16{
			9,                // discard, Wake-on-LAN
			67, 68, 546, 547, // DHCP: leases are state
			162,      // SNMP traps
			319, 320, // PTP
			512, 513, 514, 517, 518, // biff, who, syslog, talk: they show or store it
			521, 646, 698, 1985, 2029, 3222, 3784, 3785, 4784, 6696, // routing and standby protocols
			694, 5405, 7946, 8301, 8302, // cluster membership
			2003, 4739, 6343, 8125, 8089, 8649, 9995, 9996, 2055, 12201, 25826, 37008, // metrics, flows and logs
			4789, 6081, 8472, // tunnels: it would be taken for a frame
			5004, 5005, 9875, // RTP, SAP
			5678,              // neighbour discovery that lists who speaks
			6454, 5568, 56700, // lights
			51820, // WireGuard never answers who has no key
		},
		Reference: "RFC 768",
		Asks:      "nothing",
		Safe:      "there is nothing to store, show or act upon",
	}
}
