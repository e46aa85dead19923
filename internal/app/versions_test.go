package app

import (
	"net/netip"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
)

// oneEntry is a table with a single row.
type oneEntry struct{}

func (oneEntry) Edition() string { return "test" }

func (oneEntry) Advisories(s exposure.Service) []intel.Advisory {
	if s.Version != "9.8.0" {
		return nil
	}
	return []intel.Advisory{{ID: "CVE-2000-0001", Title: "an example", Severity: exposure.HighSev, Fixed: "9.8.1", Confidence: exposure.Medium}}
}

func TestVersionsBecomeFindings(t *testing.T) {
	port := func(via exposure.Transport, version string) exposure.PortState {
		return exposure.PortState{Observation: exposure.Observation{
			Target:  exposure.Target{Addr: netip.MustParseAddr("192.0.2.53"), Transport: via, Port: 53},
			Service: &exposure.Service{Name: "BIND 9", Version: version},
		}}
	}
	asset := exposure.Asset{Ports: []exposure.PortState{port(exposure.UDP, "9.8.0"), port(exposure.TCP, "9.8.0"), port(exposure.TCP, "9.8.1")}}
	matchVersions(&asset, oneEntry{})
	if len(asset.Findings) != 1 {
		t.Fatalf("got %d findings, want one for both transports: %+v", len(asset.Findings), asset.Findings)
	}
	f := asset.Findings[0]
	if f.ID != versionCheck || f.Subject != "CVE-2000-0001" || f.Severity != exposure.HighSev || len(f.Transports) != 2 {
		t.Errorf("got %+v", f)
	}
}

func TestNoTableIsSaid(t *testing.T) {
	a := &exposure.Assessment{Assets: []exposure.Asset{{Ports: []exposure.PortState{{Observation: exposure.Observation{Service: &exposure.Service{Version: "1"}}}}}}}
	if got := versionGap(a, intel.None{}); len(got) != 1 {
		t.Errorf("the report does not say that versions were not matched: %+v", got)
	}
	if got := versionGap(a, oneEntry{}); got != nil {
		t.Errorf("a gap although there is a table: %+v", got)
	}
}
