package atlas

import "iter"

// Note is what was written by hand about one port: one file below notes. Text
// is Markdown without headings. Everything else of an Entry derives from data.
type Note struct {
	Port  uint16 `json:"port"`
	Name  string `json:"name"`  // as people say it: "SSH"
	Title string `json:"title"` // in full: "Secure Shell"
	// Transports are those over which the service is really met, the usual one
	// first: tcp, udp, sctp or dccp.
	Transports []string `json:"transports"`
	Kind       Kind     `json:"kind"`
	// Reach is from where a well-kept network lets the port be reached.
	Reach    Reach    `json:"reach"`
	Traits   Traits   `json:"traits"`
	Sections Sections `json:"sections"`
	// Uses are unofficial but common: software that listens here by default and
	// that the registry does not name.
	Uses []Use `json:"uses,omitempty"`
	// Seen holds published counts of open ports; each has a source.
	Seen []Figure `json:"seen,omitempty"`
	// Amplification is nil where a small request over UDP has no large answer.
	Amplification *Amplification `json:"amplification,omitempty"`
	// Techniques are those of ATT&CK that fit the port, beside the ones that the
	// malware table brings.
	Techniques []Technique `json:"techniques,omitempty"`
	CVEs       []KnownCVE  `json:"cves,omitempty"`
	FAQ        []Question  `json:"faq"`
	Related    []Related   `json:"related"`
	Sources    []Source    `json:"sources"`
}

// Kind is what a service is, as far as exposing it is concerned.
type Kind string

// Kinds.
const (
	NameService     Kind = "name service"
	RemoteAdmin     Kind = "remote administration"
	Database        Kind = "database"
	FileSharing     Kind = "file sharing"
	Mail            Kind = "mail"
	Web             Kind = "web"
	VPN             Kind = "vpn"
	Directory       Kind = "directory"
	Industrial      Kind = "industrial control"
	Messaging       Kind = "messaging"
	Monitoring      Kind = "monitoring"
	Voice           Kind = "voice and video"
	TimeService     Kind = "time"
	Printing        Kind = "printing"
	Virtualisation  Kind = "virtualisation and containers"
	Discovery       Kind = "discovery"
	RPC             Kind = "remote procedure call"
	Proxy           Kind = "proxy"
	Backup          Kind = "backup"
	Gaming          Kind = "gaming"
	IoT             Kind = "devices"
	Legacy          Kind = "legacy"
	NetworkControl  Kind = "network control"
	Development     Kind = "development"
	SmallService    Kind = "small service"
	PeerToPeer      Kind = "peer to peer"
	RemoteDesktop   Kind = "remote desktop"
	Authentication  Kind = "authentication"
	FileTransfer    Kind = "file transfer"
	MalwareFavorite Kind = "malware favourite" // no service of note: known for its abuse
)

// Reach is from where a port ought to be reachable.
type Reach string

// Reaches, from the widest.
const (
	ReachInternet Reach = "internet" // by those who run the service for the public
	ReachVPN      Reach = "vpn"      // administration: through a tunnel
	ReachLAN      Reach = "lan"      // inside one network
	ReachHost     Reach = "host"     // loopback only
	ReachNobody   Reach = "nobody"   // the service ought not to run at all
)

// Traits answer the short questions of exposure, a sentence or less each.
type Traits struct {
	Authentication string `json:"authentication"`
	Encryption     string `json:"encryption"`
	Credentials    string `json:"credentials"` // the default-credentials problem, or that there is none
	Patching       string `json:"patching"`    // the risk of an unpatched service
	Abuse          string `json:"abuse"`       // typical: initial access, reflection, tunnelling, data leak …
}

// Sections are the parts of an entry's text.
type Sections struct {
	Understanding      string `json:"understanding"`
	Security           string `json:"security"`
	Defence            string `json:"defence"`
	WhyScan            string `json:"why_scan"`
	ThreatIntelligence string `json:"threat_intelligence"`
	Vulnerabilities    string `json:"vulnerabilities"`
}

// All yields the sections with their keys, in the order of the page.
func (s *Sections) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		_ = yield("understanding", s.Understanding) &&
			yield("security", s.Security) &&
			yield("defence", s.Defence) &&
			yield("why_scan", s.WhyScan) &&
			yield("threat_intelligence", s.ThreatIntelligence) &&
			yield("vulnerabilities", s.Vulnerabilities)
	}
}

// Use is software that listens on the port by default or by custom.
type Use struct {
	Name      string `json:"name"`
	Transport string `json:"transport"`
	About     string `json:"about"`
}

// Figure is one published count, with what it counts, when, and whose it is.
type Figure struct {
	What   string `json:"what"`
	Value  string `json:"value"`
	AsOf   string `json:"as_of"`
	Source string `json:"source"`
	URL    string `json:"url"`
}

// Amplification is the answer's size over the request's, as published.
type Amplification struct {
	Factor string `json:"factor"` // "28 to 54"
	Source string `json:"source"`
	URL    string `json:"url"`
}

// Technique is one of ATT&CK's, with why it fits the port.
type Technique struct {
	ID   string `json:"id"` // "T1071.004"
	Name string `json:"name,omitempty"`
	Why  string `json:"why"`
}

// KnownCVE is a vulnerability that made the port's history, in a sentence.
type KnownCVE struct {
	ID    string `json:"id"`
	About string `json:"about"`
}

// Question is one of the reader's, answered.
type Question struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
}

// Related is another port of the same cluster.
type Related struct {
	Port      uint16 `json:"port"`
	Transport string `json:"transport"`
	Name      string `json:"name"`
	Relation  string `json:"relation"` // one line
}

// Source is where a statement of the text can be read.
type Source struct {
	Title string `json:"title"`
	URL   string `json:"url,omitempty"`
}
