package iptables

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
)

// maxMembers bounds the members of all sets of a file.
const maxMembers = 4 << 20

// maxListed bounds the sets in a list; the default of ipset is 8.
const maxListed = 1024

// IPSets are the sets of one host, as "ipset save" prints them. They are not
// changed after ParseIPSets and are then safe for concurrent use; nil has none.
type IPSets struct {
	// Unparsed are the lines that belong to no set that is known. What is wrong
	// with a line of a known set makes that set undecidable instead.
	Unparsed []firewall.Unparsed

	sets map[string]*ipSet
}

// ipSet is one set.
type ipSet struct {
	name    string
	dims    []string // "ip", "port", "net", "mac", "iface", "mark", "set"
	family  firewall.Family
	expires bool // members without a timeout of their own have one
	netmask int  // of the addresses of hash:ip and bitmap:ip, 0 for none
	members []setMember
	names   []string // of list:set
	problem string   // why its content is not known; empty if it is
}

// setMember is one entry. One without the part that a dimension asks has the
// zero value there.
type setMember struct {
	first   firewall.Span[addr] // of the first address dimension
	nomatch bool
	temp    bool // may be gone at any time
	more    *memberRest
}

// memberRest is what members of sets with several dimensions have beside the
// first.
type memberRest struct {
	proto    firewall.Number
	ports    firewall.Span[firewall.Number] // type<<8|code for ICMP
	second   firewall.Span[addr]
	iface    string
	wildcard bool
}

// ParseIPSets reads what "ipset save" prints, and files written for "ipset
// restore". The error is for input that is no such file and for input beyond
// bounds.
func ParseIPSets(file string, rd io.Reader) (*IPSets, error) {
	r := &setReader{file: file, out: &IPSets{sets: map[string]*ipSet{}}, words: interner{}}
	lines := lineReader{in: bufio.NewReaderSize(rd, 64<<10)}
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, lines.line, err)
		}
		r.line = lines.line
		if err := r.parseLine(string(line)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, r.line, err)
		}
	}
	return r.out, nil
}

// setReader is the state of one ParseIPSets.
type setReader struct {
	file  string
	line  int
	out   *IPSets
	toks  []token
	words interner
	total int
}

func (r *setReader) unparsed(line, why string) {
	if len(r.out.Unparsed) == maxUnparsed {
		r.out.Unparsed = append(r.out.Unparsed, firewall.Unparsed{
			Pos: firewall.Position{File: r.file}, Why: "more lines were not understood",
		})
	}
	if len(r.out.Unparsed) > maxUnparsed {
		return
	}
	r.out.Unparsed = append(r.out.Unparsed, firewall.Unparsed{
		Pos: firewall.Position{File: r.file, Line: r.line}, Text: strings.Clone(clip(line, 200)), Why: why,
	})
}

func (r *setReader) parseLine(line string) error {
	words, open := tokenize(line, r.toks)
	r.toks = words
	words = slices.DeleteFunc(words, func(t token) bool {
		return !t.quoted && (t.text == "-exist" || t.text == "-!" || t.text == "--exist")
	})
	if len(words) == 0 || strings.HasPrefix(words[0].text, "#") {
		return nil
	}
	verb := words[0].text
	known := setVerb(verb)
	if known == "" && len(r.out.sets) == 0 {
		return fmt.Errorf("expected a line such as \"create name hash:ip\", found %q: give the output of ipset save", clip(line, 60))
	}
	if known == "commit" {
		return nil
	}
	if len(words) < 2 && (known == "flush" || known == "destroy") {
		r.empty(known == "destroy")
		return nil
	}
	if known == "" || len(words) < 2 {
		r.unparsed(line, `expected "create NAME TYPE" or "add NAME ENTRY"`)
		r.spoilAll(words[1:], line)
		return nil
	}
	if known == "create" {
		r.create(words, line)
		return nil
	}
	set, ok := r.out.sets[words[1].text]
	if !ok {
		r.unparsed(line, "no set of this name was created before")
		return nil
	}
	switch {
	case known == "flush":
		set.members, set.names = nil, nil
	case known == "destroy":
		delete(r.out.sets, set.name)
	case known != "add" || len(words) < 3 || open:
		r.spoilAll(words[1:], line)
	default:
		r.add(set, words[2:], line)
	}
	if r.total > maxMembers {
		return fmt.Errorf("more than %d members in sets", maxMembers)
	}
	return nil
}

