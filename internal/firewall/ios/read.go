package ios

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// maxText is how many bytes of configuration are read, maxLine how long a line
// may be; devices take 254 characters.
const (
	maxText = 128 << 20
	maxLine = 8192
)

// Sniff reports whether a file that begins with head looks like the running
// configuration of an IOS device.
func Sniff(head []byte) bool {
	return bytes.Contains(head, []byte("\nip access-list ")) || bytes.Contains(head, []byte("\nipv6 access-list ")) ||
		bytes.HasPrefix(head, []byte("Building configuration...")) || bytes.Contains(head, []byte("\nboot-start-marker")) ||
		bytes.Contains(head, []byte("\n ip access-group "))
}

// Parse reads the output of "show running-config": standard, extended and IPv6
// access lists, numbered or named, groups of objects, and to which interfaces
// the lists are bound. What comes in through an interface is judged by its list
// for the packet's family; without a list it passes.
//
// Limits: inbound lists see addresses before NAT, as the sender does, and NAT is
// not looked at; what a list for leaving packets does is undecided, as routes
// are not read. Reflexive entries ("evaluate") let answers pass, which nobody
// starts a conversation with. Checks of the source's route (uRPF), policing and
// lists for the device's own lines are not looked at. The zone-based firewall makes the file not fully
// read. The error is for text that has neither an access list nor an interface.
func Parse(file string, text []byte) (*firewall.Ruleset, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%s: more than 128 MiB; give one device at a time", file)
	}
	c := &configuration{file: file, groups: map[string]*group{}, lists: map[string]*list{}}
	number := 0
	for raw := range bytes.Lines(text) {
		number++
		pos := firewall.Position{File: file, Line: number}
		if len(raw) > maxLine {
			c.skip(statement{text: string(raw[:200]), pos: pos}, "expected a line of at most 8192 bytes")
			continue
		}
		line := strings.TrimRight(string(raw), "\r\n \t")
		if words := strings.Fields(line); len(words) > 0 && words[0][0] != '!' {
			c.line(statement{words: words, text: line, pos: pos})
		}
	}
	if len(c.order) == 0 && !c.hasInterface {
		return nil, fmt.Errorf("%s: expected the output of show running-config of an IOS device, with interface or access-list lines", file)
	}
	return c.ruleset(), nil
}

// statement is a line.
type statement struct {
	words []string
	text  string
	pos   firewall.Position
}

// configuration is what the lines of a file say.
type configuration struct {
	file         string
	open         *list  // the list whose section is open
	openGroup    *group // the group whose section is open
	port         string // the interface whose section is open
	hasInterface bool
	groups       map[string]*group
	lists        map[string]*list // by family and name
	order        []*list
	bindings     []binding
	unparsed     []firewall.Unparsed
}

// list is an access list.
type list struct {
	name     string
	family   firewall.Family
	standard bool
	entries  []statement
	pos      firewall.Position
	chain    *firewall.Chain
}

// binding puts a list before an interface.
type binding struct {
	statement
	port   string
	list   string
	family firewall.Family
	isOut  bool
}

func (c *configuration) skip(s statement, why string) {
	c.unparsed = append(c.unparsed, firewall.Unparsed{Pos: s.pos, Text: cloud.OneLine(s.text, 200), Why: why})
}

// line takes in one line.
func (c *configuration) line(s statement) {
	if s.text[0] == ' ' {
		c.inner(s)
		return
	}
	c.open, c.openGroup, c.port = nil, nil, ""
	w := s.words
	switch {
	case w[0] == "interface" && len(w) >= 2:
		c.port, c.hasInterface = strings.Join(w[1:], ""), true
	case w[0] == "ip" && len(w) == 4 && w[1] == "access-list" && (w[2] == "extended" || w[2] == "standard"):
		c.open = c.list(w[3], firewall.IPv4, w[2] == "standard", s.pos)
	case w[0] == "ipv6" && len(w) == 3 && w[1] == "access-list":
		c.open = c.list(w[2], firewall.IPv6, false, s.pos)
	case w[0] == "access-list" && len(w) >= 3:
		c.numbered(s)
	case w[0] == "object-group" && len(w) >= 3:
		c.openGroup = &group{}
		c.groups[w[2]] = c.openGroup
	case len(w) > 1 && (w[0] == "ip" || w[0] == "ipv6") && w[1] == "access-list":
		if len(w) < 3 || !slices.Contains([]string{"log-update", "logging", "resequence", "persistent", "match-local-traffic"}, w[2]) {
			c.skip(s, "expected ip access-list extended or standard NAME, or ipv6 access-list NAME, with entries below")
		}
	case w[0] == "zone-pair":
		c.skip(s, "the zone-based firewall is not read")
	}
}

// list gives the list of a name, new or not.
func (c *configuration) list(name string, family firewall.Family, isStandard bool, pos firewall.Position) *list {
	key := listKey(family, name)
	l := c.lists[key]
	if l == nil {
		l = &list{name: name, family: family, standard: isStandard, pos: pos}
		c.lists[key] = l
		c.order = append(c.order, l)
	}
	return l
}

func listKey(family firewall.Family, name string) string {
	return strconv.Itoa(int(family)) + " " + name
}

