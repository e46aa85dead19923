// Package dialect makes one ruleset of files in any of the formats that the
// packages beside it read: it tells the formats apart, reads sets before the
// rules that look into them, and joins what belongs to one host. It opens no
// files.
package dialect

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/asa"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/azure"
	"reconshield/internal/firewall/fortios"
	"reconshield/internal/firewall/gcp"
	"reconshield/internal/firewall/ios"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/firewall/junos"
	"reconshield/internal/firewall/nft"
	"reconshield/internal/firewall/terraform"
)

// Source is one file.
type Source struct {
	Name string
	Text []byte
}

// Options tell what the files themselves do not.
type Options struct {
	// Pick names the groups, lists and networks of a cloud that stand before the
	// asset.
	Pick []string
}

// format is what a file is.
type format string

const (
	iptablesSave format = "iptables-save"
	ipsetSave    format = "ipset save"
	nftJSON      format = "nft -j list ruleset"
	nftText      format = "nft list ruleset"
	awsJSON      format = "aws ec2 describe-security-groups or describe-network-acls"
	azureJSON    format = "az network nsg show"
	gcpJSON      format = "gcloud compute firewall-rules list --format=json"
	terraformOut format = "terraform show -json"
	asaConfig    format = "show running-config of Cisco ASA"
	iosConfig    format = "show running-config of Cisco IOS"
	junosConfig  format = "show configuration of Juniper SRX, also | display set"
	fortiConfig  format = "show of FortiGate"
	hostFacts    format = "ip -j address or ip -j route"
)

func formats() []format {
	return []format{iptablesSave, ipsetSave, nftJSON, nftText, awsJSON, azureJSON, gcpJSON, terraformOut, asaConfig, iosConfig, junosConfig, fortiConfig, hostFacts}
}

// UnknownError says that a file is in no format that can be read.
type UnknownError struct {
	File string
	Hint string // what to give instead, where the file tells what it is; may be empty
}

// Error is one line.
func (e *UnknownError) Error() string {
	if e.Hint != "" {
		return fmt.Sprintf("%s:1: %s", e.File, e.Hint)
	}
	names := make([]string, 0, len(formats()))
	for _, f := range formats() {
		names = append(names, string(f))
	}
	return fmt.Sprintf("%s:1: no ruleset; expected the output of %s", e.File, strings.Join(names, ", "))
}

// sniffed is how much of a file is looked at to tell its format.
const sniffed = 64 << 10

func tell(s Source) (format, error) {
	head := s.Text[:min(len(s.Text), sniffed)]
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	asJSON, asText := nft.Sniff(head)
	isSave, _, _ := iptables.Sniff(head)
	switch {
	case asJSON:
		return nftJSON, nil
	case len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '['):
		switch {
		case terraform.Sniff(head):
			return terraformOut, nil
		case aws.Sniff(head):
			return awsJSON, nil
		case azure.Sniff(head):
			return azureJSON, nil
		case gcp.Sniff(head):
			return gcpJSON, nil
		case sniffFacts(head):
			return hostFacts, nil
		}
	case isSave:
		return iptablesSave, nil
	case iptables.SniffIPSets(head):
		return ipsetSave, nil
	case asText:
		return nftText, nil
	case asa.Sniff(head):
		return asaConfig, nil
	case ios.Sniff(head):
		return iosConfig, nil
	case fortios.Sniff(head):
		return fortiConfig, nil
	case junos.Sniff(head):
		return junosConfig, nil
	}
	return "", &UnknownError{File: s.Name, Hint: instead(trimmed)}
}

// instead tells what to give for what is often given by mistake.
func instead(text []byte) string {
	for _, t := range []struct{ start, hint string }{
		{"-P ", "this is iptables -S, which shows one table and no counters; give the output of iptables-save"},
		{"-A ", "this is a part of iptables -S or of a script; give the output of iptables-save"},
		{"Chain ", "this is iptables -L, which leaves interfaces out; give the output of iptables-save"},
		{"Status: ", "this is ufw status; give the output of iptables-save and ip6tables-save"},
		{"public (", "this is firewall-cmd --list-all; give the output of nft -j list ruleset"},
		{"Name: ", "these are the members of one set; give the output of ipset save, with iptables-save"},
	} {
		if bytes.HasPrefix(text, []byte(t.start)) {
			return t.hint
		}
	}
	return ""
}

