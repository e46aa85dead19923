package iptables

import (
	"net/netip"
	"strings"

	"reconshield/internal/firewall"
)

// target is what follows -j, when it is no chain.
type target struct {
	action  firewall.ActionKind
	options string // as of module
	why     string // of Unknown
	astray  bool   // as of firewall.Action
}

// targets are those of iptables 1.8 (iptables-extensions(8)) and xtables-addons.
//
//nolint:gochecknoglobals // read-only table
var targets = map[string]target{
	"ACCEPT": {action: firewall.Accept},
	"DROP":   {action: firewall.Drop},
	"RETURN": {action: firewall.Return},
	"REJECT": {action: firewall.Reject, options: "reject-with=1"},

	"DNAT":       {action: firewall.DNAT, options: "to-destination=1 random=0 persistent=0"},
	"REDIRECT":   {action: firewall.Redirect, options: "to-ports=1 random=0"},
	"SNAT":       {action: firewall.SNAT, options: "to-source=1 random=0 random-fully=0 persistent=0"},
	"MASQUERADE": {action: firewall.SNAT, options: "to-ports=1 random=0 random-fully=0"},
	"NETMAP":     {action: firewall.SNAT, options: "to=1"},
	"SAME":       {action: firewall.Unknown, astray: true, options: "to=1 nodst=0 random=0", why: "SAME is not modelled"},
	"DNPT":       {action: firewall.Unknown, astray: true, options: "src-pfx=1 dst-pfx=1", why: "DNPT changes the destination without connection tracking"},
	"SNPT":       {action: firewall.Unknown, astray: true, options: "src-pfx=1 dst-pfx=1", why: "SNPT changes the source without connection tracking"},
	"CT":         {action: firewall.Continue, options: "notrack=0 helper=1 timeout=1 ctevents=1 expevents=1 zone=1 zone-orig=1 zone-reply=1"},
	"NOTRACK":    {action: firewall.Notrack},

	"QUEUE": {action: firewall.Unknown, why: "QUEUE leaves the verdict to a program"},
	"NFQUEUE": {
		action: firewall.Unknown, why: "NFQUEUE leaves the verdict to a program",
		options: "queue-num=1 queue-balance=1 queue-bypass=0 queue-cpu-fanout=0",
	},
	"TPROXY":    {action: firewall.Unknown, astray: true, options: "on-port=1 on-ip=1 tproxy-mark=1", why: "TPROXY hands packets to a local proxy"},
	"SYNPROXY":  {action: firewall.Unknown, options: "sack-perm=0 timestamp=0 wscale=1 mss=1 ecn=0", why: "SYNPROXY answers in the host's place"},
	"CLUSTERIP": {action: firewall.Unknown, options: "new=0 hashmode=1 clustermac=1 total-nodes=1 local-node=1 hash-init=1", why: "CLUSTERIP drops what other nodes answer"},
	"MIRROR":    {action: firewall.Unknown, why: "MIRROR sends packets back"},
	"TARPIT":    {action: firewall.Unknown, options: "tarpit=0 honeypot=0 reset=0", why: "TARPIT answers in the host's place"},
	"DELUDE":    {action: firewall.Unknown, why: "DELUDE answers in the host's place"},
	"CHAOS":     {action: firewall.Unknown, options: "delude=0 tarpit=0", why: "CHAOS drops at random"},
	"ECHO":      {action: firewall.Unknown, why: "ECHO sends packets back"},
	"STEAL":     {action: firewall.Drop},
	"RAWDNAT":   {action: firewall.Unknown, astray: true, options: "to-destination=1", why: "RAWDNAT changes the destination without connection tracking"},
	"RAWSNAT":   {action: firewall.Unknown, astray: true, options: "to-source=1", why: "RAWSNAT changes the source without connection tracking"},
	"ROUTE":     {action: firewall.Unknown, astray: true, options: "oif=1 iif=1 gw=1 continue=0 tee=0", why: "ROUTE sends packets elsewhere"},

	"ACCOUNT":     {options: "addr=1 tname=1"},
	"AUDIT":       {options: "type=1"},
	"CHECKSUM":    {options: "checksum-fill=0"},
	"CLASSIFY":    {options: "set-class=1"},
	"CONNMARK":    {options: "set-xmark=1 save-mark=0 restore-mark=0 ctmask=1 nfmask=1 set-mark=1 mask=1 and-mark=1 or-mark=1 xor-mark=1 left-shift-mark=1 right-shift-mark=1"},
	"CONNSECMARK": {options: "save=0 restore=0"},
	"DSCP":        {options: "set-dscp=1 set-dscp-class=1"},
	"ECN":         {options: "ecn-tcp-remove=0"},
	"FLOWOFFLOAD": {options: "hw=0"},
	"HL":          {options: "hl-set=1 hl-dec=1 hl-inc=1"},
	"HMARK": {options: "hmark-tuple=1 hmark-mod=1 hmark-offset=1 hmark-rnd=1 hmark-src-prefix=1 hmark-dst-prefix=1 hmark-sport-mask=1 " +
		"hmark-dport-mask=1 hmark-spi-mask=1 hmark-sport=1 hmark-dport=1 hmark-spi=1 hmark-proto-mask=1"},
	"IDLETIMER":   {options: "timeout=1 label=1 alarm=0 send_nl_msg=1"},
	"IPMARK":      {options: "addr=1 and-mask=1 or-mask=1 shift=1"},
	"LED":         {options: "led-trigger-id=1 led-delay=1 led-always-blink=0"},
	"LOG":         {options: "log-level=1 log-prefix=1 log-tcp-sequence=0 log-tcp-options=0 log-ip-options=0 log-uid=0 log-macdecode=0"},
	"LOGMARK":     {options: "log-level=1 log-prefix=1"},
	"MARK":        {options: "set-xmark=1 set-mark=1 and-mark=1 or-mark=1 xor-mark=1"},
	"NFLOG":       {options: "nflog-group=1 nflog-range=1 nflog-size=1 nflog-threshold=1 nflog-prefix=1"},
	"RATEEST":     {options: "rateest-name=1 rateest-interval=1 rateest-ewmalog=1"},
	"SECMARK":     {options: "selctx=1"},
	"SET":         {options: "add-set=2 del-set=2 map-set=2 exist=0 timeout=1 map-mark=0 map-prio=0 map-queue=0"},
	"TCPMSS":      {options: "set-mss=1 clamp-mss-to-pmtu=0"},
	"TCPOPTSTRIP": {options: "strip-options=1"},
	"TEE":         {options: "gateway=1 oif=1"},
	"TOS":         {options: "set-tos=1 and-tos=1 or-tos=1 xor-tos=1"},
	"TRACE":       {},
	"TTL":         {options: "ttl-set=1 ttl-dec=1 ttl-inc=1"},
	"ULOG":        {options: "ulog-nlgroup=1 ulog-cprange=1 ulog-qthreshold=1 ulog-prefix=1"},
}

