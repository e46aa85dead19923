// Package opnsense writes plans as pieces of config.xml for OPNsense and
// pfSense: aliases, filter rules and redirections. It loads nothing. The pieces
// were parsed back and run through a reader in the tests; no device has
// imported them yet.
//
// Both systems sort rules into tabs. Floating rules come before those of
// interface groups and of interfaces; with "quick" the first that matches
// decides. So all rules here are floating and quick: nothing in the other tabs
// comes before them. Both keep state and end with a block of their own.
//
// Rules name interfaces as the system assigns them (wan, lan, opt1), not as the
// kernel does (igb0). A zone's interface in the policy is taken as it stands
// when it is such a name. Otherwise the zones wan and lan stand for the
// interfaces of that name, and tunnels for the groups that the systems make
// for WireGuard, OpenVPN and IPsec.
package opnsense
