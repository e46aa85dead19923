package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// udpHosts is the prefix of the UDP scenes.
const udpHosts = "10.99.0.0/24"

// udpPorts lists ports whose protocol a scanner knows how to ask.
func udpPorts() []uint16 {
	return []uint16{
		53, 69, 88, 111, 123, 137, 161, 177, 389, 427, 443, 500, 502, 520, 623,
		1194, 1434, 1645, 1701, 1812, 1900, 2049, 2123, 2152, 3389, 3391, 3478,
		3544, 3671, 3702, 4500, 5060, 5246, 5351, 5353, 5355, 5683, 5684, 6881,
		9987, 11211, 17185, 27015, 44818, 47808, 64738,
	}
}

// udpScene is 256 hosts of which half are silent; the others answer on 53 and
// 123 and say of every other port that it is closed, as far as they may.
func udpScene(name, title string, size Size, set func(context.Context, *Stage) (*Truth, error)) Scene {
	var ports []string
	for _, port := range udpPorts() {
		ports = append(ports, strconv.Itoa(int(port)))
	}
	list := strings.Join(ports, ",")
	bound := size.Patience
	if name == "udp-one" {
		bound = max(bound/6, 10*time.Second) // it takes an hour and a half to be right
	}
	return Scene{
		Name:   name,
		Title:  fmt.Sprintf("%d UDP ports of 256 hosts, a random half of them silent; %s", len(ports), title),
		ByWall: true,
		Set:    set,
		Trials: func(k Kit) []Trial {
			slow := k.nmap("-sU", bound, "-sU", "-p", list, udpHosts)
			slow.Once = name != "udp"
			trials := []Trial{slow}
			if k.Ours != "" {
				ours := k.oursAll("raw", udpHosts, "--ports", "U:"+strings.ReplaceAll(list, ",", ",U:"), "--mode", "raw")
				ours.Bound, ours.Once = slow.Bound, slow.Once
				trials = append(trials, ours)
			}
			return trials
		},
	}
}

// setUDP makes the hosts, without limits.
func setUDP(ctx context.Context, s *Stage) (*Truth, error) {
	truth, err := setUDPOne(ctx, s)
	if err != nil {
		return nil, err
	}
	return truth, s.Sysctl(map[string]string{
		"ipv4/icmp_ratelimit": "0", "ipv4/icmp_msgs_per_sec": "1000000", "ipv4/icmp_msgs_burst": "1000000",
	})
}

// setUDPEach gives each host a limit of its own, the size of Linux's default:
// a token a second, six at most.
func setUDPEach(ctx context.Context, s *Stage) (*Truth, error) {
	truth, err := setUDP(ctx, s)
	if err != nil {
		return nil, err
	}
	return truth, s.Rules(ctx, `table ip limits {
		set hosts { type ipv4_addr; size 1024; flags dynamic; }
		chain output {
			type filter hook output priority 0;
			icmp type destination-unreachable update @hosts { ip saddr limit rate over 1/second burst 6 packets } drop
		}
	}`)
}

// setUDPOne leaves the kernel's limits as they are: the hosts share one
// allowance, since they are one machine and the scanner is one destination.
func setUDPOne(ctx context.Context, s *Stage) (*Truth, error) {
	hosts := netip.MustParsePrefix(udpHosts)
	if err := own(ctx, s, hosts); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(3, 3)) //nolint:gosec // a truth that is the same each time
	var silent []string
	truth := &Truth{Open: make(map[netip.AddrPort]bool)}
	order := random.Perm(256)
	for i, last := range order {
		address := netip.AddrFrom4([4]byte{10, 99, 0, byte(last)})
		if i < 128 {
			silent = append(silent, address.String())
			truth.Silent += len(udpPorts())
			continue
		}
		truth.Open[netip.AddrPortFrom(address, 53)] = true
		truth.Open[netip.AddrPortFrom(address, 123)] = true
		truth.Closed += len(udpPorts()) - 2
	}
	if err := s.Answer(53, answerDNS); err != nil {
		return nil, err
	}
	if err := s.Answer(123, answerNTP); err != nil {
		return nil, err
	}
	return truth, s.Rules(ctx, fmt.Sprintf(`table ip truth {
		set silent { type ipv4_addr; elements = { %s } }
		chain input { type filter hook input priority 0; ip daddr @silent drop; }
	}`, strings.Join(silent, ", ")))
}
