package rehearse

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"reconshield/internal/packet"
)

// prober sends single packets and sees where they arrive.
type prober struct {
	taps    map[tapKey]*tap
	senders map[senderKey]int
	barrier *barrier
	nonce   uint32
	next    uint32 // the mark of the next probe
	buffer  []byte
	control []byte
}

type tapKey struct {
	place    string
	protocol uint8
	v6       bool
}

type senderKey struct {
	place string
	v6    bool
}

// batch is how many packets are under way at once: few enough for the memory
// that sockets of ordinary users get, and for the thousand packets, answers
// included, that a processor keeps between interfaces.
const batch = 128

// Probe sends the probes and gives the outcome of each, in their order. First
// packets go out in the order of the slice, all of them before the first
// conversation. No time is waited for what does not arrive: see barrier; a
// packet costs about ten microseconds. An error means that the outcomes are not
// known.
func (s *Stage) Probe(ctx context.Context, probes []Probe) ([]Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("the stage is closed")
	}
	if err := s.openProber(); err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(probes))
	var first, conversations []shot
	for i, p := range probes {
		if err := p.complete(s.scene, s.prober.next); err != nil {
			return nil, err
		}
		z, _ := s.scene.zone(p.Zone)
		x := shot{Probe: p, from: z.Interface, id: s.prober.next, outcome: &outcomes[i]}
		s.prober.next++
		if p.Kind == Conversation {
			conversations = append(conversations, x)
			if err := s.addSource(ctx, z, p.Source); err != nil {
				return nil, err
			}
			continue
		}
		first = append(first, x)
	}
	before, err := lost()
	if err != nil {
		return nil, err
	}
	if err := s.firstPackets(ctx, first); err != nil {
		return nil, err
	}
	if err := s.converse(ctx, conversations); err != nil {
		return nil, err
	}
	switch after, err := lost(); {
	case err != nil:
		return nil, err
	case after > before:
		return nil, fmt.Errorf("this machine lost %d packets between its own interfaces, the outcomes are not known: try again", after-before)
	}
	return outcomes, nil
}

// lap forgets connections before source ports begin from the first again.
func (s *Stage) lap(shots []shot) error {
	if int(shots[0].id)%manyPorts+len(shots) <= manyPorts {
		return nil
	}
	return s.forget()
}

// shot is a probe on its way.
type shot struct {
	Probe
	from    string // the place
	id      uint32
	outcome *Outcome
}

func (s *Stage) openProber() error {
	if s.prober != nil {
		return nil
	}
	const longest, messages = 65536, 256
	p := &prober{taps: map[tapKey]*tap{}, senders: map[senderKey]int{}, buffer: make([]byte, longest), control: make([]byte, messages)}
	var nonce [4]byte
	_, _ = rand.Read(nonce[:])
	p.nonce = binary.BigEndian.Uint32(nonce[:])
	err := s.host.do(func() error {
		var err error
		p.barrier, err = openBarrier()
		return err
	})
	if err != nil {
		return err
	}
	s.prober = p
	return nil
}

func (s *Stage) firstPackets(ctx context.Context, shots []shot) error {
	if len(shots) == 0 {
		return nil
	}
	for i := range shots {
		if err := s.equip(&shots[i]); err != nil {
			return err
		}
	}
	return onThread(func() error {
		all, err := processors()
		if err != nil {
			return err
		}
		if err := onProcessor(all[0]); err != nil {
			return err
		}
		for some := range slices.Chunk(shots, batch) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.lap(some); err != nil {
				return err
			}
			if err := s.prober.volley(some); err != nil {
				return err
			}
		}
		return s.prober.whole()
	})
}

// equip opens the sockets that the probe needs: one to send, and one in every
// place to see it arrive.
func (s *Stage) equip(x *shot) error {
	v6 := x.Target.Is6()
	if _, ok := s.prober.senders[senderKey{x.from, v6}]; !ok {
		err := s.sides[x.from].do(func() error {
			fd, err := openSender(v6)
			if err == nil {
				s.prober.senders[senderKey{x.from, v6}] = fd
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if _, ok := s.prober.taps[tapKey{Loopback, x.Protocol, v6}]; ok {
		return nil
	}
	for place, side := range s.sides {
		err := side.do(func() error {
			t, err := openTap(place, x.Protocol, v6)
			if err == nil {
				s.prober.taps[tapKey{place, x.Protocol, v6}] = t
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// openSender opens a socket for packets with headers of their own (raw(7)).
func openSender(v6 bool) (int, error) {
	version := unix.AF_INET
	if v6 {
		version = unix.AF_INET6
	}
	fd, err := unix.Socket(version, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return 0, fmt.Errorf("open a raw socket: %w", err)
	}
	return fd, nil
}

// volley sends some packets and waits until all have come to their end.
func (p *prober) volley(shots []shot) error {
	byID := make(map[uint32]*shot, len(shots))
	var frame []byte
	for i := range shots {
		x := &shots[i]
		byID[x.id] = x
		frame = x.frame(frame[:0], mark{p.nonce, x.id})
		if err := p.send(x, frame); err != nil {
			return fmt.Errorf("send a packet from %s to %s: %w", x.Source, netip.AddrPortFrom(x.Target, x.Port), err)
		}
	}
	if err := p.barrier.pass(); err != nil {
		return err
	}
	for key, t := range p.taps {
		err := t.drain(p.buffer, p.control, func(m mark, to netip.AddrPort) {
			x := byID[m.id]
			if m.nonce != p.nonce || x == nil || x.Protocol != key.protocol {
				return
			}
			// Copies that rules make count once, the host's before others'.
			if x.outcome.Delivered && key.place != Loopback {
				return
			}
			*x.outcome = Outcome{Delivered: true, Place: key.place, To: to}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// send gives a packet to the kernel. What rules of the host's own output
// forbid is no error.
func (p *prober) send(x *shot, frame []byte) error {
	v6 := x.Target.Is6()
	var to unix.Sockaddr
	if v6 {
		to = &unix.SockaddrInet6{Addr: x.Target.As16()}
	} else {
		to = &unix.SockaddrInet4{Addr: x.Target.As4()}
	}
	fd := p.senders[senderKey{x.from, v6}]
	for range 3 {
		err := unix.Sendto(fd, frame, 0, to)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EPERM) && x.from == Loopback:
			return nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOBUFS):
			// An error of an earlier packet, or no room for a moment.
		default:
			return err
		}
	}
	return errors.New("the kernel takes no packets")
}

// whole makes sure that no packet was lost where it had arrived.
func (p *prober) whole() error {
	for _, t := range p.taps {
		n, err := t.drops()
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%d packets were lost on arrival at %s, the outcomes are not known", n, t.place)
		}
	}
	return nil
}

func (p *prober) close() error {
	if p == nil {
		return nil
	}
	err := p.barrier.close()
	for _, t := range p.taps {
		err = errors.Join(err, t.close())
	}
	for _, fd := range p.senders {
		err = errors.Join(err, unix.Close(fd))
	}
	return err
}

// isTCP tells how a conversation is held.
func (x *shot) isTCP() bool { return x.Protocol == packet.ProtoTCP }
