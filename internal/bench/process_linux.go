package bench

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
)

// FloodProcess is the bare loop as a process of its own, so that it is weighed
// like the others: where the environment asks for it, it sends, writes its
// rate to w and returns true.
func FloodProcess(w io.Writer) (bool, error) {
	text := os.Getenv(envFlood)
	if text == "" {
		return false, nil
	}
	var device, from, to, target string
	var port uint16
	var count int
	if _, err := fmt.Sscan(text, &device, &from, &to, &target, &port, &count); err != nil {
		return true, fmt.Errorf("read %s: %w", envFlood, err)
	}
	frame, err := floodFrame(from, to, target, port)
	if err != nil {
		return true, err
	}
	took, err := Flood(device, frame, count)
	if err != nil {
		return true, err
	}
	_, err = fmt.Fprintf(w, "%.0f\n", float64(count)/took.Seconds())
	return true, err
}

func floodFrame(from, to, target string, port uint16) ([]byte, error) {
	scanner, err := net.ParseMAC(from)
	if err != nil {
		return nil, err
	}
	peer, err := net.ParseMAC(to)
	if err != nil {
		return nil, err
	}
	address, err := netip.ParseAddr(target)
	if err != nil || !address.Is4() {
		return nil, fmt.Errorf("%q is no IPv4 address", target)
	}
	return synFrame(scanner, peer, netip.MustParseAddr(scannerAddress).As4(), address.As4(), port), nil
}
