//go:build linux

package lab

import (
	"context"
	"net/netip"
	"os"
	"os/exec"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Namespace is an empty network namespace, for rigs of another shape than the
// lab's (see lab/pair). The process must run under [Main].
type Namespace struct{ inner *namespace }

// NewNamespace makes a namespace with loopback up and without duplicate
// address detection; router switches forwarding on. It lives until Close and
// until the last interface, socket and process inside is gone.
func NewNamespace(router bool) (*Namespace, error) {
	inner, err := newNamespace()
	if err != nil {
		return nil, err
	}
	if err := prepareNamespace(inner, router); err != nil {
		inner.close()
		return nil, err
	}
	return &Namespace{inner}, nil
}

// Do runs fn on a thread of its own inside the namespace. Sockets opened and
// processes started by fn itself belong there; goroutines it starts do not.
func (n *Namespace) Do(fn func() error) error { return n.inner.do(fn) }

// Netlink opens a handle that the caller closes.
func (n *Namespace) Netlink() (*netlink.Handle, error) { return n.inner.netlink() }

// Sysctl writes values below /proc/sys/net.
func (n *Namespace) Sysctl(values map[string]string) error { return n.inner.sysctl(values) }

// Join connects two namespaces by a veth pair; both ends are still down.
func (n *Namespace) Join(name string, peer *Namespace, peerName string) error {
	handle, err := n.Netlink()
	if err != nil {
		return err
	}
	defer handle.Close()
	return addVeth(handle, name, peer.inner, peerName)
}

// Configure brings an interface up and gives it addresses.
func (n *Namespace) Configure(name string, addrs ...netip.Prefix) error {
	handle, err := n.Netlink()
	if err != nil {
		return err
	}
	defer handle.Close()
	link, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	if err := handle.LinkSetUp(link); err != nil {
		return err
	}
	for _, p := range addrs {
		addr := &netlink.Addr{IPNet: network(p.Addr(), p.Bits())}
		if p.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := handle.AddrAdd(link, addr); err != nil {
			return err
		}
	}
	return nil
}

// Close gives the namespace up.
func (n *Namespace) Close() { n.inner.close() }

// NFT loads an nftables ruleset.
func (n *Namespace) NFT(ctx context.Context, ruleset string) error { return n.inner.nft(ctx, ruleset) }

// Command prepares a program to run inside, to be started from anywhere. It
// fails with the name of the Debian package when the program is missing.
func (n *Namespace) Command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	enter, err := lookup("nsenter")
	if err != nil {
		return nil, err
	}
	path, err := lookup(name)
	if err != nil {
		return nil, err
	}
	// ExtraFiles start at descriptor 3. nsenter becomes the program.
	cmd := exec.CommandContext(ctx, enter, append([]string{"--net=/proc/self/fd/3", "--", path}, args...)...) //nolint:gosec // tests choose what to run
	cmd.ExtraFiles = []*os.File{n.inner.file}
	return cmd, nil
}
