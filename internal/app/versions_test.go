package app

import (
	"net/netip"
	"strings"
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

// portOf is port 53 with a service whose banner is the version.
func portOf(via exposure.Transport, product exposure.Product, version string) exposure.PortState {
	return exposure.PortState{Observation: exposure.Observation{
		Target: exposure.Target{Addr: netip.MustParseAddr("192.0.2.53"), Transport: via, Port: 53}, State: exposure.Open,
		Service: &exposure.Service{Product: product, Name: product.Name(), Version: version, Banner: version, Confidence: exposure.High},
	}}
}

func TestVersionsBecomeFindings(t *testing.T) {
	asset := exposure.Asset{Ports: []exposure.PortState{
		portOf(exposure.UDP, exposure.BIND, "9.8.0"), portOf(exposure.TCP, exposure.BIND, "9.8.0"), portOf(exposure.TCP, exposure.BIND, "9.8.1"),
	}}
	matchVersions(&asset, oneEntry{})
	if len(asset.Findings) != 1 {
		t.Fatalf("got %d findings, want one for both transports: %+v", len(asset.Findings), asset.Findings)
	}
	f := asset.Findings[0]
	if f.ID != VersionCheck || f.Subject != "CVE-2000-0001" || f.Severity != exposure.HighSev || len(f.Transports) != 2 {
		t.Errorf("got %+v", f)
	}
}

func TestWhatTheTableCannotTellIsSaid(t *testing.T) {
	a := &exposure.Assessment{Assets: []exposure.Asset{{Ports: []exposure.PortState{portOf(exposure.UDP, exposure.BIND, "9.18.0")}}}}
	tests := []struct {
		name  string
		a     *exposure.Assessment
		table intel.Advisor
		want  string // in the gap's reason; empty: no gap
	}{
		{"no table", a, intel.None{}, "holds no table"},
		{"the table's date", a, intel.DefaultTable(), intel.DefaultTable().Date()},
		{"no version was found", &exposure.Assessment{}, intel.None{}, ""},
	}
	for _, tt := range tests {
		got := versionGap(tt.a, tt.table)
		switch {
		case tt.want == "" && got != nil, tt.want != "" && (len(got) != 1 || !strings.Contains(got[0].Why, tt.want)):
			t.Errorf("%s: got %+v, want %q", tt.name, got, tt.want)
		}
	}
}

// result is one check result in short.
func result(id string, s exposure.Status) exposure.CheckResult {
	return exposure.CheckResult{ID: id, Status: s}
}

func shut(via exposure.Transport, port uint16) exposure.PortState {
	return exposure.PortState{Observation: exposure.Observation{Target: exposure.Target{Transport: via, Port: port}, State: exposure.Closed}}
}

func TestChecksDecideSeverity(t *testing.T) {
	const high, medium, low, info, unscored = exposure.HighSev, exposure.MediumSev, exposure.LowSev, exposure.Info, exposure.Severity("")
	pass, fail := exposure.Pass, exposure.Fail
	open, refuses := result("REC-1", fail), result("REC-1", pass)
	tests := []struct {
		name     string
		needs    string
		severity exposure.Severity
		checks   []exposure.CheckResult
		ports    []exposure.PortState
		want     exposure.Severity
		says     string
	}{
		{"it validates", "V", high, []exposure.CheckResult{open, result("SEC-1", pass)}, nil, high, "SEC-1: it validates"},
		{"validating raises", "V", medium, []exposure.CheckResult{open, result("SEC-1", pass)}, nil, high, "counts as high"},
		{"it does not validate", "V", high, []exposure.CheckResult{open, result("SEC-1", fail)}, nil, info, "SEC-1: it does not validate DNSSEC, so it only counts as info"},
		{"not known whether it validates, but strangers are refused", "V", high, []exposure.CheckResult{refuses}, nil, low, "REC-1: it refuses"},
		{"not known whether it validates", "V", high, []exposure.CheckResult{open}, nil, high, "could not be told (SEC-1)"},
		{"it recurses for strangers", "R", medium, []exposure.CheckResult{open}, nil, high, "REC-1: it resolves"},
		{"never raised to critical", "R", high, []exposure.CheckResult{open}, nil, high, "REC-1: it resolves"},
		{"it refuses strangers", "R", high, []exposure.CheckResult{refuses}, nil, low, "REC-1: it refuses to resolve for this vantage, so it only counts as low"},
		{"not known whether it recurses", "R", high, nil, nil, high, "could not be told (REC-1)"},
		{"one transport that recurses is enough", "R", high, []exposure.CheckResult{refuses, open}, nil, high, "REC-1: it resolves"},
		{"nobody has scored it", "R", unscored, []exposure.CheckResult{open}, nil, info, "without a published score"},
		{"DNS over HTTPS is shut", "H", high, nil, []exposure.PortState{shut(exposure.TCP, 443)}, low, "DNS over HTTPS is closed"},
		{"DNS over HTTPS was not looked at", "H", high, nil, nil, high, "could not be told"},
		{"DNS over TLS is shut", "T", high, nil, []exposure.PortState{shut(exposure.TCP, 853)}, low, "DNS over TLS is closed"},
		{"DNS over QUIC is shut", "Q", high, nil, []exposure.PortState{shut(exposure.UDP, 853)}, low, "DNS over QUIC is closed"},
		{"TLS says nothing of QUIC", "Q", high, nil, []exposure.PortState{shut(exposure.TCP, 853)}, high, "could not be told"},
		{"updates are refused", "U", high, []exposure.CheckResult{result("UPD-1", pass)}, nil, low, "UPD-1: it refuses"},
		{"updates are taken", "U", medium, []exposure.CheckResult{result("UPD-1", fail)}, nil, high, "UPD-1: it takes"},
		{"a key is needed", "K", high, nil, nil, medium, "one step less"},
		{"web page out of reach", "W", high, []exposure.CheckResult{result("CTL-2", pass)}, nil, low, "CTL-2: no web page"},
		{"web page in reach", "W", high, []exposure.CheckResult{result("CTL-2", fail)}, nil, high, "CTL-2: its web page"},
		{"DHCP", "D", high, nil, nil, low, "not over port 53"},
		{"local", "L", high, nil, nil, info, "cannot be used over the network"},
		{"a setting", "C", high, nil, nil, high, "cannot be seen from outside"},
		{"zones", "A", high, nil, nil, high, "no zone of this one is known"},
		{"nothing else is needed", "", high, nil, nil, high, "CVSS 7.5 (high)"},
	}
	for _, tt := range tests {
		asset := exposure.Asset{Checks: tt.checks, Ports: tt.ports}
		a := intel.Advisory{ID: "CVE-2000-0001", Severity: tt.severity, Needs: tt.needs, Confidence: exposure.High}
		if tt.severity != "" {
			a.CVSS = 7.5
		}
		f := advisoryFinding(portOf(exposure.UDP, exposure.BIND, "9.8.0"), a, learn(&asset))
		if f.Severity != tt.want || !strings.Contains(f.Summary, tt.says) {
			t.Errorf("%s: got %s (%s), want %s (…%s…)", tt.name, f.Severity, f.Summary, tt.want, tt.says)
		}
	}
}

func TestExploitedIsNeverLessThanItsConditionAllows(t *testing.T) {
	a := intel.Advisory{ID: "CVE-2000-0001", Severity: exposure.LowSev, Exploited: true, Confidence: exposure.High}
	f := advisoryFinding(portOf(exposure.UDP, exposure.BIND, "9.8.0"), a, circumstances{})
	if f.Severity != exposure.HighSev || !strings.Contains(f.Why, "known to be exploited") {
		t.Errorf("got %s: %s", f.Severity, f.Why)
	}
	a.Disputed, a.Exploited = true, false
	a.Severity = exposure.Critical
	if f = advisoryFinding(portOf(exposure.UDP, exposure.BIND, "9.8.0"), a, circumstances{}); f.Severity != exposure.LowSev {
		t.Errorf("disputed by the vendor, got %s", f.Severity)
	}
}

func TestDistributionBuildIsOneFinding(t *testing.T) {
	tests := []struct {
		name, version string
		want          int
		severity      exposure.Severity
		confidence    exposure.Confidence
	}{
		{"the vendor's own release: one a vulnerability", "9.16.50", 15, exposure.HighSev, exposure.High},
		{"Red Hat's build: one in all, and low", "9.16.23-RH", 1, exposure.LowSev, exposure.Low},
		{"Debian's build with scored matches: low", "9.18.28-1~deb12u2-Debian", 1, exposure.LowSev, exposure.Low},
		{"Debian's build with unscored matches only: a fact", "9.18.49-1~deb12u3-Debian", 1, exposure.Info, exposure.Low},
		{"nothing known", "9.20.26", 0, "", ""},
	}
	for _, tt := range tests {
		asset := exposure.Asset{
			Checks: []exposure.CheckResult{result("REC-1", exposure.Fail), result("SEC-1", exposure.Pass)},
			Ports:  []exposure.PortState{portOf(exposure.UDP, exposure.BIND, tt.version), portOf(exposure.TCP, exposure.BIND, tt.version)},
		}
		matchVersions(&asset, intel.DefaultTable())
		if len(asset.Findings) != tt.want {
			t.Fatalf("%s: %d findings, want %d", tt.name, len(asset.Findings), tt.want)
		}
		if tt.want == 0 {
			continue
		}
		f := asset.Findings[0]
		if f.Severity != tt.severity || f.Confidence != tt.confidence || len(f.Transports) != 2 {
			t.Errorf("%s: %s with %s confidence over %v", tt.name, f.Severity, f.Confidence, f.Transports)
		}
		if tt.confidence == exposure.Low && !strings.Contains(f.Summary, "the distribution may have backported the fix: check its tracker") {
			t.Errorf("%s: %s", tt.name, f.Summary)
		}
	}
}
