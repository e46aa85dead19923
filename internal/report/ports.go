package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
)

// portList is "udp 53, tcp 53 443": ports by transport, in order, runs of
// three or more as a range.
func portList(ports []exposure.PortState) string {
	by := map[exposure.Transport][]int{}
	for _, p := range ports {
		by[p.Transport] = append(by[p.Transport], int(p.Port))
	}
	var parts []string
	for _, t := range []exposure.Transport{exposure.UDP, exposure.TCP, exposure.TLS, exposure.QUIC, exposure.HTTPS} {
		if len(by[t]) > 0 {
			parts = append(parts, string(t)+" "+numbers(by[t]))
		}
	}
	return strings.Join(parts, ", ")
}

func numbers(list []int) string {
	slices.Sort(list)
	list = slices.Compact(list)
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if j-i >= 2 {
			parts = append(parts, fmt.Sprintf("%d-%d", list[i], list[j]))
		} else {
			for _, n := range list[i : j+1] {
				parts = append(parts, strconv.Itoa(n))
			}
		}
		i = j + 1
	}
	return strings.Join(parts, " ")
}

// portGroup is a set of ports with the same state for the same reason.
type portGroup struct {
	State  exposure.State
	Reason exposure.Reason
	Ports  string
}

// splitPorts separates the ports worth a row of their own (open, or carrying a
// label or a service) from the rest, which is gathered by state and reason.
// With all, every port has its row.
func splitPorts(a exposure.Asset, all bool) ([]exposure.PortState, []portGroup) {
	var rows []exposure.PortState
	type key struct {
		state  exposure.State
		reason exposure.Reason
	}
	rest := map[key][]exposure.PortState{}
	var order []key
	for _, p := range a.Ports {
		if all || p.State == exposure.Open || len(p.Labels) > 0 || p.Service != nil {
			rows = append(rows, p)
			continue
		}
		k := key{p.State, p.Reason}
		if rest[k] == nil {
			order = append(order, k)
		}
		rest[k] = append(rest[k], p)
	}
	slices.SortStableFunc(rows, func(x, y exposure.PortState) int {
		return cmp.Or(cmp.Compare(stateRank(x.State), stateRank(y.State)), cmp.Compare(x.Port, y.Port),
			cmp.Compare(y.Transport, x.Transport)) // udp first: it is what a resolver asks first
	})
	slices.SortStableFunc(order, func(x, y key) int { return cmp.Compare(stateRank(x.state), stateRank(y.state)) })
	groups := make([]portGroup, 0, len(order))
	for _, k := range order {
		groups = append(groups, portGroup{k.state, k.reason, portList(rest[k])})
	}
	return rows, groups
}

func stateRank(s exposure.State) int {
	order := []exposure.State{
		exposure.Open, exposure.OpenFiltered, exposure.Filtered, exposure.Closed, exposure.Unmeasured,
	}
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
}
