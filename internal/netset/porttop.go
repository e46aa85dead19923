package netset

import "reconshield/internal/exposure"

// TopPorts gives the 100 ports of a transport that are most worth a look, the
// first the most. The slice is the caller's; nil for a transport that is
// neither UDP nor TCP nor runs over one of them.
//
// The order is this project's own judgement: how usual a service is on hosts
// that people look after, and how much it hurts when strangers reach it. It is
// no statistic of the Internet.
func TopPorts(t exposure.Transport) []Port {
	var ranked []uint16
	switch t.Base() {
	case exposure.TCP:
		ranked = topTCP()
	case exposure.UDP:
		ranked = topUDP()
	case exposure.TLS, exposure.HTTPS, exposure.QUIC: // never a base
	}
	var ports []Port
	for _, n := range ranked {
		ports = append(ports, Port{t.Base(), n})
	}
	return ports
}

func topTCP() []uint16 {
	return []uint16{
		443, 80, 22, 53, 3389, 445, 25, 8080, 21, 8443, // what nearly every network has
		23, 139, 135, 3306, 5432, 6379, 27017, 9200, 1433, 5900, // remote access and stores, the usual way in
		587, 465, 993, 995, 143, 110, 389, 636, 88, 111, // mail, directories, RPC
		8000, 8888, 8081, 3000, 5000, 8008, 9000, 9090, 81, 8001, // web applications and consoles
		2375, 2376, 6443, 10250, 2379, 5985, 5986, 11211, 1521, 2049, // container and host control, stores
		873, 554, 1883, 8883, 5060, 5061, 7547, 8291, 8728, 1723, // files, cameras, brokers, telephony, routers
		853, 1080, 3128, 5672, 15672, 9092, 2181, 5601, 9300, 8500, // proxies, queues, clusters
		502, 102, 44818, 20000, 179, 4786, 631, 9100, 515, 3260, // plants, network gear, printers, block storage
		10000, 2222, 5555, 7001, 8009, 5984, 8086, 9042, 9443, 8089, // administration, debugging, more stores
		514, 513, 1099, 50000, 4369, 61616, 6000, 8200, 3690, 37777, // old trust and Java, queues, screens, recorders
	}
}

func topUDP() []uint16 {
	return []uint16{
		53, 123, 161, 443, 500, 4500, 1900, 5353, 137, 389, // what answers strangers, and amplifies most
		11211, 111, 69, 5060, 3478, 1194, 51820, 1701, 138, 67, // stores, boot, telephony, tunnels
		514, 520, 3702, 5683, 623, 47808, 19, 17, 1434, 853, // logs, routing, things, plants, old services
		1812, 1813, 88, 464, 2049, 3389, 5355, 5351, 3283, 10001, // access, files, desktops, home routers
		27015, 30718, 1645, 1646, 7, 9, 13, 37, 162, 177, // games, serial servers, old accounting and services
		427, 2123, 2152, 4789, 8472, 6343, 2055, 4739, 44818, 2222, // mobile cores, overlays, flow reports, plants
		5684, 3671, 34964, 20000, 9600, 5094, 17185, 4800, 502, 37810, // more of plants and cameras
		32414, 9987, 64738, 19132, 27960, 6881, 41641, 9993, 1604, 5093, // media, voice, games, overlays, licences
		5349, 4433, 784, 2427, 4569, 1719, 646, 3784, 319, 546, // more of telephony, signalling, clocks
		521, 631, 3799, 5246, 12201, 8125, 7946, 8301, 68, 49, // access points, metrics, gossip, accounting
	}
}
