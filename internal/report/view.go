package report

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

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

// proofFacts says how the software was proven, how surely, and where.
func proofFacts(x proof) []string {
	var facts []string
	if x.How != "" {
		facts = append(facts, "proven by "+x.How)
	}
	if x.Confidence != "" {
		facts = append(facts, string(x.Confidence)+" confidence")
	}
	return append(facts, x.Ports)
}

// portList is "udp 53, tcp 53 443": ports by transport, in order, runs of
// three or more as a range.
func portList(ports []exposure.PortState) string {
	by := map[exposure.Transport][]int{}
	for _, p := range ports {
		by[p.Transport] = append(by[p.Transport], int(p.Port))
	}
	var parts []string
	for _, t := range []exposure.Transport{exposure.UDP, exposure.TCP, exposure.TLS, exposure.QUIC, exposure.HTTPS} {
		if len(by[t]) > 0 {
			parts = append(parts, string(t)+" "+numbers(by[t]))
		}
	}
	return strings.Join(parts, ", ")
}

func numbers(list []int) string {
	slices.Sort(list)
	list = slices.Compact(list)
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if j-i >= 2 {
			parts = append(parts, fmt.Sprintf("%d-%d", list[i], list[j]))
		} else {
			for _, n := range list[i : j+1] {
				parts = append(parts, strconv.Itoa(n))
			}
		}
		i = j + 1
	}
	return strings.Join(parts, " ")
}

// portGroup is a set of ports with the same state for the same reason.
type portGroup struct {
	State  exposure.State
	Reason exposure.Reason
	Ports  string
}

// splitPorts separates the ports worth a row of their own (open, or carrying a
// label or a service) from the rest, which is gathered by state and reason.
// With all, every port has its row.
func splitPorts(a exposure.Asset, all bool) ([]exposure.PortState, []portGroup) {
	var rows []exposure.PortState
	type key struct {
		state  exposure.State
		reason exposure.Reason
	}
	rest := map[key][]exposure.PortState{}
	var order []key
	for _, p := range a.Ports {
		if all || p.State == exposure.Open || len(p.Labels) > 0 || p.Service != nil {
			rows = append(rows, p)
			continue
		}
		k := key{p.State, p.Reason}
		if rest[k] == nil {
			order = append(order, k)
		}
		rest[k] = append(rest[k], p)
	}
	slices.SortStableFunc(rows, func(x, y exposure.PortState) int {
		return cmp.Or(cmp.Compare(stateRank(x.State), stateRank(y.State)), cmp.Compare(x.Port, y.Port),
			cmp.Compare(y.Transport, x.Transport)) // udp first: it is what a resolver asks first
	})
	slices.SortStableFunc(order, func(x, y key) int { return cmp.Compare(stateRank(x.state), stateRank(y.state)) })
	groups := make([]portGroup, 0, len(order))
	for _, k := range order {
		groups = append(groups, portGroup{k.state, k.reason, portList(rest[k])})
	}
	return rows, groups
}

func stateRank(s exposure.State) int {
	order := []exposure.State{
		exposure.Open, exposure.OpenFiltered, exposure.Filtered, exposure.Closed, exposure.Unmeasured,
	}
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
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
			t.open = true
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

// where is "53 udp tcp · example.net": the place of a finding on its asset.
func where(f exposure.Finding, sep string) string {
	var parts []string
	if f.Port != 0 {
		s := strconv.Itoa(int(f.Port))
		for i, t := range f.Transports {
			s += map[bool]string{true: "/", false: "+"}[i == 0] + string(t)
		}
		parts = append(parts, s)
	}
	if f.Subject != "" {
		parts = append(parts, Sanitize(f.Subject))
	}
	return strings.Join(parts, " "+sep+" ")
}

// evidenceText is one piece of evidence on one line, sanitised.
func evidenceText(e exposure.Evidence, arrow string) string {
	q, r := evidenceParts(e)
	switch {
	case q == "":
		return r
	case r == "":
		return q
	}
	return q + " " + arrow + " " + r
}

// evidenceParts splits evidence into what was asked and what came back.
func evidenceParts(e exposure.Evidence) (query, response string) {
	query = Sanitize(strings.TrimSpace(string(e.Transport) + " " + e.Query))
	resp := e.Response
	if resp == "" {
		resp = e.Rcode
	} else if e.Rcode != "" && !strings.Contains(resp, e.Rcode) {
		resp = e.Rcode + " " + resp
	}
	parts := []string{}
	if resp != "" {
		parts = append(parts, Sanitize(resp))
	}
	if e.From != "" {
		parts = append(parts, "ANSWERED BY "+Sanitize(e.From))
	}
	if m := measures(e); m != "" {
		parts = append(parts, m)
	}
	if e.Note != "" {
		parts = append(parts, Sanitize(e.Note))
	}
	return query, strings.Join(parts, "; ")
}

func measures(e exposure.Evidence) string {
	var parts []string
	switch {
	case e.BytesOut > 0 && e.BytesIn >= 2*e.BytesOut:
		parts = append(parts, fmt.Sprintf("%d bytes in for %d out (x%.1f)", e.BytesIn, e.BytesOut,
			float64(e.BytesIn)/float64(e.BytesOut)))
	case e.BytesIn > 0:
		parts = append(parts, fmt.Sprintf("%d bytes", e.BytesIn))
	}
	if e.RTTms > 0 {
		parts = append(parts, milliseconds(e.RTTms))
	}
	return strings.Join(parts, ", ")
}

func milliseconds(ms float64) string {
	switch {
	case ms >= 100:
		return strconv.FormatFloat(math.Round(ms), 'f', 0, 64) + " ms"
	case ms >= 1:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	}
	return strconv.FormatFloat(ms, 'f', 2, 64) + " ms"
}

func rtt(p exposure.PortState) string {
	if p.RTT <= 0 {
		return ""
	}
	return milliseconds(float64(p.RTT.Microseconds()) / 1000)
}

func elapsed(a *exposure.Assessment) string {
	d := a.Finished.Sub(a.Started)
	if a.Started.IsZero() || d <= 0 {
		return ""
	}
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
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

// quietGroup is the quiet prefixes that showed the same.
type quietGroup struct {
	State     exposure.State
	Reason    exposure.Reason
	Ports     string
	Prefixes  []string
	Addresses string
}

func quietGroups(quiet []exposure.Quiet) []quietGroup {
	var out []quietGroup
	var counts []float64
	for _, q := range quiet {
		i := slices.IndexFunc(out, func(g quietGroup) bool {
			return g.State == q.State && g.Reason == q.Reason && g.Ports == Sanitize(q.Ports)
		})
		if i < 0 {
			i = len(out)
			out = append(out, quietGroup{State: q.State, Reason: q.Reason, Ports: Sanitize(q.Ports)})
			counts = append(counts, 0)
		}
		out[i].Prefixes = append(out[i].Prefixes, prefixText(q.Prefix))
		counts[i] += math.Exp2(float64(q.Prefix.Addr().BitLen() - q.Prefix.Bits()))
	}
	for i, n := range counts {
		if n < 1e9 {
			out[i].Addresses = plural(int(n), "address")
		} else {
			out[i].Addresses = fmt.Sprintf("%.1e addresses", n)
		}
	}
	return out
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
