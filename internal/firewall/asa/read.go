package asa

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// maxText is how many bytes of configuration are read.
const maxText = 128 << 20

// maxLine is how long a line may be; devices take 512 bytes.
const maxLine = 8192

// Sniff reports whether a file that begins with head looks like the running
// configuration of an ASA.
func Sniff(head []byte) bool {
	return bytes.Contains(head, []byte("ASA Version")) || bytes.Contains(head, []byte("\n nameif ")) ||
		bytes.Contains(head, []byte("\naccess-group ")) && bytes.Contains(head, []byte(" extended "))
}

// Parse reads the output of "show running-config". What comes in through an
// interface is judged by the list bound to it, then by the global one, and is
// dropped when no rule matches; without a list it passes from higher to lower
// security levels only.
//
// Limits: it judges what passes through the device, not what is for the device
// itself (ssh, http and crypto commands rule that) nor what comes out of VPN
// tunnels, which pass by the lists unless "no sysopt connection permit-vpn" is
// set. Inspection, Botnet and FirePOWER filters and routes are not looked at.
// Static NAT makes the file not fully read. The error is for text that has
// neither an access list nor an interface of this dialect.
func Parse(file string, text []byte) (*firewall.Ruleset, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%s: more than 128 MiB; give one device at a time", file)
	}
	c := newConfiguration(file)
	number := 0
	for raw := range bytes.Lines(text) {
		number++
		if len(raw) > maxLine {
			c.skip(statement{text: string(raw[:200]), pos: firewall.Position{File: file, Line: number}}, "expected a line of at most 8192 bytes")
			continue
		}
		c.line(number, strings.TrimRight(string(raw), "\r\n \t"))
	}
	if len(c.entries) == 0 && len(c.interfaces) == 0 {
		return nil, fmt.Errorf("%s: expected the output of show running-config of an ASA, with nameif or access-list lines", file)
	}
	return c.ruleset(), nil
}

// configuration is what the lines of a file say.
type configuration struct {
	file       string
	section    string // the first words of the line that opened the section
	current    string // the object, group or interface of the section
	names      map[string]string
	networks   map[string]*group // objects and groups of addresses
	services   map[string]*group // of services, ports, protocols and ICMP types
	entries    []statement       // of access lists
	bindings   []statement       // access-group
	interfaces []*port
	own        []netip.Prefix // addresses of the device itself
	ownPos     firewall.Position
	leased     bool // it has addresses that the file does not tell
	hairpin    bool // packets may leave where they came in
	unparsed   []firewall.Unparsed
}

// statement is a line that is translated when all names are known.
type statement struct {
	words []string
	text  string
	pos   firewall.Position
}

// group is an object or a group of objects, as the lines of its section.
type group struct {
	kind    string // "network", "service", "protocol", "icmp-type"
	suffix  string // of a service group: "tcp", "udp" or "tcp-udp"
	members []statement
	busy    bool // being resolved: a group must not hold itself
	done    bool
	addrs   addresses
	terms   alternatives
	ports   portSet
}

// port is an interface.
type port struct {
	name  string
	level int
	pos   firewall.Position
}

func newConfiguration(file string) *configuration {
	return &configuration{
		file: file, names: map[string]string{}, networks: map[string]*group{}, services: map[string]*group{},
	}
}

// line takes in one line.
func (c *configuration) line(number int, text string) {
	words := strings.Fields(text)
	if len(words) == 0 || words[0] == "!" || words[0] == ":" {
		return
	}
	s := statement{words: words, text: text, pos: firewall.Position{File: c.file, Line: number}}
	if text[0] == ' ' {
		c.inner(s)
		return
	}
	c.section, c.current = "", ""
	switch {
	case words[0] == "name" && len(words) >= 3:
		c.names[words[2]] = words[1]
	case words[0] == "interface" && len(words) >= 2:
		c.section = "interface"
	case words[0] == "object" || words[0] == "object-group":
		c.open(s)
	case words[0] == "access-list":
		c.entry(s)
	case words[0] == "access-group":
		c.bindings = append(c.bindings, s)
	case words[0] == "nat" && slices.Contains(words, "static"), words[0] == "static":
		c.skip(s, "static NAT is not read; ask about addresses that are not translated")
	case strings.Join(words, " ") == "same-security-traffic permit intra-interface":
		c.hairpin = true
	case words[0] == "established":
		c.skip(s, "the command established opens ports of its own and is not read")
	}
}

