package atlas

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// Registrations gives the rows of the registry that hold the port, ranges
// included: by transport (tcp, udp, sctp, dccp, then those that name none), then
// in the order of the registry. Nil when there are none. The slice is the
// caller's.
func (a *Atlas) Registrations(port uint16) []Registration {
	var buf [usual]entry
	found := a.registry.find(buf[:0], port)
	if len(found) == 0 {
		return nil
	}
	rows := make([]Registration, len(found))
	for i, e := range found {
		rows[i] = a.registry.registration(e)
	}
	return rows
}

// ServiceName is the first name under which a port is registered over a
// transport (tcp, udp, sctp or dccp); empty when it has none. Names that the
// registry gives to a port without a transport count for all. It does not
// allocate.
func (a *Atlas) ServiceName(port uint16, transport string) string {
	rank, ok := rankOf(transport)
	if !ok {
		return ""
	}
	none, _ := rankOf("")
	var buf [usual]entry
	for _, e := range a.registry.find(buf[:0], port) {
		if e.rank != rank && e.rank != none {
			continue
		}
		if name := a.registry.name(e); name != "" {
			return name
		}
	}
	return ""
}

// ByName gives the rows that register a service, in any case, by port. A name
// that the registry does not know is taken for what people call a service
// ("rdp" for ms-wbt-server): then they are the rows of its ports. Nil when that
// is unknown, too, or has no registered port; Ports knows more. The slice is the
// caller's.
func (a *Atlas) ByName(service string) []Registration {
	var rows []Registration
	for e := range a.registry.all {
		if name := a.registry.name(e); len(name) == len(service) && name != "" && strings.EqualFold(name, service) {
			rows = append(rows, a.registry.registration(e))
		}
	}
	if len(rows) > 0 {
		slices.SortStableFunc(rows, func(x, y Registration) int { return int(x.First) - int(y.First) })
		return rows
	}
	for _, p := range alias(strings.ToLower(service)) {
		for _, row := range a.Registrations(p.Number) {
			if row.Name != "" && row.Transport == string(p.Transport) {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// Ports gives the ports, TCP and UDP, of a service by any of its names in lower
// case: what people mean by it first, then what the registry has, then what the
// notes tell. Nil when nobody calls a service so. It is a netset.Names. The
// slice is the caller's.
func (a *Atlas) Ports(service string) []netset.Port {
	if ports := netset.ServicePorts(service); ports != nil {
		return ports
	}
	var found portSink
	for e := range a.registry.all {
		name := a.registry.name(e)
		if len(name) != len(service) || name == "" || !strings.EqualFold(name, service) {
			continue
		}
		for number := int(e.first); number <= int(e.last); number++ {
			found.add(uint16(number), transports()[e.rank])
		}
	}
	if found.ports == nil {
		found.ports = alias(service)
	}
	if found.ports == nil {
		a.noted(service, &found)
	}
	return found.ports
}

// portSink gathers ports, each once.
type portSink struct {
	ports []netset.Port
	seen  map[netset.Port]bool
}

// add takes a port over a transport, over both when it names none, and nothing
// over one that is not measured.
func (s *portSink) add(number uint16, transport string) {
	if s.seen == nil {
		s.seen = map[netset.Port]bool{}
	}
	for _, t := range [...]exposure.Transport{exposure.TCP, exposure.UDP} {
		p := netset.Port{Transport: t, Number: number}
		if (transport == "" || transport == string(t)) && !s.seen[p] {
			s.seen[p] = true
			s.ports = append(s.ports, p)
		}
	}
}

// noted finds the ports whose notes call them, or software on them, so.
func (a *Atlas) noted(service string, found *portSink) {
	all := a.notes()
	for i := range all {
		n := &all[i]
		if strings.EqualFold(n.Name, service) {
			for _, t := range n.Transports {
				found.add(n.Port, t)
			}
		}
		for _, use := range n.Uses {
			if strings.EqualFold(use.Name, service) {
				found.add(n.Port, use.Transport)
			}
		}
	}
}

// Neighbours gives the next ports below and above that are registered under a
// name; fewer than two at the ends of the list. The slice is the caller's.
func (a *Atlas) Neighbours(port uint16) []Neighbour {
	var found []Neighbour
	for _, way := range [...]struct {
		step  int
		where string
	}{{-1, "below"}, {1, "above"}} {
		number := a.next(port, way.step)
		if number < 0 {
			continue
		}
		distance := (number - int(port)) * way.step
		relation := "one " + way.where
		if distance > 1 {
			relation = fmt.Sprintf("the next registered port %s, %d away", way.where, distance)
		}
		found = append(found, Neighbour{Port: uint16(number), Name: a.anyName(uint16(number)), Relation: relation})
	}
	return found
}

// next finds the nearest port with a name, step -1 below and 1 above; -1 when
// there is none.
func (a *Atlas) next(port uint16, step int) int {
	r, nearest := &a.registry, -1
	better := func(number int) bool {
		return (number-int(port))*step > 0 && (nearest < 0 || (nearest-number)*step > 0)
	}
	n := len(r.singles) / recordSize
	at := sort.Search(n, func(i int) bool { return int(entryAt(r.singles, i).first) > int(port)+min(step, 0) })
	if step < 0 {
		at--
	}
	for ; at >= 0 && at < n && nearest < 0; at += step {
		if e := entryAt(r.singles, at); better(int(e.first)) && r.name(e) != "" {
			nearest = int(e.first)
		}
	}
	for i := range len(r.ranges) / recordSize {
		e := entryAt(r.ranges, i)
		number := max(int(port)+1, int(e.first))
		if step < 0 {
			number = min(int(port)-1, int(e.last))
		}
		if int(e.first) <= number && number <= int(e.last) && better(number) && r.name(e) != "" {
			nearest = number
		}
	}
	return nearest
}

// anyName is the name over the first transport that has one.
func (a *Atlas) anyName(port uint16) string {
	var buf [usual]entry
	for _, e := range a.registry.find(buf[:0], port) {
		if name := a.registry.name(e); name != "" {
			return name
		}
	}
	return ""
}
