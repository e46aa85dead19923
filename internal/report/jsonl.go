package report

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"reconshield/internal/exposure"
)

// lineAsset is what a line of type "asset" says beyond its address; ports,
// checks and findings follow on lines of their own.
type lineAsset struct {
	Names  []string         `json:"names,omitempty"`
	Labels []exposure.Label `json:"labels,omitempty"`
	Zones  []string         `json:"zones,omitempty"`
}

// lineSummary closes the stream; a stream without it was cut off.
type lineSummary struct {
	Schema      string          `json:"schema"`
	Tool        string          `json:"tool"`
	Version     string          `json:"version"`
	Started     time.Time       `json:"started"`
	Finished    time.Time       `json:"finished"`
	Vantage     string          `json:"vantage,omitempty"`
	Scope       []string        `json:"scope"`
	Profile     string          `json:"profile"`
	Partial     bool            `json:"partial"`
	Interceptor string          `json:"interception,omitempty"`
	Warnings    []string        `json:"warnings,omitempty"`
	Totals      exposure.Totals `json:"totals"`
}

// writeJSONL writes one object a line, each with its type: asset, then its
// port, check and finding lines, each with the address; quiet and unmeasured
// lines; one summary at the end.
func writeJSONL(w io.Writer, a *exposure.Assessment) error {
	l := lines{w: w}
	for _, asset := range a.Assets {
		l.write("asset", asset.Address, lineAsset{asset.Names, asset.Labels, asset.Zones})
		for _, p := range asset.Ports {
			l.write("port", asset.Address, p)
		}
		for _, c := range asset.Checks {
			l.write("check", asset.Address, c)
		}
		for _, f := range asset.Findings {
			l.write("finding", netip.Addr{}, f) // a finding carries its address
		}
	}
	for _, q := range a.Quiet {
		l.write("quiet", netip.Addr{}, q)
	}
	for _, g := range a.Unmeasured {
		l.write("unmeasured", netip.Addr{}, g)
	}
	l.write("summary", netip.Addr{}, lineSummary{
		Schema: a.Schema, Tool: a.Tool, Version: a.Version, Started: a.Started, Finished: a.Finished,
		Vantage: a.Vantage, Scope: a.Scope, Profile: a.Profile, Partial: a.Partial,
		Interceptor: a.Interceptor, Warnings: a.Warnings, Totals: a.Totals,
	})
	return l.err
}

type lines struct {
	w   io.Writer
	err error
}

// write puts the type, and the address when valid, in front of v's members.
// Splicing keeps the names v gives itself in the JSON object.
func (l *lines) write(kind string, addr netip.Addr, v any) {
	if l.err != nil {
		return
	}
	body, err := EncodeJSON(v)
	if err != nil {
		l.err = err
		return
	}
	head := fmt.Sprintf(`{"type":%q`, kind)
	if addr.IsValid() {
		head += fmt.Sprintf(`,"address":%q`, addr)
	}
	if len(body) > len("{}") {
		head += ","
	}
	_, l.err = fmt.Fprintf(l.w, "%s%s\n", head, body[1:])
}
