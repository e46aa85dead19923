// Package pf writes plans as pf.conf(5) for OpenBSD and FreeBSD 14 and later. It loads
// nothing. What it writes keeps to the syntax that both systems share, but for
// redirection, where they differ. The texts were checked against the manual
// pages and a reader in the tests; no pfctl has loaded them yet: run
// "pfctl -nf" first, as the steps say.
//
// In pf the last matching rule decides unless one says "quick", which ends the
// search. Every rule here but the first, "block drop all", is quick, so the
// text reads from top to bottom. A forwarded packet is judged twice, coming in
// and going out; gateways decide at the entrance, and what was let in may
// leave.
package pf
