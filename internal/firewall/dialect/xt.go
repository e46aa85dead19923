package dialect

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/iptables"
)

// replaceXT takes out of an nft listing the tables that files of iptables-save
// show as well: of iptables-nft's rules nft lists the extensions without their
// parameters, and the save has them whole.
func (l *loader) replaceXT() {
	l.hidden()
	if len(l.saved) == 0 || !slices.ContainsFunc(l.kinds, func(f format) bool { return f == nftJSON || f == nftText }) {
		return
	}
	shown := map[string]bool{}
	keep := map[*firewall.Chain]bool{}
	for _, s := range l.saved {
		if s.legacy {
			continue // its tables stand beside those of nft with the same name
		}
		family := "ip "
		if s.family == firewall.IPv6 {
			family = "ip6 "
		}
		for _, c := range s.rules.Chains {
			shown[family+c.Table] = true
			keep[c] = true
		}
	}
	replaced := false
	l.out.Chains = slices.DeleteFunc(l.out.Chains, func(c *firewall.Chain) bool {
		gone := !keep[c] && shown[c.Table]
		replaced = replaced || gone
		return gone
	})
	if replaced {
		l.out.Unparsed = slices.DeleteFunc(l.out.Unparsed, func(u firewall.Unparsed) bool { return strings.Contains(u.Why, "iptables-save") })
	}
}

// hidden takes back what iptables-save said of tables that it cannot show, once
// the files that show them are given as well.
func (l *loader) hidden() {
	files := map[firewall.Family]int{}
	for _, s := range l.saved {
		files[s.family]++
	}
	listed := slices.ContainsFunc(l.kinds, func(f format) bool { return f == nftJSON || f == nftText })
	l.out.Unparsed = slices.DeleteFunc(l.out.Unparsed, func(u firewall.Unparsed) bool {
		family := firewall.IPv4
		if strings.Contains(u.Text, "ip6tables") {
			family = firewall.IPv6
		}
		return u.Why == iptables.NativeHidden && listed || u.Why == iptables.LegacyHidden && files[family] > 1
	})
}
