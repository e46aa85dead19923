package portlist

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

// xmlDocument writes the elements of Nmap's public XML format, as its DTD has
// them, so that the many programs that read such files read ours. The DTD
// allows no other value of the attribute scanner than "nmap"; the attribute
// args and a comment say who wrote the file.
type xmlDocument struct {
	opts Options
}

func newXMLDocument(opts Options) xmlDocument { return xmlDocument{opts} }

// xmlVersion is the version of the format that the structure follows.
const xmlVersion = "1.05"

func (d xmlDocument) head() []byte {
	o := d.opts
	tool := strings.TrimSpace(orElse(o.Tool, "reconshield") + " " + o.Version)
	var b []byte
	b = append(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE nmaprun>\n"...)
	b = append(b, "<!-- written by "...)
	b = append(b, commentText(tool)...)
	b = append(b, ", not by Nmap: the attribute scanner names the format -->\n<nmaprun scanner=\"nmap\""...)
	b = appendAttr(b, "args", strings.Join(o.Args, " "))
	b = appendAttr(b, "start", strconv.FormatInt(unixSeconds(o.Started), 10))
	b = appendAttr(b, "startstr", clockText(o.Started))
	b = appendAttr(b, "version", tool)
	b = appendAttr(b, "xmloutputversion", xmlVersion)
	b = append(b, ">\n"...)
	kind := "syn"
	if o.Mode == "connect" {
		kind = "connect"
	}
	b = appendScanInfo(b, kind, "tcp", o.TCP)
	b = appendScanInfo(b, "udp", "udp", o.UDP)
	return append(b, "<verbose level=\"0\"/>\n<debugging level=\"0\"/>\n"...)
}

// commentText is the text of an XML comment, in which no two hyphens may meet.
func commentText(s string) string {
	s = xmlText(s)
	for strings.Contains(s, "--") { // a run of three still has two after one round
		s = strings.ReplaceAll(s, "--", "- -")
	}
	return s
}

func appendScanInfo(b []byte, kind, protocol, ports string) []byte {
	if ports == "" {
		return b
	}
	b = append(b, "<scaninfo"...)
	b = appendAttr(b, "type", kind)
	b = appendAttr(b, "protocol", protocol)
	b = appendAttr(b, "numservices", strconv.Itoa(countPorts(ports)))
	b = appendAttr(b, "services", ports)
	return append(b, "/>\n"...)
}

// countPorts counts "1-1024,8080".
func countPorts(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		from, to, ranged := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		z := a
		if ranged {
			if z, err = strconv.Atoi(to); err != nil {
				continue
			}
		}
		n += max(z-a+1, 0)
	}
	return n
}

// row is one host element with one port; assemble gathers them by host.
func (d xmlDocument) row(b []byte, o exposure.Observation, _ bool) []byte {
	names := knownNames(d.opts.Names, o.Addr)
	return append(appendFitting(b, o, func(b []byte, o exposure.Observation) []byte {
		h := xmlHost{addr: o.Addr, start: o.At.Unix(), end: o.At.Unix(), up: answered(o), reason: string(o.Reason)}
		b = h.open(b, names)
		b = appendXMLPort(b, o, registered(d.opts.Registered, o))
		return append(b, xmlHostEnd...)
	}), '\n')
}

// answered reports that the address itself gave a sign of life.
func answered(o exposure.Observation) bool {
	return slices.Contains([]exposure.Reason{
		exposure.ReasonSynAck, exposure.ReasonReset, exposure.ReasonDNSResponse, exposure.ReasonUDPResponse,
		exposure.ReasonPortUnreachable, exposure.ReasonProtoUnreach, exposure.ReasonEchoReply,
	}, o.Reason)
}

const xmlHostEnd = "</ports></host>"

// xmlHost is what stands before the ports of a host.
type xmlHost struct {
	addr       netip.Addr
	start, end int64 // Unix seconds
	up         bool
	reason     string
}

func (h xmlHost) open(b []byte, names []string) []byte {
	b = append(b, "<host"...)
	b = appendAttr(b, "starttime", strconv.FormatInt(h.start, 10))
	b = appendAttr(b, "endtime", strconv.FormatInt(h.end, 10))
	state := "unknown"
	if h.up {
		state = "up"
	}
	b = append(b, "><status"...)
	b = appendAttr(b, "state", state)
	b = appendAttr(b, "reason", h.reason)
	b = append(b, ` reason_ttl="0"/><address`...)
	b = appendAttr(b, "addr", h.addr.String())
	kind := "ipv6"
	if h.addr.Is4() {
		kind = "ipv4"
	}
	b = appendAttr(b, "addrtype", kind)
	b = append(b, "/><hostnames>"...)
	for _, n := range names {
		b = append(b, "<hostname"...)
		b = appendAttr(b, "name", n)
		b = append(b, ` type="user"/>`...)
	}
	return append(b, "</hostnames><ports>"...)
}

