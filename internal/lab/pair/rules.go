//go:build linux

package pair

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/lab"
)

// NFT loads an nftables ruleset in the peer.
func (p *Pair) NFT(ruleset string) {
	p.tb.Helper()
	p.must(p.Peer.NFT(p.context(), ruleset))
}

// chain loads one chain in a table of its own in n.
func (p *Pair) chain(n *lab.Namespace, hook string, priority int, rules ...string) (table string) {
	p.tb.Helper()
	p.tables++
	table = fmt.Sprint("pair", p.tables)
	p.must(n.NFT(p.context(), fmt.Sprintf("table inet %s {\nchain c {\ntype filter hook %s priority %d; policy accept;\n%s\n}\n}\n",
		table, hook, priority, strings.Join(rules, "\n"))))
	return table
}

// neighbours lets IPv6 find its neighbours whatever is lost or limited.
const neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"

// Lose drops a share of the packets at random, in percent, on their way to the
// peer and from it. Neighbour discovery is spared.
func (p *Pair) Lose(toPeer, fromPeer int) {
	p.tb.Helper()
	rule := "numgen random mod 100 < %d drop"
	if toPeer > 0 {
		p.chain(p.Peer, "prerouting", -310, "iifname lo accept", neighbours, fmt.Sprintf(rule, toPeer))
	}
	if fromPeer > 0 {
		p.chain(p.Peer, "postrouting", 310, "oifname lo accept", neighbours, fmt.Sprintf(rule, fromPeer))
	}
}

// LimitResets lets the peer send only so many TCP resets a second.
func (p *Pair) LimitResets(perSecond int) {
	p.tb.Helper()
	p.chain(p.Peer, "output", -10, fmt.Sprintf("oifname != lo tcp flags & rst == rst limit rate over %d/second burst 5 packets drop", perSecond))
}

// LimitICMP lets the peer send only so many ICMP errors a second, IPv4 and
// IPv6 apart.
func (p *Pair) LimitICMP(perSecond int) {
	p.tb.Helper()
	limit := fmt.Sprintf("limit rate over %d/second burst 5 packets drop", perSecond)
	p.chain(p.Peer, "output", -10,
		"oifname != lo icmp type { destination-unreachable, time-exceeded } "+limit,
		"oifname != lo icmpv6 type { destination-unreachable, time-exceeded } "+limit)
}

// Silence makes the peer drop what comes for the targets.
func (p *Pair) Silence(targets ...exposure.Target) {
	p.tb.Helper()
	for _, t := range targets {
		p.silent[t] = true
	}
	p.chain(p.Peer, "input", -20, verdicts(targets, "drop")...)
}

// Prohibit makes the peer answer for the targets that it is prohibited.
func (p *Pair) Prohibit(targets ...exposure.Target) {
	p.tb.Helper()
	for _, t := range targets {
		p.prohibited[t] = true
	}
	p.chain(p.Peer, "input", -20, verdicts(targets, "reject with icmpx admin-prohibited")...)
}

// verdicts gives the rules for what arrives for the targets.
func verdicts(targets []exposure.Target, verdict string) []string {
	var rules []string
	for _, f := range families() {
		for _, transport := range []exposure.Transport{exposure.TCP, exposure.UDP} {
			if set := elements(targets, f.v6, transport); set != "" {
				rules = append(rules, fmt.Sprintf("%s daddr . %s dport { %s } %s", f.name, transport, set, verdict))
			}
		}
	}
	return rules
}

type family struct {
	name string
	v6   bool
}

func families() []family { return []family{{"ip", false}, {"ip6", true}} }

// elements lists "address . port" of the targets of one kind.
func elements(targets []exposure.Target, v6 bool, transport exposure.Transport) string {
	var all []string
	for _, t := range targets {
		if t.Addr.Is6() == v6 && t.Transport == transport {
			all = append(all, fmt.Sprintf("%s . %d", t.Addr, t.Port))
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// Counter counts packets.
type Counter struct {
	p     *Pair
	in    *lab.Namespace
	table string
	kind  string
}

// Count counts what arrives at the peer and matches an nftables expression,
// such as "ip daddr 192.0.2.7", before any other rule sees it.
func (p *Pair) Count(expression string) *Counter {
	p.tb.Helper()
	return p.count(p.Peer, expression)
}

// CountAtScanner is Count for what arrives at the scanner.
func (p *Pair) CountAtScanner(expression string) *Counter {
	p.tb.Helper()
	return p.count(p.Scanner, expression)
}

func (p *Pair) count(n *lab.Namespace, expression string) *Counter {
	p.tb.Helper()
	return &Counter{p: p, in: n, table: p.chain(n, "prerouting", -500, expression+" counter"), kind: "inet"}
}

// CountARP counts the requests for an IPv4 address, or a prefix, that arrive at
// the other end of the scanner's link.
func (p *Pair) CountARP(addr string) *Counter {
	p.tb.Helper()
	p.tables++
	table := fmt.Sprint("pair", p.tables)
	p.must(p.far().NFT(p.context(), fmt.Sprintf(
		"table arp %s {\nchain c {\ntype filter hook input priority -500; policy accept;\narp operation request arp daddr ip %s counter\n}\n}\n", table, addr)))
	return &Counter{p: p, in: p.far(), table: table, kind: "arp"}
}

// Packets is the count so far.
func (c *Counter) Packets() uint64 {
	c.p.tb.Helper()
	// The test's context may have ended when a cleanup reads the counter.
	cmd, err := c.in.Command(context.WithoutCancel(c.p.context()), "nft", "-j", "list", "table", c.kind, c.table)
	c.p.must(err)
	out, err := cmd.Output()
	c.p.must(err)
	var listing struct {
		Nftables []struct {
			Rule struct {
				Expr []struct {
					Counter *struct{ Packets uint64 }
				}
			}
		}
	}
	c.p.must(json.Unmarshal(out, &listing))
	for _, item := range listing.Nftables {
		for _, expr := range item.Rule.Expr {
			if expr.Counter != nil {
				return expr.Counter.Packets
			}
		}
	}
	c.p.tb.Fatalf("pair: no counter in table %s", c.table)
	return 0
}
