// Package ipfw writes plans as a shell script of ipfw(8) commands for FreeBSD
// 11 and later. It runs nothing. The texts were checked against the manual page
// and a reader in the tests; no kernel has run them yet.
//
// In ipfw the first matching rule decides. The script builds its rules in set
// 22 while that set is disabled, swaps it with set 21, and then turns 21 on and
// set 0, where ordinary rules live, off in one atomic command; the way back is
// the same command the other way round. A forwarded packet is judged twice, coming in and going out;
// gateways decide at the entrance.
package ipfw
