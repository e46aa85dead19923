package junos

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// redirect writes destination NAT for other clients' queries. It acts before
// the policies, which then see the resolver's address. Rules are read in order:
// queries of and to the resolvers and the asset are left alone first. A
// resolver among the clients gets them from the device's own address, or it
// would answer the clients from one that they did not ask.
func (w *writer) redirect() error {
	all := device.Redirections(w.p)
	for _, r := range all {
		if r.Zone == "" {
			return &firewall.UnsupportedError{
				Format: "Junos SRX", Feature: firewall.FeatureRedirect, Where: device.Plain(r.Why, 100),
				Hint: "translation is by zone: name the interfaces of each zone that has networks",
			}
		}
	}
	for i, r := range all {
		pool := fmt.Sprintf("%s-dns-%d", w.name, i+1)
		w.set(&w.objects, "security nat destination pool %s address %s/%d port 53", pool, r.To, r.To.BitLen())
		w.zoneOnce(r)
		anywhere := "0.0.0.0/0"
		if r.Family == firewall.IPv6 {
			anywhere = "::/0"
		}
		set := w.ruleSet(r.Zone)
		for j, e := range r.Except {
			w.translation(set, fmt.Sprintf("%s-from-%d", pool, j+1), e.String(), anywhere, "off")
			w.translation(set, fmt.Sprintf("%s-to-%d", pool, j+1), anywhere, e.String(), "off")
		}
		for j, from := range r.Sources {
			w.translation(set, fmt.Sprintf("%s-%d", pool, j+1), from.String(), anywhere, "pool "+pool)
		}
		if r.Hairpin {
			w.hairpin(pool, r)
		}
	}
	return nil
}

// ruleSet is one for each zone: Junos takes no two for the same.
func (w *writer) ruleSet(zone string) string {
	n := slices.IndexFunc(w.p.Zones, func(z policy.Zone) bool { return z.Name == zone })
	return fmt.Sprintf("%s-zone-%d", w.name, n+1)
}

func (w *writer) zoneOnce(r device.Redirection) {
	key := "rule-set " + r.Zone
	if w.known[key] == "" {
		w.known[key] = r.Zone
		w.set(&w.objects, "security nat destination rule-set %s from zone %s", w.ruleSet(r.Zone), r.Zone)
	}
}

func (w *writer) translation(set, name, from, to, then string) {
	rule := "security nat destination rule-set " + set + " rule " + name
	w.set(&w.objects, "%s match source-address %s", rule, from)
	w.set(&w.objects, "%s match destination-address %s", rule, to)
	w.set(&w.objects, "%s match protocol udp", rule)
	w.set(&w.objects, "%s match protocol tcp", rule)
	w.set(&w.objects, "%s match destination-port 53", rule)
	w.set(&w.objects, "%s then destination-nat %s", rule, then)
}

func (w *writer) hairpin(name string, r device.Redirection) {
	set := "security nat source rule-set " + w.ruleSet(r.Zone)
	w.set(&w.objects, "%s from zone %s", set, r.Zone)
	w.set(&w.objects, "%s to zone %s", set, r.Zone)
	for _, from := range r.Sources {
		w.set(&w.objects, "%s rule %s match source-address %s", set, name, from)
	}
	w.set(&w.objects, "%s rule %s match destination-address %s/%d", set, name, r.To, r.To.BitLen())
	w.set(&w.objects, "%s rule %s match destination-port 53", set, name)
	w.set(&w.objects, "%s rule %s then source-nat interface", set, name)
}

// redirectNotes says what else the translation meets.
func redirectNotes(p firewall.Plan) []string {
	var zones []string
	for _, r := range device.Redirections(p) {
		if len(zones) == 0 || zones[len(zones)-1] != r.Zone {
			zones = append(zones, r.Zone)
		}
	}
	if len(zones) == 0 {
		return nil
	}
	return []string{"Junos takes one rule set of destination NAT for a zone: where " + strings.Join(zones, " or ") + " has one, move the rules into it."}
}
