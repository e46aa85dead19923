package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"reconshield/internal/firewall"
)

// link is what ip-address(8) and ip-route(8) print with -j, as far as it is
// used.
type link struct {
	Name      string `json:"ifname"`
	Addresses []struct {
		Local  string `json:"local"`
		Length int    `json:"prefixlen"`
	} `json:"addr_info"`
	Destination string `json:"dst"`
	Device      string `json:"dev"`
	Type        string `json:"type"`
}

func sniffFacts(head []byte) bool {
	return bytes.Contains(head, []byte(`"ifname"`)) && bytes.Contains(head, []byte(`"addr_info"`)) ||
		bytes.Contains(head, []byte(`"dst"`)) && bytes.Contains(head, []byte(`"dev"`))
}

// readFacts reads addresses and routes of the host. Routes that lead nowhere
// (blackhole, unreachable) are left out: they have no interface.
func readFacts(s Source) (*firewall.Ruleset, error) {
	var links []link
	if err := json.Unmarshal(s.Text, &links); err != nil {
		line := 1
		if at := (*json.SyntaxError)(nil); errors.As(err, &at) {
			line += bytes.Count(s.Text[:min(int(at.Offset), len(s.Text))], []byte("\n"))
		}
		return nil, fmt.Errorf("%s:%d: expected the output of \"ip -j address\" or \"ip -j route\": %w", s.Name, line, err)
	}
	r := &firewall.Ruleset{Files: []string{s.Name}}
	at := firewall.Position{File: s.Name}
	var own []netip.Prefix
	add := func(p netip.Prefix, device string) {
		if device != "" {
			r.Host.Routes = append(r.Host.Routes, firewall.Route{Prefix: p.Masked(), Interface: device, Pos: at})
		}
	}
	for _, l := range links {
		for _, a := range l.Addresses {
			addr, err := netip.ParseAddr(a.Local)
			if err != nil || a.Length < 0 || a.Length > addr.BitLen() {
				return nil, fmt.Errorf("%s: expected an address and its prefix length, not %q and %d", s.Name, a.Local, a.Length)
			}
			own = append(own, netip.PrefixFrom(addr, addr.BitLen()))
			add(netip.PrefixFrom(addr, a.Length), l.Name)
		}
		if l.Destination == "" || l.Device == "" {
			continue
		}
		prefixes, err := destinations(l.Destination)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		for _, p := range prefixes {
			add(p, l.Device)
		}
	}
	r.Host.Local = firewall.AddrsOf(own...)
	return r, nil
}

// destinations reads the destination of a route. "default" is printed for both
// families alike.
func destinations(text string) ([]netip.Prefix, error) {
	if text == "default" {
		return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}, nil
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return []netip.Prefix{p}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, nil
	}
	return nil, fmt.Errorf("expected the destination of a route, not %q", text)
}
