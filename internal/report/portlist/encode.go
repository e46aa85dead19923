package portlist

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

// maxRow is the most bytes of one verdict in a text format. Writes never cross
// a page of 4096 bytes, because a kill may cut a write there, so a row has to
// fit into a page.
const maxRow = 4000

// shortened gives o with less and less text from the network. Step 0 is o
// itself; the last step is bounded whatever stands in o.
func shortened(o exposure.Observation, step int) (row exposure.Observation, last bool) {
	limits := []struct{ text, details int }{{1024, 8}, {256, 2}, {64, 0}}
	switch {
	case step == 0:
		return o, false
	case step > len(limits):
		o.Service, o.Labels, o.Detail = nil, nil, ""
		o.Reason = exposure.Reason(cut(string(o.Reason), 32))
		o.Vantage = cut(o.Vantage, 32)
		o.State = exposure.State(cut(string(o.State), 16))
		o.Transport = exposure.Transport(cut(string(o.Transport), 16))
		o.Addr = o.Addr.WithZone(cut(o.Addr.Zone(), 32))
		return o, true
	}
	limit := limits[step-1]
	o.Detail = cut(o.Detail, limit.text)
	if o.Service != nil {
		s := *o.Service
		s.Banner = cut(s.Banner, limit.text)
		s.Name, s.Version, s.CPE = cut(s.Name, limit.text), cut(s.Version, limit.text), cut(s.CPE, limit.text)
		s.How = cut(s.How, limit.text)
		var details []string
		for _, d := range s.Details[:min(len(s.Details), limit.details)] {
			details = append(details, cut(d, limit.text/2))
		}
		s.Details = details
		o.Service = &s
	}
	return o, false
}

// bulk is how many bytes of text a row holds.
func bulk(o exposure.Observation) int {
	n := len(o.Detail) + len(o.Vantage) + len(o.Reason)
	for _, l := range o.Labels {
		n += len(l)
	}
	if s := o.Service; s != nil {
		n += len(s.Banner) + len(s.Name) + len(s.Version) + len(s.CPE) + len(s.How) + len(s.Protocol) + len(s.Product)
		for _, d := range s.Details {
			n += len(d)
		}
	}
	return n
}

// cut ends text after limit bytes, at a character's end, and says how much is missing.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	keep := limit
	for keep > 0 && !utf8.RuneStart(text[keep]) {
		keep--
	}
	return fmt.Sprintf("%s…(+%d bytes)", text[:keep], len(text)-keep)
}

// appendFitting appends what encode makes of the row, shortened until it fits.
func appendFitting(b []byte, o exposure.Observation, encode encoder) []byte {
	start := len(b)
	for step := 0; ; step++ {
		row, last := shortened(o, step)
		if !last && bulk(row) > maxRow {
			continue // no encoding makes it shorter
		}
		b = encode(b[:start], row)
		if len(b)-start <= maxRow || last {
			return b
		}
	}
}

// appendPort appends a verdict as one JSON object. names are at most eight,
// those of the address; service is what the port is registered for.
func appendPort(b []byte, o exposure.Observation, names []string, service string) []byte {
	b = append(b, `{"type":"port","address":`...)
	b = appendAddr(b, o.Addr)
	b = append(b, `,"port":`...)
	b = strconv.AppendUint(b, uint64(o.Port), 10)
	b = append(b, `,"transport":`...)
	b = appendString(b, string(o.Transport))
	b = append(b, `,"state":`...)
	b = appendString(b, string(o.State))
	b = append(b, `,"reason":`...)
	b = appendString(b, string(o.Reason))
	if o.RTT > 0 {
		b = append(b, `,"rtt_ms":`...)
		b = appendMillis(b, o.RTT)
	}
	b = append(b, `,"time":"`...)
	b = appendTime(b, o.At)
	b = append(b, '"')
	if o.Attempts > 0 {
		b = append(b, `,"attempts":`...)
		b = strconv.AppendInt(b, int64(o.Attempts), 10)
	}
	if o.Vantage != "" {
		b = append(b, `,"vantage":`...)
		b = appendString(b, o.Vantage)
	}
	if len(names) > 0 {
		b = append(b, `,"names":`...)
		b = appendStrings(b, names)
	}
	if len(o.Labels) > 0 {
		b = append(b, `,"labels":`...)
		b = appendStrings(b, o.Labels)
	}
	if o.Detail != "" {
		b = append(b, `,"detail":`...)
		b = appendString(b, o.Detail)
	}
	if service != "" {
		b = append(b, `,"registered":`...)
		b = appendString(b, service)
	}
	if o.Service != nil {
		b = append(b, `,"service":`...)
		b = appendValue(b, o.Service)
	}
	return append(b, '}')
}

// appendSummary appends the summary as one JSON object.
func appendSummary(b []byte, s Summary) []byte {
	b = append(b, `{"type":"summary",`...)
	at := len(b)
	b = appendValue(b, s)
	return append(b[:at], b[at+1:]...) // without the value's own brace
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Zone() != "" || !a.IsValid() {
		return appendString(b, a.String())
	}
	b = append(b, '"')
	b = a.AppendTo(b)
	return append(b, '"')
}

// appendMillis appends milliseconds in microsecond steps, at least 0.001.
func appendMillis(b []byte, d time.Duration) []byte {
	us := max(d.Round(time.Microsecond).Microseconds(), 1)
	return strconv.AppendFloat(b, float64(us)/1000, 'f', -1, 64)
}

// appendTime appends UTC with microseconds, always of the same width.
func appendTime(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00")
}

func appendStrings[S ~string](b []byte, list []S) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, string(s))
	}
	return append(b, ']')
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendValue(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendValue appends v as compact JSON in which every character that is not
// printable is a \u escape: nothing is lost, and nothing acts on the terminal
// of whoever looks at the file. Values of this package can always be encoded,
// except numbers that are none; those become null.
func appendValue(b []byte, v any) []byte {
	text, err := report.EncodeJSON(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}
