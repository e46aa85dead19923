package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
)

// softwareName is the product as people write it, "" when unknown.
func softwareName(s exposure.Service) string {
	return cmp.Or(s.Name, string(s.Product))
}

// software is product and version on one line, sanitised; "" when unknown.
func software(s *exposure.Service) string {
	if s == nil {
		return ""
	}
	return Sanitize(strings.TrimSpace(softwareName(*s) + " " + s.Version))
}

// proof is one statement on what runs on an asset, with the ports it holds for.
type proof struct {
	Software   string
	How        string
	Confidence exposure.Confidence
	Ports      string
}

// proofs lists the software found on the open ports, one entry for each
// product, version and way it was proven.
func proofs(a exposure.Asset) []proof {
	var out []proof
	ports := map[proof][]exposure.PortState{}
	for _, p := range a.Ports {
		name := software(p.Service)
		if name == "" || p.State != exposure.Open {
			continue
		}
		k := proof{Software: name, How: Sanitize(p.Service.How), Confidence: p.Service.Confidence}
		if _, seen := ports[k]; !seen {
			out = append(out, k)
		}
		ports[k] = append(ports[k], p)
	}
	for i, k := range out {
		out[i].Ports = portList(ports[k])
	}
	return out
}

// proofFacts says how the software was proven, how surely, and, when it is one
// of several on the asset, on which ports.
func proofFacts(x proof, of int) []string {
	var facts []string
	if x.How != "" {
		facts = append(facts, "proven by "+x.How)
	}
	if x.Confidence != "" {
		facts = append(facts, string(x.Confidence)+" confidence")
	}
	if of > 1 {
		facts = append(facts, x.Ports)
	}
	return facts
}

// labelMeaning says in one sentence what a label asks of the reader.
func labelMeaning(l exposure.Label) string {
	switch l {
	case exposure.LabelIntercepted:
		return "something on the way answers for addresses that are not there; an answer does not prove that this host sent it"
	case exposure.LabelAcceptsAll:
		return "the host completes the handshake on every TCP port; a port is a service only where a payload exchange proved it"
	case exposure.LabelUnproven:
		return "the handshake succeeded, but no payload exchange proved that anything listens"
	case exposure.LabelTarpit:
		return "the peer only holds connections, by taking nothing or by sending without end; no service listens"
	}
	return ""
}

// labelWords is a label as it is shown: loud.
func labelWords(l exposure.Label) string {
	return strings.ToUpper(strings.ReplaceAll(Sanitize(string(l)), "-", " "))
}

// closer is one firewall rule set and the findings that it closes.
type closer struct {
	For    string
	Text   string
	Lines  []string
	Closes []string
}

// closers gathers the firewall fixes of an asset; each is named once, however
// many findings propose it.
func closers(a exposure.Asset) []closer {
	type key struct{ kind, text, lines string }
	var out []closer
	at := map[key]int{}
	for _, f := range a.Findings {
		for _, x := range f.Fix {
			if x.Kind != "firewall" {
				continue
			}
			k := key{x.For, x.Text, x.Lines}
			i, seen := at[k]
			if !seen {
				i = len(out)
				at[k] = i
				out = append(out, closer{For: Sanitize(x.For), Text: Sanitize(x.Text), Lines: configLines(x.Lines)})
			}
			if id := Sanitize(f.ID); !slices.Contains(out[i].Closes, id) {
				out[i].Closes = append(out[i].Closes, id)
			}
		}
	}
	return out
}

// passed lists the checks that passed wherever they were carried out. A check
// that passed over one transport and could not be tested over another names
// the transports it passed over.
func passed(a exposure.Asset) []string {
	type tally struct {
		bad, open bool
		over      []string
	}
	by := map[string]*tally{}
	var order []string
	for _, c := range a.Checks {
		t := by[c.ID]
		if t == nil {
			t = &tally{}
			by[c.ID] = t
			order = append(order, c.ID)
		}
		switch c.Status {
		case exposure.Pass:
			if v := string(c.Transport); v != "" && !slices.Contains(t.over, v) {
				t.over = append(t.over, v)
			} else if v == "" {
				t.over = append(t.over, "")
			}
		case exposure.Fail:
			t.bad = true
		case exposure.NotTested, exposure.Errored:
			t.open = t.open || !inapplicable(c)
		}
	}
	var out []string
	for _, id := range order {
		t := by[id]
		switch {
		case t.bad || len(t.over) == 0:
		case t.open && !slices.Contains(t.over, ""):
			out = append(out, fmt.Sprintf("%s (%s only)", Sanitize(id), strings.Join(t.over, ", ")))
		default:
			out = append(out, Sanitize(id))
		}
	}
	return out
}

// where is "53/udp+tcp · example.net": the place of a finding on its asset.
func where(f exposure.Finding, sep string) string {
	var parts []string
	if f.Port != 0 {
		over := make([]string, len(f.Transports))
		for i, t := range f.Transports {
			over[i] = string(t)
		}
		parts = append(parts, strings.TrimSuffix(strconv.Itoa(int(f.Port))+"/"+strings.Join(over, "+"), "/"))
	}
	if f.Subject != "" {
		parts = append(parts, Sanitize(f.Subject))
	}
	return strings.Join(parts, " "+sep+" ")
}

// plural is "1 asset" or "2 assets".
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if strings.HasSuffix(word, "s") {
		word += "e"
	}
	return strconv.Itoa(n) + " " + word + "s"
}
