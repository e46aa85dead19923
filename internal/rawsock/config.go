package rawsock

import (
	"net/netip"

	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

// Config is what a wire needs to know. The zero value of every field from Ring
// on stands for a sensible one.
type Config struct {
	// Paths lead to every address that will be probed, sorted and without
	// overlaps. What no path leads to is answered with probe.NoRoute.
	Paths []probe.Path
	// Key makes the cookies.
	Key probe.Key
	// Payloads says what UDP ports are asked.
	Payloads *payload.Table

	// Ring is the size in bytes of the memory in which answers wait, all
	// interfaces together; 8 MiB.
	Ring int
	// Queue is how many decoded answers wait for Receive; 16384.
	Queue int
	// Neighbours is how many hardware addresses on links are kept; 131072.
	// Addresses beyond are answered with probe.NoNeighbour.
	Neighbours int
	// Plain keeps to AF_PACKET where AF_XDP would be faster.
	Plain bool
}

func (c Config) withDefaults() Config {
	const (
		ring       = 8 << 20
		queue      = 1 << 14
		neighbours = 1 << 17
	)
	if c.Ring <= 0 {
		c.Ring = ring
	}
	if c.Queue <= 0 {
		c.Queue = queue
	}
	if c.Neighbours <= 0 {
		c.Neighbours = neighbours
	}
	return c
}

// key is an address as a map key without pointers; IPv4 ones are mapped.
type key [16]byte

func keyOf(a netip.Addr) key { return a.As16() }
