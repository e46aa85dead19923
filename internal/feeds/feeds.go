// Package feeds fetches the public feeds of vulnerabilities, ports and attack
// techniques over HTTPS, or takes them from files, and keeps what they say in a
// directory from which it is read back. A feed that cannot be fetched, read or
// believed changes nothing there. It does not decide what is put over what: that
// is for whoever reads.
package feeds

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Names of the sources.
const (
	KEV    = "kev"
	EPSS   = "epss"
	NVD    = "nvd"
	IANA   = "iana"
	ATTACK = "attack"
)

// Source is a public feed.
type Source struct {
	Name    string
	Title   string
	URL     string // where it is published
	Licence string
	Files   []string // names, with *, under which it is looked for in a directory
}

// Sources lists what can be fetched, in the order in which it is.
func Sources() []Source {
	return []Source{
		{
			KEV, "CISA Known Exploited Vulnerabilities",
			"https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json", "CC0 1.0",
			[]string{"known_exploited_vulnerabilities*.json", "kev*.json"},
		},
		{
			EPSS, "FIRST Exploit Prediction Scoring System",
			"https://epss.empiricalsecurity.com/epss_scores-current.csv.gz", "free, with attribution to FIRST",
			[]string{"epss*.csv", "epss*.csv.gz"},
		},
		{
			NVD, "NIST National Vulnerability Database",
			"https://services.nvd.nist.gov/rest/json/cves/2.0", "public domain; not endorsed or certified by the NVD",
			[]string{"nvd*.json", "nvd*.json.gz"},
		},
		{
			IANA, "IANA Service Name and Port Number Registry",
			"https://www.iana.org/assignments/service-names-port-numbers/service-names-port-numbers.csv", "CC0 1.0",
			[]string{"service-names-port-numbers*.csv", "iana*.csv"},
		},
		{
			ATTACK, "MITRE ATT&CK",
			"https://raw.githubusercontent.com/mitre-attack/attack-stix-data/master/enterprise-attack/enterprise-attack.json", "ATT&CK terms of use",
			[]string{"enterprise-attack*.json", "enterprise-attack*.json.gz", "attack*.json"},
		},
	}
}

// Options are those of Update. Only Dir is needed.
type Options struct {
	Dir     string   // where the feeds are kept; it is made when it does not exist
	Sources []string // names; nil for all
	// From is a directory with the files of the feeds, which are then taken from
	// there and nothing is fetched. Those that it lacks are left as they are,
	// unless Sources names them.
	From string
	// URLs replaces the address of a source. Other than https is only allowed to
	// loopback addresses.
	URLs  map[string]string
	Proxy string // address of a proxy; empty: as the environment says
	// Timeout bounds each request, 0 is 5 minutes.
	Timeout time.Duration
	Force   bool           // take a feed although it lost more than half of its records
	APIKey  string         // of the NVD; empty: its slower pace is kept
	Roots   *x509.CertPool // nil: those of the system
	// Progress is told what is being done; nil for nobody. It is called from one
	// goroutine.
	Progress func(Progress)

	// Now and Wait are the clock; nil for the real one.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error
}

// Progress is one step of an update.
type Progress struct {
	Source string
	Doing  string // "fetching …", "waiting 6s between requests"
	Bytes  int64  // that have come of the file
	Size   int64  // of the file, 0 when unknown
}

// Status is what became of a source.
type Status string

// Statuses.
const (
	Updated   Status = "updated"
	Unchanged Status = "unchanged"
	Absent    Status = "absent" // no file for it in Options.From
	Failed    Status = "failed"
)

// Outcome is what became of a source. Unless it was updated, what was stored
// before is still there.
type Outcome struct {
	Source  string
	Status  Status
	Records int    // stored now; 0 when nothing is
	Date    string // of the stored data, YYYY-MM-DD; may be empty
	Err     error  // nil unless it failed
}

// Update brings the sources up to date, one after the other. The error is about
// the update as a whole, and then nothing was changed; that of a single source
// is in its Outcome. It is a *StoreError when it is about the directory, and
// about the options else.
func Update(ctx context.Context, opts Options) ([]Outcome, error) {
	kinds, err := opts.prepare()
	if err != nil {
		return nil, err
	}
	client, err := newClient(&opts)
	if err != nil {
		return nil, err
	}
	defer client.http.CloseIdleConnections()
	var files map[string][]string
	if opts.From != "" {
		if files, err = findFiles(opts.From, kinds, opts.Sources != nil); err != nil {
			return nil, err
		}
	}
	disk, err := openDisk(opts.Dir)
	if err != nil {
		return nil, err
	}
	defer disk.close()
	old, err := disk.readManifest()
	if errors.Is(err, errNewer) {
		return nil, &StoreError{opts.Dir, err}
	}
	if err != nil {
		old = manifest{} // nothing is there, or it is damaged and is now replaced
	}
	u := updater{opts: &opts, client: client, disk: disk, manifest: old.clone(), files: files}
	var outcomes []Outcome
	changed := false
	for _, k := range kinds {
		o := u.source(ctx, k)
		outcomes = append(outcomes, o)
		changed = changed || o.Status == Updated || o.Status == Unchanged
	}
	if !changed {
		disk.clean(nil)
		return outcomes, nil
	}
	if err := disk.writeManifest(u.manifest); err != nil {
		disk.clean(nil)
		return nil, &StoreError{opts.Dir, err}
	}
	disk.clean(&u.manifest)
	return outcomes, nil
}

// prepare checks the options, fills in what is not set and gives the kinds of
// the sources.
func (o *Options) prepare() ([]kind, error) {
	if o.Dir == "" {
		return nil, errors.New("no directory to keep the feeds in")
	}
	const usual = 5 * time.Minute
	if o.Timeout <= 0 {
		o.Timeout = usual
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	all := kinds()
	for name := range maps.Keys(o.URLs) {
		if !slices.ContainsFunc(all, func(k kind) bool { return k.Name == name }) {
			return nil, unknownSource(name)
		}
	}
	if o.Sources == nil {
		return all, nil
	}
	for _, name := range o.Sources {
		if !slices.ContainsFunc(all, func(k kind) bool { return k.Name == name }) {
			return nil, unknownSource(name)
		}
	}
	return slices.DeleteFunc(all, func(k kind) bool { return !slices.Contains(o.Sources, k.Name) }), nil
}

func unknownSource(name string) error {
	var names []string
	for _, s := range Sources() {
		names = append(names, s.Name)
	}
	return fmt.Errorf("unknown source %q: use %s", name, strings.Join(names, ", "))
}

// address is where the source is fetched.
func (o *Options) address(k kind) (*url.URL, error) {
	text := k.URL
	if other, ok := o.URLs[k.Name]; ok {
		text = other
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the address cannot be read")
	}
	return u, allowed(u)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
