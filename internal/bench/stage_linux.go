package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Names and addresses of the stage. The peer also owns whatever a scene gives it.
const (
	scannerDevice  = "scan0"
	peerDevice     = "peer0"
	scannerAddress = "192.0.2.1"
	peerAddress    = "192.0.2.2"

	scannerAddress6 = "2001:db8::1"
	peerAddress6    = "2001:db8::2"
)

// Stage is two joined network namespaces: the caller's, where scanners run,
// and the peer's, where their packets end. Not for concurrent use.
type Stage struct {
	peer        *os.File // the namespace
	counters    *os.File // /proc/net/dev of the peer
	scannerMAC  net.HardwareAddr
	peerMAC     net.HardwareAddr
	onClose     []func()
	cancelNudge context.CancelFunc
}

// NewStage builds the stage inside the caller's network namespace, which must
// be its own: see lab.Main. The peer has no address yet and answers nothing.
func NewStage(ctx context.Context) (*Stage, error) {
	s := &Stage{}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stage) build(ctx context.Context) error {
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		var err error
		if s.peer, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		s.counters, err = os.Open("/proc/thread-self/net/dev")
		return err
	})
	if err != nil {
		return err
	}
	pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: peerDevice, PeerNamespace: netlink.NsFd(s.peer.Fd())}
	pair.Name = scannerDevice
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("make a veth pair: %w", err)
	}
	// Neighbour and router solicitations would be counted as probes.
	quiet := map[string]string{"ipv6/conf/all/disable_ipv6": "1", "ipv6/conf/default/disable_ipv6": "1"}
	if err := errors.Join(sysctl(quiet), s.Sysctl(quiet)); err != nil {
		return err
	}
	if err := s.Here(ctx,
		"ip link set lo up",
		"ip address add "+scannerAddress+"/24 dev "+scannerDevice,
		"ip link set "+scannerDevice+" up"); err != nil {
		return err
	}
	if err := s.There(ctx, "ip link set lo up", "ip link set "+peerDevice+" up"); err != nil {
		return err
	}
	return s.addresses()
}

// addresses notes the hardware addresses of both ends.
func (s *Stage) addresses() error {
	link, err := net.InterfaceByName(scannerDevice)
	if err != nil {
		return err
	}
	s.scannerMAC = link.HardwareAddr
	return s.do(func() error {
		link, err := net.InterfaceByName(peerDevice)
		if err != nil {
			return err
		}
		s.peerMAC = link.HardwareAddr
		return nil
	})
}

// Close takes the stage down.
func (s *Stage) Close() error {
	for _, undo := range slices.Backward(s.onClose) {
		undo()
	}
	if s.cancelNudge != nil {
		s.cancelNudge()
	}
	var err error
	if link, lookup := netlink.LinkByName(scannerDevice); lookup == nil {
		err = netlink.LinkDel(link)
	}
	for _, file := range []*os.File{s.peer, s.counters} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}

// Here runs commands, each one line of words, in the scanner's namespace.
func (s *Stage) Here(ctx context.Context, commands ...string) error {
	for _, command := range commands {
		if err := run(ctx, "", command); err != nil {
			return err
		}
	}
	return nil
}

// There runs commands in the peer's namespace.
func (s *Stage) There(ctx context.Context, commands ...string) error {
	return s.do(func() error { return s.Here(ctx, commands...) })
}

// Rules loads an nft ruleset at the peer.
func (s *Stage) Rules(ctx context.Context, ruleset string) error {
	return s.do(func() error { return run(ctx, ruleset, "nft -f -") })
}

// Sysctl writes values below /proc/sys/net at the peer.
func (s *Stage) Sysctl(values map[string]string) error {
	return s.do(func() error { return sysctl(values) })
}

func sysctl(values map[string]string) error {
	for name, value := range values {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil { //nolint:gosec // a sysctl
			return fmt.Errorf("set a sysctl: %w", err)
		}
	}
	return nil
}

// do runs fn on a thread inside the peer's namespace. Sockets opened and
// processes started by fn itself belong there.
func (s *Stage) do(fn func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(s.peer.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return fn()
	})
}

// onThread runs fn on an OS thread of its own, which is thrown away
// afterwards, since fn may have moved it.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- fn()
	}()
	return <-done
}

func run(ctx context.Context, input, command string) error {
	words := strings.Fields(command)
	path, err := program(words[0])
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, words[1:]...)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// program finds a tool, also where Debian keeps it from ordinary users.
func program(name string) (string, error) {
	for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	packages := map[string]string{"ip": "iproute2", "nft": "nftables", "/usr/bin/time": "time"}
	debian, ok := packages[name]
	if !ok {
		debian = name
	}
	return "", fmt.Errorf("%s is missing: install the Debian package %s", name, debian)
}
