// Package dnsserver writes the access control of DNS servers: on which
// addresses they listen, who may ask, who may ask for recursion, who may
// transfer zones and how much a source may ask, after the role of the asset. It
// is the second line behind a firewall and replaces none: other ports are not
// its matter. It reads no configuration and starts no server.
//
// A server knows its clients by address alone. Whoever the plan lets reach any
// of the DNS ports (53, 853 and, of resolvers, 443) may ask; that they reach the
// allowed port only is the firewall's to see to. The host itself may always ask
// over loopback.
package dnsserver
