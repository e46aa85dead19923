package netset

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
)

// Names gives the ports that a service is known by, nil for a name that it does
// not know. Names are asked for in lower case.
type Names func(service string) []Port

// ParsePorts is ParsePortsNamed with the names of ServicePorts.
func ParsePorts(expr string) (PortSet, error) {
	return ParsePortsNamed(expr, ServicePorts)
}

// ParsePortsNamed reads a list of ports separated by commas:
//
//	53   1-1024        numbers and ranges, TCP and UDP both
//	T:53,853,U:53      T: (TCP) and U: (UDP) hold up to the next of them
//	53/udp   443/tcp   one number or range over one transport
//	all   T:all        0-65535
//	dns   T:dns        a group, with a prefix of its own only that transport
//	top100   U:top20   the first of the ports most worth a look, see TopPorts;
//	                   without a prefix of its own those of TCP
//	ssh   U:https      a service, over the transports it is known for, with a
//	                   prefix of its own only over that one
//
// The prefix may also be written tcp: or udp:. Groups and services bring their
// transports along: a prefix further up the list does not change them. The
// error names the part that cannot be used, and is an *UnknownPortsError where
// that is no name. An empty list is an error. A nil names knows no service.
func ParsePortsNamed(expr string, names Names) (PortSet, error) {
	if len(expr) > 16*MaxExpression {
		return PortSet{}, fmt.Errorf("ports: list is longer than %d bytes", 16*MaxExpression)
	}
	list := portList{names: names, sticky: both()}
	for part := range strings.SplitSeq(expr, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		if err := list.add(part); err != nil {
			return PortSet{}, fmt.Errorf("ports %s: %w", quote(part), err)
		}
	}
	return list.set.normal(), nil
}

// UnknownPortsError says that a part of a list of ports is neither a number nor
// a name that is known.
type UnknownPortsError struct {
	Name string // in lower case, as untrusted as the list
}

func (*UnknownPortsError) Error() string {
	return "not a port, a range, a group (dns, top100, all) or a known service"
}

// portList is a list of ports on its way in.
type portList struct {
	names  Names
	set    PortSet
	sticky []exposure.Transport // of the numbers that name none
}

// add reads one part of the list.
func (l *portList) add(part string) error {
	transports, rest, err := cutTransport(part)
	if err != nil {
		return err
	}
	if transports != nil && !strings.Contains(part, "/") {
		l.sticky = transports
	}
	named, ok, err := l.named(rest, transports)
	switch {
	case err != nil:
		return err
	case ok:
		l.set.tcp = append(l.set.tcp, named.tcp...)
		l.set.udp = append(l.set.udp, named.udp...)
		return nil
	}
	if transports == nil {
		transports = l.sticky
	}
	r, err := parseSpan(rest)
	if err != nil {
		return err
	}
	for _, t := range transports {
		l.set.add(t, r)
	}
	return nil
}

// named gives the ports of a group or service over the transports, all that it
// has when they are nil. ok is false for text that is neither.
func (l *portList) named(text string, transports []exposure.Transport) (set PortSet, ok bool, err error) {
	if count, isTop := strings.CutPrefix(text, "top"); isTop && isDigits(count) {
		if transports == nil {
			transports = []exposure.Transport{exposure.TCP}
		}
		set, err := topPorts(count, transports[0])
		return set, true, err
	}
	whole, ok := portGroup(text)
	if !ok && l.names != nil && text != "all" {
		ports := l.names(text)
		whole, ok = NewPortSet(ports...), len(ports) > 0
	}
	if !ok || transports == nil {
		return whole, ok, nil
	}
	for _, t := range transports {
		set = set.Union(whole.Only(t))
	}
	if set.Len() == 0 {
		return PortSet{}, true, fmt.Errorf("%s has no port over that transport; its ports are %s", clip(text), whole)
	}
	return set, true, nil
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
	switch text {
	case "":
		return span{}, errors.New("empty; name a port, a range, a group or a service")
	case "all":
		return span{0, maxPort}, nil
	}
	first, second, isRange := strings.Cut(text, "-")
	from, err := parsePort(first, text)
	if err != nil {
		return span{}, err
	}
	if !isRange {
		return span{from, from}, nil
	}
	to, err := parsePort(second, text)
	if err != nil {
		return span{}, err
	}
	if to < from {
		return span{}, fmt.Errorf("range ends before it starts; write %d-%d", to, from)
	}
	return span{from, to}, nil
}

// parsePort reads one number of a part.
func parsePort(text, part string) (uint16, error) {
	text = strings.TrimSpace(text)
	if !isDigits(text) {
		return 0, &UnknownPortsError{Name: part}
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("port %s is over %d", clip(text), maxPort)
	}
	return uint16(n), nil
}

// topPorts gives the group "top" followed by count.
func topPorts(count string, t exposure.Transport) (PortSet, error) {
	ranked := TopPorts(t)
	n, err := strconv.Atoi(count)
	switch {
	case err != nil || n > len(ranked):
		return PortSet{}, fmt.Errorf("the list of top ports has %d; use top%d, a range or all", len(ranked), len(ranked))
	case n == 0:
		return PortSet{}, fmt.Errorf("no port at all; write top1 to top%d", len(ranked))
	}
	return NewPortSet(ranked[:n]...), nil
}
