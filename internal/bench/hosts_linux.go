package bench

import (
	"context"
	"errors"
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
	return s.host(peerAddress)
}

// setHost6 is the same over IPv6.
func setHost6(ctx context.Context, s *Stage) (*Truth, error) {
	if err := own(ctx, s, netip.Prefix{}); err != nil {
		return nil, err
	}
	loud := map[string]string{"ipv6/conf/all/disable_ipv6": "0", "ipv6/conf/default/disable_ipv6": "0"}
	if err := errors.Join(sysctl(loud), s.Sysctl(loud)); err != nil {
		return nil, err
	}
	err := errors.Join(
		s.Here(ctx, "ip address add "+scannerAddress6+"/64 dev "+scannerDevice+" nodad"),
		s.There(ctx, "ip address add "+peerAddress6+"/64 dev "+peerDevice+" nodad"))
	if err != nil {
		return nil, err
	}
	return s.host(peerAddress6)
}

// host opens the known ports at one of the peer's addresses.
func (s *Stage) host(address string) (*Truth, error) {
	addr, ports := netip.MustParseAddr(address), openPorts()
	truth := &Truth{Open: make(map[netip.AddrPort]bool), Closed: 65535 - len(ports)}
	for _, port := range ports {
		truth.Open[netip.AddrPortFrom(addr, port)] = true
	}
	return truth, s.Listen(addr, ports...)
}

// allPorts are those that nmap calls all.
const allPorts = "T:1-65535"

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
					k.ours("T:1-65535", peerAddress, "--ports", allPorts, "--mode", "raw"),
					k.ours("no limit for a host", peerAddress, "--ports", allPorts, "--mode", "raw",
						"--rate", strconv.Itoa(FullSpeed), "--max-rate-per-host", strconv.Itoa(FullSpeed)),
					k.oursAll("--show all", peerAddress, "--ports", allPorts, "--mode", "raw"))
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
				trials = append(trials, k.oursAll("--show all", peerAddress, "--ports", allPorts, "--mode", "raw"))
			}
			hasty := k.nmap("-sS -p- --min-rate 100000", size.Patience, "-sS", "-p-", "--min-rate", "100000", peerAddress)
			hasty.Once = true
			return append(trials, hasty,
				k.nmap("-sS -p- --min-rate 20000", size.Patience, "-sS", "-p-", "--min-rate", "20000", peerAddress),
				k.masscan(peerAddress, "0-65535", 100_000))
		},
	}
}

// host6Scene is the host seen over IPv6.
func host6Scene(size Size) Scene {
	return Scene{
		Name:     "host6",
		Answered: true,
		Title:    "all TCP ports of one near host over IPv6, 200 of them open",
		ByWall:   true,
		Set:      setHost6,
		Trials: func(k Kit) []Trial {
			trials := []Trial{k.nmap("-6 -sS -p-", size.Patience, "-6", "-sS", "-p-", peerAddress6)}
			if k.Ours != "" {
				trials = append(trials, k.ours("T:1-65535", peerAddress6, "--ports", allPorts, "--mode", "raw"))
			}
			return trials
		},
	}
}

// lossyScene is the host behind a bad line.
func lossyScene(size Size) Scene {
	return Scene{
		Name:   "lossy",
		Title:  "all TCP ports of one near host, 3 % of the packets lost at random each way (nft numgen)",
		ByWall: true,
		Set: func(ctx context.Context, s *Stage) (*Truth, error) {
			truth, err := setHost(ctx, s)
			if err != nil {
				return nil, err
			}
			return truth, s.Rules(ctx, `table ip line {
				chain input { type filter hook input priority 0; numgen random mod 100 < 3 drop; }
				chain output { type filter hook output priority 0; numgen random mod 100 < 3 drop; }
			}`)
		},
		Trials: func(k Kit) []Trial {
			trials := []Trial{k.nmap("-sS -p-", size.Patience, "-sS", "-p-", peerAddress)}
			if k.Ours != "" {
				trials = append(trials, k.ours("T:1-65535", peerAddress, "--ports", allPorts, "--mode", "raw"))
			}
			hasty := k.nmap("-sS -p- --min-rate 20000", size.Patience, "-sS", "-p-", "--min-rate", "20000", peerAddress)
			hasty.Once = true
			return append(trials, hasty,
				k.masscan(peerAddress, "1-65535", 10_000),
				k.masscan(peerAddress, "1-65535", FullSpeed))
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
				trials = append(trials, k.oursAll("--mode connect", peerAddress, "--ports", allPorts, "--mode", "connect"))
			}
			return trials
		},
	}
}
