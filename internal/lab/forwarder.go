//go:build linux

package lab

func forwarderKinds() []Kind {
	return []Kind{
		{
			Name: "fwd-transparent", Packages: []string{"nftables"}, needs: []string{"unbound-abused"},
			Abused: "passes UDP queries on with the client's own source address, so that the answer comes from the resolver",
			start:  transparentForwarder,
		},
		{
			Name: "fwd-recursive", Packages: []string{"dnsmasq-base"}, needs: []string{"bind-resolver-abused"},
			Abused: "open forwarder that asks another host",
			start:  dnsmasq("--server={bind-resolver-abused.4}", "--no-ident"),
		},
		{
			Name: "dnsdist-abused", Packages: []string{"dnsdist"}, needs: []string{"unbound-abused"},
			Abused: "open load balancer, its console and its statistics reachable for all",
			start: server{
				files: map[string]string{"dnsdist.conf": dnsdistConf},
				argv:  []string{"dnsdist", "--supervised", "--disable-syslog", "-C", "{dir}/dnsdist.conf"},
				ports: []string{"5199", "8083"},
			}.start,
		},
		{
			Name: "intercepted-a", Packages: []string{"nftables"}, needs: []string{"unbound-abused"}, intercepted: true,
			Abused: "nothing listens here, but a middlebox on the way answers port 53 for every address of the segment",
			start:  interception,
		},
		{
			Name: "intercepted-b", Packages: []string{"nsd"}, needs: []string{"intercepted-a"}, intercepted: true,
			Abused: "a real name server that nobody reaches for the middlebox",
			start:  nsd(publicZones(), "", "", ""),
		},
	}
}

// dnsdistConf gives the console a key, without which it accepts nobody, and
// keeps dnsdist from asking for security news outside the lab.
const dnsdistConf = `
setSecurityPollSuffix("")
setLocal("0.0.0.0:53")
addLocal("[::]:53")
setACL({"0.0.0.0/0", "::/0"})
newServer("{unbound-abused.4}")
controlSocket("[::]:5199")
setKey("bGFiIGxhYiBsYWIgbGFiIGxhYiBsYWIgbGFiIGxhYiE=")
setConsoleACL({"0.0.0.0/0", "::/0"})
webserver("[::]:8083")
setWebserverConfig({acl="0.0.0.0/0, ::/0", statsRequireAuthentication=false, apiRequiresAuthentication=false})
`

// transparentForwarder rewrites the destination of UDP queries and nothing
// else; the resolver's answer does not pass this host again.
func transparentForwarder(s *setup) error {
	values := map[string]string{
		"ipv4/ip_forward":              "1",
		"ipv4/conf/all/send_redirects": "0", "ipv4/conf/eth0/send_redirects": "0",
		"ipv6/conf/all/forwarding": "1",
	}
	if err := s.host.ns.sysctl(values); err != nil {
		return err
	}
	return s.host.ns.nft(s.ctx, s.expand(`
table inet transparent {
	chain prerouting {
		type nat hook prerouting priority -100
		meta nfproto ipv4 udp dport 53 dnat ip to {unbound-abused.4}
		meta nfproto ipv6 udp dport 53 dnat ip6 to {unbound-abused.6}
	}
}
`))
}

// interception makes the router answer port 53 for the whole segment.
func interception(s *setup) error {
	return s.lab.router.nft(s.ctx, s.expand(`
table inet middlebox {
	chain prerouting {
		type nat hook prerouting priority -100
		iifname "scanner" ip daddr `+Intercepted4+` meta l4proto { tcp, udp } th dport 53 dnat ip to {unbound-abused.4}
		iifname "scanner" ip6 daddr `+Intercepted6+` meta l4proto { tcp, udp } th dport 53 dnat ip6 to {unbound-abused.6}
	}
}
`))
}
