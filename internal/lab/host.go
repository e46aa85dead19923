//go:build linux

package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Host is a machine of the lab: a network namespace with one IPv4 and one
// IPv6 address. Its methods may be called concurrently.
type Host struct {
	Name   string
	V4, V6 netip.Addr

	lab *Lab
	ns  *namespace
	dir string
}

// DNSName is the name the host's addresses have in the lab's DNS, without a
// trailing dot. Hosts outside the catalogue have none there.
func (h *Host) DNSName() string { return h.Name + ".example.test" }

// Dir is a private directory of the host that vanishes with the lab.
func (h *Host) Dir() string { return h.dir }

// Listen opens a listening socket inside the host. The caller closes it.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	var listener net.Listener
	err := h.ns.do(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(context.Background(), network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", h.Name, err)
	}
	return listener, nil
}

// ListenPacket opens a packet socket inside the host. The caller closes it.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	var conn net.PacketConn
	err := h.ns.do(func() (err error) {
		conn, err = new(net.ListenConfig).ListenPacket(context.Background(), network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", h.Name, err)
	}
	return conn, nil
}

// Dial opens a connection from inside the host. The address must be numeric.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	// The dialler would race families on goroutines, which live in another
	// namespace; a numeric address has one family.
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("host %s: dial: %w", h.Name, err)
	}
	var conn net.Conn
	err := h.ns.do(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", h.Name, err)
	}
	return conn, nil
}

// NFT loads an nftables ruleset inside the host.
func (h *Host) NFT(tb testing.TB, ruleset string) {
	tb.Helper()
	if err := h.ns.nft(tb.Context(), ruleset); err != nil {
		tb.Fatalf("lab: host %s: %v", h.Name, err)
	}
}

// command prepares a command for the host; what starts it has to be inside the
// namespace.
func (h *Host) command(ctx context.Context, argv ...string) (*exec.Cmd, error) {
	path, err := lookup(argv[0])
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...) //nolint:gosec // the lab runs what the test says
	cmd.Dir = h.dir
	return cmd, nil
}

// exec runs a command inside the host and returns its output.
func (h *Host) exec(ctx context.Context, argv ...string) (string, error) {
	cmd, err := h.command(ctx, argv...)
	if err != nil {
		return "", err
	}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	err = h.ns.do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return output.String(), fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, output.String())
	}
	return output.String(), nil
}

// write puts a file into the host's directory and returns its path.
func (h *Host) write(name, content string) (string, error) {
	file := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, []byte(content), 0o644) //nolint:gosec // read by daemons of any user
}

func (n *namespace) nft(ctx context.Context, ruleset string) error {
	path, err := lookup("nft")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, "-f", "-")
	cmd.Stdin = strings.NewReader(ruleset)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	err = n.do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("nft: %w: %s", err, output.String())
	}
	return nil
}
