package bench

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
)

// openPorts is the known random set of the host scenes.
func openPorts() []uint16 {
	random := rand.New(rand.NewPCG(3, 2)) //nolint:gosec // a truth that is the same each time
	chosen := make(map[uint16]bool)
	for len(chosen) < 200 {
		chosen[uint16(1+random.IntN(65535))] = true
	}
	var ports []uint16
	for port := range chosen {
		ports = append(ports, port)
	}
	slices.Sort(ports)
	return ports
}

// setHost makes the peer one host with 200 open TCP ports.
func setHost(ctx context.Context, s *Stage) (*Truth, error) {
	if err := own(ctx, s, netip.Prefix{}); err != nil {
		return nil, err
	}
	ports := openPorts()
	truth := &Truth{Open: make(map[netip.AddrPort]bool), Closed: 65535 - len(ports)}
	for _, port := range ports {
		truth.Open[netip.AddrPortFrom(netip.MustParseAddr(peerAddress), port)] = true
	}
	return truth, s.Listen(ports...)
}

func hostScene(size Size) Scene {
	return Scene{
		Name:     "host",
		Answered: true,
		Title:    "all TCP ports of one near host, 200 of them open",
		ByWall:   true,
		Set:      setHost,
		Trials: func(k Kit) []Trial {
			trials := []Trial{k.nmap("-sS -p-", size.Patience, "-sS", "-p-", peerAddress)}
			if k.Ours != "" {
				trials = append(trials,
					k.oursAll("--ports T:all", peerAddress, "--ports", "T:0-65535", "--mode", "raw"),
					k.oursAll("no limit for a host", peerAddress, "--ports", "T:0-65535", "--mode", "raw",
						"--rate", strconv.Itoa(FullSpeed), "--max-rate-per-host", strconv.Itoa(FullSpeed)))
			}
			hasty := k.nmap("-sS -p- --min-rate 100000", size.Patience/3, "-sS", "-p-", "--min-rate", "100000", peerAddress)
			hasty.Once = true // its own haste makes it slow: half a minute
			return append(trials, hasty,
				k.masscan(peerAddress, "0-65535", 100_000),
				k.masscan(peerAddress, "0-65535", FullSpeed))
		},
	}
}

// limitedScene is the same host, which does not say no as often as it is asked.
func limitedScene(size Size) Scene {
	return Scene{
		Name:   "limited",
		Title:  "the same host sending at most 10,000 resets and 100 ICMP errors a second (nft limit)",
		ByWall: true,
		Set: func(ctx context.Context, s *Stage) (*Truth, error) {
			truth, err := setHost(ctx, s)
			if err != nil {
				return nil, err
			}
			return truth, s.Rules(ctx, `table ip limits {
				chain output {
					type filter hook output priority 0;
					tcp flags & rst == rst limit rate over 10000/second burst 100 packets drop
					icmp type destination-unreachable limit rate over 100/second burst 50 packets drop
				}
			}`)
		},
		Trials: func(k Kit) []Trial {
			trials := []Trial{k.nmap("-sS -p-", size.Patience, "-sS", "-p-", peerAddress)}
			if k.Ours != "" {
				trials = append(trials, k.oursAll("--ports T:all", peerAddress, "--ports", "T:0-65535", "--mode", "raw"))
			}
			hasty := k.nmap("-sS -p- --min-rate 100000", size.Patience, "-sS", "-p-", "--min-rate", "100000", peerAddress)
			hasty.Once = true
			return append(trials, hasty,
				k.nmap("-sS -p- --min-rate 20000", size.Patience, "-sS", "-p-", "--min-rate", "20000", peerAddress),
				k.masscan(peerAddress, "0-65535", 100_000))
		},
	}
}

// connectScene is the host as seen by those without privileges.
func connectScene(size Size) Scene {
	return Scene{
		Name:     "connect",
		Answered: true,
		Title:    "all TCP ports of one near host by ordinary connections",
		ByWall:   true,
		Set:      setHost,
		Trials: func(k Kit) []Trial {
			trials := []Trial{k.nmap("-sT -p-", size.Patience, "-sT", "-p-", peerAddress)}
			if k.Ours != "" {
				trials = append(trials, k.oursAll("--mode connect", peerAddress, "--ports", "T:0-65535", "--mode", "connect"))
			}
			return trials
		},
	}
}
