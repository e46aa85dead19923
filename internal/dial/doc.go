// Package dial carries exchanges and connection attempts over the operating
// system's ordinary sockets: UDP, TCP, TLS, QUIC and HTTPS, without privileges
// and on every system. It says how each one ended in the words of exposure,
// reading ICMP errors from the socket's error queue where there is one (Linux).
// For scans of many ports it carries probes by the ten thousand (Wire).
//
// It does not choose targets, pace or judge: whoever calls it has checked that
// the address is in scope. It never follows a redirect, never uses a proxy and
// never trusts or refuses a certificate; it reports what it saw.
package dial
