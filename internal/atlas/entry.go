package atlas

import "reconshield/internal/intel"

// Entry is all that is known of one port.
type Entry struct {
	Port uint16
	// Transport is the one that was asked for; empty for all.
	Transport string
	Class     Class
	// Title is a heading: "DNS: Domain Name System", "Port 4567: tram",
	// "Port 50000: unassigned".
	Title         string
	Registrations []Registration
	// Note is nil for ports about which nobody wrote; its text is in Sections
	// then, too, derived.
	Note     *Note
	Sections Sections
	// Malware was documented or seen on the port, the best documented first.
	Malware    []intel.Malware
	Techniques []Technique
	// CVEs are of the software that commonly listens here, worst first.
	CVEs     []intel.Vulnerability
	Commands []Command
	Rules    []Rule
	FAQ      []Question
	Adjacent []Neighbour
	Related  []Related
	Sources  []Source
}

// Class is the range that a port belongs to, RFC 6335 section 6.
type Class string

// Classes.
const (
	System  Class = "system"  // 0-1023, assigned by IANA after review
	User    Class = "user"    // 1024-49151, assigned by IANA on request
	Dynamic Class = "dynamic" // 49152-65535, never assigned
)

// ClassOf gives a port's class.
func ClassOf(port uint16) Class {
	switch {
	case port < 1024:
		return System
	case port < 49152:
		return User
	}
	return Dynamic
}

// Registration is one row of IANA's registry, RFC 6335 section 8.
type Registration struct {
	First, Last  uint16 // of the row's range; the same for a single port
	Transport    string // tcp, udp, sctp or dccp; empty where the registry names none
	Name         string // the service name; empty for rows that only reserve
	Description  string
	Reference    string // "RFC1035", several joined by ", "; may be empty
	Registered   string // date as the registry has it; may be empty
	Modified     string
	Unauthorized string // unauthorised use that was reported to IANA
	Notes        string
}

// Command is a line to run, and for what.
type Command struct {
	For  string `json:"for"`
	Line string `json:"line"`
}

// Rule is a firewall rule set for the port, in one dialect.
type Rule struct {
	Dialect string `json:"dialect"` // nftables, iptables
	For     string `json:"for"`     // what it does and how it is loaded
	Text    string `json:"text"`
}

// Neighbour is a port next to this one that has a name.
type Neighbour struct {
	Port     uint16 `json:"port"`
	Name     string `json:"name"`
	Relation string `json:"relation"` // "one below", "the next registered port above"
}
