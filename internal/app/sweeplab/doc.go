// Package sweeplab proves the sweep over real wires and kernels: what it says
// of hosts whose truth is known, and what it sent. It holds tests only.
package sweeplab
