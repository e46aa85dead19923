package rawsock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"reconshield/internal/packet"
	"reconshield/internal/probe"
)

// route is one path with what is needed to send along it.
type route struct {
	probe.Path
	outlet    outlet
	templates [3]*packet.Template // by probe.Kind
	resolve   bool                // the next hop's address comes from the neighbour table
}

// port is an interface that the routes use.
type port struct {
	index int
	name  string
	link  probe.Link
}

// routes finds the route of an address. It is read-only once made.
type routes struct {
	all []route
	// loopback is the interface that carries traffic to this machine's own
	// addresses, whichever interface has them.
	loopback port
}

func newRoutes(paths []probe.Path) (*routes, error) {
	r := &routes{all: make([]route, len(paths))}
	for i, p := range paths {
		if err := r.add(i, p); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *routes) add(i int, p probe.Path) error {
	entry := &r.all[i]
	entry.Path = p
	if i > 0 && !r.all[i-1].To.Less(p.From) {
		return fmt.Errorf("the paths from %s and from %s overlap or are not sorted", r.all[i-1].From, p.From)
	}
	if p.Unreachable != "" {
		return nil
	}
	if p.Link == probe.Loopback && r.loopback.name == "" {
		lo, err := loopback()
		if err != nil {
			return err
		}
		r.loopback = port{lo.Index, lo.Name, probe.Loopback}
	}
	entry.resolve = p.Link == probe.Ethernet && len(p.NextHop) == 0
	for kind := range entry.templates {
		t, err := packet.NewTemplate(&p, probe.Kind(kind)) //nolint:gosec // below 3
		if err != nil {
			return err
		}
		entry.templates[kind] = t
	}
	return nil
}

// loopback finds the loopback interface.
func loopback() (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
	if i < 0 {
		return nil, errors.New("this machine has no loopback interface to reach its own addresses")
	}
	return &all[i], nil
}

// find gives the address's route, nil when there is none.
func (r *routes) find(a netip.Addr) *route {
	i, exact := slices.BinarySearchFunc(r.all, a, func(e route, a netip.Addr) int { return e.From.Compare(a) })
	if exact {
		return &r.all[i]
	}
	if i == 0 || r.all[i-1].To.Less(a) || r.all[i-1].From.BitLen() != a.BitLen() {
		return nil
	}
	return &r.all[i-1]
}

// scope is the interface that link-local addresses need with them, else 0.
func (r *route) scope() int {
	if r.From.Is6() && r.From.IsLinkLocalUnicast() {
		return r.Interface
	}
	return 0
}

// interfaces lists where packets leave and arrive, each once.
func (r *routes) interfaces() []port {
	var all []port
	for i := range r.all {
		e := &r.all[i]
		p := port{e.Interface, e.Name, e.Link}
		if e.Link == probe.Loopback {
			p = r.loopback
		}
		if e.Unreachable == "" && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}
