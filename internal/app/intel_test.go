package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/feeds"
	"reconshield/internal/intel"
)

// updated is a directory with updates from files.
func updated(t *testing.T, files map[string]string) string {
	t.Helper()
	from, dir := t.TempDir(), t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outcomes, err := feeds.Update(t.Context(), feeds.Options{Dir: dir, From: from})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	return dir
}

// page is an answer of the NVD about BIND.
func page(date string, cves ...string) string {
	return fmt.Sprintf(`{"format":"NVD_CVE","timestamp":"%sT00:00:00.000","startIndex":0,"resultsPerPage":9,"totalResults":%d,"vulnerabilities":[%s]}`,
		date, len(cves), strings.Join(cves, ","))
}

func cve(id, criteria, ends string) string {
	return fmt.Sprintf(`{"cve":{"id":%q,"vulnStatus":"Analyzed","descriptions":[{"lang":"en","value":"a new flaw"}],"metrics":{},
		"configurations":[{"nodes":[{"cpeMatch":[{"vulnerable":true,"criteria":%q%s}]}]}]}}`, id, criteria, ends)
}

const anyBIND = "cpe:2.3:a:isc:bind:*:*:*:*:-:*:*:*"

func matched(t *testing.T, table *intel.Table, version, id string) *intel.Match {
	t.Helper()
	found, err := table.Match("bind", version)
	if err != nil {
		t.Fatal(err)
	}
	for i := range found.Matches {
		if found.Matches[i].CVE == id {
			return &found.Matches[i]
		}
	}
	return nil
}

func TestIntelWithoutUpdates(t *testing.T) {
	in := OpenIntel(t.TempDir())
	if in.Table() != intel.DefaultTable() || in.Threats() != intel.DefaultThreats() || in.Atlas().Edition() == "" {
		t.Error("the embedded data are not used as they are")
	}
	if w := in.Warnings(); w != nil {
		t.Error(w)
	}
}

func TestIntelNewVulnerability(t *testing.T) {
	const id, known = "CVE-2031-1234", "CVE-2023-50387"
	if matched(t, intel.DefaultTable(), "9.16.46", known) == nil {
		t.Fatal("the embedded table does not have what this test needs")
	}
	in := OpenIntel(updated(t, map[string]string{
		"nvd.json": page("2031-01-02",
			cve(id, anyBIND, `,"versionStartIncluding":"9.18.0","versionEndExcluding":"9.99.1"`),
			cve(known, anyBIND, "")), // without ranges: ours stay
		"epss.csv": "#score_date:2031-01-02T00:00:00Z\ncve,epss,percentile\n" + id + ",0.25,0.9\nCVE-1999-9999,0.5,0.9\n",
		"kev.json": `{"catalogVersion":"2031.01.02","vulnerabilities":[{"cveID":"` + id + `","dateAdded":"2031-01-01"}]}`,
	}))
	table := in.Table()
	m := matched(t, table, "9.18.1", id)
	if m == nil || !m.KEV || m.EPSS == nil || *m.EPSS != 0.25 || m.Severity != intel.Unscored || m.FixedIn[0] != "9.99.1" {
		t.Errorf("%+v", m)
	}
	if matched(t, table, "9.16.46", id) != nil || matched(t, table, "9.18.1-S1", id) != nil {
		t.Error("it matches what it does not name")
	}
	if matched(t, table, "9.16.46", known) == nil {
		t.Error("a record without ranges removed the ranges that were known")
	}
	if _, _, scores := table.Counts(); scores != 1 {
		t.Errorf("%d scores: only those of known CVEs are wanted", scores)
	}
	if _, ok := table.Exploited("CVE-2020-1350"); !ok || table.CatalogueVersion() != "2031.01.02" {
		t.Error("an entry of the embedded catalogue is gone")
	}
	if w := in.Warnings(); w != nil {
		t.Error(w)
	}
}

func TestIntelOlderUpdate(t *testing.T) {
	const id, known = "CVE-2031-1234", "CVE-2023-50387"
	in := OpenIntel(updated(t, map[string]string{"nvd.json": page("2001-01-02",
		cve(id, anyBIND, `,"versionEndExcluding":"9.99.1"`), cve(known, anyBIND, `,"versionEndExcluding":"9.0.1"`))}))
	if matched(t, in.Table(), "9.16.46", known) == nil {
		t.Error("an older record took the place of a newer one")
	}
	if matched(t, in.Table(), "9.16.46", id) == nil {
		t.Error("what the embedded table lacks was not taken")
	}
}

// A record that says nothing of the Supported Preview leaves what is known of it.
func TestIntelEditions(t *testing.T) {
	id, version := "", ""
	for _, row := range intel.DefaultTable().Data().Rows {
		for _, r := range row.Ranges {
			if row.Product == exposure.BIND && strings.Contains(r.LastAffected, "-S") {
				id, version = row.ID, r.LastAffected
			}
		}
	}
	if matched(t, intel.DefaultTable(), version, id) == nil {
		t.Fatalf("the embedded table has no row to test with: %s in %q", id, version)
	}
	in := OpenIntel(updated(t, map[string]string{"nvd.json": page("2031-01-02", cve(id, anyBIND, `,"versionEndExcluding":"9.99.1"`))}))
	if matched(t, in.Table(), version, id) == nil {
		t.Errorf("%s does not match %s any more", id, version)
	}
	if matched(t, in.Table(), "9.90.1", id) == nil {
		t.Errorf("%s: the newer range is not there", id)
	}
}

