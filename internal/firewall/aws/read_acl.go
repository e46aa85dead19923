package aws

import (
	"cmp"
	"fmt"
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// ACL is a network ACL with its inbound entries.
type ACL struct {
	ID      string
	Subnets []string // that it is associated with
	Entries []Entry
	Assets  []string // further names of what it is known to be attached to
	Pos     firewall.Position
}

// Entry is one inbound rule of a network ACL.
type Entry struct {
	Number   int64  // entries are judged in ascending order, the first that matches decides
	Action   string // "allow" or "deny"
	Protocol string // a number or name; "-1" for all
	CIDR     string
	// From and To are ports, or for ICMP a type and a code; nil when not given.
	From, To *int64
	Doubts   []string // what is not known about it; each makes it undecided
	Label    string   // what the file calls the entry; may be empty
	Pos      firewall.Position
}

// lastNumber is that of the entry "*", which no user can give (32767 for IPv4,
// 32768 for IPv6).
const lastNumber = 32767

func (inv *Inventory) acl(v cloud.Value) {
	r := v.Record()
	a := ACL{ID: r.Text("NetworkAclId"), Pos: v.Pos()}
	for item := range r.List("Associations").Items() {
		if s, ok := item.Field("SubnetId").Text(); ok {
			a.Subnets = append(a.Subnets, s)
		}
	}
	for item := range r.List("Entries").Items() {
		inv.entry(&a, item)
	}
	r.Ignore("IsDefault", "OwnerId", "Tags", "VpcId")
	inv.Unparsed = append(inv.Unparsed, r.Problems()...)
	inv.ACLs = append(inv.ACLs, a)
}

// entry reads one element of Entries and keeps it unless it is of egress.
func (inv *Inventory) entry(a *ACL, v cloud.Value) {
	r := v.Record()
	if egress, ok := r.Get("Egress").Bool(); ok && egress {
		return
	} else if !ok {
		inv.Unparsed = append(inv.Unparsed, firewall.Unparsed{
			Pos: v.Pos(), Text: v.Raw(200), Why: "entry of a network ACL: expected a field Egress",
		})
		return
	}
	number := r.Int("RuleNumber")
	if number == nil {
		inv.Unparsed = append(inv.Unparsed, firewall.Unparsed{
			Pos: v.Pos(), Text: v.Raw(200), Why: "entry of a network ACL: expected a RuleNumber, which its order needs",
		})
		return
	}
	e := Entry{
		Number: *number, Action: r.Text("RuleAction"), Protocol: r.Text("Protocol"),
		CIDR: r.Text("CidrBlock"), Pos: v.Pos(),
	}
	if v6 := r.Text("Ipv6CidrBlock"); e.CIDR == "" {
		e.CIDR = v6
	} else if v6 != "" {
		e.Doubts = append(e.Doubts, "CidrBlock and Ipv6CidrBlock both stand in one entry; expected one")
	}
	e.limits(r)
	e.Doubts = append(e.Doubts, r.Doubts()...)
	a.Entries = append(a.Entries, e)
}

// limits reads the ports, or the type and code when the protocol has those.
func (e *Entry) limits(r *cloud.Record) {
	name, from, to := "PortRange", "From", "To"
	if n, ok := cloud.ProtocolNumber(e.Protocol); ok && (n == cloud.ICMP || n == cloud.ICMPv6) {
		name, from, to = "IcmpTypeCode", "Type", "Code"
	}
	r.Ignore("PortRange", "IcmpTypeCode")
	v := r.Get(name)
	if v.None() {
		return
	}
	limits := v.Record()
	e.From, e.To = limits.Int(from), limits.Int(to)
	e.Doubts = append(e.Doubts, limits.Doubts()...)
}

// Rule translates the entry.
func (e Entry) Rule() firewall.Rule {
	layer4, text, doubts := protocolMatches(e.Protocol, e.From, e.To)
	var source []firewall.Match
	if span, err := cloud.Range(e.CIDR); err != nil {
		doubts = append(doubts, "source "+err.Error())
	} else {
		source = []firewall.Match{cloud.Addrs(firewall.Src, firewall.NewSet(span))}
	}
	action := firewall.Action{Kind: firewall.Unknown, Why: fmt.Sprintf("action %q: expected allow or deny", cloud.OneLine(e.Action, 40))}
	switch e.Action {
	case "allow":
		action = firewall.Action{Kind: firewall.Accept}
	case "deny":
		action = firewall.Action{Kind: firewall.Drop}
	}
	label := e.Label
	if label == "" {
		label = fmt.Sprintf("entry %d", e.Number)
		if e.Number >= lastNumber {
			label = "entry *"
		}
	}
	return firewall.Rule{
		Matches: cloud.Join(layer4, source, cloud.Undecidables(append(doubts, e.Doubts...))),
		Action:  action, Pos: e.Pos,
		Text: cloud.OneLine(fmt.Sprintf("%s: %s ingress %s from %s", label, e.Action, text, e.CIDR), 300),
	}
}

// aclParts makes a chain of each list.
func (inv *Inventory) aclParts() []cloud.Part {
	parts := make([]cloud.Part, len(inv.ACLs))
	for i, a := range inv.ACLs {
		c := &firewall.Chain{Table: aclTable, Name: cloud.OneLine(a.ID, 200), Family: firewall.Inet, Pos: a.Pos}
		entries := slices.Clone(a.Entries)
		slices.SortStableFunc(entries, func(x, y Entry) int { return cmp.Compare(x.Number, y.Number) })
		for _, e := range entries {
			c.Rules = append(c.Rules, e.Rule())
		}
		parts[i] = cloud.Part{
			What: "network ACL " + c.Name, Closed: true,
			Names: []string{a.ID}, Assets: slices.Concat(a.Subnets, a.Assets), Chain: c,
		}
	}
	return parts
}