// option notes an option of the rule's target.
func (p *ruleParser) targetOption(name string, args []token) {
	switch name {
	case "to-destination", "to-ports":
		if p.action.Kind != firewall.DNAT && p.action.Kind != firewall.Redirect {
			return
		}
		to, ok := parseNATRange(args[0].text, p.r.family)
		if !ok || p.natSeen {
			p.action = firewall.Action{Kind: firewall.Unknown, Astray: true, Why: p.r.words.get("destination " + clip(args[0].text, 80) + " is not understood")}
			return
		}
		p.natSeen = true
		p.action.To = to
	case "notrack":
		p.action.Kind = firewall.Notrack
	case "add-set", "del-set":
		p.r.changed[p.r.words.get(args[0].text)] = true
	}
}

// parseNATRange reads "10.0.0.1-10.0.0.5:80-90", ":53", "[2001:db8::1]:53",
// "2001:db8::1" and, of REDIRECT, "8080" or "8080-8090".
func parseNATRange(s string, f firewall.Family) (to firewall.NATRange, ok bool) {
	addrs, ports := s, ""
	switch {
	case strings.HasPrefix(s, "["):
		end := strings.LastIndexByte(s, ']')
		if end < 0 {
			return to, false
		}
		addrs, ports = s[1:end], s[end+1:]
		addrs = strings.Replace(addrs, "]-[", "-", 1)
		if ports != "" && ports[0] != ':' {
			return to, false
		}
		ports = strings.TrimPrefix(ports, ":")
	case strings.HasPrefix(s, ":") && !strings.HasPrefix(s, "::"):
		addrs, ports = "", s[1:]
	case f == firewall.IPv4 && strings.Contains(s, ":"):
		addrs, ports, _ = strings.Cut(s, ":")
	case !strings.ContainsAny(s, ".:"):
		addrs, ports = "", s
	}
	if addrs != "" {
		if to.First, to.Last, ok = parseRange(addrs, f); !ok {
			return to, false
		}
	}
	if ports == "" {
		return to, addrs != ""
	}
	first, last, ranged := strings.Cut(ports, "-")
	if !ranged {
		last = first
	}
	var ok1, ok2 bool
	to.FirstPort, ok1 = parsePort(first)
	to.LastPort, ok2 = parsePort(last)
	return to, ok1 && ok2 && to.FirstPort != 0 && to.FirstPort <= to.LastPort
}

