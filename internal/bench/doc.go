// Package bench compares port scanners side by side on two network namespaces
// joined by a veth pair: it builds the stage, runs whole processes on it,
// counts their packets at the far end, and holds what they report against
// what is known to be true.
//
// It is scenery: for benchmarks and tests only, on Linux only. It scans
// nothing itself, apart from a loop that sends one fixed frame as fast as the
// kernel takes it, the limit that the scanners are measured against. Nothing
// leaves the namespaces.
package bench
