package policy

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"reconshield/internal/exposure"
)

// owner is written where only a person knows it; Warnings ask for it.
const owner = "TODO"

func (d *draft) writeAssets() {
	d.line("\n# Assets: what has addresses, who answers for it, and what it is for. The role brings the ports it needs:")
	d.line("# authoritative-dns, hidden-primary, recursive-dns, forwarder, public-resolver, or host, which brings none.\nassets:")
	if len(d.assets) == 0 {
		d.line("  # - name: ns1\n  #   addresses: [192.0.2.53, \"2001:db8::53\"]\n  #   role: authoritative-dns\n  #   owner: dns@example.net\n  #   expose:")
		d.line("  #     # administration, through the tunnel only\n  #     - {ports: [22/tcp, 953/tcp], to: [vpn]}")
	}
	for i := range d.assets {
		if size := d.out.Len() + len(d.admin)*maxException; size > MaxSize*3/4 {
			d.line("  # Left out: %d further assets, for which the file would be too large. Write a policy for a part of them.", len(d.assets)-i)
			d.assets = d.assets[:i]
			return
		}
		d.writeAsset(&d.assets[i])
	}
}

// Bounds of what the draft says of one asset.
const (
	maxOpen      = 100 // ports
	maxNames     = 20
	maxException = 250 // bytes of a proposed exception
)

func (d *draft) writeAsset(a *draftAsset) {
	var addresses []string
	for _, f := range a.found {
		addresses = append(addresses, f.Address.WithZone("").Unmap().String())
	}
	d.line("  - name: %s", scalar(a.name))
	d.line("    addresses: %s", list(addresses))
	if len(a.names) > 0 {
		d.line("    names: %s", list(a.names[:min(len(a.names), maxNames)]))
	}
	d.line("    # %s", a.why)
	d.line("    role: %s", a.role)
	d.line("    owner: %s # who answers for it? Write an address that is read.", owner)
	if a.role == AuthoritativeDNS {
		d.line("    # Who may transfer its zones:\n    # secondaries: [192.0.2.54]")
	}
	d.writeExposes(a)
}

// openPort is a port that was found open, with everything said of it.
type openPort struct {
	ports  Ports
	states []*exposure.PortState
}

func (a *draftAsset) openPorts() []openPort {
	byPort := map[Ports]*openPort{}
	for _, f := range a.found {
		for i := range f.Ports {
			s := &f.Ports[i]
			base := s.Transport.Base()
			if s.State != exposure.Open || s.Port == 0 || base != exposure.TCP && base != exposure.UDP {
				continue
			}
			key := Ports{base, s.Port, s.Port}
			if byPort[key] == nil {
				byPort[key] = &openPort{ports: key}
			}
			byPort[key].states = append(byPort[key].states, s)
		}
	}
	return slices.SortedFunc(func(yield func(openPort) bool) {
		for p := range maps.Values(byPort) {
			if !yield(*p) {
				return
			}
		}
	}, func(a, b openPort) int {
		return cmp.Or(cmp.Compare(a.ports.First, b.ports.First), cmp.Compare(a.ports.Transport, b.ports.Transport))
	})
}

// writeExposes writes a line for every open port: allowed when it is ordinarily
// public, else in a comment.
func (d *draft) writeExposes(a *draftAsset) {
	open := a.openPorts()
	if len(open) == 0 {
		return
	}
	d.line("    # What was found open from %s. Lines with a # allow nothing.\n    expose:", d.zone)
	for i, p := range open {
		if i == maxOpen {
			d.line("      # Left out: %d more ports that were found open.", len(open)-i)
			break
		}
		what := p.text()
		admin, isAdmin := a.role.Administration(p.ports)
		tunnel := cmp.Or(d.vpn, "vpn")
		doubt := p.doubt()
		public := slices.ContainsFunc(p.states, func(s *exposure.PortState) bool { return s.Meaning != nil && s.Meaning.Reach == "internet" })
		allow := fmt.Sprintf("- {ports: [%s], to: [%s]}", p.ports, scalar(d.zone))
		switch {
		case a.role.serves(p.ports):
			d.line("      # %s: %s. The role decides who may reach it.", p.ports, what)
		case isAdmin:
			line := fmt.Sprintf("- {ports: [%s], to: [%s]}", p.ports, tunnel)
			if d.vpn == "" || doubt != "" {
				line = "# " + line
			}
			d.line("      # %s: %s. Administration (%s): through a tunnel only.%s\n      %s", p.ports, what, admin.What, doubt, line)
			d.admin = append(d.admin, d.exception(a.name, p.ports, admin.What))
		case doubt != "":
			d.line("      # %s: %s.%s\n      # %s", p.ports, what, doubt, allow)
		case a.role == Host && (p.ports.First == 53 || p.ports.First == 853):
			d.line("      # %s: %s. Choose a DNS role above instead of exposing it.", p.ports, what)
		case public && (a.role == Host || p.ports.First != 853):
			d.line("      # %s: %s. Ordinarily public; remove the line if it is not meant to be.\n      %s", p.ports, what, allow)
		default:
			d.line("      # %s: %s. Not ordinarily reached from outside%s; allowed only when you remove the #.\n      # %s", p.ports, what, p.reach(), allow)
		}
	}
}

