// Package rawsock is the raw wire: it sends probes as packets of its own
// making and reads the answers beside the kernel's sockets. It works on Linux
// and needs CAP_NET_RAW.
//
// On Ethernet frames go out through AF_XDP in copy mode, which costs a quarter
// less per frame than sendmmsg and works with every driver, else through an
// AF_PACKET socket; both pass the queueing discipline and the firewall of this
// machine by, and a capture on the sending interface does not show them. Links
// without a header use AF_PACKET, this machine's own addresses raw IP sockets.
// Answers come from a memory-mapped AF_PACKET ring behind a kernel filter.
//
// It chooses no targets, no order and no rate, looks up no routes, and keeps no
// memory of the probes it sent: the cookie in an answer proves what it answers.
package rawsock