func (c *configuration) skip(s statement, why string) {
	c.unparsed = append(c.unparsed, firewall.Unparsed{Pos: s.pos, Text: cloud.OneLine(s.text, 200), Why: why})
}

// open begins an object or a group.
func (c *configuration) open(s statement) {
	if len(s.words) < 3 {
		c.skip(s, "expected an object or group with a kind and a name")
		return
	}
	kind, name := s.words[1], s.words[2]
	g := &group{kind: kind}
	switch kind {
	case "network":
		c.section, c.current = "network", name
		if c.networks[name] == nil {
			c.networks[name] = g
		}
	case "service", "protocol", "icmp-type":
		c.section, c.current = "service", name
		if len(s.words) > 3 {
			g.suffix = s.words[3]
		}
		if c.services[name] == nil {
			c.services[name] = g
		}
	}
}

// inner takes in a line of the section that is open.
func (c *configuration) inner(s statement) {
	if s.words[0] == "description" {
		return
	}
	switch c.section {
	case "network":
		if s.words[0] == "nat" {
			if slices.Contains(s.words, "static") {
				c.skip(s, "static NAT is not read; ask about addresses that are not translated")
			}
			return
		}
		g := c.networks[c.current]
		g.members = append(g.members, s)
	case "service":
		g := c.services[c.current]
		g.members = append(g.members, s)
	case "interface":
		c.inInterface(s)
	}
}

func (c *configuration) inInterface(s statement) {
	switch {
	case s.words[0] == "nameif" && len(s.words) == 2:
		level := 0
		if s.words[1] == "inside" {
			level = 100
		}
		c.interfaces = append(c.interfaces, &port{name: s.words[1], level: level, pos: s.pos})
		c.current = s.words[1]
	case s.words[0] == "security-level" && len(s.words) == 2 && c.current != "":
		if _, err := fmt.Sscan(s.words[1], &c.interfaces[len(c.interfaces)-1].level); err != nil {
			c.skip(s, "expected a security level of 0-100")
		}
	case len(s.words) >= 3 && s.words[1] == "address" && (s.words[0] == "ip" || s.words[0] == "ipv6"):
		c.address(s.words[2], s.pos)
	}
}

// address notes an address of the device itself.
func (c *configuration) address(word string, at firewall.Position) {
	if named, ok := c.names[word]; ok {
		word = named
	}
	word, _, _ = strings.Cut(word, "/")
	a, err := netip.ParseAddr(word)
	if err != nil { // dhcp, pppoe, autoconfig
		c.leased = true
		return
	}
	if len(c.own) == 0 {
		c.ownPos = at
	}
	c.own = append(c.own, netip.PrefixFrom(a, a.BitLen()))
}

// itself is the rule for what is addressed to the device, which the lists do
// not judge.
func (c *configuration) itself() firewall.Rule {
	return firewall.Rule{
		Matches: []firewall.Match{{Field: firewall.Dst, Addrs: firewall.AddrsOf(c.own...)}},
		Action:  firewall.Action{Kind: firewall.Unknown, Why: "ssh, http, snmp, crypto and control-plane lists rule what is for the device itself, and are not read"},
		Pos:     c.ownPos, Text: "(addresses of the device itself)",
	}
}

// assumed tells of what the lists do not judge.
func (c *configuration) assumed() []string {
	out := []string{c.file + ": what comes out of VPN tunnels passes by the lists, unless \"no sysopt connection permit-vpn\" is set, and is not looked at"}
	if c.leased {
		out = append(out, c.file+": the device has addresses that the file does not tell (dhcp); what is for these is not ruled by the lists")
	}
	return out
}

// entry takes in a line of an access list.
func (c *configuration) entry(s statement) {
	if len(s.words) < 3 {
		c.skip(s, "expected access-list NAME extended permit …")
		return
	}
	if len(s.words) > 4 && s.words[2] == "line" {
		s.words = slices.Delete(slices.Clone(s.words), 2, 4)
	}
	switch s.words[2] {
	case "remark":
	case "permit", "deny": // the old form, of an extended list
		c.entries = append(c.entries, statement{slices.Insert(slices.Clone(s.words), 2, "extended"), s.text, s.pos})
	default:
		c.entries = append(c.entries, s)
	}
}

