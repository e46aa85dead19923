// Package routeros writes plans as a script for MikroTik RouterOS 7, of
// /ip firewall and /ipv6 firewall. It loads nothing. The texts were checked
// against the manual and a reader in the tests; no device has imported them
// yet.
//
// In RouterOS the first matching rule of a chain decides, and a chain that ends
// accepts. The rules stand in chains of their own, all ending with a drop, to
// which one rule at the very top of input, output or forward jumps; so older
// rules below are not reached and the way back is to remove what carries our
// comment.
package routeros
