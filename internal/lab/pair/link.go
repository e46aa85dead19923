//go:build linux

package pair

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"reconshield/internal/lab"
)

// carrierLimit bounds the wait for a link to come up; the kernel tells of
// carriers once a second at most.
const carrierLimit = 10 * time.Second

// LinkDown pulls the scanner's cable: its interface stays up and loses the
// carrier. It returns when the scanner's kernel has seen it.
func (p *Pair) LinkDown() { p.tb.Helper(); p.link(false) }

// LinkUp plugs it in again. The scanner's kernel may need another second until
// it asks for its neighbours anew.
func (p *Pair) LinkUp() { p.tb.Helper(); p.link(true) }

func (p *Pair) link(up bool) {
	p.tb.Helper()
	handle, err := p.far().Netlink()
	p.must(err)
	defer handle.Close()
	link, err := handle.LinkByName(p.farName())
	p.must(err)
	if up {
		p.must(handle.LinkSetUp(link))
		p.must(awaitCarrier(p.far(), p.farName(), up))
	} else {
		p.must(handle.LinkSetDown(link))
	}
	p.must(awaitCarrier(p.Scanner, Interface, up))
}

// awaitCarrier waits until the kernel calls the interface operational, or not.
func awaitCarrier(n *lab.Namespace, name string, up bool) error {
	return n.Do(func() error {
		socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
		if err != nil {
			return err
		}
		defer socket.Close()
		turn := unix.NsecToTimeval(int64(time.Second))
		if err := socket.SetReceiveTimeout(&turn); err != nil {
			return err
		}
		handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer handle.Close()
		for deadline := time.Now().Add(carrierLimit); time.Now().Before(deadline); {
			link, err := handle.LinkByName(name)
			if err != nil {
				return err
			}
			if (link.Attrs().OperState == netlink.OperUp) == up {
				return nil
			}
			if _, _, err := socket.Receive(); err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOBUFS) {
				return err
			}
		}
		return errors.New("the carrier of " + name + " does not change")
	})
}

// reach waits until the scanner reaches an address. Addresses of IPv6 begin to
// answer some time after they were configured, and what was sent before is
// lost without a word.
func (p *Pair) reach(addr string) error {
	return p.Scanner.Do(func() error {
		dialer := net.Dialer{Timeout: carrierLimit / 40}
		var err error
		for deadline := time.Now().Add(carrierLimit); time.Now().Before(deadline); {
			var conn net.Conn
			conn, err = dialer.DialContext(p.context(), "tcp", net.JoinHostPort(addr, "1"))
			switch {
			case errors.Is(err, unix.ECONNREFUSED):
				return nil
			case err == nil:
				return errors.Join(errors.New("something listens on port 1 of "+addr), conn.Close())
			}
		}
		return fmt.Errorf("the scanner does not reach %s: %w", addr, err)
	})
}
