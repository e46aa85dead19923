package exposure

import "time"

// State is the verdict on a target. Silence is never Closed, and a
// measurement that failed is Unmeasured, never Closed.
type State string

// States.
const (
	Open         State = "open"
	Closed       State = "closed"
	Filtered     State = "filtered"
	OpenFiltered State = "open|filtered"
	Unmeasured   State = "unmeasured"
)

// Reason says what decided a state, in the field's usual words.
type Reason string

// Reasons.
const (
	ReasonSynAck          Reason = "syn-ack"
	ReasonReset           Reason = "conn-refused"
	ReasonDNSResponse     Reason = "dns-response"
	ReasonUDPResponse     Reason = "udp-response"
	ReasonPortUnreachable Reason = "icmp-port-unreachable"
	ReasonHostUnreachable Reason = "icmp-host-unreachable"
	ReasonNetUnreachable  Reason = "icmp-net-unreachable"
	ReasonProtoUnreach    Reason = "icmp-protocol-unreachable"
	ReasonAdminProhibited Reason = "icmp-admin-prohibited"
	ReasonTimeExceeded    Reason = "icmp-time-exceeded"
	ReasonEchoReply       Reason = "echo-reply"
	ReasonNoNeighbour     Reason = "no-neighbour" // nobody answers ARP or neighbour solicitations for the address
	ReasonTimeout         Reason = "timeout"
	ReasonNoRoute         Reason = "no-route"
	ReasonLocalError      Reason = "local-error"
	ReasonCancelled       Reason = "cancelled"
	ReasonNotAsked        Reason = "not-asked" // the run was not told to measure the port
)

// Label is a caution attached to an observation or an asset: the state is what
// was seen, the label says why it must not be taken at face value.
type Label string

// Labels.
const (
	// LabelIntercepted: something between the vantage and the target answers
	// for addresses that are not there.
	LabelIntercepted Label = "intercepted"
	// LabelAcceptsAll: the host completes the handshake on every TCP port.
	LabelAcceptsAll Label = "accepts-every-port"
	// LabelUnproven: the handshake succeeded, but no payload exchange proved
	// that anything listens.
	LabelUnproven Label = "unproven"
	// LabelTarpit: the peer only holds connections, behind a window that takes
	// nothing or by dribbling bytes without end; nothing listens.
	LabelTarpit Label = "tarpit"
)

// Observation is one immutable measurement of a target from a vantage.
type Observation struct {
	Target
	Vantage  string
	State    State
	Reason   Reason
	RTT      time.Duration // of the attempt that was answered; 0 when none was
	Attempts int           // packets or connections tried
	Labels   []Label
	Detail   string // one line, for people: the error, the unexpected sender …
	Service  *Service
	At       time.Time
}

// Confidence grades how sure a statement is.
type Confidence string

// Confidence levels.
const (
	High   Confidence = "high"
	Medium Confidence = "medium"
	Low    Confidence = "low"
)

// Service is what was proven to listen on a target.
type Service struct {
	Protocol   string     `json:"protocol"`          // dns, ssh, http, tls, …; "unknown" when only the port is open
	Product    Product    `json:"product,omitempty"` // canonical product, see Product
	Name       string     `json:"name,omitempty"`    // product as people write it: "BIND 9"
	Version    string     `json:"version,omitempty"`
	CPE        string     `json:"cpe,omitempty"`
	Confidence Confidence `json:"confidence"`
	How        string     `json:"how"`              // how it was proven: "version.bind", "server banner", …
	Banner     string     `json:"banner,omitempty"` // verbatim text the server gave, bounded, untrusted
	Details    []string   `json:"details,omitempty"`
}

// Product is the canonical name of a DNS server family, the key of fixes and
// vulnerability matches. Other software leaves it empty and sets Service.Name.
type Product string

// Products for which fixes are written.
const (
	BIND       Product = "bind"
	Unbound    Product = "unbound"
	Knot       Product = "knot"
	KnotRes    Product = "knot-resolver"
	NSD        Product = "nsd"
	PDNSAuth   Product = "pdns-auth"
	PDNSRec    Product = "pdns-recursor"
	Dnsmasq    Product = "dnsmasq"
	WindowsDNS Product = "windows-dns"
	CoreDNS    Product = "coredns"
)

// Name is the product as people write it.
func (p Product) Name() string {
	switch p {
	case BIND:
		return "BIND 9"
	case Unbound:
		return "Unbound"
	case Knot:
		return "Knot DNS"
	case KnotRes:
		return "Knot Resolver"
	case NSD:
		return "NSD"
	case PDNSAuth:
		return "PowerDNS Authoritative"
	case PDNSRec:
		return "PowerDNS Recursor"
	case Dnsmasq:
		return "dnsmasq"
	case WindowsDNS:
		return "Windows DNS"
	case CoreDNS:
		return "CoreDNS"
	}
	return string(p)
}