// appendXMLPort appends a port, with the name that it is registered under where
// nothing proved what listens.
func appendXMLPort(b []byte, o exposure.Observation, name string) []byte {
	state := string(o.State)
	if o.State == exposure.Unmeasured {
		state = "unknown" // the format's word
	}
	b = append(b, "<port"...)
	b = appendAttr(b, "protocol", string(o.Transport))
	b = appendAttr(b, "portid", strconv.Itoa(int(o.Port)))
	b = append(b, "><state"...)
	b = appendAttr(b, "state", state)
	b = appendAttr(b, "reason", string(o.Reason))
	b = append(b, ` reason_ttl="0"/>`...)
	if s := o.Service; s != nil {
		b = append(b, "<service"...)
		b = appendAttr(b, "name", orElse(s.Protocol, "unknown"))
		if name := softwareName(*s); name != "" {
			b = appendAttr(b, "product", name)
		}
		if s.Version != "" {
			b = appendAttr(b, "version", s.Version)
		}
		b = appendAttr(b, "method", "probed")
		b = appendAttr(b, "conf", certainty(s.Confidence))
		b = append(b, '>')
		if s.CPE != "" {
			b = append(append(append(b, "<cpe>"...), xmlText(s.CPE)...), "</cpe>"...)
		}
		b = append(b, "</service>"...)
	} else if name != "" {
		b = append(b, "<service"...)
		b = appendAttr(b, "name", name)
		b = append(b, ` method="table" conf="3"/>`...)
	}
	return append(b, "</port>"...)
}

// certainty is the confidence on the format's scale from 0 to 10.
func certainty(c exposure.Confidence) string {
	switch c {
	case exposure.High:
		return "10"
	case exposure.Medium:
		return "7"
	case exposure.Low:
	}
	return "3"
}

func (d xmlDocument) tail() []byte {
	return []byte(`<runstats><finished time="0" timestr="" exit="error" errormsg="the run was cut off"/>` +
		"<hosts up=\"0\" down=\"0\" total=\"0\"/></runstats>\n</nmaprun>\n")
}

func (d xmlDocument) end(s Summary) []byte {
	finished := s.Started.Add(time.Duration(s.DurationS * float64(time.Second)))
	exit, message := "success", ""
	switch {
	case s.Partial:
		exit, message = "error", "the run was stopped before its end"
	case s.Incomplete():
		exit, message = "error", "incomplete: too many probes were lost"
	}
	text := []string{fmt.Sprintf("%d probes sent, %d replies, %.2f s", s.ProbesSent, s.Replies, s.DurationS)}
	if s.Completeness != nil {
		text = append(text, fmt.Sprintf("completeness %s", percentText(*s.Completeness)))
	}
	b := []byte("<runstats><finished")
	b = appendAttr(b, "time", strconv.FormatInt(unixSeconds(finished), 10))
	b = appendAttr(b, "timestr", clockText(finished))
	b = appendAttr(b, "elapsed", strconv.FormatFloat(s.DurationS, 'f', 2, 64))
	b = appendAttr(b, "summary", strings.Join(append(text, s.Notes...), "; "))
	b = appendAttr(b, "exit", exit)
	if message != "" {
		b = appendAttr(b, "errormsg", message)
	}
	b = append(b, "/><hosts"...)
	b = appendAttr(b, "up", strconv.FormatUint(s.Answered, 10))
	b = appendAttr(b, "down", strconv.FormatUint(s.Addresses-min(s.Answered, s.Addresses), 10))
	b = appendAttr(b, "total", strconv.FormatUint(max(s.Addresses, s.Answered), 10))
	return append(b, "/></runstats>\n</nmaprun>\n"...)
}

func appendAttr(b []byte, name, value string) []byte {
	b = append(append(append(b, ' '), name...), `="`...)
	return append(append(b, xmlText(value)...), '"')
}

// xmlText is text without characters that XML forbids or gives a meaning.
func xmlText(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '<' || c == '>' || c == '&' || c == '"' {
			plain = false
			break
		}
	}
	if plain && len(s) <= maxRow {
		return s
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(report.Sanitize(s))
}

func unixSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// clockText is the time as the format's readers expect it.
func clockText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.ANSIC)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
