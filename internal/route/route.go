// Package route asks the kernel how wanted addresses are reached: interface,
// source address, gateway and its hardware address, exactly as an ordinary
// connection would have it.
//
// It sends nothing to a target and resolves no addresses that are on the link;
// only for a gateway that the kernel does not know yet it has the kernel ask.
// Rules that look at ports, marks or the IP protocol are taken as they are for
// an unmarked packet without ports. IPsec policies are not seen.
package route

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"go4.org/netipx"

	"reconshield/internal/probe"
)

// Options narrow what the kernel may choose.
type Options struct {
	// Source is what packets shall carry; it must be an address of this
	// machine. The zero Addr leaves the choice to the kernel.
	Source netip.Addr
	// Interface is the name of the only interface to send through; "" for any.
	// Addresses of this machine are reached through loopback all the same.
	Interface string
	// NextHop is the hardware address every Ethernet frame shall go to, for
	// addresses on the link, too; nil to find out.
	NextHop net.HardwareAddr
}

// Paths gives how the addresses of the ranges are reached, in ascending order,
// each address in exactly one path, even when ranges overlap. Where nothing can
// be sent the path says so in Unreachable; an error means that the options are
// wrong or that the kernel could not be asked. Only Linux can tell.
func Paths(ctx context.Context, ranges []netipx.IPRange, opts Options) ([]probe.Path, error) {
	var b netipx.IPSetBuilder
	for _, r := range ranges {
		b.AddRange(r)
	}
	set, err := b.IPSet()
	if err != nil {
		return nil, fmt.Errorf("ranges to route: %w", err)
	}
	if opts.Source.IsValid() {
		opts.Source = opts.Source.Unmap().WithZone("")
	}
	return paths(ctx, set.Ranges(), opts)
}
