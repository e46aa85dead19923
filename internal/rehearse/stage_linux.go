package rehearse

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Stage is a built scene. Its methods may be called from several goroutines;
// those that send or load wait for each other.
type Stage struct {
	scene Scene
	host  *namespace
	sides map[string]*namespace // by the host's interface; the host itself under Loopback

	mu        sync.Mutex // of everything below
	notes     []string
	loaded    map[origin][]string // with the tables that iptables-restore filled
	prober    *prober
	listeners listeners
	added     map[netip.Addr]bool
	closed    bool
}

// Open builds a stage in this process, which needs CAP_SYS_ADMIN and
// CAP_NET_ADMIN in its user namespace: it is for tests that stand in
// namespaces of their own and for [Main]; programs use [Run]. The threads of
// the caller are not moved. Close the stage after use.
func Open(ctx context.Context, scene Scene) (*Stage, error) {
	if err := scene.Check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Stage{scene: scene, sides: map[string]*namespace{}, loaded: map[origin][]string{}, added: map[netip.Addr]bool{}}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Scene is what the stage was built of. It is not to be changed.
func (s *Stage) Scene() Scene { return s.scene }

// Notes are what the tools had to say when they loaded rules nevertheless.
func (s *Stage) Notes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notes)
}

// In runs fn on a thread of its own inside the zone's namespace. Sockets opened
// and processes started by fn itself belong there; goroutines it starts do not.
// The thread ends with fn.
func (s *Stage) In(zone string, fn func() error) error {
	z, err := s.scene.zone(zone)
	if err != nil {
		return err
	}
	return s.sides[z.Interface].do(fn)
}

// AddSource gives a zone another address to send from, and the host the route
// back. Probes do so themselves where that is needed.
func (s *Stage) AddSource(ctx context.Context, zone string, a netip.Addr) error {
	z, err := s.scene.zone(zone)
	if err != nil {
		return err
	}
	if err := usable(a); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addSource(ctx, z, a)
}

func (s *Stage) addSource(ctx context.Context, z Zone, a netip.Addr) error {
	if s.added[a] || z.Interface == Loopback || slices.Contains(z.Sources, a) {
		return nil
	}
	if len(s.added) >= mostAddresses {
		return fmt.Errorf("a stage takes at most %d more sources", mostAddresses)
	}
	inside, err := s.sides[z.Interface].netlink(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer inside.Close()
	link, err := inside.LinkByName(farName)
	if err != nil {
		return err
	}
	if err := add(inside, link, netip.PrefixFrom(a, a.BitLen())); err != nil {
		return err
	}
	if err := takes(ctx, inside, farName, []netip.Addr{a}); err != nil {
		return err
	}
	outside, err := s.host.netlink(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer outside.Close()
	s.added[a] = true
	return routeTo(outside, z.Interface, netip.PrefixFrom(a, a.BitLen()))
}

// Close takes the stage down. A second call does nothing.
func (s *Stage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := errors.Join(s.listeners.close(), s.prober.close())
	for _, side := range s.sides {
		err = errors.Join(err, side.close())
	}
	return err
}
