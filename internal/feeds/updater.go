package feeds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"reconshield/internal/intel/nvd"
)

// updater is one update.
type updater struct {
	opts     *Options
	client   *client
	disk     *disk
	manifest manifest
	files    map[string][]string // of Options.From
	asked    bool                // the NVD
}

// fetched is what came of a source.
type fetched struct {
	content
	validators
	origin string
}

// source brings one source up to date.
func (u *updater) source(ctx context.Context, k kind) Outcome {
	old, had := u.manifest.Sources[k.Name]
	o := Outcome{Source: k.Name, Records: old.Records, Date: old.Date}
	fail := func(err error) Outcome {
		o.Status, o.Err = Failed, fmt.Errorf("%s: %w", k.Name, err)
		return o
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	intact := had && u.disk.intact(k, old)
	var got fetched
	var err error
	switch paths, ok := u.files[k.Name]; {
	case u.opts.From != "" && !ok:
		o.Status = Absent
		return o
	case u.opts.From != "":
		got, err = u.local(k, paths)
	case k.Name == NVD:
		got, err = u.vulnerabilities(ctx, k)
	default:
		got, err = u.single(ctx, k, old, intact)
	}
	now := u.opts.Now().UTC().Format(time.RFC3339)
	switch {
	case errors.Is(err, errUnchanged):
		o.Status, old.Checked = Unchanged, now
		u.manifest.Sources[k.Name] = old
		return o
	case err != nil:
		return fail(err)
	case intact && !u.opts.Force && got.records < (old.Records+1)/2:
		return fail(fmt.Errorf("it has %d records, less than half of the %d that are stored; if that is right, use --force", got.records, old.Records))
	}
	entry, err := u.disk.store(k, got)
	if err != nil {
		return fail(err)
	}
	entry.Fetched, entry.Checked = now, now
	o.Status, o.Records, o.Date = Updated, entry.Records, entry.Date
	if intact && entry.SHA256 == old.SHA256 {
		o.Status, entry.Fetched = Unchanged, old.Fetched
	}
	u.manifest.Sources[k.Name] = entry
	return o
}

// single fetches a source of one file, unless the one at hand is the newest.
func (u *updater) single(ctx context.Context, k kind, old entry, intact bool) (fetched, error) {
	at, err := u.opts.address(k)
	if err != nil {
		return fetched{}, err
	}
	f, done, err := u.disk.scratch()
	if err != nil {
		return fetched{}, err
	}
	defer done()
	r := request{source: k.Name, url: at, most: k.maxBytes}
	if intact && old.Origin == at.Redacted() {
		r.have = old.validators
	}
	u.opts.Progress(Progress{Source: k.Name, Doing: "fetching " + at.Host})
	v, err := u.client.fetch(ctx, r, f)
	if err != nil {
		return fetched{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fetched{}, err
	}
	u.opts.Progress(Progress{Source: k.Name, Doing: "reading"})
	c, err := k.read([]io.Reader{f})
	return fetched{c, v, at.Redacted()}, err
}

// vulnerabilities asks the NVD for one product after the other, page by page, at
// the pace that it wants.
func (u *updater) vulnerabilities(ctx context.Context, k kind) (fetched, error) {
	at, err := u.opts.address(k)
	if err != nil {
		return fetched{}, err
	}
	f, done, err := u.disk.scratch()
	if err != nil {
		return fetched{}, err
	}
	defer done()
	var all collected
	var unknown error
	for _, query := range nvd.Queries() {
		err := u.pages(ctx, k, at, query, f, &all)
		if e, ok := errors.AsType[*statusError](err); ok && e.code == http.StatusNotFound {
			unknown = err // the name of a product that the NVD does not have
			continue
		}
		if err != nil {
			return fetched{}, err
		}
	}
	if len(all.rows) == 0 && unknown != nil {
		return fetched{}, unknown
	}
	c, err := all.content()
	return fetched{c, validators{}, at.Redacted()}, err
}

func (u *updater) pages(ctx context.Context, k kind, at *url.URL, query string, f *os.File, all *collected) error {
	const perPage, maxPages = 500, 100
	start, total := 0, -1
	for range maxPages {
		if err := u.pace(ctx); err != nil {
			return err
		}
		page := *at
		values := page.Query()
		values.Set("virtualMatchString", query)
		values.Set("startIndex", strconv.Itoa(start))
		values.Set("resultsPerPage", strconv.Itoa(perPage))
		page.RawQuery = values.Encode()
		u.opts.Progress(Progress{Source: k.Name, Doing: "asking for " + query})
		r := request{source: k.Name, url: &page, most: k.maxBytes, key: u.opts.APIKey, again: http.StatusForbidden}
		if _, err := u.client.fetch(ctx, r, f); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		p, err := nvd.Parse(f)
		switch {
		case err != nil:
			return err
		case p.Start != start:
			return fmt.Errorf("the page from %d was asked for and the one from %d came", start, p.Start)
		case total >= 0 && p.Total < total:
			return errors.New("the number of records shrank between two pages: try again")
		}
		all.add(p)
		total, start = p.Total, start+p.Records
		if start >= total {
			return nil
		}
	}
	return fmt.Errorf("%s has more than %d pages", query, maxPages)
}

// pace waits between two requests: five in 30 seconds are allowed without a key
// and fifty with one.
func (u *updater) pace(ctx context.Context) error {
	const slow, quick = 6 * time.Second, 700 * time.Millisecond
	if !u.asked {
		u.asked = true
		return nil
	}
	d := slow
	if u.opts.APIKey != "" {
		d = quick
	}
	return u.opts.Wait(ctx, d)
}
