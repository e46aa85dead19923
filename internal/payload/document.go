package payload

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Document is the table as a page of Markdown.
func (t *Table) Document() string {
	var b strings.Builder
	b.WriteString(`# What UDP ports are asked

A UDP port that is open but gets a datagram which it does not understand is
silent, like a filtered one. So each port below is asked in its own protocol.
The questions change nothing, begin no login and bring answers of about their
own size. The exceptions are qotd and chargen, which answer any datagram at
length: there is no smaller question, and the answer comes to the scanner alone.
An answer counts as the protocol's only when it has its form and
repeats what the protocol repeats of the question (*echoed*, in bits of a keyed
cookie). Sizes are those of the UDP payload in bytes; *times* compares the
packets with their IPv4 and UDP headers. This page is generated from the code.

| ports | protocol | is asked | bytes | answer | times | echoed | reference |
| --- | --- | --- | --- | --- | --- | --- | --- |
`)
	rows := t.byPort()
	for _, p := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %s | %d | %s |\n",
			p.ports(), p.name(), p.Asks, p.MaxSize, size(p.Answer), times(p.Amplification()), p.Echoed, p.Reference)
	}
	b.WriteString("\n## Why asking is harmless\n\n")
	for _, p := range rows {
		fmt.Fprintf(&b, "- **%s** (%s): %s.\n", p.Title, p.ports(), p.Safe)
	}
	return b.String() + leftOut
}

// leftOut says which known questions are not in the table.
const leftOut = `
## What is not asked

These ports get the DNS question like any other, or the empty datagram, although
their protocols are known:

- DHCP and DHCPv6 (67, 547): an answer may come with a reservation.
- Kerberos password change (464) and ZeroTier (9993): nothing short of a signed
  request is answered.
- HART-IP (5094): the first message begins a session.
- Ubiquiti (10001), Crestron (41794), Citrix (1604), Plex (32414), Jenkins
  (33848), Apple Remote Desktop (3283) and DB2 (523): a few bytes bring hundreds,
  and no published specification knows a smaller answer.
- MikroTik neighbour discovery (5678): the answer is broadcast to everybody.
- Metrics, logs, traps, flows, tunnels, routing and cluster protocols: whatever
  arrives may be stored or acted upon, and nothing is answered.
- NTP monlist, memcached stats, SNMP GETBULK, SSDP for everything, the listing
  of every SQL Server instance: attackers amplify with these.
`

// byPort gives the payloads by their lowest port; those for unlisted and for
// silent ports stand last.
func (t *Table) byPort() []*Payload {
	const last = 1 << 16
	order := func(p *Payload) int {
		switch {
		case len(p.Ports) == 0:
			return last
		case p.Protocol == "":
			return last + 1
		}
		return int(slices.Min(p.Ports))
	}
	return slices.SortedStableFunc(slices.Values(t.All()), func(a, b *Payload) int { return cmp.Compare(order(a), order(b)) })
}

// ports is the ports as text.
func (p *Payload) ports() string {
	if len(p.Ports) == 0 {
		return "any other"
	}
	all := make([]string, 0, len(p.Ports))
	for _, port := range slices.Sorted(slices.Values(p.Ports)) {
		all = append(all, strconv.Itoa(int(port)))
	}
	return strings.Join(all, ", ")
}

func (p *Payload) name() string { return cmp.Or(p.Protocol, "none") }

func size(n int) string {
	if n == 0 {
		return "none"
	}
	return strconv.Itoa(n)
}

func times(factor float64) string {
	if factor == 0 {
		return "none"
	}
	return strconv.FormatFloat(factor, 'f', 1, 64)
}
