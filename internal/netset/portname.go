package netset

import (
	"iter"
	"maps"

	"reconshield/internal/exposure"
)

// Services yields every name that ServicePorts knows, in no order.
func Services() iter.Seq[string] { return maps.Keys(services) }

// ServicePorts gives the ports of the services that people name most, under
// their usual names in lower case. It is a Names: short, for command lines;
// nil for a name that it does not know. The slice is the caller's.
func ServicePorts(service string) []Port {
	known, ok := services[service]
	if !ok {
		return nil
	}
	var ports []Port
	for _, n := range known.tcp {
		ports = append(ports, Port{exposure.TCP, n})
	}
	for _, n := range known.udp {
		ports = append(ports, Port{exposure.UDP, n})
	}
	return ports
}

// numbers are the ports of one service.
type numbers struct{ tcp, udp []uint16 }

func over(tcp []uint16, udp ...uint16) numbers { return numbers{tcp, udp} }

func tcp(ports ...uint16) []uint16 { return ports }

var services = map[string]numbers{ //nolint:gochecknoglobals // read-only table
	"adb":           over(tcp(5555)),
	"amqp":          over(tcp(5671, 5672)),
	"bacnet":        over(nil, 47808),
	"bgp":           over(tcp(179)),
	"cassandra":     over(tcp(9042)),
	"chargen":       over(tcp(19), 19),
	"coap":          over(nil, 5683, 5684),
	"consul":        over(tcp(8500)),
	"couchdb":       over(tcp(5984)),
	"dhcp":          over(nil, 67, 68),
	"dnp3":          over(tcp(20000), 20000),
	"docker":        over(tcp(2375, 2376)),
	"domain":        over(tcp(53), 53),
	"doq":           over(nil, 853),
	"dot":           over(tcp(853)),
	"elasticsearch": over(tcp(9200)),
	"etcd":          over(tcp(2379, 2380)),
	"ftp":           over(tcp(21)),
	"git":           over(tcp(9418)),
	"http":          over(tcp(80)),
	"https":         over(tcp(443), 443),
	"ike":           over(nil, 500, 4500),
	"imap":          over(tcp(143)),
	"imaps":         over(tcp(993)),
	"influxdb":      over(tcp(8086)),
	"ipmi":          over(nil, 623),
	"ipp":           over(tcp(631)),
	"iscsi":         over(tcp(3260)),
	"jetdirect":     over(tcp(9100)),
	"kafka":         over(tcp(9092)),
	"kerberos":      over(tcp(88), 88),
	"kubelet":       over(tcp(10250)),
	"kubernetes":    over(tcp(6443)),
	"l2tp":          over(nil, 1701),
	"ldap":          over(tcp(389), 389),
	"ldaps":         over(tcp(636)),
	"llmnr":         over(nil, 5355),
	"lpd":           over(tcp(515)),
	"mdns":          over(nil, 5353),
	"memcached":     over(tcp(11211), 11211),
	"modbus":        over(tcp(502)),
	"mongodb":       over(tcp(27017)),
	"mqtt":          over(tcp(1883, 8883)),
	"mssql":         over(tcp(1433), 1434),
	"mysql":         over(tcp(3306)),
	"netbios":       over(tcp(139), 137, 138),
	"nfs":           over(tcp(2049), 2049),
	"ntp":           over(nil, 123),
	"openvpn":       over(tcp(1194), 1194),
	"oracle":        over(tcp(1521)),
	"pop3":          over(tcp(110)),
	"pop3s":         over(tcp(995)),
	"postgres":      over(tcp(5432)),
	"postgresql":    over(tcp(5432)),
	"pptp":          over(tcp(1723)),
	"quic":          over(nil, 443),
	"radius":        over(nil, 1812, 1813),
	"rdp":           over(tcp(3389), 3389),
	"redis":         over(tcp(6379)),
	"rpcbind":       over(tcp(111), 111),
	"rsync":         over(tcp(873)),
	"rtsp":          over(tcp(554)),
	"s7":            over(tcp(102)),
	"sip":           over(tcp(5060, 5061), 5060),
	"slp":           over(tcp(427), 427),
	"smb":           over(tcp(445)),
	"smtp":          over(tcp(25)),
	"smtps":         over(tcp(465)),
	"snmp":          over(nil, 161),
	"snmptrap":      over(nil, 162),
	"socks":         over(tcp(1080)),
	"squid":         over(tcp(3128)),
	"ssdp":          over(nil, 1900),
	"ssh":           over(tcp(22)),
	"stun":          over(tcp(3478), 3478),
	"submission":    over(tcp(587)),
	"syslog":        over(tcp(514), 514),
	"tacacs":        over(tcp(49)),
	"telnet":        over(tcp(23)),
	"tftp":          over(nil, 69),
	"turn":          over(tcp(3478, 5349), 3478, 5349),
	"upnp":          over(nil, 1900),
	"vnc":           over(tcp(5900)),
	"winrm":         over(tcp(5985, 5986)),
	"wireguard":     over(nil, 51820),
	"x11":           over(tcp(6000)),
	"xmpp":          over(tcp(5222, 5269)),
	"zookeeper":     over(tcp(2181)),
}
