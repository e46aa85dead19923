package rehearse

import (
	"fmt"
	"net/netip"
)

// zone finds a zone by name.
func (s Scene) zone(name string) (Zone, error) {
	for _, z := range s.Zones {
		if z.Name == name {
			return z, nil
		}
	}
	return Zone{}, fmt.Errorf("the scene has no zone %q", name)
}

// behind lists the addresses of zones and hosts behind an interface.
func (s Scene) behind(name string) []netip.Addr {
	var all []netip.Addr
	for _, z := range s.Zones {
		if z.Interface == name {
			all = append(all, z.Sources...)
		}
	}
	for _, h := range s.Behind {
		if h.Interface == name {
			all = append(all, h.Addresses...)
		}
	}
	return all
}
