package iptables

import (
	"strings"
)

// kind says how the options of a match are decided.
type kind uint8

const (
	undecided kind = iota // by nothing in the rules
	nothing               // it has no bearing: comment
	transport             // tcp, udp, sctp, dccp, udplite
	icmpKind
	multiport
	conntrack
	iprange
	addrtype
	setKind
	recent
)

// module is a match extension (-m).
type module struct {
	kind kind
	// options as "name=arguments", separated by blanks, without dashes.
	options string
	// why of an undecided one, read after its options: "limit 3/min depends on
	// traffic".
	why string
	// proto is the protocol that the extension implies, 0 for none.
	proto uint8
}

const (
	whyTraffic = "depends on traffic"
	whyEarlier = "depends on earlier packets"
	whyMark    = "depends on a mark, which is not followed"
	whyLocal   = "depends on the sending process"
	whyPacket  = "depends on the packet's content"
	whyHeader  = "depends on headers that are not modelled"
	whyHost    = "depends on the host's state"
)

// modules are the match extensions of iptables 1.8 (iptables-extensions(8)) and
// xtables-addons.
//
//nolint:gochecknoglobals // read-only table
var modules = map[string]module{
	"tcp":     {kind: transport, proto: 6, options: "source-port=1 sport=1 destination-port=1 dport=1 tcp-flags=2 syn=0 tcp-option=1"},
	"udp":     {kind: transport, proto: 17, options: "source-port=1 sport=1 destination-port=1 dport=1"},
	"udplite": {kind: transport, proto: 136, options: "source-port=1 sport=1 destination-port=1 dport=1"},
	"sctp":    {kind: transport, proto: 132, options: "source-port=1 sport=1 destination-port=1 dport=1 chunk-types=2"},
	"dccp":    {kind: transport, proto: 33, options: "source-port=1 sport=1 destination-port=1 dport=1 dccp-types=1 dccp-option=1"},
	"icmp":    {kind: icmpKind, proto: 1, options: "icmp-type=1"},
	"icmp6":   {kind: icmpKind, proto: 58, options: "icmpv6-type=1"},
	"icmpv6":  {kind: icmpKind, proto: 58, options: "icmpv6-type=1"},

	"multiport": {kind: multiport, options: "source-ports=1 sports=1 destination-ports=1 dports=1 ports=1"},
	"conntrack": {kind: conntrack, options: "ctstate=1 ctproto=1 ctorigsrc=1 ctorigdst=1 ctreplsrc=1 ctrepldst=1 " +
		"ctorigsrcport=1 ctorigdstport=1 ctreplsrcport=1 ctrepldstport=1 ctstatus=1 ctexpire=1 ctdir=1"},
	"state":    {kind: conntrack, options: "state=1"},
	"iprange":  {kind: iprange, options: "src-range=1 dst-range=1"},
	"addrtype": {kind: addrtype, options: "src-type=1 dst-type=1 limit-iface-in=0 limit-iface-out=0", why: "depends on the routing table"},
	"set": {kind: setKind, options: "match-set=2 set=2 return-nomatch=0 update-counters=0 update-subcounters=0 packets-eq=1 packets-lt=1 " +
		"packets-gt=1 bytes-eq=1 bytes-lt=1 bytes-gt=1", why: "depends on the set's counters or flags"},
	"recent": {
		kind: recent, options: "set=0 rcheck=0 update=0 remove=0 seconds=1 reap=0 hitcount=1 rttl=0 name=1 rsource=0 rdest=0 mask=1",
		why: whyEarlier,
	},
	"comment": {kind: nothing, options: "comment=1"},

	"ah":     {options: "ahspi=1 ahlen=1 ahres=0", why: whyPacket, proto: 51},
	"esp":    {options: "espspi=1", why: whyPacket, proto: 50},
	"ipcomp": {options: "ipcompspi=1 compres=0", why: whyPacket, proto: 108},
	"mh":     {options: "mh-type=1", why: whyPacket, proto: 135},
	"bpf":    {options: "bytecode=1 object-pinned=1", why: whyPacket},
	"cgroup": {options: "path=1 cgroup=1", why: whyLocal},
	"cluster": {
		options: "cluster-total-nodes=1 cluster-local-node=1 cluster-local-nodemask=1 cluster-hash-seed=1",
		why:     "depends on a hash of the source",
	},
	"connbytes": {options: "connbytes=1 connbytes-dir=1 connbytes-mode=1", why: whyTraffic},
	"connlabel": {options: "label=1 set=0", why: "depends on a label, which is not followed"},
	"connlimit": {options: "connlimit-upto=1 connlimit-above=1 connlimit-mask=1 connlimit-saddr=0 connlimit-daddr=0", why: whyTraffic},
	"connmark":  {options: "mark=1", why: whyMark},
	"condition": {options: "condition=1", why: "depends on a switch in /proc"},
	"cpu":       {options: "cpu=1", why: whyHost},
	"devgroup":  {options: "src-group=1 dst-group=1", why: "depends on the interface's group"},
	"dscp":      {options: "dscp=1 dscp-class=1", why: whyPacket},
	"dst":       {options: "dst-len=1 dst-opts=1", why: whyHeader},
	"ecn":       {options: "ecn-tcp-cwr=0 ecn-tcp-ece=0 ecn-ip-ect=1", why: whyPacket}, //nolint:misspell // the option's name
	"eui64":     {why: whyHeader},
	"frag":      {options: "fragid=1 fraglen=1 fragres=0 fragfirst=0 fragmore=0 fraglast=0", why: whyHeader},
	"fuzzy":     {options: "lower-limit=1 upper-limit=1", why: whyTraffic},
	"geoip":     {options: "src-cc=1 source-country=1 dst-cc=1 destination-country=1", why: "depends on a database of countries"},
	"hashlimit": {options: "hashlimit=1 hashlimit-upto=1 hashlimit-above=1 hashlimit-mode=1 hashlimit-srcmask=1 hashlimit-dstmask=1 " +
		"hashlimit-name=1 hashlimit-burst=1 hashlimit-htable-size=1 hashlimit-htable-max=1 hashlimit-htable-gcinterval=1 " +
		"hashlimit-htable-expire=1 hashlimit-rate-match=0 hashlimit-rate-interval=1", why: whyTraffic},
	"hbh":         {options: "hbh-len=1 hbh-opts=1", why: whyHeader},
	"helper":      {options: "helper=1", why: "depends on connection tracking's helpers"},
	"hl":          {options: "hl-eq=1 hl-lt=1 hl-gt=1", why: whyPacket},
	"iface":       {options: "iface=1 dev-in=0 dev-out=0 up=0 down=0 broadcast=0 loopback=0 running=0 multicast=0", why: whyHost},
	"ipp2p":       {why: whyPacket},
	"ipv4options": {options: "flags=1 any=0", why: whyHeader},
	"ipv6header":  {options: "header=1 soft=0", why: whyHeader},
	"ipvs":        {options: "ipvs=0 vproto=1 vaddr=1 vport=1 vdir=1 vmethod=1 vportctl=1", why: whyHost},
	"layer7":      {options: "l7proto=1 l7dir=1", why: whyPacket},
	"length":      {options: "length=1", why: whyPacket},
	"limit":       {options: "limit=1 limit-burst=1", why: whyTraffic},
	"mac":         {options: "mac-source=1", why: "depends on the sender's hardware address"},
	"mark":        {options: "mark=1", why: whyMark},
	"ndpi":        {why: whyPacket},
	"nfacct":      {options: "nfacct-name=1", why: whyTraffic},
	"osf":         {options: "genre=1 ttl=1 log=1", why: whyPacket},
	"owner":       {options: "uid-owner=1 gid-owner=1 pid-owner=1 sid-owner=1 cmd-owner=1 socket-exists=0 suppl-groups=0", why: whyLocal},
	"physdev": {
		options: "physdev-in=1 physdev-out=1 physdev-is-in=0 physdev-is-out=0 physdev-is-bridged=0",
		why:     "depends on the ports of a bridge",
	},
	"pkttype": {options: "pkt-type=1", why: "depends on the frame's destination"},
	"policy": {
		options: "dir=1 pol=1 strict=0 reqid=1 spi=1 proto=1 mode=1 tunnel-src=1 tunnel-dst=1 next=0",
		why:     "depends on IPsec policies",
	},
	"psd":    {options: "psd-weight-threshold=1 psd-delay-threshold=1 psd-lo-ports-weight=1 psd-hi-ports-weight=1", why: whyEarlier},
	"quota":  {options: "quota=1", why: whyTraffic},
	"quota2": {options: "quota=1 name=1 grow=0 change=0 no-change=0 packets=0", why: whyTraffic},
	"rateest": {options: "rateest1=1 rateest2=1 rateest-delta=0 rateest-bps=1 rateest-pps=1 rateest-bps1=1 rateest-pps1=1 rateest-bps2=1 " +
		"rateest-pps2=1 rateest-lt=0 rateest-gt=0 rateest-eq=0", why: whyTraffic},
	"realm":    {options: "realm=1", why: "depends on the routing table"},
	"rpfilter": {options: "loose=0 validmark=0 accept-local=0 invert=0", why: "depends on the routing table"},
	"rt":       {options: "rt-type=1 rt-segsleft=1 rt-len=1 rt-0-res=0 rt-0-addrs=1 rt-0-not-strict=0", why: whyHeader},
	"socket":   {options: "nowildcard=0 transparent=0 restore-skmark=0", why: "depends on the host's sockets"},
	"srh": {
		options: "srh-next-hdr=1 srh-hdr-len-eq=1 srh-hdr-len-gt=1 srh-hdr-len-lt=1 srh-segs-left-eq=1 srh-segs-left-gt=1 " +
			"srh-segs-left-lt=1 srh-last-entry-eq=1 srh-last-entry-gt=1 srh-last-entry-lt=1 srh-tag=1 srh-psid=1 srh-nsid=1 srh-lsid=1",
		why: whyHeader,
	},
	"statistic": {options: "mode=1 probability=1 every=1 packet=1", why: "is random or counts packets"},
	"string":    {options: "from=1 to=1 algo=1 icase=0 string=1 hex-string=1", why: whyPacket},
	"tcpmss":    {options: "mss=1", why: whyPacket},
	"time": {
		options: "datestart=1 datestop=1 timestart=1 timestop=1 monthdays=1 weekdays=1 kerneltz=0 utc=0 localtz=0 contiguous=0",
		why:     "depends on the time",
	},
	"tos":     {options: "tos=1", why: whyPacket},
	"ttl":     {options: "ttl=1 ttl-eq=1 ttl-lt=1 ttl-gt=1", why: whyPacket},
	"u32":     {options: "u32=1", why: whyPacket},
	"unclean": {why: whyPacket},
}

// implied is the module that "-p" alone makes available.
func implied(proto uint8) string {
	switch proto {
	case 1:
		return "icmp"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 33:
		return "dccp"
	case 50:
		return "esp"
	case 51:
		return "ah"
	case 58:
		return "icmp6"
	case 132:
		return "sctp"
	case 135:
		return "mh"
	case 136:
		return "udplite"
	}
	return ""
}

// findOption looks up how many arguments an option takes. With abbreviated, the
// beginning of a single option's name is enough, as getopt_long(3) has it; full
// is then the whole name.
func findOption(options, name string, abbreviated bool) (full string, arguments int, ok bool) {
	for options != "" {
		var one string
		one, options, _ = strings.Cut(options, " ")
		known, n := one[:len(one)-2], int(one[len(one)-1]-'0')
		switch {
		case known == name:
			return known, n, true
		case abbreviated && strings.HasPrefix(known, name):
			if ok && arguments != n {
				return "", 0, false
			}
			// Of several, the shortest is the one meant: "--dport" of
			// multiport's dports, "--to" of to-destination.
			if !ok || len(known) < len(full) {
				full, arguments, ok = known, n, true
			}
		}
	}
	return full, arguments, ok
}