// Load reads the files of one host or network. The error is for a file that is
// in no known format, or not what it looked like; it names file and line.
func Load(sources []Source, opt Options) (*firewall.Ruleset, error) {
	if len(sources) == 0 {
		return nil, errors.New("no ruleset given")
	}
	l := loader{opt: opt, kinds: make([]format, len(sources)), sets: nil}
	for i, s := range sources {
		var err error
		if l.kinds[i], err = tell(s); err != nil {
			return nil, err
		}
	}
	if err := l.readSets(sources); err != nil {
		return nil, err
	}
	for i, s := range sources {
		if err := l.read(s, l.kinds[i]); err != nil {
			return nil, err
		}
	}
	if len(l.out.Chains) == 0 && len(l.out.Unparsed) == 0 && !l.hasRules() {
		return nil, fmt.Errorf("%s: holds facts but no rules; give the ruleset as well", sources[0].Name)
	}
	l.replaceXT()
	l.missingFamily()
	l.missingGroups()
	return &l.out, nil
}

type loader struct {
	opt      Options
	kinds    []format
	sets     *iptables.IPSets
	out      firewall.Ruleset
	families firewall.Family // of which rules were given
	saved    []saved
	seen     map[chainKey]string // file by chain
}

// saved is a file of iptables-save.
type saved struct {
	family firewall.Family
	rules  *firewall.Ruleset
	legacy bool // its comment says so: the rules are not those of nf_tables
}

// hasRules reports whether a file is of a kind that holds rules, though it may
// hold none.
func (l *loader) hasRules() bool {
	return slices.ContainsFunc(l.kinds, func(f format) bool { return f != hostFacts && f != ipsetSave })
}

func (l *loader) readSets(sources []Source) error {
	for i, s := range sources {
		if l.kinds[i] != ipsetSave {
			continue
		}
		if l.sets != nil {
			return fmt.Errorf("%s: a second file of ipset save; join them into one", s.Name)
		}
		var err error
		if l.sets, err = iptables.ParseIPSets(s.Name, bytes.NewReader(s.Text)); err != nil {
			return err
		}
		l.out.Files = append(l.out.Files, s.Name)
		l.out.Unparsed = append(l.out.Unparsed, l.sets.Unparsed...)
	}
	return nil
}

func (l *loader) read(s Source, f format) error {
	var r *firewall.Ruleset
	var err error
	switch f {
	case ipsetSave:
		return nil
	case iptablesSave:
		return l.readSave(s)
	case nftJSON:
		r, err = nft.ParseJSON(s.Name, bytes.NewReader(s.Text))
	case nftText:
		r, err = nft.ParseText(s.Name, bytes.NewReader(s.Text))
	case awsJSON:
		r, err = picked(aws.Read(s.Name, s.Text))(l.opt.Pick)
	case azureJSON:
		r, err = picked(azure.Read(s.Name, s.Text))(l.opt.Pick)
	case gcpJSON:
		r, err = picked(gcp.Read(s.Name, s.Text))(l.opt.Pick)
	case terraformOut:
		r, err = picked(terraform.Read(s.Name, s.Text))(l.opt.Pick)
	case asaConfig:
		r, err = asa.Parse(s.Name, s.Text)
	case iosConfig:
		r, err = ios.Parse(s.Name, s.Text)
	case junosConfig:
		r, err = junos.Parse(s.Name, s.Text)
	case fortiConfig:
		r, err = fortios.Parse(s.Name, s.Text)
	case hostFacts:
		r, err = readFacts(s)
	}
	if err != nil {
		return err
	}
	if f != hostFacts {
		l.families |= firewall.Inet
	}
	l.twice(s, f, r)
	l.join(r)
	return nil
}

// picked gives the ruleset of an inventory once the names are known.
func picked[I interface {
	Ruleset(pick []string) *firewall.Ruleset
}](inv I, err error) func([]string) (*firewall.Ruleset, error) {
	return func(pick []string) (*firewall.Ruleset, error) {
		if err != nil {
			return nil, err
		}
		return inv.Ruleset(pick), nil
	}
}