// setVerb gives the command of a line, in the form ipset save uses.
func setVerb(s string) string {
	switch s {
	case "create", "-N", "--create", "n":
		return "create"
	case "add", "-A", "--add":
		return "add"
	case "del", "-D", "--del", "swap", "-W", "--swap", "rename", "-E", "--rename":
		return "del"
	case "flush", "-F", "--flush":
		return "flush"
	case "destroy", "-X", "--destroy":
		return "destroy"
	case "COMMIT", "quit":
		return "commit"
	}
	return ""
}

// spoil says that the content of a set is not known from here on.
func (r *setReader) spoil(set *ipSet, line string) {
	if set.problem == "" {
		set.problem = fmt.Sprintf("%s:%d is not understood: %s", r.file, r.line, clip(line, 80))
	}
}

// spoilAll does so for the sets that a line names.
func (r *setReader) spoilAll(words []token, line string) {
	for _, w := range words[:min(2, len(words))] {
		if set, ok := r.out.sets[w.text]; ok {
			r.spoil(set, line)
		}
	}
}

// empty empties all sets, or takes them away.
func (r *setReader) empty(destroy bool) {
	if destroy {
		clear(r.out.sets)
	}
	for _, set := range r.out.sets {
		set.members, set.names = nil, nil
	}
}

// containing gives the changed sets and the lists that one of them is in.
func (s *IPSets) containing(changed map[string]bool) map[string]bool {
	if s == nil || len(changed) == 0 {
		return changed
	}
	out := maps.Clone(changed)
	for name, set := range s.sets {
		if slices.ContainsFunc(set.names, func(inner string) bool { return changed[inner] }) {
			out[name] = true
		}
	}
	return out
}

// create reads "create NAME TYPE family inet hashsize 1024 …".
func (r *setReader) create(words []token, line string) {
	if len(words) < 3 {
		r.unparsed(line, `expected "create NAME TYPE"`)
		return
	}
	_, dims, typed := strings.Cut(words[2].text, ":")
	set := &ipSet{name: strings.Clone(words[1].text), family: firewall.IPv4}
	set.dims = strings.Split(strings.Clone(dims), ",")
	if first, again := r.out.sets[set.name]; again {
		r.unparsed(line, "the set is created twice")
		r.spoil(first, line)
		return
	}
	r.out.sets[set.name] = set
	if r.total++; !typed || !slices.Contains(setTypes(), words[2].text) {
		set.problem = "ipset type " + clip(words[2].text, 40) + " is not known"
		return
	}
	for i := 3; i < len(words); i++ {
		option, value := words[i].text, ""
		if i+1 < len(words) {
			value = words[i+1].text
		}
		switch option {
		case "counters", "comment", "skbinfo", "forceadd":
			continue
		case "family":
			if value == "inet6" || value == "ipv6" {
				set.family = firewall.IPv6
			}
		case "timeout":
			set.expires = value != "0"
		case "netmask":
			set.netmask, _ = strconv.Atoi(value)
		case "bitmask":
			set.problem = "ipset option bitmask is not followed"
		case "hashsize", "maxelem", "bucketsize", "initval", "range", "size", "markmask", "gc", "probes", "resize":
		default:
			r.spoil(set, line)
			return
		}
		i++
	}
}

// setTypes are the types whose members are read (ipset(8), SET TYPES).
func setTypes() []string {
	return []string{
		"bitmap:ip", "bitmap:port", "bitmap:ip,mac", "hash:ip", "hash:net", "hash:mac", "hash:ip,mac", "hash:ip,mark",
		"hash:ip,port", "hash:net,port", "hash:ip,port,ip", "hash:ip,port,net", "hash:net,net", "hash:net,port,net",
		"hash:net,iface", "list:set",
	}
}
