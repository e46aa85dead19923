// Package rehearse runs rulesets in a real kernel before they are loaded: it
// builds a stage of network namespaces, one for the host that the rules are
// for and one for what lies behind each of its interfaces, loads the rules with
// the real tools, and sends packets from the zones.
//
// [Run] does so in a process of its own, the program started again, in a new
// user, mount, process and network namespace: no privileges are needed where
// the system lets users make namespaces, the rules of this machine are never
// touched, and nothing is left when any of the processes is killed, since
// nothing but these processes holds the namespaces.
//
// It judges nothing: what a packet's fate should have been is package policy's
// and package firewall's to say. It works on Linux only.
package rehearse
