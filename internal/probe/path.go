package probe

import "net/netip"

// Link is how an interface carries packets.
type Link uint8

// Links.
const (
	Ethernet Link = iota
	Loopback      // this machine itself, whichever interface holds the address
	Bare          // IP packets without a link header: tunnels, point-to-point
)

// Path is how the addresses From to To, both included, are reached.
type Path struct {
	From, To  netip.Addr
	Interface int // index
	Name      string
	Link      Link
	MTU       int
	Hardware  []byte     // address of the interface; nil when it has none
	Source    netip.Addr // that our packets carry
	Gateway   netip.Addr // the zero Addr: the addresses are on the link
	// NextHop is the gateway's hardware address, nil when it is not known or
	// the link needs none. It may be set for addresses on the link, too, when
	// the user names it.
	NextHop []byte
	// Unreachable says why nothing can be sent: "no route to …"; "" otherwise.
	Unreachable string
}

// OnLink reports that no router stands before the addresses.
func (p Path) OnLink() bool { return !p.Gateway.IsValid() }