// numbered takes in "access-list 101 permit …". The number says whether the
// list is standard (1-99, 1300-1999) or extended (100-199, 2000-2699).
func (c *configuration) numbered(s statement) {
	n, err := strconv.Atoi(s.words[1])
	isStandard := n >= 1 && n <= 99 || n >= 1300 && n <= 1999
	if err != nil || !isStandard && (n < 100 || n > 199) && (n < 2000 || n > 2699) {
		c.skip(s, "expected the number of a standard or extended access list of IP")
		return
	}
	l := c.list(s.words[1], firewall.IPv4, isStandard, s.pos)
	s.words = s.words[2:]
	l.entries = append(l.entries, s)
}

// inner takes in a line of the section that is open.
func (c *configuration) inner(s statement) {
	w := s.words
	switch {
	case c.open != nil:
		c.open.entries = append(c.open.entries, s)
	case c.openGroup != nil:
		c.openGroup.members = append(c.openGroup.members, s)
	case c.port == "":
	case len(w) == 4 && w[0] == "ip" && w[1] == "access-group":
		c.bindings = append(c.bindings, binding{s, c.port, w[2], firewall.IPv4, w[3] == "out"})
	case len(w) == 4 && w[0] == "ipv6" && w[1] == "traffic-filter":
		c.bindings = append(c.bindings, binding{s, c.port, w[2], firewall.IPv6, w[3] == "out"})
	case w[0] == "zone-member":
		c.skip(s, "the zone-based firewall is not read")
	case slices.Contains(w, "access-group") || slices.Contains(w, "traffic-filter"):
		c.skip(s, "expected ip access-group LIST in, or ipv6 traffic-filter LIST in")
	}
}

// ruleset puts everything together: for each family a base chain that sends
// packets to the list of the interface they came in through.
func (c *configuration) ruleset() *firewall.Ruleset {
	rs := &firewall.Ruleset{Files: []string{c.file}}
	bases := map[firewall.Family]*firewall.Chain{}
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		bases[f] = &firewall.Chain{
			Table: "interfaces", Name: map[firewall.Family]string{firewall.IPv4: "IPv4", firewall.IPv6: "IPv6"}[f], Family: f,
			Pos:  firewall.Position{File: c.file},
			Base: &firewall.Base{Hook: firewall.Always, Default: firewall.AcceptVerdict, Pos: firewall.Position{File: c.file}},
		}
		rs.Chains = append(rs.Chains, bases[f])
	}
	for _, l := range c.order {
		l.chain = c.chain(l)
		rs.Chains = append(rs.Chains, l.chain)
	}
	for _, b := range c.bindings {
		if b.isOut {
			rs.Chains = append(rs.Chains, leaving(b))
		} else {
			c.bind(bases[b.family], b)
		}
	}
	rs.Unparsed = c.unparsed
	return rs
}

func (c *configuration) bind(base *firewall.Chain, b binding) {
	l := c.lists[listKey(b.family, b.list)]
	if l == nil {
		c.skip(b.statement, "the access list is not in this file; a list that does not exist lets everything pass")
		return
	}
	base.Rules = append(base.Rules, firewall.Rule{
		Matches: []firewall.Match{{Field: firewall.InInterface, Names: []string{b.port}}},
		Action:  firewall.Action{Kind: firewall.Goto, Target: l.chain}, Pos: b.pos, Text: b.String(),
	})
}

// String is the binding on one line.
func (b binding) String() string {
	return cloud.OneLine("interface "+b.port+": "+strings.TrimSpace(b.text), 300)
}

// leaving is a base chain for a list that judges what leaves through one
// interface: whether it is asked depends on routes.
func leaving(b binding) *firewall.Chain {
	why := "whether the packet leaves through " + cloud.OneLine(b.port, 60) + " depends on routes that are not read"
	return &firewall.Chain{
		Table: "interfaces", Name: cloud.OneLine("out of "+b.port, 200), Family: b.family, Pos: b.pos,
		Rules: []firewall.Rule{{Action: firewall.Action{Kind: firewall.Unknown, Why: why}, Pos: b.pos, Text: b.String()}},
		Base:  &firewall.Base{Hook: firewall.Always, Default: firewall.AcceptVerdict, Pos: b.pos},
	}
}

// chain translates a list with the deny that ends it. A list without entries
// lets everything pass.
func (c *configuration) chain(l *list) *firewall.Chain {
	chain := &firewall.Chain{Table: "access-list", Name: cloud.OneLine(l.name, 200), Family: l.family, Pos: l.pos}
	for _, s := range l.entries {
		if rule, ok := c.rule(l, s); ok {
			chain.Rules = append(chain.Rules, rule)
		}
	}
	implied := func(kind firewall.ActionKind, text string, m ...firewall.Match) {
		chain.Rules = append(chain.Rules, firewall.Rule{
			Matches: m, Action: firewall.Action{Kind: kind}, Pos: l.pos, Text: text + " at the end of list " + chain.Name, Implied: true,
		})
	}
	if len(chain.Rules) == 0 {
		implied(firewall.Accept, "nothing: everything passes")
		return chain
	}
	if l.family == firewall.IPv6 {
		discovery := firewall.Match{Field: firewall.ICMPType, Numbers: firewall.NumberRange(135<<8, 136<<8|255)}
		implied(firewall.Accept, "implied permit of neighbour discovery", cloud.Protocol(cloud.ICMPv6), discovery)
	}
	implied(firewall.Drop, "implied deny")
	return chain
}
