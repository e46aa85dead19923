package bench

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Scene is a stage set up in one way, and the trials run on it.
type Scene struct {
	Name  string // a short word, for choosing
	Title string
	// Set sets up the peer and says what is true; nil when nothing is judged.
	Set func(context.Context, *Stage) (*Truth, error)
	// Trials lists what is run; the first is what the others are compared to.
	Trials func(Kit) []Trial
	// ByWall compares by duration; else by rate.
	ByWall bool
	// Sink sends all frames to a station that is not there. The peer's kernel
	// drops them before it looks inside, which costs every tool the same and
	// as little as can be: a dearer sink would make all tools look alike.
	Sink bool
	// Answered says that every probe is answered, so that answers count probes.
	Answered bool
}

// Size says how much is measured.
type Size struct {
	Sink, Refused, Sparse, Everything netip.Prefix
	Rates                             []int    // of the sparse scene's sweeps
	Flat                              []string // targets of the cost trials
	FlatPorts                         string   // ports of the last of them
	Patience                          time.Duration
}

// FullSize takes about a quarter of an hour with three runs, QuickSize two
// minutes with one.
func FullSize() Size {
	return Size{
		Sink:       netip.MustParsePrefix("10.64.0.0/10"),
		Refused:    netip.MustParsePrefix("10.64.0.0/13"),
		Sparse:     netip.MustParsePrefix("10.64.0.0/14"),
		Everything: netip.MustParsePrefix("10.64.0.0/14"),
		Rates:      []int{FullSpeed, 100_000, 300_000},
		Flat:       []string{"10.0.0.1/32", "10.0.0.0/19", "10.0.0.0/15", "10.0.0.0/12", "10.0.0.0/8"},
		FlatPorts:  "T:7000-7005",
		Patience:   3 * time.Minute,
	}
}

// QuickSize is for a first look.
func QuickSize() Size {
	return Size{
		Sink:       netip.MustParsePrefix("10.64.0.0/12"),
		Refused:    netip.MustParsePrefix("10.64.0.0/14"),
		Sparse:     netip.MustParsePrefix("10.64.0.0/15"),
		Everything: netip.MustParsePrefix("10.64.0.0/15"),
		Rates:      []int{FullSpeed, 200_000},
		Flat:       []string{"10.0.0.1/32", "10.0.0.0/19", "10.0.0.0/12"},
		Patience:   15 * time.Second,
	}
}

// sweepPort is the one port of the sweeps.
const sweepPort = 7000

// Scenes lists all scenes.
func Scenes(size Size) []Scene {
	return []Scene{
		sinkScene(size),
		refusedScene(size),
		sparseScene(size),
		everythingScene(size),
		hostScene(size),
		host6Scene(size),
		lossyScene(size),
		limitedScene(size),
		udpScene("udp", "ICMP limits lifted", size, setUDP),
		udpScene("udp-host", "each host limits its ICMP errors as a Linux machine does, 1/s after a burst of 6", size, setUDPEach),
		udpScene("udp-one", "all hosts are one Linux machine with its default limits: 1 ICMP error a second to a scanner", size, setUDPOne),
		connectScene(size),
		flatScene(size),
	}
}

// far routes a prefix to a hardware address.
func far(ctx context.Context, s *Stage, prefix netip.Prefix, gateway string) error {
	return s.Here(ctx,
		"ip neighbour replace "+peerAddress+" lladdr "+gateway+" dev "+scannerDevice,
		"ip route replace "+prefix.String()+" via "+peerAddress+" dev "+scannerDevice)
}

// own gives the peer its address and, of a prefix, every address.
func own(ctx context.Context, s *Stage, prefix netip.Prefix) error {
	// Cookies make a listener answer every SYN, without memory.
	if err := s.Sysctl(map[string]string{"ipv4/tcp_syncookies": "2"}); err != nil {
		return err
	}
	if err := s.There(ctx,
		"ip address add "+peerAddress+"/24 dev "+peerDevice,
		"ip neighbour replace "+scannerAddress+" lladdr "+s.scannerMAC.String()+" dev "+peerDevice); err != nil {
		return err
	}
	if !prefix.IsValid() {
		return nil
	}
	if err := s.There(ctx, "ip route add local "+prefix.String()+" dev lo"); err != nil {
		return err
	}
	return far(ctx, s, prefix, s.peerMAC.String())
}

// flatScene is our cost as the number of targets grows.
func flatScene(size Size) Scene {
	return Scene{
		Name:  "flat",
		Sink:  true,
		Title: "cost a probe and memory as targets grow, to the sink",
		Set: func(ctx context.Context, s *Stage) (*Truth, error) {
			return nil, far(ctx, s, netip.MustParsePrefix("10.0.0.0/8"), absent)
		},
		Trials: func(k Kit) []Trial {
			trials := []Trial{k.bare("10.0.0.1", sweepPort, 1<<21)}
			if k.Ours == "" {
				return trials
			}
			add := func(target, ports string) {
				trial := k.ours(target+" "+ports, target, "--ports", ports, "--mode", "raw", "--retries", "0",
					"--rate", strconv.Itoa(FullSpeed), "--interface", scannerDevice, "--gateway-mac", k.gateway())
				trial.Once = strings.HasSuffix(target, "/8") // long enough for a steady figure
				trials = append(trials, trial)
			}
			for _, target := range size.Flat {
				add(target, "T:7000")
			}
			if size.FlatPorts != "" {
				add(size.Flat[len(size.Flat)-1], size.FlatPorts)
			}
			return trials
		},
	}
}
