package app

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// systemLookup resolves a name with the system's resolver.
func systemLookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// systemPTR gives the names of an address, none when the resolver does not
// answer soon: PTR names only suggest zones to test.
func systemPTR(ctx context.Context, addr netip.Addr) []string {
	const patience = time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, addr.String())
	if err != nil {
		return nil
	}
	return names
}

type noProgress struct{}

func (noProgress) Stage(string, int) {}
func (noProgress) Add(int)           {}
func (noProgress) Note(string)       {}
