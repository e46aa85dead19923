// Package packet encodes the packets of a scan and decodes what may answer
// them: Ethernet, ARP, IPv4, IPv6, TCP, UDP, ICMP and ICMPv6. It opens no
// socket, keeps no state and allocates nothing per packet.
//
// Encoding goes by Template: a packet with all that is common to a path and a
// kind of probe, into which one probe is patched. Decoding goes into a Decoded
// that the caller reuses; a Matcher then says which probe the packet answers.
//
// Of what arrives the IPv4 header's and the ICMP checksums are verified. Those
// of TCP and UDP are not: a packet socket sees them before the network card or
// a local sender has filled them in, so that right packets look wrong. The
// cookie stands in for them.
package packet
