package kubernetes

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/fabric"
)

// document collects lines of YAML. Every scalar that comes from the policy is
// written quoted, every comment as one printable line.
type document struct{ strings.Builder }

func (d *document) line(indent int, format string, args ...any) {
	d.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(&d.Builder, format, args...)
	d.WriteByte('\n')
}

// comment writes a comment before an entry of a list of rules.
func (d *document) comment(text string) { d.line(2, "# %s", fabric.Line(text, 200)) }

// head writes what both kinds begin with.
func (d *document) head(p fabric.Plan, version, kind string) {
	d.WriteString(fabric.Commented("# ", p.Header(kind)))
	d.line(0, "apiVersion: %s", version)
	d.line(0, "kind: %s", kind)
	d.line(0, "metadata:")
	d.line(1, "name: reconshield-%s", fabric.Name(p.Asset, '-', 50))
	d.line(0, "spec:")
}

// label is the asset's name as the value of a label: itself where it may be
// one, else made of it.
func label(asset string) string {
	inner := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	}
	if asset != "" && len(asset) <= 63 && !strings.ContainsFunc(asset, inner) && strings.Trim(asset, "-_.") == asset {
		return strconv.Quote(asset)
	}
	return strconv.Quote(fabric.Name(asset, '-', 63))
}

// block is a CIDR without some prefixes in it.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

// blocks writes a set as everything of a family but a few, where that is
// shorter than the list of its prefixes.
func blocks(r fabric.Rule) []block {
	var out []block
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		prefixes := r.Of(f)
		all := firewall.AllOf(f)
		rest := firewall.Prefixes(all.Subtract(r.Sources))
		if len(prefixes) > 1+len(rest) {
			out = append(out, block{firewall.Prefixes(all)[0], rest})
			continue
		}
		for _, p := range prefixes {
			out = append(out, block{p, nil})
		}
	}
	return out
}

func (b block) String() string {
	text := "cidr: " + strconv.Quote(b.cidr.String())
	if len(b.except) > 0 {
		quoted := make([]string, len(b.except))
		for i, p := range b.except {
			quoted[i] = strconv.Quote(p.String())
		}
		text += ", except: [" + strings.Join(quoted, ", ") + "]"
	}
	return "{" + text + "}"
}

// anybody reports whether a rule lets in every address that the asset can be
// reached from.
func anybody(p fabric.Plan, r fabric.Rule) bool {
	return r.Sources.Equal(firewall.AllOf(p.Families))
}

// noPortZero refuses what neither kind can write.
func noPortZero(format string, p fabric.Plan) error {
	for _, r := range p.Rules {
		if slices.ContainsFunc(r.Ports, func(q firewall.PortRange) bool { return q.First == 0 }) {
			return &firewall.UnsupportedError{
				Format: format, Feature: "port 0", Where: r.Title(), Hint: "begin the range at 1",
			}
		}
	}
	return nil
}

// otherPorts is every port but those of DNS, without port 0.
func otherPorts() []firewall.PortRange {
	out := fabric.OtherPorts()
	out[0].First = 1
	return out
}

func protocol(t exposure.Transport) string { return strings.ToUpper(string(t.Base())) }

func steps(format, resource, name string, p firewall.Plan) firewall.Config {
	file := name + ".yaml"
	return firewall.Config{
		Format: format,
		Check: []firewall.Step{{
			Text: "Let the cluster check the text without storing it.", Command: "kubectl apply --dry-run=server -f " + file,
		}},
		Apply: []firewall.Step{
			{Text: "Save the policies of the namespace.", Command: fmt.Sprintf("kubectl get %s -o yaml > %s.before.yaml", resource, name)},
			{Text: "See what changes, then apply it in the namespace of the pods.", Command: "kubectl diff -f " + file + "; kubectl apply -f " + file},
		},
		Rollback: []firewall.Step{{
			Text:    "Delete the policy; what was there before under its name is in the saved file.",
			Command: "kubectl delete -f " + file,
		}},
		Verify: []firewall.Step{
			{Text: "See that it selects the asset's pods.", Command: "kubectl get pods -l app=" + device.Quote(strings.Trim(label(p.Asset), `"`)) + " --show-labels"},
			device.Verify(p)[0],
		},
	}
}

func notes(p fabric.Plan) []string {
	out := []string{
		"It selects pods with the label app=" + strings.Trim(label(p.Asset), `"`) + " in the namespace it is applied in; without such pods it does nothing.",
		"Policies add up: it is closed only when no other policy selects these pods for the same direction.",
		"A Service or load balancer that rewrites sources hides who asks: set externalTrafficPolicy: Local, or every client looks like a node.",
		"Pods on the host's network are not selected, and the pod's own node always reaches it.",
	}
	if !p.Egress.Free {
		out = append(out, "The approved resolvers are matched by address after the translation of Services: for the cluster's own DNS give the addresses of its pods, or add a rule that selects them.")
	}
	return out
}
