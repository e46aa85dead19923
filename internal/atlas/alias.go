package atlas

import (
	"maps"
	"slices"

	"reconshield/internal/netset"
)

// alias gives the ports of what people call a service, in lower case, and the
// registry does not; nil for a name that it does not know.
func alias(service string) []netset.Port {
	if ports := netset.ServicePorts(service); ports != nil {
		return ports
	}
	set, err := netset.ParsePortsNamed(colloquial()[service], nil)
	if err != nil { // of no ports
		return nil
	}
	return slices.Collect(set.All())
}

// aliases lists every name that alias knows.
func aliases() []string {
	return slices.AppendSeq(slices.Sorted(netset.Services()), maps.Keys(colloquial()))
}

// colloquial are names beside those of netset: of software, of protocols by
// their common names, and what people type when they look for a service.
func colloquial() map[string]string {
	return map[string]string{
		"ajp":                       "T:8009",
		"bind":                      "53",
		"bitcoin":                   "T:8333",
		"bittorrent":                "6881",
		"chrony":                    "U:123",
		"cifs":                      "T:445",
		"clickhouse":                "T:8123,9000",
		"cups":                      "T:631",
		"dns":                       "53",
		"dns over https":            "443",
		"dns over quic":             "U:853",
		"dns over tls":              "T:853",
		"doh":                       "443",
		"domain name system":        "53",
		"elastic":                   "T:9200",
		"ethernet/ip":               "44818",
		"exim":                      "T:25",
		"grafana":                   "T:3000",
		"hadoop":                    "T:9870",
		"imap ssl":                  "T:993",
		"ipsec":                     "U:500,4500",
		"jmx":                       "T:1099",
		"kibana":                    "T:5601",
		"mail":                      "T:25,465,587",
		"mariadb":                   "T:3306",
		"memcache":                  "11211",
		"microsoft sql":             "T:1433",
		"minecraft":                 "T:25565",
		"modbus/tcp":                "T:502",
		"mongo":                     "T:27017",
		"mstsc":                     "T:3389",
		"multicast dns":             "U:5353",
		"nameserver":                "53",
		"neo4j":                     "T:7474,7687",
		"nrpe":                      "T:5666",
		"opc ua":                    "T:4840",
		"openssh":                   "T:22",
		"pcanywhere":                "T:5631",
		"pg":                        "T:5432",
		"pihole":                    "53,T:80",
		"plc":                       "T:102,502",
		"pop3 ssl":                  "T:995",
		"portmap":                   "111",
		"portmapper":                "111",
		"postfix":                   "T:25",
		"powershell remoting":       "T:5985,5986",
		"profinet":                  "U:34964",
		"prometheus":                "T:9090",
		"rabbitmq":                  "T:5672,15672",
		"remote desktop":            "3389",
		"rmi":                       "T:1099",
		"rndc":                      "T:953",
		"samba":                     "T:445,139",
		"scp":                       "T:22",
		"secure shell":              "T:22",
		"sftp":                      "T:22",
		"siemens s7":                "T:102",
		"smtp ssl":                  "T:465",
		"smtps":                     "T:465",
		"solr":                      "T:8983",
		"splunk":                    "T:8089",
		"sql server":                "T:1433",
		"steam":                     "27015",
		"svn":                       "T:3690",
		"teamviewer":                "5938",
		"terminal services":         "3389",
		"time server":               "U:123",
		"tor":                       "T:9001,9050",
		"unbound":                   "53",
		"valkey":                    "T:6379",
		"voip":                      "U:5060,T:5060,5061",
		"vpn":                       "T:1194,1723,U:500,1194,1701,4500,51820",
		"web":                       "T:80,443",
		"weblogic":                  "T:7001",
		"whois":                     "T:43",
		"windows file share":        "T:445",
		"windows remote management": "T:5985,5986",
		"zabbix":                    "T:10050,10051",
	}
}