func TestIntelNamesAndRegistry(t *testing.T) {
	in := OpenIntel(updated(t, map[string]string{
		"attack.json": `{"type":"bundle","objects":[
			{"type":"attack-pattern","id":"a","name":"Renamed","external_references":[{"source_name":"mitre-attack","external_id":"T1571"}]},
			{"type":"malware","id":"m","name":"New Moon","external_references":[{"source_name":"mitre-attack","external_id":"S0149"}]}]}`,
		"iana.csv": "Service Name,Port Number,Transport Protocol,Description,Modification Date\nmine,53,tcp,My own,2031-01-02\n",
	}))
	if got := in.Threats().TechniqueName("T1571"); got != "Renamed" {
		t.Errorf("technique %q", got)
	}
	if got := intel.DefaultThreats().TechniqueName("T1571"); got == "Renamed" {
		t.Error("the embedded table was changed")
	}
	renamed := false
	for _, m := range in.Threats().OnPort(53) {
		renamed = renamed || m.ID == "S0149" && m.Name == "New Moon"
	}
	if !renamed {
		t.Error("the malware keeps its old name")
	}
	if got := in.Reference().Atlas.ServiceName(53, "tcp"); got != "mine" {
		t.Errorf("service %q", got)
	}
	old := OpenIntel(updated(t, map[string]string{
		"iana.csv": "Service Name,Port Number,Transport Protocol,Description,Modification Date\nmine,53,tcp,My own,2001-01-02\n",
	}))
	if got := old.Atlas().ServiceName(53, "tcp"); got != "domain" {
		t.Errorf("an older registry is used: %q", got)
	}
}

func TestIntelDamaged(t *testing.T) {
	dir := updated(t, map[string]string{"kev.json": `{"catalogVersion":"2031.01.02","vulnerabilities":[{"cveID":"CVE-2031-1234","dateAdded":"2031-01-01"}]}`})
	names, err := filepath.Glob(filepath.Join(dir, "kev-*"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	if err := os.WriteFile(names[0], []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := OpenIntel(dir)
	if _, ok := in.Table().Exploited("CVE-2020-1350"); !ok {
		t.Error("the embedded catalogue is not used")
	}
	if w := in.Warnings(); len(w) != 1 || !strings.Contains(w[0], "stored feed kev") || strings.Contains(w[0], "\n") {
		t.Error(w)
	}
	for _, s := range in.Status(time.Now()) {
		if s.Source == feeds.KEV && (s.Origin != originEmbedded || s.Note == "") {
			t.Errorf("%+v", s)
		}
	}
}

func TestIntelStatus(t *testing.T) {
	in := OpenIntel(updated(t, map[string]string{
		"epss.csv": "#score_date:2026-11-20T00:00:00Z\ncve,epss,percentile\nCVE-1999-9999,0.5,0.9\n",
		"iana.csv": "Service Name,Port Number,Transport Protocol,Description,Modification Date\nmine,53,tcp,My own,2001-01-02\n",
	}))
	got := map[string]string{}
	for _, s := range in.Status(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) {
		if s.AgeDays == nil || s.Stale != (*s.AgeDays > IntelStale) || s.Source == feeds.EPSS && *s.AgeDays != 3 {
			t.Errorf("%+v", s)
		}
		if s.Updatable {
			got[s.Source] = fmt.Sprint(s.Origin, " ", s.Note != "")
		}
		if s.Licence == "" || s.Title == "" || s.Records == 0 {
			t.Errorf("%+v", s)
		}
	}
	want := map[string]string{
		feeds.KEV: "embedded false", feeds.EPSS: "updated false", feeds.IANA: "embedded true", feeds.NVD: "embedded false", feeds.ATTACK: "embedded false",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestIntelDir(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", "/data")
	if got, err := IntelDir(); err != nil || got != filepath.FromSlash("/data/reconshield/intel") {
		t.Errorf("%q, %v", got, err)
	}
	t.Setenv("XDG_DATA_HOME", "relative")
	t.Setenv("HOME", "/home/user")
	if got, err := IntelDir(); err != nil || !strings.HasPrefix(got, "/home/user") {
		t.Errorf("%q, %v", got, err)
	}
	t.Setenv("HOME", "")
	if _, err := IntelDir(); err == nil || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("%v", err)
	}
	if in := OpenIntel(""); in.Warnings() != nil {
		t.Error(in.Warnings())
	}
}

// A store of real size is read within a tenth of a second, nearly all of which
// is the registry.
func TestIntelLoadsQuickly(t *testing.T) {
	registry, err := os.ReadFile("../atlas/sources/service-names-port-numbers.csv")
	if err != nil {
		t.Fatal(err)
	}
	var scores strings.Builder
	scores.WriteString("cve,epss,percentile\n")
	for i := range 330_000 {
		fmt.Fprintf(&scores, "CVE-%d-%d,0.00123,0.5\n", 1999+i%27, 10_000+i)
	}
	catalogue := map[string]any{"catalogVersion": "2031.01.02"}
	var entries []any
	for i := range 1700 {
		entries = append(entries, map[string]string{"cveID": fmt.Sprintf("CVE-2031-%d", 10_000+i), "dateAdded": "2031-01-01", "vulnerabilityName": strings.Repeat("name ", 12)})
	}
	catalogue["vulnerabilities"] = entries
	kev, err := json.Marshal(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	dir := updated(t, map[string]string{"iana.csv": string(registry), "epss.csv": scores.String(), "kev.json": string(kev)})
	store, err := feeds.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	intel.DefaultTable()
	start := time.Now()
	if _, _, err := store.Registry(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Catalogue(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Scores(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("%v", took)
	const generous = 500 * time.Millisecond // a test machine has other work, too
	if took > generous {
		t.Errorf("reading took %v", took)
	}
}
