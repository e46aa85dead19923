// Package pair is the light rig for tests and benchmarks of engines: a scanner
// and a peer, each in a network namespace of its own, joined by a veth pair or
// through a router, with known open ports, losses, limits and hostile answers.
//
// The process must run under lab.Main. Nothing outside the namespaces is
// reachable from them. It runs no name servers; package lab does.
package pair