// readSave reads a file of iptables-save. Where neither the tool's comment nor
// any rule tells its family, its name may.
func (l *loader) readSave(s Source) error {
	_, family, _ := iptables.Sniff(s.Text)
	if family == 0 {
		family = firewall.IPv4
		if name := strings.ToLower(s.Name); strings.Contains(name, "ip6") || strings.Contains(name, "v6") {
			family = firewall.IPv6
		}
		l.out.Assumed = append(l.out.Assumed, fmt.Sprintf("%s is taken as rules for %s, since no line of it tells; a name with v4 or v6 in it, or the comment that iptables-save writes first, says otherwise", s.Name, familyName(family)))
	}
	r, err := iptables.Parse(s.Name, bytes.NewReader(s.Text), family, l.sets)
	if err != nil {
		return err
	}
	for _, c := range r.Chains {
		l.families |= c.Family
	}
	l.families |= family
	head := s.Text[:min(len(s.Text), sniffed)]
	legacy := bytes.Contains(head, []byte("# Generated by ip")) && !bytes.Contains(head, []byte("(nf_tables)"))
	l.saved = append(l.saved, saved{family, r, legacy})
	l.twice(s, iptablesSave, r)
	l.join(r)
	return nil
}

func familyName(f firewall.Family) string {
	if f == firewall.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

func (l *loader) join(r *firewall.Ruleset) {
	l.out.Files = append(l.out.Files, r.Files...)
	l.out.Chains = append(l.out.Chains, r.Chains...)
	l.out.Unparsed = append(l.out.Unparsed, r.Unparsed...)
	l.out.Assumed = append(l.out.Assumed, r.Assumed...)
	l.out.Host.Local = l.out.Host.Local.Union(r.Host.Local)
	l.out.Host.Routes = append(l.out.Host.Routes, r.Host.Routes...)
}

// missingFamily makes one family undecided when rules were given for the other
// alone: what iptables-save shows says nothing of IPv6.
func (l *loader) missingFamily() {
	missing, tool := firewall.IPv6, "ip6tables-save"
	if l.families&firewall.IPv4 == 0 {
		missing, tool = firewall.IPv4, "iptables-save"
	}
	if l.families&missing != 0 || l.families == 0 {
		return
	}
	why := fmt.Sprintf("the rules for the other address family were not given; give the output of %s as well", tool)
	at := firewall.Position{File: l.out.Files[0]}
	l.out.Chains = append(l.out.Chains, &firewall.Chain{
		Table: "not given", Name: tool, Family: missing, Pos: at,
		Base:  &firewall.Base{Hook: firewall.Always, Pos: at},
		Rules: []firewall.Rule{{Action: firewall.Action{Kind: firewall.Unknown, Why: why}, Pos: at, Text: "(no output of " + tool + ")"}},
	})
}

// missingGroups makes what AWS lets through undecided when only the lists of
// subnets were given: an interface has a security group always. A list of the
// subnet that is not given is taken as the usual one, which lets everything
// pass.
func (l *loader) missingGroups() {
	table := func(name string) bool {
		return slices.ContainsFunc(l.out.Chains, func(c *firewall.Chain) bool { return c.Base != nil && c.Table == name })
	}
	groups, lists := table("security-group"), table("network-acl")
	at := firewall.Position{File: l.out.Files[0]}
	switch {
	case groups && !lists:
		l.out.Assumed = append(l.out.Assumed, at.File+": the network ACL of the subnet is taken to let everything pass, as it does unless changed; give aws ec2 describe-network-acls as well to say otherwise")
	case lists && !groups:
		why := "the security groups were not given, and there is always one; give the output of aws ec2 describe-security-groups as well"
		l.out.Chains = append(l.out.Chains, &firewall.Chain{
			Table: "not given", Name: "security groups", Family: firewall.Inet, Pos: at,
			Base:  &firewall.Base{Hook: firewall.Always, Default: firewall.DropVerdict, Pos: at},
			Rules: []firewall.Rule{{Action: firewall.Action{Kind: firewall.Unknown, Why: why}, Pos: at, Text: "(no security groups)"}},
		})
	}
}
