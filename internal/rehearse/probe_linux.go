package rehearse

import (
	"fmt"
	"net/netip"

	"reconshield/internal/packet"
)

// Ports that probes get.
const (
	firstPort = 32768
	manyPorts = 28000
)

// complete fills in what the probe leaves open.
func (p *Probe) complete(s Scene, n uint32) error {
	z, err := s.zone(p.Zone)
	if err != nil {
		return err
	}
	if !p.Target.IsValid() || p.Target.Is4In6() || p.Target.Zone() != "" {
		return fmt.Errorf("probe from %s: target %s: a plain IPv4 or IPv6 address is expected", p.Zone, p.Target)
	}
	if !p.Source.IsValid() {
		p.Source = z.source(s, p.Target)
	}
	if !p.Source.IsValid() || p.Source.Is4() != p.Target.Is4() {
		return fmt.Errorf("zone %s has no source of the IP version of %s", p.Zone, p.Target)
	}
	if !s.Passes(p.Zone, p.Target) {
		return fmt.Errorf("%s is in the same place as zone %s: packets between them do not pass the host", p.Target, p.Zone)
	}
	if p.SourcePort == 0 {
		p.SourcePort = uint16(firstPort + n%manyPorts) //nolint:gosec // below 65536
	}
	if p.Protocol == packet.ProtoTCP && p.Flags == 0 {
		p.Flags = packet.SYN
	}
	if p.Kind == Conversation && p.Protocol != packet.ProtoTCP && p.Protocol != packet.ProtoUDP {
		return fmt.Errorf("conversations are over TCP or UDP, not over protocol %d", p.Protocol)
	}
	return nil
}

// source is the first of the target's family; the host itself speaks to its own
// addresses from the same.
func (z Zone) source(s Scene, target netip.Addr) netip.Addr {
	for _, a := range z.Sources {
		if a.Is4() == target.Is4() {
			return a
		}
	}
	if z.Interface != Loopback {
		return netip.Addr{}
	}
	if s.Place(target) == Loopback {
		return target
	}
	for _, i := range s.Interfaces {
		for _, p := range i.Addresses {
			if p.Addr().Is4() == target.Is4() {
				return p.Addr()
			}
		}
	}
	return netip.Addr{}
}
