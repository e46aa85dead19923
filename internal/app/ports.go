package app

import (
	"errors"
	"fmt"
	"strings"

	"reconshield/internal/atlas"
	"reconshield/internal/netset"
)

// ParsePorts reads a list of ports in which every service that the atlas knows
// may be named; see netset.ParsePortsNamed. The error suggests names in place of
// one that nobody knows.
func ParsePorts(expr string) (netset.PortSet, error) {
	known := atlas.Default()
	set, err := netset.ParsePortsNamed(expr, known.Ports)
	unknown, ok := errors.AsType[*netset.UnknownPortsError](err)
	if !ok {
		return set, err
	}
	nearest := known.Nearest(unknown.Name)
	if len(nearest) == 0 {
		return set, err
	}
	last := len(nearest) - 1
	choice := nearest[last]
	if last > 0 {
		choice = strings.Join(nearest[:last], ", ") + " or " + choice
	}
	return set, fmt.Errorf("%w; did you mean %s?", err, choice)
}
