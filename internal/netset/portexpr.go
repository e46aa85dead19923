package netset

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
)

// ParsePorts reads a list of ports separated by commas:
//
//	53   1-1024        numbers and ranges, UDP and TCP both
//	T:53,853,U:53      T: (TCP) and U: (UDP) hold up to the next of them
//	53/udp   443/tcp   one number or range over one transport
//	dns   T:dns        a group, with a prefix of its own only that transport
//	all                1-65535
//
// The prefix may also be written tcp: or udp:. The error names the part that
// cannot be used. An empty list is an error.
func ParsePorts(expr string) (PortSet, error) {
	if len(expr) > 16*MaxExpression {
		return PortSet{}, fmt.Errorf("ports: list is longer than %d bytes", 16*MaxExpression)
	}
	var s PortSet
	sticky := both()
	for part := range strings.SplitSeq(expr, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		transports, rest, err := cutTransport(part)
		if err != nil {
			return PortSet{}, fmt.Errorf("ports %s: %w", quote(part), err)
		}
		if transports != nil && !strings.Contains(part, "/") {
			sticky = transports
		}
		if group, ok := portGroup(rest); ok {
			if transports == nil {
				transports = both()
			}
			for _, t := range transports {
				only := group.Only(t)
				s.tcp = append(s.tcp, only.tcp...)
				s.udp = append(s.udp, only.udp...)
			}
			continue
		}
		if transports == nil {
			transports = sticky
		}
		r, err := parseSpan(rest)
		if err != nil {
			return PortSet{}, fmt.Errorf("ports %s: %w", quote(part), err)
		}
		for _, t := range transports {
			s.add(t, r)
		}
	}
	return s.normal(), nil
}

func both() []exposure.Transport {
	return []exposure.Transport{exposure.TCP, exposure.UDP}
}

// cutTransport takes a transport off either end of part; nil when there is
// none.
func cutTransport(part string) (transports []exposure.Transport, rest string, err error) {
	name, rest, ok := strings.Cut(part, ":")
	if !ok {
		rest, name, ok = strings.Cut(part, "/")
	}
	if !ok {
		return nil, part, nil
	}
	switch strings.TrimSpace(name) {
	case "t", "tcp":
		transports = []exposure.Transport{exposure.TCP}
	case "u", "udp":
		transports = []exposure.Transport{exposure.UDP}
	default:
		return nil, "", fmt.Errorf("unknown transport %s; write T: for TCP or U: for UDP", quote(name))
	}
	return transports, strings.TrimSpace(rest), nil
}

// parseSpan reads a number, a range or "all".
func parseSpan(text string) (span, error) {
	switch {
	case text == "":
		return span{}, errors.New("empty; name a port, a range or a group")
	case text == "all":
		return span{1, maxPort}, nil
	case strings.HasPrefix(text, "top"):
		return span{}, errors.New("there is no list of most used ports yet; use dns, all or numbers")
	}
	first, second, isRange := strings.Cut(text, "-")
	from, err := parsePort(first)
	if err != nil {
		return span{}, err
	}
	if !isRange {
		return span{from, from}, nil
	}
	to, err := parsePort(second)
	if err != nil {
		return span{}, err
	}
	if to < from {
		return span{}, fmt.Errorf("range ends before it starts; write %d-%d", to, from)
	}
	return span{from, to}, nil
}

func parsePort(text string) (uint16, error) {
	text = strings.TrimSpace(text)
	if !isDigits(text) {
		return 0, errors.New("not a port, a range or a group; groups are dns and all")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil:
		return 0, fmt.Errorf("port %s is over %d", clip(text), maxPort)
	case n == 0:
		return 0, errors.New("port 0 cannot be measured; ports start at 1")
	}
	return uint16(n), nil
}
