package portlist

import (
	"strconv"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

// csvLines writes a header and one row a verdict. There is no summary: what
// reads CSV takes every line for a row.
type csvLines struct {
	registered func(uint16, exposure.Transport) string
}

// head names the columns; a reader may rely on names and order. The last one
// holds free text, because padding adds blanks to it.
func (csvLines) head() []byte {
	return []byte("address,port,transport,state,reason,rtt_ms,time,attempts,labels," +
		"protocol,software,version,cpe,banner,vantage,registered,detail\n")
}

func (f csvLines) row(b []byte, o exposure.Observation) []byte {
	return append(appendFitting(b, o, f.append), '\n')
}

func (csvLines) end(b []byte, _ Summary) []byte { return b }

func (csvLines) isEnd([]byte) bool { return false }

func (f csvLines) mark() []byte { return f.head() }

// pad adds blanks to the last cell.
func (csvLines) pad(page []byte, n int) []byte {
	end := len(page) - len("\"\n")
	if end >= 0 && string(page[end:]) == "\"\n" {
		return append(padBlank(page[:end], n), "\"\n"...)
	}
	return padLine(page, n)
}

func (f csvLines) append(b []byte, o exposure.Observation) []byte {
	b = append(appendCell(b, o.Addr.String()), ',')
	b = append(strconv.AppendUint(b, uint64(o.Port), 10), ',')
	b = append(appendCell(b, string(o.Transport)), ',')
	b = append(appendCell(b, string(o.State)), ',')
	b = append(appendCell(b, string(o.Reason)), ',')
	if o.RTT > 0 {
		b = appendMillis(b, o.RTT)
	}
	b = append(b, ',')
	b = append(appendTime(b, o.At), ',')
	if o.Attempts > 0 {
		b = strconv.AppendInt(b, int64(o.Attempts), 10)
	}
	b = append(b, ',')
	b = append(appendCell(b, joined(o.Labels, " ")), ',')
	var s exposure.Service
	if o.Service != nil {
		s = *o.Service
	}
	for _, text := range []string{s.Protocol, softwareName(s), s.Version, s.CPE, s.Banner, o.Vantage, registered(f.registered, o)} {
		b = append(appendCell(b, text), ',')
	}
	return appendCell(b, o.Detail)
}

// appendCell appends text, harmless on a terminal and in a spreadsheet: what
// could be taken for a formula gets a leading apostrophe, and so does what
// begins with one, or reading back would not be exact.
func appendCell(b []byte, text string) []byte {
	if text == "" {
		return b
	}
	text = report.Sanitize(text)
	if strings.HasPrefix(text, "'") || strings.IndexAny(text, "=+-@＝＋－＠") == 0 {
		text = "'" + text
	}
	if !strings.ContainsAny(text, `",`) && text[0] != ' ' && text[len(text)-1] != '"' {
		return append(b, text...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(text, `"`, `""`)...)
	return append(b, '"')
}

func joined[S ~string](list []S, between string) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = string(s)
	}
	return strings.Join(parts, between)
}

// softwareName is the product as people write it, or what the server said.
func softwareName(s exposure.Service) string {
	if name := s.Product.Name(); name != "" {
		return name
	}
	return s.Name
}
