package atlassite

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"reconshield/internal/report"
)

// Options say where a site goes. Progress may be nil.
type Options struct {
	Dir      string
	Force    bool // also into a folder with files that no export wrote; they stay
	Progress report.Progress
}

// Summary is what was written.
type Summary struct {
	Dir         string   `json:"dir"`
	BaseURL     string   `json:"base_url,omitempty"`
	Pages       int      `json:"pages"`
	Ports       int      `json:"ports"`       // with a page of their own because something is known
	Handwritten int      `json:"handwritten"` // of these
	Ranges      int      `json:"ranges"`      // pages of ports of which nothing is known
	Files       int      `json:"files"`
	Bytes       int64    `json:"bytes"`
	Sitemaps    int      `json:"sitemaps"`
	Editions    Editions `json:"editions"`
}

// Editions are the dates of the data.
type Editions struct {
	Registry        string `json:"registry"`
	Threats         string `json:"threats,omitempty"`
	Vulnerabilities string `json:"vulnerabilities,omitempty"`
}

// manifest marks a folder as an export, and tells programs what it holds.
type manifest struct {
	Site        string   `json:"site"`
	Version     string   `json:"version,omitempty"`
	BaseURL     string   `json:"base_url,omitempty"`
	Pages       int      `json:"pages"`
	Ports       int      `json:"ports"`
	Handwritten int      `json:"handwritten"`
	Ranges      int      `json:"ranges"`
	Editions    Editions `json:"editions"`
}

const (
	manifestName = "atlas.json"
	siteName     = "reconshield-atlas"
	lastPort     = 65535
)

// Export writes the site into a new folder beside opts.Dir, which then takes
// its place: readers of the old one see all of the new one or none of it. Of
// what it finds in opts.Dir it removes what an export wrote and keeps the rest.
// A *PlaceError means that opts.Dir cannot be used and nothing was written.
// The same content makes the same bytes.
func Export(ctx context.Context, c Content, opts Options) (Summary, error) {
	return export(ctx, c, opts, lastPort)
}

func export(ctx context.Context, c Content, opts Options, last uint16) (sum Summary, err error) {
	t, err := newTarget(opts.Dir, opts.Force)
	if err != nil {
		return Summary{}, err
	}
	defer func() {
		if err != nil {
			t.abandon()
		}
	}()
	progress := opts.Progress
	if progress == nil {
		progress = report.Silent()
	}
	progress.Stage("read the atlas", 0)
	s, err := newSite(c, last)
	if err != nil {
		return Summary{}, err
	}
	jobs := s.jobs()
	progress.Stage("write pages", len(jobs))
	sum = s.summary(jobs)
	sum.Dir = opts.Dir
	if sum.Bytes, err = writeAll(ctx, t.temp, jobs, progress); err != nil {
		return Summary{}, err
	}
	rest, err := s.closing(jobs, sum)
	if err != nil {
		return Summary{}, err
	}
	sum.Files, sum.Sitemaps = len(jobs)+len(rest), len(rest)-2 // robots.txt and the manifest are none
	for _, f := range rest {
		if err := f.write(t.temp); err != nil {
			return Summary{}, err
		}
		sum.Bytes += int64(len(f.data))
	}
	return sum, t.commit()
}

func (s *site) summary(jobs []job) Summary {
	sum := Summary{BaseURL: s.BaseURL, Editions: Editions{Registry: s.Atlas.Edition()}}
	if t := s.Knowledge.Threats; t != nil {
		sum.Editions.Threats = t.Edition()
	}
	if t := s.Knowledge.Vulnerabilities; t != nil {
		sum.Editions.Vulnerabilities = t.Date()
	}
	for _, j := range jobs {
		if j.page {
			sum.Pages++
		}
	}
	for i := range s.plan.places {
		switch at := &s.plan.places[i]; {
		case at.written:
			sum.Handwritten++
			sum.Ports++
		case at.content:
			sum.Ports++
		default:
			sum.Ranges++
		}
	}
	return sum
}

// closing are the files that speak of the others.
func (s *site) closing(jobs []job, sum Summary) ([]file, error) {
	var dirs []string
	for _, j := range jobs {
		if j.page {
			dirs = append(dirs, strings.TrimSuffix(j.path, "index.html"))
		}
	}
	text, err := json.MarshalIndent(manifest{
		siteName, s.Version, sum.BaseURL, sum.Pages, sum.Ports, sum.Handwritten, sum.Ranges, sum.Editions,
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	out := sitemaps(s.BaseURL, dirs, mostURLs)
	return append(out, file{"robots.txt", robots(s.BaseURL)}, file{manifestName, append(text, '\n')}), nil
}

// write puts the file below dir.
func (f file) write(dir string) error {
	const readable, listable = 0o644, 0o755 // a web server reads them
	path := filepath.Join(dir, filepath.FromSlash(f.path))
	if err := os.MkdirAll(filepath.Dir(path), listable); err != nil {
		return err
	}
	return os.WriteFile(path, f.data, readable) //nolint:gosec // public by purpose
}

// writeAll makes and writes the files on all processors.
func writeAll(ctx context.Context, dir string, jobs []job, progress report.Progress) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var total int64
	next := make(chan job)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range next {
				data, err := j.make()
				if err == nil {
					err = file{j.path, data}.write(dir)
				}
				if err != nil {
					cancel(fmt.Errorf("%s: %w", j.path, err))
					continue
				}
				progress.Add(1)
				mu.Lock()
				total += int64(len(data))
				mu.Unlock()
			}
		})
	}
	for j := range slices.Values(jobs) {
		if ctx.Err() != nil {
			break
		}
		next <- j
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return total, nil
}