// ruleset puts everything together: a base chain that sends packets to the list
// of the interface they came in through.
func (c *configuration) ruleset() *firewall.Ruleset {
	lists := map[string]*firewall.Chain{}
	var chains []*firewall.Chain
	for _, s := range c.entries {
		name := s.words[1]
		if lists[name] == nil {
			lists[name] = &firewall.Chain{Table: "access-list", Name: cloud.OneLine(name, 200), Family: firewall.Inet, Pos: s.pos}
			chains = append(chains, lists[name])
		}
		lists[name].Rules = append(lists[name].Rules, c.rule(s))
	}
	base := &firewall.Chain{
		Table: "access-group", Name: "through the device", Family: firewall.Inet,
		Pos: firewall.Position{File: c.file}, Base: &firewall.Base{Hook: firewall.Always, Default: firewall.DropVerdict},
	}
	if len(c.own) > 0 {
		base.Rules = append(base.Rules, c.itself())
	}
	rs := &firewall.Ruleset{Files: []string{c.file}, Chains: append([]*firewall.Chain{base}, chains...), Assumed: c.assumed()}
	outward := c.bind(base, lists)
	if outward != nil {
		rs.Chains = append(rs.Chains, outward)
	}
	rs.Unparsed = c.unparsed
	return rs
}

// bind fills the base chain with the jumps to the bound lists, and makes one of
// the lists that judge what leaves, when there are any.
func (c *configuration) bind(base *firewall.Chain, lists map[string]*firewall.Chain) *firewall.Chain {
	var global *statement
	bound := map[string]bool{}
	var outward *firewall.Chain
	for i, s := range c.bindings {
		list, err := target(s, lists)
		switch {
		case err != nil:
			c.skip(s, err.Error())
		case s.words[2] == "global":
			global = &c.bindings[i]
		case slices.Contains(s.words[5:], "control-plane"):
			// Only for what is addressed to the device.
		case s.words[2] == "in":
			bound[s.words[4]] = true
			base.Rules = append(base.Rules, jump(s, list, incoming(s.words[4])))
		default:
			if outward == nil {
				outward = &firewall.Chain{
					Table: "access-group", Name: "out of the device", Family: firewall.Inet, Pos: s.pos,
					Base: &firewall.Base{Hook: firewall.Always, Default: firewall.AcceptVerdict},
				}
			}
			outward.Rules = append(outward.Rules, judged(s))
		}
	}
	if global != nil {
		base.Rules = append(base.Rules, jump(*global, lists[global.words[1]]))
		return outward
	}
	for _, p := range c.interfaces {
		if !bound[p.name] {
			base.Rules = append(base.Rules, c.byLevel(p))
		}
	}
	return outward
}

// target is the list that an access-group line binds.
func target(s statement, lists map[string]*firewall.Chain) (*firewall.Chain, error) {
	w := s.words
	if len(w) < 3 || w[2] != "global" && (len(w) < 5 || w[2] != "in" && w[2] != "out" || w[3] != "interface") {
		return nil, errors.New("expected access-group LIST in interface NAME, or global")
	}
	if lists[w[1]] == nil {
		return nil, errors.New("the access list is not in this file")
	}
	return lists[w[1]], nil
}

func incoming(name string) firewall.Match {
	return firewall.Match{Field: firewall.InInterface, Names: []string{name}}
}

func jump(s statement, list *firewall.Chain, m ...firewall.Match) firewall.Rule {
	return firewall.Rule{
		Matches: m, Action: firewall.Action{Kind: firewall.Jump, Target: list}, Pos: s.pos, Text: cloud.OneLine(s.text, 300),
	}
}

// judged stands for a list that judges what leaves through one interface:
// whether it is asked depends on routes.
func judged(s statement) firewall.Rule {
	return firewall.Rule{
		Action: firewall.Action{
			Kind: firewall.Unknown,
			Why:  "whether the packet leaves through " + cloud.OneLine(s.words[4], 60) + " depends on routes that are not read",
		},
		Pos: s.pos, Text: cloud.OneLine(s.text, 300),
	}
}

// byLevel is the rule of an interface without a list.
func (c *configuration) byLevel(p *port) firewall.Rule {
	r := firewall.Rule{
		Matches: []firewall.Match{incoming(p.name)}, Action: firewall.Action{Kind: firewall.Accept}, Pos: p.pos,
		Text: cloud.OneLine(fmt.Sprintf("nameif %s, security-level %d, without an access list", p.name, p.level), 300),
	}
	isLowest := !slices.ContainsFunc(c.interfaces, func(o *port) bool { return o != p && o.level <= p.level })
	if isLowest && !c.hairpin {
		r.Action.Kind = firewall.Drop
		return r
	}
	r.Matches = append(r.Matches, cloud.Undecidable(
		"whether the packet goes to an interface of a lower security level depends on routes that are not read"))
	return r
}