// finishAction decides what only the whole rule tells.
func (p *ruleParser) finishAction() {
	t := p.t
	switch p.jump {
	case "":
		return
	case "TEE":
		p.action.Astray, p.action.Why = true, "TEE sends a copy of the packet to another host, past all rules that follow"
		p.add(localDst(true)) // what is for the host itself, that one sends back at most
	case "NETMAP":
		// It maps the destination in PREROUTING and OUTPUT, the source in the
		// others; of a user chain we do not know who jumps to it.
		if c := p.chain.c; c.Base == nil || c.Base.Hook == firewall.Prerouting || c.Base.Hook == firewall.Output {
			p.action = firewall.Action{Kind: firewall.Unknown, Astray: true, Why: "NETMAP maps destinations one to one"}
		}
	}
	if k := p.action.Kind; k == firewall.DNAT || k == firewall.Redirect || k == firewall.SNAT {
		if t.name != "nat" {
			p.action = firewall.Action{Kind: firewall.Unknown, Astray: true, Why: p.r.words.get(p.jump + " outside the nat table")}
		} else if p.action.Kind == firewall.DNAT && !p.natSeen {
			p.action = firewall.Action{Kind: firewall.Unknown, Astray: true, Why: "DNAT without --to-destination"}
		}
	}
}

// setTarget notes -j or -g. A chain of the user comes before an extension of
// the same name; a name that is neither may be a chain still to come.
func (p *ruleParser) setTarget(name string, goTo bool) {
	p.jump, p.goTo = name, goTo
	kind := firewall.Jump
	if goTo {
		kind = firewall.Goto
	}
	if c, ok := p.t.chains[name]; ok && c.c.Base == nil && name != "ACCEPT" && name != "DROP" && name != "RETURN" {
		p.action = firewall.Action{Kind: kind, Target: c.c}
		return
	}
	if t, ok := targets[name]; ok && !goTo {
		p.target = t
		p.action = firewall.Action{Kind: t.action, Why: t.why, Astray: t.astray}
		return
	}
	p.pending = true
}

// libvirt tells the chain in which libvirt lets packets into its networks.
func libvirt(c *chainState) bool { return c.c.Name == "LIBVIRT_FWI" }

// natRoute reads the route that a masquerading rule tells of: what is behind an
// interface is masqueraded when it leaves through another.
func (p *ruleParser) natRoute() (prefix netip.Prefix, iface string, ok bool) {
	if p.jump == "MASQUERADE" && p.t.name == "nat" && len(p.srcs) == 1 && !p.srcNot && p.outNot && p.out != "" {
		prefix, iface = p.srcs[0].prefix, p.out
	}
	if libvirt(p.chain) && p.jump == "ACCEPT" && len(p.dsts) == 1 && !p.dstNot && !p.outNot && p.out != "" {
		prefix, iface = p.dsts[0].prefix, p.out
	}
	ok = prefix.IsValid() && prefix.Bits() > 0 && iface != "" && !strings.HasSuffix(iface, "+")
	return prefix, iface, ok
}
