package report

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"reconshield/internal/exposure"
)

// evidenceText is one piece of evidence on one line, sanitised. asked is the
// address that was asked, as a reply from another one must show.
func evidenceText(e exposure.Evidence, asked netip.Addr, arrow string) string {
	q, r := evidenceParts(e, asked)
	switch {
	case q == "":
		return r
	case r == "":
		return q
	}
	return q + " " + arrow + " " + r
}

// evidenceParts splits evidence into what was asked and what came back.
func evidenceParts(e exposure.Evidence, asked netip.Addr) (query, response string) {
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
	if e.From != "" && !sameAddress(e.From, asked) {
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

// sameAddress reports whether from, an address with or without a port, is asked.
func sameAddress(from string, asked netip.Addr) bool {
	if ap, err := netip.ParseAddrPort(from); err == nil {
		return ap.Addr().Unmap() == asked.Unmap()
	}
	a, err := netip.ParseAddr(from)
	return err == nil && a.Unmap() == asked.Unmap()
}

// measures are sizes and time; the size is left out where the response tells it.
func measures(e exposure.Evidence) string {
	var parts []string
	told := strings.Contains(e.Response, strconv.Itoa(e.BytesIn)+" bytes")
	switch {
	case e.BytesOut > 0 && e.BytesIn >= 2*e.BytesOut:
		parts = append(parts, fmt.Sprintf("%d bytes in for %d out (x%.1f)", e.BytesIn, e.BytesOut,
			float64(e.BytesIn)/float64(e.BytesOut)))
	case e.BytesIn > 0 && !told:
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
