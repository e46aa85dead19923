package policy

import (
	"slices"

	"reconshield/internal/exposure"
)

// Reach is whom a role's rule lets in.
type Reach string

// Reaches.
const (
	Everywhere      Reach = "every zone"
	Inside          Reach = "zones with networks, without wan"
	Outside         Reach = "wan and zones without networks" // only of expectations
	FromSecondaries Reach = "the secondaries"
)

// RoleRule is what a role lets in, before zones and addresses are known.
type RoleRule struct {
	Ports     Ports
	Reach     Reach
	Why       string
	Reference string
}

// Expectation is something that a role demands and no port shows. Check is the
// id of the check that proves it, as `reconshield checks` lists them.
type Expectation struct {
	Check string
	Reach Reach // from where the check has to pass
	Text  string
}

// Roles are all roles in the order of the documentation.
func Roles() []Role {
	return []Role{AuthoritativeDNS, HiddenPrimary, RecursiveDNS, Forwarder, PublicResolver, Host}
}

// Rules are the ports that a role opens by itself. A PublicResolver whose
// waiver has ended has the rules of RecursiveDNS; this gives those of one
// whose waiver holds.
func (r Role) Rules() []RoleRule {
	switch r {
	case AuthoritativeDNS:
		return dns(Everywhere, "whoever resolves a name of its zones asks here, and over TCP when the answer is long", "RFC 1035 section 4.2, RFC 7766 section 5")
	case HiddenPrimary:
		return dns(FromSecondaries, "secondaries ask for the SOA record and transfer the zones; nobody else has business here", "RFC 1034 section 4.3.5, RFC 5936")
	case Forwarder:
		return dns(Inside, "only its own clients may ask a forwarder", "RFC 5358 section 4")
	case RecursiveDNS:
		return slices.Concat(dns(Inside, "only its own clients may ask a resolver", "RFC 5358 section 4"), encrypted(Inside))
	case PublicResolver:
		return slices.Concat(dns(Everywhere, "a resolver for everybody, by its waiver", "RFC 5358 section 4"), encrypted(Everywhere))
	case Host:
		return nil
	}
	return nil
}

func dns(reach Reach, why, reference string) []RoleRule {
	return []RoleRule{
		{Ports{exposure.UDP, 53, 53}, reach, why, reference},
		{Ports{exposure.TCP, 53, 53}, reach, why, reference},
	}
}

func encrypted(reach Reach) []RoleRule {
	return []RoleRule{
		{Ports{exposure.TCP, 853, 853}, reach, "DNS over TLS", "RFC 7858 section 3.1"},
		{Ports{exposure.UDP, 853, 853}, reach, "DNS over QUIC", "RFC 9250 section 4.1.1"},
		{Ports{exposure.TCP, 443, 443}, reach, "DNS over HTTPS", "RFC 8484"},
		{Ports{exposure.UDP, 443, 443}, reach, "DNS over HTTPS by HTTP/3", "RFC 8484, RFC 9114"},
	}
}

// serves reports whether some rule of the role has a port of ports.
func (r Role) serves(ports Ports) bool {
	return slices.ContainsFunc(r.Rules(), func(rule RoleRule) bool { return rule.Ports.overlaps(ports) })
}

// resolves is true for the roles that ask others on behalf of their clients,
// and only of theirs.
func (r Role) resolves() bool { return r == RecursiveDNS || r == Forwarder }

// publishes reports whether strangers who reach ports get DNS that the role
// does not give to strangers by itself: port 53 of all but an authoritative
// server, and of a resolver all it answers on.
func (r Role) publishes(ports Ports) bool {
	has := func(n uint16) bool {
		return ports.overlaps(Ports{exposure.TCP, n, n}) || ports.overlaps(Ports{exposure.UDP, n, n})
	}
	switch r {
	case AuthoritativeDNS:
		return false
	case Host, HiddenPrimary:
		return has(53)
	case Forwarder:
		return has(53) || has(853)
	case RecursiveDNS, PublicResolver:
		return r.serves(ports)
	}
	return false
}

// publicHint is what to do about ports that a role must not publish.
func (r Role) publicHint() string {
	switch r {
	case PublicResolver:
		return "remove it: the role opens it as long as the waiver holds"
	case Host:
		return "give the asset a DNS role, which opens what it needs"
	case HiddenPrimary:
		return "name who may reach it under secondaries"
	case AuthoritativeDNS, RecursiveDNS, Forwarder:
	}
	return "that is role public-resolver with a waiver; for single sources write an exception with from"
}

// Expectations are what a role demands beyond ports.
func (r Role) Expectations() []Expectation {
	switch r {
	case AuthoritativeDNS:
		return slices.Concat(authoritative(), []Expectation{
			{"RRL-1", Everywhere, "identical answers to one network are limited, so that forged questions do not make it a weapon"},
			{"COO-1", Everywhere, "it gives DNS cookies, RFC 7873"},
			{"TCP-1", Everywhere, "it answers over TCP, RFC 7766"},
			{"AMP-1", Everywhere, "its answers do not multiply traffic"},
			{"AMP-2", Everywhere, "ANY over UDP is answered briefly, RFC 8482"},
		})
	case HiddenPrimary:
		return authoritative()
	case RecursiveDNS:
		return slices.Concat(resolving(), []Expectation{{"SEC-1", Inside, "it validates DNSSEC, RFC 4035 section 4"}})
	case Forwarder:
		return slices.Concat(resolving(), []Expectation{{"FWD-1", Everywhere, "it asks with its own address, never with the client's"}})
	case PublicResolver:
		return []Expectation{
			{"RRL-1", Everywhere, "answers to one network are limited: every stranger may ask, and may forge who asks"},
			{"COO-1", Everywhere, "it gives DNS cookies, RFC 7873"},
			{"AMP-1", Everywhere, "its answers do not multiply traffic"},
			{"AMP-2", Everywhere, "ANY over UDP is answered briefly, RFC 8482"},
			{"RND-1", Everywhere, "source ports and query ids cannot be predicted, RFC 5452"},
			{"SEC-1", Everywhere, "it validates DNSSEC, RFC 4035 section 4"},
			{"ECS-1", Everywhere, "it does not trust the client subnet of strangers, RFC 7871 section 11"},
			{"TCP-1", Everywhere, "it answers over TCP, RFC 7766"},
		}
	case Host:
		return nil
	}
	return nil
}

func authoritative() []Expectation {
	return []Expectation{
		{"REC-1", Everywhere, "recursion is off, RFC 5358 section 4"},
		{"REC-3", Everywhere, "it refuses names it does not hold instead of referring to the root"},
		{"XFR-1", Everywhere, "zones are transferred to the named secondaries only, RFC 5936 section 5"},
		{"UPD-1", Everywhere, "nobody changes a zone without a key, RFC 3007"},
	}
}

func resolving() []Expectation {
	return []Expectation{
		{"REC-1", Outside, "strangers get no recursion, RFC 5358 section 4"},
		{"RND-1", Inside, "source ports and query ids cannot be predicted, RFC 5452"},
		{"RBD-1", Inside, "public names do not point to private addresses"},
		{"NXD-1", Inside, "names that do not exist are given no address"},
	}
}
