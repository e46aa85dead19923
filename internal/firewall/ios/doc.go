// Package ios reads the running configuration of Cisco IOS and IOS XE and
// writes plans as reflexive access lists. It talks to no device. What it writes
// is read back and proven in the tests; no device has loaded it yet.
package ios
