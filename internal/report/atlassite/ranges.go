package atlassite

import (
	"fmt"
	"strings"

	"reconshield/internal/atlas"
)

// spread is the text for a range of ports of which nothing sets one apart. It
// names no service, since there is none.
type spread struct {
	*place
	row string // what the registry says of them, may be empty
}

func newSpread(p *place, e *atlas.Entry) spread {
	s := spread{place: p}
	if len(e.Registrations) > 0 {
		s.row = e.Registrations[0].Description
	}
	return s
}

func (s spread) span() string { return fmt.Sprintf("%d to %d", s.first, s.last) }

// dashed is how commands and rules write the range.
func (s spread) dashed() string { return fmt.Sprintf("%d-%d", s.first, s.last) }

func (s spread) sections() atlas.Sections {
	return atlas.Sections{
		Understanding: s.understanding(),
		Security: fmt.Sprintf("Since no known service belongs on any of the %d ports, nothing can be said beforehand of authentication or encryption, and no client of the public needs them. "+
			"An answer from outside means a program that somebody runs on purpose, one that was left over, or one that does not want to be found. Each is worth knowing before somebody else finds it.", s.ports()),
		Defence: fmt.Sprintf("Deny by default: a firewall that drops whatever no rule with an owner and a reason lets in covers ports %s without naming them. "+
			"Where that is not yet so, this table closes the range on a Linux host (`nft -f FILE`); edit your own networks first. Answers to connections that the host itself began still pass.\n\n```\n%s```", s.span(), s.nft()),
		WhyScan: s.whyScan(),
		ThreatIntelligence: s.threatText() + "\n\n- [T1571](https://attack.mitre.org/techniques/T1571/) Non-Standard Port: a service on a port that nothing usual uses is how command and control hides from rules by port.\n" +
			"- [T1046](https://attack.mitre.org/techniques/T1046/) Network Service Discovery: scanners of every kind try these ports as they try all others.",
		Vulnerabilities: "Without a service there is no list of vulnerabilities. Find out which program listens, then look up its product and version with the maker and in CISA's catalogue of known exploited vulnerabilities.",
	}
}

func (s spread) understanding() string {
	var b strings.Builder
	switch {
	case s.class == atlas.Dynamic:
		fmt.Fprintf(&b, "Ports %s are dynamic (RFC 6335): IANA never assigns them to a service. Systems choose such numbers for the client's end of connections, for RPC and media sessions, and for programs that accept whatever port they get. A listener that is always on the same one was configured so by somebody.", s.span())
	case s.row != "" && !strings.EqualFold(s.row, "unassigned"):
		fmt.Fprintf(&b, "IANA's registry has a row for ports %s and gives them to nobody; it says \"%s\". No standard service belongs here: whatever listens was put on its number by its own makers or by an administrator.", s.span(), escape(s.row))
	default:
		fmt.Fprintf(&b, "Ports %s are unassigned: IANA's registry gives none of them to a service. Whatever listens here was put on its number by its own makers or by an administrator, or got it by chance where the system's range for short-lived ports includes it.", s.span())
	}
	switch s.class {
	case atlas.System:
		b.WriteString("\n\nThey are system ports (0 to 1023): on most systems a program needs privileges to listen there, so a listener was started by an administrator or by the system.")
	case atlas.User:
		b.WriteString("\n\nThey are user ports (1024 to 49151): IANA registers them on request, and any program may listen there without privileges.")
	case atlas.Dynamic:
	}
	b.WriteString("\n\nThe ports share this page because none of the sources sets one of them apart from the others.")
	return b.String()
}

func (s spread) whyScan() string {
	const address = "192.0.2.10"
	text := "A scan shows whether the firewall does what its rules say, and finds the service that somebody moved here so that nobody looks. Over TCP a completed handshake proves a listener; over UDP only an answer does, and silence leaves both possible. "
	if s.class == atlas.Dynamic {
		text += "In this range one look can meet a short-lived port: look twice before acting on it. "
	}
	return text + "From outside, with an address of your own in place of " + address + ":\n\n```\n" +
		fmt.Sprintf("# what is open, from where you stand\nreconshield scan %s --ports T:%s,U:%s\n", address, s.dashed(), s.dashed()) +
		fmt.Sprintf("# the same question, asked with Nmap\nnmap -p %s %s\n```", s.dashed(), address)
}

func (s spread) threatText() string {
	text := ""
	if s.threats > 0 {
		text = "No source names one of these ports alone. The records below are of families that use any port of a wide range, which holds them all.\n\n"
	}
	text += "A listener or a recurring outbound connection on one of these ports has no ordinary explanation: find the process on the host (`ss -lntup`), its parent and its file. "
	if s.class == atlas.Dynamic || s.first >= 32768 {
		return text + "As the client's end of a connection the numbers appear in traffic by chance, so only the side that listens counts."
	}
	return text + "Connections from outside that are not yours are scans; answers to them are a finding."
}

func (s spread) nft() string {
	table := fmt.Sprintf("reconshield_ports_%d_%d", s.first, s.last)
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s\ndelete table inet %s\ntable inet %s {\n", table, table, table)
	b.WriteString("  chain input {\n    type filter hook input priority filter - 1; policy accept;\n")
	b.WriteString("    iif lo accept\n    ct state established,related accept\n    # your own networks: edit\n")
	b.WriteString("    ip saddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16 } accept\n")
	b.WriteString("    ip6 saddr { fc00::/7, fe80::/10 } accept\n")
	fmt.Fprintf(&b, "    meta l4proto { tcp, udp } th dport %s drop\n  }\n}\n", s.dashed())
	return b.String()
}

func (s spread) questions() []atlas.Question {
	used := "For no service: IANA's registry gives none of them to anybody. Whatever listens was put there by its makers or by an administrator."
	if s.class == atlas.Dynamic {
		used = "For no service in particular: systems hand these numbers out for a while, mostly for the client's end of connections."
	}
	scan := fmt.Sprintf("`reconshield scan 192.0.2.10 --ports T:%s,U:%s`", s.dashed(), s.dashed())
	return []atlas.Question{
		{Question: fmt.Sprintf("What are ports %s used for?", s.span()), Answer: used},
		{Question: "Are they TCP or UDP?", Answer: "Neither is registered. TCP and UDP ports of the same number have nothing to do with each other, so a scan asks both."},
		{Question: fmt.Sprintf("How do I check whether one of the ports %s is open?", s.span()), Answer: "From outside the network: " + scan + ". On the host itself `ss -lntup` shows which program listens, which says nothing of the firewall before it."},
		{Question: "Should one of them be open to the Internet?", Answer: "No. No public service belongs here, so a rule that opens one needs an owner and a reason."},
		{Question: "How do I close them?", Answer: "Deny by default, so that no rule has to name them; or load the rules in the section on defence. Then prove it from outside with a scan."},
	}
}

// escape keeps the registry's text from being taken for Markdown.
func escape(s string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_", "`", "'", "[", "\\[", "]", "\\]").
		Replace(strings.Join(strings.Fields(s), " "))
}
