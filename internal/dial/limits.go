package dial

import (
	"fmt"
	"strconv"
	"strings"
)

// limits are those of this machine that a scan by ordinary sockets meets; 0 for
// what is not known or does not exist.
type limits struct {
	inFlight              int    // probes that may be in flight
	descriptors           uint64 // of this process
	ports                 int    // ephemeral ports
	tracked, maxTracked   uint64 // entries of the connection tracking table
	portsFrom, trackedKey string // names of the settings
}

// notes words the limits that a scan of that many targets would meet, one line
// each.
func (l limits) notes(targets uint64) []string {
	var out []string
	if l.inFlight > 0 && targets > uint64(l.inFlight) {
		of := ""
		if l.descriptors > 0 {
			of = fmt.Sprintf(" of this process's %d descriptors", l.descriptors)
		}
		out = append(out, fmt.Sprintf("at most %d probes in flight%s: silent targets are waited for in turns; raise the descriptor limit (ulimit -n) to wait for more at once", l.inFlight, of))
	}
	if half := l.ports / 2; half > 0 && targets > uint64(half) && half < max(l.inFlight, 1) {
		out = append(out, fmt.Sprintf("at most %d UDP probes in flight: half of the %d ephemeral ports (%s)", half, l.ports, l.portsFrom))
	}
	if l.maxTracked > 0 && targets > l.maxTracked-min(l.tracked, l.maxTracked) {
		out = append(out, fmt.Sprintf("connection tracking on this machine holds %d flows, %d are in use: %d targets may fill it, and packets are then lost; raise %s or exempt this host's own packets (notrack)", l.maxTracked, l.tracked, targets, l.trackedKey))
	}
	return out
}

// parsePortRange counts the ports of a setting such as "32768 60999"; 0 when it
// is none.
func parsePortRange(s string) int {
	fields := strings.Fields(s)
	if len(fields) != 2 {
		return 0
	}
	const bits = 16
	low, err := strconv.ParseUint(fields[0], 10, bits)
	if err != nil {
		return 0
	}
	high, err := strconv.ParseUint(fields[1], 10, bits)
	if err != nil || high < low {
		return 0
	}
	return int(high-low) + 1 //nolint:gosec // 16 bits
}

// parseCount reads a setting that is one number; 0 when it is none.
func parseCount(s string) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
