//go:build linux

package lab

import "slices"

func dnsmasqKinds() []Kind {
	return []Kind{
		{
			Name: "dnsmasq-safe", Packages: []string{"dnsmasq-base"}, needs: []string{"unbound-validating"},
			// --local-service drops queries from off-link without a word.
			start: dnsmasq("--local-service", "--server={unbound-validating.4}", "--stop-dns-rebind", "--no-ident"),
		},
		{
			Name: "dnsmasq-abused", Packages: []string{"dnsmasq-base"}, needs: []string{"unbound-abused"},
			Abused: "open forwarder, version and statistics shown, no rebinding filter, no validation",
			start:  dnsmasq("--server={unbound-abused.4}"),
		},
	}
}

// dnsmasq runs dnsmasq with no configuration but the given options.
func dnsmasq(options ...string) func(*setup) error {
	return server{argv: slices.Concat([]string{
		"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=", "--group=", "--pid-file=",
		"--log-facility=-", "--no-hosts", "--no-resolv", "--port=53",
	}, options)}.start
}
