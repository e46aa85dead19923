// Package windows writes plans as a PowerShell script for the firewall of
// Windows Server 2016, Windows 10 and later. It runs nothing. The texts were
// checked against the documentation of the NetSecurity module and a reader in
// the tests; no Windows has run them yet.
//
// The rules of this firewall have no order: a packet that any block rule
// matches is blocked, else one that any allow rule matches passes, else the
// profile's default decides. So "DNS to the resolvers only" cannot be an allow
// before a block: the block rule itself names every address but the resolvers.
// For the same reason every other allow rule for incoming packets must be off;
// the script turns them off, writes down which, and the way back turns those on
// again.
package windows
