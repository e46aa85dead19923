package rehearse

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Loopback is the name of the interface that every host has. A zone on it is
// the host itself.
const Loopback = "lo"

// Scene describes a stage: a host that forwards, its interfaces, and who is
// reached through each of them. The order of interfaces, zones and hosts means
// nothing, except that of zones with overlapping routes the first has them.
type Scene struct {
	Interfaces []Interface
	Zones      []Zone
	Behind     []Host
	// Static spares the neighbours from having to find each other: packets of
	// ARP and of neighbour discovery are not sent. Without it a ruleset that
	// drops neighbour discovery breaks IPv6, as it does in life: packets come in,
	// and answers are lost. With it any address may be a source, on IPv6 too.
	Static bool
}

// Interface is one of the host's.
type Interface struct {
	Name string
	// Addresses are the host's own, each with the length of its network's
	// prefix. Loopback has 127.0.0.1 and ::1 without being asked.
	Addresses []netip.Prefix
}

// Zone is a side from which the host is reached through one interface. Several
// zones may share an interface; they then stand in the same place and differ
// in their sources.
type Zone struct {
	Name      string
	Interface string
	// Sources are addresses that stand for the zone; the first of each family
	// is where its packets come from unless a probe says otherwise.
	Sources []netip.Addr
	// Routes are what the host reaches through the interface beside the
	// sources and the networks of its own addresses: 0.0.0.0/0, say.
	Routes []netip.Prefix
}

// Host is a neighbour that the host forwards to: an asset behind a gateway, a
// container on a bridge.
type Host struct {
	Name      string
	Interface string
	Addresses []netip.Addr
}

// Bounds of a scene; each interface costs a namespace.
const (
	mostInterfaces = 64
	mostAddresses  = 4096
)

// Check tells what is wrong with the scene, one line.
func (s Scene) Check() error {
	if len(s.Interfaces) > mostInterfaces {
		return fmt.Errorf("a stage has at most %d interfaces, %d are wanted", mostInterfaces, len(s.Interfaces))
	}
	own := map[netip.Addr]string{}
	names := []string{Loopback}
	for _, i := range s.Interfaces {
		if err := checkName(i.Name); err != nil {
			return err
		}
		if i.Name != Loopback && slices.Contains(names, i.Name) {
			return fmt.Errorf("interface %s is there twice", i.Name)
		}
		names = append(names, i.Name)
		for _, p := range i.Addresses {
			if err := usable(p.Addr()); err != nil || !p.IsValid() {
				return fmt.Errorf("interface %s: %q is no address with the length of its prefix", i.Name, p)
			}
			if other, ok := own[p.Addr()]; ok {
				return fmt.Errorf("address %s is on %s and on %s", p.Addr(), other, i.Name)
			}
			own[p.Addr()] = i.Name
		}
	}
	if err := s.checkZones(names, own); err != nil {
		return err
	}
	return s.checkBehind(names, own)
}

func (s Scene) checkZones(names []string, own map[netip.Addr]string) error {
	total := 0
	seen := map[string]bool{}
	for _, z := range s.Zones {
		switch {
		case z.Name == "" || seen[z.Name]:
			return fmt.Errorf("zone %q needs a name of its own", z.Name)
		case !slices.Contains(names, z.Interface):
			return fmt.Errorf("zone %s: the scene has no interface %q", z.Name, z.Interface)
		case len(z.Sources) == 0 && z.Interface != Loopback:
			return fmt.Errorf("zone %s needs a source address", z.Name)
		}
		seen[z.Name] = true
		for _, a := range z.Sources {
			if err := usable(a); err != nil {
				return fmt.Errorf("zone %s: source: %w", z.Name, err)
			}
			if on, ok := own[a]; ok && z.Interface != Loopback {
				return fmt.Errorf("zone %s: source %s is the host's own address, of %s", z.Name, a, on)
			}
		}
		for _, p := range z.Routes {
			if !p.IsValid() {
				return fmt.Errorf("zone %s: a route is no prefix", z.Name)
			}
		}
		if total += len(z.Sources) + len(z.Routes); total > mostAddresses {
			return fmt.Errorf("a stage has at most %d sources and routes", mostAddresses)
		}
	}
	return nil
}

func (s Scene) checkBehind(names []string, own map[netip.Addr]string) error {
	total := 0
	for _, h := range s.Behind {
		if h.Interface == Loopback || !slices.Contains(names, h.Interface) {
			return fmt.Errorf("host %s: the scene has no interface %q to reach it", h.Name, h.Interface)
		}
		for _, a := range h.Addresses {
			if err := usable(a); err != nil {
				return fmt.Errorf("host %s: %w", h.Name, err)
			}
			if on, ok := own[a]; ok {
				return fmt.Errorf("host %s: %s is the host's own address, of %s", h.Name, a, on)
			}
		}
		if total += len(h.Addresses); total > mostAddresses {
			return fmt.Errorf("a stage has at most %d addresses behind the host", mostAddresses)
		}
	}
	return nil
}

// checkName holds a name to what the kernel allows (dev_valid_name of
// net/core/dev.c), and away from patterns.
func checkName(name string) error {
	const most = 15
	switch {
	case name == "" || len(name) > most || name == "." || name == "..":
		return fmt.Errorf("%q is no name of an interface: 1 to %d bytes are expected", name, most)
	case strings.ContainsAny(name, "/:% \t\n\v\f\r\x00*+"):
		return fmt.Errorf("%q is no name of an interface: no slash, colon, percent sign, asterisk, plus or space is expected", name)
	}
	return nil
}

func usable(a netip.Addr) error {
	switch {
	case !a.IsValid():
		return errors.New("an address is missing")
	case a.Zone() != "" || a.Is4In6():
		return fmt.Errorf("address %s: a plain IPv4 or IPv6 address is expected", a)
	case a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast():
		return fmt.Errorf("address %s: an address of one host that is routed is expected", a)
	}
	return nil
}

// Place says behind which interface an address lies, Loopback for the host's
// own; "" when nobody in the scene has it.
func (s Scene) Place(a netip.Addr) string {
	if a.IsLoopback() {
		return Loopback
	}
	for _, i := range s.Interfaces {
		if slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return Loopback
		}
	}
	for _, h := range s.Behind {
		if slices.Contains(h.Addresses, a) {
			return h.Interface
		}
	}
	for _, z := range s.Zones {
		if slices.Contains(z.Sources, a) {
			return z.Interface
		}
	}
	return ""
}

// Passes reports whether packets from the zone to the address pass the host:
// not when the address is in the zone's own place.
func (s Scene) Passes(zone string, target netip.Addr) bool {
	place := s.Place(target)
	for _, z := range s.Zones {
		if z.Name == zone {
			return place == Loopback || place != z.Interface
		}
	}
	return false
}