func (p *openPort) text() string {
	for _, s := range p.states {
		if v := s.Service; v != nil {
			return "found open, " + plain(strings.TrimSpace(strings.Join([]string{v.Protocol, cmp.Or(v.Name, v.Product.Name()), v.Version}, " ")))
		}
	}
	for _, s := range p.states {
		if s.Meaning != nil && s.Meaning.Name != "" {
			return "found open, not identified; the number is that of " + plain(s.Meaning.Name)
		}
	}
	return "found open, not identified"
}

// doubt says why the port may not be open at all; "" when it surely is.
func (p *openPort) doubt() string {
	for _, s := range p.states {
		for _, l := range s.Labels {
			switch l {
			case exposure.LabelIntercepted, exposure.LabelAcceptsAll, exposure.LabelUnproven, exposure.LabelTarpit:
				return " It may not be open at all (" + string(l) + ")."
			}
		}
	}
	return ""
}

func (p *openPort) reach() string {
	for _, s := range p.states {
		if m := s.Meaning; m != nil && m.Reach != "" {
			return " (usually: " + plain(m.Reach) + ")"
		}
	}
	return ""
}

// plain makes untrusted text fit for a comment: one line, bounded.
func plain(text string) string {
	text = strings.ToValidUTF8(text, "?")
	text = strings.Map(func(r rune) rune {
		if unprintable(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxQuoted {
		text = strings.ToValidUTF8(text[:maxQuoted], "") + "…"
	}
	return text
}

func (d *draft) exception(asset string, ports Ports, what string) string {
	until := "YEAR-MONTH-DAY"
	if !d.at.IsZero() {
		until = d.at.UTC().Add(exceptionTerm).Format(time.DateOnly)
	}
	return fmt.Sprintf("{asset: %s, ports: [%s], to: [%s], why: \"TODO: %s\", owner: %s, until: %s}", scalar(asset), ports, scalar(d.zone), what, owner, until)
}

func (d *draft) writeExceptions() {
	d.line("\n# Exceptions: what no role or expose rule may allow, with a reason, an owner and a last day. After it they allow\n# nothing. from: [...] limits the sources.\nexceptions:")
	if len(d.admin) == 0 {
		d.line("  # - {asset: ns1, ports: [9153/tcp], to: [lan], why: metrics, owner: ops@example.net, until: 2027-03-31}")
		return
	}
	d.line("  # Administration that was found open from %s. The rules made from this policy close it. Remove the # only where it\n  # has to stay open for a while, and say why and for whom.", d.zone)
	for _, line := range d.admin {
		d.line("  # - %s", line)
	}
}

// writeResolvers proposes the resolvers that were found as the approved ones.
func (d *draft) writeResolvers() {
	d.line("\n# The only resolvers that may ask DNS servers outside; everybody else asks them.\nresolvers:")
	some := false
	for i := range d.assets {
		if d.assets[i].role != RecursiveDNS {
			continue
		}
		for _, f := range d.assets[i].found {
			some = true
			d.line("  - %s", scalar(f.Address.WithZone("").Unmap().String()))
		}
	}
	if !some {
		d.line("  # - %s", netip.AddrFrom4([4]byte{10, 0, 0, 53}))
	}
}
