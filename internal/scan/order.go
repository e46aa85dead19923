package scan

import (
	"cmp"
	"math"
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// firstPorts is how many targets of an address are asked before its silence is
// taken for a property of the address.
const firstPorts = 8

// unranked is the place of ports of no particular importance.
const unranked = math.MaxInt

// order splits the ports, by index, into those that every address is asked
// with full patience, and the rest. DNS comes first, since everything waits
// for it; then what most hosts answer, if only by a refusal. rank gives the
// place of a port, by index; ports of no importance share the last.
func order(ports []netset.Port) (first, rest []int, rank func(index int) int) {
	all := make([]int, len(ports))
	for i := range all {
		all[i] = i
	}
	ranks := rankings()
	rank = func(i int) int {
		if r, ok := ranks[ports[i]]; ok {
			return r
		}
		return unranked
	}
	slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
	n := min(firstPorts, len(all))
	return all[:n:n], all[n:], rank
}

// rankings gives the places of well-known ports.
func rankings() map[netset.Port]int {
	ranked := []netset.Port{
		{Transport: exposure.UDP, Number: 53},
		{Transport: exposure.TCP, Number: 53},
		{Transport: exposure.TCP, Number: 853},
		{Transport: exposure.TCP, Number: 443},
		{Transport: exposure.UDP, Number: 853},
		{Transport: exposure.UDP, Number: 5353},
		{Transport: exposure.TCP, Number: 22},
		{Transport: exposure.TCP, Number: 80},
		{Transport: exposure.TCP, Number: 3389},
		{Transport: exposure.TCP, Number: 445},
		{Transport: exposure.TCP, Number: 25},
		{Transport: exposure.TCP, Number: 8080},
		{Transport: exposure.UDP, Number: 123},
	}
	ranks := make(map[netset.Port]int, len(ranked))
	for i, p := range ranked {
		ranks[p] = i
	}
	return ranks
}
