package device

import (
	"net/netip"
	"slices"

	"reconshield/internal/firewall"
)

// Redirection sends the DNS queries of one zone's clients, of one family, to an
// approved resolver.
type Redirection struct {
	Row                   // Sources are the clients, Interfaces theirs
	Except []netip.Prefix // resolvers and the asset: queries of them and to them stay as they are
	To     netip.Addr
	// Hairpin is true when the resolver stands among the clients: it would
	// answer them directly, from an address that they did not ask, unless the
	// gateway puts its own address in the place of theirs.
	Hairpin bool
}

// Redirections gives what a plan redirects; nothing when it says nothing of it.
// The first resolver of a family takes all; a family without one has none, and
// its queries are dropped as all others.
func Redirections(p firewall.Plan) []Redirection {
	if !p.DNS.Control || !p.DNS.Redirect {
		return nil
	}
	var out []Redirection
	for _, f := range families() {
		for _, r := range Clients(p, f) {
			resolvers := hosts(p.DNS.Resolvers, f)
			to := resolvers[0].Addr()
			out = append(out, Redirection{
				Row: r, Except: slices.Concat(resolvers, hosts(p.Addresses, f)), To: to,
				Hairpin: slices.ContainsFunc(r.Sources, func(n netip.Prefix) bool { return n.Contains(to) }),
			})
		}
	}
	return out
}

// Placed refuses redirections of clients whose interface is not known, for
// formats that translate on interfaces.
func Placed(all []Redirection, format string) error {
	for _, r := range all {
		if len(r.Interfaces) == 0 {
			return &firewall.UnsupportedError{
				Format: format, Feature: firewall.FeatureRedirect, Where: Plain(r.Why, 100),
				Hint: "translation is by interface: name the interfaces of each zone that has networks",
			}
		}
	}
	return nil
}
