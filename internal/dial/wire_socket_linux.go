package dial

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

// rehearse opens a socket as the options say, so that a source address or an
// interface that is not there shows before the scan.
func (w *sockets) rehearse() error {
	fd, err := w.socket(w.d.opts.SourceIP.Is6(), unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// socket makes a non-blocking socket with an error queue, bound as the options
// say.
func (w *sockets) socket(v6 bool, kind, protocol int) (int, error) {
	family, level, recverr := unix.AF_INET, unix.IPPROTO_IP, unix.IP_RECVERR
	if v6 {
		family, level, recverr = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("setsockopt IP_RECVERR", unix.SetsockoptInt(fd, level, recverr, 1))
	if err == nil {
		err = w.bind(fd, v6, kind)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func (w *sockets) bind(fd int, v6 bool, kind int) error {
	if name := w.d.opts.Interface; name != "" {
		if err := unix.BindToDevice(fd, name); err != nil {
			return fmt.Errorf("bind to interface %s: %w", name, err)
		}
	}
	source := w.d.opts.SourceIP
	if !source.IsValid() || source.Is6() != v6 {
		return nil
	}
	if kind == unix.SOCK_STREAM {
		// Without this option bind would reserve a port for all destinations.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return os.NewSyscallError("setsockopt IP_BIND_ADDRESS_NO_PORT", err)
		}
	}
	from, err := sockaddr(netip.AddrPortFrom(source, 0))
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, from); err != nil {
		return fmt.Errorf("send from %s: %w", source, err)
	}
	return nil
}

// address gives the target in the system's form; it is overwritten by the next.
func (w *sockets) address(p *probe.Probe) unix.Sockaddr {
	if p.Addr.Is4() {
		w.to4.Port, w.to4.Addr = int(p.Port), p.Addr.As4()
		return &w.to4
	}
	w.to6.Port, w.to6.Addr = int(p.Port), p.Addr.As16()
	return &w.to6
}
